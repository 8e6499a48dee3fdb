"""Progress of a sweep on stderr: a bar over a table of methods, or a line for each finished run."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Group, RenderableType
from rich.progress import BarColumn
from rich.text import Text

from laaf_cli.runs.task import TASKS
from laaf_cli.sweeps import Outcome, PlannedRun, RunState
from laaf_cli.terminal.messages import print_message, visible
from laaf_cli.terminal.plain_table import PlainTable
from laaf_cli.terminal.progress import PLAIN_EVERY_S, Bar


@contextmanager
def make_sweep_progress(
    runs: Sequence[PlannedRun], *, quiet: bool = False
) -> Iterator[Callable[[Outcome], None]]:
    """Shows many runs while the `with` lasts: what it gives is called with every new state."""
    outcomes = {run.path: Outcome(run=run, state=RunState.WAITING) for run in runs}
    started_s: dict[object, float] = {}
    note, noted_s = "", time.monotonic()
    measure = TASKS[runs[0].plan.task].measure

    def n_ended() -> int:
        return sum(o.state not in (RunState.WAITING, RunState.RUNNING) for o in outcomes.values())

    def below() -> RenderableType:
        now = time.monotonic()
        training = [
            f"{path.name} {now - started_s[path]:.0f} s"
            for path, outcome in outcomes.items()
            if outcome.state is RunState.RUNNING
        ]
        progress = f"{n_ended()} of {len(runs)} runs; training: {', '.join(training[:4]) or '-'}"
        return Group(_table_of_methods(list(outcomes.values())), Text(visible(note or progress)))

    with Bar(BarColumn(bar_width=24), below=below, quiet=quiet) as bar:
        task = bar.add_task("", total=len(runs))

        def show(outcome: Outcome) -> None:
            nonlocal note, noted_s
            note = outcome.detail if outcome.state is RunState.WAITING else ""
            if note:
                if not (quiet or bar.is_drawn) and time.monotonic() - noted_s >= PLAIN_EVERY_S:
                    noted_s = time.monotonic()
                    print_message(f"{outcome.run.path}: {note}")
                return
            outcomes[outcome.run.path] = outcome
            started_s.setdefault(outcome.run.path, time.monotonic())
            bar.update(task, completed=n_ended())
            error = "" if math.isnan(outcome.error) else f", error {measure.text(outcome.error)}"
            seconds = "" if math.isnan(outcome.wall_time_s) else f", {outcome.wall_time_s:.1f} s"
            detail = f": {outcome.detail}" if outcome.detail else ""
            line = (
                f"[{n_ended()}/{len(runs)}] {outcome.run.path}: "
                f"{outcome.state.value}{error}{seconds}{detail}"
            )
            if bar.is_drawn and detail:
                bar.console.print(Text(visible(line)), soft_wrap=True)
            elif not quiet and outcome.state not in (
                RunState.RUNNING,
                RunState.KEPT,
                RunState.CANCELLED,
            ):
                print_message(line)

        yield show
    n_kept = sum(outcome.state is RunState.KEPT for outcome in outcomes.values())
    if n_kept and not quiet and not bar.is_drawn:
        print_message(f"{n_kept} of {len(runs)} runs already existed")


def _table_of_methods(outcomes: Sequence[Outcome]) -> PlainTable:
    """One row per method: how many runs are done, running, failed, and the median error so far."""
    measure = TASKS[outcomes[0].run.plan.task].measure
    table = PlainTable("method", "finished", "running", "failed", f"median {measure.heading}")
    for method in dict.fromkeys(outcome.run.method for outcome in outcomes):
        group = [outcome for outcome in outcomes if outcome.run.method == method]
        states = [outcome.state for outcome in group]
        errors = [
            math.inf if outcome.state is RunState.DIVERGED else outcome.error
            for outcome in group
            if not math.isnan(outcome.error)
        ]
        table.add_texts(
            method,
            f"{states.count(RunState.FINISHED) + states.count(RunState.KEPT)}/{len(states)}",
            str(states.count(RunState.RUNNING) or ""),
            str(states.count(RunState.DIVERGED) + states.count(RunState.FAILED) or ""),
            measure.text(statistics.median(errors)) if errors else "",
        )
    return table
