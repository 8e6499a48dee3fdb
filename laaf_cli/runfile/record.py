"""A run as plain values: what a run file holds, without torch and without HDF5."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import h5py

from laaf_cli.arrays import Array


@dataclass(frozen=True)
class GridFields:
    """Fields on a rectilinear grid: `axes` by coordinate name, in order; each field of shape
    [n_1, …, n_d].
    """

    axes: Mapping[str, Array]
    fields: Mapping[str, Array]
    attributes: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True)
class ErrorAtTimes:
    """The relative L2 error at single times: times [n], and an array [n] for each unknown."""

    times: Array
    relative_l2: Mapping[str, Array]


@dataclass(frozen=True)
class Observations:
    """Values [n] of an unknown that a run was fitted to, at points [n, d]."""

    points: Array
    values: Array


@dataclass(frozen=True, kw_only=True)
class History:
    """What was recorded while training: one row per record.

    columns: `iteration`, `phase`, `wall_time_s`, `learning_rate`, `total`, `relative_l2` (NaN where
    it was not monitored). terms: each loss term without its weight. weights: what multiplies each
    of them in the loss. slopes: n·a of each hidden layer, [n_records, width], width 1 for L-LAAF
    and GAAF. constants: learned ones.
    """

    columns: Mapping[str, Array]
    terms: Mapping[str, Array]
    weights: Mapping[str, Array]
    slopes: tuple[Array, ...]
    constants: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NetworkParameters:
    """Weights [N_k, N_{k−1}] and biases [N_k] of every layer, slopes a of every hidden layer
    (without n).

    past: the same of the windows of time before, where there are several, and ends: the ends of
    all; empty where the network is that of all times.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    slopes: tuple[Array, ...]
    attributes: Mapping[str, str | float]
    past: tuple[NetworkParameters, ...] = ()
    ends: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PhaseSummary:
    """A phase as it went."""

    optimizer: str
    """The optimizer."""
    iterations: int
    """The iterations carried out."""
    end: str
    """Why it ended: `completed`, `max-seconds`, `stalled`, `interrupted` or `diverged`."""
    detail: str
    """A sentence where it stalled, else empty."""


@dataclass(frozen=True)
class EventSummary:
    """Something that an unbroken training would not have."""

    iteration: int
    """The iteration before which it happened."""
    what: str
    """What happened, and what that changed: that the training was resumed, or went back after it
    diverged.
    """


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What resuming needs besides the network and the history.

    points: of every term [n_points, d]. observed, normals: values at them [n_points], by term, then
    by unknown, column or coordinate. held_weights: of points, by term, where they are held.
    factors: of the balance, by term. constants: the free parameter of each learned constant.
    optimizer: what it keeps. attributes: the counters of the training, as `layout.py` lists them.
    """

    points: Mapping[str, Array]
    observed: Mapping[str, Mapping[str, Array]]
    normals: Mapping[str, Mapping[str, Array]]
    held_weights: Mapping[str, Array]
    factors: Mapping[str, float]
    constants: Mapping[str, float]
    optimizer: Mapping[str, Array]
    attributes: Mapping[str, str | int | float]


@dataclass(frozen=True)
class SpecSource:
    """Where the resolved settings come from.

    path: of the spec's file. yaml: its text, byte for byte. overrides: what the command line put
    in, as pairs of a dotted path and a text of YAML.
    """

    path: str
    yaml: str
    overrides: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunFileRecord(ABC):
    """What the run files of all tasks hold. settings: the resolved settings as JSON."""

    attributes: Mapping[str, str | int | float]
    spec: SpecSource
    settings: str
    events: Sequence[EventSummary]

    @abstractmethod
    def fill(self, file: h5py.File) -> None:
        """Writes all of it into an empty file, as the layout says."""
