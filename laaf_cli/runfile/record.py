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
    """What was recorded while training: one row per record."""

    columns: Mapping[str, Array]
    """`iteration`, `phase`, `wall_time_s`, `learning_rate`, `total`, `relative_l2` (NaN where it
    was not monitored).
    """
    terms: Mapping[str, Array]
    """Each loss term without its weight."""
    weights: Mapping[str, Array]
    """What multiplies each term in the loss."""
    slopes: tuple[Array, ...]
    """n·a of each hidden layer, [n_records, width]; width 1 for L-LAAF and GAAF."""
    constants: Mapping[str, Array] = field(default_factory=dict)
    """The learned constants."""


@dataclass(frozen=True, kw_only=True)
class NetworkParameters:
    """Weights [N_k, N_{k−1}] and biases [N_k] of every layer, slopes a of every hidden layer
    (without n).
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    slopes: tuple[Array, ...]
    attributes: Mapping[str, str | float]
    past: tuple[NetworkParameters, ...] = ()
    """The parameters of earlier windows of time; empty where one network covers all times."""
    ends: tuple[float, ...] = ()
    """The ends of all windows; empty where there is one network."""


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
    """What resuming takes besides the network and the history."""

    points: Mapping[str, Array]
    """The points [n_points, d] of every term."""
    observed: Mapping[str, Mapping[str, Array]]
    """Values at them [n_points], by term, then by unknown or column."""
    normals: Mapping[str, Mapping[str, Array]]
    """Components of the normal at them [n_points], by term, then by coordinate."""
    held_weights: Mapping[str, Array]
    """The weights of points, by term, where they are held."""
    factors: Mapping[str, float]
    """The factors of the balance, by term."""
    constants: Mapping[str, float]
    """The free parameter of each learned constant."""
    optimizer: Mapping[str, Array]
    """What the optimizer keeps."""
    attributes: Mapping[str, str | int | float]
    """How far the training is, as `layout.py` lists it."""


@dataclass(frozen=True)
class SpecSource:
    """Where the resolved settings come from."""

    path: str
    """The path of the spec's file."""
    yaml: str
    """Its text, byte for byte."""
    overrides: tuple[tuple[str, str], ...] = ()
    """What the command line put in, as pairs of a dotted path and a text of YAML."""


@dataclass(frozen=True, kw_only=True)
class RunFileRecord(ABC):
    """What the run files of all tasks hold."""

    attributes: Mapping[str, str | int | float]
    spec: SpecSource
    settings: str
    """The resolved settings as JSON."""
    events: Sequence[EventSummary]

    @abstractmethod
    def fill(self, file: h5py.File) -> None:
        """Writes all of it into an empty file, as the layout says."""
