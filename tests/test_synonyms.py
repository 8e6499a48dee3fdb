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


WORDS = {
    "lr: 0.1": "Did you mean 'learning_rate' in 'training', as in training: [{learning_rate: …}]?",
    "training: [{lr: 0.1}]": "Did you mean 'learning_rate'?",
    "training: [{epochs: 10}]": "Did you mean 'iterations'?",
    "training: [{max-iter: 10}]": "Did you mean 'iterations'?",
    "network: {layers: [20]}": "Did you mean 'hidden'? As in hidden: [20, 20].",
    "network: {init: xavier}": "Did you mean 'initializer'?",
    "layers: [20, 20]": "Did you mean 'hidden' in 'network', as in network: {hidden: [20, 20]}?",
    "network: {epochs: 10}": "Did you mean 'iterations' in 'training', as in training: [{iterations: …}]?",
    "network: {activation: swish}": "Did you mean 'silu'?",
    "points: {num_domain: 10}": "Did you mean 'interior'?",
    "ic: {where: t = 0}": "Did you mean 'conditions'? As in conditions: {start: {where: t = 0, equation: u = 0}}.",
    "bcs: []": "Did you mean 'conditions'? As in conditions: {start: {where: t = 0, equation: u = 0}}.",
    "solution: {u: x}": "Did you mean 'reference'? As in reference: hopf-cole.",
    "exact: {u: x}": "Did you mean 'exact' in 'reference', as in reference: {exact: {u: sin(pi*x)}}?",
    "precision: double": "Did you mean 'dtype'?",
    "dtype: double": "Did you mean 'float64'?",
    "dtype: 64": "Did you mean 'float64'?",
    "device: gpu": "Did you mean 'cuda'?",
    "data: measurements.csv": "As in data: {file: measurements.csv}.",
}  # fmt: skip


@pytest.mark.parametrize(("line", "hint"), WORDS.items(), ids=WORDS)
def test_words(line: str, hint: str) -> None:
    assert hints(f"{START}{CONDITIONS}{line}\n") == [hint]


IN_CONDITIONS = {
    "{where: t = 0, value: 0}": "Did you mean 'equation'? As in equation: u = 0.",
    "{on: t = 0, equation: u = 0}": "Did you mean 'where'? As in where: x = -1.",
    "{where: t = 0, u: 0}": "A value is given as an equation: equation: u = …",
    '{where: "x = 0, x = 1", equation: u = 0}': "Several faces stand in brackets: where: [x = 0, x = 1].",
    "{where: x = 0 and x = 1, equation: u = 0}": "Several faces stand in brackets: where: [x = 0, x = 1].",
    "{where: x = 0 or x = 1, equation: u = 0}": "Several faces stand in brackets: where: [x = 0, x = 1].",
}  # fmt: skip


@pytest.mark.parametrize(("condition", "hint"), IN_CONDITIONS.items(), ids=IN_CONDITIONS)
def test_words_in_conditions(condition: str, hint: str) -> None:
    assert hint in hints(f"{START}conditions: {{start: {condition}}}\n")


def test_a_key_that_is_missing_is_not_told_beside_its_synonym() -> None:
    yaml = "domain: {x: [0, 1]}\noutputs: [u]\nequations: {a: u_x = 0}\n"
    assert hints(yaml) == [
        "Did you mean 'coordinates'? As in coordinates: {x: [-1, 1], t: [0, 1]}.",
        "Did you mean 'unknowns'? As in unknowns: [u].",
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
