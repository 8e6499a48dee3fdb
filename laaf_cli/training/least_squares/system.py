"""The residuals of a problem as rows, linear in the output layer, at sets of points."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from laaf_cli import processes
from laaf_cli.arrays import Array
from laaf_cli.derivatives.features import features
from laaf_cli.expression import NUMPY, Backend, Field, Node, evaluate, fields, hoist
from laaf_cli.multi_index import Orders
from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import Domain, PointSet, Problem, Term

POINTS_AT_A_TIME = 4096

CACHED_NUMBERS = 40_000_000
"""Of columns that are kept between two steps: a third of a gigabyte."""

TINY = 1e-300

NEGLIGIBLE = 1e-3
"""The fraction of the size that it could have below which something counts as zero."""

KINDS = ("equation", "condition", "data")


@dataclass(frozen=True, kw_only=True)
class OutputLayerState:
    """What is solved for: the output layer [n_outputs, width + 1], the bias last, and the free
    parameters of learned constants by name.
    """

    layer: Tensor
    free: Mapping[str, Tensor]

    def moved(self, step: Tensor, scales: Tensor) -> OutputLayerState:
        """The state after a step [n] in columns of these scales [n]."""
        change = step * scales
        n = self.layer.numel()
        return OutputLayerState(
            layer=self.layer + change[:n].view_as(self.layer),
            free={name: v + change[n + i] for i, (name, v) in enumerate(self.free.items())},
        )


@dataclass(frozen=True, kw_only=True)
class Equation:
    """One residual: a tree in fields and symbols, and the kind and weight of its term."""

    kind: str
    weight: float
    tree: Node
    fields: tuple[Field, ...]


class ResidualPoints:
    """Points that residuals share, those of them that this process has, and what the residuals need
    there besides the network.
    """

    def __init__(
        self, problem: Problem, terms: Sequence[Term], point_set: PointSet, device: torch.device
    ) -> None:
        self.n_residuals = point_set.n_residuals  # of all processes
        point_set = point_set.of_residuals(processes.share(self.n_residuals))
        self.points = torch.tensor(point_set.points, dtype=torch.float64, device=device)
        self.combination = self._tensor(point_set.combination)
        self.row_weights = self._tensor(point_set.row_weights)
        columns = dict(zip(problem.domain.coordinates, point_set.points.T, strict=True))
        columns |= point_set.symbols
        self.symbols: dict[str, Tensor] = {}
        self.equations: list[Equation] = []
        for term in terms:
            for i, whole in enumerate(term.residuals):
                if i in problem.residuals_satisfied_by_ansatz.get(term.name, ()):
                    continue  # rounding would be all that its rows hold
                tree, parts = hoist(whole, f"{term.name} {i}", problem.learned)
                for name, part in parts.items():
                    self.symbols[name] = self._at_points(part, columns)
                self.equations.append(
                    Equation(
                        kind=term.kind,
                        weight=term.weight,
                        tree=tree,
                        fields=tuple(sorted(fields(tree), key=lambda f: (f.unknown, f.orders))),
                    )
                )

    def _tensor(self, values: Array | None) -> Tensor | None:
        return None if values is None else self.points.new_tensor(values)

    def _at_points(self, part: Node, columns: Mapping[str, Array]) -> Tensor:
        with np.errstate(all="ignore"):
            values = np.broadcast_to(evaluate(part, columns, {}, NUMPY), len(self.points))
        return torch.tensor(values, device=self.points.device)

    @property
    def run(self) -> int:
        """Points of one residual."""
        return 1 if self.combination is None else len(self.combination)

    @cached_property
    def orders(self) -> set[Orders]:
        """The derivatives that the equations need, as orders along each coordinate."""
        return {f.orders for equation in self.equations for f in equation.fields}

    def blocks(self) -> Iterator[slice]:
        """Whole residuals, so many points at a time."""
        size = max(1, POINTS_AT_A_TIME // self.run) * self.run
        for start in range(0, max(1, len(self.points)), size):
            yield slice(start, min(start + size, len(self.points)))


@dataclass(frozen=True, kw_only=True)
class LinearisedResidual:
    """A residual at a state: its values [r], ∂/∂field [n_points] each, ∂/∂free parameter, and the
    size of its terms, a number.
    """

    residual: Tensor
    by_field: Mapping[Field, Tensor]
    by_constant: Mapping[str, Tensor]
    size: float


class System:
    """All residuals at their points, for one hidden network.

    Attributes:
        of_zero: the sizes of outputs that are zero beside the others, by name.

    Args:
        domain: the part of the problem's that is solved.
        inner: points [n, d] all over it.
        floors: the smallest that is taken for the spread of an output, by name.
        width: neurons that are used.
        keeps: whether columns are wanted more than once.
    """

    def __init__(
        self,
        problem: Problem,
        domain: Domain,
        network: Mlp,
        sites: Sequence[ResidualPoints],
        backend: Backend,
        constants: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
        inner: Tensor,
        floors: Mapping[str, float],
        width: int,
        *,
        keeps: bool = False,
    ) -> None:
        self.domain = domain
        self.network = network
        self.sites = sites
        self.backend = backend
        self.constants = constants
        self.outputs = problem.ansatz.outputs
        self.inner = inner
        self.floors = floors
        self.of_zero: Mapping[str, float] = {}
        self._last: (
            tuple[OutputLayerState, list[tuple[int, Equation, LinearisedResidual]]] | None
        ) = None
        self.half_range = [
            (upper - lower) / 2 for lower, upper in zip(domain.lower, domain.upper, strict=True)
        ]
        self.width, self.n_columns = width, width + 1
        self._kept: dict[tuple[int, int], dict[Orders, Tensor]] = {}
        n_numbers = sum(len(site.points) * len(site.orders) for site in sites) * self.n_columns
        self._keeps = keeps and n_numbers <= CACHED_NUMBERS
        self._inner: dict[Orders, Tensor] = {}

    def columns(self, site: int, block: slice) -> dict[Orders, Tensor]:
        """The columns [n_points, width + 1] at a block of the points of a site, by derivative."""
        key = site, block.start
        if key in self._kept:
            return self._kept[key]
        here = self.sites[site]
        columns = features(self.network, here.points[block], here.orders, self.width)
        if self._keeps:
            self._kept[key] = columns
        return columns

    def inside(self, orders: Orders) -> Tensor:
        """The columns of a derivative at points all over the domain."""
        if orders not in self._inner:
            self._inner |= features(self.network, self.inner, [orders], self.width)
        return self._inner[orders]

    def values(self, state: OutputLayerState, output: str, orders: Orders | None = None) -> Tensor:
        """An output, or a derivative of it, at points all over the domain."""
        columns = self.inside(orders or (0,) * self.domain.dimension)
        return columns @ state.layer[self.outputs.index(output)]

    def _typical(self, state: OutputLayerState, field: Field, *, is_alone: bool) -> float:
        """The size of a field all over the domain.

        Alone in its residual, as u = 0, it is measured by the amplitude of its unknown over the
        length of the domain; beside others by a fraction of that where it is zero, or rounding
        would be all that it is compared with.
        """
        seen = float(self.values(state, field.unknown, field.orders).square().mean().sqrt())
        u = self.values(state, field.unknown)
        spread = float(u.std())
        is_rate = any(field.orders) and spread > 1e-8 * float(u.abs().max())
        amplitude = spread if is_rate else float(u.square().mean().sqrt())
        floors = self.floors.get(field.unknown, 0.0), self.of_zero.get(field.unknown, 0.0)
        share = 1.0 if is_alone else NEGLIGIBLE
        return max(seen, share * max(amplitude, *floors) / self._length(field))

    def _length(self, field: Field) -> float:
        """Half the lengths of the domain to the orders of a derivative."""
        return math.prod(h**k for h, k in zip(self.half_range, field.orders, strict=True))

    def linearised(
        self, state: OutputLayerState, kinds: Collection[str] = KINDS
    ) -> list[tuple[int, Equation, LinearisedResidual]]:
        """Every residual of these kinds of terms at a state, with the index of its site."""
        if self._last is not None and self._last[0] is state and kinds is KINDS:
            return self._last[1]
        residuals = [
            (i, equation, linearised)
            for i, site in enumerate(self.sites)
            for equation, linearised in self._at_site(state, i, site, kinds)
        ]
        if kinds is KINDS:
            self._last = state, residuals
        return residuals

    def _at_site(
        self, state: OutputLayerState, i: int, site: ResidualPoints, kinds: Collection[str]
    ) -> Iterator[tuple[Equation, LinearisedResidual]]:
        equations = [equation for equation in site.equations if equation.kind in kinds]
        seen = self._seen(state, i, equations)
        for equation in equations:
            yield equation, self._linearise(state, site, equation, seen)

    def _seen(
        self, state: OutputLayerState, i: int, equations: Sequence[Equation]
    ) -> dict[Field, Tensor]:
        """The fields that equations need at the points of their site, [n_points] each."""
        seen: dict[Field, list[Tensor]] = {f: [] for e in equations for f in e.fields}
        for block in self.sites[i].blocks() if seen else ():
            columns = self.columns(i, block)
            for field, values in seen.items():
                row = state.layer[self.outputs.index(field.unknown)]
                values.append(columns[field.orders] @ row)
        return {field: torch.cat(values) for field, values in seen.items()}

    @torch.no_grad()
    def residuals(self, state: OutputLayerState) -> list[tuple[int, Equation, Tensor]]:
        """The values of every residual at a state, in the order of `linearised`."""
        residuals = []
        for i, site in enumerate(self.sites):
            seen = self._seen(state, i, site.equations)
            symbols = {**site.symbols, **self.constants(state.free)}
            for equation in site.equations:
                r = evaluate(equation.tree, symbols, seen, self.backend)
                r = r * site.points.new_ones(len(site.points))
                if site.combination is not None:
                    r = r.view(-1, site.run) @ site.combination
                residuals.append((i, equation, r))
        return residuals

    def _linearise(
        self,
        state: OutputLayerState,
        site: ResidualPoints,
        equation: Equation,
        seen: Mapping[Field, Tensor],
    ) -> LinearisedResidual:
        n = len(site.points)
        values = {field: seen[field].clone().requires_grad_() for field in equation.fields}
        # One of each at every point, so that derivatives are separate by point.
        free = {name: v.expand(n).clone().requires_grad_() for name, v in state.free.items()}
        with torch.enable_grad():
            symbols = {**site.symbols, **self.constants(free)}
            r = evaluate(equation.tree, symbols, values, self.backend) * site.points.new_ones(n)
            leaves = [*values.values(), *free.values()]
            slopes = (
                torch.autograd.grad(r.sum(), leaves, allow_unused=True, materialize_grads=True)
                if r.requires_grad
                else [torch.zeros_like(leaf) for leaf in leaves]
            )
        r = r.detach()
        by_field = dict(zip(values, slopes[: len(values)], strict=True))
        size, rest = torch.zeros_like(r), r.clone()
        for field, slope in by_field.items():
            typical = self._typical(state, field, is_alone=len(by_field) == 1)
            size += slope.abs() * seen[field].abs().clamp(min=typical)
            rest -= slope * seen[field]
        size += rest.abs()
        if site.combination is not None:
            r = r.view(-1, site.run) @ site.combination
            size = size.view(-1, site.run) @ site.combination.abs()
        weights = 1.0 if site.row_weights is None else site.row_weights
        return LinearisedResidual(
            residual=r,
            by_field=by_field,
            by_constant=dict(zip(free, slopes[len(values) :], strict=True)),
            size=max(float(processes.mean(weights * size.square()).sqrt()), TINY),
        )

    def factors(self, i: int, equation: Equation, n_rows: int) -> Tensor:
        """What makes the sum of the squares of a residual's rows its part of the loss, [n_rows]."""
        site = self.sites[i]
        weights = site.points.new_ones(n_rows) if site.row_weights is None else site.row_weights
        return (equation.weight / site.n_residuals * weights).sqrt()

    def jacobian(
        self, i: int, at: LinearisedResidual, blocks: Iterable[slice] | None = None
    ) -> Iterator[tuple[slice, Tensor]]:
        """∂/∂(output layer, free parameters) of a residual, [rows, n] for each block of rows."""
        site, m = self.sites[i], self.n_columns
        n_layer = m * len(self.outputs)
        for block in site.blocks() if blocks is None else blocks:
            columns = self.columns(i, block)
            rows = site.points.new_zeros(block.stop - block.start, n_layer + len(at.by_constant))
            for field, slope in at.by_field.items():
                k = self.outputs.index(field.unknown)
                rows[:, k * m : (k + 1) * m] += slope[block, None] * columns[field.orders]
            for k, slope in enumerate(at.by_constant.values()):
                rows[:, n_layer + k] = slope[block]
            if site.combination is not None:
                rows = torch.einsum(
                    "rgn,g->rn", rows.view(-1, site.run, rows.shape[1]), site.combination
                )
            yield slice(block.start // site.run, block.stop // site.run), rows

    def block_norms(self, state: OutputLayerState) -> Array:
        """The root mean square of ∂residual/∂(weight of an output), [n_residuals, n_outputs]."""
        residuals = self.linearised(state)
        norms = np.zeros((len(residuals), len(self.outputs)))
        for row, (i, _, at) in zip(norms, residuals, strict=True):
            columns = self.columns(i, next(self.sites[i].blocks()))
            for field, slope in at.by_field.items():
                sizes = slope.square(), columns[field.orders].square()
                norm = processes.mean(sizes[0]).sqrt() * processes.mean(sizes[1]).sqrt()
                k = self.outputs.index(field.unknown)
                row[k] = math.hypot(row[k], float(norm))
        return norms

    def relative_residuals(self, state: OutputLayerState) -> dict[str, float]:
        """The largest root mean square of a residual, relative to its terms, by kind of term;
        infinite where one is not finite.
        """
        largest: dict[str, float] = {}
        for i, equation, at in self.linearised(state):
            given = self.sites[i].row_weights
            weights = 1.0 if given is None else given
            ratio = float(processes.mean(weights * at.residual.square()).sqrt()) / at.size
            ratio = ratio if math.isfinite(ratio) else math.inf
            largest[equation.kind] = max(largest.get(equation.kind, 0.0), ratio)
        return largest
