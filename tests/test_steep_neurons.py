"""Neurons and points where a solution is steep: at breaks of formulas, and where a solution says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import plan_of

from laaf_cli.arrays import Array
from laaf_cli.network.inputs import Period
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import Domain, Problem
from laaf_cli.runfile.record import NetworkParameters
from laaf_cli.runs.train import execute
from laaf_cli.training.least_squares.neurons import drawn
from laaf_cli.training.least_squares.points import ON_SEAMS, Window, between, following, sites
from laaf_cli.training.least_squares.spots import NEAREST, Spots, at_breaks, find_breaks
from laaf_cli.training.least_squares.steepness import MOST, of_solution, of_start

PLANE = """
coordinates: {x: [CENTER - HALF, CENTER + HALF], y: [0, 3]}
unknowns: [u]
equations: {poisson: "u_xx + u_yy = FORMULA"}
conditions: {sides: {where: boundary, equation: u = 0}}
training: [{optimizer: least-squares}]
"""

NARROW = """
coordinates: {x: [0, LENGTH]}
unknowns: [u]
equations: {string: "u_xx = where(abs(x - 0.7*LENGTH) < 0.004*LENGTH, SIZE/(0.008*LENGTH**2), 0)"}
conditions: {left: {where: x = 0, equation: u = 0}, right: {where: x = LENGTH, equation: u = 0}}
network: {hidden: [150]}
training: [{optimizer: least-squares}]
"""

BEAM = """
coordinates: {x: [0, 2]}
unknowns: [w]
equations: {bending: "w_xxxx = where(abs(x - 1) < 0.01, 50, 0)"}
conditions:
  clamped: {where: x = 0, equation: [w = 0, w_x = 0]}
  free: {where: x = 2, equation: [w_xx = 0, w_xxx = 0]}
training: [{optimizer: least-squares}]
"""

QUENCH = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [T]
equations: {heat: T_t = 0.2*T_xx}
conditions:
  start: {where: t = 0, equation: T = 1}
  insulated: {where: x = 0, equation: T_x = 0}
  cooled: {where: x = 1, equation: T_x + 4*T = 0}
network: {hidden: [300]}
evaluation: {grid: {x: 41, t: 41}}
training: [{optimizer: least-squares, windows: 1}]
"""


def with_values(text: str, **values: object) -> str:
    for name, value in values.items():
        text = text.replace(name, f"({value})" if isinstance(value, str) else str(value))
    return text


def spots_in(problem: Problem, domain: Domain, n: int) -> Spots | None:
    random = np.random.default_rng(0)
    return at_breaks(find_breaks(problem, random), domain, n, random)


def spots_of(formula: str, center: float = 0.0, half: float = 1.0) -> tuple[Domain, Spots | None]:
    text = PLANE.replace("CENTER - HALF", str(center - half))
    text = text.replace("CENTER + HALF", str(center + half)).replace("FORMULA", formula)
    problem = plan_of(text).problem
    return problem.domain, spots_in(problem, problem.domain, 2000)


@pytest.mark.parametrize(("center", "half"), [(0.0, 1.0), (1000.0, 0.01)])
def test_spots_lie_at_all_distances_on_both_sides_of_a_plane(center: float, half: float) -> None:
    _, spots = spots_of(f"where(x < {center + half / 4}, 1, 2)", center, half)
    assert spots is not None
    offset = (spots.points[:, 0] - center - half / 4) / half
    is_inside = np.abs(spots.points[:, 0] - center) < 0.999 * half
    distance = np.abs(offset)[is_inside]
    np.testing.assert_allclose(distance, 1 / spots.steepness[is_inside], rtol=1e-3)
    assert distance.min() < 2 * NEAREST
    assert 0.3 < np.mean(offset > 0) < 0.7
    assert np.quantile(distance, [0.25, 0.75]).tolist() == pytest.approx([1e-3, 1e-1], rel=0.6)
    np.testing.assert_allclose(np.abs(spots.normals[:, 0]), 1.0)
    assert np.std(spots.points[:, 1]) > 0.7


