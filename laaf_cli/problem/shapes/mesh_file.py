"""The outline of a mesh in a file, and its named sides."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.text import any_of, listed

INSTALL = "pip install 'laaf[shapes]'"

READERS = {".msh": "gmsh", ".vtu": "vtu"}
"""Endings of files, and the readers of meshio for them."""

SIDES = {"triangle": 3, "quad": 4}
"""Cells that are taken, and how many sides they have."""

UNNAMED = "rest"
"""What sides without a name are called."""

STRAIGHT = 1e-12
"""Sides whose directions differ by less, and have one name, are one."""

MOST_BYTES = 200_000_000


class MeshFileError(Exception):
    """What is wrong with a file, as a part of a sentence."""


@dataclass(frozen=True)
class Outline:
    """Lines [n, 2] around a mesh, each a run of sides with one name."""

    runs: tuple[tuple[str, Array], ...]

    @property
    def n_sides(self) -> int:
        """The number of straight sides."""
        return sum(len(line) - 1 for _, line in self.runs)

    def text(self) -> str:
        """Names and corners, as `parse` reads them."""
        parts = (
            f"{name}: {', '.join(map(repr, line.ravel().tolist()))}" for name, line in self.runs
        )
        return "; ".join(parts)

    @property
    def names(self) -> list[str]:
        """Those of its sides."""
        return list(dict.fromkeys(name for name, _ in self.runs))

    @classmethod
    def parse(cls, text: str) -> Outline | None:
        """What `text` makes of an outline; None for any other text, as the name of a file."""
        runs = []
        try:
            for part in text.split(";"):
                name, numbers = part.split(":")
                corners = [float(number) for number in numbers.split(",")]
                runs.append((name.strip(), np.array(corners).reshape(-1, 2)))
        except ValueError:
            return None
        return cls(tuple(runs))


def read_outline(path: Path) -> Outline:
    """The outline of the mesh in a file.

    Raises:
        MeshFileError: with the reason.
    """
    if path.suffix.lower() not in READERS:
        raise MeshFileError(f"a mesh is a file that ends in {any_of(READERS)}")
    if find_spec("meshio") is None:
        raise MeshFileError(f"reading it needs meshio: {INSTALL}")
    mesh = _read(path)
    points = np.asarray(mesh.points, dtype=float)
    if points.shape[1] > 2 and np.ptp(points[:, 2:]) > STRAIGHT * np.ptp(points):
        raise MeshFileError("its points do not lie in a plane; meshes in space are not taken")
    kinds = {block.type for block in mesh.cells} - {"line", "vertex"}
    if wrong := kinds - SIDES.keys():
        raise MeshFileError(f"it has cells of the kind {listed(wrong)}; taken are {listed(SIDES)}")
    sides: dict[tuple[int, int], tuple[int, int] | None] = {}
    for block in mesh.cells:
        n = SIDES.get(block.type, 0)
        for cell in block.data.tolist():
            for i in range(n):
                side = cell[i], cell[(i + 1) % n]
                key = (min(side), max(side))
                sides[key] = None if key in sides else side  # which two cells share is inside
    outer = {key: side for key, side in sides.items() if side is not None}
    if not outer:
        raise MeshFileError("it has no triangles or quadrilaterals")
    names = _names(mesh)
    return Outline(tuple(_runs(points[:, :2], outer.values(), names)))


def _read(path: Path) -> Any:
    import meshio

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise MeshFileError("it is not a file")
        if path.stat().st_size > MOST_BYTES:
            raise MeshFileError(f"it is larger than {MOST_BYTES // 10**6} MB")
        return import_module(f"meshio.{READERS[path.suffix.lower()]}").read(path)
    except OSError as error:
        raise MeshFileError(error.strerror or str(error)) from None
    except (ValueError, LookupError, TypeError, EOFError, ParseError, meshio.ReadError) as error:
        raise MeshFileError(f"it cannot be read ({error})") from None


def _names(mesh: Any) -> dict[tuple[int, int], str]:
    """The names of sides, by their ends."""
    by_tag = {int(tag): name for name, (tag, dim) in mesh.field_data.items() if dim == 1}
    named: dict[tuple[int, int], str] = {}
    tags = mesh.cell_data.get("gmsh:physical", [None] * len(mesh.cells))
    for block, of_block in zip(mesh.cells, tags, strict=True):
        if block.type != "line" or of_block is None:
            continue
        for (a, b), tag in zip(block.data.tolist(), of_block.tolist(), strict=True):
            named[min(a, b), max(a, b)] = re.sub(r"\W+", "_", by_tag.get(tag, f"side_{tag}"))
    return named


def _runs(
    points: Array, sides: Iterable[tuple[int, int]], names: Mapping[tuple[int, int], str]
) -> list[tuple[str, Array]]:
    """Sides that follow each other and have one name, without the points between straight ones."""
    following: dict[int, list[int]] = {}
    for start, end in sides:
        following.setdefault(start, []).append(end)
    runs: list[tuple[str, list[int]]] = []
    while following:
        at = next(iter(following))
        while at in following:
            end = following[at].pop()
            if not following[at]:
                del following[at]
            name = names.get((min(at, end), max(at, end)), UNNAMED)
            if runs and runs[-1][0] == name and runs[-1][1][-1] == at:
                runs[-1][1].append(end)
            else:
                runs.append((name, [at, end]))
            at = end
    return [(name, _without_straight(points[numbers])) for name, numbers in runs]


def _without_straight(line: Array) -> Array:
    along = np.diff(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    turns = np.linalg.norm(np.diff(along, axis=0), axis=1) > np.sqrt(STRAIGHT)
    return line[np.r_[True, turns, True]]
