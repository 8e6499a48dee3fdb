"""Shapes in space: volumes, areas and normals against closed forms, their points, parts and faults."""

from __future__ import annotations

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf, plan_of
from fault_tables import cases, marks_of, message, spec_error
from syrupy.assertion import SnapshotAssertion

from laaf_cli.problem import NORMAL
from laaf_cli.problem.shapes.boundary import on_pieces
from laaf_cli.problem.shapes.shape import BOUNDARY, AnyShape
from laaf_cli.report.figures import RunData

POISSON = """\
coordinates: {{x: [-1, 1], y: [-1, 1], z: [-1, 1]}}
shape: {shape}
unknowns: [u]
constants: {{r: 0.5}}
equations: {{poisson: laplacian(u) = 1}}
conditions:
  edge: {{where: {where}, equation: u = 0}}
{more}
reference: none
"""


def poisson(shape: str, where: str = BOUNDARY, more: str = "") -> str:
    return POISSON.format(shape=shape, where=where, more=more)


def shape_of(text: str, more: str = "") -> AnyShape:
    shape = plan_of(poisson(text, more=more)).problem.domain.shape
    assert shape is not None
    return shape


SLANTED = math.sqrt(0.64 + 0.25 + 1)
ECCENTRICITY = math.sqrt(1 - 0.25 / 0.81)
SPHEROID = 2 * math.pi * 0.25 * (1 + 1.8 / ECCENTRICITY * math.asin(ECCENTRICITY))

KNOWN = {
    "box": (8, 24, 1e-13),
    "ball(0, 0, 0, r)": (math.pi / 6, math.pi, 1e-13),
    "box - ball(0.1, 0.2, 0, r)": (8 - math.pi / 6, 24 + math.pi, 1e-13),
    "box - cuboid(0, 0, 0, 1, 1, 1)": (7, 24, 1e-8),
    "cylinder(-0.5, -0.3, -0.5, 0.3, 0.2, 0.5, 0.3)": (
        0.09 * math.pi * SLANTED,
        0.18 * math.pi + 0.6 * math.pi * SLANTED,
        1e-13,
    ),
    "capsule(0, 0, -0.4, 0, 0, 0.4, 0.3)": (
        0.072 * math.pi + 0.036 * math.pi,
        0.48 * math.pi + 0.36 * math.pi,
        1e-13,
    ),
    "torus(0, 0, 0, 0.6, 0.2)": (0.048 * math.pi**2, 0.48 * math.pi**2, 1e-13),
    "rotate(ellipsoid(0, 0, 0, 0.9, 0.5, 0.5), 0.3, 1, 0, 1)": (0.3 * math.pi, SPHEROID, 1e-10),
    "ball(0, 0, 0, r) * halfspace(0.2, 0, 0, 1, 0, 0)": (
        0.49 * math.pi * (0.5 - 0.7 / 3),
        0.91 * math.pi,
        1e-8,
    ),
    "ball(-0.3, 0, 0, r) + ball(0.3, 0, 0, r)": (
        math.pi / 3 - 0.08 * math.pi * (0.5 - 0.2 / 3),
        1.6 * math.pi,
        1e-13,
    ),
    "translate(rotate(cuboid(0, 0, 0, 0.5, 0.3, 0.2), pi/6, 1, 2, 3), 0.1, 0, -0.3)": (
        0.03,
        0.62,
        1e-13,
    ),
    "cylinder(0, 0, -1, 0, 0, 1, r) * cylinder(0, -1, 0, 0, 1, 0, r)": (2 / 3, 4, 1e-8),
    "x**2 + y**2 + z**2 < r**2": (math.pi / 6, math.pi, 1e-6),
    "box * halfspace(0, 0, 0, 0.2, 0.3, 1)": (4, 12 + 4 * math.sqrt(1.13), 1e-4),
    "ball(0, 0, 0, 2)": (8, 24, 1e-13),
}


@pytest.mark.parametrize("text", KNOWN)
def test_volumes_and_areas_are_those_of_closed_forms(text: str) -> None:
    shape, (volume, area, precision) = shape_of(text), KNOWN[text]
    assert shape.measure == pytest.approx(volume, rel=precision)
    assert sum(piece.measure for piece in shape.pieces) == pytest.approx(area, rel=precision)


