"""A run as plain values: what a run file holds, without torch and without HDF5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class GridFields:
    """Fields on a rectilinear grid: `axes` by coordinate name, in order; each field of shape [n_1, …, n_d]."""

    axes: Mapping[str, Array]
    fields: Mapping[str, Array]
    attributes: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorAtTimes:
    """The relative L2 error at single times: times [n], and an array [n] for each unknown."""

    times: Array
    relative_l2: Mapping[str, Array]


@dataclass(frozen=True)
class History:
    """What was recorded while training: one row per record.

    columns: `iteration`, `phase`, `wall_time_s`, `learning_rate`, `total`, `relative_l2` (NaN where it was
    not monitored). terms: each loss term without its weight. weights: what multiplies each of them in the loss.
    slopes: n·a of each hidden layer, [n_records, width], width 1 for L-LAAF and GAAF. constants: learned ones.
    """

    columns: Mapping[str, Array]
    terms: Mapping[str, Array]
    weights: Mapping[str, Array]
    slopes: tuple[Array, ...]
    constants: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkParameters:
    """Weights [N_k, N_{k−1}] and biases [N_k] of every layer, slopes a of every hidden layer (without n)."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    slopes: tuple[Array, ...]
    attributes: Mapping[str, str | float]


@dataclass(frozen=True)
class Checkpoint:
    """What resuming needs: the points of every term, values observed there, what the optimizer keeps.

    observed: by term, then by unknown or column.
    """

    points: Mapping[str, Array]
    observed: Mapping[str, Mapping[str, Array]]
    optimizer: Mapping[str, Array]
    attributes: Mapping[str, str | float]


@dataclass(frozen=True)
class RunRecord:
    """Everything that one run leaves behind; `layout.py` says where each part stands in the file.

    spec: the YAML text as given, byte for byte. settings: the resolved settings as JSON.
    functions: the Python file that the spec names, None without one. reference and error are None where there is no
    reference; slices hold `u` and, with a reference, `u_reference` at the single times of the spec. validation: each
    equation and condition at fresh points, without its weight; empty where training diverged.
    """

    attributes: Mapping[str, str | int | float]
    spec: str
    settings: str
    functions: str | None
    solution: GridFields
    reference: GridFields | None
    error: GridFields | None
    slices: GridFields | None
    error_at_times: ErrorAtTimes | None
    history: History
    network: NetworkParameters
    validation: Mapping[str, float]
    checkpoint: Checkpoint
