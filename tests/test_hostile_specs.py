"""Specs of strangers: what they cost to read is bounded, and what they hold upsets neither terminal nor file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from conftest import Laaf
from counting import counted
from fault_tables import CONDITIONS, START, message
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import SpecError
from laaf_cli.problem.jumps import lost_jumps
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Text
from laaf_cli.spec.models import MAX_ENTRIES
from laaf_cli.spec.source import MAX_BYTES
from laaf_cli.terminal.messages import visible

MOST_CALLS = 3_500_000
"""Of functions, for reading a spec or making its plan; a plain one takes 9,000, those here up to eight tenths of it."""


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """What is loaded at first use has been, and is not counted."""
    make_plan(
        Text(
            "spec.yaml",
            START + "transform: {u: x*(1 - x)*t*net}\nconditions: {c: {integral: u, equals: 1}}\n",
        )
    )


def numbered(entry: str, n: int) -> str:
    return ", ".join(entry.format(i) for i in range(n))


LARGE = {
    "constants": f"constants: {{{numbered('k{0}: 1', 3000)}}}\n",
    "learned constants": f"learn: {{{numbered('k{0}: {{start: 1}}', 1000)}}}\n",
    "conditions": f"conditions: {{{numbered('c{0}: {{periodic: x}}', 1200)}}}\n",
    "equations of a condition": f"conditions: {{c: {{where: x = 0, equation: [{numbered('u = {0}', 3000)}]}}}}\n",
    "faces of a condition": f"conditions: {{c: {{where: [{numbered('x = {0}', 3000)}], equation: u = 0}}}}\n",
    "weights": f"weights: {{equations: {{{numbered('hea{0}: 1', 3000)}}}}}\n",
    "times": f"evaluation: {{times: [{numbered('0.{0}', 3000)}]}}\n",
    "names": f"data: {{file: a.csv, names: {{{numbered('k{0}: a', 3000)}}}}}\n",
    "transforms": f"transform: {{{numbered('k{0}: net', 3000)}}}\n",
    "parts of importance": f"points: {{importance: [{numbered('{{where: x > 0.{0}, share: 0.1}}', 1000)}]}}\n",
}  # fmt: skip


@pytest.mark.parametrize("section", LARGE.values(), ids=LARGE)
def test_mappings_and_lists_are_bounded(section: str) -> None:
    with counted() as calls:
        shown = message(START + section)
    assert f"' has more than {MAX_ENTRIES}\n" in shown
    assert calls.n < MOST_CALLS
    assert len(shown) < 20_000


MANY_KEYS = {
    "flat": "".join(f"{i:x}: 1\n" for i in range(6000)),
    "nested": "a:\n" + "- " + "[" * 9 + "[]," * 11_000 + "]" * 9,
    "alike": "".join(f"training{i}: 1\n" for i in range(3000)),
}


@pytest.mark.parametrize("yaml", MANY_KEYS.values(), ids=MANY_KEYS)
def test_keys_without_number(yaml: str) -> None:
    with counted() as calls:
        shown = message(yaml)
    assert "a spec has at most 10,000 keys and values" in shown or "unknown key" in shown
    assert calls.n < MOST_CALLS


def test_a_version_of_yaml_that_no_number_holds() -> None:
    shown = message(f"%YAML 1.{'1' * 5000}\n" + START)
    assert shown.startswith("spec.yaml:1:1: a line cannot begin with '%'\n")


COSTLY = {
    "many integrals with a transform": (
        START
        + "transform: {u: x*(1 - x)*t*net}\nconditions: {"
        + numbered("c{0}: {{integral: u, equals: {0}}}", MAX_ENTRIES)
        + "}\n"
    ),
    "many periodic conditions of many equations": (
        "coordinates: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\n"
        f"equations: {{{numbered('e{0}: u_t = u_xx + u*u_x*sin(x)', MAX_ENTRIES)}}}\n"
        f"conditions: {{{numbered('c{0}: {{periodic: x}}', MAX_ENTRIES)}}}\n"
    ),
    "jumps in each other": (
        START.replace("u_t = u_xx", f"'u_t = D({'sign(x + ' * 50}u{')' * 50}, x) + D(D(D({'max(x, ' * 50}u{')' * 50}, x), x), x)'")
        + CONDITIONS
    ),
    "derivatives of a large transform": (
        START
        + f"transform: {{u: x*t*({'+'.join(['sin(x*net)'] * 20)})}}\nconditions: {{"
        + numbered("c{0}: {{at: {{x: 0.5}}, equation: u_xxxx = {0}}}", MAX_ENTRIES)
        + "}\n"
    ),
    "derivatives that swell": (
        "coordinates: {x: [0, 1], y: [0, 1], z: [0, 1], w: [0, 1], v: [0, 1]}\nunknowns: [u]\nequations: {a: "
        f"'u_xx = {'D(' * 20}laplacian(laplacian(sin(x+y+z+w+v))){', x, x, x, x)' * 20}'}}\n"
    ),
    "many derivatives that swell": (
        "coordinates: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\nequations: {"
        + numbered("e{0}: 'u_t = D(sin(exp(x*u*cos(t + u))), x, x, x)'", MAX_ENTRIES)
        + "}\n"
        + CONDITIONS
    ),
    "misspelt names": (
        START + f"weights: {{equations: {{{numbered('hea{0}: 1', MAX_ENTRIES)}}}}}\n" + CONDITIONS
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COSTLY)
def test_what_a_spec_costs_to_plan_is_bounded(name: str) -> None:
    with counted() as calls, suppress(SpecError):  # which of both it is, other tests tell
        make_plan(Text("spec.yaml", COSTLY[name]))
    assert calls.n < MOST_CALLS


def test_jumps_are_still_found_among_many_that_are_none() -> None:
    from expressions import DOMAIN, SCOPE

    from laaf_cli.expression import parse_equation

    none = " + ".join(f"D(where(x < 0.{i:02d}, u, u), x)" for i in range(1, 40))
    lost = lost_jumps(parse_equation(f"D(sign(x)*u, x) + {none}"), SCOPE, DOMAIN)
    assert [each.function for each in lost] == ["sign"]


TRUTHS = {
    "a division by zero": ("u_xx/k", "0", "division by zero"),
    "an overflow": ("u_xx*k**2", "1e300", "the value is not a finite real number"),
    "an exponent": ("u_xx*u**k", "300", "the exponent is too large"),
}


@pytest.mark.parametrize(("law", "truth", "why"), TRUTHS.values(), ids=TRUTHS)
def test_a_truth_that_the_equations_do_not_bear(law: str, truth: str, why: str) -> None:
    yaml = (
        START.replace("u_xx", law)
        + CONDITIONS
        + f"learn: {{k: {{start: 1, truth: {truth}}}}}\ndata: {{target: {{u: x}}, points: 9}}\n"
    )
    why = f"with the true values of the learned constants it cannot be written out: {why}"
    assert make_plan(Text("spec.yaml", yaml)).no_reference == why
    assert message(yaml + "reference: spectral\n").startswith(f"spec.yaml:7:12: {why}\n")


def test_a_transform_that_makes_a_condition_too_large() -> None:
    yaml = (
        START
        + f"transform: {{u: x*t*({'+'.join(['sin(net)'] * 60)})}}\n"
        + "conditions: {c: {at: {x: 0.5}, equation: u_xxxx + u_ttxx + u_tttt = 0}}\n"
    )
    assert message(yaml).startswith(
        "spec.yaml:4:1: with this transform, the condition 'c' cannot be written out: the expression grows too large"
    )


SMALL = (
    "network: {hidden: [3]}\npoints: {interior: 9, validation: 9}\ntraining: [{iterations: 3}]\n"
    "evaluation: {grid: {x: 5, t: 5}}\ndtype: float32\n"
)
CHOICE = "data: {target: {u: x}, points: 9}\nreference: {exact: {u: x}}\n"
SOLVED = {
    "a choice between learned constants": (
        START.replace("u_t = u_xx", "'u_t = where(x < k, k, 2)'") + CONDITIONS + "learn: {k: {start: 1}}\n" + CHOICE
    ),
    "a number that single precision lacks": START.replace("u_t = u_xx", "'u_t = u_xx + max(u, 1e300)'") + CONDITIONS,
    "an exponent that differentiating lowers beyond the limit": (
        START.replace("u_xx", "u_xx + (u + 2)**(-100)") + CONDITIONS
    ),
    "powers of powers": START.replace("u_xx", "u**u**u**u**u**u + (-2)**u + u_xx") + CONDITIONS,
    "data that are far from finite": START + CONDITIONS + "data: {target: {u: 1e300*x}, points: 9, noise: 1e300}\n",
    "a boundary value that is not finite": (
        "coordinates: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\nequations: {e: u_xx + u_tt = 0}\n"
        "conditions: {c: {where: boundary, equation: u = 1/sqrt(t)}, d: {where: [t = 0, t = 1], equation: u = 1/x}}\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("yaml", SOLVED.values(), ids=SOLVED)
def test_what_is_planned_is_checked_and_trained(yaml: str) -> None:
    """Found by fuzzing, all of them: `tests/fuzz/solves.py`."""
    import solves

    assert str(solves.examine(yaml + SMALL)).startswith(("completed", "diverged"))


ESCAPES = {"\\e": "\\x1b", "\\0": "\\x00", "\\ud800": "\\ud800", "\\x07": "\\x07", "\\x9b": "\\x9b"}


@pytest.mark.parametrize(("written", "character"), ESCAPES.items(), ids=ESCAPES)
@pytest.mark.parametrize(
    "place", ['title: "a{}b"\n', 'constants: {{"a{}b": 1}}\n'], ids=["value", "key"]
)
def test_characters_that_come_in_by_an_escape(place: str, written: str, character: str) -> None:
    shown = message(START + place.format(written))
    assert f"the character '{character}' is not allowed in a spec\n" in shown
    assert shown.endswith("\nLeave out the escape.")


def test_a_title_is_shown_and_not_obeyed(laaf: Laaf, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    small = "network: {hidden: [2]}\npoints: {interior: 9, validation: 9}\ntraining: [{iterations: 1}]\nreference: none\n"
    spec.write_text(START + CONDITIONS + small + 'title: "\\u202e\\u2066a [red]b[/] $\\\\frac{$"\n')
    told = laaf("solve", spec, "--output", tmp_path / "run.h5")
    assert told.code == 0
    assert told.err.startswith(
        "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}a [red]b[/] $\\frac{$: 2 tanh"
    )
    assert (
        visible("a\x1b[31mb\tc\n\x9b")
        == "a\N{REPLACEMENT CHARACTER}[31mb\tc\n\N{REPLACEMENT CHARACTER}"
    )


def test_names_of_python_files_are_shown_and_not_obeyed() -> None:
    shown = message(START + CONDITIONS + 'functions: "\\u202elaws.py"\n')
    assert "the spec names \N{REPLACEMENT CHARACTER}laws.py, a Python file" in shown


def test_a_path_of_set_that_names_no_key() -> None:
    assert "the path of --set holds characters that no key has" in message(START, ["\udc80=1"])


NOT_ALLOWED = [
    "laws.py",
    "../laws.py",
    "/etc/passwd",
    "folder/../laws.py",
    "/dev/zero",
    "no-such.py",
]


@pytest.mark.parametrize("file", NOT_ALLOWED)
def test_no_python_runs_without_leave(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the file is said to be, and whether it is there or not: it is not even opened."""
    from tripwire import armed

    for folder in (tmp_path, tmp_path / "inner"):
        folder.mkdir(exist_ok=True)
        (folder / "laws.py").write_text("raise SystemExit('this ran')\n")
    monkeypatch.chdir(tmp_path / "inner")
    make_plan(Text("spec.yaml", START + CONDITIONS))
    with armed() as tried:
        shown = message(START + CONDITIONS + f"functions: {file}\n")
        assert message(START + CONDITIONS, [f"functions={file}"]).count("`allow_python`") == 1
    assert tried == []
    assert f"the spec names {file}, a Python file that can do anything on this machine\n" in shown


def test_a_text_that_comes_from_elsewhere_is_as_short_as_a_file(
    snapshot: SnapshotAssertion,
) -> None:
    """As the spec that a run file holds, which resuming reads."""
    with counted() as calls:
        assert message(START + "#" * MAX_BYTES) == snapshot
        assert message(START, ["title=" + "[" * MAX_BYTES]).startswith(
            "command line has 50,012 characters"
        )
    assert calls.n < 20_000, "they are not even read"
