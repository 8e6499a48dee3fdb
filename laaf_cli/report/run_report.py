"""One run at a glance: what was solved, how, how wrong it is and where, its losses and its
slopes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import WithJsonSchema, computed_field

from laaf_cli.arrays import Array
from laaf_cli.json_record import JsonRecord
from laaf_cli.metrics import absolute_errors, goal_text, is_zero
from laaf_cli.report.comparison_entry import SUCCESSES
from laaf_cli.report.methods import method_style
from laaf_cli.runfile import (
    ATTRIBUTES,
    GROUP_ATTRIBUTES,
    AnyRunFile,
    Attribute,
    EventSummary,
    History,
    PhaseSummary,
    RunFile,
)
from laaf_cli.runfile.diagnostics import doubts
from laaf_cli.runfile.learned_constants import EstimatedConstant, found_constants
from laaf_cli.runfile.losses import loss_without_recovery
from laaf_cli.spec import AnySpec, RunSpec

_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: ["number", "null"]}


def attributes_schema(table: Mapping[str, Attribute]) -> WithJsonSchema:
    """What a mapping of attributes holds, as the layout of the run file says."""
    rows = {
        name: {"type": _JSON_TYPES[row.kind], "description": row.meaning}
        for name, row in table.items()
    }
    properties = {name: row for name, row in rows.items() if "{" not in name}
    by_name = {f"^{name.split('{')[0]}.+$": row for name, row in rows.items() if "{" in name}
    return WithJsonSchema(
        {"type": "object", "properties": properties}
        | ({"patternProperties": by_name} if by_name else {})
        | {"required": list(properties), "additionalProperties": False}
    )


def shared(run: AnyRunFile, spec: AnySpec) -> dict[str, Any]:
    """What is reported of the runs of all tasks."""
    return {
        "path": str(run.path),
        "attributes": run.attributes,
        "settings": spec,
        "spec_text": run.text("spec/yaml"),
        "method": method_style(spec).label,
        "events": run.events(),
    }


N_BINS = 8


@dataclass(frozen=True, kw_only=True)
class ErrorLocation:
    """Where the error of an unknown sits."""

    relative_l2: float
    """Relative L2 error on the grid."""
    largest: float
    """The largest |error| on the grid."""
    at: dict[str, float]
    """The point of the largest |error|, by coordinate."""
    half_share: float
    """The smallest fraction of the grid's points that holds half of the squared error."""
    half_box: dict[str, tuple[float, float]]
    """The box around these points: smallest and largest value, by coordinate."""


@dataclass(frozen=True, kw_only=True)
class SlopeHistogram:
    """n·a of a hidden layer at the end."""

    mean: float
    """Their mean."""
    deviation: float
    """Their standard deviation."""
    min: float
    """The minimum."""
    max: float
    """The maximum."""
    counts: tuple[int, ...]
    """A histogram over equal parts of all layers' range; empty where a slope is not finite."""


@dataclass(frozen=True)
class TermCourse:
    """A loss term without its weight, at the start and at the end."""

    start: float
    """Its value before training."""
    end: float
    """Its value at the end."""


