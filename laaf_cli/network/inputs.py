"""What a network sees of a point: coordinates scaled to [−1, 1], sines and cosines along periodic
axes, distances from kinks, and similarity variables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from laaf_cli.network.kinks import Kink
from laaf_cli.network.similarity import SimilarityVariable


@dataclass(frozen=True)
class Period:
    """Inputs of a periodic axis: sin kθ and cos kθ for k = 1 … harmonics, θ = 2π (x − lower)/(upper
    − lower).

    A function of these is periodic with all of its derivatives (Dong & Ni, Journal of Computational
    Physics 435, 2021, section 2.2).
    """

    lower: float
    upper: float
    harmonics: int = 1


class Inputs(nn.Module):
    """Points [n, d] in float64 → inputs [n, width], with all their derivatives.

    Args:
        bounds: lower and upper ends of each coordinate, mapped to [−1, 1]; None leaves coordinates
            as they are.
        periods: by axis, in place of the coordinate itself.
        kinks: each is an input.
        similarity: each is two inputs.
    """

    def __init__(
        self,
        n_coordinates: int,
        bounds: tuple[Sequence[float], Sequence[float]] | None = None,
        periods: Mapping[int, Period] | None = None,
        kinks: Sequence[Kink] = (),
        similarity: Sequence[SimilarityVariable] = (),
    ) -> None:
        super().__init__()
        self.n_coordinates = n_coordinates
        self.similarity = tuple(similarity)
        self.periods = dict(periods or {})
        self.kinks = tuple(kinks)
        lower, upper = (
            bounds if bounds is not None else ([-1.0] * n_coordinates, [1.0] * n_coordinates)
        )
        low, high = (
            torch.tensor(lower, dtype=torch.float64),
            torch.tensor(upper, dtype=torch.float64),
        )
        self.center: Tensor
        self.half_range: Tensor
        # In float64, so that scaling a far-away domain costs float32 networks no digits.
        self.register_buffer("center", (low + high) / 2)
        self.register_buffer("half_range", (high - low) / 2)

    def rescale(self, axis: int, lower: float, upper: float) -> None:
        """Maps [lower, upper] of a coordinate to [−1, 1] from now on."""
        self.center[axis] = (lower + upper) / 2
        self.half_range[axis] = (upper - lower) / 2

    @property
    def axes(self) -> tuple[int, ...]:
        """The coordinate that each input is of."""
        counts = [
            2 * self.periods[axis].harmonics if axis in self.periods else 1
            for axis in range(self.n_coordinates)
        ]
        of_coordinates = [axis for axis, count in enumerate(counts) for _ in range(count)]
        of_kinks = (kink.axis for kink in self.kinks)
        return (*of_coordinates, *of_kinks, *(v.axis for v in self.similarity for _ in range(2)))

    @property
    def first_kink(self) -> int:
        """The number of inputs before those of kinks."""
        return self.width - len(self.kinks) - 2 * len(self.similarity)

    @property
    def alternatives(self) -> list[tuple[int, tuple[int, ...]]]:
        """The axis and the inputs of each similarity variable and of each kink that is carried: a
        solution is a sum of functions of each.
        """
        first = self.first_kink
        carried = [(k.axis, (first + i,)) for i, k in enumerate(self.kinks) if k.is_carried]
        first += len(self.kinks)
        pairs = [(first + 2 * i, first + 2 * i + 1) for i in range(len(self.similarity))]
        return [*carried, *zip((v.axis for v in self.similarity), pairs, strict=True)]

    @property
    def width(self) -> int:
        """The number of inputs."""
        return len(self.axes)

    @property
    def is_linear(self) -> bool:
        """Whether the inputs are the coordinates, scaled, and nothing else."""
        return not (self.periods or self.kinks or self.similarity)

    def forward(self, points: Tensor) -> Tensor:
        """The inputs, [n, width] in float64."""
        if self.is_linear:
            return (points - self.center) / self.half_range
        return self.derivative(points, (0,) * self.n_coordinates)

    def derivative(self, points: Tensor, orders: Sequence[int]) -> Tensor:
        """∂^α of the inputs, [n, width] in float64.

        Args:
            orders: α.
        """
        columns = []
        along = [axis for axis, order in enumerate(orders) if order]
        for axis in range(self.n_coordinates):
            if axis in self.periods:
                columns += self._periodic(
                    points[:, axis], self.periods[axis], orders[axis], along in ([], [axis])
                )
            elif not along:
                columns.append((points[:, axis] - self.center[axis]) / self.half_range[axis])
            elif along == [axis] and orders[axis] == 1:
                columns.append((1 / self.half_range[axis]).expand(len(points)))
            else:
                columns.append(torch.zeros_like(points[:, axis]))
        for kink in self.kinks:
            columns.append(kink.derivative(points, orders, float(self.half_range[kink.axis])))
        for variable in self.similarity:
            length, center = (float(of[variable.axis]) for of in (self.half_range, self.center))
            columns += variable.derivative(points, orders, length, center)
        return torch.stack(columns, dim=1)

    @staticmethod
    def _periodic(x: Tensor, period: Period, order: int, alone: bool) -> list[Tensor]:
        """The derivatives of sin kθ and cos kθ; zero where another axis is derived along as
        well.
        """
        if not alone:
            return [torch.zeros_like(x)] * (2 * period.harmonics)
        columns = []
        rate = 2 * math.pi / (period.upper - period.lower)
        for k in range(1, period.harmonics + 1):
            angle = k * rate * (x - period.lower)
            factor = (k * rate) ** order
            cycle = [torch.sin(angle), torch.cos(angle)]
            cycle += [-cycle[0], -cycle[1]]
            columns += [factor * cycle[order % 4], factor * cycle[(order + 1) % 4]]
        return columns
