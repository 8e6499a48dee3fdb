"""Run files → a page: of one run, or of a comparison of several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.files.atomic import replacing
from laaf_cli.files.target import FileKind
from laaf_cli.report.comparison import compare
from laaf_cli.report.comparison_entry import ComparisonEntry
from laaf_cli.report.page.comparison_page import make_comparison_page
from laaf_cli.report.page.document import Repeat, ReportPage, bounds_of, next_name, render
from laaf_cli.runfile import AnyRunFile, task_of
from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.spec import bundled

ENDINGS = (".html", ".htm")

PAGE = FileKind("a page of laaf", b'<meta name="generator" content="laaf ')


def check_output(path: Path) -> None:
    """Raises UsageError for a name that is not one of a page, or of something else than one."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path} does not end in .html, as a page does")
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} cannot be written: it is not an ordinary file")
    PAGE.check_replaced(path)


def python_call(command: str, file: AnyRunFile) -> str:
    """What repeats a run from Python."""
    source = file.source()
    words = [repr(bundled.name_of(source.path) or source.path)]
    words += [f"set={dict(source.overrides)!r}"] if source.overrides else []
    words += [f"{name}={value!r}" for name, value in bounds_of(file).items()]
    return f"laaf.{command}({', '.join([*words, f'output={next_name(file.path)!r}'])})"


def write_page(
    paths: Sequence[Path],
    output: Path,
    *,
    repeat: Repeat = python_call,
    not_trained: Mapping[str, str] | None = None,
    reload_s: int | None = None,
) -> list[str]:
    """Writes the page of a run, or of the comparison of several, over a file that is there.

    Args:
        repeat: what repeats a run, as the page shows it.
        not_trained: runs that have no file, by its path, and why.
        reload_s: of running trainings, whose errors so far count: seconds after which a browser
            reloads the page, 0 for never.

    Returns:
        What is wrong with the files of a comparison that cannot be read; the page says it, too.

    Raises:
        UsageError: it cannot be written.
        RunFileError: none of the runs can be read.
    """
    check_output(output)
    unreadable: list[str] = []
    if len(paths) == 1 and not not_trained:
        make: Callable[[Path, Repeat], ReportPage] = loaded(TASKS[task_of(paths[0])].page)
        page = make(paths[0], repeat)
    else:
        page = _comparison(paths, unreadable, not_trained or {}, is_watched=reload_s is not None)
    text = render(page, reload_s or 0)
    try:
        with replacing(output) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror or error}") from None
    return unreadable


def _comparison(
    paths: Sequence[Path],
    unreadable: list[str],
    not_trained: Mapping[str, str],
    *,
    is_watched: bool,
) -> ReportPage:
    """The page of several runs; adds to `unreadable` what is wrong with the files it leaves out."""
    entries = []
    for path in paths:
        try:
            entries.append(replace(ComparisonEntry.read(path), is_watched=is_watched))
        except RunFileError as error:
            unreadable.append(str(error))
    if not entries:
        raise RunFileError("\n".join(unreadable))
    missing = [*unreadable, *(f"{path}: {why}" for path, why in not_trained.items())]
    return make_comparison_page(compare(entries, mixed=True), missing)
