"""What the commands that train one run share: the training itself, its report, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from laaf_cli.cli import console

if TYPE_CHECKING:
    from laaf_cli.runs.finished import FinishedRun, RunResult
    from laaf_cli.runs.planned import AnyPlan
    from laaf_cli.runs.resume.past import AnyPastRun


@contextmanager
def in_processes(n: int | None, timeout_s: float) -> Iterator[bool]:
    """Divides one training among processes: those that were started together, or n that are
    started here, in which the command begins again.

    Gives whether this is the process that prints.

    Args:
        n: None for one, or those that are there.
        timeout_s: how long they wait for one another at first.
    """
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # read when torch is loaded
    from laaf_cli import processes
    from laaf_cli.errors import UsageError
    from laaf_cli.processes import meeting

    at = meeting.place()
    if at is not None and n not in (None, at.count):
        raise UsageError(f"`processes={n}`, but {at.count} were started together; leave it out")
    if n is not None and n > 1 and at is None:
        from laaf_cli.processes.launch import launch

        code = launch(n, sys.argv[1:])
        if code:
            raise meeting.said_elsewhere(code)
        raise typer.Exit
    with meeting.together(timeout_s):
        yield processes.is_first()


def check_max_error(plan: AnyPlan, max_error: float | None) -> None:
    """Raises UsageError for a bound on an error that will not be known."""
    from laaf_cli.errors import UsageError

    if max_error is not None and plan.without_error:
        raise UsageError(f"--max-error needs a reference, and has none: {plan.without_error}")


def memory_warnings(plan: AnyPlan) -> list[str]:
    """That the training will hardly fit into the memory, where it will not."""
    from laaf_cli.runs import memory
    from laaf_cli.runs.lifecycle import lifecycle

    warning = memory.warning(plan.device.type, lifecycle(plan.task).consumers(plan))
    return [warning] if warning else []


def announce(plan: AnyPlan, what: str, *, length: str = "", warnings: Sequence[str] = ()) -> None:
    """What is trained, how and how long, and what there is to warn of."""
    spec, recovery = plan.spec, ", slope recovery" if plan.recovery else ""
    facts = [f"{what}, {spec.slopes.title}{recovery}", *filter(None, [length])]
    console.print_message(
        f"{spec.title or plan.name}: {', '.join(facts)}, seed {spec.seed}, {spec.dtype}, "
        f"{plan.device.type}"
    )
    for warning in (*warnings, *memory_warnings(plan)):
        console.print_warning(warning)


def train(
    plan: AnyPlan,
    target: Path,
    *,
    past: AnyPastRun | None = None,
    retries: int = 0,
    quiet: bool = False,
) -> FinishedRun[RunResult]:
    """Trains and writes, as `session.train` does, with progress and messages on stderr."""
    from laaf_cli.runs import session
    from laaf_cli.terminal.messages import messages
    from laaf_cli.terminal.progress import make_progress

    stderr = messages()  # made here: the signal may come while a console is being imported
    with make_progress(plan.known_iterations, quiet=quiet) as progress:
        return session.train(
            plan,
            target,
            past=past,
            retries=retries,
            on_progress=progress,
            warn=console.print_warning,
            on_stop=lambda text: stderr.print(text, markup=False, soft_wrap=True),
        )


def check_page(path: Path | None) -> None:
    """Raises UsageError for a page that cannot be written, before anything is trained."""
    if path is not None:
        from laaf_cli.report.page import check_output

        check_output(path)


def write_page(finished: FinishedRun[RunResult], path: Path | None, *, quiet: bool) -> None:
    """Writes the page of a run, where one is asked for."""
    if path is not None:
        from laaf_cli.cli import report

        report.write([Path(finished.summary.path)], path, quiet=quiet)


def report(
    finished: FinishedRun[RunResult],
    max_error: float | None,
    *,
    quiet: bool,
    json: bool,
    goal: float = 0.0,
    is_asked: bool = False,
) -> None:
    """Prints how the run went; raises the error that it ends in, if it does. Its file is written
    all the same.

    Args:
        goal: the relative error at which the training was to end, 0 for none.
        is_asked: whether the user asked for it, so that missing it is an error.
    """
    from laaf_cli.cli.task_tables import tables_of
    from laaf_cli.runs import session

    if json:
        console.print_json(finished.summary.as_json())
    else:
        task = str(finished.record.attributes["task"])
        console.print_results(tables_of(task).of_result(finished.summary))
    # Not even --quiet keeps these: an answer that may be wrong must not pass in silence.
    for warning in finished.summary.warnings:
        console.print_warning(warning)
    if not quiet and not json:
        console.print_message(f"written: {finished.summary.path}")
    text = session.verdict(finished.summary, goal)
    if text and not quiet and not json:
        console.print_message(text)
    if is_asked and finished.summary.error_or_estimate > goal:
        from laaf_cli.errors import BoundExceededError

        raise BoundExceededError(text)
    if (error := session.error_of(finished, max_error)) is not None:
        raise error
