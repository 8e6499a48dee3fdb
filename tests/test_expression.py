"""Expressions: values against NumPy, derivatives against finite differences and SymPy-free identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from laaf_cli.expression import (
    NUMPY,
    Backend,
    Call,
    Field,
    Node,
    Number,
    Scope,
    Symbol,
    differentiate,
    evaluate,
    fields,
    parse,
    parse_equation,
    partial,
    resolve,
    symbols,
)
from laaf_cli.expression.functions import FUNCTIONS, OPERATORS

SCOPE = Scope(
    coordinates=("x", "t"), unknowns=("u", "v"), constants={"nu": 0.25, "k": 3.0}, time="t"
)
TORCH = Backend(module=torch, array=lambda number: torch.as_tensor(number, dtype=torch.float64))


def tree(text: str) -> Node:
    return resolve(parse_equation(text), SCOPE)


def value(text: str, **names: float) -> float:
    return float(evaluate(tree(text), names, {}, NUMPY))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2*3", 7),
        ("-2**2", -4),
        ("2**3**2/512", 1),
        ("+x - -x", 0.6),
        ("(x + t)*nu", 0.3),
        ("0.01/pi", 0.01 / math.pi),
        ("1e-3 + .5", 0.501),
        ("min(x, t) + 10*max(x, t)", 9.3),
        ("where(x < t, 1, 2)", 1),
        ("where(0 < x <= 0.3 and t > 5, 1, 2)", 2),
        ("where(x < 0 or t > 0.5, 1, 2)", 1),
        ("where(1 < 2, x, t)", 0.3),
        ("atan2(t, x)", math.atan2(0.9, 0.3)),
        ("erf(x)", math.erf(0.3)),
        ("log10(1000)", 3),
        ("sign(-x) + floor(2.7) + abs(-4)", 5),
        ("sqrt(k*12)", 6),
        ("e", math.e),
    ],
)
def test_values(text: str, expected: float) -> None:
    assert value(text, x=0.3, t=0.9) == pytest.approx(expected, rel=1e-15)


def test_residual_is_left_minus_right() -> None:
    assert tree("u_t + u*u_x = nu*u_xx") == tree("u_t + u*u_x - nu*u_xx")
    assert fields(tree("u_t + u*v_x = nu*u_xx")) == {
        Field("u", (0, 1)),
        Field("u", (0, 0)),
        Field("v", (1, 0)),
        Field("u", (2, 0)),
    }
    assert symbols(tree("x*u")) == {"x"}


def test_derivative_operators_expand() -> None:
    assert tree("D(u, x, x)") == tree("u_xx")
    assert tree("laplacian(u)") == tree("u_xx"), "time is not a coordinate of space"
    assert tree("D(x**2*u_x, x)") == tree("u_x*(2*x) + x**2*u_xx")
    assert tree("u_tx") == tree("u_xt")
    plane = Scope(coordinates=("x", "y"), unknowns=("u",))
    assert resolve(parse("laplacian(u)"), plane) == resolve(parse("u_xx + u_yy"), plane)


def test_constants_fold() -> None:
    assert tree("2*nu*k*0 + 1*u + 0") == Field("u", (0, 0))
    assert tree("2*nu") == Number(0.5)


def test_spans_are_characters_of_the_text() -> None:
    text = " nu  + u*sin(x)"
    product = parse(text).arguments[1]  # type: ignore[union-attr]
    assert isinstance(product, Call)
    assert text[slice(*product.span)] == "u*sin(x)"
    assert text[slice(*product.arguments[1].span)] == "sin(x)"


ARGUMENTS = {  # where each function is smooth
    "acosh": (1.2, 3.0),
    "log": (0.2, 3.0),
    "log10": (0.2, 3.0),
    "sqrt": (0.2, 3.0),
    "asin": (-0.9, 0.9),
    "acos": (-0.9, 0.9),
    "atanh": (-0.9, 0.9),
    "tan": (-1.2, 1.2),
}


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n != "where"])
def test_every_function_numpy_torch_and_derivative(name: str) -> None:
    low, high = ARGUMENTS.get(name, (-2.1, 2.3))
    x = np.linspace(low, high, 37) + 1e-3
    arguments = "x" if FUNCTIONS[name].n_arguments == 1 else "x, 0.7 - x**2"
    f = tree(f"{name}({arguments})")
    by_numpy = evaluate(f, {"x": x}, {}, NUMPY)
    xt = torch.tensor(x, requires_grad=True)
    by_torch = evaluate(f, {"x": xt}, {}, TORCH)
    np.testing.assert_allclose(by_torch.detach().numpy(), by_numpy, rtol=1e-14, atol=1e-15)
    gradient = (
        torch.autograd.grad(by_torch.sum(), xt)[0]
        if by_torch.requires_grad
        else torch.zeros_like(xt)
    )
    symbolic = np.broadcast_to(
        evaluate(differentiate(f, "x", ("x", "t")), {"x": x}, {}, NUMPY), x.shape
    )
    np.testing.assert_allclose(symbolic, gradient.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "text",
    [
        "x*t",
        "x/t",
        "x**3",
        "x**t",
        "2**x",
        "-x*t",
        "x - t/x",
        "where(x < t, x**2, t*x)",
        "exp(-x**2/nu)*sin(k*t)",
        "(x + t)**-2",
    ],
)
@pytest.mark.parametrize("coordinate", ["x", "t"])
def test_operators_against_central_differences(text: str, coordinate: str) -> None:
    f, at, h = tree(text), {"x": 0.7, "t": 1.3}, 1e-5
    derivative = float(evaluate(differentiate(f, coordinate, ("x", "t")), at, {}, NUMPY))
    up, down = ({**at, coordinate: at[coordinate] + sign * h} for sign in (1, -1))
    numeric = (evaluate(f, up, {}, NUMPY) - evaluate(f, down, {}, NUMPY)) / (2 * h)
    assert derivative == pytest.approx(float(numeric), rel=1e-8, abs=1e-8)


PARTIALS = {
    Field("u", (0, 0)): 0.6,
    Field("u", (1, 0)): -0.4,
    Field("v", (0, 0)): 1.3,
    Field("u", (0, 1)): 0.8,
}


@pytest.mark.parametrize("field", PARTIALS)
@pytest.mark.parametrize(
    "text",
    [
        "u_t + u*u_x - v/u",
        "exp(-u**2*x)*sin(v*u_x)",
        "where(u > 0.5, u**3*u_x, 7) + max(u, u_x)*t",
        "sqrt(1 + u_x**2)*u_t**2 - 5*u**v",
        "x*t",
    ],
)
def test_partial_derivatives_against_central_differences(text: str, field: Field) -> None:
    f, at, h = tree(text), {"x": 0.7, "t": 1.3}, 1e-5
    derivative = float(evaluate(partial(f, field), at, PARTIALS, NUMPY))
    up, down = (
        evaluate(f, at, PARTIALS | {field: PARTIALS[field] + sign * h}, NUMPY) for sign in (1, -1)
    )
    assert derivative == pytest.approx(float(up - down) / (2 * h), rel=1e-8, abs=1e-8)


def test_other_fields_are_constants_of_a_partial_derivative() -> None:
    assert partial(tree("u*u_x + x"), Field("u", (0, 0))) == tree("u_x")
    assert partial(tree("u*u_x + x"), Field("v", (0, 0))) == Number(0)


def test_derivative_of_the_other_branch_does_not_spoil_the_one_in_use() -> None:
    f = differentiate(tree("where(x > 0, sqrt(x), 0)"), "x", ("x", "t"))
    with np.errstate(invalid="ignore"):
        assert evaluate(f, {"x": np.array([-1.0, 4.0])}, {}, NUMPY).tolist() == [0.0, 0.25]


numbers = st.floats(0.1, 3).map(Number)
leaves = st.one_of(
    numbers, st.sampled_from([Symbol("x"), Symbol("t"), Field("u", (0, 0)), Field("u", (1, 0))])
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["+", "-", "*"]), inner, inner).map(lambda p: Call(p[0], p[1:])),
        st.tuples(st.sampled_from(["sin", "cos", "tanh", "neg"]), inner).map(
            lambda p: Call(p[0], p[1:])
        ),
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60)
@given(trees, st.floats(-1, 1), st.floats(-1, 1))
def test_mixed_derivatives_commute(node: Node, x: float, t: float) -> None:
    xt = differentiate(differentiate(node, "x", ("x", "t")), "t", ("x", "t"))
    tx = differentiate(differentiate(node, "t", ("x", "t")), "x", ("x", "t"))
    values = {Field("u", (i, j)): math.sin(1 + i + 3 * j) for i in range(4) for j in range(3)}
    a, b = (float(evaluate(d, {"x": x, "t": t}, values, NUMPY)) for d in (xt, tx))
    assert a == pytest.approx(b, rel=1e-9, abs=1e-9)


def test_every_operator_has_an_interpretation() -> None:
    from laaf_cli.expression.interpret import _OPERATORS

    assert set(_OPERATORS) == set(OPERATORS)
    assert set(NUMPY.table) == set(TORCH.table) == set(FUNCTIONS)


@pytest.mark.parametrize("text", ["x/t", "t**-x", "(-x)**0.5", "(1e200*x)**2", "exp(1e200*x) - t"])
def test_plain_numbers_overflow_as_arrays_do(text: str) -> None:
    """Where Python's own raise, or turn complex."""
    f, at = tree(text), {"x": 1.5, "t": 0.0}
    with np.errstate(all="ignore"):
        expected = evaluate(f, {name: np.array([one]) for name, one in at.items()}, {}, NUMPY)[0]
        assert evaluate(f, at, {}, NUMPY) == pytest.approx(expected, nan_ok=True)
