"""The JSON Schema of the spec: every right spec passes it, and what it refuses `laaf check` refuses too."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import Laaf, plan_of
from jsonschema import Draft7Validator, Draft202012Validator
from syrupy.assertion import SnapshotAssertion
from test_docs import SPECS, Block

from laaf_cli.cli.spec_schema import spec_schema
from laaf_cli.errors import ExitCode, SpecError
from laaf_cli.images.data import DATASETS, ImageData, Images
from laaf_cli.images.models.table import MODELS
from laaf_cli.images.plan import ImagePlan, make_image_plan
from laaf_cli.images.spec import IMAGE_EXAMPLES, ImageSpec
from laaf_cli.problem.conditions import KINDS
from laaf_cli.runs.plan import CHOICES, make_plan
from laaf_cli.spec import ConditionSpec, Override, RunSpec, Text, apply, bundled, load_as
from laaf_cli.spec.schema import ONE_OF, PlainSchema
from laaf_cli.spec.source import read_yaml

SCHEMA = spec_schema()
VALIDATOR = Draft7Validator(SCHEMA)

SPEC = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
constants: {k: 0.1}
equations: {heat: u_t = k*u_xx}
conditions:
  initial: {where: t = 0, equation: u = sin(pi*x)}
  walls: {where: boundary, equation: u = 0}
points: {interior: 20}
training: [{iterations: 3}]
"""


def plain(text: str) -> Any:
    return read_yaml(Text("spec.yaml", text)).plain()


def faults(spec: object) -> list[str]:
    return [f"{fault.json_path}: {fault.message}" for fault in VALIDATOR.iter_errors(spec)]


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft7Validator.META_SCHEMA["$schema"]
    assert ONE_OF[ConditionSpec] == tuple(KINDS)


@pytest.mark.parametrize("name", [*bundled.names(), *bundled.names("images")])
def test_bundled_specs_pass(name: str) -> None:
    """As laaf reads them, and as an editor does that goes by YAML 1.1."""
    path = bundled.path_of(name)
    assert path is not None
    text = path.read_text("utf-8")
    assert faults(plain(text)) == []
    assert faults(yaml.safe_load(text)) == []


@pytest.mark.parametrize("block", SPECS, ids=lambda block: block.place)
def test_specs_of_the_docs_pass(block: Block) -> None:
    assert faults(plain(block.body)) == []


RIGHT = [
    "conditions.walls.where=[x = 0, x = 1]",
    "conditions.walls={at: {x: 0.5}, equation: [u = 0, u_x = 0]}",
    "conditions.walls={periodic: x}",
    "conditions.walls={integral: u, over: x, equals: 0.5*t}",
    "conditions.walls={integral: u, over: [x], equals: 1, at: {t: 0.5}}",
    "constants.k=2",
    "constants.k=1/pi",
    "coordinates.x=[-pi, 2*pi]",
    "reference=none",
    "reference=",
    "reference={exact: {u: 0}}",
    "reference={kind: exact, exact: {u: 1e-3}}",
    "reference={kind: spectral}",
    "slopes.recovery=false",
    "slopes.recovery=true",
    "slopes.recovery={weight: 2, form: sum}",
    "slopes.recovery=",
    "weights.balance=grad-norm",
    "weights.balance={method: causal, epsilon: 10}",
    "weights.equations={heat: 3}",
    "training.0.schedule=cosine",
    "training.0.schedule={kind: step, factor: 0.5, every: 2}",
    "training.0.learning_rate=1e-3",
    "training.0.iterations=1_000",
    "points.resample={every: 10, method: rad}",
    "points.importance=[{where: x > 0.5, share: 0.2}]",
    "data={target: {u: x*t}, points: 10}",
    "data={reference: true, points: 10, sampler: sobol}",
    "learn={k: {start: 1, bounds: [0, 5]}}",
    "network.hidden=[5]",
    "evaluation={grid: {x: 5, t: 5}, times: [0, 0.5]}",
    "seed=7",
    "checkpoint=false",
    "checkpoint={every_s: 30}",
    "data=",
    "functions=",
    "periodic={x: true}",
    "periodic={x: 3}",
    "transform={u: x*(1 - x)*net}",
    "source=a book",
]
"""Settings that a person may write, short forms and all."""

DROPPED = {"learn": ("constants",), "periodic": ("conditions", "walls")}
"""What has to go for a setting to make sense, by its first key."""


def changed(setting: str) -> dict[str, Any]:
    """The plain spec with a setting put in."""
    root = read_yaml(Text("spec.yaml", SPEC))
    override = Override.from_assignment(setting)
    assert apply(root, override) is None
    spec: dict[str, Any] = root.plain()
    *above, last = DROPPED.get(str(override.path[0]), ("",))
    if last:
        del (spec[above[0]] if above else spec)[last]
    if override.path[0] == "learn":
        spec["data"] = {"target": {"u": "x*t"}, "points": 10}
    return spec


