"""The spec as frozen, strict models: every key, its type, its default, and the sentence that
documents it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr
from pydantic_core import PydanticCustomError

from laaf_cli.network.slope_kinds import NLAAF, SLOPE_KINDS, SlopeKind, SlopeKindName
from laaf_cli.spec.examples import EXAMPLES

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*$"
COORDINATE_PATTERN = r"^[A-Za-z][A-Za-z0-9]*$"  # in u_x all that follows '_' is coordinates
MAX_NAME, MAX_LABEL = 30, 60
MAX_ENTRIES = 200  # of a mapping or a list: what a spec costs to read grows with them
LABEL_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]*$"


def _number_as_text(value: Any) -> Any:
    """Expressions may be written as bare numbers."""
    return repr(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _one_or_many(value: Any) -> Any:
    return (
        [value] if isinstance(value, (str, int, float)) and not isinstance(value, bool) else value
    )


def _harmonics(value: Any) -> Any:
    return 1 if value is True else value


def _learned(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"start": value} if is_number else value


def _file(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


def _corners(value: Any) -> Any:
    """The text of a polygon for its corners as pairs of numbers; anything else as it is."""
    if not isinstance(value, list) or not all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(x, int | float) and not isinstance(x, bool) for x in pair)
        for pair in value
    ):
        return value
    return f"polygon({', '.join(repr(float(x)) for pair in value for x in pair)})"


def _forms(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("dict_type", "an empty transform does nothing")
    return None if value == "auto" else value


# Each validator names with `json_schema_input_type` what may be written, short forms and all.
Expression = Annotated[
    StrictStr, BeforeValidator(_number_as_text, json_schema_input_type=StrictStr | float)
]
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MAX_NAME)]
CoordinateName = Annotated[str, Field(pattern=COORDINATE_PATTERN, max_length=MAX_NAME)]
Label = Annotated[str, Field(pattern=LABEL_PATTERN, max_length=MAX_LABEL)]
Real = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[Real, Field(ge=0)]
Positive = Annotated[Real, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]


Harmonics = Annotated[
    Annotated[int, Field(ge=1, le=64)],
    BeforeValidator(
        _harmonics, json_schema_input_type=Literal[True] | Annotated[int, Field(ge=1, le=64)]
    ),
]


class StrictModel(BaseModel):
    """A frozen part of a spec that converts no types and takes no keys that it does not know."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, json_schema_serialization_defaults_required=True
    )


_Item = TypeVar("_Item")
Many = Annotated[list[_Item], Field(min_length=1, max_length=MAX_ENTRIES)]
Faces = Annotated[
    Many[StrictStr],
    BeforeValidator(_one_or_many, json_schema_input_type=StrictStr | Many[StrictStr]),
]
Equations = Annotated[
    Many[Expression],
    BeforeValidator(_one_or_many, json_schema_input_type=Expression | Many[Expression]),
]
Names = Annotated[
    Many[Name], BeforeValidator(_one_or_many, json_schema_input_type=Name | Many[Name])
]

Columns = Annotated[
    Annotated[list[StrictStr], Field(min_length=1, max_length=MAX_ENTRIES)] | None,
    Field(description="names of all columns of a CSV file without a header, in order"),
]

PartText = Annotated[
    StrictStr,
    BeforeValidator(
        _corners,
        json_schema_input_type=StrictStr
        | list[Annotated[list[Real], Field(min_length=2, max_length=2)]],
    ),
]
"""A shape as text; corners of a polygon may be written as a list of pairs."""

Forms = Annotated[
    Annotated[dict[Name, Expression], Field(max_length=MAX_ENTRIES)] | None,
    BeforeValidator(
        _forms,
        json_schema_input_type=Literal["auto"]
        | Annotated[dict[Name, Expression], Field(max_length=MAX_ENTRIES)],
    ),
]
"""Expressions by unknown; None, written `auto`, where they are to be derived."""


class FieldSpec(StrictModel):
    """Values on a grid in a file, which expressions interpolate."""

    file: StrictStr = Field(description="NPZ, HDF5, MATLAB 5 or CSV file; a path as the spec's")
    over: Names | None = Field(
        None, description="the coordinates that they depend on; all of space where absent"
    )
    names: dict[Name, StrictStr] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="map of names in the spec to names in the file",
    )
    columns: Columns = None


