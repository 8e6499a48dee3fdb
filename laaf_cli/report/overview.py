"""One run at a glance: what was solved, how, how wrong it is and where, its losses and its slopes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laaf_cli.report.doubts import doubts
from laaf_cli.report.learned_constants import FoundConstant, found_constants
from laaf_cli.report.losses import loss_without_recovery
from laaf_cli.report.methods import method_style
from laaf_cli.runfile import GridFields, History, RunFile
from laaf_cli.spec import RunSpec

Array = NDArray[Any]

N_BINS = 8


@dataclass(frozen=True)
class ErrorPlace:
    """Where the error of an unknown sits.

    largest: the greatest |error|, found at the point `at`. half_share: the least share of the grid's points that
    holds half of the squared error; half_box: the box around them, by coordinate.
    """

    relative_l2: float
    largest: float
    at: dict[str, float]
    half_share: float
    half_box: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class LayerSlopes:
    """n·a of a hidden layer at the end; counts: a histogram over `bins` equal parts of all layers' range."""

    mean: float
    deviation: float
    least: float
    greatest: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class TermCourse:
    """A loss term without its weight, at the start and at the end."""

    start: float
    end: float


@dataclass(frozen=True)
class Overview:
    """What `laaf show` tells of a run; error parts are None without a reference.

    weights: what multiplies each loss term at the end. validation: equations and conditions at fresh points, without
    weights. warnings: reasons to doubt the answer.
    """

    path: str
    attributes: dict[str, Any]
    spec: RunSpec
    spec_text: str
    functions_text: str | None
    method: str
    n_points: dict[str, int]
    relative_l2: float | None
    errors: dict[str, ErrorPlace] | None
    times: list[float]
    error_at_times: dict[str, list[float]] | None
    reference: dict[str, Any] | None
    terms: dict[str, TermCourse]
    total: TermCourse
    weights: dict[str, float]
    validation: dict[str, float]
    constants: dict[str, FoundConstant]
    slopes: list[LayerSlopes]
    n_records: int
    warnings: list[str]

    @classmethod
    def read(cls, path: Path) -> Overview:
        """The overview of a run file; raises RunFileError where a part of it cannot be read."""
        with RunFile(path) as run:
            reference, error = run.grid("reference"), run.grid("error")
            at_times = run.error_at_times()
            history, validation = run.history(), run.validation()
            relative = run.attributes["relative_l2"]
            errors = _error_places(error) if error is not None else None
            return cls(
                path=str(path),
                attributes=run.attributes,
                spec=run.spec,
                spec_text=run.text("spec/yaml"),
                functions_text=run.functions(),
                method=method_style(run.spec).label,
                n_points=run.n_points(),
                relative_l2=None if math.isnan(relative) and reference is None else relative,
                errors=errors,
                times=at_times.times.tolist() if at_times else [],
                error_at_times={k: v.tolist() for k, v in at_times.relative_l2.items()} if at_times else None,
                reference=dict(reference.attributes) if reference is not None else None,
                terms={name: TermCourse(float(v[0]), float(v[-1])) for name, v in history.terms.items()},
                total=TermCourse(float(history.columns["total"][0]), float(history.columns["total"][-1])),
                weights={name: float(weights[-1]) for name, weights in history.weights.items()},
                validation=validation,
                constants=found_constants(run.spec, history.columns["iteration"], history.constants),
                slopes=_slopes(run.spec, history),
                n_records=len(history.columns["iteration"]),
                warnings=doubts(
                    run.spec, history.terms, validation, {name: e.relative_l2 for name, e in (errors or {}).items()}
                ),
            )

    @property
    def loss_without_recovery(self) -> TermCourse:
        """The whole loss less W_a S(a), which never reaches zero and says nothing about the equation."""
        starts = {name: term.start for name, term in self.terms.items()}
        ends = {name: term.end for name, term in self.terms.items()}
        return TermCourse(loss_without_recovery(self.spec, starts), loss_without_recovery(self.spec, ends))

    def as_json(self) -> dict[str, Any]:
        """Plain values, by name."""
        plain: dict[str, Any] = {
            name: value
            for name, value in vars(self).items()
            if name not in ("spec", "errors", "terms", "slopes", "total", "constants")
        }
        return plain | {
            "settings": self.spec.model_dump(mode="json"),
            "errors": {k: asdict(v) for k, v in self.errors.items()} if self.errors is not None else None,
            "terms": {name: asdict(term) for name, term in self.terms.items()},
            "total": asdict(self.total),
            "loss_without_recovery": asdict(self.loss_without_recovery),
            "constants": {name: constant.as_json() for name, constant in self.constants.items()},
            "slopes": [asdict(layer) for layer in self.slopes],
        }


def _error_places(error: GridFields) -> dict[str, ErrorPlace]:
    return {
        name: _error_place(error.axes, values, float(error.attributes[f"relative_l2_{name}"]))
        for name, values in error.fields.items()
    }


def _error_place(axes: Mapping[str, Array], error: Array, relative_l2: float) -> ErrorPlace:
    squares = np.where(np.isfinite(error), error, np.inf).ravel() ** 2
    order = np.argsort(squares)[::-1]
    running = np.cumsum(squares[order])
    n_half = int(np.searchsorted(running, running[-1] / 2)) + 1 if np.isfinite(running[-1]) else 1
    where = np.unravel_index(order[:n_half], error.shape)
    names = list(axes)
    return ErrorPlace(
        relative_l2,
        float(np.sqrt(squares[order[0]])),
        {name: float(axes[name][index[0]]) for name, index in zip(names, where, strict=True)},
        n_half / error.size if running[-1] > 0 else 0.0,
        {
            name: (float(axes[name][index.min()]), float(axes[name][index.max()]))
            for name, index in zip(names, where, strict=True)
        },
    )


def _slopes(spec: RunSpec, history: History) -> list[LayerSlopes]:
    """n·a of each hidden layer at the end; none for fixed slopes."""
    if spec.slopes.kind == "fixed":
        return []
    final = [values[-1] for values in history.slopes]
    low, high = min(float(layer.min()) for layer in final), max(float(layer.max()) for layer in final)
    finite = all(np.isfinite(layer).all() for layer in final)
    return [
        LayerSlopes(
            float(layer.mean()),
            float(layer.std()),
            float(layer.min()),
            float(layer.max()),
            tuple(int(c) for c in np.histogram(layer, bins=N_BINS, range=(low, high))[0]) if finite else (),
        )
        for layer in final
    ]
