"""The data of a spec → a term: values of a target, of the reference, or of a file."""

from __future__ import annotations

from collections.abc import Mapping

from laaf_cli.expression import Call, Node, Symbol
from laaf_cli.problem.conditions import observed_unknowns, row_weights
from laaf_cli.problem.problem import Term
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.regions import OBSERVED, Observed, PointSet, Region, Sampled
from laaf_cli.spec import Data

_SOURCES: Mapping[str, tuple[str, ...]] = {
    "target": ("points", "sampler", "noise"),
    "reference": ("points", "sampler", "noise", "fields"),
    "file": ("names", "fields", "weights"),
}
"""Where values come from, and the keys that go with it."""


def read_data(reader: Reader) -> list[Term]:
    """The term of the data, if there are any; faults are noted in the reader."""
    data = reader.spec.data
    if data is None:
        return []
    given = [
        name for name, value in (("target", data.target), ("reference", data.reference), ("file", data.file)) if value
    ]
    if len(given) != 1:
        if reader.form_is_right:
            hint = "As in data: {target: {u: sin(x)}, points: 300}."
            reader.fault(("data",), "'data' has one of target, reference and file", hint, True)
        return []
    source = given[0]
    for key in sorted(data.model_fields_set - {source, "weight", *_SOURCES[source]}):
        reader.fault(("data", key), f"data with a {source} takes no '{key}'", "", True)
    if source == "file":
        return _from_file(reader, data)
    return _sampled(reader, data)


def _sampled(reader: Reader, data: Data) -> list[Term]:
    """Values of a target or of the reference at points that are drawn."""
    targets = None
    unknowns: tuple[str, ...] | None
    if data.target is not None:
        targets = reader.functions(("data", "target"), data.target, "target")
        unknowns = tuple(targets)
    else:
        if reader.spec.reference.kind == "none":
            reader.fault(("data", "reference"), "the data are those of the reference, and there is none")
        unknowns = observed_unknowns(reader, ("data", "fields"), data.fields)
    if data.points is None:
        if reader.form_is_right:
            hint = "How many points are the values sampled at?"
            reader.fault(("data",), "'data' lacks the key 'points'", hint, True)
        return []
    if unknowns is None:
        return []
    region = Sampled(data.points, data.sampler or reader.spec.points.sampler, targets, data.noise or 0.0)
    return [_term(reader, unknowns, region, data)]


def _from_file(reader: Reader, data: Data) -> list[Term]:
    unknowns = observed_unknowns(reader, ("data", "fields"), data.fields)
    if unknowns is None:
        return []
    weights = (data.weights,) if data.weights is not None else ()
    wanted = (*reader.scope.coordinates, *unknowns, *weights)
    reader.check_file_names(("data", "names"), data.names, wanted)
    rows = reader.rows(("data", "file"), str(data.file), data.names, (*unknowns, *weights))
    if rows is None:
        return []
    values = {f"{OBSERVED}{name}": rows.fields[name] for name in unknowns}
    row = row_weights(reader, ("data", "weights"), data.weights, rows.fields)
    return [_term(reader, unknowns, Observed(PointSet(rows.points, values, row_weights=row), str(data.file)), data)]


def _term(reader: Reader, unknowns: tuple[str, ...], region: Region, data: Data) -> Term:
    residuals: tuple[Node, ...] = tuple(
        Call("-", (reader.unknown(name), Symbol(f"{OBSERVED}{name}"))) for name in unknowns
    )
    return Term("data", "data", residuals, region, data.weight)
