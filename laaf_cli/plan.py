"""Spec → plan: everything that can be known, and everything that can be refused, before training starts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from laaf_cli.derivatives import AUTO as FASTEST
from laaf_cli.derivatives import ENGINES, FUSED, MakeEngine, kernel_name, obstacle
from laaf_cli.errors import Fault, SpecError, UsageError, listed
from laaf_cli.expression import Field
from laaf_cli.multi_index import derivative_name
from laaf_cli.network import ACTIVATIONS, INITIALIZERS, Inputs, Mlp, SlopeRecovery, torch_device
from laaf_cli.problem import Observed, PointSet, Problem, Sampled, build, constant_loss, python_functions
from laaf_cli.reference import AUTO, NO_REFERENCE, REFERENCES, Reference, ReferenceRefusedError, make_reference
from laaf_cli.seeds import random_stream
from laaf_cli.solution import make_periods
from laaf_cli.spec import KeyPath, LoadedSpec, Override, RunSpec, Slopes, Text, load
from laaf_cli.training import (
    BALANCES,
    DEFAULT_LEARNING_RATE,
    OPTIMIZERS,
    RESAMPLERS,
    SCHEDULES,
    LearningRate,
    Misfit,
    Objective,
    TrainingPhase,
    balance_faults,
    phase_faults,
    resampling_faults,
)

CHOICES: dict[KeyPath, tuple[str, ...]] = {
    ("network", "activation"): tuple(ACTIVATIONS),
    ("network", "initializer"): tuple(INITIALIZERS),
    ("training", "*", "optimizer"): tuple(OPTIMIZERS),
    ("training", "*", "schedule", "kind"): tuple(SCHEDULES),
    ("points", "resample", "method"): tuple(RESAMPLERS),
    ("weights", "balance", "method"): tuple(BALANCES),
    ("weights", "balance"): tuple(BALANCES),
    ("reference", "kind"): (AUTO, *REFERENCES, NO_REFERENCE),
}
"""Keys of the spec whose values are the names of rows in the tables of other packages."""


PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def slope_recovery(slopes: Slopes) -> SlopeRecovery | None:
    """The slope recovery term of a spec; None where it is off or there are no slopes."""
    if slopes.kind == "fixed" or slopes.recovery is None:
        return None
    return SlopeRecovery(slopes.recovery.weight, slopes.recovery.form, slopes.recovery.operator)


@dataclass(frozen=True)
class Plan:
    """A run that has not begun: the checked spec, its problem, its reference, and how it is computed."""

    name: str
    text: Text
    spec: RunSpec
    problem: Problem
    reference: Reference | None
    engine_name: str = FASTEST
    max_seconds: float | None = None
    no_reference: str = ""
    """Why there is no reference, where none was asked for and none was found."""
    overrides: tuple[Override, ...] = ()
    """What the command line put into the spec."""

    @property
    def make_engine(self) -> MakeEngine:
        return ENGINES[self.engine_name]

    @cached_property
    def engine_use(self) -> str:
        """Which engine computes the derivatives, and why it is not the kernel where it is not."""
        if self.engine_name not in (FASTEST, FUSED):
            return f"{self.engine_name}, as asked for"
        hindered: dict[str, list[str]] = {}
        for term in self.problem.trained_terms:
            reason = obstacle(self.device.type, self.spec.network.activation, term.order)
            hindered.setdefault(reason, []).append(term.name)
        uses = [kernel_name()] if "" in hindered else []
        for reason, terms in hindered.items():
            if reason:
                of = "" if len(hindered) == 1 else f" for {listed(terms)}"
                uses.append(f"taylor in torch{of}: {reason}")
        return "; ".join(uses)

    @cached_property
    def device(self) -> torch.device:
        """The device of the spec; raises UsageError for CUDA where there is none."""
        return torch_device(self.spec.device)

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.spec.dtype]

    @property
    def recovery(self) -> SlopeRecovery | None:
        """The slope recovery term; None where it is off or there are no slopes."""
        return slope_recovery(self.spec.slopes)

    @property
    def phases(self) -> list[TrainingPhase]:
        return [
            TrainingPhase(
                phase.optimizer,
                phase.iterations,
                LearningRate(
                    phase.learning_rate or DEFAULT_LEARNING_RATE,
                    phase.iterations,
                    phase.schedule.factor,
                    phase.schedule.every,
                    phase.schedule.final,
                ),
                phase.schedule.kind,
                phase.batch,
                phase.max_seconds,
                phase.interior,
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
            len(self.problem.trial.outputs),
            activation=spec.network.activation,
            initializer=spec.network.initializer,
            kind=spec.slopes.kind,
            n=spec.slopes.n,
            bounds=(domain.lower, domain.upper) if spec.network.inputs == "scaled" else None,
            periods=make_periods(self.problem.trial, domain),
            random=random_stream(spec.seed, "weights"),
            dtype=self.dtype,
        )
        return network.to(self.device)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what the problem seems to lack, and on why it has no reference."""
        unknown = f"The error will not be known, for there is no reference: {self.no_reference}."
        return (*self.problem.warnings, *([unknown] if self.no_reference else []))

    @property
    def can_do_without_reference(self) -> bool:
        """Whether nobody asked for a reference and no data are taken from it."""
        return self.spec.reference.kind == AUTO and not (self.spec.data is not None and self.spec.data.reference)

    def draw_points(self) -> dict[str, PointSet]:
        """The points of every trained term, with the values that are observed there.

        Raises ReferenceRefusedError where the data are those of the reference and it does not give them.
        """
        points = self.problem.draw_points(self.spec.seed)
        for term in self.problem.trained_terms:
            if isinstance(term.region, Sampled) and term.region.targets is None and self.reference is not None:
                places = points[term.name].points
                values = self.reference.evaluate(places).fields
                observed = {f.unknown: values[f.unknown] for f in self._observed(term.name)}
                random = random_stream(self.spec.seed, "noise", term.name)
                points[term.name] = term.region.observe(places, observed, random)
        return points

    def _observed(self, name: str) -> frozenset[Field]:
        """The unknowns that a term of data observes."""
        return next(term.fields for term in self.problem.terms if term.name == name)

    def make_objective(self, network: Mlp, points: Mapping[str, PointSet]) -> Objective:
        return Objective(
            self.problem,
            points,
            network,
            self.make_engine,
            self.recovery,
            self.spec.seed,
            self.spec.points.resample,
            self.spec.weights.balance,
        )

    def settings(self) -> dict[str, Any]:
        """The resolved settings, as the run file keeps them."""
        own = {"derivatives": self.engine_name, "max_seconds": self.max_seconds}
        return self.spec.model_dump(mode="json") | own

    def seeded(self, seed: int) -> Plan:
        """The same plan with another seed."""
        override = Override.from_assignment(f"seed={seed}")
        spec = self.spec.model_copy(update={"seed": seed})
        return replace(self, spec=spec, overrides=(*self.overrides, override))

    def hashes(self) -> tuple[str, str]:
        """SHA-256 of the problem and of the method.

        Runs share both where they differ in the seed, in what is told (title, reference, evaluation), or in the
        device. Observed values count, not the name of their file.
        """
        spec = self.spec.model_dump(mode="json")
        keys = ("coordinates", "unknowns", "constants", "equations")
        problem = {key: spec[key] for key in keys}
        problem["periodic"] = sorted(spec["periodic"])
        problem["functions"] = sorted({function.source for function in self.problem.functions.values()})
        problem["learn"] = {name: learned["truth"] for name, learned in spec["learn"].items()}
        conditions = spec["conditions"]
        problem["conditions"] = {
            name: {key: value for key, value in condition.items() if key not in (*_HOW, "data", "names")}
            for name, condition in conditions.items()
        }
        problem["data"] = {key: spec["data"][key] for key in _OBSERVED} if spec["data"] else None
        problem["observed"] = [
            hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
            for term in self.problem.terms
            if isinstance(term.region, Observed)
            for values in (
                term.region.given.points,
                *term.region.given.symbols.values(),
                *([] if term.region.given.row_weights is None else [term.region.given.row_weights]),
            )
        ]
        if self.spec.data is not None and self.spec.data.reference:
            problem["reference"] = [spec["reference"], self.reference.fingerprint if self.reference else ""]
        method = {key: spec[key] for key in ("network", "points", "weights", "training", "dtype", "transform")}
        method["points"] = {key: value for key, value in spec["points"].items() if key != "validation"}
        method["periodic"] = spec["periodic"]
        method["learn"] = {
            name: {key: value for key, value in learned.items() if key != "truth"}
            for name, learned in spec["learn"].items()
        }
        method["data"] = {key: spec["data"][key] for key in ("points", "sampler", "weight")} if spec["data"] else None
        # The kernel asked for is the kernel taken by itself.
        engine = FASTEST if self.engine_name == FUSED else self.engine_name
        method |= {"derivatives": engine, "max_seconds": self.max_seconds}
        method["conditions"] = {name: {key: condition[key] for key in _HOW} for name, condition in conditions.items()}
        method["slopes"] = {"kind": "fixed"} if spec["slopes"]["kind"] == "fixed" else spec["slopes"]
        return _hash(problem), _hash(method)