class ConditionSpec(StrictModel):
    """What holds on faces or at points, between opposite faces, as an integral, or at the rows of a
    file.

    One of `where`, `at`, `periodic`, `integral` and `data` says which of these it is.
    """

    where: Faces | None = Field(
        None,
        description="one face as `x = -1`, a list of faces, or `boundary` for all faces in space; "
        "names of parts",
    )
    only: StrictStr | None = Field(
        None, description="a comparison that picks a part of the faces, such as `y > 0`"
    )
    at: Annotated[dict[Name, Expression], Field(min_length=1, max_length=MAX_ENTRIES)] | None = (
        Field(
            None, description="`{coordinate: value}`; coordinates that are not named range freely"
        )
    )
    periodic: Name | None = Field(
        None,
        description="a coordinate: the equations, here expressions, have one value at both of "
        "its faces; all unknowns and their derivatives below the order of the equations where "
        "`equation` is absent",
    )
    integral: Expression | None = Field(None, description="an expression whose integral is given")
    over: Names | None = Field(
        None, description="the coordinates of the integral; all of space where absent"
    )
    equals: Expression | None = Field(None, description="the value of the integral, 0 where absent")
    data: StrictStr | None = Field(
        None, description="NPZ, HDF5, MATLAB 5 or CSV file: a row is a point"
    )
    names: dict[Name, StrictStr] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="map of names in the spec to names in the file",
    )
    columns: Columns = None
    fields: Names | None = Field(
        None, description="unknowns to read from the file; all where absent"
    )
    weights: Name | None = Field(
        None, description="a column of the file with a weight for each row"
    )
    equation: Equations | None = Field(
        None,
        description="one equation or a list, in the unknowns and their derivatives (and "
        "columns of the file); with `data` and none, each unknown equals its column",
    )
    points: Count | None = Field(
        None, description="collocation points, shared evenly by the faces; 100 where absent"
    )
    weight: NotNegative = Field(1.0, description="weight of the mean square in the loss (W_u)")

    @property
    def sentence(self) -> str:
        """The condition in a line, for people."""
        place = ", ".join(f"{name} = {value}" for name, value in (self.at or {}).items())
        equations = ", ".join(self.equation or ["all unknowns"])
        if self.where is not None:
            return (
                f"{equations}  at "
                f"{', '.join(self.where)}{f', where {self.only}' if self.only else ''}"
            )
        if self.periodic is not None:
            return f"{equations}  periodic in {self.periodic}"
        if self.integral is not None:
            over = ", ".join(self.over or ["space"])
            return (
                f"integral of {self.integral} over {over} = "
                f"{self.equals or '0'}{f'  at {place}' if place else ''}"
            )
        if self.data is not None:
            return f"{equations}  from {self.data}"
        return f"{equations}  at {place}"


class DataSpec(StrictModel):
    """Values that the solution is fitted to: one of `target`, `file` and `reference`."""

    target: (
        Annotated[dict[Name, Expression], Field(min_length=1, max_length=MAX_ENTRIES)] | None
    ) = Field(None, description="the values as expressions, per unknown")
    reference: bool = Field(
        False,
        description="`true`: the values of the reference, with learned constants at their `truth`",
    )
    points: Count | None = Field(
        None, description="how many points the target or reference is sampled at"
    )
    sampler: str | None = Field(
        None, description="how the points are drawn; `points.sampler` where absent"
    )
    noise: NotNegative | None = Field(
        None,
        description=(
            "normal noise on the values of target or reference, as a fraction of their "
            "standard deviation"
        ),
    )
    file: StrictStr | None = Field(
        None, description="NPZ, HDF5, MATLAB 5 or CSV file with coordinates and values"
    )
    names: dict[Name, StrictStr] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="map of names in the spec to names in the file",
    )
    columns: Columns = None
    fields: Names | None = Field(None, description="unknowns that are observed; all where absent")
    weights: Name | None = Field(
        None, description="a column of the file with a weight for each row"
    )
    weight: NotNegative = Field(1.0, description="weight of the mean square in the loss")


