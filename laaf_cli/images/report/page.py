"""The page of a run of images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from bokeh.models import ColumnDataSource

from laaf_cli.images.report.figures import IMAGE_KINDS
from laaf_cli.images.report.mistakes import mistakes_figure
from laaf_cli.images.report.run_data import ImageRunData
from laaf_cli.images.report.run_report import ImageRunReport
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.report import figures
from laaf_cli.report.page.document import (
    PageTable,
    Plots,
    Repeat,
    ReportPage,
    Section,
    Still,
    Verdict,
)
from laaf_cli.report.page.plots import (
    COLORS,
    NUMBER,
    Plot,
    add_hover,
    legend_below,
    make_plot,
    name_ticks,
)
from laaf_cli.report.page.run_page import ENDED, origin

MOST_COUNTED = 12
"""The most classes whose counts have room in the cells of the table that is drawn."""

DARK = 0.8
"""A larger share makes a cell so dark that its count is white."""


def make_page(path: Path, repeat: Repeat) -> ReportPage:
    """The page of a run file; raises RunFileError where it cannot be read."""
    report, run = ImageRunReport.read(path), ImageRunData.read(path)
    with ImageRunFile(path) as file:
        repeated = repeat("classify", file)
    ended = ENDED.get(report.attributes["stop_reason"], "")
    wrong, images = (
        sum(getattr(row, name) for row in report.classes) for name in ("wrong", "images")
    )
    guessed = images - max(row.images for row in report.classes)
    return ReportPage(
        title=run.title,
        subtitle=report.method,
        verdict=Verdict(
            state="bad" if ended or report.warnings or wrong >= guessed else "plain",
            headline=f"{report.end.test_error:.2%} of {images} test images are classified wrongly",
            texts=[
                f"Of the images of the training: {report.end.train_error:.2%}. Calling all test "
                f"images by the most frequent class: {guessed / images:.2%}.",
                *filter(None, [ended]),
                *report.warnings,
            ],
        ),
        sections=[
            _mistakes(report, run, wrong),
            _training(report, run),
            *_slopes(report, run),
            Section(heading="Spec", code=report.spec_text),
            origin(report.path, report.attributes, repeated),
        ],
    )


def _mistakes(report: ImageRunReport, run: ImageRunData, wrong: int) -> Section:
    classes = [[c.name, str(c.images), str(c.wrong), f"{c.error:.2%}"] for c in report.classes]
    pairs = [[c.true, c.found, str(c.images), f"{c.images / wrong:.0%}"] for c in report.confusions]
    return Section(
        heading="Mistakes",
        groups=[Plots({"confusion": _confusion(run)})],
        pictures=[
            _picture(run, "confusion", "How often images of each class were taken for each"),
            *_examples(run),
        ],
        tables=[
            PageTable(["class", "test images", "wrong", "error"], classes, sorts=True),
            PageTable(["images of", "taken for", "how many", "of all mistakes"], pairs),
        ],
    )


def _examples(run: ImageRunData) -> Iterator[Still]:
    if run.mistakes is not None:
        names = [
            f"{run.classes[true]} taken for {run.classes[found]}"
            for true, found in zip(run.mistakes.true, run.mistakes.found, strict=True)
        ]
        yield Still(
            mistakes_figure(run.mistakes, run.classes),
            f"Test images that were classified wrongly: {', '.join(names)}",
            always=True,
        )


def _confusion(run: ImageRunData) -> Plot:
    """True classes down, found ones across; the colour is the fraction of the true class."""
    n = len(run.classes)
    true, found = (index.ravel() for index in np.indices((n, n)))
    counts = run.confusion.ravel()
    shares = (run.confusion / np.maximum(run.confusion.sum(axis=1, keepdims=True), 1)).ravel()
    names = [
        f"{i}: {name}" if run.classes.count(name) > 1 else name
        for i, name in enumerate(run.classes)
    ]
    data = {
        "true": [names[i] for i in true],
        "found": [names[j] for j in found],
        "count": counts,
        "share": shares,
        "alpha": np.where(counts, 0.15 + 0.85 * shares, 0.0),
    }
    plot = make_plot("found class", "true class", height=480, x_range=names, y_range=names[::-1])
    plot.max_width = 640
    style = {"color": COLORS[0], "fill_alpha": "alpha", "line_alpha": 0.2}
    plot.rect("found", "true", width=0.95, height=0.95, source=ColumnDataSource(data), **style)
    if n <= MOST_COUNTED:
        for color, chosen in (("white", shares > DARK), ("", shares <= DARK)):
            cells = {
                name: np.asarray(values)[chosen & (counts > 0)] for name, values in data.items()
            }
            text = plot.text("found", "true", "count", source=ColumnDataSource(cells))
            text.glyph.update(text_align="center", text_baseline="middle", text_font_size="13px")
            text.glyph.update(**{"text_color": color} if color else {"name": "ink"})
    plot.xaxis.major_label_orientation = "vertical"
    tips = [
        ("true", "@true"),
        ("found", "@found"),
        ("images", "@count"),
        ("share", "@share{0.0 %}"),
    ]
    add_hover(plot, tips)
    return plot


def _training(report: ImageRunReport, run: ImageRunData) -> Section:
    plots = {}
    for what, kind in (("cross entropy", "loss"), ("fraction classified wrongly", "error")):
        plot = make_plot("epoch", what, y_axis_type="log")
        for name, color in (("test", COLORS[1]), ("train", COLORS[0])):
            values = run.history.columns[f"{name}_{kind}"]
            y = np.where(values > 0, values, np.nan)
            style = {"color": color, "line_width": 2, "legend_label": f"{name} images"}
            plot.line(run.history.epochs, y, name=name, **style)
        both = [run.history.columns[f"{name}_{kind}"] for name in ("test", "train")]
        name_ticks(plot.yaxis, np.concatenate(both))
        add_hover(plot, [("", "$name"), ("epoch", "$x{0.0}"), (what, f"$y{{{NUMBER}}}")])
        legend_below(plot)
        plots[kind] = plot
    rows = [
        [
            name,
            f"{state.epoch:g}",
            *(f"{state.train_loss:.4f}", f"{state.train_error:.2%}"),
            *(f"{state.test_loss:.4f}", f"{state.test_error:.2%}"),
        ]
        for name, state in (("start", report.start), ("best", report.best), ("end", report.end))
    ]
    headings = ["at", "epoch", "train loss", "train error", "test loss", "test error"]
    return Section(
        heading="Training",
        texts=["The best is picked by the test images, so it is no fair result."],
        groups=[Plots(plots)],
        pictures=[
            _picture(run, "loss", "Cross entropy by epoch"),
            _picture(run, "error", "The fraction classified wrongly by epoch"),
        ],
        tables=[PageTable(headings, rows)],
    )


def _slopes(report: ImageRunReport, run: ImageRunData) -> Iterator[Section]:
    if not report.slopes:
        return
    rows = [
        [f"activation {k}", *(f"{value:.4f}" for value in (s.mean, s.deviation, s.min, s.max))]
        for k, s in enumerate(report.slopes, start=1)
    ]
    headings = ["n·a", "mean", "deviation", "minimum", "maximum"]
    pictures = (
        []
        if IMAGE_KINDS["slopes"].obstacle(run)
        else [_picture(run, "slopes", "The slopes by epoch")]
    )
    yield Section(heading="Slopes", pictures=pictures, tables=[PageTable(headings, rows)])


def _picture(run: ImageRunData, kind: str, shows: str) -> Still:
    (drawing,) = figures.draw([run], [kind])
    return Still(drawing.figure, f"{shows}: {run.title}")