@dataclass(frozen=True, kw_only=True)
class RunReport(JsonRecord):
    """The report on a run; what needs a reference is None without one."""

    path: str
    """The run file."""
    attributes: Annotated[dict[str, Any], attributes_schema(ATTRIBUTES)]
    """The attributes of the run file."""
    settings: RunSpec
    """The spec with the command line put in and every default written out."""
    spec_text: str
    """The spec as it was given."""
    functions_text: str | None
    """The Python file that the spec names; None where it names none."""
    method: str
    """The name of the method, as a comparison has it."""
    n_points: dict[str, int]
    """The number of collocation points of each term."""
    relative_l2: float | None
    """The relative L2 error on the grid, the largest among the unknowns."""
    errors: dict[str, ErrorLocation] | None
    """Where the error sits, by unknown."""
    times: list[float]
    """The times at which the error is reported separately."""
    error_at_times: dict[str, list[float]] | None
    """The relative L2 error over space at each of these times, by unknown; None without space."""
    absolute: list[str]
    """A sentence for each error that is absolute, since the reference is zero."""
    reference: Annotated[dict[str, Any], attributes_schema(GROUP_ATTRIBUTES["/reference"])] | None
    """How the reference was computed."""
    terms: dict[str, TermCourse]
    """The terms of the loss, without their weights; `slope_recovery` is S(a)."""
    total: TermCourse
    """The whole loss, weights and slope recovery included."""
    weights: dict[str, float]
    """What multiplies each term of the loss at the end."""
    validation: dict[str, float]
    """Equations and conditions at held-out points after the training, without weights."""
    constants: dict[str, EstimatedConstant]
    """The learned constants, by name."""
    slopes: list[SlopeHistogram]
    """The slopes of each hidden layer; empty where they are fixed."""
    n_records: int
    """The number of records in the histories."""
    phases: list[PhaseSummary]
    """The phases that were begun."""
    events: list[EventSummary]
    """That the training was resumed or retried."""
    warnings: list[str]
    """Reasons to doubt the answer."""

    @classmethod
    def read(cls, path: Path) -> RunReport:
        """The report of a run file.

        Raises:
            RunFileError: a part of it cannot be read.
        """
        with RunFile(path) as run:
            reference, error = run.grid("reference"), run.grid("error")
            at_times = run.error_at_times() if len(run.spec.coordinates) > 1 else None
            known = reference.fields if reference is not None else {}
            history, validation = run.history(), run.validation()
            relative = run.attributes["relative_l2"]
            columns = history.columns
            errors = None
            if error is not None:
                errors = {
                    name: _error_place(
                        error.axes,
                        values,
                        error.attributes[f"relative_l2_{name}"],
                        is_known=~np.isnan(known[name]),
                    )
                    for name, values in error.fields.items()
                }
            relative_errors = {name: place.relative_l2 for name, place in (errors or {}).items()}
            return cls(
                **shared(run, run.spec),
                functions_text=run.functions(),
                n_points=run.n_points(),
                relative_l2=None if math.isnan(relative) and reference is None else relative,
                errors=errors,
                times=at_times.times.tolist() if at_times else [],
                error_at_times={k: v.tolist() for k, v in at_times.relative_l2.items()}
                if at_times
                else None,
                absolute=absolute_errors(known, run.references_at_times() if at_times else ()),
                reference=dict(reference.attributes) if reference is not None else None,
                terms={k: TermCourse(float(v[0]), float(v[-1])) for k, v in history.terms.items()},
                total=TermCourse(float(columns["total"][0]), float(columns["total"][-1])),
                weights={name: float(weights[-1]) for name, weights in history.weights.items()},
                validation=validation,
                constants=found_constants(
                    run.spec, columns["iteration"], history.constants, run.intervals()
                ),
                slopes=_slopes(run.spec, history),
                n_records=len(columns["iteration"]),
                phases=run.phases(),
                warnings=doubts(
                    run.spec,
                    history.terms,
                    validation,
                    {
                        k: v
                        for k, v in relative_errors.items()
                        if k in known and not is_zero(known[k])
                    },
                ),
            )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def goal_text(self) -> str:
        """Whether the training came to its goal, as it said at its end; empty without a goal."""
        facts = self.attributes
        if not facts["goal"] or facts["stop_reason"] not in SUCCESSES:
            return ""
        known = facts["estimate"] if self.relative_l2 is None else self.relative_l2
        by = facts["estimated_by"] if self.relative_l2 is None else ""
        return goal_text(math.inf if math.isnan(known) else known, facts["goal"], by)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def loss_without_recovery(self) -> TermCourse:
        """The whole loss less W_a S(a), which never reaches zero and says nothing about the
        equation.
        """
        starts = {name: term.start for name, term in self.terms.items()}
        ends = {name: term.end for name, term in self.terms.items()}
        return TermCourse(
            loss_without_recovery(self.settings, starts), loss_without_recovery(self.settings, ends)
        )


def _error_place(
    axes: Mapping[str, Array], error: Array, relative_l2: Any, *, is_known: NDArray[np.bool_]
) -> ErrorLocation:
    """Args: is_known: where the reference has a value, and there is an error at all."""
    error = np.where(is_known, np.where(np.isfinite(error), error, np.inf), 0.0)
    squares = error.ravel() ** 2
    order = np.argsort(squares)[::-1]
    running = np.cumsum(squares[order])
    n_half = int(np.searchsorted(running, running[-1] / 2)) + 1 if np.isfinite(running[-1]) else 1
    where = np.unravel_index(order[:n_half], error.shape)
    names = list(axes)
    return ErrorLocation(
        relative_l2=float(relative_l2),
        largest=float(np.sqrt(squares[order[0]])),
        at={name: float(axes[name][index[0]]) for name, index in zip(names, where, strict=True)},
        half_share=n_half / int(is_known.sum()) if running[-1] > 0 else 0.0,
        half_box={
            name: (float(axes[name][index.min()]), float(axes[name][index.max()]))
            for name, index in zip(names, where, strict=True)
        },
    )


def _slopes(spec: RunSpec, history: History) -> list[SlopeHistogram]:
    """n·a of each hidden layer at the end; none for fixed slopes."""
    if not spec.slopes.row.is_adaptive:
        return []
    final = [values[-1] for values in history.slopes]
    low, high = (
        min(float(layer.min()) for layer in final),
        max(float(layer.max()) for layer in final),
    )
    finite = all(np.isfinite(layer).all() for layer in final)
    return [
        SlopeHistogram(
            mean=float(layer.mean()),
            deviation=float(layer.std()),
            min=float(layer.min()),
            max=float(layer.max()),
            counts=tuple(int(c) for c in np.histogram(layer, bins=N_BINS, range=(low, high))[0])
            if finite
            else (),
        )
        for layer in final
    ]
