"""The trained network of a run file: any unknown and any derivative, at any points, in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch

from laaf_cli.arrays import Array
from laaf_cli.derivatives import AUTO, ENGINES, FUSED, MakeEngine
from laaf_cli.errors import RunFileError, SpecError, UsageError
from laaf_cli.expression import (
    NUMPY,
    ExpressionError,
    Field,
    Scope,
    Symbol,
    evaluate,
    fields,
    resolve,
)
from laaf_cli.multi_index import lower_set
from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.devices import torch_device
from laaf_cli.network.inputs import Period
from laaf_cli.network.kinks import Kink
from laaf_cli.network.mlp import Mlp
from laaf_cli.network.similarity import SimilarityVariable
from laaf_cli.problem import Ansatz, Domain, SamplePoints, build_form
from laaf_cli.runfile import NetworkParameters, RunFile
from laaf_cli.spec import RunSpec
from laaf_cli.text import did_you_mean, listed, shown

_POINTS_AT_A_TIME = 20_000


@dataclass(frozen=True)
class NetworkSolution:
    """A network in float64, the engine of its derivatives, and the form of the solution."""

    network: Mlp
    make_engine: MakeEngine
    ansatz: Ansatz

    @classmethod
    def of(cls, network: Mlp, make_engine: MakeEngine, ansatz: Ansatz) -> NetworkSolution:
        """The solution of a network of any precision, which is not changed."""
        return cls(copy.deepcopy(network).double(), make_engine, ansatz)

    def unknowns(self, names: tuple[str, ...], points: Array) -> dict[str, Array]:
        """Unknowns [n_points] at points [n_points, d]."""
        zero = (0,) * points.shape[1]
        return self.evaluate({name: Field(name, zero) for name in names}, points)

    def needed(self, wanted: Iterable[Field]) -> frozenset[Field]:
        """The outputs of the network and their derivatives that unknowns and derivatives are made
        of.

        Raises:
            ExpressionError: the form of the solution has no such derivative.
        """
        return frozenset().union(*(fields(self.ansatz.tree(field)) for field in wanted))

    @torch.no_grad()
    def evaluate(
        self, wanted: Mapping[str, Field], points: Array, points_at_a_time: int = _POINTS_AT_A_TIME
    ) -> dict[str, Array]:
        """Unknowns and derivatives [n_points] at points [n_points, d], by the names given."""
        trees = {name: self.ansatz.tree(field) for name, field in wanted.items()}
        engine = self.make_engine(self.network, self.ansatz.outputs, self.needed(wanted.values()))
        results = {name: np.empty(len(points)) for name in wanted}
        for start in range(0, len(points), points_at_a_time):
            block = points[start : start + points_at_a_time]
            outputs = engine.evaluate(
                engine.prepare(torch.from_numpy(block).to(self.network.device))
            )
            values = {field: output.cpu().numpy() for field, output in outputs.items()}
            columns = dict(zip(self.ansatz.coordinates, block.T, strict=True))
            for name, tree in trees.items():
                # A transform may have no finite value at the edge of the domain, as a derivative of
                # sqrt(x)*net.
                with np.errstate(all="ignore"):
                    results[name][start : start + len(block)] = evaluate(
                        tree, columns, values, NUMPY
                    )
        return results


def make_periods(ansatz: Ansatz, domain: Domain) -> dict[int, Period]:
    """The periodic inputs of a network, by axis."""
    return {
        axis: Period(domain.lower[axis], domain.upper[axis], count)
        for axis, count in ansatz.harmonics.items()
    }


def make_kinks(spec: RunSpec, domain: Domain) -> list[Kink]:
    """The places at which a network may bend or jump."""
    time = domain.time_axis or 0
    return [
        Kink(
            axis=(axis := domain.coordinates.index(name)),
            place=place,
            order=order,
            velocity=velocity,
            time=time,
            start=domain.lower[time],
            period=domain.upper[axis] - domain.lower[axis] if axis in domain.periodic else None,
        )
        for name, place, order, velocity in spec.network.bends
    ]


def make_similarity(spec: RunSpec, domain: Domain) -> list[SimilarityVariable]:
    """The similarity variables that a network sees; where no time is given, those of a negative
    diffusivity begin at the end.
    """
    time = domain.time_axis
    if time is None:
        return []
    return [
        SimilarityVariable(
            axis=(axis := domain.coordinates.index(name)),
            place=place,
            time=time,
            start=(domain.lower if diffusivity > 0 else domain.upper)[time]
            if start is None
            else start,
            diffusivity=diffusivity,
            velocity=velocity,
            period=domain.upper[axis] - domain.lower[axis] if axis in domain.periodic else None,
        )
        for name, place, diffusivity, velocity, start in spec.network.spreading
    ]


MAX_BLOCK = 20_000
"""Points at a time, at most."""

MAX_BLOCK_NUMBERS = 20_000_000
"""Points × streams × neurons × 2^order at a time, at most.

