"""How processes meet, watch over one another, and part: on `torchrun`'s word, or Slurm's."""

from __future__ import annotations

import atexit
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from types import FrameType

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from laaf_cli.errors import ExitCode, LaafError, SaidElsewhereError, UsageError

_NOT_MET = dist.DistError, RuntimeError, ValueError, OSError

ALWAYS = timedelta(days=365)

PATIENCE_S = 20.0
"""How long a process that has lost another may take to come to its end by itself."""

GRACE_S = 5.0
"""How long torch may take longer to meet than it is given."""

SLURM_PORTS = 20_000, 20_000
"""The first port and the number of ports from which that of a step is taken by its number."""


class LostProcessError(LaafError):
    """One of several processes ended without a word."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where processes meet, and which of how many this one is."""

    address: str
    port: int
    number: int
    count: int
    local: int
    """Its number among those of its machine."""


def place() -> Place | None:
    """Where whoever started this process wants it to meet others; None where it is alone.

    Raises:
        UsageError: the variables of the environment that say so make no sense.
    """
    env = os.environ
    try:
        if {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= env.keys():
            found = Place(
                address=env["MASTER_ADDR"],
                port=int(env["MASTER_PORT"]),
                number=int(env["RANK"]),
                count=int(env["WORLD_SIZE"]),
                local=int(env.get("LOCAL_RANK", "0")),
            )
        elif {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_NODELIST"} <= env.keys():
            step = int(env.get("SLURM_JOB_ID", "0")) + int(env.get("SLURM_STEP_ID", "0"))
            found = Place(
                address=first_host(env["SLURM_STEP_NODELIST"]),
                port=SLURM_PORTS[0] + step % SLURM_PORTS[1],
                number=int(env["SLURM_PROCID"]),
                count=int(env["SLURM_STEP_NUM_TASKS"]),
                local=int(env.get("SLURM_LOCALID", "0")),
            )
        else:
            return None
        if not 0 <= found.number < max(1, found.count):
            raise ValueError(f"process {found.number} is not among {found.count}, counted from 0")
    except ValueError as error:
        raise UsageError(
            f"the environment says wrongly where several processes meet: {error}\n"
            "torchrun sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, srun SLURM_…; unset them "
            "to train in one process."
        ) from None
    return found if found.count > 1 else None


def n_restarts() -> int:
    """How often whoever started these processes has started them again, since one was lost."""
    text = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return int(text) if text.isdigit() else 0


def first_host(nodes: str) -> str:
    """`gpu[03-05,9],login` → `gpu03`."""
    found = re.match(r"([^,\[]+)(?:\[([^,\]-]+))?", nodes)
    return "".join(filter(None, found.groups())) if found else nodes


@contextmanager
def together(timeout_s: float) -> Iterator[None]:
    """The processes of one training, from their meeting to their parting; one that is alone meets
    nobody.

    What ends one of them ends all, and one of them says why.

    Args:
        timeout_s: how long to wait for the others at first.

    Raises:
        UsageError: they do not meet.
        LostProcessError: one of them was killed.
        SaidElsewhereError: another process has said what there is to say.
    """
    at = place()
    if at is None:
        yield
        return
    watch = _Watch(at, _meet(at, timeout_s))
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        # A launcher ends those that are left when one is lost, which are to say so first.
        previous = signal.signal(signal.SIGTERM, watch.on_term)
    try:
        yield
    except BaseException as error:
        reason = watch.why(error)
        is_stop = isinstance(reason, KeyboardInterrupt)
        code = ExitCode.INTERRUPTED if is_stop else getattr(reason, "exit_code", ExitCode.INTERNAL)
        watch.part(code)
        atexit.register(_leave, code)
        if reason is error:
            raise
        raise reason from None
    watch.part(ExitCode.OK)
    watch.heard.wait()
    if watch.next_code != ExitCode.OK:
        reason = watch.why(RuntimeError())
        atexit.register(_leave, getattr(reason, "exit_code", ExitCode.INTERNAL))
        raise reason
    dist.destroy_process_group()
    if is_main:
        signal.signal(signal.SIGTERM, previous)


def check_alone(what: str, remedy: str) -> None:
    """Refuses to do in each of several processes what one does.

    Raises:
        UsageError: this is one of several that were started together.
    """
    at = place()
    if at is not None and at.number > 0 and not dist.is_initialized():
        raise said_elsewhere(ExitCode.USAGE)
    if at is not None:
        raise UsageError(f"{what} takes one process, and {at.count} were started\n{remedy}")


def _meet(at: Place, timeout_s: float) -> dist.Store:
    """Waits for all of them, and makes the group that sums go round in."""
    if dist.is_initialized():
        raise UsageError(
            "this process has a group of torch.distributed already, its own or that of a training "
            "that failed\nEnd it with torch.distributed.destroy_process_group(), or start again."
        )
    os.environ |= {
        "RANK": str(at.number),
        "WORLD_SIZE": str(at.count),
        "MASTER_ADDR": at.address,
        "MASTER_PORT": str(at.port),
    }
    os.environ.setdefault("NCCL_ALGO", "Ring")  # one order of summation
    timeout = timedelta(seconds=timeout_s)
    has_cuda = torch.cuda.is_available()
    if has_cuda:
        torch.cuda.set_device(at.local % torch.cuda.device_count())
    met: Future[dist.Store] = Future()

    def meet() -> None:
        try:
            # A launcher keeps one store over all that it starts.
            store = dist.PrefixStore(f"laaf {n_restarts()}", _store(timeout))
            n_meetings = store.add(f"meetings of {at.number}", 1)
            store = dist.PrefixStore(f"meeting {n_meetings}", store)
            store.set(f"who {at.number}", f"pid {os.getpid()} on {socket.gethostname()}")
            store.wait([f"who {i}" for i in range(at.count)], timeout)
        except _NOT_MET as error:
            met.set_exception(error)
        else:
            met.set_result(store)

    # What answers there may be no store, and then torch waits for ever.
    threading.Thread(target=meet, daemon=True).start()
    try:
        store = met.result(timeout_s + GRACE_S)
    except (*_NOT_MET, TimeoutError) as error:
        reason = (str(error) or "what answers there is no process of this training").splitlines()[0]
        raise UsageError(
            f"process {at.number} of {at.count} did not meet all others at {at.address}:{at.port} "
            f"within {timeout_s:g} s: {reason}\n"
            "Start all of them, on machines that reach this address, or let `timeout` be longer; "
            "unset RANK, and SLURM_PROCID, to train in one process."
        ) from None
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if has_cuda else "gloo",
        store=store,
        rank=at.number,
        world_size=at.count,
        timeout=ALWAYS,
    )
    return store


@cache
def _store(timeout: timedelta) -> dist.Store:
    """Kept until this process ends, for later meetings at the same port."""
    store: dist.Store = next(iter(rendezvous("env://", timeout=timeout)))[0]
    return store


def _leave(code: int) -> None:
    """Ends this process: Python cannot by itself while threads wait for other processes."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class _Watch:
    """Waits for the last word of the next process, in a ring; that it ends without one is seen by
    its connection, which the system closes.
    """

    def __init__(self, at: Place, store: dist.Store) -> None:
        self.at, self.store = at, store
        self.next = (at.number + 1) % at.count
        self.who = store.get(f"who {self.next}").decode()
        self.group = dist.new_group(backend="gloo", timeout=ALWAYS)
        self.heard, self.over = threading.Event(), threading.Event()
        self.next_code: int | None = None
        threading.Thread(target=self._listen, daemon=True).start()
        if "TORCHELASTIC_RUN_ID" in os.environ:
            threading.Thread(target=self._end_with, args=(os.getppid(),), daemon=True).start()

    def _end_with(self, launcher: int) -> None:
        """Stops this process as SIGTERM does when its launcher has gone."""
        while not self.over.wait(1):
            if os.getppid() != launcher:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _listen(self) -> None:
        word = torch.zeros(1, dtype=torch.int64)
        with suppress(RuntimeError):
            dist.recv(word, self.next, group=self.group)
            self.next_code = int(word)
        self.heard.set()
        # The main thread sees it by itself, unless it waits for a GPU that waits for another.
        if self.next_code != ExitCode.OK and not self.over.wait(PATIENCE_S):
            if self.next_code is None:
                os.write(2, f"error: {self._lost}\n".encode())
            os._exit(ExitCode.INTERNAL)

    @property
    def _lost(self) -> str:
        return (
            f"process {self.next} of {self.at.count} (counted from 0; {self.who}) was killed or "
            "crashed, for its memory perhaps"
        )

    def why(self, error: BaseException) -> BaseException:
        """What this process is to say, where it ends by an error."""
        if isinstance(error, RuntimeError) and self.heard.wait(PATIENCE_S):
            # A sum went no further.
            if self.next_code is None:
                notes = getattr(error, "__notes__", [])
                return LostProcessError("\n".join([self._lost, *notes]))
            return said_elsewhere(self.next_code)
        if isinstance(error, LaafError | KeyboardInterrupt):
            code = getattr(error, "exit_code", ExitCode.INTERRUPTED)
            try:
                is_said = self.store.add("said", 1) > 1
            except (dist.DistError, RuntimeError):
                is_said = self.at.number > 0  # who kept the store has ended
            if is_said:
                return said_elsewhere(code)
        return error

    def on_term(self, _number: int, _frame: FrameType | None) -> None:
        """Ends the process by SIGTERM, unless another has ended already."""
        if not self.heard.is_set():
            sys.exit(128 + signal.SIGTERM)

    def part(self, code: int) -> None:
        """Says the last word to the process before."""
        self.over.set()
        before = (self.at.number - 1) % self.at.count
        with suppress(RuntimeError):  # it may have ended
            dist.send(torch.tensor([int(code)]), before, group=self.group)


def said_elsewhere(code: int) -> LaafError:
    """What ends a process that has nothing to say."""
    error = SaidElsewhereError("another process has said why")
    error.exit_code = next((one for one in ExitCode if one == code), ExitCode.INTERNAL)
    return error
