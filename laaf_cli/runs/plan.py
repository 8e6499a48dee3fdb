"""Spec → plan: everything that can be known, and everything that can be refused, before training
starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Self

from laaf_cli.arrays import Array
from laaf_cli.derivatives import AUTO as FASTEST
from laaf_cli.derivatives import ENGINES, FUSED, MakeEngine, kernel_name, obstacle
from laaf_cli.errors import Fault, SpecError
from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.initializers import INITIALIZERS
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import (
    SAMPLER_CHOICES,
    PointSet,
    Problem,
    bends,
    build,
    carried_kinks,
    python_functions,
    similarity_variables,
    with_interfaces,
)
from laaf_cli.references import (
    AUTO,
    NO_REFERENCE,
    REFERENCES,
    Reference,
    ReferenceRefusedError,
    make_reference,
)
from laaf_cli.runfile import measured_with
from laaf_cli.runs.identity import Hashes, hash_of, make_hashes
from laaf_cli.runs.kept_reference import KeptReference, cache_folder
from laaf_cli.runs.plan_faults import plan_faults, require_kernel
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.runs.recipes import CHOSEN_GOAL, DEFAULT_SECONDS, chosen
from laaf_cli.runs.solution import make_kinks, make_periods, make_similarity
from laaf_cli.seeds import random_stream
from laaf_cli.spec import KeyPath, Override, RunSpec, Text, load
from laaf_cli.spec.schema import Written
from laaf_cli.text import listed
from laaf_cli.training import (
    BALANCES,
    DEFAULT_GOAL,
    DEFAULT_LEARNING_RATE,
    OPTIMIZERS,
    RESAMPLERS,
    SCHEDULES,
    LearningRate,
    Objective,
    TrainingPhase,
    default_features,
    default_points,
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

WRITTEN = Written(spec=RunSpec, choices={**SAMPLER_CHOICES, **CHOICES})
"""What the spec of an equation may hold."""

REFERENCE_SECONDS, LEAST_REFERENCE_SECONDS = 120.0, 20.0
"""How long a reference that nobody asked for may take, and at least, where all is bounded."""


class UnfitError(SpecError):
    """A spec is right, as far as it has been seen, and what trains it does not fit."""


@dataclass(frozen=True)
class OtherMethod:
    """A method that may be tried, and what makes the plan of it."""

    recipe: str
    make: Callable[[], Plan]

    def seeded(self, seed: int) -> OtherMethod:
        """The same with another seed."""
        return replace(self, make=partial(_seeded, self.make, seed))


def _seeded(make: Callable[[], Plan], seed: int) -> Plan:
    return make().seeded(seed)


@dataclass(frozen=True, kw_only=True)
class Plan(AnyPlan):
    """A run that has not begun: the checked spec, its problem, its reference, and how it is
    computed.
    """

    task: ClassVar[str] = "equation"

    spec: RunSpec
    problem: Problem
    reference: Reference | None
    engine_name: str = FASTEST
    no_reference: str = ""
    """Why there is no reference, where none was asked for and none was found."""
    recipe: str = ""
    """The method in words, where it was chosen."""
    method: str = ""
    """The hash of the method where it was chosen: one for all that may be kept."""
    others: tuple[OtherMethod, ...] = ()
    """What is tried after this one, in turn, where the goal is not met."""
    not_tried: tuple[str, ...] = ()
    """Sentences on the methods that do not take the problem."""

    @property
    def make_engine(self) -> MakeEngine:
        """What makes the engine of the derivatives for a network and the fields that are needed."""
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

    @property
    def phases(self) -> list[TrainingPhase]:
        """The phases of the training, one after another."""
        return [
            TrainingPhase(
                optimizer=phase.optimizer,
                iterations=phase.iterations,
                learning_rate=LearningRate(
                    first=phase.learning_rate or DEFAULT_LEARNING_RATE,
                    n_iterations=phase.iterations,
                    factor=phase.schedule.factor,
                    every=phase.schedule.every,
                    final=phase.schedule.final,
                ),
                schedule=phase.schedule.kind,
                batch=phase.batch,
                max_seconds=phase.max_seconds,
                overtime=bool(phase.overtime),
                interior=phase.interior,
                features=phase.features,
                n_kept=self.spec.width_before(i) if i else 0,
                windows=phase.windows if len(self.spec.training) == 1 else 1,
                goal=phase.goal or DEFAULT_GOAL,
                error=self.goal,
            )
            for i, phase in enumerate(self.spec.training)
        ]

    @property
    def n_iterations(self) -> int:
        """The iterations of the whole training."""
        return sum(phase.iterations for phase in self.spec.training)

    @property
    def known_iterations(self) -> int | None:
        ends_itself = any(OPTIMIZERS[p.optimizer].draws_neurons for p in self.spec.training)
        return None if ends_itself else self.n_iterations

    @property
    def measured(self) -> str:
        """What the error is measured with, where the problem's hash does not say so."""
        return measured_with(self.spec, self.reference.method if self.reference else "")

    @property
    def without_error(self) -> str:
        """Why the error will not be known, empty where it will."""
        return "" if self.reference else self.no_reference or "the spec asks for none"

    @property
    def default_output(self) -> Path:
        """`runs/PROBLEM-KIND-nN-sSEED.h5`, fixed slopes without n; a lack of slope recovery is
        said, so that runs do not collide.
        """
        return Path("runs") / f"{self.name}-{self.spec.slopes.file_words}-s{self.spec.seed}.h5"

    def make_network(self) -> Mlp:
        """The network with its initial weights; those depend on the seed and the widths alone."""
        spec, domain = self.spec, self.problem.domain
        network = Mlp(
            domain.dimension,
            spec.network.hidden,
            len(self.problem.ansatz.outputs),
            activation=spec.network.activation,
            initializer=spec.network.initializer,
            kind=spec.slopes.kind,
            n=spec.slopes.n,
            bounds=(domain.lower, domain.upper) if spec.network.inputs == "scaled" else None,
            periods=make_periods(self.problem.ansatz, domain),
            kinks=make_kinks(spec, domain),
            similarity=make_similarity(spec, domain),
            random=random_stream(spec.seed, "weights"),
            dtype=self.dtype,
        )
        return network.to(self.device)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on what the problem seems to lack, and on why it has no reference."""
        what = "estimated" if self.goal else "unknown"
        unknown = f"The error will be {what}, because there is no reference: {self.no_reference}."
        return (*self.problem.warnings, *([unknown] if self.no_reference else []))

    @property
    def can_do_without_reference(self) -> bool:
        """Whether nobody asked for a reference and no data are taken from it."""
        return self.spec.reference.kind == AUTO and not self.takes_data_from_reference

    @property
    def takes_data_from_reference(self) -> bool:
        """Whether the values that are observed are those of the reference."""
        return self.spec.data is not None and self.spec.data.reference

    @property
    def reference_seconds(self) -> float:
        """How long the reference may take: without end where somebody asked for it."""
        if not self.can_do_without_reference:
            return math.inf
        if self.max_seconds is None:
            return REFERENCE_SECONDS
        share = max(LEAST_REFERENCE_SECONDS, self.max_seconds / 10)
        return max(1.0, min(share, self.max_seconds))

    def draw_points(self) -> dict[str, PointSet]:
        """The points of every trained term, with the values that are observed there.

        Raises:
            ReferenceRefusedError: the data are those of the reference and it does not give them.
        """
        points = self.problem.draw_points(self.spec.seed)
        if self.reference is None:
            return points
        observed = {term.name: term.unknowns for term in self.problem.terms}
        for term in self.problem.trained_terms:
            evaluate = partial(_values, self.reference, observed[term.name])
            random = random_stream(self.spec.seed, "noise", term.name)
            points[term.name] = term.region.with_reference(points[term.name], evaluate, random)
        return points

    def make_objective(self, network: Mlp, points: Mapping[str, PointSet]) -> Objective:
        """The loss of a network at the points of each term, with the settings of the spec."""
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

    @cached_property
    def hashes(self) -> Hashes:
        """SHA-256 of the problem and of the method."""
        hashes = make_hashes(
            self.spec,
            self.problem,
            self.reference,
            engine_name=self.engine_name,
            max_seconds=self.max_seconds,
        )
        return hashes._replace(method=self.method or hashes.method)

    def settings(self) -> dict[str, Any]:
        """The resolved settings, as the run file keeps them."""
        of_plan = {"derivatives": self.engine_name, "max_seconds": self.max_seconds}
        return self.spec.model_dump(mode="json") | of_plan

    def seeded(self, seed: int) -> Self:
        others = tuple(other.seeded(seed) for other in self.others)
        return replace(super().seeded(seed), others=others)


def _values(reference: Reference, unknowns: Iterable[str], points: Array) -> dict[str, Array]:
    """Those of a reference at points, by unknown."""
    by_unknown = reference.evaluate(points).fields
    return {name: by_unknown[name] for name in unknowns}


def make_plan(
    text: Text,
    overrides: Sequence[Override] = (),
    *,
    max_seconds: float | None = None,
    goal: float | None = None,
    **how: Any,
) -> Plan:
    """The plan of a spec, as `plan_one` makes it.

    Where the spec names no training there are several, of the methods that take the problem: the
    first one, which has the others.

    Args:
        goal: the relative error at which the training ends; a default where None and the training
            is chosen.
    """
    root, recipes = chosen(text, overrides, max_seconds)
    bound = DEFAULT_SECONDS if recipes and max_seconds is None else max_seconds
    makes = [
        OtherMethod(recipe.name, partial(plan_one, text, changes, max_seconds=bound, **how))
        for recipe in recipes
        for changes in [[*overrides, *recipe.overrides(root)]]
    ]
    refused = []
    for i, alternative in enumerate(makes):
        try:
            plan = alternative.make()
        except UnfitError as error:
            refused.append(f"{alternative.recipe} is not tried: {error.faults[0].what}")
        else:
            method = hash_of(["chosen", plan.hashes.method])
            others = tuple(makes[i + 1 :])
            plan = replace(plan, recipe=alternative.recipe, others=others, method=method)
            break
    else:
        # Named by the spec, or one that takes none of them, whose faults are reported as they are.
        plan = plan_one(text, overrides, max_seconds=bound, **how)
    if goal is None and recipes:
        goal = CHOSEN_GOAL
    return replace(plan, goal=goal or 0.0, not_tried=tuple(refused))


def plan_one(
    text: Text,
    overrides: Sequence[Override] = (),
    *,
    derivatives: str = FASTEST,
    max_seconds: float | None = None,
    allow_python: bool = False,
    known_python: str | None = None,
    cache: bool = True,
) -> Plan:
    """The plan of a spec that says how to train.

    Args:
        cache: whether a reference that takes long is read where it is kept, and kept.
        allow_python: whether the Python file that it names may be run.
        known_python: the only text that it may have then.

    Raises:
        SpecError: with all faults of the spec; those that need a problem to be seen (an activation
            that is not smooth enough, a reference that does not apply) come once the rest is right.
    """
    loaded = load(text, overrides)
    spec, problem = build(
        loaded, CHOICES, python_functions(loaded, allowed=allow_python, known=known_python)
    )
    spec = _resolved(spec, problem)
    faults = plan_faults(loaded, spec, problem)
    reference, without = None, ""
    try:
        reference = make_reference(problem, spec.reference, Path(text.name).parent)
    except ReferenceRefusedError as error:
        if spec.reference.kind != AUTO:
            hint = "To train without one, set reference: none."
            faults.append(
                Fault(str(error), loaded.root.locate(("reference", spec.reference.kind)).mark, hint)
            )
        elif spec.data is not None and spec.data.reference:
            what = f"the data are values of the reference, but no reference is available: {error}"
            hint = "Give the data as a target or a file, or name another reference."
            faults.append(Fault(what, loaded.root.locate(("data", "reference")).mark, hint))
        without = str(error)
    if faults:
        raise UnfitError(faults)
    name = Path(text.name).stem
    kinks = make_kinks(spec, problem.domain)
    plan = Plan(
        name=name,
        text=text,
        spec=spec,
        problem=with_interfaces(
            problem, [(kink.axis, kink.place, kink.order) for kink in kinks if not kink.is_carried]
        ),
        reference=reference,
        engine_name=derivatives,
        max_seconds=max_seconds,
        no_reference=without,
        overrides=tuple(overrides),
    )
    if cache and reference is not None and reference.takes_long:
        folder = cache_folder()
        if folder is not None:
            plan = replace(plan, reference=KeptReference(reference, plan.hashes.problem, folder))
    if derivatives == FUSED:
        require_kernel(plan.device.type, spec, problem)
    return plan


def _resolved(spec: RunSpec, problem: Problem) -> RunSpec:
    """The spec with what depends on the optimizers written out."""
    phases = []
    for phase in spec.training:
        row = OPTIMIZERS[phase.optimizer]
        of_phase: dict[str, Any] = {}
        if row.takes_rate:
            of_phase["learning_rate"] = phase.learning_rate or DEFAULT_LEARNING_RATE
        if row.draws_neurons:
            features = phase.features or default_features(problem)
            of_phase["features"] = features
            of_phase["goal"] = phase.goal or DEFAULT_GOAL
            if spec.equations:
                of_phase["interior"] = phase.interior or default_points(problem, features)
        phases.append(phase.model_copy(update=of_phase))
    changes: dict[str, Any] = {"training": phases}
    draws = any(OPTIMIZERS[phase.optimizer].draws_neurons for phase in phases)
    found: dict[str, Any] = {}
    known = spec.network.model_fields_set
    if spec.network.kinks is None or (draws and "kinks" not in known):
        at_rest, carried = bends(problem), carried_kinks(problem)
        found["kinks"] = {
            name: [
                *(place if p == 1 else [place, float(p)] for place, p in at_rest.get(name, ())),
                *([place, float(p), v] for place, p, v in carried.get(name, ())),
            ]
            for name in spec.coordinates
            if name in at_rest or name in carried
        }
    if spec.network.similarity is None or (draws and "similarity" not in known):
        found["similarity"] = {
            name: [list(numbers) for numbers in places]
            for name, places in similarity_variables(problem).items()
        }
    spec = spec.model_copy(update={"network": spec.network.model_copy(update=found)})
    if draws:
        if "dtype" not in spec.model_fields_set:
            changes["dtype"] = "float64"
        if phases[0].features and "hidden" not in spec.network.model_fields_set:
            hidden = {"hidden": [phases[0].features]}
            changes["network"] = spec.network.model_copy(update=hidden)
    return spec.model_copy(update=changes)
