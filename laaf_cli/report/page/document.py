"""Sections → one HTML file: the template, the library of the plots, and pictures for print."""

from __future__ import annotations

import warnings
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from bokeh.embed import components
from bokeh.resources import Resources
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from matplotlib.figure import Figure

from laaf_cli import __version__
from laaf_cli.report.figures.canvas import STYLE
from laaf_cli.runfile import AnyRunFile

DPI = 130
"""Of the pictures, which are as wide as a printed page."""

Repeat = Callable[[str, AnyRunFile], str]
"""What repeats a run into another file: from what trains it, as `solve`, and its file."""

BOUNDS = ("max_seconds", "goal")
"""What ends a training besides its phases."""


def bounds_of(file: AnyRunFile) -> dict[str, float]:
    """The bounds that a run was trained to."""
    known = {**file.attributes, **file.settings}
    return {name: known[name] for name in BOUNDS if known.get(name)}


def next_name(path: Path) -> str:
    """A name for the file of a run that is repeated, beside that of a run file or a checkpoint."""
    return f"{path.name.partition('.h5')[0]}-again.h5"


@dataclass(frozen=True)
class PageTable:
    """Headings and rows of cells; sorts: whether readers sort and filter it."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    sorts: bool = False


@dataclass(frozen=True)
class Plots:
    """Interactive plots side by side, by name: of one choice, where there are several."""

    plots: Mapping[str, Any]
    choice: str = ""


@dataclass(frozen=True)
class Still:
    """A picture in place of plots, in print and where no script runs; alt: what it shows; always:
    whether it is beside them.
    """

    figure: Figure
    alt: str
    always: bool = False

    @property
    def address(self) -> str:
        """The picture itself, as an address."""
        with BytesIO() as png, mpl.rc_context(STYLE), warnings.catch_warnings():
            # A title may hold any script; the font shows a box for what it lacks.
            warnings.filterwarnings("ignore", message=r"Glyph \d+", category=UserWarning)
            self.figure.savefig(png, format="png", dpi=DPI, facecolor="white")
            return f"data:image/png;base64,{b64encode(png.getvalue()).decode()}"


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page under a heading; it shows what it has, in this order."""

    heading: str
    texts: Sequence[str] = ()
    formulas: Sequence[tuple[str, Markup]] = ()
    """A name and what is typeset."""
    times: Sequence[float] = ()
    """What a slider goes through."""
    groups: Sequence[Plots] = ()
    pictures: Sequence[Still] = ()
    tables: Sequence[PageTable] = ()
    code: str = ""
    """A text to copy."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said first; state: `good`, `bad` or `open`."""

    state: str
    headline: str
    texts: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class ReportPage:
    """All that a page shows."""

    title: str
    subtitle: str
    verdict: Verdict
    sections: Sequence[Section] = field(default_factory=list)


def render(page: ReportPage, reload_s: int = 0) -> str:
    """The page as one HTML file; all texts are escaped.

    Args:
        reload_s: seconds after which a browser reloads it, 0 for never.
    """
    environment = Environment(
        loader=PackageLoader("laaf_cli.report.page"), autoescape=True, trim_blocks=True
    )
    plots = {
        name: plot
        for section in page.sections
        for group in section.groups
        for name, plot in group.plots.items()
    }
    library = Resources(
        mode="inline", components=["bokeh"], log_level="warn"
    )  # neither widgets nor WebGL
    # The library escapes what plots hold.
    script, places = components(plots, wrap_script=False) if plots else ("", {})
    return environment.get_template("page.html").render(
        page=page,
        reload_s=reload_s,
        version=__version__,
        library=Markup("\n").join(map(Markup, library.js_raw)) if plots else "",
        script=Markup(script),  # noqa: S704
        places={name: Markup(place) for name, place in places.items()},  # noqa: S704
    )
