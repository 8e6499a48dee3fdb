"""Words of other packages lead to ours in one step."""

from __future__ import annotations

import pytest
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import SpecError
from laaf_cli.runs.plan import WRITTEN, make_plan
from laaf_cli.spec import RunSpec, Text
from laaf_cli.spec.synonyms import _CHOICES, _KEYS, _places

START = "coordinates: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\nequations: {heat: u_t = u_xx}\n"
CONDITIONS = "conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}\n"


def hints(yaml: str) -> list[str]:
    """The last line of each fault of a spec."""
    with pytest.raises(SpecError) as caught:
        make_plan(Text("spec.yaml", yaml))
    return [fault.hint for fault in caught.value.faults]


WORDS = [
    "lr: 0.1",
    "training: [{lr: 0.1}]",
    "training: [{epochs: 10}]",
    "training: [{max-iter: 10}]",
    "network: {layers: [20]}",
    "network: {init: xavier}",
    "layers: [20, 20]",
    "network: {epochs: 10}",
    "network: {activation: swish}",
    "points: {num_domain: 10}",
    "ic: {where: t = 0}",
    "bcs: []",
    "solution: {u: x}",
    "exact: {u: x}",
    "precision: double",
    "dtype: double",
    "dtype: 64",
    "device: gpu",
    "gpu: true",
    "data: measurements.csv",
]  # fmt: skip


@pytest.mark.parametrize("line", WORDS)
def test_words(line: str, snapshot: SnapshotAssertion) -> None:
    assert hints(f"{START}{CONDITIONS}{line}\n") == snapshot


IN_CONDITIONS = [
    "{where: t = 0, value: 0}",
    "{on: t = 0, equation: u = 0}",
    "{where: t = 0, u: 0}",
    '{where: "x = 0, x = 1", equation: u = 0}',
    "{where: x = 0 and x = 1, equation: u = 0}",
    "{where: x = 0 or x = 1, equation: u = 0}",
]  # fmt: skip


@pytest.mark.parametrize("condition", IN_CONDITIONS)
def test_words_in_conditions(condition: str, snapshot: SnapshotAssertion) -> None:
    assert hints(f"{START}conditions: {{start: {condition}}}\n") == snapshot


def test_a_key_that_is_missing_is_not_reported_beside_its_synonym() -> None:
    yaml = "domain: {x: [0, 1]}\noutputs: [u]\nequations: {a: u_x = 0}\n"
    assert hints(yaml) == [
        "Did you mean 'coordinates'? Example: coordinates: {x: [-1, 1], t: [0, 1]}.",
        "Did you mean 'unknowns'? Example: unknowns: [u].",
    ]


@pytest.mark.parametrize("equation", ["u_t = u_xx", "u_time = u_xx"])
def test_a_coordinate_named_time(equation: str, snapshot: SnapshotAssertion) -> None:
    yaml = f"coordinates: {{x: [0, 1], time: [0, 1]}}\nunknowns: [u]\nequations: {{heat: {equation}}}\n"
    with pytest.raises(SpecError) as caught:
        make_plan(Text("spec.yaml", yaml))
    assert str(caught.value) == snapshot


def test_a_derivative_whose_coordinate_is_a_capital() -> None:
    yaml = START.replace("t: [", "T: [") + "conditions: {start: {where: T = 0, equation: u = 0}}\n"
    (hint,) = hints(yaml)
    assert hint.endswith("Did you mean 'u_T'?")


def test_the_table_speaks_of_keys_and_choices_that_exist() -> None:
    places = list(_places(RunSpec))
    for ours, others in _KEYS.items():
        place = tuple(ours.split("."))
        assert place in places, ours
        siblings = {other[-1] for other in places if other[:-1] == place[:-1]}
        assert siblings.isdisjoint(others.split()), ours
    choices = {word for names in WRITTEN.choices.values() for word in names}
    assert _CHOICES.keys() <= choices | {"float32", "float64", "cuda"}
    assert choices.isdisjoint(word for others in _CHOICES.values() for word in others.split())
