"""Writing a run file: in memory, sealed, then beside its place, flushed to the disk, and renamed
into it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.files.atomic import replacing
from laaf_cli.files.untrusted.hdf5 import Attribute
from laaf_cli.runfile.layout import ATTRIBUTES
from laaf_cli.runfile.record import (
    Checkpoint,
    ErrorAtTimes,
    GridFields,
    History,
    NetworkParameters,
    PhaseSummary,
    RunFileRecord,
)
from laaf_cli.runfile.seal import SIZE, seal_content


def write_run(path: Path, record: RunFileRecord) -> None:
    """Writes a run so that `path` holds either what it held before or the whole new file, never
    less.

    Raises:
        OSError: the place cannot be written; nothing is left behind then.
    """
    content = io.BytesIO()
    # HDF5 does not survive a disk that is full: what it cannot write keeps a file open, and later
    # ends the process.
    with h5py.File(content, "w", userblock_size=SIZE) as file:
        record.fill(file)
    seal_content(content.getbuffer())
    with replacing(path) as part:
        part.write_bytes(content.getbuffer())


@dataclass(frozen=True, kw_only=True)
class RunRecord(RunFileRecord):
    """Everything that the run of an equation leaves behind; `layout.py` says where."""

    functions: str | None
    """The Python file that the spec names, None without one."""
    solution: GridFields
    reference: GridFields | None
    """None where there is no reference."""
    error: GridFields | None
    """Solution minus reference; None where there is no reference."""
    slices: GridFields | None
    """`u` and, with a reference, `u_reference` at the single times of the spec."""
    error_at_times: ErrorAtTimes | None
    history: History
    phases: Sequence[PhaseSummary]
    """The phases that were begun."""
    network: NetworkParameters
    validation: Mapping[str, float]
    """Each equation and condition at held-out points, without its weight; empty where training
    diverged.
    """
    intervals: Mapping[str, str | float]
    """Attributes of learned constants, empty where nothing is known of them."""
    checkpoint: Checkpoint

    def fill(self, file: h5py.File) -> None:
        fill_head(file, self, ATTRIBUTES)
        if self.functions is not None:
            file["spec/functions"] = text(self.functions)
        for group, grid in (
            ("solution", self.solution),
            ("reference", self.reference),
            ("error", self.error),
            ("slices", self.slices),
        ):
            if grid is not None:
                _fill_grid(file.create_group(group), grid)
        if self.error_at_times is not None:
            group = file.create_group("error_at_times")
            fill_along(group, "t", self.error_at_times.times, self.error_at_times.relative_l2)
        _fill_history(file, self.history)
        file["history/phases"] = as_json([asdict(phase) for phase in self.phases])
        network = file.create_group("network")
        _fill_layers(network, self.network)
        for i, window in enumerate(self.network.past, start=1):
            _fill_layers(network.create_group(f"window_{i}"), window)
        if self.network.ends:
            network["ends"] = np.array(self.network.ends)
        network.attrs.update(self.network.attributes)
        for name, value in self.validation.items():
            file[f"validation/{name}"] = np.float64(value)
        if self.intervals:
            file.create_group("intervals").attrs.update(self.intervals)
        _fill_checkpoint(file.create_group("checkpoint"), self.checkpoint)


def fill_head(file: h5py.File, record: RunFileRecord, expected: Mapping[str, Attribute]) -> None:
    """Writes what the run files of all tasks hold."""
    missing = set(expected) ^ set(record.attributes)
    if missing:
        raise ValueError(f"attributes do not match the layout: {sorted(missing)}")
    for name, value in record.attributes.items():
        file.attrs[name] = storable(value) if isinstance(value, str) else value
    file["spec/yaml"] = text(record.spec.yaml)
    file["spec/path"] = text(storable(record.spec.path))
    file["spec/overrides"] = as_json(record.spec.overrides)
    file["spec/settings"] = text(record.settings)
    file["history/events"] = as_json([asdict(event) for event in record.events])


def _fill_layers(group: h5py.Group, network: NetworkParameters) -> None:
    for k, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True), start=1):
        group[f"layer_{k}/weight"] = weight
        group[f"layer_{k}/bias"] = bias
    for k, slope in enumerate(network.slopes, start=1):
        group[f"layer_{k}/slope"] = slope


def _fill_checkpoint(group: h5py.Group, checkpoint: Checkpoint) -> None:
    group.attrs.update(checkpoint.attributes)
    for name, arrays in (
        ("points", checkpoint.points),
        ("held_weights", checkpoint.held_weights),
        ("factors", checkpoint.factors),
        ("constants", checkpoint.constants),
        ("optimizer", checkpoint.optimizer),
    ):
        for key, values in arrays.items():
            group[f"{name}/{key}"] = values
    for name, columns_of in (("observed", checkpoint.observed), ("normals", checkpoint.normals)):
        for term, columns in columns_of.items():
            for key, values in columns.items():
                group[f"{name}/{term}/{key}"] = values


def storable(value: str) -> str:
    """A text without what HDF5 cannot hold: characters that are not Unicode, as in some file
    names, and NUL.
    """
    return value.encode(errors="replace").decode().replace("\0", "?")


def text(value: str) -> np.ndarray:
    """A text as HDF5 holds it without objects: fixed length, UTF-8."""
    return np.array(value.encode(), dtype=f"S{max(1, len(value.encode()))}")


def as_json(value: object) -> np.ndarray:
    """A value as JSON, which is text."""
    return text(json.dumps(value))


def _fill_grid(group: h5py.Group, grid: GridFields) -> None:
    group.attrs.update(grid.attributes)
    for name, axis in grid.axes.items():
        group[name] = axis
        group[name].make_scale(name)
    for name, values in grid.fields.items():
        dataset = group.create_dataset(name, data=values, **_compressed(values))
        for i, coordinate in enumerate(grid.axes):
            dataset.dims[i].attach_scale(group[coordinate])


def fill_along(group: h5py.Group, scale: str, values: Array, columns: Mapping[str, Array]) -> None:
    """Columns that run along one dimension scale."""
    if scale not in group:
        group[scale] = values
        group[scale].make_scale(scale)
    _attach_along(group, group[scale], columns)


def _attach_along(group: h5py.Group, scale: h5py.Dataset, columns: Mapping[str, Array]) -> None:
    for name, column in columns.items():
        dataset = group.create_dataset(name, data=column, **_compressed(column))
        dataset.dims[0].attach_scale(scale)


def _fill_history(file: h5py.File, recorded: History) -> None:
    history = file["history"]
    iterations = recorded.columns["iteration"]
    rest = {name: column for name, column in recorded.columns.items() if name != "iteration"}
    fill_along(history, "iteration", iterations, rest)
    for name, columns in (
        ("terms", recorded.terms),
        ("weights", recorded.weights),
        ("constants", recorded.constants),
    ):
        if columns:
            _attach_along(history.create_group(name), history["iteration"], columns)
    slopes = file.create_group("slopes")
    for k, values in enumerate(recorded.slopes, start=1):
        neuron = f"slope_{k}"
        slopes[neuron] = np.arange(values.shape[1])
        slopes[neuron].make_scale(neuron)
        fill_along(slopes, "iteration", iterations, {f"layer_{k}": values})
        slopes[f"layer_{k}"].dims[1].attach_scale(slopes[neuron])


def _compressed(values: Array) -> dict[str, object]:
    """Larger arrays are packed; a checksum reveals a damaged one."""
    if values.size <= 256:
        return {}
    return {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
