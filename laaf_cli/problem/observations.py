"""Observed values → terms: the data of a spec, from a target, the reference or a file, and
conditions at rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from laaf_cli.expression import Call, ExpressionError, Node, Symbol, parse_equation, symbols
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import OBSERVED, Observed, PointSet, Region, Sampled
from laaf_cli.problem.tables import Rows
from laaf_cli.spec import ConditionSpec, DataSpec, KeyPath
from laaf_cli.text import did_you_mean, listed

_SOURCES: Mapping[str, tuple[str, ...]] = {
    "target": ("points", "sampler", "noise"),
    "reference": ("points", "sampler", "noise", "fields"),
    "file": ("names", "columns", "fields", "weights"),
}
"""Where values come from, and the keys that go with it."""


def read_data(reader: Reader) -> list[Term]:
    """The term of the data, if there are any; faults are noted in the reader."""
    data = reader.spec.data
    if data is None:
        return []
    keys = reader.written_keys(("data",), data)
    sources = [name for name in _SOURCES if getattr(data, name)]
    if len(sources) != 1:
        if reader.form_is_right and keys == data.model_fields_set:
            hint = "Example: data: {target: {u: sin(x)}, points: 300}."
            reader.fault(("data",), "'data' has one of target, reference and file", hint, True)
        return []
    source = sources[0]
    for key in sorted(keys - {source, "weight", *_SOURCES[source]}):
        hint = f"Keys: {listed((source, *_SOURCES[source], 'weight'))}."
        reader.fault(("data", key), f"data with a {source} takes no '{key}'", hint, True)
    if source == "file":
        return _from_file(reader, data)
    return _sampled(reader, data)


def _sampled(reader: Reader, data: DataSpec) -> list[Term]:
    """Values of a target or of the reference at points that are drawn."""
    targets = None
    unknowns: tuple[str, ...] | None
    if data.target is not None:
        targets = reader.functions(("data", "target"), data.target, "target")
        unknowns = tuple(targets)
    else:
        if reader.spec.reference.kind == "none":
            hint = "Choose another reference than none, or write a target."
            what = "the data are values of the reference, but 'reference' is 'none'"
            reader.fault(("data", "reference"), what, hint)
        unknowns = _observed_unknowns(reader, ("data", "fields"), data.fields)
    if data.points is None:
        if reader.form_is_right:
            hint = "How many points are the values sampled at?"
            reader.fault(("data",), "'data' lacks the key 'points'", hint, True)
        return []
    if unknowns is None:
        return []
    region = Sampled(
        n_points=data.points,
        sampler=reader.sampler(data.sampler),
        targets=targets,
        noise=data.noise or 0.0,
    )
    _check_finite(reader, region)
    return [_term(reader, unknowns, region, data)]


def _check_finite(reader: Reader, region: Sampled) -> None:
    """Notes a fault where a target has no finite value at one of some points."""
    few = replace(region, n_points=min(region.n_points, 1000), noise=0.0)
    points = few.draw(reader.domain, np.random.default_rng(0))
    for symbol, values in points.symbols.items():
        if not np.isfinite(values).all():
            unknown = symbol.removeprefix(OBSERVED)
            at = points.points[int(np.argmin(np.isfinite(values)))]
            named = zip(reader.domain.coordinates, at, strict=True)
            place = ", ".join(f"{name} = {value:.3g}" for name, value in named)
            what = f"the target of '{unknown}' is not finite at {place}"
            reader.fault(("data", "target", unknown), what)


def _from_file(reader: Reader, data: DataSpec) -> list[Term]:
    unknowns = _observed_unknowns(reader, ("data", "fields"), data.fields)
    if unknowns is None:
        return []
    weights = (data.weights,) if data.weights is not None else ()
    columns = (*unknowns, *weights)
    wanted = (*reader.scope.coordinates, *columns)
    reader.check_file_names(("data", "names"), data.names, wanted)
    wanted_at: dict[str, KeyPath] = dict.fromkeys(data.fields or [], ("data", "fields"))
    wanted_at |= dict.fromkeys(weights, ("data", "weights"))
    rows = reader.rows(("data", "file"), data, columns, wanted_at)
    if rows is None:
        return []
    values = {f"{OBSERVED}{name}": rows.fields[name] for name in unknowns}
    row = _row_weights(reader, ("data", "weights"), data.weights, rows)
    points = PointSet(points=rows.points, symbols=values, row_weights=row)
    return [_term(reader, unknowns, Observed(points, str(data.file)), data)]


def _term(reader: Reader, unknowns: tuple[str, ...], region: Region, data: DataSpec) -> Term:
    return Term(
        name="data",
        kind="data",
        residuals=_differences(reader, unknowns),
        region=region,
        weight=data.weight,
    )


def _differences(reader: Reader, unknowns: tuple[str, ...]) -> tuple[Node, ...]:
    """What is left of each unknown when its observed value is taken off."""
    return tuple(
        Call("-", (reader.unknown(name), Symbol(f"{OBSERVED}{name}"))) for name in unknowns
    )


def read_observed(reader: Reader, name: str, condition: ConditionSpec) -> Term | None:
    """The term of a condition at the rows of a file; faults are noted in the reader."""
    path: KeyPath = ("conditions", name)
    file, scope = str(condition.data), reader.scope
    unknowns = _observed_unknowns(reader, (*path, "fields"), condition.fields)
    if unknowns is None:
        return None
    # `fields` beside equations: both hold.
    columns = unknowns if condition.equation is None or condition.fields is not None else ()
    wanted_at = _columns_in(reader, name, condition.equation or [])
    more = tuple(wanted_at)
    weight_column = [condition.weights] if condition.weights else []
    read = tuple(dict.fromkeys((*columns, *more, *weight_column)))
    reader.check_file_names((*path, "names"), condition.names, (*scope.coordinates, *read))
    wanted_at |= dict.fromkeys(condition.fields or [], (*path, "fields"))
    wanted_at |= dict.fromkeys(weight_column, (*path, "weights"))
    rows = reader.rows((*path, "data"), condition, read, wanted_at)
    columns_of_file = {column: Symbol(f"{OBSERVED}{column}") for column in more}
    residuals = _differences(reader, columns)
    if condition.equation is not None:
        extended = replace(scope, symbols={**scope.symbols, **columns_of_file})
        residuals += reader.residuals(name, condition.equation, extended)
    if rows is None:
        return None
    weights = _row_weights(reader, (*path, "weights"), condition.weights, rows)
    values = {f"{OBSERVED}{column}": rows.fields[column] for column in (*columns, *more)}
    region = Observed(PointSet(points=rows.points, symbols=values, row_weights=weights), file)
    return Term(
        name=name, kind="condition", residuals=residuals, region=region, weight=condition.weight
    )


def _observed_unknowns(
    reader: Reader, path: KeyPath, names: list[str] | None
) -> tuple[str, ...] | None:
    """The unknowns that are observed: those named, or all; None where one is not an unknown."""
    if names is None:
        return reader.scope.unknowns
    unknowns = reader.scope.unknowns
    wrong = [(i, name) for i, name in enumerate(names) if name not in unknowns]
    for i, name in wrong:
        hint = did_you_mean(name, unknowns) or f"Unknowns: {listed(unknowns)}."
        reader.fault((*path, i), f"'{name}' is not an unknown", hint)
    return None if wrong else tuple(dict.fromkeys(names))


def _row_weights(
    reader: Reader, path: KeyPath, column: str | None, rows: Rows
) -> np.ndarray | None:
    """The weights of the rows, none of them below zero; None for 1 everywhere."""
    if column is None:
        return None
    weights = rows.fields[column]
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        what = f"the weight {weights[row]:g} in {rows.place(row)} is below zero"
        reader.fault(path, what, "Weights are 0 or more.")
    elif not weights.any():
        hint = "Give some rows a weight, or leave the data out."
        reader.fault(path, "every weight is zero, and the rows would count for nothing", hint)
    return weights


def _columns_in(reader: Reader, name: str, texts: list[str]) -> dict[str, KeyPath]:
    """Names in the equations that mean nothing in the problem, and where they are: they are
    columns of the file.
    """
    path: KeyPath = ("conditions", name, "equation")
    is_list = isinstance(reader.root.locate(path).data, list)
    columns: dict[str, KeyPath] = {}
    for i, text in enumerate(texts):
        try:
            names = symbols(parse_equation(text)) - set(reader.scope.words)
        except ExpressionError:
            continue  # reported where the equations are resolved
        for column in sorted(names):
            if "_" not in column:
                columns.setdefault(column, (*path, i) if is_list else path)
    return columns
