"""The C++ kernel against nested autograd: values, gradients, threads, instruction sets, and doing without it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_derivatives import network, points_of
from torch import Tensor

from laaf_cli.derivatives import (
    ENGINES,
    FusedEngine,
    NestedEngine,
    TaylorEngine,
    fused,
    make_fastest,
    obstacle,
)
from laaf_cli.derivatives.kernel import ACTIVATIONS, KernelMissing, load_library
from laaf_cli.derivatives.kernel.library import BUILD_RECORD, LIBRARY
from laaf_cli.expression import Field
from laaf_cli.multi_index import Orders
from laaf_cli.network.inputs import Period
from laaf_cli.network.mlp import Mlp
from laaf_cli.network.slope_kinds import SLOPE_KINDS

pytestmark = pytest.mark.skipif(
    isinstance(load_library(), KernelMissing),
    reason=f"no kernel here: {getattr(load_library(), 'reason', '')}",
)

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
ORDERS = (2, 3, 4)
"""Each has a chain rule of its own."""


def make_network(
    hidden: list[int],
    n_inputs: int = 2,
    n_outputs: int = 1,
    activation: str = "tanh",
    kind: str = "nlaaf",
    seed: int = 0,
) -> Mlp:
    return network(activation, n_inputs, hidden, n_outputs, kind, seed)


def up_to_order(order: int, n_coordinates: int) -> list[Orders]:
    return [
        orders for orders in product(range(order + 1), repeat=n_coordinates) if sum(orders) <= order
    ]


def weighted(values: dict[Field, Tensor], seed: int) -> Tensor:
    """A scalar in which every value has a cotangent of its own."""
    random = np.random.default_rng(seed)
    return torch.stack(
        [(v * torch.tensor(random.standard_normal(len(v))).to(v)).sum() for v in values.values()]
    ).sum()


def gradient_of(network: Mlp, scalar: Tensor) -> Tensor:
    parts = torch.autograd.grad(
        scalar, list(network.parameters()), allow_unused=True, materialize_grads=True
    )
    return torch.cat([part.flatten().double() for part in parts])


def distance(found: Tensor, exact: Tensor) -> float:
    """Relative where there is something to be relative to."""
    size = float(exact.norm())
    return float((found.double() - exact).norm()) / (size if size > 0 else 1.0)


def assert_agrees(
    network: Mlp, unknowns: str, fields: list[Field], n_points: int, dtype: torch.dtype
) -> None:
    """Within the tolerance, or, where numbers cancel in the network itself, no worse than torch in this precision."""
    rounded = copy.deepcopy(network).to(dtype)
    rounded.inputs.double()  # scaling is in float64 whatever the network has
    oracle = copy.deepcopy(rounded).double()
    points = points_of(network, n_points)
    values, gradients = [], []
    for made, engine_class in (
        (rounded, FusedEngine),
        (rounded, TaylorEngine),
        (oracle, NestedEngine),
    ):
        engine = engine_class(made, tuple(unknowns), fields)
        values.append(engine.evaluate(engine.prepare(points)))
        gradients.append(gradient_of(made, weighted(values[-1], 3)))
    kernel, torch_, nested = values
    assert kernel.keys() == nested.keys()
    for field in fields:
        assert kernel[field].dtype == dtype
        errors = [
            distance(found[field].detach(), nested[field].detach()) for found in (kernel, torch_)
        ]
        assert errors[0] < max(TOLERANCE[dtype], 10 * errors[1]), field
    errors = [distance(gradient, gradients[2]) for gradient in gradients]
    assert errors[0] < max(TOLERANCE[dtype], 10 * errors[1])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("kind", SLOPE_KINDS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_and_kind_of_slopes(
    activation: str, order: int, kind: str, dtype: torch.dtype
) -> None:
    network = make_network([9, 20, 6], activation=activation, kind=kind, n_outputs=2)
    fields = [Field(u, orders) for u in "uv" for orders in up_to_order(order, 2)]
    assert_agrees(network, "uv", fields, 150, dtype)


@pytest.mark.parametrize("n_inputs", [1, 3])
def test_any_number_of_coordinates(n_inputs: int) -> None:
    fields = [Field("u", orders) for orders in up_to_order(4, n_inputs)]
    for activation in ACTIVATIONS:
        network = make_network([7, 5], n_inputs, activation=activation)
        assert_agrees(network, "u", fields, 40, torch.float64)


WIDTHS = (1, 2, 3, 5, 7, 16, 20, 33, 64, 257)


@pytest.mark.parametrize("seed", range(24))
def test_random_shapes(seed: int) -> None:
    random = np.random.default_rng(seed)
    n_inputs, depth, n_outputs = (
        int(random.integers(1, 5)),
        int(random.integers(1, 9)),
        int(random.integers(1, 4)),
    )
    hidden = [int(width) for width in random.choice(WIDTHS, depth)]
    activation, kind = str(random.choice(list(ACTIVATIONS))), str(random.choice(list(SLOPE_KINDS)))
    network = make_network(hidden, n_inputs, n_outputs, activation, kind, seed)
    orders = up_to_order(int(random.choice(ORDERS)), n_inputs)
    wanted = [
        Field(
            str(random.choice(list("uvw"[:n_outputs]))), orders[int(random.integers(len(orders)))]
        )
        for _ in range(int(random.integers(1, 7)))
    ]
    for dtype in TOLERANCE:
        assert_agrees(
            network,
            "uvw"[:n_outputs],
            list(dict.fromkeys(wanted)),
            int(random.integers(1, 200)),
            dtype,
        )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_great_and_small_arguments(activation: str) -> None:
    """Pre-activations from 1e-9 to 1e7: the ends of the range reduction, of the exponent, and near 0."""
    network = Mlp(
        1, [1], 1, activation=activation, random=np.random.default_rng(0), dtype=torch.float64
    )
    sizes = torch.logspace(-9, 7, 400, dtype=torch.float64)
    points = torch.cat([-sizes, sizes])[:, None]
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), (1.0, 1.0, 0.0, 0.0), strict=True):
            parameter.fill_(value)
    fields = [Field("u", (order,)) for order in range(5)]
    for dtype in TOLERANCE:
        found = FusedEngine(copy.deepcopy(network).to(dtype), ("u",), fields)
        found.network.inputs.double()
        exact = TaylorEngine(network, ("u",), fields)
        rounded = points.to(dtype).double()
        values, expected = (
            found.evaluate(found.prepare(rounded)),
            exact.evaluate(exact.prepare(rounded)),
        )
        for field in fields:
            reached = max(1.0, 1e-16 * 1e7 / TOLERANCE[dtype])
            torch.testing.assert_close(
                values[field].double(),
                expected[field],
                rtol=20 * torch.finfo(dtype).eps * reached,
                # A derivative more doubles what rounding leaves of σ′ where σ is flat.
                atol=3 * torch.finfo(dtype).eps * 2 ** sum(field.orders),
            )


def test_not_a_number_stays_one() -> None:
    """A clamp that swallowed it would hide a training that diverges."""
    for activation in ACTIVATIONS:
        network = make_network([5, 5], activation=activation)
        with torch.no_grad():
            network.weights[0][2, 0] = float("nan")
        for order in ORDERS:
            engine = FusedEngine(network, ("u",), [Field("u", (0, 0)), Field("u", (order, 0))])
            for values in engine.evaluate(engine.prepare(points_of(network, 10))).values():
                assert values.isnan().all(), activation


def test_periodic_inputs() -> None:
    network = Mlp(
        2,
        [12, 12],
        1,
        periods={0: Period(-1.0, 2.0, 3)},
        kind="llaaf",
        n=2,
        random=np.random.default_rng(1),
        dtype=torch.float64,
    )
    for order in ORDERS:
        fields = [Field("u", orders) for orders in up_to_order(order, 2)]
        assert_agrees(network, "u", fields, 90, torch.float64)


@pytest.mark.parametrize("n_points", [1, 2, 31, 32, 33, 1000, 3001])
def test_any_number_of_points(n_points: int) -> None:
    network = make_network([8, 8])
    for order in ORDERS:
        fields = [Field("u", orders) for orders in up_to_order(order, 2)]
        assert_agrees(network, "u", fields, n_points, torch.float64)


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
def test_any_number_of_threads_and_the_same_bits_each_time(
    n_threads: int, order: int, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "WORK_OF_A_THREAD", 1)
    threads(n_threads)
    network = make_network([20, 20, 20])
    fields = [Field("u", orders) for orders in up_to_order(order, 2)]
    assert_agrees(network, "u", fields, 500, torch.float64)
    engine = FusedEngine(network, ("u",), fields)
    prepared = engine.prepare(points_of(network, 2000))
    gradients = [gradient_of(network, weighted(engine.evaluate(prepared), 1)) for _ in range(3)]
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


def test_cotangents_that_are_missing_count_as_zero() -> None:
    network = make_network([6, 6])
    fields = [Field("u", (0, 0)), Field("u", (1, 0)), Field("u", (2, 0))]
    engines = FusedEngine(network, ("u",), fields), NestedEngine(network, ("u",), fields)
    one, other = (
        gradient_of(
            network,
            engine.evaluate(engine.prepare(points_of(network, 40)))[fields[1]].square().sum(),
        )
        for engine in engines
    )
    assert distance(one, other) < 1e-13


def test_two_forward_passes_before_their_backward_passes() -> None:
    """As when several conditions share an engine, or a balance asks for gradients of single terms."""
    network = make_network([10, 10])
    fields = [Field("u", (0, 0)), Field("u", (0, 2))]
    engine = FusedEngine(network, ("u",), fields)
    first, second = (engine.prepare(points_of(network, n, seed=n)) for n in (100, 60))
    alone = [
        gradient_of(network, weighted(engine.evaluate(prepared), 2)) for prepared in (first, second)
    ]
    values = [engine.evaluate(prepared) for prepared in (first, second)]
    assert torch.equal(gradient_of(network, weighted(values[0], 2)), alone[0])
    assert torch.equal(gradient_of(network, weighted(values[1], 2)), alone[1])


def test_float32_gradients_of_many_points_do_not_lose_digits() -> None:
    """Sums over 200,000 points: blocks are added up in double precision."""
    network = make_network([8, 8]).float()
    network.inputs.double()
    exact = copy.deepcopy(network).double()
    points = points_of(exact, 200_000)
    found, expected = (
        gradient_of(net, engine.evaluate(engine.prepare(points))[Field("u", (0, 0))].sum())
        for net, engine in (
            (network, FusedEngine(network, ("u",), [Field("u", (0, 0))])),
            (exact, FusedEngine(exact, ("u",), [Field("u", (0, 0))])),
        )
    )
    assert distance(found, expected) < 2e-6


RACE = dedent("""
    import sys, torch
    torch.set_num_threads(1)
    sys.path[:0] = {path!r}
    from laaf_cli.derivatives import kernel_name
    from test_kernel import ORDERS, TOLERANCE, assert_agrees, make_network, up_to_order
    from laaf_cli.derivatives.kernel import ACTIVATIONS
    from laaf_cli.expression import Field
    print(kernel_name())
    for activation in ACTIVATIONS:
        for dtype in TOLERANCE:
            for order in ORDERS:
                network = make_network([7, 20, 5], activation=activation)
                fields = [Field("u", orders) for orders in up_to_order(order, 2)]
                assert_agrees(network, "u", fields, 70, dtype)
