"""The amplitude spectrum of a field on a rectilinear grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from laaf_cli.arrays import Array


@dataclass(frozen=True)
class Spectrum:
    """frequencies [n_rings] in cycles per unit of the coordinates, amplitudes [n_rings] in the
    unit of the field.
    """

    frequencies: Array
    amplitudes: Array


def amplitude_spectrum(values: Array, axes: Sequence[Array]) -> Spectrum:
    """A(f_j) = Σ |c_k| over the rings j − ½ ≤ |k| L < j + ½ at the frequencies f_j = j / L.

    c_k = 1/V ∫ u exp(−2πi k·x) dx are the Fourier coefficients of u over the whole domain, of
    volume V and longest side L, by the trapezoidal rule on the grid; |k| is in cycles per unit. So
    a sine of amplitude A on whole periods has the peak A, and A(0) is the modulus of the mean. In
    one dimension A(f_j) = |c_j| + |c_−j|. What does not end as it began has the spectrum of its
    jump, which falls as 1/f.

    The rings end below the smallest Nyquist frequency (n_i − 1) / (2 L_i) of the axes: there a grid
    sees a cosine whole and a sine not at all.

    Args:
        values: [n_1, …, n_d].
        axes: d increasing axes [n_i], both ends of the domain included, n_i ≥ 2; where one is not
            uniform, the values are interpolated linearly at as many uniform points.
    """
    for position, axis in enumerate(axes):
        uniform = np.linspace(axis[0], axis[-1], len(axis))
        if not np.allclose(axis, uniform, rtol=0, atol=1e-9 * (axis[-1] - axis[0])):
            line = partial(np.interp, uniform, axis)
            values = np.apply_along_axis(line, position, values)
        # The trapezoidal rule as a sum of equal weights: both ends, which a period shares, become
        # their mean.
        first, last = (np.take(values, [end], axis=position) for end in (0, -1))
        inner = np.take(values, np.arange(1, values.shape[position] - 1), axis=position)
        values = np.concatenate([(first + last) / 2, inner], axis=position)
    lengths = [float(axis[-1] - axis[0]) for axis in axes]
    coefficients = np.abs(np.fft.fftn(values, norm="forward"))
    per_axis = [
        np.fft.fftfreq(n, d=length / n)
        for n, length in zip(coefficients.shape, lengths, strict=True)
    ]
    squares = [frequency**2 for frequency in np.meshgrid(*per_axis, indexing="ij")]
    longest = max(lengths)
    rings = np.floor(np.sqrt(sum(squares)) * longest + 0.5 + 1e-9).astype(int)
    highest = min(
        (len(axis) - 1) / (2 * length) for axis, length in zip(axes, lengths, strict=True)
    )
    n_rings = max(1, int(np.ceil(highest * longest - 1e-9)))
    sums = np.bincount(rings.ravel(), weights=coefficients.ravel(), minlength=n_rings)[:n_rings]
    return Spectrum(np.arange(n_rings) / longest, sums)
