"""Reading a run file: only what is asked for, in the records that it was written from, each shape checked."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from laaf_cli.errors import RunFileError
from laaf_cli.runfile.guarded import GuardedFile
from laaf_cli.runfile.layout import ATTRIBUTES, FORMAT_VERSION, GROUP_ATTRIBUTES
from laaf_cli.runfile.record import Array, ErrorAtTimes, GridFields, History, NetworkParameters
from laaf_cli.spec import RunSpec

COLUMNS = ("iteration", "phase", "wall_time_s", "learning_rate", "total", "relative_l2")


class RunFile(GuardedFile):
    """An open run file; use it in a `with`.

    Raises RunFileError for a path that is missing, is not HDF5, was not written by laaf, is damaged, or has
    another format; every property and method does where its part of the file is not as `layout.py` says.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._check_version()
            self.attributes: dict[str, Any] = self.read_attributes(ATTRIBUTES)
        except RunFileError:
            self.close()
            raise

    def __enter__(self) -> RunFile:
        return self

    def _check_version(self) -> None:
        if not self.has_attribute("format_version"):
            raise RunFileError(f"{self.path} was not written by laaf: it has no format_version")
        version = self.attribute("format_version", ATTRIBUTES["format_version"])
        if version != FORMAT_VERSION:
            age = "a newer laaf reads it" if version > FORMAT_VERSION else "run its spec again to have it anew"
            raise RunFileError(f"{self.path} has format {version}, this laaf reads format {FORMAT_VERSION}; {age}")

    def text(self, path: str) -> str:
        """A text dataset."""
        content = self.array(path)
        if content.shape != () or content.dtype.kind != "S":
            raise RunFileError(f"{path} in {self.path} is no text")
        with self._told(path):
            return bytes(content[()]).decode()

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The resolved settings as they stand in the file."""
        try:
            settings = json.loads(self.text("spec/settings"))
        except (ValueError, RecursionError):
            raise RunFileError(f"spec/settings in {self.path} is not JSON") from None
        if not isinstance(settings, dict):
            raise RunFileError(f"spec/settings in {self.path} is not a mapping")
        return settings

    @cached_property
    def spec(self) -> RunSpec:
        """The resolved spec: command line put in, defaults written out."""
        try:
            return RunSpec.model_validate({name: self.settings.get(name) for name in RunSpec.model_fields})
        except ValidationError as error:
            key = ".".join(map(str, error.errors()[0]["loc"]))
            raise RunFileError(f"spec/settings in {self.path} does not fit this laaf, first at '{key}'") from None

    def group_attributes(self, group: str) -> dict[str, Any]:
        """The attributes of a group as `layout.py` lists them, those by unknown for each."""
        expected = {
            name.format(unknown=unknown): attribute
            for name, attribute in GROUP_ATTRIBUTES.get(f"/{group}", {}).items()
            for unknown in (self.spec.unknowns if "{unknown}" in name else [""])
        }
        return self.read_attributes(expected, group)

    def grid(self, group: str) -> GridFields | None:
        """`solution`, `reference`, `error` or `slices`; None where the run has none."""
        if not self.has(group):
            return None
        axes = {name: self._along(f"{group}/{name}", 1) for name in self.spec.coordinates}
        shape = tuple(len(axis) for axis in axes.values())
        names = [name for name in self.names(group) if name not in axes]
        fields = {name: self._shaped(f"{group}/{name}", shape) for name in names}
        known = {*self.spec.unknowns, *(f"{name}_reference" for name in self.spec.unknowns)}
        if not set(self.spec.unknowns) <= set(names) <= known:
            raise RunFileError(f"{group} in {self.path} holds other fields than the unknowns of the spec")
        return GridFields(axes, fields, self.group_attributes(group))

    def error_at_times(self) -> ErrorAtTimes | None:
        """The relative L2 error at single times; None where the run has none."""
        if not self.has("error_at_times"):
            return None
        times = self._along("error_at_times/t", 1)
        return ErrorAtTimes(
            times, {name: self._shaped(f"error_at_times/{name}", times.shape) for name in self.spec.unknowns}
        )

    def history(self) -> History:
        """Everything that was recorded while training."""
        iteration = self._along("history/iteration", 1)
        columns = {name: self._shaped(f"history/{name}", iteration.shape) for name in COLUMNS}
        terms = {name: self._shaped(f"history/terms/{name}", iteration.shape) for name in self.names("history/terms")}
        slopes = []
        for k, width in enumerate(self.spec.network.hidden, start=1):
            width = width if self.spec.slopes.kind == "nlaaf" else 1
            slopes.append(self._shaped(f"slopes/layer_{k}", (len(iteration), width)))
        return History(columns, terms, tuple(slopes))

    def final_terms(self) -> dict[str, float]:
        """The loss terms at the end, without weights; `total` is the whole loss."""
        names = {"total": "history/total"} | {name: f"history/terms/{name}" for name in self.names("history/terms")}
        return {name: self._number(path) for name, path in names.items()}

    def network(self) -> NetworkParameters:
        """Weights, biases and slopes."""
        spec = self.spec
        widths = [len(spec.coordinates), *spec.network.hidden, len(spec.unknowns)]
        layers = range(1, len(widths))
        kind = spec.slopes.kind
        sizes = [] if kind == "fixed" else [width if kind == "nlaaf" else 1 for width in spec.network.hidden]
        return NetworkParameters(
            tuple(self._shaped(f"network/layer_{k}/weight", (widths[k], widths[k - 1])) for k in layers),
            tuple(self._shaped(f"network/layer_{k}/bias", (widths[k],)) for k in layers),
            tuple(self._shaped(f"network/layer_{k}/slope", (size,)) for k, size in enumerate(sizes, start=1)),
            self.group_attributes("network"),
        )

    def n_points(self) -> dict[str, int]:
        """How many points each loss term had."""
        return {name: self.shape(f"checkpoint/points/{name}")[0] for name in self.names("checkpoint/points")}

    def _along(self, path: str, dimension: int) -> Array:
        values = self.array(path)
        if values.ndim != dimension or not values.size or values.dtype.kind not in "iuf":
            raise RunFileError(f"{path} in {self.path} has the shape {list(values.shape)}, which does not fit")
        return values

    def _shaped(self, path: str, shape: tuple[int, ...]) -> Array:
        # Asked before reading, for what does not fit need not be read.
        found = self.shape(path)
        if found != shape:
            raise RunFileError(f"{path} in {self.path} has the shape {list(found)} instead of {list(shape)}")
        values = self.array(path)
        if values.dtype.kind not in "iuf":
            raise RunFileError(f"{path} in {self.path} holds no numbers")
        return values

    def _number(self, path: str) -> float:
        value = np.asarray(self.last(path))
        if value.shape != () or value.dtype.kind not in "iuf":
            raise RunFileError(f"{path} in {self.path} is no column of numbers")
        return float(value)