""")


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("variant", ["avx2", "portable"])
def test_lesser_instruction_sets(variant: str) -> None:
    """Processors without AVX-512 run other code, which must be right as well."""
    if variant not in json.loads(BUILD_RECORD.read_text(encoding="utf-8"))["variants"]:
        pytest.skip(f"the kernel was built without {variant}")
    assert (
        python(RACE.format(path=[str(Path(__file__).parent)]), LAAF_KERNEL=variant).strip()
        == f"fused kernel ({variant})"
    )


def test_without_the_kernel_taylor_mode_in_torch_serves() -> None:
    code = "from laaf_cli.__main__ import main; import sys; sys.argv = ['laaf', 'check', 'burgers']; main()"
    printed = " ".join(python(code, LAAF_KERNEL="none", COLUMNS="200").split())
    assert "derivatives taylor in torch: LAAF_KERNEL=none turns the kernel off" in printed


def test_a_library_that_does_not_load_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from laaf_cli.derivatives.kernel import library

    (tmp_path / "fused.so").write_bytes(b"no library")
    monkeypatch.setattr(library, "LIBRARY", tmp_path / "fused.so")
    found = library.load_library.__wrapped__()
    assert isinstance(found, KernelMissing)
    assert found.reason.startswith("the kernel cannot be loaded: ")
    monkeypatch.setattr(library, "LIBRARY", tmp_path / "none.so")
    monkeypatch.setattr(library, "BUILD_RECORD", tmp_path / "built.json")
    assert library.load_library.__wrapped__() == KernelMissing(
        "the kernel was not built when laaf was installed"
    )
    (tmp_path / "built.json").write_text(
        '{"reason": "there was no C++ compiler"}', encoding="utf-8"
    )
    assert library.load_library.__wrapped__() == KernelMissing("there was no C++ compiler")


def test_the_choice_and_its_reasons() -> None:
    assert LIBRARY.exists()
    assert obstacle("cpu", "tanh", 2) == ""
    assert obstacle("cuda", "tanh", 2) == "the kernel is for the CPU, not for cuda"
    assert (
        obstacle("cpu", "tanh", 5)
        == "the kernel goes to order 4, and derivatives of order 5 are needed"
    )
    assert obstacle("cpu", "elu", 0).startswith(
        "the kernel has no activation function 'elu', only tanh, sin"
    )
    assert isinstance(make_fastest(make_network([4]), ("u",), [Field("u", (4, 0))]), FusedEngine)
    assert isinstance(
        ENGINES["auto"](make_network([4], activation="elu"), ("u",), [Field("u", (0, 0))]),
        TaylorEngine,
    )


def test_symmetric_update() -> None:
    library = load_library()
    assert not isinstance(library, KernelMissing)
    random = np.random.default_rng(0)
    for n, n_threads in ((1, 1), (5, 3), (37, 2), (130, 4)):
        dense = torch.tensor(random.standard_normal((n, n)))
        matrix = (dense + dense.T).contiguous()
        vectors = torch.tensor(random.standard_normal((3, n)))
        coefficients = torch.tensor(random.standard_normal(3))
        x = torch.tensor(random.standard_normal(n))
        expected = 0.7 * matrix + (coefficients[:, None] * vectors).T @ vectors
        product = library.symmetric_update(matrix, vectors, coefficients, 0.7, x, n_threads)
        torch.testing.assert_close(product, expected @ x, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(matrix.tril(), expected.tril(), rtol=1e-12, atol=1e-12)


def test_a_library_older_than_its_sources_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its structures may have another layout: after a pull into a source tree it must be built anew."""
    from laaf_cli.derivatives.kernel import library

    # A wheel does not hold the script.
    script = SimpleNamespace(fingerprint=lambda _folder: "of today")
    monkeypatch.setitem(sys.modules, "laaf_cli.derivatives.kernel.build", script)
    (tmp_path / "build.py").touch()
    (tmp_path / "fused.cpp").write_text("int x;", encoding="utf-8")
    (tmp_path / "fused.so").write_bytes(b"old")
    for name, file in (("FOLDER", ""), ("LIBRARY", "fused.so"), ("BUILD_RECORD", "built.json")):
        monkeypatch.setattr(library, name, tmp_path / file)
    (tmp_path / "built.json").write_text('{"sources": "of another day"}', encoding="utf-8")
    found = library.load_library.__wrapped__()
    assert found == KernelMissing(
        "the kernel is not that of its sources; build.py beside them builds it again"
    )
    (tmp_path / "build.py").unlink()  # as in a wheel
    assert library.load_library.__wrapped__().reason.startswith("the kernel cannot be loaded")
