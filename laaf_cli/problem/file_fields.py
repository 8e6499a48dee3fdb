"""Values on grids in files → what their names mean in expressions."""

from __future__ import annotations

from laaf_cli.expression import FIELD, Call, Node, Symbol, interpolant
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.reader import Reader
from laaf_cli.problem.tables import Rows, TableError, read_table
from laaf_cli.spec import FieldSpec, KeyPath
from laaf_cli.text import listed

WITHIN = 1e-9
"""As a fraction of its range, how far a coordinate may lie beyond the values of a file."""


def read_fields(reader: Reader, domain: Domain) -> dict[str, Node]:
    """The fields of a spec by name; faults are noted in the reader."""
    read = {name: _read(reader, domain, name, spec) for name, spec in reader.spec.fields.items()}
    return {name: tree for name, tree in read.items() if tree is not None}


def _read(reader: Reader, domain: Domain, name: str, spec: FieldSpec) -> Node | None:
    path: KeyPath = ("fields", name)
    places = domain.coordinates
    over = tuple(spec.over or (places[axis] for axis in domain.space))
    for place in over:
        if place not in places:
            what = f"'{place}' is not a coordinate"
            reader.fault((*path, "over"), what, f"Coordinates: {listed(places)}.")
            return None
    reader.check_file_names((*path, "names"), spec.names, (*over, name))
    try:
        table = read_table(reader.folder / spec.file, over, [name], spec.names, spec.columns)
    except TableError as error:
        reader.fault(path, str(error))
        return None
    if isinstance(table, Rows):
        hint = "Every value of one coordinate goes with every value of the others, in any order."
        reader.fault(path, f"the rows of {spec.file} do not fill a grid", hint)
        return None
    for place, axis in zip(over, table.axes, strict=True):
        i = places.index(place)
        lower, upper = domain.lower[i], domain.upper[i]
        slack = WITHIN * (upper - lower)
        if len(axis) < 2 or axis[0] > lower + slack or axis[-1] < upper - slack:
            what = f"{spec.file} holds values for {place} from {axis[0]:g} to {axis[-1]:g}"
            hint = f"The domain reaches from {lower:g} to {upper:g}."
            reader.fault(path, what, hint)
            return None
    values = interpolant(name, table.axes, table.fields[name])
    return Call(FIELD, (values, *map(Symbol, over)))
