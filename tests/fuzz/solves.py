"""Fuzzing of whole specs: planned, checked, solved by a reference and by three iterations of a tiny network, and saved.

    python tests/fuzz/solves.py --n 2000 [--seed 0] [--jobs 2]

Fails where anything but an error of the user comes out, or a step takes more than 5 s of processor time or 1 GB of
memory. References that take as much are broken off and counted, and so are warnings.
"""

from __future__ import annotations

import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import campaign
import torch
from whole_specs import whole_spec

from laaf_cli.errors import ExitCode, LaafError
from laaf_cli.problem import grid_points
from laaf_cli.references import Reference, ReferenceRefusedError
from laaf_cli.runs.inspection import inspect
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import Text

STEP_S = 5.0
"""Processor time that no step may take."""

REFERENCE_S = 5.0
"""Processor time after which a reference is broken off."""

MAX_MEMORY = 1_000_000_000
"""Bytes that no step may take."""

MOST_MEMORY = 8_000_000_000
"""Bytes of addresses beyond which the system refuses more."""


class SlowError(Exception):
    """A step took longer than STEP_S."""


class LargeError(Exception):
    """A step took more than MAX_MEMORY."""


class BrokenOffError(BaseException):
    """A reference took longer than REFERENCE_S; no `except Exception` holds it back."""


def examine(text: str) -> str | bool:
    """Whether a spec is accepted, and how it ends; raises what is no error of the user."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ending = _examine(text)
    except LaafError as error:
        assert error.exit_code != ExitCode.INTERNAL
        shown = str(error)
        assert shown
        assert all(character.isprintable() or character == "\n" for character in shown), ascii(
            shown
        )
        return False
    if caught:
        ending += f", warned in {Path(caught[0].filename).name}:{caught[0].lineno}"
    return ending


def _examine(text: str) -> str:
    with _step("the plan"):
        plan = make_plan(Text("spec.yaml", text))
    how = ""
    if plan.reference is not None:
        how = _solve_reference(plan, plan.reference)
        if how != "reference":
            plan = replace(plan, reference=None)
        if plan.reference is None and plan.spec.data is not None and plan.spec.data.reference:
            return how
    with _step("the check"):
        inspect(plan)
    with _step("the training"):
        finished = execute(plan)
    with _step("the run file"), tempfile.TemporaryDirectory() as folder:
        finished.save(Path(folder) / "run.h5")
    return ", ".join(filter(None, (finished.summary.stop_reason, how)))


def _solve_reference(plan: Plan, reference: Reference) -> str:
    """Solves the reference, if that does not take too long; what came of it."""
    try:
        with _broken_off(), _step("the reference"):
            reference.evaluate(grid_points(plan.problem.grid))
    except (BrokenOffError, SlowError):
        return "broken off reference"
    except LargeError:
        return "large reference"
    except ReferenceRefusedError:
        if not plan.can_do_without_reference:
            raise
        return "refused reference"
    return "reference"


@contextmanager
def _step(name: str) -> Iterator[None]:
    start, before = time.process_time(), _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    yield
    seconds, taken = time.process_time() - start, _memory("VmHWM") - before
    if seconds > STEP_S:
        raise SlowError(f"{name} took {seconds:.1f} s of processor time")
    if taken > MAX_MEMORY:
        raise LargeError(f"{name} took {taken / 1e9:.1f} GB")


def _memory(name: str) -> int:
    """Bytes of this process, as Linux counts them."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(
        next(line for line in status.splitlines() if line.startswith(name)).split()[1]
    )


@contextmanager
def _broken_off() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise BrokenOffError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, REFERENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def warm_up() -> None:
    """Loads what is loaded at first use, so that no text is charged for it."""
    torch.set_num_threads(1)
    randoms = (Random(f"warm {i}") for i in range(12))  # noqa: S311 - not for secrets
    for random in randoms:
        campaign.examine_all(iter([whole_spec(random)]), examine, lambda _: None)


def begin() -> None:
    """What each process of the campaign does first."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    warm_up()


if __name__ == "__main__":
    solves = campaign.Campaign(
        what="solves",
        n=2000,
        draw=whole_spec,
        examine=examine,
        write=str,
        slow_s=campaign.HUNG_S,
        begin=begin,
    )
    sys.exit(campaign.main(solves))
