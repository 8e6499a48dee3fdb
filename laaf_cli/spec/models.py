"""The spec as frozen, strict models: every key, its type, its default, and the sentence that documents it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9]*$"
MAX_NAME, MAX_LABEL = 30, 60
LABEL_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]*$"


def _number_as_text(value: Any) -> Any:
    """Expressions may be written as bare numbers."""
    return repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, (str, int, float)) and not isinstance(value, bool) else value


def _whole_as_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


Expression = Annotated[StrictStr, BeforeValidator(_number_as_text)]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MAX_NAME)]
Label = Annotated[str, Field(pattern=LABEL_PATTERN, max_length=MAX_LABEL)]
Real = Annotated[float, BeforeValidator(_whole_as_float), Field(allow_inf_nan=False)]
NotNegative = Annotated[Real, Field(ge=0)]
Positive = Annotated[Real, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Condition(_Strict):
    """An equation that holds on faces of the domain."""

    where: Annotated[list[StrictStr], BeforeValidator(_one_or_many), Field(min_length=1)] = Field(
        description="one face as `x = -1`, a list of faces, or `boundary` for all faces in space"
    )
    equation: Annotated[list[Expression], BeforeValidator(_one_or_many), Field(min_length=1)] = Field(
        description="one equation or a list, in the unknowns and their derivatives"
    )
    points: Count = Field(100, description="collocation points, shared evenly by the faces")
    weight: NotNegative = Field(1.0, description="weight of the mean square in the loss (W_u)")


class Data(_Strict):
    """Values that the solution is fitted to."""

    target: Annotated[dict[Name, Expression], Field(min_length=1)] | None = Field(
        None, description="the values as expressions, per unknown"
    )
    points: Count | None = Field(None, description="how many points the target is sampled at")
    sampler: str | None = Field(None, description="how the points are drawn; `points.sampler` where absent")
    file: StrictStr | None = Field(None, description="NPZ, HDF5, MATLAB 5 or CSV file with coordinates and values")
    names: dict[Name, StrictStr] = Field(default_factory=dict, description="names in the file where they differ")
    weight: NotNegative = Field(1.0, description="weight of the mean square in the loss")


class Points(_Strict):
    """Collocation points inside the domain."""

    interior: Count = Field(10_000, description="points at which the equations are enforced")
    sampler: str = Field("latin-hypercube", description="how points are drawn")


class Network(_Strict):
    """The network: a multilayer perceptron."""

    hidden: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1, max_length=64)] = Field(
        default_factory=lambda: [20] * 4, description="widths of the hidden layers"
    )
    activation: str = Field("tanh", description="activation function of the hidden layers")
    initializer: str = Field("glorot-normal", description="how initial weights are drawn")
    inputs: Literal["scaled", "raw"] = Field(
        "scaled", description="`scaled` maps the domain to [−1, 1] in every coordinate"
    )


class Recovery(_Strict):
    """The slope recovery term S(a) of the loss."""

    weight: NotNegative = Field(1.0, description="weight of S in the loss (W_a)")
    form: Literal["mean", "sum"] = Field(
        "mean", description="`mean` over hidden layers as in the paper, `sum` as in the authors' script"
    )
    operator: Literal["exp", "identity"] = Field("exp", description="the operator 𝒩 applied to the slopes")


def _recovery(value: Any) -> Any:
    return None if value is False else {} if value is True else value


class Slopes(_Strict):
    """The trainable slopes of the activation functions."""

    kind: Literal["fixed", "gaaf", "llaaf", "nlaaf"] = Field(
        "nlaaf", description="no slopes, one for the network, one per layer, one per neuron"
    )
    n: Annotated[Real, Field(ge=1)] = Field(10.0, description="the scale n; slopes start at 1/n")
    recovery: Annotated[Recovery | None, BeforeValidator(_recovery)] = Field(
        default_factory=Recovery, description="the slope recovery term, or `false` for none"
    )


class Weights(_Strict):
    """Weights of the loss terms of the equations."""

    equations: dict[Label, NotNegative] = Field(
        default_factory=dict, description="weight of an equation's mean square (W_F), 1 where absent"
    )


class Schedule(_Strict):
    """How the learning rate changes within a phase."""

    kind: str = Field(description="the law")
    factor: Annotated[Real, Field(gt=0, le=1)] | None = Field(None, description="factor of one decay")
    every: Count | None = Field(None, description="iterations between decays")
    final: NotNegative | None = Field(None, description="learning rate at the end, as a share of the first")


def _schedule(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class Phase(_Strict):
    """One phase of the training."""

    optimizer: str = Field("adam", description="the optimizer")
    iterations: Count = Field(description="the number of iterations")
    learning_rate: Positive = Field(1e-3, description="the (first) learning rate")
    schedule: Annotated[Schedule, BeforeValidator(_schedule)] = Field(
        default_factory=lambda: Schedule(kind="constant"), description="a law of the learning rate"
    )
    batch: Count | None = Field(None, description="points per iteration and term, drawn anew; all where absent")
    max_seconds: Positive | None = Field(None, description="end of the phase in seconds of training")


class Reference(_Strict):
    """Where the independent solution comes from."""

    kind: str = Field(description="`hopf-cole`, `exact`, `file` or `none`")
    exact: dict[Name, Expression] | None = Field(None, description="the solution as expressions, per unknown")
    file: StrictStr | None = Field(None, description="NPZ, HDF5, MATLAB 5 or CSV file with coordinates and values")
    names: dict[Name, StrictStr] = Field(default_factory=dict, description="names in the file where they differ")


def _reference(value: Any) -> Any:
    if isinstance(value, str):
        return {"kind": value}
    if value is None:
        return {"kind": "none"}
    if isinstance(value, dict) and "kind" not in value:
        for kind in ("exact", "file"):
            if kind in value:
                return {"kind": kind, **value}
    return value


class Evaluation(_Strict):
    """Where the solution is written and compared."""

    grid: dict[Name, Annotated[int, Field(ge=2, le=100_000)]] = Field(
        default_factory=dict, description="points per coordinate, both ends included"
    )
    times: list[Real] = Field(
        default_factory=list,
        description="times at which the error is told apart; quarters of the range where absent",
    )


class Problem(_Strict):
    """The mathematical problem: what is solved, apart from how."""

    coordinates: Annotated[
        dict[Name, Annotated[list[Expression], Field(min_length=2, max_length=2)]],
        Field(min_length=1, max_length=6),
    ] = Field(description="`{name: [lower, upper]}` in the order of the network's inputs; `t` is time")
    unknowns: Annotated[list[Name], Field(min_length=1, max_length=20)] = Field(description="names of the unknowns")
    constants: dict[Name, Expression] = Field(default_factory=dict, description="`{name: constant expression}`")
    equations: dict[Label, Expression] = Field(
        default_factory=dict, description='`{name: "left = right"}`, or a residual alone'
    )
    conditions: dict[Label, Condition] = Field(default_factory=dict, description="initial and boundary conditions")
    data: Data | None = Field(None, description="values to fit")


class RunSpec(Problem):
    """A whole spec: the problem, the network, the training, the reference."""

    title: StrictStr = Field("", description="one line for people")
    source: StrictStr = Field("", description="where the problem comes from")
    points: Points = Field(default_factory=Points, description="collocation points")
    network: Network = Field(default_factory=Network, description="the network")
    slopes: Slopes = Field(default_factory=Slopes, description="the adaptive activation")
    weights: Weights = Field(default_factory=Weights, description="weights of the equations")
    training: Annotated[list[Phase], Field(min_length=1, max_length=50)] = Field(
        default_factory=lambda: [Phase(iterations=2000)], description="the phases of the training, in order"
    )
    reference: Annotated[Reference, BeforeValidator(_reference)] = Field(
        default_factory=lambda: Reference(kind="none"), description="the independent solution"
    )
    evaluation: Evaluation = Field(default_factory=Evaluation, description="the grid of the run file")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="the one seed of everything random")
    dtype: Literal["float32", "float64"] = Field("float32", description="precision of the training")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto` takes CUDA where there is one")
