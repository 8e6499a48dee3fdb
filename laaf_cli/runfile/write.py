"""Writing a run file: in memory, sealed, then beside its place, flushed to the disk, and renamed
into it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.files.atomic import replacing
from laaf_cli.files.untrusted.hdf5 import Attribute
from laaf_cli.images.runfile.layout import IMAGE_ATTRIBUTES
from laaf_cli.images.runfile.record import ImageRecord
from laaf_cli.runfile.layout import ATTRIBUTES
from laaf_cli.runfile.record import Checkpoint, EventSummary, GridFields, RunRecord, SpecSource
from laaf_cli.runfile.seal import SIZE, seal_content


def write_run(path: Path, record: RunRecord | ImageRecord) -> None:
    """Writes a run so that `path` holds either what it held before or the whole new file, never
    less.

    Raises OSError where the place cannot be written; nothing is left behind then.
    """
    content = io.BytesIO()
    # HDF5 does not survive a disk that is full: what it cannot write keeps a file open, and later
    # ends the process.
    with h5py.File(content, "w", userblock_size=SIZE) as file:
        if isinstance(record, RunRecord):
            _fill(file, record)
        else:
            _fill_images(file, record)
    seal_content(content.getbuffer())
    with replacing(path) as part:
        part.write_bytes(content.getbuffer())


def _fill_head(
    file: h5py.File,
    attributes: Mapping[str, str | int | float],
    expected: Mapping[str, Attribute],
    spec: SpecSource,
    settings: str,
) -> None:
    missing = set(expected) ^ set(attributes)
    if missing:
        raise ValueError(f"attributes do not match the layout: {sorted(missing)}")
    for name, value in attributes.items():
        file.attrs[name] = _storable(value) if isinstance(value, str) else value
    file["spec/yaml"] = _text(spec.yaml)
    file["spec/path"] = _text(_storable(spec.path))
    file["spec/overrides"] = _json(spec.overrides)
    file["spec/settings"] = _text(settings)


def _fill_images(file: h5py.File, record: ImageRecord) -> None:
    _fill_head(file, record.attributes, IMAGE_ATTRIBUTES, record.spec, record.settings)
    file["spec/files"] = _json({_storable(name): digest for name, digest in record.files.items()})
    file["spec/classes"] = _json([_storable(name) for name in record.classes])
    history = record.history
    _fill_along(file.create_group("history"), "epoch", history.epochs, history.columns)
    file["history/events"] = _events(record.events)
    slopes = file.create_group("slopes")
    _fill_along(slopes, "epoch", history.epochs, history.slopes)
    slopes["layer"] = np.arange(1, next(iter(history.slopes.values())).shape[1] + 1)
    slopes["layer"].make_scale("layer")
    for name in history.slopes:
        slopes[name].dims[1].attach_scale(slopes["layer"])
    file["test/confusion"] = record.confusion
    for group, arrays, attributes in (
        ("network", record.network.arrays, record.network.attributes),
        ("checkpoint", {}, record.checkpoint.attributes),
        ("checkpoint/momentum", record.checkpoint.momentum, {}),
    ):
        here = file.create_group(group)
        here.attrs.update(attributes)
        for name, values in arrays.items():
            here[name] = values


def _events(events: Sequence[EventSummary]) -> np.ndarray:
    return _json([asdict(event) for event in events])


def _fill(file: h5py.File, record: RunRecord) -> None:
    _fill_head(file, record.attributes, ATTRIBUTES, record.spec, record.settings)
    if record.functions is not None:
        file["spec/functions"] = _text(record.functions)
    for group, grid in (
        ("solution", record.solution),
        ("reference", record.reference),
        ("error", record.error),
        ("slices", record.slices),
    ):
        if grid is not None:
            _fill_grid(file.create_group(group), grid)
    if record.error_at_times is not None:
        group = file.create_group("error_at_times")
        _fill_along(group, "t", record.error_at_times.times, record.error_at_times.relative_l2)
    _fill_history(file, record)
    for k, (weight, bias) in enumerate(
        zip(record.network.weights, record.network.biases, strict=True), start=1
    ):
        file[f"network/layer_{k}/weight"] = weight
        file[f"network/layer_{k}/bias"] = bias
    for k, slope in enumerate(record.network.slopes, start=1):
        file[f"network/layer_{k}/slope"] = slope
    file["network"].attrs.update(record.network.attributes)
    for name, value in record.validation.items():
        file[f"validation/{name}"] = np.float64(value)
    _fill_checkpoint(file.create_group("checkpoint"), record.checkpoint)


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


def _storable(value: str) -> str:
    """A text without what HDF5 cannot hold: characters that are no Unicode, as in some file
    names, and NUL.
    """
    return value.encode(errors="replace").decode().replace("\0", "?")


def _text(value: str) -> np.ndarray:
    """A text as HDF5 holds it without objects: fixed length, UTF-8."""
    return np.array(value.encode(), dtype=f"S{max(1, len(value.encode()))}")


def _json(value: object) -> np.ndarray:
    return _text(json.dumps(value))


def _fill_grid(group: h5py.Group, grid: GridFields) -> None:
    group.attrs.update(grid.attributes)
    for name, axis in grid.axes.items():
        group[name] = axis
        group[name].make_scale(name)
    for name, values in grid.fields.items():
        dataset = group.create_dataset(name, data=values, **_compressed(values))
        for i, coordinate in enumerate(grid.axes):
            dataset.dims[i].attach_scale(group[coordinate])


def _fill_along(group: h5py.Group, scale: str, values: Array, columns: Mapping[str, Array]) -> None:
    """Columns that run along one dimension scale."""
    if scale not in group:
        group[scale] = values
        group[scale].make_scale(scale)
    _attach_along(group, group[scale], columns)


def _attach_along(group: h5py.Group, scale: h5py.Dataset, columns: Mapping[str, Array]) -> None:
    for name, column in columns.items():
        dataset = group.create_dataset(name, data=column, **_compressed(column))
        dataset.dims[0].attach_scale(scale)


def _fill_history(file: h5py.File, record: RunRecord) -> None:
    history = file.create_group("history")
    iterations = record.history.columns["iteration"]
    rest = {name: column for name, column in record.history.columns.items() if name != "iteration"}
    _fill_along(history, "iteration", iterations, rest)
    for name, columns in (
        ("terms", record.history.terms),
        ("weights", record.history.weights),
        ("constants", record.history.constants),
    ):
        if columns:
            _attach_along(history.create_group(name), history["iteration"], columns)
    history["phases"] = _json([asdict(phase) for phase in record.phases])
    history["events"] = _events(record.events)
    slopes = file.create_group("slopes")
    for k, values in enumerate(record.history.slopes, start=1):
        neuron = f"slope_{k}"
        slopes[neuron] = np.arange(values.shape[1])
        slopes[neuron].make_scale(neuron)
        _fill_along(slopes, "iteration", iterations, {f"layer_{k}": values})
        slopes[f"layer_{k}"].dims[1].attach_scale(slopes[neuron])


def _compressed(values: Array) -> dict[str, object]:
    """Larger arrays are packed; a checksum tells a damaged one."""
    if values.size <= 256:
        return {}
    return {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
