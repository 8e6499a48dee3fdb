"""Shapes: their areas, lengths and normals against closed forms, their points, parts and faults."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from pathlib import Path

import meshio
import numpy as np
import pytest
from conftest import Laaf, plan_of
from fault_tables import cases, marks_of, message, spec_error
from matplotlib.collections import QuadMesh
from scipy.special import ellipe
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import SpecError
from laaf_cli.problem import NORMAL, on_triangles
from laaf_cli.problem.shapes.boundary import on_pieces
from laaf_cli.problem.shapes.curves import StraightLine
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.problem.shapes.shape import BOUNDARY
from laaf_cli.problem.shapes.triangulation import triangulate
from laaf_cli.report.figures import RunData, draw
from laaf_cli.report.page.plots import SIDE, field_plots
from laaf_cli.runs.identity import Hashes
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Text

POISSON = """\
coordinates: {{x: [-1, 1], y: [-1, 1]}}
shape: {shape}
unknowns: [u]
constants: {{r: 0.5}}
equations: {{poisson: laplacian(u) = 1}}
conditions:
  edge: {{where: {where}, equation: {equation}}}
{more}
reference: none
"""


def poisson(shape: str, where: str = BOUNDARY, equation: str = "u = 0", more: str = "") -> str:
    return POISSON.format(shape=shape, where=where, equation=equation, more=more)


def shape_of(text: str, more: str = "") -> PlaneShape:
    shape = plan_of(poisson(text, more=more)).problem.domain.shape
    assert isinstance(shape, PlaneShape)
    return shape


HALF = math.acos(0.6)  # of the arcs of two disks that overlap, off the other one

KNOWN = {
    "disk(0, 0, r)": (math.pi / 4, math.pi),
    "box": (4, 8),
    "rectangle - rectangle(0, 0, 1, 1)": (3, 8),
    "box - disk(0.3, 0.3, 0.1) - disk(-0.3, 0.3, 0.1)": (4 - 0.02 * math.pi, 8 + 0.4 * math.pi),
    "annulus(0.1, 0, 0.3, 0.8)": (0.55 * math.pi, 2.2 * math.pi),
    "ellipse(0, 0, 1, 0.5)": (math.pi / 2, 4 * ellipe(0.75)),
    "capsule(-0.5, -0.2, 0.5, 0.3, 0.3)": (
        0.09 * math.pi + 0.6 * math.hypot(1, 0.5),
        0.6 * math.pi + 2 * math.hypot(1, 0.5),
    ),
    "polygon(0, 0, 0, 1, 0.5, 0.5, 1, 1, 1, 0)": (0.75, 3 + math.sqrt(2)),
    "box * halfplane(0, 0, 1, 1)": (2, 4 + 2 * math.sqrt(2)),
    "disk(-0.3, 0, r) + disk(0.3, 0, r)": (
        0.5 * (math.pi - HALF) + 0.3 * math.sin(HALF),
        2 * (math.pi - HALF),
    ),
    "disk(-0.3, 0, r) * disk(0.3, 0, r)": (0.5 * HALF - 0.3 * math.sin(HALF), 2 * HALF),
    "rotate(translate(rectangle(0, 0, 0.5, 0.3), 0.2, 0.1), pi/6)": (0.15, 1.6),
    "rotate(disk(0.5, 0, 0.2), pi/2, 0.5, 0.1)": (0.04 * math.pi, 0.4 * math.pi),
    "disk(0, 0, 2)": (4, 8),  # beyond the ranges there is nothing
}


@pytest.mark.parametrize("text", KNOWN)
def test_areas_and_lengths_are_those_of_closed_forms(text: str) -> None:
    shape, (area, length) = shape_of(text), KNOWN[text]
    assert shape.measure == pytest.approx(area, rel=1e-12)
    assert sum(piece.measure for piece in shape.pieces) == pytest.approx(length, rel=1e-12)


@pytest.mark.parametrize("text", KNOWN)
def test_triangles_fill_a_shape_up_to_its_boundary(text: str) -> None:
    shape = shape_of(text)
    made = triangulate(shape, 0.1)
    assert triangle_areas(made.points, made.triangles).min() > 0
    # Between two points of a circle an edge cuts off a part of what is filled: by its angle.
    lost = abs(triangle_areas(made.points, made.triangles).sum() - shape.measure)
    curved = sum(
        piece.measure for piece in shape.pieces if not isinstance(piece.curve, StraightLine)
    )
    assert lost < 1e-12 + 0.1 * (math.pi / 24) * curved / 8
    assert shape.holds(made.points).all()


def test_triangles_end_at_a_narrow_gap() -> None:
    shape = shape_of("box - rectangle(-0.9, -0.9, 0.9, 0.99)")
    made = triangulate(shape, 0.3)
    assert triangle_areas(made.points, made.triangles).sum() == pytest.approx(shape.measure)
    off = np.abs(made.points[made.triangles].mean(1) - [0, 0.045]) - [0.9, 0.945]
    assert (off.max(1) > 0).all()


def triangle_areas(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, i]] for i in range(3))
    return np.linalg.det(np.stack([b - a, c - a], 1)) / 2


def test_an_inequality_is_traced() -> None:
    shape = shape_of("x**2 + 4*y**2 < 1")
    assert shape.measure == pytest.approx(math.pi / 2, rel=1e-9)
    drawn = on_pieces(shape.pieces, np.linspace(0, 1, 50)[:, None])
    points, normals = drawn.points, drawn.normals
    slopes = points * [1, 4]
    assert np.abs(points[:, 0] ** 2 + 4 * points[:, 1] ** 2 - 1).max() < 1e-13
    expected = slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    assert np.abs(normals - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("box - (x > 0 and y > 0)", [[-0.5, 0.5], [0.5, -0.5]], [[0.5, 0.5]]),
        ("box - disk(0, 0, r) or disk(0, 0, 0.1)", [[0.9, 0], [0.0, 0.05]], [[0.3, 0]]),
        ("polygon(0, 0, 1, 0, 1, 1, 0, 1, 0.5, 0.5)", [[0.7, 0.5]], [[0.2, 0.5]]),
        # The boundary belongs to it, and what only bounds what was cut out does not.
        ("box - rectangle(0, 0, 1, 1)", [[0, 0.5], [0, 0], [1, 0], [-1, 1]], [[1, 1], [1, 0.5]]),
    ],
)
def test_what_is_inside(text: str, inside: list[list[float]], outside: list[list[float]]) -> None:
    shape = plan_of(poisson("box")).problem.domain.shape
    assert shape is not None
    if "or" not in text:  # that one falls into two pieces, which is refused
        shape = shape_of(text)
        assert shape.holds(np.array(inside)).all()
        assert not shape.holds(np.array(outside)).any()
    else:
        assert "2 pieces that do not touch" in message(poisson(text))


@pytest.mark.parametrize(
    "text",
    [
        "rotate(translate(x**2 + 4*y**2 < 0.25, 0.2, 0.1), pi/5, 0.3, 0)",
        "box - rotate((x - 0.2)**2 + 4*y**2 < 0.1, 0.4)",
        "x**2 > 0.2 * (x > 0)",
        "rotate(ellipse(0.1, 0, 0.6, 0.2), 0.7)",
        "box * halfplane(0, 0.2, 3, 5)",
        "polygon(0, 0, 0, 1, 1, 0)",
    ],
)
def test_a_boundary_has_the_inside_behind_its_normals(text: str) -> None:
    shape = shape_of(text.replace("x**2 > 0.2 * ", "(x**2 > 0.2) * "))
    drawn = on_pieces(shape.pieces, np.random.default_rng(0).random((200, 1)))
    assert np.abs(shape.level(drawn.points)).max() < 1e-9
    for sign in (-1, 1):
        assert (sign * shape.level(drawn.points + sign * 1e-6 * drawn.normals) > 0).all()


def test_points_are_at_equal_distances_along_a_curve() -> None:
    (piece,) = shape_of("ellipse(0, 0, 1, 0.1)").pieces
    for fraction in (0.03, 0.25, 0.6):
        part = replace(piece, end=float(piece.along(np.array([fraction]))[0]))
        assert part.measure == pytest.approx(fraction * piece.measure, rel=1e-4)


def test_a_curve_is_cut_where_it_bounds_something_else_alone() -> None:
    # Of two disks that do not overlap nothing is left, and where they cross a circle it goes on.
    shape = shape_of("disk(0, 0, r) + disk(r, 0, 0.2) * disk(-r, 0, 0.2)")
    assert len(shape.pieces) == 1
    assert len(shape_of("box - rectangle(0, 0, 1, 1)").pieces) == 6


def test_corners_of_a_file_may_be_too_many(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 2001, endpoint=False)
    corners = "".join(f"{math.cos(a)},{math.sin(a)}\n" for a in angles)
    (tmp_path / "a.csv").write_text("x,y\n" + corners)
    with pytest.raises(SpecError, match=r"2,001 corners, and 2,000 at most"):
        make_plan(Text(str(tmp_path / "a.yaml"), poisson("blade", more="parts: {blade: a.csv}")))


def test_normals_of_a_disk_and_of_a_hole_point_outwards() -> None:
    shape = shape_of("disk(0, 0, 1) - disk(0, 0, r)")
    drawn = on_pieces(shape.pieces, np.random.default_rng(0).random((200, 1)))
    points, normals = drawn.points, drawn.normals
    radius = np.linalg.norm(points, axis=1)
    outwards = np.where(radius > 0.75, 1, -1)[:, None] * points / radius[:, None]
    assert np.abs(normals - outwards).max() < 1e-12
    assert np.mean(radius > 0.75) == pytest.approx(2 / 3, abs=0.1)  # uniform in length


@pytest.mark.parametrize("sampler", ["latin-hypercube", "uniform", "sobol", "grid"])
def test_points_are_inside_and_uniform(sampler: str) -> None:
    more = f"points: {{interior: 2000, sampler: {sampler}}}"
    plan = plan_of(poisson("disk(0, 0, 1) - disk(0.4, 0, 0.3)", more=more))
    points = plan.draw_points()["poisson"].points
    assert plan.problem.domain.inside(points).all()
    assert len(points) == 2000 or sampler == "grid"
    assert np.mean(points[:, 0] < 0) == pytest.approx(0.5 / (1 - 0.09), abs=0.05)
    on_edge = plan.draw_points()["edge"]
    assert len(on_edge) == 100
    assert set(on_edge.symbols) == {f"{NORMAL}x", f"{NORMAL}y"}


def test_corners_belong_to_no_part() -> None:
    points = on_pieces(shape_of("box").pieces, np.linspace(0, 1, 9)[:, None]).points
    assert (np.abs(points).min(axis=1) < 1).all()


def test_parts_are_found_by_what_they_lie_on() -> None:
    more = "parts:\n  holes: disk(0.5, 0.5, 0.2) + disk(-0.5, 0.5, 0.2)\n  step: rectangle(0, -1, 1, -0.5)"
    shape = shape_of("box - holes - step", more)
    lengths = {
        name: sum(piece.measure for piece in shape.part(name))
        for name in ("holes", "step", "box", BOUNDARY)
    }
    assert lengths == pytest.approx(
        {"holes": 0.8 * math.pi, "step": 1.5, "box": 6.5, BOUNDARY: 8 + 0.8 * math.pi}
    )
    assert sum(piece.measure for piece in shape.flat(1, -0.5)) == pytest.approx(1)


def test_a_kind_of_primitive_is_a_part_without_those_of_other_parts() -> None:
    more = "parts:\n  hole: disk(0, 0, 0.2)\n  rounds: disk"
    shape = shape_of("disk(0, 0, 1) - hole", more)
    for name in ("disk", "rounds"):
        assert sum(piece.measure for piece in shape.part(name)) == pytest.approx(2 * math.pi)


def test_corners_may_be_a_list_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "blade.csv").write_text("x,y\n0,0\n1,0\n1,1\n")
    plans = [
        make_plan(
            Text(str(tmp_path / "a.yaml"), poisson("blade", more=f"parts: {{blade: {corners}}}"))
        )
        for corners in ("[[0, 0], [1, 0], [1, 1]]", "blade.csv")
    ]
    listed, of_file = (plan.problem.domain.shape for plan in plans)
    assert listed is not None
    assert of_file is not None
    assert listed.measure == of_file.measure == pytest.approx(0.5)
    # The settings hold the corners, so that a run file needs no other.
    assert plans[0].spec.parts == plans[1].spec.parts


def test_a_shape_goes_to_workers() -> None:
    domain = plan_of(poisson("box - disk(0, 0, r) - (x + 2*y > 2)")).problem.domain
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    assert (pickle.loads(pickle.dumps(domain)).inside(points) == domain.inside(points)).all()  # noqa: S301


def test_a_normal_derivative_and_time() -> None:
    yaml = """\