class LearnedSpec(StrictModel):
    """A constant that training finds, from data."""

    start: Real = Field(description="its value before training")
    bounds: Annotated[list[Real], Field(min_length=2, max_length=2)] | None = Field(
        None, description="`[lower, upper]`, between which it stays"
    )
    positive: bool = Field(False, description="`true` keeps it above 0")
    negative: bool = Field(False, description="`true` keeps it below 0")
    truth: Real | None = Field(
        None, description="its true value where it is known, to report the error"
    )


class ImportanceSpec(StrictModel):
    """A part of the domain that gets collocation points of its own."""

    where: StrictStr = Field(
        description="a comparison in the coordinates, such as `x > 0.9 and t < 0.1`"
    )
    share: Annotated[Real, Field(gt=0, lt=1)] = Field(
        description="the fraction of the interior points drawn in it"
    )


class ResampleSpec(StrictModel):
    """How the interior points are renewed while training."""

    every: Count = Field(description="iterations between renewals")
    method: str = Field("uniform", description="how the new points are chosen")
    power: NotNegative = Field(
        1.0, description="k: candidates are drawn with probability ∝ |r|ᵏ / mean |r|ᵏ + c"
    )
    constant: NotNegative = Field(1.0, description="c of the same")
    candidates: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="candidates per point that is drawn"
    )
    add: Count | None = Field(
        None, description="points that `rar-d` adds each time; a tenth of `interior` where absent"
    )


class PointsSpec(StrictModel):
    """Collocation points inside the domain."""

    interior: Count = Field(10_000, description="points at which the equations are enforced")
    sampler: str = Field("latin-hypercube", description="how points are drawn")
    importance: list[ImportanceSpec] = Field(
        default_factory=list,
        max_length=MAX_ENTRIES,
        description="parts of the domain with more points",
    )
    resample: ResampleSpec | None = Field(
        None, description="renewal of the interior points; none where absent"
    )
    validation: Count = Field(
        2000, description="held-out points for the residual check after training"
    )


Kink = Real | Annotated[list[Real], Field(min_length=2, max_length=3)]
Spreading = Annotated[list[Real], Field(min_length=2, max_length=4)]


class NetworkSpec(StrictModel):
    """The network: a multilayer perceptron."""

    hidden: Annotated[
        list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1, max_length=64)
    ] = Field(default_factory=lambda: [20] * 4, description="widths of the hidden layers")
    activation: str = Field("tanh", description="activation function of the hidden layers")
    initializer: str = Field("glorot-normal", description="how initial weights are drawn")
    inputs: Literal["scaled", "raw"] = Field(
        "scaled", description="`scaled` maps the domain to [−1, 1] in every coordinate"
    )
    kinks: Annotated[
        dict[str, Annotated[list[Kink], Field(max_length=100)]] | None, Field(max_length=30)
    ] = Field(
        default_factory=dict,
        description="by coordinate, places c at which the solution may bend: |x − c| is an input "
        "as well; `[c, p]` where its derivative of order p may jump; `[c, p, v]` where that is "
        "carried with velocity v; `null` finds them",
    )
    similarity: Annotated[
        dict[str, Annotated[list[Spreading], Field(max_length=20)]] | None, Field(max_length=30)
    ] = Field(
        default_factory=dict,
        description="by coordinate, `[c, D, v, t0]` where a jump or a bend spreads from c with "
        "diffusivity D, carried with velocity v (0), from the time t0 on (the start): what "
        "sign(x − c) and |x − c| become that way are inputs as well; `null` finds them",
    )

    @property
    def bends(self) -> list[tuple[str, float, int, float]]:
        """Coordinate, place, order and velocity of each kink."""
        whole = (
            (name, kink if isinstance(kink, list) else [kink])
            for name, kinks in (self.kinks or {}).items()
            for kink in kinks
        )
        return [
            (name, place, int(more[0]) if more else 1, more[1] if more[1:] else 0.0)
            for name, (place, *more) in whole
        ]

    @property
    def spreading(self) -> list[tuple[str, float, float, float, float | None]]:
        """Coordinate, place, diffusivity, velocity and time of each similarity variable; None for
        the start.
        """
        return [
            (name, place, diffusivity, more[0] if more else 0.0, more[1] if more[1:] else None)
            for name, places in (self.similarity or {}).items()
            for place, diffusivity, *more in places
        ]


