"""Shapes from meshes in files: their areas, named sides, points, and what is wrong with them."""

from __future__ import annotations

import math
from pathlib import Path

import meshio
import numpy as np
import pytest
from conftest import plan_of

from laaf_cli.errors import SpecError
from laaf_cli.problem.shapes import mesh_file
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.problem.shapes.triangulation import triangulate
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.spec import Text

SPEC = """\
coordinates: {{x: [-1, 1], y: [-1, 1]}}
shape: {shape}
{more}unknowns: [u]
equations: {{laplace: laplacian(u) = 0}}
conditions:
{conditions}
reference: none
"""

ALL = "  edge: {where: boundary, equation: u = x}"
BOTH = "  a: {where: hole, equation: u = x}\n  b: {where: outer wall, equation: u_n = x}"


def write(path: Path) -> None:
    """A ring of triangles with two named sides."""
    shape = plan_of(SPEC.format(shape="disk(0, 0, 1) - disk(0, 0, 0.5)", more="", conditions=ALL))
    ring = shape.problem.domain.shape
    assert isinstance(ring, PlaneShape)
    made = triangulate(ring, 0.2)
    sides = np.sort(made.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2))
    pairs, counts = np.unique(sides, axis=0, return_counts=True)
    lines = pairs[counts == 1]
    is_hole = np.linalg.norm(made.points[lines].mean(1), axis=1) < 0.75
    tags = [np.full(len(made.triangles), 3), np.where(is_hole, 1, 2)]
    mesh = meshio.Mesh(
        np.column_stack([made.points, np.zeros(len(made.points))]),
        [("triangle", made.triangles), ("line", lines)],
        cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags},
        field_data={"hole": np.array([1, 1]), "outer wall": np.array([2, 1])},
    )
    if path.suffix == ".vtu":
        meshio.write(path, meshio.Mesh(mesh.points, mesh.cells))
    else:
        mesh.write(path, file_format="gmsh22", binary=False)


def plan_in(folder: Path, shape: str, conditions: str = ALL, more: str = "") -> Plan:
    yaml = SPEC.format(shape=shape, conditions=conditions, more=more)
    return make_plan(Text(str(folder / "spec.yaml"), yaml))


def test_a_mesh_is_a_shape_and_its_named_sides_are_parts(tmp_path: Path) -> None:
    write(tmp_path / "ring.msh")
    plan = plan_in(tmp_path, "mesh(ring.msh)", BOTH.replace("outer wall", "outer_wall"))
    shape = plan.problem.domain.shape
    assert isinstance(shape, PlaneShape)
    # Polygons of 48 sides at each turn: what edges cut off is known.
    n = [len(shape.part(name)) for name in ("hole", "outer_wall")]
    area = sum(k / 2 * math.sin(2 * math.pi / k) * r**2 for k, r in zip(n, (-0.5j, 1), strict=True))
    assert shape.measure == pytest.approx(abs(area), rel=1e-9)
    assert len(shape.part("mesh")) == sum(n)
    points = plan.draw_points()
    assert plan.problem.domain.inside(points["laplace"].points).all()
    outer = points["b"]
    radius = np.linalg.norm(outer.points, axis=1)
    assert (radius > math.cos(math.pi / n[1]) - 1e-9).all()
    outward = sum(
        outer.symbols[f"normal {name}"] * outer.points[:, i] for i, name in enumerate("xy")
    )
    assert (outward > 0.99 * radius).all()
    # The settings need the file no more.
    (tmp_path / "ring.msh").unlink()
    again = plan_in(
        tmp_path,
        str(plan.spec.shape),
        BOTH.replace("outer wall", "outer_wall"),
        f"parts: {plan.spec.parts}\n",
    )
    assert again.problem.domain.shape is not None
    assert again.problem.domain.shape.measure == shape.measure


def test_a_mesh_without_names_may_be_combined(tmp_path: Path) -> None:
    write(tmp_path / "ring.vtu")
    plan = plan_in(tmp_path, "ring - (x < 0)", more="parts: {ring: mesh(ring.vtu)}\n")
    shape = plan.problem.domain.shape
    assert shape is not None
    assert shape.measure == pytest.approx(0.375 * math.pi, rel=0.01)
    assert sum(piece.measure for piece in shape.part("rest")) == pytest.approx(
        1.5 * math.pi, rel=0.01
    )


def test_straight_sides_are_one(tmp_path: Path) -> None:
    axis = np.linspace(-0.5, 0.5, 5)
    points = np.stack([grid.ravel() for grid in np.meshgrid(axis, axis)], 1)
    corners = np.arange(25).reshape(5, 5)
    quads = np.stack([corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]], -1)
    meshio.write(
        tmp_path / "square.vtu",
        meshio.Mesh(np.pad(points, ((0, 0), (0, 1))), [("quad", quads.reshape(-1, 4))]),
    )
    shape = plan_in(tmp_path, "mesh(square.vtu)").problem.domain.shape
    assert shape is not None
    assert len(shape.pieces) <= 5  # it may begin within a side
    assert shape.measure == pytest.approx(1, rel=1e-12)


def test_a_mesh_is_combined_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"(?s)the shape is more than a mesh.*parts: \{plate: "):
        plan_in(tmp_path, "mesh(a.msh) - disk(0, 0, 0.1)")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.msh", "No such file"),
        ("folder.msh", "it is not a file"),
        ("a.obj", "a mesh is a file that ends in .msh or .vtu"),
        ("bad.msh", "it cannot be read"),
        ("bad.vtu", "it cannot be read"),
        ("triangle6.msh", "it has cells of the kind triangle6; taken are triangle, quad"),
        ("line.msh", "it has no triangles or quadrilaterals"),
    ],
)
def test_what_is_wrong_with_a_mesh(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "folder.msh").mkdir()
    for bad in ("bad.msh", "bad.vtu"):
        (tmp_path / bad).write_text("no mesh")
    for kind, corners in (("triangle6", range(6)), ("line", range(2))):
        mesh = meshio.Mesh(np.pad(np.eye(6, 2), ((0, 0), (0, 1))), [(kind, np.array([corners]))])
        meshio.write(tmp_path / f"{kind}.msh", mesh, file_format="gmsh22", binary=False)
    with pytest.raises(SpecError, match=f"makes no shape: .*{why}") as raised:
        plan_in(tmp_path, f"mesh({name})")
    assert len(raised.value.faults) == 1


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mesh_file, "find_spec", lambda _name: None)
    with pytest.raises(SpecError, match=r"needs meshio: pip install 'laaf\[shapes\]'"):
        plan_in(tmp_path, "mesh(a.msh)")


def test_meshes_lie_in_the_plane(tmp_path: Path) -> None:
    yaml = SPEC.format(shape="mesh(a.msh)", conditions=ALL, more="").replace("}}", "}")
    yaml = yaml.replace("y: [-1, 1]", "y: [-1, 1], z: [-1, 1]")
    with pytest.raises(SpecError, match="two coordinates of space alone"):
        make_plan(Text(str(tmp_path / "spec.yaml"), yaml))