coordinates: {x: [-1, 1], y: [-1, 1], t: [0, 1]}
shape: disk(0, 0, 1)
unknowns: [u]
equations: {heat: u_t = laplacian(u)}
conditions:
  start: {where: t = 0, equation: u = x**2}
  edge: {where: disk, only: x > 0, equation: u_n + u = 0}
  rest: {where: boundary, only: x < 0, equation: u = 0}
reference: none
"""
    plan = plan_of(yaml)
    points = plan.draw_points()
    edge = points["edge"]
    assert np.abs(np.linalg.norm(edge.points[:, :2], axis=1) - 1).max() < 1e-12
    assert (edge.points[:, 0] > 0).all()
    assert np.ptp(edge.points[:, 2]) > 0.9
    assert np.abs(edge.symbols[f"{NORMAL}y"] - edge.points[:, 1]).max() < 1e-12
    assert (np.linalg.norm(points["start"].points[:, :2], axis=1) <= 1).all()


def test_triangles_go_through_time_as_wedges() -> None:
    shape = shape_of("disk(0, 0, r)")
    line = np.linspace(-1, 1, 11)
    places = on_triangles(shape, {"x": line, "y": line, "t": np.array([0.0, 0.5, 2.0])})
    assert places.cells is not None
    corners = np.stack([places.coordinates[name] for name in "xyt"], 1)[places.cells]
    base, heights = corners[:, :3, :2], corners[:, 3:, 2] - corners[:, :3, 2]
    assert (base == corners[:, 3:, :2]).all()
    areas = -np.linalg.det(base[:, 1:] - base[:, :1]) / 2  # which look down
    assert (areas * heights[:, 0]).sum() == pytest.approx(math.pi / 2, rel=0.02)
    assert places.block(0, 9).shape == (9, 3)


def test_the_hash_of_a_box_knows_no_shape() -> None:
    def hashes(shape: str) -> Hashes:
        return plan_of(poisson(shape)).hashes

    assert hashes("disk(0, 0, r)").problem != hashes("disk(0, 0, 0.4)").problem
    assert hashes("disk(0, 0, r)").method == hashes("disk(0, 0, 0.4)").method


def test_a_part_of_the_boundary_without_condition_is_named() -> None:
    more = "parts:\n  hole: disk(0, 0, 0.2)"
    (warning,) = plan_of(poisson("box - hole", "box", more=more)).warnings
    assert warning == (
        "No condition on a length 1.257 of the boundary, of hole: the problem may be underdetermined."
    )


def test_flux_alone_leaves_the_level_open() -> None:
    assert "only derivatives of 'u' are given" in message(
        poisson("disk(0, 0, r)", equation="u_n = 0.25")
    )


RING = """\
title: A ring
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: disk(0, 0, 1) - hole
parts:
  hole: disk(0, 0, 0.5)
