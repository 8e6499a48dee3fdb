"""Writing a figure to a file."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib as mpl
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from laaf_cli.errors import UsageError
from laaf_cli.files.atomic import replacing
from laaf_cli.report.figures.canvas import STYLE
from laaf_cli.text import did_you_mean, listed


def file_types() -> list[str]:
    """The endings of files that matplotlib can write."""
    return sorted(FigureCanvasBase.get_supported_filetypes())


def check_path(path: Path) -> None:
    """Raises UsageError for an ending that names no type of picture, and for a path that is no
    ordinary file.
    """
    types = file_types()
    ending = path.suffix[1:].lower()
    if ending not in types:
        told = f"the ending '{path.suffix}'" if path.suffix else "no ending"
        hint = did_you_mean(ending, types)
        raise UsageError(
            f"{path} has {told}, which names no type of picture. "
            f"{hint + ' ' if hint else ''}Types: {listed(types)}."
        )
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} cannot be written: it is not an ordinary file")


def save(figure: Figure, path: Path, dpi: float = 200) -> None:
    """Writes a figure as the type that its ending names, over a file that is there; dpi in dots per
    inch.

    Raises UsageError where it cannot be written.
    """
    check_path(path)
    try:
        with replacing(path) as part, mpl.rc_context(STYLE), warnings.catch_warnings():
            # A title may hold any script; the font shows a box for what it lacks.
            warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
            figure.savefig(part, format=path.suffix[1:].lower(), dpi=dpi, facecolor="white")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    except RuntimeError as error:  # a type that needs a program that is not there, as pgf does
        raise UsageError(f"{path} cannot be written: {error}") from None
