"""A loaded spec → a problem, or all that is wrong with what the spec says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from laaf_cli.arrays import Array
from laaf_cli.errors import Fault, SpecError
from laaf_cli.expression import Node, Scope, Symbol, TooLargeError, bounded, parse_equation, symbols
from laaf_cli.expression.functions import FUNCTIONS, NAMED_CONSTANTS
from laaf_cli.expression.tokens import WORDS
from laaf_cli.multi_index import ambiguous_coordinate, parse_suffix
from laaf_cli.problem.ansatz import Ansatz
from laaf_cli.problem.balances import balances
from laaf_cli.problem.conditions import read_conditions
from laaf_cli.problem.corners import corner_warnings
from laaf_cli.problem.domain import LARGEST, SHORTEST, Domain, grid_points
from laaf_cli.problem.exact_conditions import derive
from laaf_cli.problem.file_fields import read_fields
from laaf_cli.problem.finiteness import check_finite
from laaf_cli.problem.growth import check_growth
from laaf_cli.problem.jumps import lost_jumps, with_fluxes
from laaf_cli.problem.observations import read_data
from laaf_cli.problem.problem import LearnedConstant, Problem, Term
from laaf_cli.problem.python_function import PythonFunction
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import Interior
from laaf_cli.problem.rejection import NONE_DRAWN
from laaf_cli.problem.samplers import SAMPLERS
from laaf_cli.problem.shapes.read import read_shape
from laaf_cli.problem.shapes.shape import AnyShape
from laaf_cli.problem.transform import (
    check_derivable,
    check_periodicity,
    read_ansatz,
    read_periodic,
    satisfied_conditions,
)
from laaf_cli.problem.well_posedness import check_well_posedness
from laaf_cli.spec import KeyPath, LearnedSpec, LoadedSpec, RunSpec, Text, load
from laaf_cli.spec.synonyms import choice_meant
from laaf_cli.text import did_you_mean, listed, shown

MAX_WORK = 100_000
"""Operations that may be built while all expressions of a spec are read: about a second."""

RESERVED_TERMS = ("slope_recovery", "total", "iteration", "wall_time_s", "relative_l2")
MAX_GRID_POINTS = 5_000_000
_DEFAULT_GRID = {1: 1001, 2: 101, 3: 41}

_KEYS_OF_REFERENCE = {"exact": "exact", "file": "file", "names": "file", "columns": "file"}
"""The kind of reference that a key goes with."""

Choices = Mapping[KeyPath, tuple[str, ...]]
"""Paths of the spec (`*` is any list item) whose value must be one of the names of a
table.
"""

SAMPLER_CHOICES: Choices = {(section, "sampler"): tuple(SAMPLERS) for section in ("points", "data")}


def build(
    loaded: LoadedSpec[RunSpec],
    choices: Choices | None = None,
    functions: Mapping[str, PythonFunction] | None = None,
) -> tuple[RunSpec, Problem]:
    """The checked spec and its problem.

    Where an equation differentiates what jumps, both speak of its flux as a further unknown.

    Args:
        choices: for keys that name a row of a table elsewhere, the names that exist.
        functions: of Python, that expressions may call.

    Raises:
        SpecError: with every fault of form and meaning.
    """
    if loaded.spec is None:
        raise SpecError(loaded.faults)
    builder = _ProblemBuilder(loaded, loaded.spec, functions or {})
    builder.check_time()
    problem = None
    try:
        with bounded(MAX_WORK, "the expressions up to here take"):
            problem = builder.problem()
    except TooLargeError as error:
        if not builder.faults:
            builder.fault(builder.place, error.faults[0].what, error.faults[0].hint)
    builder.check_choices({**SAMPLER_CHOICES, **(choices or {})})
    faults = [*loaded.faults, *builder.faults]
    if faults or problem is None:
        raise SpecError(faults)
    problem = replace(problem, balances=balances(builder.spec.equations, builder.scope))
    spec, fluxes = builder.with_fluxes()
    if not fluxes:
        return spec, problem
    text = replace(loaded.text, content=spec.model_dump_json(exclude_unset=True), keys=())
    spec, rewritten = build(load(text), choices, functions)
    # Warnings speak of what was written: a flux takes conditions from the unknowns in it.
    return spec, replace(
        rewritten,
        fluxes=fluxes,
        left=problem.left,
        balances=problem.balances,
        warnings=problem.warnings,
    )


def build_form(spec: RunSpec, domain: Domain) -> tuple[Domain, Ansatz]:
    """The domain with its periodic axes and the form of the solution, of a spec that is in no
    text.

    Raises:
        SpecError: the spec does not define them.
    """
    keys = {
        "coordinates",
        "shape",
        "parts",
        "unknowns",
        "constants",
        "learn",
        "periodic",
        "transform",
        "conditions",
    }
    loaded = load(Text("settings", spec.model_dump_json(include=keys)))
    if loaded.spec is None:
        raise SpecError(loaded.faults)
    builder = _ProblemBuilder(loaded, loaded.spec, {})
    with suppress(TooLargeError):  # it is among the faults
        builder.open_scopes(domain, builder.constants(), builder.learned())
        form = builder.domain, read_ansatz(builder)
    if faults := [*loaded.faults, *builder.faults]:
        raise SpecError(faults)
    return form


def shape_of(spec: RunSpec) -> AnyShape | None:
    """The shape of a spec that is in no text; None where it has none.

    Raises:
        SpecError: the spec does not define it.
    """
    if spec.shape is None:
        return None
    keys = {"coordinates", "shape", "parts", "unknowns", "constants"}
    loaded = load(Text("settings", spec.model_dump_json(include=keys)))
    if loaded.spec is None:
        raise SpecError(loaded.faults)
    builder = _ProblemBuilder(loaded, loaded.spec, {})
    constants = builder.constants()
    domain = builder.read_domain(constants)
    if domain is not None:
        builder.open_scopes(domain, constants, {})
    if faults := [*loaded.faults, *builder.faults]:
        raise SpecError(faults)
    return builder.domain.shape


class _ProblemBuilder(Reader):
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
        self.left = self.derive_form(terms)
        ansatz = read_ansatz(self)
        grid, times = self.grid(self.domain), self.times(self.domain)
        # What is wrong elsewhere may be what seems to be missing.
        warnings = tuple(self.warnings)
        if not self.faults and self.form_is_right:
            warnings += self.check_whole(terms, ansatz)
        if not self.faults and ansatz.trees:
            check_periodicity(self, ansatz)
        satisfied = satisfied_conditions(self, ansatz, terms) if not self.faults else {}
        if self.faults:
            return None
        problem = Problem(
            title=self.spec.title,
            domain=self.domain,
            unknowns=tuple(self.spec.unknowns),
            terms=tuple(terms),
            closed_form=closed_form,
            grid=grid,
            times=times,
            ansatz=ansatz,
            satisfied_by_ansatz=frozenset(
                t.name for t in terms if len(satisfied.get(t.name, ())) == len(t.residuals)
            ),
            residuals_satisfied_by_ansatz=satisfied,
            learned=learned,
            functions=self.python,
            left=self.left,
            warnings=warnings,
        )
        check_finite(self, problem)
        return problem

    def derive_form(self, terms: list[Term]) -> dict[str, str] | None:
        """Puts a derived transform into the spec where it asks for one; returns why the other
        conditions are left to training, None where nothing is derived.
        """
        if self.spec.transform is not None or self.faults or not self.form_is_right:
            return None
        derived = derive(self, terms)
        self.spec = derived.spec
        return derived.left

    def with_fluxes(self) -> tuple[RunSpec, dict[str, str]]:
        """The spec with the fluxes that its equations need, and their equations.

        Raises:
            SpecError: one cannot be made an unknown of its own.
        """
        for name, text in self.spec.equations.items():
            path: KeyPath = ("equations", name)
            lost = lost_jumps(parse_equation(text), self.scope, self.domain)
            if not lost:
                continue
            within = f"equation '{name}'"
            if self.spec.reference.kind == "file" or not all(jump.is_flux for jump in lost):
                self.not_differentiable(path, lost[0].function, within)
            elif len({jump.along for jump in lost}) < len(lost):
                what = f"several terms of {within} differentiate jumps along the same coordinate"
                self.fault(path, what, "Write them as one, as in D(a*u_x + b*v_x, x).")
        if self.faults:
            raise SpecError(self.faults)
        return with_fluxes(self.spec, self.scope, self.domain)

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
            fields=read_fields(self, domain),
            functions=arity,
            unfit=self.unfit,
        )
        self.domain = replace(self.domain, shape=read_shape(self))
        unknown_truths = {name: Symbol(name) for name in learned if name not in truths}
        self.known = replace(self.scope, constants={**constants, **truths}, symbols=unknown_truths)

    def check_names(self) -> None:
        """Every name has one meaning."""
        taken = dict.fromkeys(WORDS, "a reserved word") | dict.fromkeys(FUNCTIONS, "a function")
        taken |= {"D": "the derivative", "laplacian": "a function"}
        taken |= dict.fromkeys(NAMED_CONSTANTS, "a fixed constant")
        for section, meaning in (
            ("coordinates", "a coordinate"),
            ("unknowns", "an unknown"),
            ("constants", "a constant"),
            ("learn", "a learned constant"),
            ("fields", "a field"),
        ):
            for i, name in enumerate(getattr(self.spec, section)):
                # Without parentheses `D` is a value.
                is_value = name == "D" and section != "coordinates"
                if name in taken and not (is_value and taken[name] == "the derivative"):
                    is_item = section == "unknowns"
                    what = f"'{name}' is already {taken[name]}"
                    self.fault(
                        (section, i if is_item else name), what, "Choose another name.", not is_item
                    )
                taken[name] = meaning
                if "_" in name:
                    self.check_subscript(section, name)
        for name in self.python:
            if name in taken:
                what = f"the function '{name}' of the file is already {taken[name]}"
                self.fault(("functions",), what, "Give it another name.")
        if name := ambiguous_coordinate(list(self.spec.coordinates)):
            what = f"the coordinate '{name}' is made of the names of others"
            hint = "The names of derivatives would be ambiguous."
            self.fault(("coordinates", name), what, hint, True)
        taken_terms: dict[str, str] = {}
        for section in ("equations", "conditions"):
            for name in getattr(self.spec, section):
                if name in RESERVED_TERMS or name == "data":
                    what = f"the name '{name}' is reserved"
                    self.fault((section, name), what, "Choose another name.", True)
                elif name in taken_terms:
                    what = f"'{name}' names an equation and a condition"
                    hint = "Each term of the loss has its own name."
                    self.fault((section, name), what, hint, True)
                taken_terms[name] = section
        equations = self.declared("equations")
        for name in self.spec.weights.equations:
            if name not in equations:
                hint = did_you_mean(name, equations) or f"Equations: {listed(equations)}."
                what = f"there is no equation '{name}'"
                self.fault(("weights", "equations", name), what, hint, True)

    def check_subscript(self, section: str, name: str) -> None:
        """A name with a subscript, such as `D_s`, must not read as a derivative, such as `u_x`."""
        is_item = section == "unknowns"
        path = (section, self.spec.unknowns.index(name) if is_item else name)
        others = tuple(unknown for unknown in self.spec.unknowns if unknown != name)
        coordinates = tuple(self.spec.coordinates)
        match Scope(unknowns=others).unknown_in(name):
            case (unknown, suffix) if suffix == "n" or parse_suffix(suffix, coordinates):
                what = f"'{name}' is the derivative of '{unknown}'"
                self.fault(path, what, "Choose another name.", not is_item)

    def check_time(self) -> None:
        """Raises SpecError where the coordinate of time has another name than `t`: it would be
        taken for one of space, and all else that could be said follows from that.
        """
        names = self.spec.coordinates
        for name in names:
            if name.lower() == "time" and "t" not in names:
                mark = self.root.locate(("coordinates",)).keys.get(name)
                hint = "Write t for it, and u_t for a derivative along it."
                what = f"the coordinate of time is named 't', not '{name}'"
                raise SpecError([Fault(what, mark, hint)])

    def constants(self) -> dict[str, float]:
        """The values of the constants; each may use those above it."""
        values: dict[str, float] = {}
        for name in self.declared("constants"):
            value, text = None, self.spec.constants.get(name)
            if text is not None:
                value = self.constant(("constants", name), text, f"constant '{name}'", values)
            values[name] = 1.0 if value is None else value
        return values

    def learned(self) -> dict[str, LearnedConstant]:
        """The constants that training finds."""
        specs = self.spec.learn
        return {
            name: self.learned_constant(name, specs[name])
            if name in specs
            else LearnedConstant(start=1.0)
            for name in self.declared("learn")
        }

    def learned_constant(self, name: str, spec: LearnedSpec) -> LearnedConstant:
        path: KeyPath = ("learn", name)
        lower, upper = spec.bounds or (-math.inf, math.inf)
        if not lower < upper:
            what = f"the lower bound of '{name}', {lower:g}, is not below the upper, {upper:g}"
            self.fault((*path, "bounds"), what, "Write the lower bound first.")
            return LearnedConstant(start=spec.start)
        if spec.positive and spec.negative:
            what = f"'{name}' cannot be positive and negative"
            self.fault((*path, "negative"), what, "Leave one of them out.", True)
        elif spec.positive:
            lower = max(lower, 0.0)
        elif spec.negative:
            upper = min(upper, 0.0)
        allowed = f"between {lower:g} and {upper:g}"
        if not (math.isfinite(lower) and math.isfinite(upper)):
            allowed = f"greater than {lower:g}" if math.isfinite(lower) else f"less than {upper:g}"
        if not lower < upper:
            sign = "positive" if spec.positive else "negative"
            what = f"between its bounds '{name}' is never {sign}"
            self.fault((*path, "bounds"), what, f"Leave '{sign}' out.")
            return LearnedConstant(start=spec.start)
        for key, value in (("start", spec.start), ("truth", spec.truth)):
            if value is not None and not lower < value < upper:
                what = f"the {key} of '{name}', {value:g}, is not {allowed}"
                hint = "A learned constant stays strictly between its bounds."
                self.fault((*path, key), what, hint)
        is_between = math.isfinite(lower) and math.isfinite(upper) and lower < spec.start < upper
        if is_between and not 0 < (spec.start - lower) / (upper - lower) < 1:
            what = f"the start of '{name}', {spec.start:g}, is too close to a bound"
            self.fault((*path, "start"), what, "Narrow the bounds, or start further inside.")
        return LearnedConstant(start=spec.start, lower=lower, upper=upper, truth=spec.truth)

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
                what = f"the lower bound of '{name}', {low:g}, is not below the upper, {high:g}"
                hint = f"Write the lower bound first, as in {name}: [0, 1]."
                if high < low:
                    hint = f"Write {name}: [{texts[1]}, {texts[0]}]."
                self.fault(path, what, hint)
                low, high = 0.0, 1.0
            elif max(abs(low), abs(high)) > LARGEST or high - low < SHORTEST:
                what = f"the range of '{name}', from {low:g} to {high:g}, is too "
                what += "narrow" if high - low < SHORTEST else "wide"
                hint = (
                    f"Bounds lie within ±{LARGEST:g}, with at least {SHORTEST:g} between: "
                    "write the problem in other units."
                )
                self.fault(path, what, hint)
                low, high = 0.0, 1.0
            elif high - low < 1e-12 * max(abs(low), abs(high)):
                self.fault(path, f"the range of '{name}' is too narrow for its distance from 0")
            names.append(name)
            lower.append(low)
            upper.append(high)
        if not names:
            return None
        return Domain(coordinates=tuple(names), lower=tuple(lower), upper=tuple(upper))

    def equations(self) -> list[Term]:
        points = self.spec.points
        importance = []
        for i, spec in enumerate(points.importance):
            part = self.part(("points", "importance", i, "where"), spec.where, "'importance'")
            if part is not None:
                importance.append((part, spec.share))
        region = Interior(
            n_points=points.interior, sampler=self.sampler(), importance=tuple(importance)
        )
        if (total := sum(share for _, share in importance)) >= 1:
            what = (
                f"the shares in 'importance' add up to {total:g} and leave no points for the rest"
            )
            self.fault(("points", "importance"), what, "Let them add up to less than 1.", True)
        for i, (part, _) in enumerate(region.importance):
            if part.is_empty(self.domain, {}):
                path: KeyPath = ("points", "importance", i, "where")
                self.fault(path, f"{shown(part.text)} selects no points of the domain", NONE_DRAWN)
        terms = []
        for name, text in self.spec.equations.items():
            tree = self.residual(("equations", name), text, f"equation '{name}'")
            if tree is not None:
                weight = self.spec.weights.equations.get(name, 1.0)
                terms.append(
                    Term(
                        name=name, kind="equation", residuals=(tree,), region=region, weight=weight
                    )
                )
        return terms

    def closed_form(self) -> dict[str, Node] | None:
        """The exact solution, where the spec states one; the fields of `reference` must fit its
        kind.
        """
        reference = self.spec.reference
        for key, kind in _KEYS_OF_REFERENCE.items():
            is_set, named = key in reference.model_fields_set, reference.kind == kind
            if is_set and not named:
                what = f"the reference '{reference.kind}' takes no '{key}'"
                self.fault(("reference", key), what, key=True)
            elif named and not is_set and key == kind and self.form_is_right:
                example = "{exact: {u: sin(pi*x)}}" if key == "exact" else "{file: u.npz}"
                what = f"the reference '{key}' lacks the key '{key}'"
                self.fault(("reference",), what, f"Example: reference: {example}.", True)
        if reference.kind == "file":
            wanted = (*self.scope.coordinates, *self.scope.unknowns)
            self.check_file_names(("reference", "names"), reference.names, wanted)
        if reference.exact is None or reference.kind != "exact":
            return None
        trees = self.functions(("reference", "exact"), reference.exact, "reference")
        written = self.root.locate(("reference", "exact")).data
        for name in self.scope.unknowns:
            if name not in written:
                what = f"the reference lacks the unknown '{name}'"
                self.fault(("reference", "exact"), what, key=True)
        return trees

    def grid(self, domain: Domain) -> tuple[Array, ...]:
        sizes = self.spec.evaluation.grid
        for name in sizes:
            if name not in domain.coordinates:
                hint = f"Coordinates: {listed(domain.coordinates)}."
                what = f"'{name}' is not a coordinate"
                self.fault(("evaluation", "grid", name), what, hint, True)
        default = _DEFAULT_GRID.get(domain.dimension, 11)
        chosen = tuple(sizes.get(name, default) for name in domain.coordinates)
        if math.prod(chosen) > MAX_GRID_POINTS:
            what = f"the evaluation grid has {math.prod(chosen):,} points"
            self.fault(("evaluation", "grid"), what, f"The limit is {MAX_GRID_POINTS:,}.", True)
            return ()
        axes = domain.grid(chosen)
        if domain.shape is not None:
            at_once = tuple(a[:1] if i == domain.time_axis else a for i, a in enumerate(axes))
            if not domain.inside(grid_points(at_once)).any():
                what = "no point of the evaluation grid lies in the shape"
                self.fault(("evaluation", "grid"), what, "Take more points.", True)
        return axes

    def times(self, domain: Domain) -> tuple[float, ...]:
        axis, times = domain.time_axis, self.spec.evaluation.times
        if axis is None:
            if times:
                hint = f"Coordinates: {listed(domain.coordinates)}."
                what = "'times' needs a coordinate named 't'"
                self.fault(("evaluation", "times"), what, hint, True)
            return ()
        lower, upper = domain.lower[axis], domain.upper[axis]
        for i, time in enumerate(times):
            if not lower <= time <= upper:
                what = f"the time {time:g} lies outside [{lower:g}, {upper:g}]"
                self.fault(("evaluation", "times", i), what)
        return tuple(times) or tuple(lower + (upper - lower) * share for share in (0.25, 0.5, 0.75))

    def check_whole(self, terms: list[Term], ansatz: Ansatz) -> tuple[str, ...]:
        """The terms together determine something; returns warnings."""
        if not any(term.kind in ("equation", "data") for term in terms):
            what = "a spec needs 'equations' or 'data'"
            self.faults.append(
                Fault(what, self.root.mark, "Example: equations: {heat: u_t = u_xx}.")
            )
        for i, name in enumerate(self.spec.unknowns):
            if not any(field.unknown == name for term in terms for field in term.fields):
                what = f"no equation, condition or data uses the unknown '{name}'"
                self.fault(("unknowns", i), what)
        if not check_derivable(self, ansatz, terms):
            return ()
        n_equations = sum(term.kind == "equation" for term in terms)
        if n_equations > len(self.spec.unknowns):
            many = "s" if len(self.spec.unknowns) > 1 else ""
            what = f"{n_equations} equations for {len(self.spec.unknowns)} unknown{many}"
            hint = "More equations than unknowns contradict each other, in general."
            self.fault(("equations",), what, hint, True)
        used = {name for term in terms for tree in term.residuals for name in symbols(tree)}
        for name in self.spec.learn:
            if name not in used:
                what = f"nothing depends on the learned constant '{name}'"
                hint = "Use it in an equation or a condition, or make it one of the constants."
                self.fault(("learn", name), what, hint, True)
        warnings = check_well_posedness(self, terms)
        check_growth(self, terms)
        return (*warnings, *corner_warnings(self.domain, terms))

    def check_choices(self, choices: Choices) -> None:
        """Keys that name a row of a table name one that exists."""
        for pattern, names in choices.items():
            for path in self._matching(pattern):
                value = self.root.locate(path)
                word = value.data
                if isinstance(word, str) and word not in names:
                    key = [step for step in path if isinstance(step, str) and step != "kind"][-1]
                    hint = choice_meant(word, names) or did_you_mean(word, names)
                    hint = hint or f"Choices: {listed(names)}."
                    what = f"{shown(word)} is not a choice for '{key}'"
                    self.faults.append(Fault(what, value.mark, hint))

    def _matching(self, pattern: KeyPath) -> list[KeyPath]:
        """The paths of the spec text that fit a pattern; a trailing `kind` may be left out in
        the text.
        """
        paths: list[KeyPath] = [()]
        for depth, step in enumerate(pattern):
            following: list[KeyPath] = []
            for path in paths:
                here = self.root.locate(path) if path else self.root
                is_last = depth == len(pattern) - 1
                if step == "*":
                    n_items = len(here.data) if isinstance(here.data, list) else 0
                    following += [(*path, i) for i in range(n_items)]
                elif here.child(step) is not None:
                    following.append((*path, step))
                elif step == "kind" and is_last and not isinstance(here.data, dict):
                    following.append(path)
            paths = following
        return paths
