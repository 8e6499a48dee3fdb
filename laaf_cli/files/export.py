"""Fields in files that other programs read: CSV, NPZ, netCDF, VTK, VTU.

NumPy and SciPy are imported where they are used: the help of the command is made of `FORMATS` and
loads neither.
"""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from laaf_cli.errors import UsageError
from laaf_cli.files.atomic import replacing
from laaf_cli.files.target import check_target

if TYPE_CHECKING:
    import numpy as np

    from laaf_cli.arrays import Array
    from laaf_cli.problem import SamplePoints

ROWS_AT_A_TIME = 10_000


@dataclass(frozen=True)
class SampledFields:
    """Fields and the places at which they were taken."""

    places: SamplePoints
    fields: Mapping[str, Array]
    """By name, of the shape of `places`."""
    attributes: Mapping[str, str]
    """Texts that say where the fields come from, `title` among them."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A row of the table: what it is for a person, what writes it, and how many coordinates it
    can hold.
    """

    description: str
    write: Callable[[Path, SampledFields], None]
    max_coordinates: int | None = None
    has_cells: bool = False
    """Whether it can hold more than points and grids."""


def csv_text(sampled: SampledFields) -> Iterator[str]:
    """A header and one row per point, in pieces; on a grid the last coordinate runs fastest.

    Numbers are written as Python does, so that reading them gives the very same float64.
    """

    yield ",".join([*sampled.places.coordinates, *sampled.fields]) + "\n"
    fields = [values.ravel() for values in sampled.fields.values()]
    for start in range(0, sampled.places.n_points, ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        points = sampled.places.block(rows.start, rows.stop)
        columns = [column.tolist() for column in (*points.T, *(values[rows] for values in fields))]
        yield "".join(",".join(map(repr, row)) + "\n" for row in zip(*columns, strict=True))


def _write_csv(path: Path, sampled: SampledFields) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(csv_text(sampled))


def _write_npz(path: Path, sampled: SampledFields) -> None:
    """As `numpy.savez`, which takes names as keywords and so refuses an unknown called `file`."""
    import numpy as np

    with zipfile.ZipFile(path, "w") as archive:
        for name, values in {**sampled.places.coordinates, **sampled.fields}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)


def _write_netcdf(path: Path, sampled: SampledFields) -> None:
    """The classic format with 64-bit offsets; points follow the discrete sampling geometries of
    the CF conventions.
    """
    from scipy.io import netcdf_file

    names = {*sampled.places.coordinates, *sampled.fields}
    point = "point" if "point" not in names else "point_number"
    dimensions = tuple(sampled.places.coordinates) if sampled.places.is_grid else (point,)
    with netcdf_file(str(path), "w", version=2) as file:
        for name, text in sampled.attributes.items():
            setattr(file, name, text.encode(errors="replace"))
        for name, size in zip(dimensions, sampled.places.shape, strict=True):
            file.createDimension(name, size)
        for name, values in sampled.places.coordinates.items():
            file.createVariable(name, "d", (name,) if sampled.places.is_grid else (point,))[:] = (
                values
            )
        for name, values in sampled.fields.items():
            variable = file.createVariable(name, "d", dimensions)
            variable[:] = values
            if not sampled.places.is_grid:
                variable.coordinates = " ".join(sampled.places.coordinates).encode()  # type: ignore[attr-defined]


def _write_vtk(path: Path, sampled: SampledFields) -> None:
    """The legacy format in binary, which is big-endian; the coordinates become x, y, z in their
    order.

    The VTK User's Guide, "Simple Legacy Formats": a grid is a RECTILINEAR_GRID whose first axis
    runs fastest, points are an UNSTRUCTURED_GRID with a cell VTK_VERTEX (type 1) for each.
    """
    import numpy as np

    title = "".join(c if c.isprintable() else " " for c in sampled.attributes.get("title", ""))[
        :200
    ]
    with path.open("wb") as file:
        file.write(
            f"# vtk DataFile Version 3.0\n{title}\nBINARY\n".encode("ascii", errors="replace")
        )
        axes = [
            values
            for _, values in zip_longest(
                "xyz", sampled.places.coordinates.values(), fillvalue=np.zeros(1)
            )
        ]
        if sampled.places.is_grid:
            sizes = " ".join(str(len(axis)) for axis in axes)
            file.write(f"DATASET RECTILINEAR_GRID\nDIMENSIONS {sizes}\n".encode())
            for letter, axis in zip("XYZ", axes, strict=True):
                _write_vtk_block(
                    file, f"{letter}_COORDINATES {len(axis)} double", axis.astype(">f8")
                )
        else:
            n = sampled.places.n_points
            points = np.stack(np.broadcast_arrays(*axes, np.zeros(n))[:3], axis=1)
            cells = np.stack([np.ones(n), np.arange(n)], axis=1)
            file.write(b"DATASET UNSTRUCTURED_GRID\n")
            _write_vtk_block(file, f"POINTS {n} double", points.astype(">f8"))
            _write_vtk_block(file, f"CELLS {n} {2 * n}", cells.astype(">i4"))
            _write_vtk_block(file, f"CELL_TYPES {n}", np.ones(n, ">i4"))
        file.write(f"POINT_DATA {sampled.places.n_points}\n".encode())
        for name, values in sampled.fields.items():
            header = f"SCALARS {name} double 1\nLOOKUP_TABLE default"
            _write_vtk_block(file, header, values.ravel(order="F").astype(">f8"))


