"""Taylor mode by the C++ kernel, on the CPU, a block of points in cache at a time.

A linear operator is one stream, however many derivatives are in it: for Burgers' equation u, u_x
and u_t − ν u_xx are carried, three streams instead of four. After Li et al. 2024, "A computational
framework for neural network-based variational Monte Carlo with Forward Laplacian", for any
operator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from laaf_cli.derivatives.engine import NONE, Coefficients, DerivativeEngine, Operator, Prepared
from laaf_cli.derivatives.kernel import (
    ChainRule,
    KernelCall,
    KernelMissing,
    KernelNetwork,
    Parameters,
    Shape,
    load_library,
)
from laaf_cli.derivatives.partitions import products, splits
from laaf_cli.expression import Field
from laaf_cli.multi_index import Orders, lower_set
from laaf_cli.network.mlp import Mlp

MAX_ORDER = 4

WORK_OF_A_THREAD = 2_000_000
"""Operations that are worth another thread: waking it takes as long as some hundred thousand, or
many more.
"""


class FusedEngine(DerivativeEngine):
    """Streams of the network by the kernel; for what it cannot do see `choice.obstacle`."""

    def __init__(
        self,
        network: Mlp,
        unknowns: Sequence[str],
        fields: Iterable[Field],
        operators: Iterable[Operator] = (),
    ) -> None:
        super().__init__(network, unknowns, fields, operators)
        library = load_library()
        if isinstance(library, KernelMissing):
            raise RuntimeError(library.reason)
        if any(sum(field.orders) > MAX_ORDER for field in self.fields):
            raise ValueError(f"the kernel goes to order {MAX_ORDER}")
        self.library = library
        self.combinations = {operator.coefficients: operator for operator in self.operators}
        """One of the operators with each set of coefficients; a stream serves all unknowns."""
        self.streams = self._streams()
        counts = tuple(0 if slope is None else len(slope) for slope in network.slopes.by_layer())
        self.with_slopes, self.without = (
            KernelNetwork(self._shape(slope_counts))
            for slope_counts in (counts, (0,) * len(counts))
        )
        self.tensors = (*network.weights, *network.biases, *network.slopes.values)
        self.n_parameters = sum(tensor.numel() for tensor in self.tensors)
        n_outputs = len(network.biases[-1])
        self.wanted = (*self.fields, *(operator.value for operator in self.operators))
        streams = [self.streams.index(field.orders) for field in self.fields]
        combined = list(self.combinations)
        streams += [
            len(self.streams) + combined.index(operator.coefficients) for operator in self.operators
        ]
        outputs = [field.unknown for field in self.fields]
        outputs += [operator.unknown for operator in self.operators]
        self.rows = [
            stream * n_outputs + self.unknowns.index(unknown)
            for stream, unknown in zip(streams, outputs, strict=True)
        ]
        if len(set(self.rows)) < len(self.rows):
            raise ValueError("two operators on one unknown have the same coefficients")
        self.n_rows = self.n_streams * n_outputs

    def _streams(self) -> tuple[Orders, ...]:
        """The derivatives that are carried, by order as the kernel has them; operators are
        carried behind them.
        """
        zero = (0,) * self.network.inputs.n_coordinates
        needed = [below for operator in self.combinations.values() for below in operator.below]
        return lower_set([zero, *needed, *(field.orders for field in self.fields)])

    @property
    def n_streams(self) -> int:
        """The value, derivatives and operators that go through the network together."""
        return len(self.streams) + len(self.combinations)

    @property
    def kernel_network(self) -> KernelNetwork:
        """The network as the kernel takes it at present: training may absorb the slopes."""
        return self.without if self.network.slopes.absorbed else self.with_slopes

    def _shape(self, slope_counts: tuple[int, ...]) -> Shape:
        network = self.network
        operators = [
            _chain_rule([(-1, stream)], self.streams) for stream in self.streams if sum(stream) > 1
        ]
        row = 0
        for operator in self.combinations.values():
            bent = [orders for orders in operator.orders if sum(orders) > 1]
            operators.append(_chain_rule(list(enumerate(bent, row)), self.streams))
            row += len(bent)
        return Shape(
            n_inputs=network.inputs.width,
            hidden=tuple(len(bias) for bias in network.biases[:-1]),
            n_outputs=len(network.biases[-1]),
            activation=network.activation.name,
            n_first=sum(sum(stream) == 1 for stream in self.streams),
            operators=tuple(operators),
            slope_counts=slope_counts,
            scale=network.slopes.n,
        )

    def prepare(self, points: Tensor, coefficients: Coefficients = NONE) -> Prepared:
        """The streams of the inputs [n_streams, n_inputs, n_points], and one [n_coefficients,
        n_points] of order 2 or more.
        """
        network_inputs, dtype = self.network.inputs, self.network.dtype
        inputs = torch.empty(self.n_streams, network_inputs.width, len(points), dtype=dtype)
        for stream, orders in zip(inputs, self.streams, strict=False):
            stream.copy_(network_inputs.derivative(points, orders).T)
        rows = []
        for stream, (name, operator) in zip(
            inputs[len(self.streams) :], self.combinations.items(), strict=True
        ):
            parts = list(zip(operator.orders, coefficients[name], strict=True))
            stream.copy_(
                sum(c * network_inputs.derivative(points, orders).T for orders, c in parts)
            )
            rows += [c for orders, c in parts if sum(orders) > 1]
        bent = torch.stack(rows).to(dtype) if rows else torch.empty(0, len(points), dtype=dtype)
        return Prepared(inputs, (bent,))

    def evaluate(self, prepared: Prepared) -> dict[Field, Tensor]:
        return evaluate_fused([(self, prepared)])[0]

    def call(self, prepared: Prepared) -> KernelCall:
        """A call of the kernel at these points."""
        inputs, (coefficients,) = prepared.inputs, prepared.coefficients
        n_points = inputs.shape[2]
        n_threads = self.n_threads(n_points)
        workspace = self.library.workspace(
            self.kernel_network, n_points, n_threads, len(coefficients), inputs.dtype
        )
        return KernelCall(inputs, coefficients, n_threads, workspace)

    def n_threads(self, n_points: int) -> int:
        """Those of torch, or fewer where there is little to do."""
        work = 2 * self.n_parameters * self.n_streams * n_points
        return max(1, min(torch.get_num_threads(), work // WORK_OF_A_THREAD))

    def by_row(self, tensors: Iterable[Tensor | None]) -> list[Tensor | None]:
        """Tensors of what is wanted → by stream and output."""
        rows: list[Tensor | None] = [None] * self.n_rows
        for row, tensor in zip(self.rows, tensors, strict=True):
            rows[row] = tensor
        return rows

    def parameters(self, tensors: Sequence[Tensor]) -> Parameters:
        """Weights, biases and slopes, one after another, by layer."""
        n = self.network.n_hidden + 1
        slopes = tensors[2 * n :]
        if len(slopes) == 1:
            slopes = [slopes[0]] * (n - 1)
        return Parameters(tensors[:n], tensors[n : 2 * n], slopes)


def _chain_rule(parts: Sequence[tuple[int, Orders]], streams: Sequence[Orders]) -> ChainRule:
    """Of Σ c_α ∂^α, from the row of c_α and α; only what is below the α need be carried."""
    products_, splits_ = [], []
    for row, alpha in parts:
        # Behind the value, which is in no product; α itself is in none either.
        known = [*streams[1:], alpha]
        for group in products(alpha, known).values():
            products_ += [(row, product) for product in group]
        splits_ += [(row, split) for split in splits(alpha, known)]
    return ChainRule(tuple(products_), tuple(splits_))


Request = tuple[FusedEngine, Prepared]


def evaluate_fused(requests: Sequence[Request]) -> list[dict[Field, Tensor]]:
    """What several engines of one network are wanted for, in one node of the graph: each has its
    fraction of overhead.
    """
    outputs = iter(_Streams.apply(requests, *requests[0][0].tensors))  # type: ignore[no-untyped-call]
    return [{field: next(outputs) for field in engine.wanted} for engine, _ in requests]


class _Streams(torch.autograd.Function):
    """Parameters → what the engines are wanted for, [n_points] each."""

    @staticmethod
    def forward(ctx: Any, requests: Sequence[Request], *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.calls, streams = [], []
        ctx.kernel_parameters = requests[0][0].parameters(parameters)
        for engine, prepared in requests:
            call = engine.call(prepared)
            outputs = [prepared.inputs.new_empty(prepared.inputs.shape[2]) for _ in engine.wanted]
            network = engine.kernel_network
            engine.library.forward(network, ctx.kernel_parameters, call, engine.by_row(outputs))
            ctx.calls.append((engine, network, call))
            streams += outputs
        ctx.save_for_backward(*parameters)
        ctx.set_materialize_grads(False)
        return tuple(streams)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        parameters = ctx.saved_tensors
        # In one piece of memory: one allocation instead of twenty.
        whole = parameters[0].new_zeros(ctx.calls[0][0].n_parameters)
        gradient = torch._utils._unflatten_dense_tensors(whole, parameters)  # type: ignore[no-untyped-call]
        kernel_gradient = ctx.calls[0][0].parameters(gradient)
        contiguous = iter(
            [None if cotangent is None else cotangent.contiguous() for cotangent in cotangents]
        )
        for engine, network, call in ctx.calls:
            of_engine = [next(contiguous) for _ in engine.wanted]
            if any(cotangent is not None for cotangent in of_engine):
                rows = engine.by_row(of_engine)
                engine.library.backward(network, ctx.kernel_parameters, call, rows, kernel_gradient)
        return (None, *gradient)
