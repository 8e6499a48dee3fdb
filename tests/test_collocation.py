"""Nodes, derivatives, values between and integrals: exact where they must be, spectral elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import Polynomial

from laaf_cli.multi_index import MAX_ORDER
from laaf_cli.references.collocation import ChebyshevAxis, CollocationAxis, FourierAxis

INTERVALS = [(-1.0, 1.0), (0.0, 1.0), (3.0, 5.0), (-20.0, -19.0), (-0.3, 40.0)]


def polynomial(axis: CollocationAxis, degree: int) -> Polynomial:
    """One of a degree, of size 1 on the interval."""
    coefficients = np.random.default_rng(degree).standard_normal(degree + 1)
    return Polynomial(coefficients, domain=[axis.lower, axis.upper])


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("order", range(MAX_ORDER + 1))
def test_derivatives_of_polynomials_are_exact(interval: tuple[float, float], order: int) -> None:
    axis = ChebyshevAxis(*interval, 12)
    series = polynomial(axis, 11)
    exact = series.deriv(order)(axis.nodes) if order else series(axis.nodes)
    found = axis.derivative(order) @ series(axis.nodes)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13 * 8**order * np.abs(exact).max())


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("order", range(MAX_ORDER + 1))
def test_derivatives_of_waves_are_exact(interval: tuple[float, float], order: int) -> None:
    axis = FourierAxis(*interval, 16)
    k = 2 * np.pi / axis.length
    for wave in range(8):
        phase = wave * k * (axis.nodes - axis.lower) + 0.3
        exact = (wave * k) ** order * np.cos(phase + order * np.pi / 2)
        found = axis.derivative(order) @ np.cos(phase)
        np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12 * (7 * k) ** order)


def test_highest_wave_has_even_derivatives_alone() -> None:
    axis = FourierAxis(0, 2 * np.pi, 8)
    wave = np.cos(4 * axis.nodes)
    for order, factor in enumerate((1, 0, -16, 0, 256)):
        np.testing.assert_allclose(axis.derivative(order) @ wave, factor * wave, atol=1e-11)


@pytest.mark.parametrize("n", [16, 64, 256])
@pytest.mark.parametrize(("order", "power"), [(1, 2), (2, 4)])
def test_rounding_grows_no_faster_than_the_matrix(n: int, order: int, power: int) -> None:
    """A naive matrix loses n² times more."""
    axis = ChebyshevAxis(-1, 1, n)
    found = axis.derivative(order) @ np.exp(axis.nodes)
    assert np.abs(found - np.exp(axis.nodes)).max() < 1e-15 * n**power + 1e-12


@pytest.mark.parametrize("kind", [ChebyshevAxis, FourierAxis])
@pytest.mark.parametrize("order", range(1, MAX_ORDER + 1))
def test_convergence_is_spectral(kind: type[CollocationAxis], order: int) -> None:
    """e^{sin x} over its period: doubling the nodes squares the error, until rounding."""
    errors = []
    for n in (12, 24, 48):
        axis = kind(1.0, 1.0 + 2 * np.pi, n)
        fine = kind(1.0, 1.0 + 2 * np.pi, 96)
        at_fine = axis.interpolation(fine.nodes) @ (
            axis.derivative(order) @ np.exp(np.sin(axis.nodes))
        )
        errors.append(np.abs(at_fine - fine.derivative(order) @ np.exp(np.sin(fine.nodes))).max())
    assert errors[1] < errors[0] / 50
    assert errors[2] < 1e-6 * 10 ** max(0, order - 2)


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("n", [2, 5, 8, 9])
def test_integrals(interval: tuple[float, float], n: int) -> None:
    axis = ChebyshevAxis(*interval, n)
    series = polynomial(axis, n - 1)
    whole = series.integ(lbnd=axis.lower)(axis.upper)
    assert axis.weights @ series(axis.nodes) == pytest.approx(
        whole, rel=1e-12, abs=1e-12 * axis.length
    )
    period = FourierAxis(*interval, 2 * n)
    phase = 2 * np.pi * (period.nodes - period.lower) / period.length
    assert period.weights @ (3 + np.sin(phase)) == pytest.approx(3 * period.length)


@pytest.mark.parametrize("interval", INTERVALS)
def test_interpolation(interval: tuple[float, float]) -> None:
    """Both reproduce their functions between the nodes, and values at the nodes to the last bit."""
    chebyshev, fourier = ChebyshevAxis(*interval, 12), FourierAxis(*interval, 12)
    points = np.concatenate([np.random.default_rng(0).uniform(*interval, 40), interval])
    series = polynomial(chebyshev, 11)
    np.testing.assert_allclose(
        chebyshev.interpolation(points) @ series(chebyshev.nodes), series(points), atol=1e-11
    )

    def wave(x: np.ndarray) -> np.ndarray:
        phase = 2 * np.pi * (x - interval[0]) / fourier.length
        return 1 + np.sin(3 * phase) - np.cos(5 * phase) + np.cos(6 * phase)

    np.testing.assert_allclose(
        fourier.interpolation(points) @ wave(fourier.nodes), wave(points), atol=1e-11
    )
    for axis in (chebyshev, fourier):
        np.testing.assert_array_equal(axis.interpolation(axis.nodes), np.eye(12))


def test_nodes() -> None:
    axis = ChebyshevAxis(3, 5, 5)
    np.testing.assert_allclose(
        axis.nodes, [3, 4 - np.sqrt(0.5), 4, 4 + np.sqrt(0.5), 5], rtol=1e-15
    )
    np.testing.assert_array_equal(FourierAxis(1, 3, 4).nodes, [1, 1.5, 2, 2.5])