unknowns: [u]
equations: {laplace: laplacian(u) = 0}
conditions:
  inner: {where: hole, equation: u = log(0.25)}
  outer: {where: disk, equation: u_n = 2}
training: [{optimizer: least-squares, features: 200}]
reference: {exact: {u: log(x**2 + y**2)}}
evaluation: {grid: {x: 21, y: 21}}
"""


def test_a_run_on_a_shape(laaf: Laaf, tmp_path: Path) -> None:
    spec, run = tmp_path / "ring.yaml", tmp_path / "ring.h5"
    spec.write_text(RING)
    assert laaf("solve", spec, "--output", run, "--quiet").code == 0
    data = RunData.read(run)
    inside = np.isfinite(data.solution.fields["u"])
    x, y = data.solution.axes.values()
    radius = np.hypot(x[:, None], y)
    assert (inside == ((radius > 0.5 - 1e-9) & (radius < 1 + 1e-9))).all()
    assert data.attributes["relative_l2"] < 1e-2
    outcome = laaf("evaluate", run, "--grid", "x=3,y=@0")
    assert outcome.out.splitlines()[2] == "0.0,0.0,nan"
    assert "1 of 3 points lies outside of the shape 'disk(0, 0, 1) - hole'" in outcome.err
    shown = laaf("show", run).out
    assert "disk(0, 0, 1) - hole" in shown
    cells = tmp_path / "a.vtu"
    assert laaf("evaluate", run, "--output", cells).code == 0
    mesh = meshio.read(cells)
    area = triangle_areas(mesh.points[:, :2], mesh.cells_dict["triangle"]).sum()
    assert area == pytest.approx(0.75 * math.pi, rel=5e-3)
    assert np.isfinite(mesh.point_data["u"]).all()
    assert laaf("evaluate", run, "--grid", "x=9,y=9", "--output", cells, "--overwrite").code == 0
    mesh = meshio.read(cells)  # of the grid, the cells that are inside as a whole
    assert np.isfinite(mesh.point_data["u"][mesh.cells_dict["quad"]]).all()
    figure = draw([data], ["solution"])[0].figure
    meshes = [
        mesh for axes in figure.axes for mesh in axes.collections if isinstance(mesh, QuadMesh)
    ]
    assert all(np.isfinite(mesh.get_array()).all() and mesh.get_clip_path() for mesh in meshes[:2])
    (_, plot), *_ = field_plots(data)
    pixels = plot.renderers[0].data_source.data["image"][0]
    assert min(pixels.shape) >= SIDE
    share = 0.75 * math.pi / (2 + 2 / 20) ** 2
    assert np.mean(np.isfinite(pixels)) == pytest.approx(share, abs=0.01)
    page = tmp_path / "a.png"
    outcome = laaf("plot", run, "--kind", "frequency", "--output", page)
    assert "its domain is a shape, and a spectrum is that of a box" in outcome.err


FAULTS = r"""
== an empty shape
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: disk(3, 3, 1)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 2:8 disk(3, 3, 1)