_HOW = ("points", "weight")
"""Keys of a condition that belong to the method, not to the problem."""

_OBSERVED = ("target", "reference", "noise", "fields", "weights")
"""Keys of the data that belong to the problem."""


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def make_plan(
    text: Text,
    overrides: Sequence[Override] = (),
    *,
    derivatives: str = FASTEST,
    max_seconds: float | None = None,
    allow_python: bool = False,
    known_python: str | None = None,
) -> Plan:
    """The plan of a spec.

    allow_python: whether the Python file that it names may be run; known_python: the only text that it may have then.

    Raises SpecError with all faults of the spec; those that need a problem to be seen (an activation that is
    not smooth enough, a reference that does not apply) come once the rest is right.
    """
    loaded = load(text, overrides)
    spec, problem = build(loaded, CHOICES, python_functions(loaded, allowed=allow_python, known=known_python))
    faults = [
        *_activation_faults(loaded, spec, problem),
        *_phase_faults(loaded, spec, problem),
        *_schedule_faults(loaded, spec),
        *_adaptation_faults(loaded, spec, problem),
    ]
    reference, without = None, ""
    try:
        reference = make_reference(problem, spec.reference, Path(text.name).parent)
    except ReferenceRefusedError as error:
        if spec.reference.kind != AUTO:
            hint = "reference: none trains without one."
            faults.append(Fault(str(error), loaded.root.locate(("reference", spec.reference.kind)).mark, hint))
        elif spec.data is not None and spec.data.reference:
            what = f"the data are those of the reference, and there is none: {error}"
            hint = "Give the data as a target or a file, or name another reference."
            faults.append(Fault(what, loaded.root.locate(("data", "reference")).mark, hint))
        without = str(error)
    if faults:
        raise SpecError(faults)
    spec = _with_learning_rates(spec)
    name = Path(text.name).stem
    plan = Plan(name, text, spec, problem, reference, derivatives, max_seconds, without, tuple(overrides))
    if derivatives == FUSED:
        _require_kernel(plan)
    return plan


