"""The LAAF family: counts, starts, gradients and the slope recovery term against hand-computed numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.initializers import INITIALIZERS
from laaf_cli.network.mlp import Mlp
from laaf_cli.network.slope_kinds import SLOPE_KINDS, parameter_ratio
from laaf_cli.network.slopes import SlopeRecovery

ADAPTIVE = [kind for kind in SLOPE_KINDS if kind != "fixed"]


def mlp(
    kind: str = "fixed", n: float = 10.0, hidden: tuple[int, ...] = (20, 20, 20), **more: object
) -> Mlp:
    settings = {"bounds": ([-1.0, 3.0], [1.0, 4.0]), "dtype": torch.float64} | more
    return Mlp(2, hidden, 1, kind=kind, n=n, random=np.random.default_rng(4), **settings)  # type: ignore[arg-type]


POINTS = torch.tensor(np.random.default_rng(0).random((50, 2)) * [2, 1] + [-1, 3])


@pytest.mark.parametrize(
    ("kind", "count"), [("fixed", 0), ("gaaf", 1), ("llaaf", 3), ("nlaaf", 12 + 7 + 5)]
)
def test_slope_counts(kind: str, count: int) -> None:
    network = mlp(kind, hidden=(12, 7, 5))
    weights_and_biases = 12 * 2 + 12 + 7 * 12 + 7 + 5 * 7 + 5 + 5 + 1
    assert network.count() == (weights_and_biases, count)
    assert sum(p.numel() for p in network.parameters()) == weights_and_biases + count


@pytest.mark.parametrize(
    ("hidden", "n_inputs", "growth"),
    [((1,), 1, 4 / 3), ((20,) * 3, 1, 1.0667), ((50,) * 4, 1, 1.0256), ((20,) * 6, 2, 1.055)],
)
def test_parameter_growth_of_the_paper(
    hidden: tuple[int, ...], n_inputs: int, growth: float
) -> None:
    """The four examples of section 2.2: P = (ω + 2β)/(ω + β), β counting hidden biases alone."""
    network = Mlp(n_inputs, hidden, 1, kind="nlaaf", random=np.random.default_rng(0))
    parameters, slopes = network.count()
    assert parameter_ratio(parameters, slopes, 1) == pytest.approx(growth, abs=6e-5)


@pytest.mark.parametrize("kind", SLOPE_KINDS)
@pytest.mark.parametrize("n", [1.0, 2.0, 5.0, 10.0])
def test_every_kind_starts_as_the_fixed_network(kind: str, n: float) -> None:
    torch.testing.assert_close(mlp(kind, n)(POINTS), mlp("fixed")(POINTS), rtol=1e-14, atol=1e-15)


def test_forward_is_a_plain_composition() -> None:
    network = mlp("nlaaf", 5.0, hidden=(6, 4))
    with torch.no_grad():
        for value in [
            *network.slopes.values,
            *network.biases,
        ]:  # Glorot biases of 0 would hide a slope that skips them
            value.copy_(torch.rand_like(value))
    z = (POINTS - torch.tensor([0.0, 3.5])) / torch.tensor([1.0, 0.5])
    for k in range(2):
        linear = nn.functional.linear(z, network.weights[k], network.biases[k])
        z = torch.tanh(5.0 * network.slopes.values[k] * linear)
    torch.testing.assert_close(
        network(POINTS), nn.functional.linear(z, network.weights[2], network.biases[2])
    )


@pytest.mark.parametrize("kind", ADAPTIVE)
def test_every_slope_is_trained(kind: str) -> None:
    network = mlp(kind)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    before = [value.detach().clone() for value in network.slopes.values]
    (network(POINTS) - 1).square().mean().backward()
    for value in network.slopes.values:
        assert id(value) in trained
        assert value.grad is not None
        assert torch.all(value.grad != 0)
    optimizer.step()
    for value, old in zip(network.slopes.values, before, strict=True):
        assert torch.all(value != old)


def test_recorded_scales_are_n_times_a() -> None:
    assert [s.tolist() for s in mlp("fixed").slopes.scales()] == [[1.0]] * 3
    assert [s.shape for s in mlp("gaaf").slopes.scales()] == [(1,)] * 3
    assert [s.shape for s in mlp("nlaaf", hidden=(3, 5)).slopes.scales()] == [(3,), (5,)]
    torch.testing.assert_close(
        mlp("llaaf", 7.0).slopes.scales()[0], torch.ones(1, dtype=torch.float64)
    )


A = [torch.tensor([0.1, 0.3]), torch.tensor([0.5, 0.7, 0.9])]


@pytest.mark.parametrize(
    ("slopes", "form", "operator", "expected"),
    [
        (A, "mean", "exp", 2 / (math.exp(0.2) + math.exp(0.7))),
        (A, "sum", "exp", 1 / (math.exp(0.2) + math.exp(0.7))),
        (A, "mean", "identity", 2 / 0.9),
        (A, "sum", "identity", 1 / 0.9),
        ([torch.tensor([0.1])] * 4, "mean", "exp", 0.9048374180359595),
        ([torch.tensor([0.1])] * 4, "sum", "exp", 0.22620935450898988),
        ([torch.tensor([0.1])], "mean", "exp", 0.9048374180359595),
    ],
)
def test_slope_recovery_by_hand(
    slopes: list[torch.Tensor], form: str, operator: str, expected: float
) -> None:
    assert float(SlopeRecovery(1.0, form, operator)(slopes)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ADAPTIVE)
@pytest.mark.parametrize("form", ["mean", "sum"])
def test_slope_recovery_has_a_gradient_that_raises_slopes(kind: str, form: str) -> None:
    network = mlp(kind, hidden=(4, 3))
    recovery = SlopeRecovery(1.0, form)
    recovery(list(network.slopes.values)).backward()
    for value in network.slopes.values:
        assert value.grad is not None
        assert torch.all(value.grad < 0)
    values = [torch.rand(s, dtype=torch.float64, requires_grad=True) for s in (4, 3)]
    assert torch.autograd.gradcheck(lambda *a: recovery(a), values)


def test_slope_recovery_at_zero() -> None:
    assert SlopeRecovery(1.0, "mean", "exp").at_zero(6) == 1.0
    assert SlopeRecovery(1.0, "sum", "exp").at_zero(6) == pytest.approx(1 / 6)
    assert SlopeRecovery(1.0, "mean", "identity").at_zero(6) == math.inf


TORCH_TWINS = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "sigmoid": torch.sigmoid,
    "silu": nn.functional.silu,
    "gelu": nn.functional.gelu,
    "softplus": nn.functional.softplus,
    "relu": nn.functional.relu,
    "leaky-relu": nn.functional.leaky_relu,
    "elu": nn.functional.elu,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_derivatives(name: str) -> None:
    z = torch.linspace(-3.03, 3.01, 41, dtype=torch.float64, requires_grad=True)
    order = min(ACTIVATIONS[name].max_order + 1, 5)
    found = ACTIVATIONS[name].derivatives(z, order)
    assert len(found) == order + 1
    expected = TORCH_TWINS[name](z)
    for k, derivative in enumerate(found):
        torch.testing.assert_close(derivative, expected, rtol=1e-10, atol=1e-11, msg=f"order {k}")
        if not found[k].requires_grad:  # a constant between the kinks
            expected = torch.zeros_like(z)
            continue
        (expected,) = torch.autograd.grad(
            found[k].sum(), z, create_graph=True, materialize_grads=True
        )


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_their_variance(name: str) -> None:
    weight, bias = INITIALIZERS[name](300, 200, np.random.default_rng(0))
    assert weight.shape == (200, 300)
    variance = {"normal-0.1": 0.01, "glorot-normal-truncated": 2 / 500 * 0.7737}.get(name, 2 / 500)
    assert weight.var() == pytest.approx(variance, rel=0.02)
    assert np.all(bias == 0) or bias.var() == pytest.approx(0.01, rel=0.2)
    if name == "glorot-normal-truncated":
        assert np.abs(weight).max() <= 2 * math.sqrt(2 / 500)


def test_weights_do_not_depend_on_kind_precision_or_slopes() -> None:
    first = [w.detach().double() for w in mlp("fixed", 1.0).weights]
    for other in (mlp("nlaaf", 10.0), mlp("gaaf", 2.0, dtype=torch.float32)):
        for a, b in zip(first, other.weights, strict=True):
            torch.testing.assert_close(a, b.detach().double(), rtol=1e-6, atol=1e-7)


def test_scaling_far_away_keeps_the_digits_of_float32() -> None:
    network = Mlp(1, [3], 1, bounds=([1e6], [1e6 + 1]), random=np.random.default_rng(0))
    scaled = network.scaled(torch.tensor([[1e6 + 0.25], [1e6 + 0.75]], dtype=torch.float64))
    torch.testing.assert_close(scaled, torch.tensor([[-0.5], [0.5]]))


@pytest.mark.parametrize(
    ("kind", "n", "message"), [("laaf", 1.0, "unknown kind"), ("gaaf", 0.5, "must be at least 1")]
)
def test_slopes_that_do_not_exist(kind: str, n: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mlp(kind, n)
