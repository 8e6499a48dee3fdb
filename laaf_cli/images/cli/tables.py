"""The tables of `laaf classify`, and of `laaf show` for runs of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from laaf_cli.cli.run_report_tables import ended_text, versions_table
from laaf_cli.cli.task_tables import TaskTables
from laaf_cli.images.data import DATASETS
from laaf_cli.terminal.plain_table import PlainTable

if TYPE_CHECKING:
    from laaf_cli.images.record import ClassifyResult
    from laaf_cli.images.report.run_report import ImageRunReport
    from laaf_cli.images.runfile.record import SlopeStatistics
    from laaf_cli.images.spec import ImageModelSpec

T = TypeVar("T")

MAX_CLASSES = 10
"""Of more classes those with the most errors are shown."""


def image_summary_tables(summary: ClassifyResult) -> Iterator[PlainTable]:
    """The closing tables of a classification: errors, classes, slopes, cost."""
    errors = PlainTable("", "test images", "training images")
    errors.add_texts("error", percent(summary.test_error), percent(summary.train_error))
    errors.add_texts("accuracy", percent(1 - summary.test_error), percent(1 - summary.train_error))
    errors.add_texts("cross entropy", f"{summary.test_loss:.4g}", f"{summary.train_loss:.4g}")
    if summary.slope_recovery is not None:
        errors.add_texts("S(a)", "", f"{summary.slope_recovery:.4f}")
    errors.add_texts("images", f"{summary.n_test}", f"{summary.n_train}")
    yield errors
    if summary.classes:
        by_class = PlainTable("class", "error")
        for name, share in _worst(summary.classes.items(), lambda item: item[1]):
            by_class.add_texts(name, percent(share))
        yield by_class
    if summary.n_slopes:
        yield slopes_table(summary.slopes)
    cost = PlainTable("training", "")
    cost.add_texts("epochs", f"{summary.epochs:g}")
    cost.add_texts("steps", str(summary.iterations))
    cost.add_texts("stopped", summary.stop_reason)
    cost.add_texts("seconds", f"{summary.wall_time_s:.1f}")
    cost.add_texts("images per second", rate(summary.images_per_s))
    cost.add_texts("parameters + slopes", f"{summary.n_parameters} + {summary.n_slopes}")
    cost.add_texts("run file", summary.path)
    yield cost


def _worst(classes: Collection[T], errors: Callable[[T], float]) -> Collection[T]:
    """All classes in their order, or of many those with the most errors."""
    if len(classes) <= MAX_CLASSES:
        return classes
    return sorted(classes, key=lambda of_class: -errors(of_class))[:MAX_CLASSES]


def slopes_table(activations: Sequence[SlopeStatistics]) -> PlainTable:
    """n·a of each activation."""
    table = PlainTable("slopes n·a", "mean", "deviation", "minimum", "maximum")
    for k, slopes in enumerate(activations, start=1):
        numbers = (slopes.mean, slopes.deviation, slopes.min, slopes.max)
        table.add_texts(f"activation {k}", *(f"{number:.4f}" for number in numbers))
    return table


def percent(share: float) -> str:
    """A fraction in percent; `-` where it is not known."""
    return "-" if math.isnan(share) else f"{100 * share:.2f} %"


def rate(images_per_s: float) -> str:
    """Images per second; `-` where no time was measured."""
    return f"{images_per_s:.0f}" if math.isfinite(images_per_s) else "-"


def image_report_tables(report: ImageRunReport) -> Iterator[PlainTable]:
    """What was classified, how, how often wrongly, which classes; losses, slopes, versions."""
    yield _data(report)
    yield _method(report)
    yield _course(report)
    by_class = PlainTable("class", "test images", "wrong", "error")
    for of_class in _worst(report.classes, lambda class_: class_.wrong):
        by_class.add_texts(
            of_class.name, str(of_class.images), str(of_class.wrong), percent(of_class.error)
        )
    yield by_class
    if report.confusions:
        confusions = PlainTable("most often taken for another", "found", "images")
        for pair in report.confusions:
            confusions.add_texts(pair.true, pair.found, str(pair.images))
        yield confusions
    if report.slopes:
        yield slopes_table(report.slopes)
    yield versions_table(report.attributes)


def _data(report: ImageRunReport) -> PlainTable:
    spec, facts = report.settings, report.attributes
    table = PlainTable("images", spec.title or facts["problem"])
    if spec.source:
        table.add_texts("source", spec.source)
    table.add_texts(
        "training, test",
        f"{facts['n_train']} and {facts['n_test']} images of {facts['n_classes']} classes",
    )
    for name, digest in report.files.items():
        table.add_texts(name, f"SHA-256 {digest[:16]}…")
    return table


def _method(report: ImageRunReport) -> PlainTable:
    spec, facts = report.settings, report.attributes
    table = PlainTable("method", report.method)
    recovery = spec.slopes.used_recovery
    if recovery is not None:
        table.add_texts(
            "slope recovery", f"weight {recovery.weight:g}, {recovery.form}, {recovery.operator}"
        )
    if spec.slopes.row.per_neuron:
        table.add_texts("in convolutions", f"a slope per {spec.slopes.per}")
    table.add_texts("network", _network(spec.model))
    table.add_texts("parameters + slopes", f"{facts['n_parameters']} + {facts['n_slopes']}")
    training = spec.training
    rate_law = f"learning rate {training.learning_rate:g}"
    if training.drops:
        rate_law += f", times {training.factor:g} at epoch {', '.join(map(str, training.drops))}"
    passes = f"{training.epochs} epoch" + "s" * (training.epochs != 1)
    table.add_texts(
        "training", f"{passes}, batches of {training.batch}, momentum {training.momentum:g}"
    )
    table.add_texts("", rate_law)
    table.add_texts("augmentation", "on" if spec.augment else "off")
    table.add_texts(
        "set-up as in", {"paper": "the paper's text", "code": "the authors' code"}[spec.reading]
    )
    table.add_texts("seed, precision", f"{facts['seed']}, {facts['dtype']}")
    for event in report.events:
        table.add_texts(f"before step {event.iteration}", event.what)
    table.add_texts(
        "ended", ended_text(facts, f"epoch {report.end.epoch:g} and {facts['iterations']} steps")
    )
    table.add_texts("images per second", rate(facts["images_per_s"]))
    return table


def _network(model: ImageModelSpec) -> str:
    words = [model.kind]
    if model.width is not None:
        words.append(f"fully connected layer of {model.width}")
    if model.dropout:
        words.append(f"dropout {model.dropout:g}")
    if model.forgets_n:
        words.append("slopes without the factor n")
    return ", ".join(words)


def _course(report: ImageRunReport) -> PlainTable:
    states = {"at the start": report.start, "at the end": report.end, "best": report.best}
    table = PlainTable("error and loss", *states)
    table.add_texts("epoch", *(f"{state.epoch:g}" for state in states.values()))
    table.add_texts("test error", *(percent(state.test_error) for state in states.values()))
    table.add_texts("training error", *(percent(state.train_error) for state in states.values()))
    table.add_texts("test cross entropy", *(f"{state.test_loss:.4g}" for state in states.values()))
    table.add_texts(
        "training cross entropy", *(f"{state.train_loss:.4g}" for state in states.values())
    )
    if report.slope_recovery is not None:
        table.add_texts("S(a)", "", f"{report.slope_recovery:.4f}", "")
    return table


def _sizes(dataset: str) -> str:
    """The published numbers of images."""
    row = DATASETS[dataset]
    return " + ".join(f"{sum(part.n for part in parts):,}" for parts in (row.train, row.test))


TABLES = TaskTables(
    bundled={
        "training + test images": lambda name, _plain: _sizes(name),
        "classes": lambda name, _plain: str(len(DATASETS[name].classes)),
    },
    of_result=image_summary_tables,
    of_report=image_report_tables,
)
