"""Work that is the same at every iteration, captured in a CUDA graph: the GPU repeats it without
being launched one by one.

After "CUDA graphs" in the documentation of torch:
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import torch

T = TypeVar("T")

N_WARM_UP = 3
"""Runs before a capture, as in torch's documentation: what is set up on first use must not be
part of the graph.
"""


class Recorder(Protocol):
    """Runs work on a device, or records it."""

    def run(self, work: Callable[[], T]) -> T:
        """Carries the work out."""

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        """What repeats the work, on the tensors that it has now; the work itself is not carried out
        by recording it.

        Raises:
            RuntimeError: the work cannot be recorded.
        """


class CudaRecorder(Recorder):
    """Captures on the current CUDA device; runs on a stream of its own, as a warm-up must."""

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def run(self, work: Callable[[], T]) -> T:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            result = work()
        torch.cuda.current_stream().wait_stream(self.stream)
        return result

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        graph = torch.cuda.CUDAGraph()
        # `torch.cuda.graph` leaves its own stream the current one where a capture fails.
        with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
            result = work()

        def replay() -> T:
            """The same tensors after every replay, with new values."""
            graph.replay()
            return result

        return replay


class Repeated(Generic[T]):
    """Work that is run as it is while it warms up, then recorded, and repeated from then on.

    Attributes:
        n_records: how often it was recorded.
        failure: why that failed, after which it is always run as it is; empty where it did not.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.repeat: Callable[[], T] | None = None
        self.version = 0
        self.n_runs = 0
        self.n_records = 0
        self.failure = ""

    def __call__(self, work: Callable[[], T], version: int = 0) -> T:
        """The result of the work.

        Args:
            work: the same operations on the same tensors every time. No graph of autograd may be
                left of it, for torch captures no backward pass that meets one.
            version: another where the tensors have become others.
        """
        if version != self.version:
            self.version, self.repeat, self.n_runs = version, None, 0
        if self.repeat is None and self.n_runs >= N_WARM_UP and not self.failure:
            try:
                self.repeat = self.recorder.record(work)
                self.n_records += 1
            # Errors of CUDA, of its memory and of an optimizer that cannot be captured are all of
            # this class.
            except RuntimeError as error:
                # The error that ends a capture says only that there was another before it.
                lines = str(error.__context__ or error).splitlines()
                self.failure = lines[0] if lines else type(error).__name__
        if self.repeat is not None:
            return self.repeat()
        self.n_runs += 1
        return self.recorder.run(work)