@pytest.mark.parametrize("setting", RIGHT)
def test_what_may_be_written_passes(setting: str) -> None:
    spec = changed(setting)
    assert faults(spec) == []
    make_plan(Text("spec.yaml", json.dumps(spec)))


def test_numbers_that_other_readers_take_for_text_pass() -> None:
    text = SPEC.replace("{iterations: 3}", "{iterations: 10_000, learning_rate: 1e-3}")
    assert yaml.safe_load(text)["training"][0] == {"iterations": 10_000, "learning_rate": "1e-3"}
    assert faults(yaml.safe_load(text)) == []
    assert (
        faults({**plain(text), "training": [{"iterations": "10_000", "learning_rate": "2.5E-4"}]})
        == []
    )
    assert faults({**plain(text), "training": [{"iterations": "many"}]}) != []
    assert faults({**plain(text), "training": [{"iterations": 3, "learning_rate": "small"}]}) != []


WRONG = [
    ("conditons={}", "$"),
    ("network.hiden=[5]", "$.network"),
    ("conditions.walls.wher=x = 0", "$.conditions.walls"),
    ("conditions.walls={equation: u = 0}", "$.conditions.walls"),
    ("conditions.walls={where: , equation: u = 0}", "$.conditions.walls.where"),
    ("conditions.walls.where=true", "$.conditions.walls.where"),
    ("conditions.walls.where=[]", "$.conditions.walls.where"),
    ("conditions.walls.points=0", "$.conditions.walls.points"),
    ("conditions.walls.weight=-1", "$.conditions.walls.weight"),
    ("coordinates.x=[0, 1, 2]", "$.coordinates.x"),
    ("coordinates.x_y=[0, 1]", "$.coordinates"),
    ("coordinates=[x, t]", "$.coordinates"),
    ("unknowns=[]", "$.unknowns"),
    ("unknowns=u", "$.unknowns"),
    ("constants.k=true", "$.constants.k"),
    ("network.activation=tahn", "$.network.activation"),
    ("network.initializer=glorot", "$.network.initializer"),
    ("network.inputs=scaled-up", "$.network.inputs"),
    ("network.hidden=20", "$.network.hidden"),
    ("network.hidden=[0]", "$.network.hidden[0]"),
    ("slopes.kind=laaf", "$.slopes.kind"),
    ("slopes.n=0.5", "$.slopes.n"),
    ("slopes.recovery=exp", "$.slopes.recovery"),
    ("slopes.recovery={operator: sin}", "$.slopes.recovery"),
    ("training.0.optimizer=Adam", "$.training[0].optimizer"),
    ("training.0.iterations=many", "$.training[0].iterations"),
    ("training.0.iterations=1.5", "$.training[0].iterations"),
    ("training.0.schedule=linear", "$.training[0].schedule"),
    ("training.0.schedule={kind: linear}", "$.training[0].schedule"),
    ("training.0={iterations: 0}", "$.training[0].iterations"),
    ("training={iterations: 3}", "$.training"),
    ("points.sampler=random", "$.points.sampler"),
    ("points.resample={method: rad}", "$.points.resample"),
    ("points.resample={every: 5, method: rar}", "$.points.resample.method"),
    ("points.importance=[{where: x > 0.5, share: 1}]", "$.points.importance[0].share"),
    ("weights.balance=gradnorm", "$.weights.balance"),
    ("weights.balance={every: 5}", "$.weights.balance"),
    ("reference=hopf", "$.reference"),
    ("reference={}", "$.reference"),
    ("reference={exact: 0}", "$.reference"),
    ("data={points: 10}", "$.data"),
    ("data={target: {u: 0}, points: 10, sampler: normal}", "$.data.sampler"),
    ("learn={k: {}}", "$.learn.k"),
    ("learn={k: {start: 1, bounds: [0]}}", "$.learn.k"),
    ("periodic={x: false}", "$.periodic.x"),
    ("evaluation.grid.x=1", "$.evaluation.grid.x"),
    ("dtype=float16", "$.dtype"),
    ("device=gpu", "$.device"),
    ("seed=-1", "$.seed"),
    ("checkpoint=true", "$.checkpoint"),
    ("checkpoint={every_s: 0}", "$.checkpoint"),
    ("title=", "$.title"),
    ("title=3", "$.title"),
    ("points=", "$.points"),
]
"""Settings that are wrong, and where the schema says so."""


