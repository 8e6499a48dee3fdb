"""Whether a solution balances cells: what flows through their ends against what is taken away
inside.

A solver knows equations at points, with all derivatives worked out, and joins its elements by what
it takes to be continuous. The fluxes as the spec writes them, at both ends of a cell with breaks
inside, know nothing of that:

    F(b) − F(a) + ∫ rest dx = ∫ residual dx + Σ jumps of F inside [a, b].
"""

from __future__ import annotations

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
    n_pieces = 1 + n_modes // PER_PIECE
    shares = np.arange(n_pieces) / n_pieces
    fine = (elements[:-1, None] + np.diff(elements)[:, None] * shares).ravel()
    pieces = np.union1d(fine, ends)
    unit, weights = np.polynomial.legendre.leggauss(N_GAUSS)
    middle, half = (pieces[:-1] + pieces[1:]) / 2, np.diff(pieces) / 2
    points = (middle[:, None] + half[:, None] * unit).ravel()
    owners = np.searchsorted(ends, middle, side="right") - 1
    return Cells(
        ends=ends,
        points=points,
        weights=np.outer(half, weights).ravel(),
        owners=np.repeat(owners, N_GAUSS),
    )


def check_balances(
    balances: Sequence[Balance], axes: Sequence[Cells | float], on_grid: OnGrid, error: float
) -> None:
    """Checks that what flows through the ends of cells balances what arises in them.

    Args:
        axes: the cells along each axis, or the one value of its coordinate.
        error: of the unknowns, as a fraction of their sizes.

    Raises:
        ReferenceRefusedError: cells lack more than the error of the solution explains.
    """
    inside = [np.array([a]) if isinstance(a, float) else a.points for a in axes]
    for balance in balances:
        parts = [_integrated(on_grid(balance.rest, inside), axes)]
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
                largest = np.max(np.abs(on_grid(replace(field, orders=(0,) * len(axes)), inside)))
                lost = [
                    (PER_ORDER / (cells.ends[-1] - cells.ends[0])) ** order
                    for order, cells in zip(field.orders, axes, strict=True)
                    if isinstance(cells, Cells)
                ]
                explained = max(explained, float(np.max(slope) * largest * np.prod(lost)))
        lacking = float(np.max(np.abs(sum(parts))))
        size = max(float(np.max(part)) for part in sizes)
        if lacking > max(UNBALANCED * size, max(error, np.finfo(float).eps) * explained):
            raise ReferenceRefusedError(
                f"the solution does not keep the balance of the equation '{balance.name}': what "
                f"flows through the ends of some cell differs by {lacking / size:.1g} of its size "
                "from what the rest of the equation takes away inside"
            )


def _integrated(values: Array, axes: Sequence[Cells | float], but: int = -1) -> Array:
    for axis, cells in enumerate(axes):
        if isinstance(cells, Cells) and axis != but:
            values = cells.integrals(values, axis)
    return values
