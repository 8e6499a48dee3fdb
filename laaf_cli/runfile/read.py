"""Reading the run file of an equation: only what is asked for, in the records it was written
from, shapes checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from pydantic import TypeAdapter

from laaf_cli.arrays import Array
from laaf_cli.runfile.any_run_file import MAX_RECORDS, AnyRunFile
from laaf_cli.runfile.layout import ATTRIBUTES, GROUP_ATTRIBUTES
from laaf_cli.runfile.record import (
    Checkpoint,
    ErrorAtTimes,
    GridFields,
    History,
    NetworkParameters,
    Observations,
    PhaseSummary,
)
from laaf_cli.spec import RunSpec

COLUMNS = ("wall_time_s", "learning_rate", "total", "relative_l2")
MAX_AXIS = 100_000
"""The most values of a coordinate, as of `evaluation.grid`."""

SLOPE_RECOVERY = "slope_recovery"

_PHASES = TypeAdapter[Any](list[PhaseSummary])


MAX_WINDOWS = 10_000
"""Of time, each with a network of its own."""


class RunFile(AnyRunFile):
    """An open run file of an equation; use it in a `with`."""

    expected = ATTRIBUTES
    not_stored: ClassVar[Mapping[str, Any]] = {
        **AnyRunFile.not_stored,
        **{"goal": 0.0, "estimate": math.nan, "estimated_by": ""},
    }
    task = "equation"
    error_attribute = "relative_l2"

    @cached_property
    def spec(self) -> RunSpec:
        """The resolved spec: command line put in, defaults written out."""
        spec = self._settings_as(RunSpec)
        names = [*spec.coordinates, *spec.unknowns]
        if len(set(names)) < len(names):
            raise self.refusal(
                f"spec/settings in {self.path} gives one name to two coordinates or unknowns"
            )
        return spec

    def measured(self) -> str:
        method = self.group_attributes("reference")["method"] if self.has("reference") else ""
        return measured_with(self.spec, method)

    def group_attributes(self, group: str) -> dict[str, Any]:
        """The attributes of a group as `layout.py` lists them, those by unknown or constant for
        each.
        """
        names = {"{unknown}": self.spec.unknowns, "{constant}": list(self.spec.learn)}
        expected = {
            name.replace(of, name_in_file): attribute
            for name, attribute in GROUP_ATTRIBUTES.get(f"/{group}", {}).items()
            for of in [next((of for of in names if of in name), "")]
            for name_in_file in names.get(of, [""])
        }
        stored = {
            name: attribute
            for name, attribute in expected.items()
            if not attribute.optional or self.has_attribute(name, group)
        }
        return self.read_attributes(stored, group)

    def grid(self, group: str) -> GridFields | None:
        """`solution`, `reference`, `error` or `slices`; None where the run has none."""
        if not self.has(group):
            return None
        for name in self.spec.coordinates:
            # A comparison of fields of other shapes would fail far from here, or be carried out.
            length = self._length(f"{group}/{name}", MAX_AXIS)
            if not (group == "slices" and name == "t") and self.shape(f"solution/{name}") != length:
                raise self.refusal(
                    f"{group}/{name} in {self.path} is not as long as solution/{name}"
                )
        unknowns = set(self.spec.unknowns)
        known = unknowns | {f"{name}_reference" for name in unknowns if group == "slices"}
        names = [name for name in self.names(group) if name not in self.spec.coordinates]
        if not unknowns <= set(names) <= known:
            raise self.refusal(
                f"{group} in {self.path} holds other fields than the unknowns of the spec"
            )
        axes = {name: self._axis(f"{group}/{name}") for name in self.spec.coordinates}
        shape = tuple(len(axis) for axis in axes.values())
        fields = {name: self._shaped(f"{group}/{name}", shape) for name in names}
        return GridFields(axes, fields, self.group_attributes(group))

    def error_at_times(self) -> ErrorAtTimes | None:
        """The relative L2 error at single times; None where the run has none."""
        if not self.has("error_at_times"):
            return None
        times = self._axis("error_at_times/t")
        return ErrorAtTimes(
            times,
            {
                name: self._shaped(f"error_at_times/{name}", times.shape)
                for name in self.spec.unknowns
            },
        )

    def references_at_times(self) -> list[tuple[float, dict[str, Array]]]:
        """Single times, and the reference there by unknown; none where the run has none."""
        slices = self.grid("slices")
        if slices is None:
            return []
        axis = list(slices.axes).index("t")
        return [
            (
                float(time),
                {
                    name: slices.fields[f"{name}_reference"].take(i, axis)
                    for name in self.spec.unknowns
                    if f"{name}_reference" in slices.fields
                },
            )
            for i, time in enumerate(slices.axes["t"])
        ]

    def history(self) -> History:
        """Everything that was recorded while training."""
        iterations = self.iterations()
        shape = iterations.shape
        columns = {"iteration": iterations, "phase": self._shaped("history/phase", shape, "i")}
        columns |= {name: self._shaped(f"history/{name}", shape) for name in COLUMNS}
        if (columns["phase"] < 0).any() or (columns["phase"] >= len(self.spec.training)).any():
            raise self.refusal(f"history/phase in {self.path} names a phase that the spec has not")
        terms = {
            name: self._shaped(f"history/terms/{name}", shape)
            for name in self._terms("history/terms")
        }
        if set(self.names("history/weights")) != set(terms):
            raise self.refusal(
                f"history/weights in {self.path} holds other terms than history/terms"
            )
        weights = {name: self._shaped(f"history/weights/{name}", shape) for name in terms}
        slopes = []
        for k, width in enumerate(self.hidden, start=1):
            slope = self.spec.slopes.row.layer_shape((width,))
            slopes.append(self._shaped(f"slopes/layer_{k}", (*shape, *slope)))
        return History(
            columns=columns,
            terms=terms,
            weights=weights,
            slopes=tuple(slopes),
            constants=self.constants(),
        )

    def iterations(self) -> Array:
        """The iterations of the records, which count upwards."""
        iterations = self._shaped(
            "history/iteration", self._length("history/iteration", MAX_RECORDS), "i"
        )
        if iterations[0] < 0 or (iterations[1:] <= iterations[:-1]).any():
            raise self.refusal(f"history/iteration in {self.path} does not count upwards")
        return iterations

    def constants(self) -> dict[str, Array]:
        """Each learned constant at every record, in the order of the spec."""
        if set(self.names("history/constants")) != set(self.spec.learn):
            raise self.refusal(
                f"history/constants in {self.path} holds other constants than the spec learns"
            )
        if not self.spec.learn:
            return {}
        shape = self._length("history/iteration", MAX_RECORDS)
        return {name: self._shaped(f"history/constants/{name}", shape) for name in self.spec.learn}

    def intervals(self) -> dict[str, Any]:
        """The attributes of the intervals of learned constants; empty where the run has none."""
        return self.group_attributes("intervals") if self.has("intervals") else {}

    def final_terms(self) -> dict[str, float]:
        """The loss terms at the end, without weights; `total` is the whole loss."""
        shape = self._length("history/iteration", MAX_RECORDS)
        paths = {name: f"history/terms/{name}" for name in self._terms("history/terms")} | {
            "total": "history/total"
        }
        return {name: float(self._shaped(path, shape)[-1]) for name, path in paths.items()}

    def validation(self) -> dict[str, float]:
        """Equations and conditions at held-out points after the training, without weights; empty
        where it was not computed.
        """
        names = self.names("validation")
        trained = set(self._terms("history/terms")) - {"data", "slope_recovery"}
        if not set(names) <= trained:
            raise self.refusal(
                f"validation in {self.path} holds other terms than equations and conditions of "
                "the loss"
            )
        return {name: float(self._shaped(f"validation/{name}", ())) for name in names}

    def functions(self) -> str | None:
        """The Python file that the spec names, as it was run; None without one. It is text, and
        never run.
        """
        return self.text("spec/functions") if self.has("spec/functions") else None

    def network(self) -> NetworkParameters:
        """Weights, biases and slopes."""
        spec = self.spec
        # An input is a coordinate, a sine or cosine of a periodic one, a distance from a kink, or
        # one of the two of a similarity variable.
        periodic = spec.periodic
        n_inputs = sum(2 * periodic[x] if x in periodic else 1 for x in spec.coordinates)
        n_inputs += len(spec.network.bends)
        n_inputs += 2 * len(spec.network.spreading)
        widths = [n_inputs, *self.hidden, len(spec.unknowns)]
        attributes = self.group_attributes("network")
        network = self._layers("network", widths, attributes)
        ends = self._ends()
        past = tuple(
            self._layers(f"network/window_{i}", widths, attributes) for i in range(1, len(ends))
        )
        return replace(network, past=past, ends=tuple(ends))

    def _ends(self) -> list[float]:
        """The ends of the windows of time; none where the network is that of all times."""
        if not self.has("network/ends"):
            return []
        shape = self.shape("network/ends")
        if len(shape) != 1 or shape[0] > MAX_WINDOWS:
            raise self.refusal(f"network/ends in {self.path} holds no windows of time")
        return [float(end) for end in self._shaped("network/ends", shape)]

    def _layers(
        self, group: str, widths: Sequence[int], attributes: Mapping[str, Any]
    ) -> NetworkParameters:
        layers = range(1, len(widths))
        return NetworkParameters(
            weights=tuple(
                self._shaped(f"{group}/layer_{k}/weight", (widths[k], widths[k - 1]))
                for k in layers
            ),
            biases=tuple(self._shaped(f"{group}/layer_{k}/bias", (widths[k],)) for k in layers),
            slopes=self._slopes(group),
            attributes=attributes,
        )

    @property
    def hidden(self) -> list[int]:
        """The widths of the hidden layers: phases of the training change that of the last."""
        spec = self.spec
        *others, last = spec.network.hidden
        bias = f"network/layer_{len(others) + 1}/bias"
        if not any(phase.features for phase in spec.training) or not self.has(bias):
            return [*others, last]
        stored = math.prod(self.shape(bias))
        return [*others, stored if 1 <= stored <= spec.width_before(len(spec.training)) else last]

    def slopes(self) -> tuple[Array, ...]:
        """The slopes a of every hidden layer at the end, without n; none where they are fixed."""
        return self._slopes("network")

    def _slopes(self, group: str) -> tuple[Array, ...]:
        kind = self.spec.slopes.row
        hidden = self.hidden if kind.is_adaptive else []
        return tuple(
            self._shaped(f"{group}/layer_{k}/slope", kind.layer_shape((width,)))
            for k, width in enumerate(hidden, start=1)
        )

    def phases(self) -> list[PhaseSummary]:
        """The phases that were begun."""
        phases: list[PhaseSummary] = self._json("history/phases", _PHASES)
        if len(phases) > len(self.spec.training):
            raise self.refusal(f"history/phases in {self.path} holds more phases than the spec")
        return phases

    def checkpoint(self) -> Checkpoint:
        """What resuming needs besides the network and the history."""
        attributes = self.group_attributes("checkpoint")
        for name in ("rate_factor", "phase_start_s", "recorded_s", "monitored_s"):
            if not 0 <= attributes[name] < math.inf:
                raise self.refusal(
                    f"the attribute {name} of checkpoint in {self.path} is {attributes[name]}"
                )
        terms = [name for name in self._terms("checkpoint/points") if name != SLOPE_RECOVERY]
        sizes = {name: self._n_points(f"checkpoint/points/{name}") for name in terms}
        points = {
            name: self._shaped(f"checkpoint/points/{name}", (n, len(self.spec.coordinates)))
            for name, n in sizes.items()
        }
        return Checkpoint(
            points=points,
            observed=self._columns("checkpoint/observed", sizes),
            normals=self._columns("checkpoint/normals", sizes),
            held_weights={
                name: self._shaped(f"checkpoint/held_weights/{name}", (sizes[name],))
                for name in self._some("checkpoint/held_weights", terms)
            },
            factors={
                name: float(self._shaped(f"checkpoint/factors/{name}", ()))
                for name in self._terms("checkpoint/factors")
            },
            constants={
                name: float(self._shaped(f"checkpoint/constants/{name}", ()))
                for name in self._some("checkpoint/constants", self.spec.learn)
            },
            optimizer={
                name: self.array(f"checkpoint/optimizer/{name}")
                for name in self.names("checkpoint/optimizer")
            },
            attributes=attributes,
        )

    def observations(self) -> dict[str, Observations]:
        """What was observed of each unknown, as `data` or a condition at the rows of a file says;
        unknowns that were not observed are left out.
        """
        sizes = self.n_points()
        shape = (len(self.spec.coordinates),)
        by_unknown: dict[str, list[tuple[Array, Array]]] = {}
        for term, columns in self._columns("checkpoint/observed", sizes).items():
            points = self._shaped(f"checkpoint/points/{term}", (sizes[term], *shape))
            for name in self.spec.unknowns:
                if name in columns:
                    by_unknown.setdefault(name, []).append((points, columns[name]))
        return {
            name: Observations(*(np.concatenate(parts) for parts in zip(*pairs, strict=True)))
            for name, pairs in by_unknown.items()
        }

    def _columns(self, group: str, sizes: Mapping[str, int]) -> dict[str, dict[str, Array]]:
        """Values at the points of terms, by term and name."""
        return {
            term: {
                name: self._shaped(f"{group}/{term}/{name}", (sizes[term],))
                for name in self.names(f"{group}/{term}")
            }
            for term in self._some(group, sizes)
        }

    def _some(self, group: str, known: Iterable[str]) -> list[str]:
        """The names of a group, none but those that are known."""
        names = self.names(group)
        if not set(names) <= set(known):
            raise self.refusal(f"{group} in {self.path} holds other names than the spec has")
        return names

    def n_points(self) -> dict[str, int]:
        """How many points each loss term had."""
        return {
            name: self._n_points(f"checkpoint/points/{name}")
            for name in self._terms("checkpoint/points")
        }

    def _n_points(self, path: str) -> int:
        shape = self.shape(path)
        if shape[1:] != (len(self.spec.coordinates),):
            raise self.refusal(
                f"{path} in {self.path} has the shape {list(shape)}, which points do not have"
            )
        return shape[0]

    def _terms(self, group: str) -> list[str]:
        """The names of a group that holds something for each loss term: those of the spec.

        Conditions that the form of the solution meets exactly are not terms of the loss.
        """
        spec, names = self.spec, self.names(group)
        has_form = spec.transform or spec.periodic
        sure = {
            *spec.equations,
            *(["data"] if spec.data else []),
            *([] if has_form else spec.conditions),
        }
        if not sure <= set(names) <= sure | {*spec.conditions, "slope_recovery"}:
            raise self.refusal(f"{group} in {self.path} holds other terms than the spec has")
        return names

    def _axis(self, path: str) -> Array:
        """Values of a coordinate, all of them finite."""
        values = self._shaped(path, self._length(path, MAX_AXIS))
        if not np.isfinite(values).all():
            raise self.refusal(f"{path} in {self.path} holds values that are not finite")
        return values


def measured_with(spec: RunSpec, method: str) -> str:
    """What is reported of a solution, and by what it is measured.

    Args:
        method: that of the reference, which names its file.
    """
    key = spec.model_dump_json(include={"reference", "evaluation"})
    return key + method if spec.reference.kind == "file" else key
