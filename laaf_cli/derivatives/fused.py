"""Taylor mode by the C++ kernel: streams of order 2 at most, on the CPU, a block of points in cache at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from laaf_cli.derivatives.engine import DerivativeEngine
from laaf_cli.derivatives.kernel import Call, KernelMissing, Network, Parameters, Shape, load_library
from laaf_cli.expression import Field
from laaf_cli.multi_index import lower_set
from laaf_cli.network import Mlp

MAX_ORDER = 2

WORK_OF_A_THREAD = 2_000_000
"""Operations that are worth another thread: waking it takes as long as some hundred thousand, and more on a busy machine."""


class FusedEngine(DerivativeEngine):
    """Streams of the network by the kernel; for what it cannot do see `choice.obstacle`."""

    def __init__(self, network: Mlp, unknowns: Sequence[str], fields: Iterable[Field]) -> None:
        super().__init__(network, unknowns, fields)
        library = load_library()
        if isinstance(library, KernelMissing):
            raise RuntimeError(library.reason)
        self.library = library
        zero = (0,) * network.inputs.n_coordinates
        # By order, as the kernel has them.
        self.streams = tuple(sorted(lower_set([zero, *(field.orders for field in self.fields)]), key=sum))
        self.kernel_network = Network(self._shape())
        self.tensors = (*network.weights, *network.biases, *network.slopes.values)
        n_outputs = len(network.biases[-1])
        column = {name: i for i, name in enumerate(self.unknowns)}
        self.rows = [self.streams.index(field.orders) * n_outputs + column[field.unknown] for field in self.fields]
        self.n_rows = len(self.streams) * n_outputs

    def _shape(self) -> Shape:
        network, slopes = self.network, self.network.slopes
        first = [stream for stream in self.streams if sum(stream) == 1]
        along = {stream.index(1): i for i, stream in enumerate(first)}
        pairs = []
        for stream in self.streams:
            if sum(stream) == MAX_ORDER:
                one, other = (axis for axis, order in enumerate(stream) for _ in range(order))
                pairs.append((along[one], along[other]))
        return Shape(
            network.inputs.width,
            tuple(len(bias) for bias in network.biases[:-1]),
            len(network.biases[-1]),
            network.activation.name,
            len(first),
            tuple(pairs),
            tuple(0 if slope is None else len(slope) for slope in slopes.by_layer()),
            slopes.n,
        )

    def prepare(self, points: Tensor) -> Tensor:
        """The streams of the inputs, [n_streams, n_inputs, n_points]."""
        prepared = torch.empty(len(self.streams), self.network.inputs.width, len(points), dtype=self.network.dtype)
        for stream, orders in zip(prepared, self.streams, strict=True):
            stream.copy_(self.network.inputs.derivative(points, orders).T)
        return prepared

    def evaluate(self, prepared: Tensor) -> dict[Field, Tensor]:
        outputs = _Streams.apply(self, prepared, *self.tensors)  # type: ignore[no-untyped-call]
        return dict(zip(self.fields, outputs, strict=True))

    def n_threads(self, n_points: int) -> int:
        """Those of torch, or fewer where there is little to do."""
        weights = sum(tensor.numel() for tensor in self.tensors)
        work = 2 * weights * len(self.streams) * n_points
        return max(1, min(torch.get_num_threads(), work // WORK_OF_A_THREAD))

    def by_row(self, tensors: Iterable[Tensor | None]) -> list[Tensor | None]:
        """Tensors by field → by stream and output."""
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


class _Streams(torch.autograd.Function):
    """Parameters → the fields of the engine, [n_points] each."""

    @staticmethod
    def forward(ctx: Any, engine: FusedEngine, prepared: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        n_points = prepared.shape[2]
        n_threads = engine.n_threads(n_points)
        workspace = engine.library.workspace(engine.kernel_network, n_points, n_threads, prepared.dtype)
        call = Call(prepared, n_threads, workspace)
        outputs = tuple(prepared.new_empty(n_points) for _ in engine.fields)
        engine.library.forward(engine.kernel_network, engine.parameters(parameters), call, engine.by_row(outputs))
        ctx.engine, ctx.call = engine, call
        ctx.save_for_backward(*parameters)
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Tensor | None, ...]:
        engine, parameters = ctx.engine, ctx.saved_tensors
        gradient = _zeros_like(parameters)
        given = [None if cotangent is None else cotangent.contiguous() for cotangent in cotangents]
        engine.library.backward(
            engine.kernel_network,
            engine.parameters(parameters),
            ctx.call,
            engine.by_row(given),
            engine.parameters(gradient),
        )
        return (None, None, *gradient)


def _zeros_like(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Zeros of the shapes of the parameters, in one piece of memory: one allocation instead of twenty."""
    flat = parameters[0].new_zeros(sum(parameter.numel() for parameter in parameters))
    pieces = torch.split(flat, [parameter.numel() for parameter in parameters])
    return [piece.view_as(parameter) for piece, parameter in zip(pieces, parameters, strict=True)]
