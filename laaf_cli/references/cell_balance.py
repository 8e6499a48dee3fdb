"""Whether a solution balances cells: what flows through their ends against what is taken away
inside.

A solver knows equations at points, with all derivatives worked out, and joins its elements by what
it takes to be continuous. The fluxes as the spec writes them, at both ends of a cell with breaks
inside, know nothing of that:

    F(b) − F(a) + ∫ rest dx = ∫ residual dx + Σ jumps of F inside [a, b].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from laaf_cli.arrays import Array
from laaf_cli.expression import Node, fields, partial
from laaf_cli.problem import Balance
from laaf_cli.references.reference import ReferenceRefusedError

N_CELLS = 9
N_GAUSS = 20
FINER, MOST_CUTS, MOST_POINTS = 4, 3, 2_000_000
"""Pieces that one is cut into where cells lack something; how often integrals are taken; the most
points of them.
"""
AT_A_TIME = 4096
"""Points along the first axis."""
PER_PIECE = 16  # modes or nodes of an element for each piece on which Gauss's rule is applied
UNBALANCED = 1e-5
"""Of the largest flux or integral: what a cell may lack."""
PER_ORDER = 1e4
"""By how much a derivative over the length of the domain is less accurate than its unknown."""

OnGrid = Callable[[Node, Sequence[Array]], Array]
"""(tree, the points along each axis) → its values on their grid."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """An axis cut into cells at places that are no solver's nodes."""

    ends: Array
    """The ends of the cells [n_cells + 1], ascending."""
    points: Array
    """Points of the integrals over them [n]."""
    weights: Array
    """Weights of the points [n]."""
    owners: NDArray[np.intp]
    """The cell of each point [n]."""
    pieces: Array
    """The ends of the pieces on which Gauss's rule is applied, ascending."""

    def finer(self) -> Cells:
        """The same cells with FINER times as many pieces."""
        return _with_pieces(self.ends, _cut(self.pieces, FINER))

    def integrals(self, values: Array, axis: int) -> Array:
        """Over each cell along an axis of values at the points."""
        result: Array = np.add.reduceat(
            np.moveaxis(values, axis, -1) * self.weights,
            np.searchsorted(self.owners, np.arange(len(self.ends) - 1)),
            axis=-1,
        )
        return np.moveaxis(result, -1, axis)


def make_cells(elements: Array, n_modes: int) -> Cells:
    """Cells of an axis.

    Args:
        elements: the ends of a solver's elements, ascending.
        n_modes: the modes on each element.
    """
    lower, upper = elements[0], elements[-1]
    golden = (np.sqrt(5) - 1) / 2
    inner = np.sort((golden * np.arange(1, N_CELLS)) % 1.0)
    ends = np.concatenate([[lower], lower + (upper - lower) * inner, [upper]])
    return _with_pieces(ends, np.union1d(_cut(elements, 1 + n_modes // PER_PIECE), ends))


def _cut(ends: Array, n: int) -> Array:
    """The ends of pieces, each of which is cut into n."""
    within = ends[:-1, None] + np.diff(ends)[:, None] * (np.arange(n) / n)
    return np.append(within.ravel(), ends[-1])


def _with_pieces(ends: Array, pieces: Array) -> Cells:
    unit, weights = np.polynomial.legendre.leggauss(N_GAUSS)
    middle, half = (pieces[:-1] + pieces[1:]) / 2, np.diff(pieces) / 2
    points = (middle[:, None] + half[:, None] * unit).ravel()
    owners = np.searchsorted(ends, middle, side="right") - 1
    return Cells(
        ends=ends,
        points=points,
        weights=np.outer(half, weights).ravel(),
        owners=np.repeat(owners, N_GAUSS),
        pieces=pieces,
    )


def check_balances(
    balances: Sequence[Balance], axes: Sequence[Cells | float], on_grid: OnGrid, error: float
) -> None:
    """Checks that what flows through the ends of cells balances what arises in them.

    Args:
        axes: the cells along each axis, or the one value of its coordinate.
        error: of the unknowns, as a fraction of their sizes.

    Raises:
        ReferenceRefusedError: cells lack more than the error of the solution explains, however
            fine the integrals over them.
    """
    for balance in balances:
        finer = axes
        for _ in range(MOST_CUTS):
            lacking = _lacking(balance, finer, on_grid, error)
            # Formulas may be finer than the solution, and than the elements that follow it.
            finer = [a if isinstance(a, float) else a.finer() for a in finer]
            n_points = math.prod(1 if isinstance(a, float) else len(a.points) for a in finer)
            if lacking == 0 or n_points > MOST_POINTS:
                break
        if lacking != 0:
            raise ReferenceRefusedError(
                f"the solution does not keep the balance of the equation '{balance.name}': what "
                f"flows through the ends of some cell differs by {lacking:.1g} of its size "
                "from what the rest of the equation takes away inside"
            )


def _lacking(
    balance: Balance, axes: Sequence[Cells | float], on_grid: OnGrid, error: float
) -> float:
    """What some cell lacks, as a fraction of the largest flux or integral; 0 where the error of
    the solution explains it.
    """
    inside = [np.array([a]) if isinstance(a, float) else a.points for a in axes]
    blocks = np.array_split(inside[0], 1 + len(inside[0]) // AT_A_TIME)

    def at_points(tree: Node) -> Array:
        return np.concatenate([on_grid(tree, [block, *inside[1:]]) for block in blocks])

    parts = [_integrated(at_points(balance.rest), axes)]
    sizes, explained = [np.abs(parts[0])], 0.0
    for axis, flux in balance.fluxes.items():
        ends = [
            cells.ends if i == axis and isinstance(cells, Cells) else inside[i]
            for i, cells in enumerate(axes)
        ]
        through = _integrated(on_grid(flux, ends), axes, but=axis)
        parts.append(np.diff(through, axis=axis))
        sizes.append(np.abs(through))
        for field in fields(flux):
            slope = _integrated(np.abs(on_grid(partial(flux, field), ends)), axes, but=axis)
            largest = np.max(np.abs(at_points(replace(field, orders=(0,) * len(axes)))))
            lost = [
                (PER_ORDER / (cells.ends[-1] - cells.ends[0])) ** order
                for order, cells in zip(field.orders, axes, strict=True)
                if isinstance(cells, Cells)
            ]
            explained = max(explained, float(np.max(slope) * largest * np.prod(lost)))
    lacking = float(np.max(np.abs(sum(parts))))
    size = max(float(np.max(part)) for part in sizes)
    is_missed = lacking > max(UNBALANCED * size, max(error, np.finfo(float).eps) * explained)
    return lacking / size if is_missed else 0.0


def _integrated(values: Array, axes: Sequence[Cells | float], but: int = -1) -> Array:
    for axis, cells in enumerate(axes):
        if isinstance(cells, Cells) and axis != but:
            values = cells.integrals(values, axis)
    return values
