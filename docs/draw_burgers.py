"""Draws the picture of the README from a run file: `python docs/draw_burgers.py RUN.h5 OUT.png`.

The picture in the repository is of `laaf solve burgers --set evaluation.grid.t=101`, whose grid holds the
three times of the slices. Needs matplotlib, which laaf itself does not.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

Array = NDArray[np.float64]

TIMES = (0.25, 0.5, 0.75)
SHOCK = 0.08
"""The insets of the slices show |x| up to this."""

# Okabe & Ito: told apart with any colour vision.
BLUE, VERMILION = "#0072B2", "#D55E00"

STYLE = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class Burgers:
    """What the picture shows: u, reference and error are [x, t]."""

    x: Array
    t: Array
    u: Array
    reference: Array
    error: Array
    relative_l2: float
    iterations: int
    activation: str
    n: float

    @classmethod
    def read(cls, path: Path) -> Burgers:
        with h5py.File(path, "r") as file:
            return cls(
                file["solution/x"][()],
                file["solution/t"][()],
                file["solution/u"][()],
                file["reference/u"][()],
                file["error/u"][()],
                float(file.attrs["relative_l2"]),
                int(file.attrs["iterations"]),
                str(file["network"].attrs["kind"]),
                float(file["network"].attrs["n"]),
            )


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(f"usage: {Path(sys.argv[0]).name} RUN.h5 OUT.png")
    run = Burgers.read(Path(sys.argv[1]))
    with mpl.rc_context(STYLE):
        figure = plt.figure(figsize=(9, 5.6), layout="constrained")
        planes, slices = figure.subfigures(2, 1, height_ratios=(1.15, 1))
        field, error = planes.subplots(1, 2, sharey=True)
        _draw_field(field, run)
        _draw_error(error, run)
        row = slices.subplots(1, len(TIMES), sharey=True)
        for axes, time in zip(row, TIMES, strict=True):
            _draw_slice(axes, run, time)
        row[0].set_ylabel("u")
        row[0].legend(loc="lower left", fontsize=9, handlelength=1.8, borderaxespad=0.2)
        figure.savefig(sys.argv[2], dpi=140, facecolor="white", pil_kwargs={"optimize": True})


def _draw_field(axes: Axes, run: Burgers) -> None:
    mesh = axes.pcolormesh(run.t, run.x, run.u, cmap="RdBu_r", vmin=-1, vmax=1, rasterized=True)
    axes.figure.colorbar(mesh, ax=axes, pad=0.02, ticks=[-1, -0.5, 0, 0.5, 1], label="u")
    name = {"fixed": "fixed", "gaaf": "GAAF", "llaaf": "L-LAAF", "nlaaf": "N-LAAF"}[run.activation]
    axes.set_title(f"Solution u(x, t): {name}, n = {run.n:g}, {run.iterations} Adam iterations")
    axes.set_ylabel("x")
    _label_plane(axes, "black")


def _draw_error(axes: Axes, run: Burgers) -> None:
    mesh = axes.pcolormesh(
        run.t,
        run.x,
        np.clip(np.abs(run.error), 1e-4, 1),
        cmap="cividis",
        norm=LogNorm(1e-4, 1),
        rasterized=True,
    )
    axes.figure.colorbar(mesh, ax=axes, pad=0.02, extend="both", label="|error|")
    axes.set_title(f"Pointwise error: relative L2 = {run.relative_l2:.3f}")
    _label_plane(axes, "white")


def _label_plane(axes: Axes, color: str) -> None:
    for time in TIMES:
        axes.axvline(time, color=color, lw=0.8, ls=":")
    axes.set(xlabel="t", xticks=[0, 0.25, 0.5, 0.75, 1], yticks=[-1, -0.5, 0, 0.5, 1])


def _draw_slice(axes: Axes, run: Burgers, time: float) -> None:
    at = int(np.argmin(np.abs(run.t - time)))
    distance = np.linalg.norm(run.u[:, at] - run.reference[:, at]) / np.linalg.norm(run.reference[:, at])
    axes.plot(run.x, run.reference[:, at], color=BLUE, lw=3.2, alpha=0.75, label="Hopf-Cole")
    axes.plot(run.x, run.u[:, at], color=VERMILION, lw=1.5, ls=(0, (4, 1.6)), label="laaf")
    axes.set_title(f"t = {run.t[at]:.2f}: relative L2 = {distance:.3f}")
    axes.set(xlabel="x", xlim=(-1, 1), ylim=(-1.12, 1.12), xticks=[-1, -0.5, 0, 0.5, 1], yticks=[-1, 0, 1])
    axes.axhline(0, color="0.85", lw=0.8, zorder=0)
    shock = axes.inset_axes((0.66, 0.58, 0.31, 0.36))
    near = np.abs(run.x) <= SHOCK
    shock.plot(run.x[near], run.reference[near, at], color=BLUE, lw=3.2, alpha=0.75)
    shock.plot(run.x[near], run.u[near, at], color=VERMILION, lw=1.5, ls=(0, (4, 1.6)))
    shock.set(xticks=[-0.05, 0.05], yticks=[])
    shock.tick_params(labelsize=8, pad=2)


if __name__ == "__main__":
    main()
