"""Loads the C++ library and calls it: `kernel.h` by ctypes."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from laaf_cli.derivatives.partitions import Product, Split

FOLDER = Path(__file__).parent
LIBRARY = FOLDER / "fused.so"
BUILD_RECORD = FOLDER / "built.json"
"""What the build says of itself: how the library was made, or why it was not."""

ACTIVATIONS = {"tanh": 0, "sin": 1, "sigmoid": 2, "silu": 3, "gelu": 4, "softplus": 5}
"""The rows of activations.h, by their names in `network`."""

_ALIGNMENT = 64
_NO_MEMORY = -2
_MOST_BLOCKS = 4

Rows = Sequence[Tensor | None]
"""[n_points] by stream and output, [n_streams · n_outputs] in all; None where one is not wanted,
or zero.
"""


class _Network(Structure):
    _fields_ = [
        ("n_inputs", c_int32),
        ("n_outputs", c_int32),
        ("n_hidden", c_int32),
        ("activation", c_int32),
        ("n_first", c_int32),
        ("n_operators", c_int32),
        ("order", c_int32),
        ("widths", POINTER(c_int32)),
        ("product_ends", POINTER(c_int32)),
        ("products", POINTER(c_int32)),
        ("pair_ends", POINTER(c_int32)),
        ("pairs", POINTER(c_int32)),
        ("slope_counts", POINTER(c_int32)),
        ("scale", c_double),
    ]


class _Parameters(Structure):
    _fields_ = [
        ("weights", POINTER(c_void_p)),
        ("biases", POINTER(c_void_p)),
        ("slopes", POINTER(c_void_p)),
    ]


class _Call(Structure):
    _fields_ = [
        ("n_points", c_int64),
        ("n_threads", c_int32),
        ("n_coefficients", c_int32),
        ("inputs", c_void_p),
        ("coefficients", c_void_p),
        ("workspace", c_void_p),
    ]


@dataclass(frozen=True)
class KernelMissing:
    """Why there is no kernel here, as a sentence without its full stop."""

    reason: str


@dataclass(frozen=True)
class Parameters:
    """Weights [n_out, n_in] and biases [n_out] of every layer, slopes of the hidden ones (none
    where fixed).
    """

    weights: Sequence[Tensor]
    biases: Sequence[Tensor]
    slopes: Sequence[Tensor]

    @cached_property
    def pointers(self) -> _Parameters:
        """For as many calls as are made with them."""
        return _Parameters(
            *(_pointers(tensors) for tensors in (self.weights, self.biases, self.slopes))
        )


@dataclass(frozen=True)
class ChainRule:
    """How a stream of order 2 or more follows from those below it."""

    products: tuple[tuple[int, Product], ...]
    """Products of the chain rule (`partitions`)."""
    splits: tuple[tuple[int, Split], ...]
    """Splits of its backward pass. Each product and split comes with the row of its coefficient, or
    −1 where that is 1, and counts streams from the first behind the value.
    """


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A network and the streams carried through it: the value, `n_first` first derivatives, and
    `operators`.
    """

    n_inputs: int
    hidden: tuple[int, ...]
    n_outputs: int
    activation: str
    n_first: int
    operators: tuple[ChainRule, ...]
    slope_counts: tuple[int, ...]
    """By hidden layer: 0, 1 or its width."""
    scale: float
    """The scale n of the slopes."""

    @property
    def n_streams(self) -> int:
        """The value, its first derivatives and the operators together."""
        return 1 + self.n_first + len(self.operators)