def _require_kernel(plan: Plan) -> None:
    for term in plan.problem.trained_terms:
        reason = obstacle(plan.device.type, plan.spec.network.activation, term.order)
        if reason:
            raise UsageError(
                f"--derivatives fused cannot compute '{term.name}': {reason}\n"
                "--derivatives auto takes the kernel where it can, and Taylor mode in torch elsewhere"
            )


def _activation_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec, problem: Problem) -> list[Fault]:
    row = ACTIVATIONS[spec.network.activation]
    if problem.order <= row.max_order:
        return []
    term = max(problem.trained_terms, key=lambda term: term.order)
    written = next(other.order for other in problem.terms if other.name == term.name)
    raised = f", which the transform raises from {written}" if term.order > written else ""
    what = f"'{row.name}' does not suit the {term.kind} '{term.name}' of order {term.order}{raised}"
    smooth = listed(name for name, other in ACTIVATIONS.items() if other.max_order >= problem.order)
    hint = f"{row.why[0].upper()}{row.why[1:]}. Choices: {smooth}."
    return [Fault(what, loaded.root.locate(("network", "activation")).mark, hint)]


def _with_learning_rates(spec: RunSpec) -> RunSpec:
    """The spec with the learning rate of every phase that takes one written out."""
    phases = [
        phase.model_copy(update={"learning_rate": phase.learning_rate or DEFAULT_LEARNING_RATE})
        if OPTIMIZERS[phase.optimizer].takes_rate
        else phase
        for phase in spec.training
    ]
    return spec.model_copy(update={"training": phases})


def _phase_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec, problem: Problem) -> list[Fault]:
    periods = make_periods(problem.trial, problem.domain)
    widths = [Inputs(problem.domain.dimension, None, periods).width, *spec.network.hidden, len(problem.trial.outputs)]
    n_parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths)) + len(problem.learned)
    return [_fault(loaded, misfit) for misfit in phase_faults(spec, n_parameters)]


def _schedule_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec) -> list[Fault]:
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


def _adaptation_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec, problem: Problem) -> list[Fault]:
    return [_fault(loaded, misfit) for misfit in (*resampling_faults(spec), *balance_faults(spec, problem))]


def _fault(loaded: LoadedSpec[RunSpec], misfit: Misfit) -> Fault:
    """A misfit, at its key."""
    *above, key = misfit.path
    section = loaded.root.locate(tuple(above))
    return Fault(misfit.what, section.keys.get(str(key), section.mark), misfit.hint)


@dataclass(frozen=True)
class TermReport:
    """A term before training: what it needs, how many points it has, its value at step 0."""

    name: str
    """The name of the equation or condition, or `data`."""
    kind: str
    """`equation`, `condition` or `data`."""
    derivatives: tuple[str, ...]
    """The unknowns and derivatives that it needs."""
    region: str
    """Where it holds."""
    n_points: int
    """The number of its collocation points."""
    weight: float
    """What multiplies it in the loss at step 0."""
    value: float | None
    """Its value at step 0, without the weight; None where the form of the solution meets the condition."""


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
    points = plan.draw_points()
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
            term.region.describe(plan.problem.domain),
            len(points[term.name]) if term.name in points else 0,
            term.weight,
            values.get(term.name),
        )
        for term in plan.problem.terms
    )
    bound = constant_loss(plan.problem, points)
    recovery = plan.recovery
    if recovery is not None:
        bound += recovery.weight * recovery.at_zero(len(network.slopes.values))
    return Inspection(terms, *network.count(), values.get("slope_recovery"), loss.total.item(), bound)