@pytest.mark.parametrize(
    "text",
    ["ball(0, 0, 0, 1) - ball(0, 0, 0, r)", "(x*x + y*y + z*z < 1) - (x*x + y*y + z*z < r*r)"],
)
def test_points_of_a_boundary_are_uniform_and_normals_point_outwards(text: str) -> None:
    shape = shape_of(text)
    drawn = on_pieces(shape.pieces, np.random.default_rng(0).random((4000, 3)))
    points, normals = drawn.points[drawn.held], drawn.normals[drawn.held]
    radius = np.linalg.norm(points, axis=1, keepdims=True)
    is_outer = radius > 0.75
    assert np.abs(radius - np.where(is_outer, 1, 0.5)).max() < 1e-12
    assert np.abs(normals - np.where(is_outer, 1, -1) * points / radius).max() < 1e-12
    outer = points[is_outer[:, 0]]
    assert len(outer) / len(points) == pytest.approx(0.8, abs=0.03)
    assert np.mean(outer[:, 2] > 0.5) == pytest.approx(0.25, abs=0.03)  # Archimedes
    assert np.abs(np.mean(outer, axis=0)).max() < 0.05


@pytest.mark.parametrize(
    ("motion", "center"),
    [
        ("rotate(BALL, pi/2, 0, 0, 2)", [0, 0.5, 0.1]),
        ("rotate(BALL, pi/2, 1, 0, 0)", [0.5, -0.1, 0]),
        ("rotate(BALL, pi, 0, 1, 0, 0.25, 0.3, 0)", [0, 0, -0.1]),
        ("translate(rotate(BALL, pi/2, 0, 0, 1), 0.1, 0.2, 0.3)", [0.1, 0.7, 0.4]),
    ],
)
def test_motions(motion: str, center: list[float]) -> None:
    shape = shape_of(motion.replace("BALL", "ball(0.5, 0, 0.1, 0.2)"))
    assert shape.level(np.array([center])) == pytest.approx(-0.2)
    drawn = on_pieces(shape.pieces, np.random.default_rng(0).random((50, 3)))
    assert np.abs(np.linalg.norm(drawn.points - center, axis=1) - 0.2).max() < 1e-12


@pytest.mark.parametrize(
    "text",
    [
        "rotate(translate(x**2 + 4*y**2 + 4*z**2 < 0.25, 0.1, 0, 0.2), 0.7, 1, 1, 0)",
        "rotate(rotate(cylinder(0, 0, 0, 0.5, 0, 0, 0.1), 1, 0, 0, 1), 1, 1, 0, 0)",
        "rotate(rotate(cuboid(0, 0, 0, 0.5, 0.2, 0.1), 1, 0, 0, 1), 1, 1, 0, 0)",
    ],
)
def test_surfaces_turn_with_their_solids(text: str) -> None:
    shape = shape_of(text)
    drawn = on_pieces(shape.pieces, np.random.default_rng(0).random((200, 3)))
    assert np.abs(shape.level(drawn.points)).max() < 1e-12
    for sign in (-1, 1):
        assert (sign * shape.level(drawn.points + sign * 1e-6 * drawn.normals) > 0).all()


@pytest.mark.parametrize("sampler", ["latin-hypercube", "sobol", "grid"])
def test_points_inside_and_on_parts(sampler: str) -> None:
    more = (
        f"points: {{interior: 2000, sampler: {sampler}}}\nparts: {{hole: 'ball(0.5, 0, 0, 0.4)'}}"
    )
    plan = plan_of(poisson("box - hole", "hole", more + "\nevaluation: {grid: {x: 5, y: 5, z: 5}}"))
    points = plan.draw_points()
    inside, edge = points["poisson"].points, points["edge"]
    assert (np.linalg.norm(inside - [0.5, 0, 0], axis=1) >= 0.4 - 1e-9).all()
    half = 4 / (8 - 4 / 3 * math.pi * 0.064)
    assert np.mean(inside[:, 0] < 0) == pytest.approx(half, abs=0.05 if sampler != "grid" else 0.1)
    assert len(edge) == 100
    outward = ([0.5, 0, 0] - edge.points) / 0.4
    normals = np.stack([edge.symbols[f"{NORMAL}{name}"] for name in "xyz"], 1)
    assert np.abs(normals - outward).max() < 1e-12


def test_parts_are_found_by_what_they_lie_on() -> None:
    shape = shape_of("box - pipe", "parts: {pipe: 'cylinder(0, 0, -1, 0, 0, 1, r)'}")
    areas = {
        name: sum(piece.measure for piece in shape.part(name)) for name in ("pipe", "box", BOUNDARY)
    }
    assert areas == pytest.approx(
        {"pipe": 2 * math.pi, "box": 24 - math.pi / 2, BOUNDARY: 24 + 1.5 * math.pi}
    )
    assert sum(piece.measure for piece in shape.flat(2, -1)) == pytest.approx(4 - math.pi / 4)
    within = shape.holds(np.array([[0.5, 0, 0.3], [0.0, 0.5, 1], [0, 0, 1], [0, 0.49, 0]]))
    assert within.tolist() == [True, True, False, False]


def test_a_shape_goes_to_workers() -> None:
    domain = plan_of(poisson("ball(0, 0, 0, 1) - (x + 2*y > 1)")).problem.domain
    assert domain.shape is not None
    copy = pickle.loads(pickle.dumps(domain))  # noqa: S301
    assert copy.shape.measure == domain.shape.measure