@pytest.mark.parametrize(("setting", "place"), WRONG)
def test_what_is_wrong_is_refused_at_its_place(setting: str, place: str) -> None:
    spec = changed(setting)
    assert [fault.json_path for fault in VALIDATOR.iter_errors(spec)] == [place]
    with pytest.raises(SpecError):
        make_plan(Text("spec.yaml", json.dumps(spec)))


@pytest.mark.parametrize("key", ["coordinates", "unknowns"])
def test_missing_keys_are_refused(key: str) -> None:
    assert faults({name: value for name, value in plain(SPEC).items() if name != key}) == [
        f"$: '{key}' is a required property"
    ]


JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    "word",
    "",
    0,
    -3,
    2.5,
    1e12,
    [],
    [1],
    ["a", "b"],
    {},
    {"a": 1},
)


def paths(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, (dict, list)):
        for step in value if isinstance(value, dict) else range(len(value)):
            yield (*above, step)
            yield from paths(value[step], (*above, step))  # type: ignore[index]


def mutated(spec: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The spec with a value, a key or an item replaced, added or left out."""
    spec = copy.deepcopy(spec)
    *above, last = chance.choice(list(paths(spec)))
    holder: Any = spec
    for step in above:
        holder = holder[step]
    match chance.randrange(4):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(["kind", "points", "exact", "u", "at", "wrong_key"])] = (
                chance.choice(JUNK)
            )
        case _:
            holder[last] = chance.choice(JUNK)
    return spec


@pytest.mark.parametrize(
    "name", ["burgers", "heat-robin", "inverse-poisson", "lorenz", "kdv", "kovasznay"]
)
def test_what_the_schema_refuses_the_check_refuses(name: str) -> None:
    """The other way round red lines would stand under right specs."""
    text = (bundled.folder() / f"{name}.yaml").read_text("utf-8")
    chance = random.Random(name)  # noqa: S311 - the same cases every time
    n_refused = 0
    for spec in (mutated(plain(text), chance) for _ in range(60)):
        if VALIDATOR.is_valid(spec):
            continue
        n_refused += 1
        with pytest.raises(SpecError):
            make_plan(Text(str(bundled.folder() / f"{name}.yaml"), json.dumps(spec)))
    assert n_refused > 25


def test_the_names_are_those_of_the_tables() -> None:
    equation = SCHEMA["else"]["properties"]
    activation = equation["network"]["properties"]["activation"]
    assert activation["enum"] == list(CHOICES["network", "activation"])
    assert activation["default"] == plan_of(SPEC).spec.network.activation
    assert activation["description"] == "activation function of the hidden layers"
    short, long, empty = equation["reference"]["anyOf"]
    assert short["enum"] == long["properties"]["kind"]["enum"] == list(CHOICES["reference", "kind"])
    assert empty == {"type": "null"}


# Images


def image_data(*shape: int) -> ImageData:
    """Black images of three classes, two of each."""
    images = Images(np.zeros((6, *shape), np.uint8), np.arange(6) % 3)
    return ImageData(train=images, test=images, classes=tuple("abc"), files={})


def image_plan(spec: object) -> ImagePlan:
    """The plan of a plain spec of images, where every data set is of black images and nothing is fetched."""
    known = {name: image_data(*DATASETS[name].shape) for name in DATASETS} | {
        "own.npz": image_data(3, 32, 32)
    }
    return make_image_plan(Text("spec.yaml", json.dumps(spec)), known=known, download=False)


def changed_images(setting: str) -> dict[str, Any]:
    root = read_yaml(Text("spec.yaml", "{images: own.npz}"))
    assert apply(root, Override.from_assignment(setting)) is None
    spec: dict[str, Any] = root.plain()
    return spec


@pytest.mark.parametrize(
    "setting",
    [
        "title=Digits",
        "reading=code",
        "model.kind=preact-resnet18",
        "model={kind: preact-resnet18, forgets_n: true}",
        "model={kind: lenet, width: 1_024, dropout: 5e-1}",
        "model.width=",
        "slopes={kind: nlaaf, n: 2, per: channel}",
        "slopes.recovery=false",
        "slopes.recovery={weight: 10, form: sum, operator: identity}",
        "training={epochs: 3, learning_rate: 1e-2, momentum: 0, batch: 1, drops: [], factor: 1}",
        "training.drops=[10, 50]",
        "training.epochs=",
        "checkpoint=false",
        "checkpoint.every_s=30",
        "dtype=float64",
        "seed=7",
    ],
)
def test_what_may_be_written_of_images_passes(setting: str) -> None:
    spec = changed_images(setting)
    assert faults(spec) == []
    image_plan(spec)


@pytest.mark.parametrize(("key", "examples"), IMAGE_EXAMPLES.items(), ids=IMAGE_EXAMPLES)
def test_the_examples_in_hints_are_right(key: str, examples: str) -> None:
    for example in examples.split(f", or {key.rpartition('.')[2]}: "):
        spec = changed_images(f"{key}={example}")
        assert faults(spec) == []
        image_plan(spec)


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("images=minst", "$.images"),
        ("images=", "$.images"),
        ("images=own.npy", "$.images"),
        ("image=mnist", "$"),
        ("network={hidden: [5]}", "$"),
        ("reading=text", "$.reading"),
        ("model.kind=resnet", "$.model.kind"),
        ("model.width=0", "$.model.width"),
        ("model.dropout=1", "$.model.dropout"),
        ("model.forgets_n=2", "$.model.forgets_n"),
        ("model.depth=3", "$.model"),
        ("model=lenet", "$.model"),
        ("slopes.per=pixel", "$.slopes.per"),
        ("slopes.n=0.5", "$.slopes.n"),
        ("augment=1", "$.augment"),
        ("training=[{epochs: 3}]", "$.training"),
        ("training.epochs=2.5", "$.training.epochs"),
        ("training.momentum=1", "$.training.momentum"),
        ("training.drops=10", "$.training.drops"),
        ("training.drops=[0]", "$.training.drops[0]"),
        ("training.factor=0", "$.training.factor"),
        ("checkpoint=true", "$.checkpoint"),
    ],
)
def test_what_is_wrong_of_images_is_refused_at_its_place(setting: str, place: str) -> None:
    spec = changed_images(setting)
    assert [fault.json_path for fault in VALIDATOR.iter_errors(spec)] == [place]
    with pytest.raises(SpecError):
        image_plan(spec)


@pytest.mark.parametrize("name", bundled.names("images"))
def test_what_the_schema_refuses_of_images_the_loader_refuses(name: str) -> None:
    text = (bundled.folder() / "images" / f"{name}.yaml").read_text("utf-8")
    full = {
        **plain(text),
        "augment": False,
        "checkpoint": {"every_s": 30},
        "training": {"epochs": 3, "learning_rate": 0.1, "drops": [1, 2]},
    }
    full["slopes"]["recovery"] = {"weight": 2, "form": "sum"}
    assert faults(full) == []
    chance = random.Random(name)  # noqa: S311 - the same cases every time
    n_refused = 0
    for spec in (mutated(full, chance) for _ in range(60)):
        if VALIDATOR.is_valid(spec):
            continue
        n_refused += 1
        with pytest.raises(SpecError):
            image_plan(spec)
    assert n_refused > 25


def test_the_names_of_images_are_those_of_the_tables() -> None:
    images = SCHEMA["then"]["properties"]
    assert images["images"]["anyOf"][0]["enum"] == list(DATASETS)
    assert images["model"]["properties"]["kind"]["enum"] == list(MODELS)
    assert images["slopes"]["properties"]["n"]["default"] == 1


@pytest.mark.parametrize("key", ["equations", "coordinates", "unknowns"])
def test_a_spec_with_keys_of_both_kinds_is_one_of_an_equation(key: str) -> None:
    """To the loader and to the schema alike."""
    spec = {**plain(SPEC), "images": "mnist"}
    both = {name: value for name, value in spec.items() if name in (key, "images")}
    assert "$: Additional properties are not allowed ('images' was unexpected)" in faults(both)
    with pytest.raises(SpecError, match="unknown key 'images'"):
        make_plan(Text("spec.yaml", json.dumps(both)))


def test_settings_of_either_kind_follow_the_resolved_schema() -> None:
    for model, schema in (
        (RunSpec, RunSpec.model_json_schema(mode="serialization", schema_generator=PlainSchema)),
        (
            ImageSpec,
            ImageSpec.model_json_schema(mode="serialization", schema_generator=PlainSchema),
        ),
    ):
        text = SPEC if model is RunSpec else "{images: own.npz, slopes: {recovery: false}}"
        loaded = load_as(model, Text("spec.yaml", text))
        assert loaded.spec is not None
        settings = loaded.spec.model_dump(mode="json")
        assert list(Draft202012Validator(schema).iter_errors(settings)) == []
        for key in settings:
            less = {name: value for name, value in settings.items() if name != key}
            assert not Draft202012Validator(schema).is_valid(less)


def test_check_prints_it(laaf: Laaf, snapshot: SnapshotAssertion) -> None:
    done = laaf("check", "--schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == SCHEMA
    stored = Path(__file__).resolve().parent.parent / "docs" / "schemas" / "spec.json"
    assert json.loads(stored.read_text("utf-8")) == SCHEMA
    for arguments in ((), ("burgers", "--schema")):
        refused = laaf("check", *arguments)
        assert refused.code == ExitCode.USAGE
        assert refused.err == snapshot