== two pieces
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: disk(-0.5, 0, 0.2) + disk(0.5, 0, 0.2)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 2:8 disk(-0.5, 0, 0.2) + disk(0.5, 0, 0.2)

== a part of nothing
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: box
parts:
  hole: disk(0, 0, 0.1)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 4:9 disk(0, 0, 0.1)

== a condition on a part that does not exist
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: box - hole
parts:
  hole: disk(0, 0, 0.1)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: holes, equation: u = 0}, rest: {where: x = 0.5, equation: u = 0}}
-- 7:28 holes
-- 7:67 x = 0.5

== a shape that is wrong, and its parts
coordinates: {x: [-1, 1], y: [-1, 1], t: [0, 1]}
shape: box - pipe
parts:
  pipe: disk(0.4, 0.5)
unknowns: [u]
equations: {heat: u_t = laplacian(u)}
conditions:
  a: {where: pipe, equation: u_n = 0}
  b: {where: x = 1, equation: u = 0}
  c: {where: t = 2, equation: u = 0}
-- 4:9 disk(0.4, 0.5)
-- 10:14 t = 2

== a part that is wrong, and a normal
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: box
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: bo, equation: u_n = 0}}
-- 5:28 bo

== no condition on the boundary
coordinates: {x: [-1, 1], y: [-1, 1], t: [0, 1]}
shape: disk(0, 0, 1)
unknowns: [u]
equations: {heat: u_t = laplacian(u)}
conditions: {start: {where: t = 0, equation: u = 0}}
-- 4:1 equations