def test_breaks_that_are_no_planes_have_normals() -> None:
    """Both coordinates scaled to [-1, 1]: x**2 + (1.5 z)**2 = 0.25."""
    domain, spots = spots_of("where(x**2 + (y - 1.5)**2 < 0.25, 1, 0)")
    assert spots is not None
    scaled = (spots.points - [0, 1.5]) / [1, 1.5]
    near = 1 / spots.steepness < 1e-2
    np.testing.assert_allclose((scaled[near] ** 2 @ [1, 2.25]) ** 0.5, 0.5, atol=2e-2)
    outward = scaled[near] * [1, 2.25]
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    np.testing.assert_allclose(np.abs((outward * spots.normals[near]).sum(1)), 1, atol=5e-3)
    assert domain.dimension == 2


def test_comparisons_that_are_joined_have_their_own_breaks() -> None:
    spots = spots_of("where(x > y - 1.3 and y > 1.2, 1, 0)")[1]
    assert spots is not None
    is_plane = spots.normals[:, 0] == 0
    assert is_plane.any()
    close = 1 / spots.steepness[is_plane] < 1e-2
    np.testing.assert_allclose(spots.points[is_plane][close, 1], 1.2, atol=2e-2)


def test_formulas_without_branches_have_no_spots() -> None:
    assert spots_of("sin(x)*y")[1] is None


def test_a_kink_of_initial_values_has_spots_around_it() -> None:
    text = QUENCH.replace("equation: T = 1}", "equation: 'T = abs(x - 0.3)'}")
    problem = plan_of(text).problem
    spots = spots_in(problem, problem.domain, 500)
    assert spots is not None
    distance = np.linalg.norm((spots.points - [0.3, 0.0]) * 2, axis=1)
    assert (distance < 1.01 / spots.steepness).all()
    assert not spots.normals.any()
    assert 0.2 < np.mean(spots.points[:, 1] > 0) < 0.8


def test_a_window_has_the_spots_of_its_own_breaks() -> None:
    text = QUENCH.replace(
        "T_t = 0.2*T_xx", "'T_t = 0.2*T_xx + where(t < 0.5, 1, 0)*where(x + 2*t < 0.6, 1, 0)'"
    )
    problem = plan_of(text).problem
    whole = problem.domain
    early = spots_in(problem, between(whole, 0.0, 0.4), 200)
    assert early is not None
    assert (early.points[:, 1] <= 0.4).all()
    assert (np.abs(early.normals) > 0.3).all()  # of the slanted line alone
    assert spots_in(problem, between(whole, 0.6, 1.0), 200) is None


def network_of(depth: int, periods: dict[int, Period] | None = None) -> Mlp:
    return Mlp(
        2, [9] * depth, 1, kind="fixed", bounds=((0.0, -1.0), (3.0, 4.0)), periods=periods,
        random=np.random.default_rng(1), dtype=torch.float64,
    )  # fmt: skip


def test_spots_of_a_front() -> None:
    """u = tanh(30 (z₁ + z₂)/√2), of scaled coordinates: A = 1, max |∇u| = 30."""
    network, domain = network_of(1), Domain(coordinates=("x", "y"), lower=(0, -1), upper=(3, 4))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.weights[0][0] = 30 / 2**0.5
        network.weights[1][0, 0] = 1.0
    spots = of_solution(network, domain, 1000, np.random.default_rng(0))
    z = (spots.points - [1.5, 1.5]) / [1.5, 2.5]
    assert 28 < spots.steepness.max() < 31
    assert np.mean(np.abs(z.sum(1)) < 0.15) > 0.8
    steep = spots.steepness > 5
    np.testing.assert_allclose(np.abs(spots.normals[steep].sum(1)), 2**0.5, rtol=1e-6)


HOT_SPOT = """
coordinates: {x: [START, START + LENGTH], t: [0, 0.01*LENGTH**2]}
unknowns: [T]
equations: {heat: T_t = T_xx}
conditions:
  start: {where: t = 0, equation: T = SIZE*exp(-2000*((x - START)/LENGTH - 0.4)**2)}
  ends: {where: [x = START, x = START + LENGTH], equation: T = 0}
network: {hidden: [300]}
evaluation: {grid: {x: 101, t: 11}}
training: [{optimizer: least-squares, goal: 1e-4}]
"""


def network_domain() -> Domain:
    """That to which `network_of` scales its coordinates."""
    return Domain(coordinates=("x", "t"), lower=(0, -1), upper=(3, 4))