Nested differentiation keeps every layer, and about doubles what it keeps with each order: half a
gigabyte for u_xxxx of a network 6×20. Taylor mode needs a tenth.
"""


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """A network restored from a run file."""

    solution: NetworkSolution
    """Its network in float64, with the derivative engine of the run."""
    domain: Domain
    """Where it was trained."""
    unknowns: tuple[str, ...]
    axes: Mapping[str, Array]
    """The values of each coordinate on the run's own grid."""

    def field(self, name: str) -> Field:
        """The unknown or derivative of that name, as `u` or `u_xt`.

        Raises:
            UsageError: with what is known, for any other name, for an order above 4, and where the
                form of the solution takes an order that is above 4 or that the activation function
                does not have.
        """
        scope = Scope(coordinates=self.domain.coordinates, unknowns=self.unknowns)
        if name in self.domain.coordinates:
            raise UsageError(
                f"'{name}' is a coordinate, and those are always written; "
                f"`fields` takes {_forms(scope)}"
            )
        if name not in self.unknowns and scope.unknown_in(name) is None:
            hint = did_you_mean(
                name, [*self.unknowns, *scope.derivatives(1), *scope.derivatives(2)]
            )
            what = f"unknown field {shown(name)}" + (f". {hint}" if hint else "")
            raise UsageError(f"{what}\n`fields` takes {_forms(scope)}")
        try:
            # what begins with an unknown is nothing else
            field = cast("Field", resolve(Symbol(name), scope))
        except ExpressionError as error:
            raise UsageError(f"{error.faults[0].what}\n{error.faults[0].hint}") from None
        try:
            needed = self.solution.needed([field])
        except ExpressionError as error:
            fault = error.faults[0]
            raise UsageError(
                f"with the transform of this run, '{name}' cannot be derived: {fault.what}"
            ) from None
        order, activation = (
            max((sum(needed_field.orders) for needed_field in needed), default=0),
            self.solution.network.activation,
        )
        if order > activation.max_order:
            is_own = needed == {field}
            takes = "is" if is_own else "takes, through the transform of this run,"
            raise UsageError(
                f"'{name}' {takes} a derivative of order {order}, and '{activation.name}' goes to "
                f"order {activation.max_order}: {activation.why}"
            )
        return field

    def evaluate(self, places: SamplePoints, fields: Mapping[str, Field]) -> dict[str, Array]:
        """The fields by the names given, of the shape of `places`, NaN outside of a shape; a
        bounded number of points at a time.
        """
        streams = lower_set([field.orders for field in self.solution.needed(fields.values())])
        n_neurons = sum(len(bias) for bias in self.solution.network.biases)
        n_numbers = len(streams) * n_neurons * 2 ** max(map(sum, streams), default=0)
        size = max(1, min(MAX_BLOCK, MAX_BLOCK_NUMBERS // max(1, n_numbers)))
        results = {name: np.empty(places.n_points) for name in fields}
        for start in range(0, places.n_points, size):
            block = places.block(start, start + size)
            for name, values in self.solution.evaluate(fields, block).items():
                if self.domain.shape is not None:
                    values = np.where(self.domain.inside(block), values, np.nan)
                results[name][start : start + size] = values
        return {name: values.reshape(places.shape) for name, values in results.items()}

    def n_outside(self, places: SamplePoints) -> int:
        """How many places are outside of a shape, and have no values."""
        if self.domain.shape is None:
            return 0
        starts = range(0, places.n_points, MAX_BLOCK)
        blocks = (places.block(start, start + MAX_BLOCK) for start in starts)
        return sum(int((~self.domain.inside(block)).sum()) for block in blocks)

    def extrapolation(self, places: SamplePoints) -> list[str]:
        """A sentence for each coordinate along which places lie outside the domain of the training,
        or on those outside of a shape.
        """
        if self.domain.shape is not None:
            n = self.n_outside(places)
            lie = "lies" if n == 1 else "lie"
            return [
                f"{n:,} of {places.n_points:,} points {lie} outside of the shape "
                f"{shown(self.domain.shape.text)}: no values there"
            ][: min(n, 1)]
        sentences = []
        for (name, values), lower, upper in zip(
            places.coordinates.items(), self.domain.lower, self.domain.upper, strict=True
        ):
            rounding = 1e-12 * (upper - lower)
            outside = values[(values < lower - rounding) | (values > upper + rounding)]
            if not len(outside):
                continue
            n_outside = len(outside) * (places.n_points // len(values))
            farthest = [f"down to {name} = {outside.min():g}"] if outside.min() < lower else []
            farthest += [f"up to {name} = {outside.max():g}"] if outside.max() > upper else []
            lie = "lies" if n_outside == 1 else "lie"
            sentences.append(
                f"the network was trained on {name} in [{lower:g}, {upper:g}]; {n_outside:,} "
                f"of {places.n_points:,} "
                f"points {lie} outside, {' and '.join(farthest)}: values there are extrapolation"
            )
        return sentences


def _forms(scope: Scope) -> str:
    example = next(scope.derivatives(1))
    return f"unknowns ({listed(scope.unknowns)}) and their derivatives, as {example}"


def restore(run: RunFile, device: str = "auto") -> TrainedNetwork:
    """The network of a run file, needing nothing but the file.

    Args:
        device: `cpu`, `cuda`, or `auto`, which takes CUDA where there is one.

    Raises:
        RunFileError: the network is damaged or does not fit the settings.
        UsageError: CUDA where it is missing.
    """
    chosen = torch_device(device)
    spec, parameters = run.spec, run.network()
    _check_settings(run, parameters)
    engine = run.attributes["derivatives"]
    if engine not in ENGINES:
        raise RunFileError(
            f"{run.path} computed its derivatives by {shown(engine)}; known are {listed(ENGINES)}"
        )
    axes = {name: _axis(run, name) for name in spec.coordinates}
    lower, upper = (tuple(float(values[end]) for values in axes.values()) for end in (0, -1))
    domain, ansatz = _form(run, Domain(coordinates=tuple(axes), lower=lower, upper=upper))
    network = Mlp(
        len(axes),
        run.hidden,
        len(ansatz.outputs),
        activation=spec.network.activation,
        kind=spec.slopes.kind,
        n=spec.slopes.n,
        bounds=(lower, upper) if spec.network.inputs == "scaled" else None,
        periods=make_periods(ansatz, domain),
        kinks=make_kinks(spec, domain),
        similarity=make_similarity(spec, domain),
        random=np.random.default_rng(0),  # every weight is overwritten
        dtype=torch.float64,
    )
    load_network(run.path, network, parameters, domain)
    return TrainedNetwork(
        # The kernel of the run may be missing here, and other fields may be of higher order than it
        # goes.
        solution=NetworkSolution(
            network.requires_grad_(False).to(chosen),
            ENGINES[AUTO if engine == FUSED else engine],
            ansatz,
        ),
        domain=domain,
        unknowns=tuple(spec.unknowns),
        axes=axes,
    )


def _form(run: RunFile, domain: Domain) -> tuple[Domain, Ansatz]:
    """The domain with its periodic axes, and the form of the solution, as the settings give
    them.
    """
    try:
        return build_form(run.spec, domain)
    except SpecError as error:
        raise RunFileError(
            f"spec/settings in {run.path} does not define a solution: {error.faults[0].what}"
        ) from None


def _check_settings(run: RunFile, parameters: NetworkParameters) -> None:
    """Raises RunFileError where the attributes of the network and the settings are those of two
    different networks.
    """
    spec = run.spec
    settings = {
        "activation": spec.network.activation,
        "kind": spec.slopes.kind,
        "n": spec.slopes.n,
        "inputs": spec.network.inputs,
    }
    for name, value in settings.items():
        if parameters.attributes[name] != value:
            raise RunFileError(
                f"network in {run.path} has {name} {shown(str(parameters.attributes[name]))}, and "
                f"spec/settings {shown(str(value))}"
            )
    for key, names in (("kinks", spec.network.kinks), ("similarity", spec.network.similarity)):
        for name in names or {}:
            if name not in spec.coordinates:
                raise RunFileError(
                    f"spec/settings in {run.path} has {key} along {shown(name)}, which is not a "
                    "coordinate"
                )
    if spec.network.activation not in ACTIVATIONS:
        raise RunFileError(
            f"{run.path} has the activation function {shown(spec.network.activation)}; known "
            f"are {listed(ACTIVATIONS)}"
        )


def _axis(run: RunFile, name: str) -> Array:
    """The values of a coordinate on the run's grid, whose ends are the bounds of the domain."""
    path = f"solution/{name}"
    shape = run.shape(path)
    if len(shape) != 1 or shape[0] < 2:
        raise RunFileError(f"{path} in {run.path} has the shape {list(shape)}, which does not fit")
    values = run.array(path).astype(np.float64)
    size = abs(float(values[0])) + abs(float(values[-1]))
    if not (math.isfinite(size) and (values[1:] > values[:-1]).all()):
        raise RunFileError(
            f"{path} in {run.path} does not rise from one bound of the domain to the other"
        )
    return values


def load_network(path: Path, network: Mlp, parameters: NetworkParameters, domain: Domain) -> None:
    """Puts what a run file holds into a network of its shapes, for all windows of time.

    Raises:
        RunFileError: with the path, where they are not those of such a network.
    """
    axis, ends = domain.time_axis, parameters.ends
    if ends:
        starts = (domain.lower[axis or 0], *ends)
        if (
            axis is None
            or any(not a < b for a, b in pairwise(starts))
            or ends[-1] > domain.upper[axis]
        ):
            raise RunFileError(f"network/ends in {path} holds no windows of its time")
        for part, start, end in zip(parameters.past, starts, ends, strict=False):
            network.use_window(axis, start, end)
            load_parameters(path, network, part)
            network.end_window(start, end)
        network.use_window(axis, starts[-2], ends[-1])
    load_parameters(path, network, parameters)


def load_parameters(path: Path, network: Mlp, parameters: NetworkParameters) -> None:
    """Puts the weights, biases and slopes of a run file into a network of its shapes, in the
    precision of that.

    Raises:
        RunFileError: with the path, where they are not those of such a network.
    """
    slopes = parameters.slopes
    if network.slopes.kind.is_shared:
        if any((slope != slopes[0]).any() for slope in slopes):
            raise RunFileError(
                f"network in {path} is {network.slopes.kind.label}, and its layers have different "
                "slopes"
            )
        slopes = slopes[:1]
    with torch.no_grad():
        for name, ours, stored in (
            ("weight", network.weights, parameters.weights),
            ("bias", network.biases, parameters.biases),
            ("slope", network.slopes.values, slopes),
        ):
            for k, (parameter, value) in enumerate(zip(ours, stored, strict=True), start=1):
                if not np.isfinite(value).all():
                    raise RunFileError(
                        f"network/layer_{k}/{name} in {path} holds values that are not finite; "
                        "such a network has no values anywhere"
                    )
                parameter.copy_(torch.from_numpy(value.astype(np.float64)))
    network.slopes.absorb(parameters.attributes["slopes_absorbed"] == 1)