class KernelNetwork:
    """A shape as the library takes it.

    Attributes:
        n_bytes: of the workspaces that were asked for, by what they depend on.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.n_bytes: dict[tuple[object, ...], int] = {}
        self._widths = _int32(shape.hidden)
        products, product_ends = _table(
            [
                [(row, p.count, *p.blocks) for row, p in rule.products if len(p.blocks) == n_blocks]
                for rule in shape.operators
                for n_blocks in range(2, _MOST_BLOCKS + 1)
            ],
            2 + _MOST_BLOCKS,
        )
        splits, split_ends = _table(
            [
                [(row, s.count, s.inner, s.outer) for row, s in rule.splits]
                for rule in shape.operators
            ],
            4,
        )
        blocks = [len(p.blocks) for rule in shape.operators for _, p in rule.products]
        self._slope_counts = _int32(shape.slope_counts)
        self.pointer = byref(
            _Network(
                shape.n_inputs,
                shape.n_outputs,
                len(shape.hidden),
                ACTIVATIONS[shape.activation],
                shape.n_first,
                len(shape.operators),
                max(blocks, default=2),
                self._widths,
                product_ends,
                products,
                split_ends,
                splits,
                self._slope_counts,
                shape.scale,
            )
        )


class Library:
    """The functions of the library. Tensors are contiguous, on the CPU, of one precision,
    float32 or float64.
    """

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.laaf_variant.restype = c_char_p
        self._library.laaf_symmetric_update.restype = None
        self.variant: str = self._library.laaf_variant().decode()
        self._functions: dict[tuple[str, torch.dtype], ctypes._NamedFuncPointer] = {
            (name, dtype): getattr(self._library, f"laaf_{name}_{suffix}")
            for name in ("workspace", "forward", "backward")
            for dtype, suffix in ((torch.float32, "f32"), (torch.float64, "f64"))
        }
        for dtype in (torch.float32, torch.float64):
            self._functions["workspace", dtype].restype = c_int64

    def workspace(
        self,
        network: KernelNetwork,
        n_points: int,
        n_threads: int,
        n_coefficients: int,
        dtype: torch.dtype,
    ) -> Tensor:
        """Room for one call at a time."""
        key = n_points, n_threads, n_coefficients, dtype
        if key not in network.n_bytes:
            network.n_bytes[key] = self._functions["workspace", dtype](
                network.pointer, c_int64(n_points), c_int32(n_threads), c_int32(n_coefficients)
            )
            _check(network.n_bytes[key])
        return torch.empty(network.n_bytes[key] + _ALIGNMENT, dtype=torch.uint8)

    def forward(
        self, network: KernelNetwork, parameters: Parameters, call: KernelCall, outputs: Rows
    ) -> None:
        """Writes the streams of the outputs."""
        pointers, at = byref(parameters.pointers), byref(call.structure)
        forward = self._functions["forward", call.dtype]
        _check(forward(network.pointer, pointers, at, _pointers(outputs)))

    def backward(
        self,
        network: KernelNetwork,
        parameters: Parameters,
        call: KernelCall,
        cotangents: Rows,
        gradient: Parameters,
    ) -> None:
        """Adds the gradient that follows from the cotangents of the outputs."""
        pointers, at, sums = map(byref, (parameters.pointers, call.structure, gradient.pointers))
        backward = self._functions["backward", call.dtype]
        _check(backward(network.pointer, pointers, at, _pointers(cotangents), sums))

    def symmetric_update(
        self,
        matrix: Tensor,
        vectors: Tensor,
        coefficients: Tensor,
        scale: float,
        x: Tensor,
        n_threads: int,
    ) -> Tensor:
        """H ← scale·H + Σ_r c_r v_r v_rᵀ in the lower triangle of H [n, n]; returns H x. All
        float64.
        """
        n = len(matrix)
        result, partial = (
            torch.empty(n, dtype=torch.float64),
            torch.empty(n_threads, n, dtype=torch.float64),
        )
        self._library.laaf_symmetric_update(
            c_void_p(matrix.data_ptr()),
            c_int64(n),
            c_void_p(vectors.data_ptr()),
            c_void_p(coefficients.data_ptr()),
            c_int32(len(coefficients)),
            c_double(scale),
            c_void_p(x.data_ptr()),
            c_void_p(result.data_ptr()),
            c_void_p(partial.data_ptr()),
            c_int32(n_threads),
        )
        return result


class KernelCall:
    """Inputs [n_streams, n_inputs, n_points] and coefficients [n_coefficients, n_points] of a
    call, and room for it.
    """

    def __init__(
        self, inputs: Tensor, coefficients: Tensor, n_threads: int, workspace: Tensor
    ) -> None:
        self._held = (inputs, coefficients, workspace)
        self.dtype = inputs.dtype
        aligned = -(-workspace.data_ptr() // _ALIGNMENT) * _ALIGNMENT
        self.structure = _Call(
            inputs.shape[2],
            n_threads,
            len(coefficients),
            inputs.data_ptr(),
            coefficients.data_ptr(),
            aligned,
        )


@cache
def load_library() -> Library | KernelMissing:
    """The library, loaded once; or why it cannot be used.

    For tests and comparisons LAAF_KERNEL names a lesser variant of it, or `none`, and
    LAAF_KERNEL_LIBRARY another file.
    """
    if os.environ.get("LAAF_KERNEL") == "none":
        return KernelMissing("LAAF_KERNEL=none turns the kernel off")
    path = Path(os.environ.get("LAAF_KERNEL_LIBRARY") or LIBRARY)
    record: dict[str, Any] = (
        json.loads(BUILD_RECORD.read_text(encoding="utf-8")) if BUILD_RECORD.exists() else {}
    )
    if not path.exists():
        reason: str = record.get("reason", "")
        return KernelMissing(reason or "the kernel was not built when laaf was installed")
    # A wheel holds neither sources nor the script that builds.
    if path == LIBRARY and (FOLDER / "build.py").exists():
        from laaf_cli.derivatives.kernel.build import fingerprint

        if record.get("sources") != fingerprint(FOLDER):
            return KernelMissing(
                "the kernel is not that of its sources; build.py beside them builds it again"
            )
    _share_openmp()
    try:
        return Library(path)
    except OSError as error:
        return KernelMissing(f"the kernel cannot be loaded: {error}")


def _share_openmp() -> None:
    """Lets the library find the OpenMP runtime that torch has loaded, so that both use one pool of
    threads.

    Two pools would wait for each other by spinning: on two cores, twice the time of a step.
    """
    if sys.platform != "linux":
        return
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    mapped = {
        line.split(maxsplit=5)[-1] for line in lines if "libgomp" in line or "libiomp5" in line
    }
    for path in sorted(mapped) or ["libgomp.so.1"]:
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)


def _int32(values: Sequence[int]) -> ctypes.Array[c_int32]:
    return (c_int32 * max(1, len(values)))(*values)


def _table(
    groups: Sequence[Sequence[Sequence[int]]], width: int
) -> tuple[ctypes.Array[c_int32], ctypes.Array[c_int32]]:
    """Rows of integers, filled up to a width, one group after another; and where each group
    ends.
    """
    rows = [number for group in groups for row in group for number in (*row, *[0] * width)[:width]]
    return _int32(rows), _int32(list(accumulate(map(len, groups))))


def _pointers(tensors: Rows) -> ctypes.Array[c_void_p]:
    addresses = (None if tensor is None else tensor.data_ptr() for tensor in tensors)
    return (c_void_p * max(1, len(tensors)))(*addresses)


def _check(code: int) -> None:
    if code == _NO_MEMORY:
        raise MemoryError("the kernel lacks memory")
    if code < 0:
        raise AssertionError(f"the kernel refused its arguments ({code})")