class RecoverySpec(StrictModel):
    """The slope recovery term S(a) of the loss."""

    weight: NotNegative = Field(1.0, description="weight of S in the loss (W_a)")
    form: Literal["mean", "sum"] = Field(
        "mean",
        description="`mean` over hidden layers as in the paper, `sum` as in the authors' script",
    )
    operator: Literal["exp", "identity"] = Field(
        "exp", description="the operator 𝒩 applied to the slopes"
    )


def _recovery(value: Any) -> Any:
    return None if value is False else {} if value is True else value


class SlopesSpec(StrictModel):
    """The trainable slopes of the activation functions."""

    kind: SlopeKindName = Field(
        NLAAF.name, description=", ".join(row.description for row in SLOPE_KINDS.values())
    )
    n: Annotated[Real, Field(ge=1)] = Field(10.0, description="the scale n; slopes start at 1/n")
    recovery: Annotated[
        RecoverySpec | None,
        BeforeValidator(_recovery, json_schema_input_type=RecoverySpec | bool | None),
    ] = Field(
        default_factory=RecoverySpec, description="the slope recovery term, or `false` for none"
    )

    @property
    def row(self) -> SlopeKind:
        """The row of the kind."""
        return SLOPE_KINDS[self.kind]

    @property
    def used_recovery(self) -> RecoverySpec | None:
        """The slope recovery term; None where it is off or there are no slopes."""
        return self.recovery if self.row.is_adaptive else None

    @property
    def title(self) -> str:
        """The kind, with n where that counts."""
        return f"{self.kind}, n = {self.n:g}" if self.row.is_adaptive else self.kind

    @property
    def file_words(self) -> str:
        """What file names say: the kind, and where there are slopes n and the lack of slope
        recovery.
        """
        if not self.row.is_adaptive:
            return self.kind
        return f"{self.kind}-n{self.n:g}" + ("-norecovery" if self.recovery is None else "")


NO_BALANCE = "fixed"
"""The rule that changes no weight."""


class BalanceSpec(StrictModel):
    """How the weights of the loss terms change while training."""

    method: str = Field(description="the rule")
    every: Count = Field(100, description="iterations between updates of the weights")
    momentum: Annotated[Real, Field(ge=0, lt=1)] = Field(
        0.9, description="fraction of the old weights at an update"
    )
    epsilon: Positive = Field(1.0, description="steepness of the causal weights")
    slices: Annotated[int, Field(ge=2, le=10_000)] = Field(
        32, description="slices of time of the causal weights"
    )


def _balance(value: Any) -> Any:
    return {"method": value} if isinstance(value, str) else value


class WeightsSpec(StrictModel):
    """Weights of the loss terms."""

    equations: dict[Label, NotNegative] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="weight of an equation's mean square (W_F), 1 where absent",
    )
    balance: Annotated[
        BalanceSpec, BeforeValidator(_balance, json_schema_input_type=str | BalanceSpec)
    ] = Field(
        default_factory=lambda: BalanceSpec(method=NO_BALANCE),
        description="weights that adapt, on top of those given",
    )


class ScheduleSpec(StrictModel):
    """How the learning rate changes within a phase."""

    kind: str = Field(description="the law")
    factor: Annotated[Real, Field(gt=0, le=1)] | None = Field(
        None, description="factor of one decay"
    )
    every: Count | None = Field(None, description="iterations between decays")
    final: NotNegative | None = Field(
        None, description="learning rate at the end, as a fraction of the first"
    )


