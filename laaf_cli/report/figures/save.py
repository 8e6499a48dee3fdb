"""Writing a figure to a file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import image
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from laaf_cli.errors import UsageError
from laaf_cli.files.atomic import replacing
from laaf_cli.report.figures.canvas import STYLE
from laaf_cli.text import any_of, did_you_mean, listed

PAGED, PIXELS = "pdf", ("png", "jpg", "jpeg", "tif", "tiff", "webp")
"""Types of files that hold several figures: as pages, or one below the other."""


def file_types() -> list[str]:
    """The endings of files that matplotlib can write."""
    return sorted(FigureCanvasBase.get_supported_filetypes())


def is_folder(path: Path) -> bool:
    """Whether a path names a folder of pictures: it has no ending, or is one whose ending names no
    picture.
    """
    return not path.suffix or (path.is_dir() and path.suffix[1:].lower() not in file_types())


def check_folder(path: Path) -> None:
    """Raises UsageError where a folder of pictures would take the place of a file."""
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is a file; a name without an ending is that of a folder")


def check_path(path: Path) -> None:
    """Raises UsageError for an ending that names no type of picture, and for a path that is no
    ordinary file.
    """
    types = file_types()
    ending = path.suffix[1:].lower()
    if ending not in types:
        suffix_text = f"the ending '{path.suffix}'" if path.suffix else "no ending"
        hint = did_you_mean(ending, types)
        raise UsageError(
            f"{path} has {suffix_text}, which is not a type of picture. "
            f"{hint + ' ' if hint else ''}Types: {listed(types)}."
        )
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} cannot be written: it is not an ordinary file")


def save(figure: Figure, path: Path, dpi: float = 200) -> None:
    """Writes a figure as the type that its ending names, over a file that is there; dpi in dots per
    inch.

    Raises:
        UsageError: it cannot be written.
    """
    save_together([figure], path, dpi)


def save_together(figures: Sequence[Figure], path: Path, dpi: float = 200) -> None:
    """Writes figures into one file: a page each in a PDF, one below the other in a picture of
    pixels.

    Raises:
        UsageError: it cannot be written, and for several figures in another type.
    """
    check_path(path)
    ending = path.suffix[1:].lower()
    if len(figures) > 1 and ending not in (PAGED, *PIXELS):
        raise UsageError(
            f"{path} holds one figure, and there are {len(figures)}: choose one, or a file of type "
            f"{any_of((PAGED, *PIXELS))}, or a folder (a name without an ending)"
        )
    try:
        with replacing(path) as part, mpl.rc_context(STYLE), warnings.catch_warnings():
            # A title may hold any script; the font shows a box for what it lacks.
            warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
            if len(figures) == 1:
                figures[0].savefig(part, format=ending, dpi=dpi, facecolor="white")
            elif ending == PAGED:
                with PdfPages(part) as pages:
                    for figure in figures:
                        pages.savefig(figure, dpi=dpi, facecolor="white")
            else:
                image.imsave(part, _stacked(figures, dpi), format=ending, dpi=dpi)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from None
    except RuntimeError as error:  # a type that needs a program that is not there, as pgf does
        raise UsageError(f"{path} cannot be written: {error}") from None


def _stacked(figures: Sequence[Figure], dpi: float) -> np.ndarray:
    """The pixels [height, width, 4] of figures one below the other, on white."""
    drawn: list[np.ndarray] = []
    for figure in figures:
        with BytesIO() as png:
            figure.savefig(png, format="png", dpi=dpi, facecolor="white")
            png.seek(0)
            drawn.append(image.imread(png))
    height, width = sum(len(pixels) for pixels in drawn), max(p.shape[1] for p in drawn)
    page, top = np.ones((height, width, 4), dtype=np.float32), 0
    for pixels in drawn:
        left = (width - pixels.shape[1]) // 2
        page[top : top + len(pixels), left : left + pixels.shape[1]] = pixels
        top += len(pixels)
    return page