def moving_front(speed: float) -> Mlp:
    """u = tanh(30 (z₁ − speed · z₂)), of coordinates scaled by the domain (0, 3) × (−1, 4)."""
    network = network_of(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.weights[0][0] = 30 * torch.tensor([1.0, -speed])
        network.weights[1][0, 0] = 1.0
    return network


@pytest.mark.parametrize("speed", [0.0, 0.5])
def test_spots_of_a_window_follow_what_it_begins_with(speed: float) -> None:
    domain = between(
        network_domain(), 1.5, 2.5
    )  # where the front is in the middle, z₂ from 0 to 0.4
    problem = plan_of(QUENCH).problem  # nothing of it is asked for
    spots = of_start(problem, moving_front(speed), domain, 1000, np.random.default_rng(0))
    assert spots is not None
    assert 28 < spots.steepness.max() < 36
    near = spots.steepness > 20
    z = (spots.points - [1.5, 1.5]) / [1.5, 2.5]
    assert np.abs(z[near, 0] - speed * z[near, 1]).max() < 0.1
    assert (np.ptp(spots.points[near, 1]) > 0.95) & (spots.points[:, 1] >= 1.5).all()
    # The window has a fifth of the time, so the front moves as much less in its coordinates.
    ratio = spots.normals[near, 1] / spots.normals[near, 0]
    np.testing.assert_allclose(ratio, -speed / 5, atol=1e-3)


def test_an_unknown_that_passes_zero_is_not_steep() -> None:
    """What is left of it is rounding, beside the values that it had in the windows before."""
    domain = between(network_domain(), 1.5, 2.5)
    problem, network = plan_of(QUENCH).problem, moving_front(0.0)
    with torch.no_grad():
        network.weights[1] *= 1e-9
    steepest = []
    for floors in {}, {"T": 1.0}:
        spots = of_start(problem, network, domain, 1000, np.random.default_rng(0), floors)
        assert spots is not None
        steepest.append(spots.steepness.max())
    assert steepest[0] > 28
    assert steepest[1] < 1e-2


def test_steepness_is_bounded() -> None:
    """Of a network that is steeper than its rows could see."""
    domain, network = between(network_domain(), 1.5, 2.5), moving_front(0.0)
    with torch.no_grad():
        network.weights[0] *= 100
    spots = of_start(plan_of(QUENCH).problem, network, domain, 1000, np.random.default_rng(0))
    assert spots is not None
    assert spots.steepness.max() == MOST


def test_spots_of_the_first_window_follow_its_conditions() -> None:
    plan = plan_of(with_values(HOT_SPOT, START=-2, LENGTH=3, SIZE=7))
    domain = between(plan.problem.domain, 0.0, 0.01)
    spots = of_start(plan.problem, None, domain, 1000, np.random.default_rng(0))
    assert spots is not None
    # √(|T_xx|/A) in the middle, scaled to half the domain; A is half of what T ranges over.
    assert spots.steepness.max() == pytest.approx(2000**0.5, rel=0.01)
    assert np.median(np.abs(spots.points[:, 0] - (-2 + 0.4 * 3))) < 0.05 * 3
    np.testing.assert_allclose(np.abs(spots.normals), np.tile([1.0, 0.0], (1000, 1)), atol=1e-9)


def test_conditions_that_give_no_values_say_nothing_of_the_first_window() -> None:
    """Those of faces in space are no help."""
    text = QUENCH.replace("equation: T = 1}", "equation: T_x = 0}").replace("T_x + 4*T", "T")
    plan = plan_of(text)
    domain = between(plan.problem.domain, 0.0, 0.1)
    assert of_start(plan.problem, None, domain, 10, np.random.default_rng(0)) is None


def test_where_neurons_follow_the_start_it_has_points_of_its_own() -> None:
    """As many again as without, at the places of spots, whether conditions give it or a network."""
    problem, random = plan_of(QUENCH).problem, np.random.default_rng(0)
    near = np.stack([0.7 + 0.01 * random.random(900), random.random(900)], 1)
    for spots, n_near in (None, 0), (near, ON_SEAMS):
        rows = sites(
            problem, Window(domain=problem.domain), {}, 100, random, torch.device("cpu"), spots
        )
        (start,) = [site.points for site in rows if not site.points[:, 1].any()]
        window = following(problem, moving_front(0.0), problem.domain, random, spots)
        assert window.points is not None
        for points in (start.numpy(), window.points):
            assert len(points) == ON_SEAMS + n_near
            assert not points[:, 1].any()
            assert (np.abs(points[ON_SEAMS:, 0] - 0.705) < 0.006).all()
        assert max(len(site.points) for site in rows) == max(
            100 + (900 if n_near else 0), len(start)
        )


@pytest.mark.parametrize(("start", "length", "size"), [(0, 1, 1), (-2000, 500, 1e6)])
def test_a_hot_spot_that_is_narrow(start: float, length: float, size: float) -> None:
    """Neurons that do not follow the spot come to 1e-4."""
    run = execute(plan_of(with_values(HOT_SPOT, START=start, LENGTH=length, SIZE=size)))
    assert run.summary.error < 1e-6
    # Of the other half of the neurons, slopes fall along x as the spot widens, and grow in time
    # with the square root of the length of windows.
    last = run.record.network
    lengths = np.diff([0.0, *last.ends])
    slopes = np.array([_mean_slopes(network) for network in (*last.past, last)])
    assert len(slopes) > 4
    assert (slopes[1:, 0] < 0.95 * slopes[:-1, 0]).all()
    growth = slopes[1:, 1] / slopes[:-1, 1]
    np.testing.assert_allclose(growth, np.sqrt(lengths[1:] / lengths[:-1]), rtol=0.15)


def _mean_slopes(network: NetworkParameters) -> Array:
    """The root mean square along each coordinate, of the neurons that go through no spot."""
    slopes = network.weights[0] * np.reshape(network.slopes[0], (-1, 1))
    return np.sqrt(np.square(slopes[0::2]).mean(0))


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("periods", [None, {0: Period(0.0, 3.0, 2)}])
def test_steep_neurons_are_across_their_spots(
    depth: int, periods: dict[int, Period] | None
) -> None:
    network, domain = (
        network_of(depth, periods),
        Domain(coordinates=("x", "y"), lower=(0, -1), upper=(3, 4)),
    )
    random = np.random.default_rng(0)
    points = domain.from_unit(random.random((40, 2)))
    normals = np.tile([0.6, -0.8], (40, 1))
    spots = Spots(points=points, normals=normals, steepness=np.full(40, 1e6))
    found = drawn(network, domain, [2.0], 80, spots, random)
    at = torch.tensor(points, requires_grad=True)
    z = network.after_hidden(network.scaled(at), depth - 1)
    arguments = (found.weight[1::2] * z).sum(1) + found.bias[1::2]
    torch.testing.assert_close(arguments, torch.zeros_like(arguments), atol=1e-6, rtol=0)
    (slope,) = torch.autograd.grad(arguments.sum(), at)
    slope = slope.numpy() * [1.5, 2.5]
    across = (slope * normals).sum(1)
    assert (np.abs(across) > 1e5).all()
    assert (np.abs(slope @ [0.8, 0.6]) < 1e-3 * np.abs(across)).all()


@pytest.mark.parametrize(("length", "size"), [(1, 1), (5000, 1e-3)])
def test_a_narrow_load(length: float, size: float) -> None:
    run = execute(plan_of(with_values(NARROW, LENGTH=length, SIZE=size)))
    assert run.summary.error < 5e-3


def test_a_narrow_load_on_a_beam() -> None:
    """Fourth derivatives of the steepest neurons are 1e12 times those of the others."""
    unbent = BEAM + "network: {kinks: {}}\n"
    assert execute(plan_of(unbent)).summary.error < 0.1
    assert execute(plan_of(BEAM)).summary.error < 1e-9  # bends where the load begins and ends


@pytest.mark.parametrize("bends", [True, False])
def test_breaks_at_which_the_network_bends_need_no_steep_neurons(bends: bool) -> None:
    plan = plan_of(BEAM if bends else BEAM + "network: {kinks: {}}\n")
    kinks = plan.make_network().inputs.kinks
    breaks = find_breaks(plan.problem, np.random.default_rng(0))
    assert breaks
    assert [each.is_bend(kinks) for each in breaks] == [bends] * len(breaks)


def test_data_that_disagree_in_a_corner() -> None:
    """The flux that is asked for at x = 1 is not that of the start: T_xx is infinite there."""
    summary = execute(plan_of(QUENCH, "seed=1")).summary
    assert summary.error < 3e-3  # 4e-3 with neurons that are nowhere steeper
    assert summary.estimate is not None
    assert summary.estimate < 0.01  # 0.02 with those
