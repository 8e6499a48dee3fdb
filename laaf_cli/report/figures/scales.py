"""Limits of axes and colours that a zero, a constant, a value that is not finite or a blown-up
run cannot spoil.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from laaf_cli.arrays import Array

MAX_DECADES = 8
NOT_FINITE_COLOR = "0.8"
SIGNED, UNSIGNED, ERRORS = "RdBu_r", "viridis", "cividis"


@dataclass(frozen=True)
class ColorScale:
    """How a field becomes colour; extend names the ends of the scale that values lie beyond, as
    colorbars do.
    """

    norm: Normalize
    colormap: Colormap
    extend: str


def finite(arrays: Iterable[Array]) -> Array:
    """All finite values of the arrays, [n]."""
    values = np.concatenate([np.empty(0), *(np.ravel(array) for array in arrays)])
    return values[np.isfinite(values)]


def linear_limits(solutions: Iterable[Array], references: Iterable[Array]) -> tuple[float, float]:
    """Limits that hold every reference, and the solutions as far as one range of the references
    beyond it.

    Without references they hold every solution.
    """
    computed, true = finite(solutions), finite(references)
    if not computed.size and not true.size:
        return 0.0, 1.0
    if true.size:
        low, high = float(true.min()), float(true.max())
        beyond = (high - low) or abs(high) or 1.0
        if computed.size:
            low = max(min(low, float(computed.min())), low - beyond)
            high = min(max(high, float(computed.max())), high + beyond)
    else:
        low, high = float(computed.min()), float(computed.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.1 * max(abs(low), abs(high)) or 1.0
        return low - margin, high + margin
    return low, high


def log_limits(
    arrays: Iterable[Array], decades: float = MAX_DECADES, share: float = 0.0
) -> tuple[float, float]:
    """Limits that hold the positive values but for the fraction `share` of smallest ones, at most
    so many decades.

    Where nothing is positive they are those of rounding, 1e-17 to 1e-15.
    """
    values = finite(arrays)
    values = values[values > 0]
    if not values.size:
        return 1e-17, 1e-15
    high = float(values.max())
    low = max(float(np.quantile(values, share, method="lower")), high * 10**-decades)
    return low, high


def padded(limits: tuple[float, float], share: float = 0.05) -> tuple[float, float]:
    """The limits with a margin on a linear scale, a fraction of their distance."""
    margin = share * (limits[1] - limits[0])
    return limits[0] - margin, limits[1] + margin


def log_padded(limits: tuple[float, float], share: float = 0.05) -> tuple[float, float]:
    """The limits with a margin on a log scale, at least a fifth of a decade in all."""
    low, high = (math.log10(limit) for limit in limits)
    margin = max(share * (high - low), 0.1)
    return 10 ** (low - margin), 10 ** (high + margin)


def set_log(axes: Axes, limits: tuple[float, float]) -> None:
    """A log scale upwards; within one or two decades of common numbers its ticks are plain
    numbers.
    """
    low, high = limits
    # In this order, for matplotlib warns of limits that it would have to find among values that are
    # all zero.
    axes.set_ylim(limits)
    axes.set_yscale("log")
    if high / low >= 100 or low < 1e-3 or high > 1e4:
        return
    locator = MaxNLocator(5) if high / low < 8 else LogLocator(subs=(1, 2, 5))
    axes.yaxis.set_major_locator(locator)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def field_scale(solutions: Iterable[Array], references: Iterable[Array]) -> ColorScale:
    """One scale for solutions and references: centred at 0 where they have both signs."""
    solutions, references = list(solutions), list(references)
    low, high = linear_limits(solutions, references)
    values = finite([*solutions, *references])
    is_signed = low < 0 < high and min(-low, high) > 0.05 * max(-low, high)
    if is_signed:
        high = max(-low, high)
        low = -high
    slack = 1e-9 * (high - low)
    below, above = bool((values < low - slack).any()), bool((values > high + slack).any())
    extend = "both" if below and above else "min" if below else "max" if above else "neither"
    return ColorScale(Normalize(low, high), _colormap(SIGNED if is_signed else UNSIGNED), extend)


def error_scale(errors: Iterable[Array]) -> ColorScale:
    """A log scale for |error| up to the largest, over 2 to 6 decades; what is smaller has the
    lowest colour.
    """
    low, high = log_limits(errors, decades=6, share=0.02)
    high = max(high, 1e-280)  # colour bars take less for zero
    return ColorScale(LogNorm(min(max(low, 1e-282), high / 100), high), _colormap(ERRORS), "min")


def _colormap(name: str) -> Colormap:
    return mpl.colormaps[name].with_extremes(bad=NOT_FINITE_COLOR)
