"""Fuzzing of expressions: parsed, resolved, differentiated and computed as those of a spec are.

    python tests/fuzz/expressions.py --n 200000 [--seed 0]

Fails where anything but an ExpressionError comes out, anything is executed, or a text takes more than a second.
"""

from __future__ import annotations

import sys
from typing import Any

import campaign
import numpy as np
import torch
from expression_texts import any_expression
from tripwire import armed

from laaf_cli.expression import (
    NUMPY,
    Backend,
    ExpressionError,
    Field,
    Node,
    Number,
    Scope,
    differentiate,
    evaluate,
    fields,
    parse_equation,
    resolve,
    rounding_bound,
    symbols,
)
from laaf_cli.expression.linear import linear_coefficients
from laaf_cli.problem.domain import Domain
from laaf_cli.problem.jumps import lost_jumps

N_POINTS = 8

DOMAIN = Domain(coordinates=("x", "y", "t"), lower=(-1.0, 0.0, 0.0), upper=(1.0, 1.0, 1.0))
SCOPE = Scope(
    coordinates=DOMAIN.coordinates,
    unknowns=("u", "v"),
    constants={"nu": 0.1, "k": 2.0},
    time="t",
    normal={"x": Number(1.0), "y": Number(0.0)},
)
TORCH = Backend(module=torch, array=lambda number: torch.tensor(number, dtype=torch.float64))


def examine(text: str) -> bool:
    """Whether a text is an expression; raises whatever is not an ExpressionError."""
    with armed() as tried:
        accepted = _examine(text)
    assert not tried, tried
    return accepted


def _examine(text: str) -> bool:
    try:
        parsed = parse_equation(text)
        tree = resolve(parsed, SCOPE)
    except ExpressionError as error:
        _check_faults(error, text)
        return False
    lost_jumps(parsed, SCOPE, DOMAIN)
    linear_coefficients(tree)
    derived = [tree]
    for coordinate in DOMAIN.coordinates:
        try:
            derived.append(differentiate(tree, coordinate, DOMAIN.coordinates))
        except ExpressionError as error:
            assert error.faults
    for each in derived:
        _compute(each)
    return True


def _check_faults(error: ExpressionError, text: str) -> None:
    """Every fault stands in the text, and says something."""
    assert error.faults
    for fault in error.faults:
        first, last = fault.span
        assert 0 <= first <= last <= max(1, len(text)), fault
        assert fault.what


def _compute(tree: Node) -> None:
    """Values in NumPy, a bound of their rounding, and values and gradients in torch."""
    random = np.random.default_rng(0)
    values: dict[Any, Any] = {
        name: random.uniform(-1.5, 1.5, N_POINTS) for name in sorted(symbols(tree))
    }
    ordered = sorted(fields(tree), key=lambda field: (field.unknown, field.orders))
    values |= {field: random.uniform(-1.5, 1.5, N_POINTS) for field in ordered}
    with np.errstate(all="ignore"):
        np.broadcast_to(evaluate(tree, values, values, NUMPY), N_POINTS)
        np.broadcast_to(rounding_bound(tree, values, values), N_POINTS)
    tensors = {name: torch.from_numpy(value) for name, value in values.items()}
    unknowns = [
        tensor.requires_grad_() for name, tensor in tensors.items() if isinstance(name, Field)
    ]
    residual = evaluate(tree, tensors, tensors, TORCH)
    if unknowns and residual.requires_grad:
        residual.expand(N_POINTS).sum().backward()


def warm_up() -> None:
    """Loads what is loaded at first use, so that a text that imports something is seen."""
    for text in (
        "u_t = D(erf(x)*u, x) + laplacian(u) + floor(t)",
        "min(u, atan2(x, abs(t)))",
        "(",
        "sin(u,",
    ):
        _examine(text)


if __name__ == "__main__":
    expressions = campaign.Campaign(
        what="expressions",
        n=200_000,
        draw=any_expression,
        examine=examine,
        write=str,
        begin=warm_up,
    )
    sys.exit(campaign.main(expressions))
