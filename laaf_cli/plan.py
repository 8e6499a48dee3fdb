"""Spec → plan: everything that can be known, and everything that can be refused, before training starts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from laaf_cli.derivatives import ENGINES, DerivativeEngine
from laaf_cli.errors import Fault, SpecError, listed
from laaf_cli.multi_index import derivative_name
from laaf_cli.network import ACTIVATIONS, INITIALIZERS, Mlp, SlopeRecovery, torch_device
from laaf_cli.problem import Observed, PointSet, Problem, build, constant_loss, grid_points
from laaf_cli.reference import NO_REFERENCE, REFERENCES, Reference, ReferenceRefusedError, make_reference
from laaf_cli.seeds import random_stream
from laaf_cli.spec import KeyPath, LoadedSpec, Override, RunSpec, Text, load
from laaf_cli.training import OPTIMIZERS, SCHEDULES, LearningRate, Objective, TrainingPhase

CHOICES: dict[KeyPath, tuple[str, ...]] = {
    ("network", "activation"): tuple(ACTIVATIONS),
    ("network", "initializer"): tuple(INITIALIZERS),
    ("training", "*", "optimizer"): tuple(OPTIMIZERS),
    ("training", "*", "schedule", "kind"): tuple(SCHEDULES),
    ("reference", "kind"): (*REFERENCES, NO_REFERENCE),
}
"""Keys of the spec whose values are the names of rows in the tables of other packages."""


@dataclass(frozen=True)
class Plan:
    """A run that has not begun: the checked spec, its problem, its reference, and how it is computed."""

    name: str
    text: Text
    spec: RunSpec
    problem: Problem
    reference: Reference | None
    engine_name: str = "taylor"
    max_seconds: float | None = None

    @property
    def engine(self) -> type[DerivativeEngine]:
        return ENGINES[self.engine_name]

    @cached_property
    def device(self) -> torch.device:
        """The device of the spec; raises UsageError for CUDA where there is none."""
        return torch_device(self.spec.device)

    @property
    def dtype(self) -> torch.dtype:
        return {"float32": torch.float32, "float64": torch.float64}[self.spec.dtype]

    @property
    def recovery(self) -> SlopeRecovery | None:
        """The slope recovery term; None where it is off or there are no slopes."""
        slopes = self.spec.slopes
        if slopes.kind == "fixed" or slopes.recovery is None:
            return None
        return SlopeRecovery(slopes.recovery.weight, slopes.recovery.form, slopes.recovery.operator)

    @property
    def phases(self) -> list[TrainingPhase]:
        return [
            TrainingPhase(
                phase.optimizer,
                phase.iterations,
                LearningRate(
                    phase.learning_rate,
                    phase.iterations,
                    phase.schedule.factor,
                    phase.schedule.every,
                    phase.schedule.final,
                ),
                phase.schedule.kind,
                phase.batch,
                phase.max_seconds,
            )
            for phase in self.spec.training
        ]

    @property
    def default_output(self) -> Path:
        """`runs/PROBLEM-KIND-nN-sSEED.h5`; adaptive kinds without slope recovery say so, lest they collide."""
        slopes = self.spec.slopes
        without = "-norecovery" if slopes.kind != "fixed" and slopes.recovery is None else ""
        return Path("runs") / f"{self.name}-{slopes.kind}-n{slopes.n:g}{without}-s{self.spec.seed}.h5"

    def make_network(self) -> Mlp:
        """The network with its initial weights; those depend on the seed and the widths alone."""
        spec, domain = self.spec, self.problem.domain
        network = Mlp(
            domain.dimension,
            spec.network.hidden,
            len(self.problem.unknowns),
            activation=spec.network.activation,
            initializer=spec.network.initializer,
            kind=spec.slopes.kind,
            n=spec.slopes.n,
            bounds=(domain.lower, domain.upper) if spec.network.inputs == "scaled" else None,
            random=random_stream(spec.seed, "weights"),
            dtype=self.dtype,
        )
        return network.to(self.device)

    def make_objective(self, network: Mlp, points: Mapping[str, PointSet]) -> Objective:
        return Objective(self.problem, points, network, self.engine, self.recovery, self.spec.seed)

    def settings(self) -> dict[str, Any]:
        """The resolved settings, as the run file keeps them."""
        own = {"derivatives": self.engine_name, "max_seconds": self.max_seconds}
        return self.spec.model_dump(mode="json") | own

    def hashes(self) -> tuple[str, str]:
        """SHA-256 of the problem and of the method.

        Runs share both where they differ in the seed, in what is told (title, reference, evaluation), or in the
        device. Observed values count, not the name of their file.
        """
        spec = self.spec.model_dump(mode="json")
        keys = ("coordinates", "unknowns", "constants", "equations")
        problem = {key: spec[key] for key in keys}
        conditions = spec["conditions"]
        problem["conditions"] = {
            name: {key: condition[key] for key in ("where", "equation")} for name, condition in conditions.items()
        }
        problem["data"] = spec["data"]["target"] if spec["data"] else None
        problem["observed"] = [
            hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
            for term in self.problem.terms
            if isinstance(term.region, Observed)
            for values in (term.region.given.points, *term.region.given.symbols.values())
        ]
        method = {key: spec[key] for key in ("network", "points", "weights", "training", "dtype")}
        method["data"] = {key: spec["data"][key] for key in ("points", "sampler", "weight")} if spec["data"] else None
        method |= {"derivatives": self.engine_name, "max_seconds": self.max_seconds}
        method["conditions"] = {
            name: {key: condition[key] for key in ("points", "weight")} for name, condition in conditions.items()
        }
        method["slopes"] = {"kind": "fixed"} if spec["slopes"]["kind"] == "fixed" else spec["slopes"]
        return _hash(problem), _hash(method)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def make_plan(
    text: Text,
    overrides: Sequence[Override] = (),
    *,
    derivatives: str = "taylor",
    max_seconds: float | None = None,
) -> Plan:
    """The plan of a spec.

    Raises SpecError with all faults of the spec; those that need a problem to be seen (an activation that is
    not smooth enough, a reference that does not apply) come once the rest is right.
    """
    loaded = load(text, overrides)
    spec, problem = build(loaded, CHOICES)
    faults = [*_activation_faults(loaded, spec, problem), *_schedule_faults(loaded, spec)]
    reference = None
    try:
        reference = make_reference(problem, spec.reference, Path(text.name).parent)
        if reference is not None:
            # The corners of the domain tell whether the reference covers it.
            reference.evaluate(grid_points(problem.domain.grid((2,) * problem.domain.dimension)))
    except ReferenceRefusedError as error:
        hint = "reference: none trains without one."
        faults.append(Fault(str(error), loaded.root.locate(("reference", spec.reference.kind)).mark, hint))
    if faults:
        raise SpecError(faults)
    return Plan(Path(text.name).stem, text, spec, problem, reference, derivatives, max_seconds)


def _activation_faults(loaded: LoadedSpec, spec: RunSpec, problem: Problem) -> list[Fault]:
    row = ACTIVATIONS[spec.network.activation]
    if problem.order <= row.max_order:
        return []
    term = max(problem.terms, key=lambda term: term.order)
    what = f"'{row.name}' does not suit the {term.kind} '{term.name}' of order {term.order}"
    smooth = listed(name for name, other in ACTIVATIONS.items() if other.max_order >= problem.order)
    hint = f"{row.why[0].upper()}{row.why[1:]}. Choices: {smooth}."
    return [Fault(what, loaded.root.locate(("network", "activation")).mark, hint)]


def _schedule_faults(loaded: LoadedSpec, spec: RunSpec) -> list[Fault]:
    faults = []
    for i, phase in enumerate(spec.training):
        law = SCHEDULES[phase.schedule.kind]
        for key in ("factor", "every", "final"):
            if getattr(phase.schedule, key) is not None and key not in law.keys:
                schedule = loaded.root.locate(("training", i, "schedule"))
                what = f"the schedule '{phase.schedule.kind}' takes no '{key}'"
                hint = f"Its keys: {listed(law.keys)}."
                faults.append(Fault(what, schedule.keys.get(key, schedule.mark), hint))
    return faults


@dataclass(frozen=True)
class TermReport:
    """A loss term before training: what it needs, how many points it has, its value at step 0."""

    name: str
    kind: str
    derivatives: tuple[str, ...]
    region: str
    n_points: int
    weight: float
    value: float


@dataclass(frozen=True)
class Inspection:
    """What `laaf check` tells.

    start_loss: J̃(Θ₀), slope recovery included. constant_bound: min_c J_c(0) + W_a S(0), infinite where
    S(0) is. Theorem 2.1 of arXiv 1909.12228 asks that the first be below the second.
    """

    terms: tuple[TermReport, ...]
    n_parameters: int
    n_slopes: int
    recovery: float | None
    start_loss: float
    constant_bound: float

    @property
    def theorem_holds(self) -> bool | None:
        """Whether the start condition holds; None where the constant network has no finite loss."""
        return None if math.isnan(self.constant_bound) else self.start_loss < self.constant_bound


def inspect(plan: Plan) -> Inspection:
    """Draws points and weights, evaluates the loss once, trains nothing."""
    points = plan.problem.draw_points(plan.spec.seed)
    network = plan.make_network()
    loss = plan.make_objective(network, points).evaluate()
    values = dict(zip(loss.names, loss.values.tolist(), strict=True))
    terms = tuple(
        TermReport(
            term.name,
            term.kind,
            tuple(
                derivative_name(field.unknown, field.orders, plan.problem.domain.coordinates)
                for field in sorted(term.fields, key=lambda f: (f.unknown, sum(f.orders), [-o for o in f.orders]))
            ),
            term.region.description,
            len(points[term.name]),
            term.weight,
            values[term.name],
        )
        for term in plan.problem.terms
    )
    bound = constant_loss(plan.problem, points)
    recovery = plan.recovery
    if recovery is not None:
        bound += recovery.weight * recovery.at_zero(len(network.slopes.values))
    return Inspection(terms, *network.count(), values.get("slope_recovery"), loss.total.item(), bound)
