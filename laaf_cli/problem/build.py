"""A loaded spec → a problem, or all that is wrong with what the spec says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from laaf_cli.arrays import Array
from laaf_cli.errors import Fault, SpecError
from laaf_cli.expression import Node, Scope, Symbol, symbols
from laaf_cli.expression.functions import FUNCTIONS, NAMED_CONSTANTS
from laaf_cli.expression.tokens import WORDS
from laaf_cli.multi_index import ambiguous_coordinate
from laaf_cli.problem.conditions import read_conditions
from laaf_cli.problem.determinacy import check_determinacy
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.form import (
    check_derivable,
    check_periodicity,
    met_conditions,
    read_form,
    read_periodic,
)
from laaf_cli.problem.observations import read_data
from laaf_cli.problem.problem import LearnedConstant, Problem, Term
from laaf_cli.problem.python_function import PythonFunction
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import NONE_DRAWN, Interior
from laaf_cli.problem.samplers import SAMPLERS
from laaf_cli.problem.trial import Trial
from laaf_cli.spec import KeyPath, Learned, LoadedSpec, RunSpec, Text, load
from laaf_cli.text import did_you_mean, listed, shown

RESERVED_TERMS = ("slope_recovery", "total", "iteration", "wall_time_s", "relative_l2")
MAX_GRID_POINTS = 5_000_000
_DEFAULT_GRID = {1: 1001, 2: 101, 3: 41}

Choices = Mapping[KeyPath, tuple[str, ...]]
"""Paths of the spec (`*` stands for any list item) whose value must be one of the names of a
table.
"""

SAMPLER_CHOICES: Choices = {(section, "sampler"): tuple(SAMPLERS) for section in ("points", "data")}


def build(
    loaded: LoadedSpec[RunSpec],
    choices: Choices | None = None,
    functions: Mapping[str, PythonFunction] | None = None,
) -> tuple[RunSpec, Problem]:
    """The checked spec and its problem.

    choices: for keys that name a row of a table elsewhere, the names that exist. functions: of
    Python, that expressions may call. Raises SpecError with every fault of form and meaning.
    """
    if loaded.spec is None:
        raise SpecError(loaded.faults)
    builder = _Builder(loaded, loaded.spec, functions or {})
    problem = builder.problem()
    builder.check_choices({**SAMPLER_CHOICES, **(choices or {})})
    faults = [*loaded.faults, *builder.faults]
    if faults or problem is None:
        raise SpecError(faults)
    return loaded.spec, problem


def build_form(spec: RunSpec, domain: Domain) -> tuple[Domain, Trial]:
    """The domain with its periodic axes and the form of the solution, of a spec that stands in no
    text.

    Raises SpecError where the spec does not tell them.
    """
    text = Text(
        "settings",
        spec.model_dump_json(
            include={"coordinates", "unknowns", "constants", "learn", "periodic", "transform"}
        ),
    )
    loaded = load(text)
    if loaded.spec is None:
        raise SpecError(loaded.faults)
    builder = _Builder(loaded, loaded.spec, {})
    form = builder.form(domain)
    if faults := [*loaded.faults, *builder.faults]:
        raise SpecError(faults)
    return form


class _Builder(Reader):
    """Reads what is not a section of its own, and puts all sections together."""

    def __init__(
        self, loaded: LoadedSpec[RunSpec], spec: RunSpec, functions: Mapping[str, PythonFunction]
    ) -> None:
        super().__init__(loaded, spec)
        self.python = {name: function for name, function in functions.items() if not function.unfit}
        self.unfit = {
            name: function.unfit for name, function in functions.items() if function.unfit
        }

    def problem(self) -> Problem | None:
        """The problem, or None when the faults leave none."""
        self.check_names()
        constants = self.constants()
        domain = self.read_domain(constants)
        if domain is None:
            return None
        learned = self.learned()
        self.open_scopes(domain, constants, learned)
        terms = [*self.equations(), *read_conditions(self), *read_data(self)]
        closed_form = self.closed_form()
        trial = read_form(self)
        grid, times = self.grid(self.domain), self.times(self.domain)
        # What is wrong elsewhere may be what seems to be missing.
        warnings = tuple(self.warnings)
        if not self.faults and self.form_is_right:
            warnings += self.check_whole(terms, trial)
        if not self.faults and trial.trees:
            check_periodicity(self, trial)
        met = met_conditions(self, trial, terms) if not self.faults else frozenset()
        if self.faults:
            return None
        return Problem(
            title=self.spec.title,
            domain=self.domain,
            unknowns=tuple(self.spec.unknowns),
            terms=tuple(terms),
            closed_form=closed_form,
            grid=grid,
            times=times,
            trial=trial,
            met=met,
            learned=learned,
            functions=self.python,
            warnings=warnings,
        )

    def form(self, domain: Domain) -> tuple[Domain, Trial]:
        """The domain with its periodic axes, and the form of the solution."""
        self.open_scopes(domain, self.constants(), self.learned())
        return self.domain, read_form(self)

    def open_scopes(
        self, domain: Domain, constants: Mapping[str, float], learned: Mapping[str, LearnedConstant]
    ) -> None:
        """Says what names mean from here on."""
        self.domain = read_periodic(self, domain)
        arity = {name: function.n_arguments for name, function in self.python.items()}
        truths = {
            name: constant.truth for name, constant in learned.items() if constant.truth is not None
        }
        self.scope = Scope(
            coordinates=domain.coordinates,
            unknowns=tuple(self.spec.unknowns),
            constants=constants,
            time=domain.time,
            symbols={name: Symbol(name) for name in learned},
            functions=arity,
            unfit=self.unfit,
        )
        unknown_truths = {name: Symbol(name) for name in learned if name not in truths}
        self.known = replace(self.scope, constants={**constants, **truths}, symbols=unknown_truths)

    def check_names(self) -> None:
        """Every name has one meaning."""
        taken = dict.fromkeys(WORDS, "a reserved word") | dict.fromkeys(FUNCTIONS, "a function")
        taken |= {"D": "the derivative", "laplacian": "a function"} | dict.fromkeys(
            NAMED_CONSTANTS, "a fixed constant"
        )
        for section, meaning in (
            ("coordinates", "a coordinate"),
            ("unknowns", "an unknown"),
            ("constants", "a constant"),
            ("learn", "a learned constant"),
        ):
            for i, name in enumerate(getattr(self.spec, section)):
                if name in taken:
                    path: KeyPath = (section, i if section == "unknowns" else name)
                    self.fault(
                        path,
                        f"'{name}' is already {taken[name]}",
                        "Choose another name.",
                        section != "unknowns",
                    )
                taken[name] = meaning
        for name in self.python:
            if name in taken:
                what = f"the function '{name}' of the file is already {taken[name]}"
                self.fault(("functions",), what, "Give it another name.")
        if name := ambiguous_coordinate(list(self.spec.coordinates)):
            what = f"the coordinate '{name}' is made of the names of others"
            self.fault(
                ("coordinates", name),
                what,
                "The names of derivatives could not be told apart.",
                True,
            )
        taken_terms: dict[str, str] = {}
        for section in ("equations", "conditions"):
            for name in getattr(self.spec, section):
                if name in RESERVED_TERMS or name == "data":
                    self.fault(
                        (section, name),
                        f"the name '{name}' is reserved",
                        "Choose another name.",
                        True,
                    )
                elif name in taken_terms:
                    what = f"'{name}' names an equation and a condition"
                    self.fault(
                        (section, name), what, "Each term of the loss has its own name.", True
                    )
                taken_terms[name] = section
        equations = self.declared("equations")
        for name in self.spec.weights.equations:
            if name not in equations:
                hint = did_you_mean(name, equations) or f"Equations: {listed(equations)}."
                self.fault(
                    ("weights", "equations", name), f"there is no equation '{name}'", hint, True
                )

    def constants(self) -> dict[str, float]:
        """The values of the constants; each may use those above it."""
        values: dict[str, float] = {}
        for name in self.declared("constants"):
            value = None
            if name in self.spec.constants:
                value = self.constant(
                    ("constants", name), self.spec.constants[name], f"constant '{name}'", values
                )
            values[name] = 1.0 if value is None else value
        return values

    def learned(self) -> dict[str, LearnedConstant]:
        """The constants that training finds."""
        found = {}
        for name in self.declared("learn"):
            given = self.spec.learn.get(name)
            found[name] = (
                LearnedConstant(start=1.0) if given is None else self.learned_constant(name, given)
            )
        return found

    def learned_constant(self, name: str, given: Learned) -> LearnedConstant:
        path: KeyPath = ("learn", name)
        lower, upper = given.bounds or (-math.inf, math.inf)
        if not lower < upper:
            what = f"the lower bound of '{name}', {lower:g}, is not below the upper, {upper:g}"
            self.fault((*path, "bounds"), what, "The lower one stands first.")
            return LearnedConstant(start=given.start)
        if given.positive and given.negative:
            self.fault(
                (*path, "negative"),
                f"'{name}' cannot be positive and negative",
                "Leave one of them out.",
                True,
            )
        elif given.positive:
            lower = max(lower, 0.0)
        elif given.negative:
            upper = min(upper, 0.0)
        allowed = f"between {lower:g} and {upper:g}"
        if not (math.isfinite(lower) and math.isfinite(upper)):
            allowed = f"greater than {lower:g}" if math.isfinite(lower) else f"less than {upper:g}"
        if not lower < upper:
            sign = "positive" if given.positive else "negative"
            self.fault(
                (*path, "bounds"),
                f"between its bounds '{name}' is never {sign}",
                f"Leave '{sign}' out.",
            )
            return LearnedConstant(start=given.start)
        for key, value in (("start", given.start), ("truth", given.truth)):
            if value is not None and not lower < value < upper:
                what = f"the {key} of '{name}', {value:g}, is not {allowed}"
                self.fault(
                    (*path, key), what, "A learned constant stays strictly between its bounds."
                )
        is_between = math.isfinite(lower) and math.isfinite(upper) and lower < given.start < upper
        if is_between and not 0 < (given.start - lower) / (upper - lower) < 1:
            what = f"the start of '{name}', {given.start:g}, cannot be told from a bound"
            self.fault((*path, "start"), what, "Narrow the bounds, or start further inside.")
        return LearnedConstant(start=given.start, lower=lower, upper=upper, truth=given.truth)

    def read_domain(self, constants: Mapping[str, float]) -> Domain | None:
        names, lower, upper = [], [], []
        for name, texts in self.spec.coordinates.items():
            path: KeyPath = ("coordinates", name)
            bounds = [
                self.constant((*path, i), text, f"the bounds of '{name}'", constants)
                for i, text in enumerate(texts)
            ]
            low, high = (1.0 if bound is None else bound for bound in bounds)
            if None in bounds:
                low, high = 0.0, 1.0
            elif not low < high:
                self.fault(
                    path, f"the lower bound of '{name}', {low:g}, is not below the upper, {high:g}"
                )
                low, high = 0.0, 1.0
            elif high - low < 1e-12 * max(abs(low), abs(high)):
                self.fault(path, f"the range of '{name}' is too narrow for its distance from 0")
            names.append(name)
            lower.append(low)
            upper.append(high)
        return (
            Domain(coordinates=tuple(names), lower=tuple(lower), upper=tuple(upper))
            if names
            else None
        )

    def equations(self) -> list[Term]:
        points = self.spec.points
        importance = []
        for i, each in enumerate(points.importance):
            part = self.part(("points", "importance", i, "where"), each.where, "'importance'")
            if part is not None:
                importance.append((part, each.share))
        region = Interior(
            n_points=points.interior, sampler=self.sampler(), importance=tuple(importance)
        )
        self.check_importance(region)
        terms = []
        for name, text in self.spec.equations.items():
            residual = self.residual(("equations", name), text, f"equation '{name}'")
            if residual is not None:
                weight = self.spec.weights.equations.get(name, 1.0)
                terms.append(
                    Term(
                        name=name,
                        kind="equation",
                        residuals=(residual,),
                        region=region,
                        weight=weight,
                    )
                )
        return terms

    def check_importance(self, region: Interior) -> None:
        if sum(share for _, share in region.importance) >= 1:
            total = sum(share for _, share in region.importance)
            what = (
                f"the shares of 'importance' add up to {total:g} and leave no points for the rest"
            )
            self.fault(("points", "importance"), what, "Let them add up to less than 1.", True)
        for i, (part, _) in enumerate(region.importance):
            if part.is_empty(self.domain, {}):
                path: KeyPath = ("points", "importance", i, "where")
                self.fault(path, f"{shown(part.text)} selects no points of the domain", NONE_DRAWN)

    def closed_form(self) -> dict[str, Node] | None:
        """The exact solution, where the spec states one; the fields of `reference` must fit its
        kind.
        """
        reference = self.spec.reference
        for key, kind in (("exact", "exact"), ("file", "file"), ("names", "file")):
            given, named = key in reference.model_fields_set, reference.kind == kind
            if given and not named:
                self.fault(
                    ("reference", key),
                    f"the reference '{reference.kind}' takes no '{key}'",
                    "",
                    True,
                )
            elif named and not given and key == kind and self.form_is_right:
                hint = (
                    "As in reference: {exact: {u: sin(pi*x)}}."
                    if key == "exact"
                    else "As in reference: {file: u.npz}."
                )
                self.fault(
                    ("reference",), f"the reference '{key}' lacks the key '{key}'", hint, True
                )
        if reference.kind == "file":
            self.check_file_names(
                ("reference", "names"),
                reference.names,
                (*self.scope.coordinates, *self.scope.unknowns),
            )
        if reference.exact is None or reference.kind != "exact":
            return None
        trees = self.functions(("reference", "exact"), reference.exact, "reference")
        written = self.root.locate(("reference", "exact")).data
        for name in self.scope.unknowns:
            if name not in written:
                self.fault(
                    ("reference", "exact"), f"the reference lacks the unknown '{name}'", "", True
                )
        return trees

    def grid(self, domain: Domain) -> tuple[Array, ...]:
        sizes = self.spec.evaluation.grid
        for name in sizes:
            if name not in domain.coordinates:
                hint = f"Coordinates: {listed(domain.coordinates)}."
                self.fault(
                    ("evaluation", "grid", name), f"'{name}' is not a coordinate", hint, True
                )
        default = _DEFAULT_GRID.get(domain.dimension, 11)
        chosen = tuple(sizes.get(name, default) for name in domain.coordinates)
        if math.prod(chosen) > MAX_GRID_POINTS:
            what = f"the evaluation grid has {math.prod(chosen):,} points"
            self.fault(("evaluation", "grid"), what, f"The limit is {MAX_GRID_POINTS:,}.", True)
            return ()
        return domain.grid(chosen)

    def times(self, domain: Domain) -> tuple[float, ...]:
        axis, given = domain.time_axis, self.spec.evaluation.times
        if axis is None:
            if given:
                what = "'times' needs a coordinate named 't'"
                self.fault(
                    ("evaluation", "times"),
                    what,
                    f"Coordinates: {listed(domain.coordinates)}.",
                    True,
                )
            return ()
        lower, upper = domain.lower[axis], domain.upper[axis]
        for i, time in enumerate(given):
            if not lower <= time <= upper:
                what = f"the time {time:g} lies outside [{lower:g}, {upper:g}]"
                self.fault(("evaluation", "times", i), what)
        return tuple(given) or tuple(lower + (upper - lower) * share for share in (0.25, 0.5, 0.75))

    def check_whole(self, terms: list[Term], trial: Trial) -> tuple[str, ...]:
        """The terms together determine something; returns warnings."""
        if not any(term.kind in ("equation", "data") for term in terms):
            what = "a spec has 'equations' or 'data', and this one has neither"
            self.faults.append(Fault(what, self.root.mark, "As in equations: {heat: u_t = u_xx}."))
        for i, name in enumerate(self.spec.unknowns):
            if not any(field.unknown == name for term in terms for field in term.fields):
                self.fault(
                    ("unknowns", i),
                    f"no equation, condition or data speaks of the unknown '{name}'",
                )
        if not check_derivable(self, trial, terms):
            return ()
        n_equations = sum(term.kind == "equation" for term in terms)
        if n_equations > len(self.spec.unknowns):
            many = "s" if len(self.spec.unknowns) > 1 else ""
            what = f"{n_equations} equations stand for {len(self.spec.unknowns)} unknown{many}"
            self.fault(
                ("equations",),
                what,
                "More equations than unknowns contradict each other, in general.",
                True,
            )
        self.check_learned(terms)
        return check_determinacy(self, terms)

    def check_learned(self, terms: list[Term]) -> None:
        """Every learned constant can be found from something."""
        used = frozenset().union(
            *(symbols(residual) for term in terms for residual in term.residuals)
        )
        for name in self.spec.learn:
            if name not in used:
                hint = (
                    "Let it stand in an equation or a condition, or make it one of the constants."
                )
                self.fault(
                    ("learn", name), f"nothing depends on the learned constant '{name}'", hint, True
                )

    def check_choices(self, choices: Choices) -> None:
        """Keys that name a row of a table name one that exists."""
        for pattern, names in choices.items():
            for path in self._matching(pattern):
                value = self.root.locate(path)
                word = value.data
                if isinstance(word, str) and word not in names:
                    key = next(
                        str(step)
                        for step in reversed(path)
                        if isinstance(step, str) and step != "kind"
                    )
                    hint = did_you_mean(word, names) or f"Choices: {listed(names)}."
                    self.faults.append(
                        Fault(f"{shown(word)} is not a choice for '{key}'", value.mark, hint)
                    )

    def _matching(self, pattern: KeyPath) -> list[KeyPath]:
        """The paths of the spec text that fit a pattern; a trailing `kind` may be left out in
        the text.
        """
        paths: list[KeyPath] = [()]
        for depth, step in enumerate(pattern):
            following: list[KeyPath] = []
            for path in paths:
                here = self.root.locate(path) if path else self.root
                if step == "*":
                    following += (
                        [(*path, i) for i in range(len(here.data))]
                        if isinstance(here.data, list)
                        else []
                    )
                elif here.child(step) is not None:
                    following.append((*path, step))
                elif (
                    step == "kind" and depth == len(pattern) - 1 and not isinstance(here.data, dict)
                ):
                    following.append(path)
            paths = following
        return paths
