"""Where runs are trained: processes of this machine, or a Dask cluster. Both are executors of
`concurrent.futures`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any, ParamSpec, TypeVar

from laaf_cli.errors import LaafError, UsageError

P = ParamSpec("P")
T = TypeVar("T")


class WorkerDiedError(LaafError):
    """The process that trained a run ended without a result, killed for its memory perhaps."""


class LocalProcesses(Executor):
    """`jobs` processes of this machine, each with one task at a time.

    A pool of `concurrent.futures` breaks as a whole when one of its processes dies. Here every
    process is a pool of its own: what kills it fails its own task, and the next task gets a new
    process.
    """

    def __init__(self, jobs: int) -> None:
        # It would let SIGINT through again, in whichever thread starts it.
        resource_tracker.ensure_running()
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="laaf-job")
        self._own = threading.local()
        self._pools: dict[ProcessPoolExecutor, int] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Calls a function in one of the processes.

        The future raises WorkerDiedError where that process dies.
        """
        return self._threads.submit(self._run, fn, args, kwargs)

    def _run(self, fn: Callable[..., T], args: Any, kwargs: Any) -> T:
        try:
            return self._pool().submit(fn, *args, **kwargs).result()
        except BrokenProcessPool:
            with self._lock:  # its number may soon be another's
                self._pools.pop(self._own.pool, None)
            self._own.pool = None
            raise WorkerDiedError(
                "its process was killed; if not by you, then for its memory perhaps"
            ) from None

    def _pool(self) -> ProcessPoolExecutor:
        """The process of the calling thread, started when first needed."""
        pool: ProcessPoolExecutor | None = getattr(self._own, "pool", None)
        if pool is None:
            # Ctrl-C reaches every process of a terminal; it is for the first of them to say what
            # happens.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            # A forked copy of torch and its threads would hang.
            context = multiprocessing.get_context("spawn")
            pool = ProcessPoolExecutor(1, context, initializer=_end_with, initargs=(os.getpid(),))
            self._own.pool = pool
            pid = pool.submit(os.getpid).result()
            with self._lock:
                self._pools[pool] = pid
                if self._stopped:
                    _terminate(pid)
        return pool

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the processes: after their tasks, or at once where nobody waits."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        with self._lock:
            self._stopped = not wait
            pools = dict(self._pools)
        if not wait:
            for pid in pools.values():
                _terminate(pid)
        for pool in pools:
            pool.shutdown(wait=wait)


def _terminate(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone: nobody waits for the result. Ctrl-C is for the
    parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """An executor over the workers of a Dask scheduler, as `tcp://host:8786`.

    What a worker had begun when it died, another does again. The workers need laaf installed and no
    common file system: plans travel to them, finished runs back.

    Raises UsageError without `distributed`, or where no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(
            "`scheduler` needs the package distributed: pip install 'laaf[cluster]'"
        ) from None
    try:
        client: Any = Client(address, timeout=10)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"no Dask scheduler answers at {address}: {reason}") from None
    with client:
        if not client.scheduler_info()["workers"]:
            raise UsageError(f"the Dask scheduler at {address} has no workers")
        yield client.get_executor(pure=False)