def test_a_thin_neck_holds_a_shape_together() -> None:
    halves = "cuboid(-1, -1, -1, -0.2, 1, 1) + cuboid(0.2, -1, -1, 1, 1, 1)"
    assert "2 pieces that do not touch" in message(poisson(halves))
    shape_of(f"{halves} + cylinder(-0.5, 0, 0, 0.5, 0, 0, 0.02)")


BALL = """\
title: A ball
coordinates: {x: [-1, 1], y: [-1, 1], z: [-1, 1]}
shape: ball(0, 0, 0, 1)
unknowns: [u]
equations: {laplace: laplacian(u) = 0}
conditions: {edge: {where: ball, equation: u_n + u = 2*x + 3*y*z}}
training: [{optimizer: least-squares, features: 100}]
reference: {exact: {u: x + y*z}}
evaluation: {grid: {x: 7, y: 7, z: 7}}
"""


def test_a_run_on_a_shape(laaf: Laaf, tmp_path: Path) -> None:
    spec, run = tmp_path / "a.yaml", tmp_path / "a.h5"
    spec.write_text(BALL)
    assert laaf("solve", spec, "--output", run, "--quiet").code == 0
    data = RunData.read(run)
    assert data.attributes["relative_l2"] < 1e-3
    x, y, z = data.solution.axes.values()
    radius = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
    assert (np.isfinite(data.solution.fields["u"]) == (radius < 1 + 1e-9)).all()
    assert "ball(0, 0, 0, 1), volume 4.18879" in laaf("check", spec).out


def test_a_shape_stays_where_it_is_in_time() -> None:
    yaml = poisson("ball(0, 0, 0, 1)").replace("z: [-1, 1]", "t: [0, 5], z: [-1, 1]")
    yaml = yaml.replace("laplacian(u) = 1", "u_t = laplacian(u)")
    yaml = yaml.replace("conditions:", "conditions:\n  start: {where: t = 0, equation: u = 1}")
    points = plan_of(yaml + "evaluation: {grid: {x: 3, y: 3, z: 3, t: 2}}").draw_points()
    edge = points["edge"].points
    assert np.abs(np.linalg.norm(edge[:, [0, 1, 3]], axis=1) - 1).max() < 1e-12
    assert np.ptp(edge[:, 2]) > 4.5
    assert (np.linalg.norm(points["start"].points[:, [0, 1, 3]], axis=1) <= 1).all()


FAULTS = r"""
== wrong numbers and names
coordinates: {x: [-1, 1], y: [-1, 1], z: [-1, 1]}
shape: box - disk(0, 0, 1)
parts:
  a: ball(0, 0, 0)
  b: torus(0, 0, 0, 0.1, 0.2)
  c: cylinder(0, 0, 0, 0, 0, 0, 1)
  d: rotate(box, pi)
  e: rotate(box, pi, 0, 0, 0)
  f: blade.csv
  g: halfspace(0, 0, 0, 0, 0, 0)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 2:14 disk(0, 0, 1)
-- 4:6 ball(0, 0, 0)
-- 5:6 torus(0, 0, 0, 0.1, 0.2)
-- 6:6 cylinder(0, 0, 0, 0, 0, 0, 1)
-- 7:6 rotate(box, pi)
-- 8:6 rotate(box, pi, 0, 0, 0)
-- 9:6 blade.csv
-- 10:6 halfspace(0, 0, 0, 0, 0, 0)

== an empty shape
coordinates: {x: [-1, 1], y: [-1, 1], z: [-1, 1]}
shape: ball(3, 0, 0, 1)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 2:8 ball(3, 0, 0, 1)

== parts and places
coordinates: {x: [-1, 1], y: [-1, 1], z: [-1, 1]}
shape: ball(0, 0, 0, 1)
parts:
  hole: ball(0, 0, 0, 0.1)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions: {edge: {where: boundary, equation: u = 0}}
-- 4:9 ball(0, 0, 0, 0.1)

== a part that does not exist
coordinates: {x: [-1, 1], y: [-1, 1], z: [-1, 1]}
shape: ball(0, 0, 0, 1)
unknowns: [u]
equations: {poisson: laplacian(u) = 1}
conditions:
  edge: {where: bal, equation: u = 0}
  side: {where: z = 0.5, equation: u = 0}
-- 6:17 bal
-- 7:17 z = 0.5
"""


@pytest.mark.parametrize(("yaml", "assignments", "marks"), cases(FAULTS))
def test_faults(
    yaml: str, assignments: list[str], marks: list[str], snapshot: SnapshotAssertion
) -> None:
    error = spec_error(yaml, assignments)
    assert marks_of(error) == marks
    assert str(error) == snapshot