== wrong numbers and names
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: box - dsk(0, 0, 1)
parts:
  a: disk(0, 0)
  b: disk(0, 0, -1)
  c: circle
  d: d + box
  disk: box
  e: rotate(box)
  f: x < 5
  g: disk(x, 0, 1)
  h: missing.csv
  i: polygon(0, 0, 1, 0, 1, 1, 0)
  j: sqrt(x) < 0.5
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 2:14 dsk(0, 0, 1)
-- 4:6 disk(0, 0)
-- 5:6 disk(0, 0, -1)
-- 6:6 circle
-- 7:6 d
-- 8:3 disk
-- 9:6 rotate(box)
-- 10:6 x < 5
-- 11:11 x
-- 12:6 missing.csv
-- 13:6 polygon(0, 0, 1, 0, 1, 1, 0)
-- 14:6 sqrt(x) < 0.5

== a shape of one coordinate
coordinates: {x: [-1, 1], t: [0, 1]}
shape: disk(0, 0, 1)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 2:1 shape

== parts without a shape
coordinates: {x: [-1, 1], y: [-1, 1]}
parts: {a: box}
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 2:1 parts

== no point of the grid
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: disk(0, 0, 0.5)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
evaluation: {grid: {x: 2, y: 2}}
-- 6:14 grid

== places and integrals off the shape
coordinates: {x: [-1, 1], y: [-1, 1]}
shape: disk(0, 0, 0.5)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions:
  edge: {where: boundary, equation: u = 0}
  far: {at: {x: 0.9, y: 0.9}, equation: u = 0}
  all: {integral: u}
  late: {where: disk, only: x > 2, equation: u = 0}
-- 7:9 at
-- 8:3 all
-- 9:29 x > 2
"""


@pytest.mark.parametrize(("yaml", "assignments", "marks"), cases(FAULTS))
def test_faults(
    yaml: str, assignments: list[str], marks: list[str], snapshot: SnapshotAssertion
) -> None:
    error = spec_error(yaml, assignments)
    assert marks_of(error) == marks
    assert str(error) == snapshot
