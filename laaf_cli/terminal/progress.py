"""Progress on stderr: a bar on a terminal or in a notebook, plain lines elsewhere, or nothing."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from rich import progress as bars
from rich.console import RenderableType
from rich.text import Text

from laaf_cli.runs.progress import Callback, Progress
from laaf_cli.terminal.messages import messages, print_message

N_PLAIN_LINES = 10
PLAIN_EVERY_S = 30.0


class Bar(bars.Progress):
    """A bar with more below it, which is drawn where stderr can be redrawn.

    Args:
        columns: of the bar.
        below: makes what is shown below the bar, at each refresh.
        quiet: nothing is drawn.
    """

    def __init__(
        self,
        *columns: bars.ProgressColumn,
        below: Callable[[], RenderableType] | None = None,
        quiet: bool = False,
    ) -> None:
        console = messages()
        # Without ipywidgets a notebook cannot redraw what it has shown.
        can_redraw = find_spec("ipywidgets") if console.is_jupyter else sys.stderr.isatty()
        self.is_drawn = not quiet and bool(can_redraw)
        self._below = below
        super().__init__(*columns, console=console, transient=True, disable=not self.is_drawn)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, and what is drawn below it."""
        yield from super().get_renderables()
        if self._below is not None:
            yield self._below()


@contextmanager
def make_progress(n_iterations: int | None, *, quiet: bool = False) -> Iterator[Callback]:
    """Shows one training while the `with` lasts: what it gives is called with every event.

    Args:
        n_iterations: of the whole training; None where it ends when it is done.
    """
    text = Text("starting")
    next_iteration, last_s = 0, time.monotonic()
    columns = (
        bars.BarColumn(bar_width=24),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("elapsed,"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("remaining"),
    )
    with Bar(*columns, below=lambda: text, quiet=quiet) as bar:
        task = bar.add_task("", total=n_iterations)

        def show(now: Progress) -> None:
            nonlocal next_iteration, last_s
            bar.update(task, completed=now.iteration)
            text.plain = now.message
            if math.isnan(now.loss) and now.iteration == 0:  # the reference, before training
                if not (quiet or bar.is_drawn) and time.monotonic() - last_s >= PLAIN_EVERY_S:
                    last_s = time.monotonic()
                    print_message(now.message)
                return
            due = now.iteration >= next_iteration or now.iteration == n_iterations
            if quiet or bar.is_drawn or not (due or time.monotonic() - last_s >= PLAIN_EVERY_S):
                return
            next_iteration = now.iteration + max(1, (n_iterations or 0) // N_PLAIN_LINES)
            last_s = time.monotonic()
            done = now.iteration / n_iterations if n_iterations else 0.0
            remaining_s = now.wall_time_s * (1 - done) / done if done else 0.0
            remaining = f", {remaining_s:.0f} s remaining" if 0 < done < 1 else ""
            total = f"/{n_iterations}" if n_iterations else ""
            print_message(
                f"iteration {now.iteration}{total}  {now.wall_time_s:.1f} s{remaining}  "
                f"{now.message}"
            )

        yield show


@contextmanager
def make_reference_progress(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Shows how far a reference is while the `with` lasts, in the words that it is called with."""
    last_s = time.monotonic()
    columns = (bars.TimeElapsedColumn(), bars.TextColumn("{task.description}", markup=False))
    with Bar(*columns, quiet=quiet) as bar:
        task = bar.add_task("")

        def show(text: str) -> None:
            nonlocal last_s
            bar.update(task, description=text)
            if not (quiet or bar.is_drawn) and time.monotonic() - last_s >= PLAIN_EVERY_S:
                last_s = time.monotonic()
                print_message(text)

        yield show


@contextmanager
def make_download_progress(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Shows downloads while the `with` lasts: what it gives is called with the name of a file, the
    bytes that have come, and those that it has, 0 where that is not known.
    """
    columns = (
        bars.BarColumn(bar_width=24),
        bars.DownloadColumn(),
        bars.TextColumn("{task.description}"),
    )
    tasks: dict[str, bars.TaskID] = {}
    with Bar(*columns, quiet=quiet) as bar:

        def show(name: str, n_done: int, n_bytes: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=n_bytes or None)
                size = f"{n_bytes / 1e6:.1f} MB" if n_bytes else "unknown size"
                if not quiet and not bar.is_drawn:
                    print_message(f"fetching {name}, {size}")
            bar.update(tasks[name], completed=n_done)

        yield show


@contextmanager
def counted(total: int, what: str, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """Gives a function to call after each of `total` steps; on a terminal a bar shows them."""
    with Bar(*bars.Progress.get_default_columns(), quiet=quiet) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)
