"""Values on a grid as a function in expressions: splines through them, and their derivatives."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from laaf_cli.expression.faults import fault
from laaf_cli.expression.tree import Number, Span

FIELD = "field"
"""The function whose first argument is an interpolant, and whose others are coordinates."""

DEGREE = 3
"""Of the splines, where an axis has values enough."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Interpolant(Number):
    """A number in name only, one for each set of values: a derivative of a tensor-product spline.

    Its first argument of a call is this, so that trees hold it as any other.
    """

    name: str
    """What expressions call it."""
    knots: tuple[NDArray[np.float64], ...]
    coefficients: NDArray[np.float64]
    degrees: tuple[int, ...]
    ranges: tuple[tuple[float, float], ...]
    """Of each coordinate; beyond, values are those at the end."""
    orders: tuple[int, ...]
    """Of the derivative along each coordinate."""

    @property
    def fingerprint(self) -> str:
        """What distinguishes its values from others."""
        whole = [*self.knots, self.coefficients, np.array(self.orders)]
        joined = b"".join(np.ascontiguousarray(part).tobytes() for part in whole)
        return hashlib.sha256(joined).hexdigest()

    def at(self, *places: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """The values at coordinates that broadcast to one shape."""
        from scipy.interpolate import NdBSpline

        spline = NdBSpline(self.knots, self.coefficients, self.degrees)
        inside = [np.clip(place, *ends) for place, ends in zip(places, self.ranges, strict=True)]
        points = np.stack(np.broadcast_arrays(*inside), axis=-1)
        return np.asarray(spline(points, nu=self.orders), np.float64)

    def derived(self, axis: int, span: Span) -> Interpolant:
        """Its derivative along one of its coordinates.

        Raises:
            ExpressionError: a spline of this degree has none.
        """
        orders = tuple(order + (i == axis) for i, order in enumerate(self.orders))
        if orders[axis] >= self.degrees[axis]:
            what = f"derivative {orders[axis]} of the values of '{self.name}' is needed"
            hint = f"Splines of degree {self.degrees[axis]} go through them."
            raise fault(what, span, hint)
        return _numbered(replace(self, orders=orders))


def interpolant(
    name: str, axes: Sequence[NDArray[np.float64]], values: NDArray[np.float64]
) -> Interpolant:
    """Splines, cubic where an axis has four values or more, through values on a grid."""
    from scipy.interpolate import make_interp_spline

    knots, degrees = [], []
    for i, axis in enumerate(axes):
        spline = make_interp_spline(axis, values, k=min(DEGREE, len(axis) - 1), axis=i)
        # make_interp_spline moves the axis that it works on to the front.
        values = np.moveaxis(spline.c, 0, i)
        knots.append(spline.t)
        degrees.append(int(spline.k))
    return _numbered(
        Interpolant(
            0.0,
            name=name,
            knots=tuple(knots),
            coefficients=values,
            degrees=tuple(degrees),
            ranges=tuple((float(axis[0]), float(axis[-1])) for axis in axes),
            orders=(0,) * len(axes),
        )
    )


def _numbered(made: Interpolant) -> Interpolant:
    return replace(made, value=int(made.fingerprint[:12], 16) / 2**48)
