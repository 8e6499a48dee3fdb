"""The unknowns and their derivatives in time at the start, from whatever equations give them
there.
"""

from __future__ import annotations

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.expression import NUMPY, Field, Node, evaluate, fields, partial
from laaf_cli.multi_index import derivative_name
from laaf_cli.references.evolution.form import EvolutionForm
from laaf_cli.references.evolution.mesh import Grid
from laaf_cli.references.reference import ReferenceRefusedError

MOST_ITERATIONS = 20


def initial_values(form: EvolutionForm, grid: Grid) -> dict[Field, Array]:
    """What the initial conditions say at the nodes of a grid, [n] for each unknown and derivative
    in time.

    Newton's method at every node by itself. Derivatives along space, as in u_t = −c u_x, are those
    of the values before, so that conditions that follow from one another settle one after the
    other.

    Raises:
        ReferenceRefusedError: the conditions contradict each other or leave something open.
    """
    x = grid.nodes_inside
    wanted = [
        form.field(j, 0, time) for j, order in enumerate(form.time_orders) for time in range(order)
    ]
    values = {field: np.zeros(len(x)) for field in wanted}
    slopes = [{field: partial(tree, field) for field in wanted} for tree in form.initial]
    for _ in range(MOST_ITERATIONS):
        known = _with_derivatives(form, grid, values)
        residual = np.stack([_at_start(form, tree, x, known) for tree in form.initial], axis=1)
        matrix = np.stack(
            [
                np.stack([_at_start(form, row[field], x, known) for field in wanted], axis=1)
                for row in slopes
            ],
            axis=1,
        )
        if not (np.all(np.isfinite(residual)) and np.all(np.isfinite(matrix))):
            raise ReferenceRefusedError(
                f"the initial conditions are not finite at {_first_fault(form, x, residual)}"
            )
        if np.any(np.linalg.matrix_rank(matrix) < len(wanted)):
            names = ", ".join(
                derivative_name(field.unknown, field.orders, form.coordinates) for field in wanted
            )
            raise ReferenceRefusedError(f"the initial conditions do not determine {names}")
        change = (np.linalg.pinv(matrix) @ residual[:, :, None])[:, :, 0]
        for field, part in zip(wanted, change.T, strict=True):
            values[field] = values[field] - part
        size = max(float(np.max(np.abs(value))) for value in values.values())
        if np.max(np.abs(change)) <= 1e-13 * max(size, 1e-300):
            break
    weight = np.max(np.abs(matrix), axis=(0, 2)) * max(size, 1.0)
    if np.any(np.abs(residual) > 1e-9 * weight):
        raise ReferenceRefusedError("the initial conditions contradict each other")
    return values


def _with_derivatives(
    form: EvolutionForm, grid: Grid, values: dict[Field, Array]
) -> dict[Field, Array]:
    known = dict(values)
    for field in {field for tree in form.initial for field in fields(tree)}:
        space = form.space_order(field)
        if space > 0:
            plain = values[form.field(form.unknown(field), 0, form.time_order(field))]
            known[field] = grid.operators(grid.nodes, grid.element_of_node, space)[space] @ plain
    return known


def _at_start(form: EvolutionForm, tree: Node, x: Array, values: dict[Field, Array]) -> Array:
    symbols: dict[str, Array | float] = {
        form.coordinates[form.time_axis]: np.full(len(x), form.start)
    }
    if form.space_axis is not None:
        space = form.coordinates[form.space_axis]
        symbols |= {space: x, f"normal {space}": 0.0}
    with np.errstate(all="ignore"):
        return np.array(
            np.broadcast_to(evaluate(tree, symbols, values, NUMPY), len(x)), dtype=np.float64
        )


def _first_fault(form: EvolutionForm, x: Array, residual: Array) -> str:
    if form.space_axis is None:
        return f"t = {form.start:g}"
    place = x[~np.all(np.isfinite(residual), axis=1)]
    return f"{form.coordinates[form.space_axis]} = {place[0] if len(place) else x[0]:g}"


def smooths(form: EvolutionForm, grid: Grid) -> bool:
    """Whether the equations damp short waves as diffusion does, judged by their highest derivatives
    at the start.

    With ∂F/∂u_t the matrix M and ∂F/∂(∂ᵈu/∂xᵈ) the matrix K, waves of wave number k change by the
    eigenvalues of −M⁻¹ K (ik)ᵈ, whose real parts are negative where waves are damped.
    """
    order = max(form.space_orders)
    if set(form.time_orders) != {1} or order % 2:
        return False
    x = grid.nodes
    values = dict(initial_values(form, grid))
    for tree in form.equations:
        for field in fields(tree):
            if form.time_order(field) == 0:
                plain = values[form.field(form.unknown(field), 0, 0)]
                values[field] = (
                    grid.operators(x, grid.element_of_node, 4)[form.space_order(field)] @ plain
                )
            else:
                values[field] = np.zeros(len(x))
    unknowns = range(len(form.unknowns))

    def slopes(space: int, time: int) -> Array:
        trees = [
            [partial(tree, form.field(j, space, time)) for j in unknowns] for tree in form.equations
        ]
        rows = [
            np.stack([_at_start(form, entry, x, values) for entry in row], axis=1) for row in trees
        ]
        return np.stack(rows, axis=1)

    mass = slopes(0, 1)
    if np.any(np.linalg.matrix_rank(mass) < len(form.unknowns)):
        return False
    rates = np.linalg.eigvals(-np.linalg.solve(mass, slopes(order, 0))).real * (-1.0) ** (
        order // 2
    )
    return bool(np.all(rates < 0))