def _write_vtk_block(file: BinaryIO, header: str, values: np.ndarray) -> None:
    file.write(f"{header}\n".encode())
    file.write(values.tobytes())
    file.write(b"\n")


POINT, GRID_CELLS, CELLS = 1, {1: 1, 2: 3, 4: 9, 8: 12}, {3: 5, 6: 13}
"""The numbers that VTK gives to cells: a point, and those of so many corners, of a grid or of their
own.
"""


def _cells(sampled: SampledFields) -> tuple[np.ndarray, int]:
    """The corners of cells [m, k] by number, in the order of VTK, and their type; of a grid those
    at whose corners all fields have values.
    """
    import numpy as np

    places = sampled.places
    if places.cells is not None:
        return places.cells, CELLS[places.cells.shape[1]]
    numbers = np.arange(places.n_points).reshape(places.shape)
    if not places.is_grid:
        return numbers[:, None], POINT
    corners = numbers[..., None]
    for axis in (i for i, size in enumerate(places.shape) if size > 1):
        lower, upper = np.delete(corners, -1, axis), np.delete(corners, 0, axis)
        # Those of a quadrilateral are in turn.
        upper = upper[..., ::-1] if upper.shape[-1] == 2 else upper
        corners = np.concatenate([lower, upper], axis=-1)
    corners = corners.reshape(-1, corners.shape[-1])
    for values in sampled.fields.values():
        corners = corners[np.isfinite(values.ravel()[corners]).all(1)]
    return corners, GRID_CELLS[corners.shape[1]]


def _write_vtu(path: Path, sampled: SampledFields) -> None:
    """The format in XML with its arrays in base 64; the coordinates become x, y, z in their order.

    The VTK User's Guide, "XML File Formats", UnstructuredGrid.
    """
    from xml.sax.saxutils import quoteattr

    import numpy as np

    places, n = sampled.places, sampled.places.n_points
    points = np.zeros((n, 3))
    points[:, : len(places.coordinates)] = places.block(0, n)
    corners, kind = _cells(sampled)

    def array(name: str, values: np.ndarray, kind: str, components: int = 1) -> str:
        block = np.ascontiguousarray(values).tobytes()
        text = base64.b64encode(len(block).to_bytes(8, "little") + block).decode()
        return (
            f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{components}" '
            f'format="binary">{text}</DataArray>'
        )

    ends = np.arange(1, len(corners) + 1, dtype="<i8") * corners.shape[1]
    parts = [
        '<?xml version="1.0"?>',
        '<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" '
        'header_type="UInt64"><UnstructuredGrid>',
        f'<Piece NumberOfPoints="{n}" NumberOfCells="{len(corners)}"><PointData>',
        *(
            array(name, values.ravel().astype("<f8"), "Float64")
            for name, values in sampled.fields.items()
        ),
        "</PointData><Points>",
        array("Points", points.astype("<f8"), "Float64", 3),
        "</Points><Cells>",
        array("connectivity", corners.ravel().astype("<i8"), "Int64"),
        array("offsets", ends, "Int64"),
        array("types", np.full(len(corners), kind, "u1"), "UInt8"),
        "</Cells></Piece></UnstructuredGrid></VTKFile>",
    ]
    path.write_text("\n".join(parts), encoding="utf-8")


FORMATS: dict[str, Format] = {
    ".csv": Format(description="text, one row per point", write=_write_csv),
    ".npz": Format(description="NumPy arrays by name", write=_write_npz),
    ".nc": Format(description="netCDF, for xarray", write=_write_netcdf),
    ".vtk": Format(
        description="for ParaView, up to 3 coordinates", write=_write_vtk, max_coordinates=3
    ),
    ".vtu": Format(
        description="the same in cells, of a shape triangles",
        write=_write_vtu,
        max_coordinates=3,
        has_cells=True,
    ),
}
"""File ending → format."""


def has_cells(path: Path | None) -> bool:
    """Whether the format of a path's ending holds cells."""
    row = None if path is None else FORMATS.get(path.suffix.lower())
    return row is not None and row.has_cells


def formats_listed() -> str:
    """The table as a phrase for people."""
    return ", ".join(f"{suffix} ({row.description})" for suffix, row in FORMATS.items())


def check_output(path: Path, coordinates: tuple[str, ...], *, overwrite: bool) -> None:
    """Raises UsageError now for what would keep the fields from being written after they were
    computed.
    """
    if not path.is_dir():
        _check_format(path, coordinates)
    check_target(path, overwrite=overwrite)


def _check_format(path: Path, coordinates: tuple[str, ...]) -> None:
    row = FORMATS.get(path.suffix.lower())
    if row is None:
        ending = f"ends in '{path.suffix}'" if path.suffix else "has no ending"
        raise UsageError(f"{path} {ending}; `output` takes {formats_listed()}")
    if row.max_coordinates is not None and len(coordinates) > row.max_coordinates:
        raise UsageError(
            f"{path.suffix} holds up to {row.max_coordinates} coordinates, and the run has "
            f"{len(coordinates)}: "
            f"{', '.join(coordinates)}\nThe other formats hold any number."
        )


def write_fields(path: Path, sampled: SampledFields) -> None:
    """Writes the fields in the format of the path's ending, so that `path` holds the whole file or
    what it held.

    Raises UsageError where the place cannot be written; nothing is left behind then.
    """
    try:
        with replacing(path) as part:
            FORMATS[path.suffix.lower()].write(part, sampled)
    except OSError as error:
        raise _cannot_be_written(path, error) from None


def _cannot_be_written(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {error.strerror or error}")