def _schedule(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


class PhaseSpec(StrictModel):
    """One phase of the training."""

    optimizer: str = Field("adam", description="the optimizer")
    iterations: Count = Field(
        1000,
        description="the number of iterations; only `least-squares`, which ends when it is done, "
        "goes without, and takes at most 1000 then",
    )
    learning_rate: Positive | None = Field(
        None,
        description="the (first) learning rate, where the optimizer takes one; 0.001 where absent",
    )
    schedule: Annotated[
        ScheduleSpec, BeforeValidator(_schedule, json_schema_input_type=str | ScheduleSpec)
    ] = Field(
        default_factory=lambda: ScheduleSpec(kind="constant"),
        description="a law of the learning rate",
    )
    interior: Count | None = Field(
        None,
        description=(
            "points of the equations from this phase on, newly drawn; unchanged where absent"
        ),
    )
    batch: Count | None = Field(
        None, description="points per iteration and term, drawn at each; all where absent"
    )
    features: Count | None = Field(
        None,
        description=(
            "neurons of the last hidden layer; where absent as many as suit the coordinates"
        ),
    )
    windows: Count | None = Field(
        None,
        description="equal windows of time, solved one after another; where absent as it takes",
    )
    goal: Positive | None = Field(
        None, description="the relative residual at which the phase is done; 1e-7 where absent"
    )
    max_seconds: Positive | None = Field(
        None, description="end of the phase in seconds of training"
    )
    overtime: bool | None = Field(
        None, description="whether windows near the end of time may exceed max_seconds"
    )


class ReferenceSpec(StrictModel):
    """Where the independent solution comes from."""

    kind: str = Field(
        description="`auto`, `spectral`, `finite-elements`, `hopf-cole`, `exact`, `file` or `none`"
    )
    exact: Annotated[dict[Name, Expression], Field(max_length=MAX_ENTRIES)] | None = Field(
        None, description="the solution as expressions, per unknown"
    )
    file: StrictStr | None = Field(
        None, description="NPZ, HDF5, MATLAB 5 or CSV file with coordinates and values"
    )
    names: dict[Name, StrictStr] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="map of names in the spec to names in the file",
    )
    columns: Columns = None


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


class EvaluationSpec(StrictModel):
    """Where the solution is written and compared."""

    grid: dict[Name, Annotated[int, Field(ge=2, le=100_000)]] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="points per coordinate, both ends included",
    )
    times: list[Real] = Field(
        default_factory=list,
        max_length=MAX_ENTRIES,
        description="times at which the error is reported; quarters of the range where absent",
    )


class CheckpointSpec(StrictModel):
    """When a training is kept while it runs."""

    every_s: Positive = Field(60.0, description="seconds of training between checkpoints")


def _checkpoint(value: Any) -> Any:
    return None if value is False else value


MaybeCheckpoint = Annotated[
    CheckpointSpec | None,
    BeforeValidator(_checkpoint, json_schema_input_type=CheckpointSpec | Literal[False] | None),
]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Precision = Literal["float32", "float64"]
DeviceName = Literal["auto", "cpu", "cuda"]


class AnySpec(Protocol):
    """What the specs of all tasks have."""

    @property
    def title(self) -> str:
        """What the problem is called."""
        ...

    @property
    def slopes(self) -> SlopesSpec:
        """The slopes of the activations."""
        ...

    @property
    def checkpoint(self) -> CheckpointSpec | None:
        """How often checkpoints are written; None for never."""
        ...

    @property
    def seed(self) -> int:
        """The seed of all random numbers."""
        ...

    @property
    def dtype(self) -> str:
        """The precision, `float32` or `float64`."""
        ...

    @property
    def device(self) -> str:
        """`cpu`, `cuda`, or `auto` for either."""
        ...


class TaskSpec(StrictModel):
    """A spec of some task."""

    task: ClassVar[str]
    """Its row of TASKS."""
    examples: ClassVar[Mapping[str, str]]
    """What a key may hold, by its path, for hints."""
    begin_with: ClassVar[str]
    """A bundled spec to begin with."""
    first_line: ClassVar[str]
    """A line to begin with."""


