"""Taylor mode against nested autograd: values and parameter gradients, all orders, all activations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from laaf_cli.derivatives import NestedEngine, TaylorEngine
from laaf_cli.derivatives.partitions import products, splits
from laaf_cli.expression import Field
from laaf_cli.multi_index import lower_set
from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.mlp import Mlp


def network(
    activation: str, n_inputs: int, hidden: list[int], n_outputs: int, kind: str, seed: int
) -> Mlp:
    random = np.random.default_rng(seed)
    lower = random.uniform(-3, 3, n_inputs)
    upper = lower + random.uniform(0.5, 3, n_inputs)
    made = Mlp(
        n_inputs,
        hidden,
        n_outputs,
        activation=activation,
        kind=kind,
        n=5,
        bounds=(lower.tolist(), upper.tolist()),
        random=random,
        dtype=torch.float64,
    )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.tensor(random.standard_normal(parameter.shape)))
    return made


def points_of(made: Mlp, n_points: int, seed: int = 0) -> torch.Tensor:
    unit = torch.tensor(
        np.random.default_rng(seed).uniform(-1, 1, (n_points, len(made.inputs.center)))
    )
    return made.inputs.center + made.inputs.half_range * unit


def compare(made: Mlp, unknowns: str, fields: list[Field], seed: int) -> None:
    points = points_of(made, 11, seed)
    losses, values = [], []
    for engine_class in (TaylorEngine, NestedEngine):
        engine = engine_class(made, tuple(unknowns), fields)
        found = engine.evaluate(engine.prepare(points))
        assert set(found) == set(fields)
        assert all(value.shape == (11,) for value in found.values())
        values.append(found)
        # A nonlinear function of all streams, so that no cotangent is constant; each stream to its own scale.
        scaled = [found[f] / (1 + values[0][f].detach().abs().max()) for f in fields]
        losses.append(sum(torch.sin(value + i).square().mean() for i, value in enumerate(scaled)))
    for field in fields:
        scale = float(values[1][field].detach().abs().max()) + 1e-3
        torch.testing.assert_close(
            values[0][field], values[1][field], rtol=1e-10, atol=1e-10 * scale
        )
    parameters = list(made.parameters())
    taylor, nested = (
        torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        for loss in losses
    )
    for a, b in zip(taylor, nested, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10 * (float(b.abs().max()) + 1e-3))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["fixed", "gaaf", "llaaf", "nlaaf"])
def test_all_orders_of_every_activation(activation: str, kind: str) -> None:
    order = ACTIVATIONS[activation].max_order
    orders = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    fields = [Field(unknown, o) for unknown in "uv" for o in orders]
    compare(network(activation, 2, [7, 5, 6], 2, kind, seed=len(activation)), "uv", fields, seed=1)


@pytest.mark.parametrize("seed", range(8))
def test_random_shapes_and_random_requests(seed: int) -> None:
    random = np.random.default_rng(seed)
    n_inputs = int(random.integers(1, 5))
    hidden = random.integers(1, 9, random.integers(1, 6)).tolist()
    fields = []
    for _ in range(int(random.integers(1, 5))):
        orders = np.bincount(
            random.integers(0, n_inputs, random.integers(0, 5)), minlength=n_inputs
        )
        fields.append(Field(str(random.choice(list("uvw"))), tuple(map(int, orders))))
    compare(
        network("tanh", n_inputs, hidden, 3, "nlaaf", seed),
        "uvw",
        list(dict.fromkeys(fields)),
        seed,
    )


def test_only_what_is_needed_is_carried() -> None:
    made = network("tanh", 2, [4], 1, "fixed", 0)
    burgers = TaylorEngine(made, ("u",), [Field("u", o) for o in [(0, 0), (1, 0), (0, 1), (2, 0)]])
    assert burgers.streams == ((0, 0), (1, 0), (0, 1), (2, 0))
    assert TaylorEngine(made, ("u",), [Field("u", (0, 0))]).streams == ((0, 0),)


def test_chain_rule_by_hand() -> None:
    """∂ₓₓσ = σ″ z_x² + σ′ z_xx;  ∂ₓₓₜσ = σ‴ z_x² z_t + σ″ (2 z_x z_xt + z_xx z_t) + σ′ z_xxt."""
    streams = lower_set([(2, 1)])
    index = {stream: i for i, stream in enumerate(streams)}
    x, t, xx, xt = index[1, 0], index[0, 1], index[2, 0], index[1, 1]
    assert {k: {(p.blocks, p.count) for p in g} for k, g in products((2, 0), streams).items()} == {
        2: {((x, x), 1)}
    }
    assert {k: {(p.blocks, p.count) for p in g} for k, g in products((2, 1), streams).items()} == {
        2: {(tuple(sorted((x, xt))), 2), (tuple(sorted((t, xx))), 1)},
        3: {(tuple(sorted((x, x, t))), 1)},
    }


def test_the_backward_pass_of_the_chain_rule_by_hand() -> None:
    """∂(∂ₓₓₜσ)/∂z_x = 2 ∂ₓₜσ′, ∂/∂z_t = ∂ₓₓσ′, ∂/∂z_xx = ∂ₜσ′, ∂/∂z_xt = 2 ∂ₓσ′."""
    streams = lower_set([(2, 1)])
    found = {(streams[s.inner], streams[s.outer]): s.count for s in splits((2, 1), streams)}
    assert found == {
        ((1, 0), (1, 1)): 2,
        ((0, 1), (2, 0)): 1,
        ((2, 0), (0, 1)): 1,
        ((1, 1), (1, 0)): 2,
    }


def test_partitions_are_counted_by_bell_numbers() -> None:
    streams = lower_set([(4,)])
    total = 1 + sum(p.count for group in products((4,), streams).values() for p in group)
    assert total == 15


def test_float32_agrees_to_its_precision() -> None:
    single = Mlp(2, [20] * 4, 1, kind="nlaaf", n=5, random=np.random.default_rng(1))
    fields = [Field("u", o) for o in [(0, 0), (1, 0), (2, 0), (1, 1)]]
    points = points_of(single, 200, 0)
    engine = TaylorEngine(single, ("u",), fields)
    found = {f: v.detach().clone() for f, v in engine.evaluate(engine.prepare(points)).items()}
    oracle = NestedEngine(single.double(), ("u",), fields)
    exact = oracle.evaluate(oracle.prepare(points))
    for field in fields:
        torch.testing.assert_close(
            found[field].double(), exact[field].detach(), rtol=1e-4, atol=1e-4
        )


@pytest.mark.cuda
def test_taylor_mode_on_cuda() -> None:
    made = network("tanh", 2, [20, 20], 1, "nlaaf", 0)
    fields = [Field("u", o) for o in [(0, 0), (1, 0), (2, 0), (0, 1)]]
    points = points_of(made, 100, 0)
    on_cpu = TaylorEngine(made, ("u",), fields)
    expected = {f: v.detach() for f, v in on_cpu.evaluate(on_cpu.prepare(points)).items()}
    made = made.cuda()
    on_cuda = TaylorEngine(made, ("u",), fields)
    for field, value in on_cuda.evaluate(on_cuda.prepare(points.cuda())).items():
        torch.testing.assert_close(value.detach().cpu(), expected[field], rtol=1e-10, atol=1e-10)