class ProblemSpec(TaskSpec):
    """The mathematical problem: what is solved, not how."""

    coordinates: Annotated[
        dict[CoordinateName, Annotated[list[Expression], Field(min_length=2, max_length=2)]],
        Field(min_length=1, max_length=6),
    ] = Field(
        description="`{name: [lower, upper]}` in the order of the network's inputs; `t` is time"
    )
    shape: StrictStr | None = Field(
        None,
        description="what of the ranges of two or three coordinates of space is the domain, as "
        "`box - disk(0.3, 0.3, 0.1)`; all where absent",
    )
    parts: dict[Name, PartText] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="named parts of its boundary, each a shape, corners of a polygon as "
        "`[[0, 0], [1, 0], [0, 1]]`, or a CSV file of those",
    )
    unknowns: Annotated[list[Name], Field(min_length=1, max_length=20)] = Field(
        description="names of the unknowns"
    )
    constants: dict[Name, Expression] = Field(
        default_factory=dict, max_length=MAX_ENTRIES, description="`{name: constant expression}`"
    )
    learn: dict[
        Name,
        Annotated[
            LearnedSpec, BeforeValidator(_learned, json_schema_input_type=Real | LearnedSpec)
        ],
    ] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="constants that training finds, with their values before it",
    )
    fields: dict[
        Name,
        Annotated[FieldSpec, BeforeValidator(_file, json_schema_input_type=StrictStr | FieldSpec)],
    ] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="`{name: FILE}`: known functions, splines through values on a grid",
    )
    functions: StrictStr | None = Field(
        None,
        description=(
            "a Python file whose functions may be called in expressions; needs `allow_python`"
        ),
    )
    periodic: dict[Name, Harmonics] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description=(
            "`{x: true}` builds periodicity into the network's inputs; a number is "
            "that of the harmonics"
        ),
    )
    transform: Forms = Field(
        default_factory=dict,
        description="`{u: expression in net}`: the unknown from the network's output (`net_u`, "
        "`net_v` where there are several), so that conditions hold exactly; `auto` derives it from "
        "the conditions",
    )
    equations: dict[Label, Expression] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description='`{name: "left = right"}`, or a residual alone',
    )
    conditions: dict[Label, ConditionSpec] = Field(
        default_factory=dict,
        max_length=MAX_ENTRIES,
        description="initial, boundary and all other conditions",
    )
    data: DataSpec | None = Field(None, description="values to fit")

    @property
    def forms(self) -> dict[str, str]:
        """The transform by unknown; empty where it is still to be derived."""
        return self.transform or {}


def _training(value: Any) -> Any:
    return [{"iterations": 2000}] if value == "auto" else value


class RunSpec(ProblemSpec):
    """A whole spec: the problem, the network, the training, the reference."""

    task = "equation"
    examples = EXAMPLES
    begin_with = "burgers"
    first_line = "unknowns: [u]"

    title: StrictStr = Field("", description="one line for people")
    source: StrictStr = Field("", description="where the problem is from")
    points: PointsSpec = Field(default_factory=PointsSpec, description="collocation points")
    network: NetworkSpec = Field(default_factory=NetworkSpec, description="the network")
    slopes: SlopesSpec = Field(default_factory=SlopesSpec, description="the adaptive activation")
    weights: WeightsSpec = Field(
        default_factory=WeightsSpec, description="weights of the loss terms"
    )
    training: Annotated[
        list[PhaseSpec], Field(min_length=1, max_length=50), BeforeValidator(_training)
    ] = Field(
        default_factory=lambda: [PhaseSpec(iterations=2000)],
        description="the phases of the training, in order; `auto`, as where it is absent, chooses "
        "them",
        # One schema of both types, so that what is wrong in a phase is reported at its place.
        json_schema_extra={"type": ["array", "string"], "pattern": "^auto$"},
    )
    checkpoint: MaybeCheckpoint = Field(
        default_factory=CheckpointSpec,
        description="how often the training is saved to resume from; `false` turns it off",
    )
    reference: Annotated[
        ReferenceSpec,
        BeforeValidator(_reference, json_schema_input_type=str | ReferenceSpec | None),
    ] = Field(
        default_factory=lambda: ReferenceSpec(kind="auto"), description="the independent solution"
    )
    evaluation: EvaluationSpec = Field(
        default_factory=EvaluationSpec, description="the grid of the run file"
    )
    seed: Seed = Field(0, description="the one seed of everything random")
    dtype: Precision = Field(
        "float32",
        description="precision of the training; `float64` by default with a phase `least-squares`",
    )
    device: DeviceName = Field("auto", description="`auto` takes CUDA where there is one")

    def width_before(self, phase: int) -> int:
        """The neurons of the last hidden layer when a phase begins; some phases add to them."""
        added = [earlier.features or 0 for earlier in self.training[:phase]]
        return max([self.network.hidden[-1], *added])
