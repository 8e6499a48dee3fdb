"""Equations, their domain and their conditions in one line: what spec they become, and what is said to mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Laaf
from fault_tables import marks_of
from syrupy.assertion import SnapshotAssertion

import laaf_cli
from laaf_cli.errors import ExitCode, SpecError
from laaf_cli.problem.one_line import keys_of_line, typed
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Text
from laaf_cli.spec.objects import as_spec
from laaf_cli.spec.source import read_yaml

HEAT, ON = "u_t = u_xx", "x=0..1, t=0..1"
COLD = {"where": "boundary", "equation": "u = 0"}


def keys(equation: str, on: str, conditions: str = "", let: str = "") -> dict[str, Any]:
    return keys_of_line(
        typed("command line", "", equation),
        on=[typed("command line", "--on ", on)],
        conditions=[typed("command line", "--with ", conditions)],
        let=[typed("command line", "--let ", let)],
    )


LINES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "boundary value problem": (
        ("u_xx + u = 0", "x=0..pi/2", "u(x=0) = 0, u(x=pi/2)=1"),
        {
            "title": "u_xx + u = 0",
            "coordinates": {"x": [0, "pi/2"]},
            "unknowns": ["u"],
            "equations": {"equation": "u_xx + u = 0"},
            "conditions": {
                "x-lower": {"where": "x = 0", "equation": "u = 0"},
                "x-upper": {"where": "x = pi/2", "equation": "u = 1"},
            },
        },
    ),
    "initial value problem with a constant": (
        ("u_tt + 2*d*u_t + u = 0", "t=0..10", "u(t=0) = 1; u_t(t=0) = 0", "d=0.2"),
        {
            "title": "u_tt + 2*d*u_t + u = 0",
            "coordinates": {"t": [0, 10]},
            "unknowns": ["u"],
            "constants": {"d": 0.2},
            "equations": {"equation": "u_tt + 2*d*u_t + u = 0"},
            "conditions": {"initial": {"where": "t = 0", "equation": ["u = 1", "u_t = 0"]}},
        },
    ),
    "Poisson": (
        ("laplacian(u)=max(x, y)", "x=0..1, y=0..1", "u(boundary) = 0"),
        {
            "title": "laplacian(u)=max(x, y)",
            "coordinates": {"x": [0, 1], "y": [0, 1]},
            "unknowns": ["u"],
            "equations": {"equation": "laplacian(u) = max(x, y)"},
            "conditions": {"boundary": COLD},
        },
    ),
    "system": (
        ("x_t = s*(y - x); y_t = -x", "t=0..1", "x(t=0) = -8, y(t=0) = s", "r=2, s=2*r"),
        {
            "title": "x_t = s*(y - x); y_t = -x",
            "coordinates": {"t": [0, 1]},
            "unknowns": ["x", "y"],
            "constants": {"r": 2, "s": "2*r"},
            "equations": {"equation-1": "x_t = s*(y - x)", "equation-2": "y_t = -x"},
            "conditions": {"initial": {"where": "t = 0", "equation": ["x = -8", "y = s"]}},
        },
    ),
    "wave with its rate, and a place between": (
        (
            "u_tt = u_xx",
            "x=-1..1, t=0..1",
            "u(x, t=0) = sin(pi*x), u_t(x, t=0) = 0, u(boundary) = 0, u(x=1/2) + u_x(x=0.5) = t",
        ),
        {
            "title": "u_tt = u_xx",
            "coordinates": {"x": [-1, 1], "t": [0, 1]},
            "unknowns": ["u"],
            "equations": {"equation": "u_tt = u_xx"},
            "conditions": {
                "initial": {"where": "t = 0", "equation": ["u = sin(pi*x)", "u_t = 0"]},
                "boundary": COLD,
                "at-x": {"at": {"x": "1/2"}, "equation": "u + u_x = t"},
            },
        },
    ),
    "points and the end": (
        ("D(u, x) = u_t", ON, "u(x=0, t=0) = 1, u(t=0, x=1) = 2, u(t=1) = x"),
        {
            "title": "D(u, x) = u_t",
            "coordinates": {"x": [0, 1], "t": [0, 1]},
            "unknowns": ["u"],
            "equations": {"equation": "D(u, x) = u_t"},
            "conditions": {
                "at-x-t": {"at": {"x": 0, "t": 0}, "equation": "u = 1"},
                "at-t-x": {"at": {"t": 0, "x": 1}, "equation": "u = 2"},
                "final": {"where": "t = 1", "equation": "u = x"},
            },
        },
    ),
    "two points": (
        (HEAT, ON, "u(x=0, t=0) = 1, u(x=1, t=0) = 2"),
        {
            "title": HEAT,
            "coordinates": {"x": [0, 1], "t": [0, 1]},
            "unknowns": ["u"],
            "equations": {"equation": HEAT},
            "conditions": {
                "at-x-t": {"at": {"x": 0, "t": 0}, "equation": "u = 1"},
                "at-x-t-2": {"at": {"x": 1, "t": 0}, "equation": "u = 2"},
            },
        },
    ),
    "periodic": (
        (
            HEAT,
            "x=-L..L, t=0..1",
            "u(t=0) = cos(x), u(x=-L) = u(x=L), u_x(x=-L) = u_x(x=L)",
            "L=pi",
        ),
        {
            "title": HEAT,
            "coordinates": {"x": ["-L", "L"], "t": [0, 1]},
            "unknowns": ["u"],
            "constants": {"L": "pi"},
            "equations": {"equation": HEAT},
            "conditions": {
                "initial": {"where": "t = 0", "equation": "u = cos(x)"},
                "periodic-x": {"periodic": "x"},
            },
        },
    ),
    "one of two periodic": (
        ("u_t = v_x, v_t = u_x", ON, "u(x=1) = u(x=0), v(x=0) = 0"),
        {
            "title": "u_t = v_x, v_t = u_x",
            "coordinates": {"x": [0, 1], "t": [0, 1]},
            "unknowns": ["u", "v"],
            "equations": {"equation-1": "u_t = v_x", "equation-2": "v_t = u_x"},
            "conditions": {
                "x-lower": {"where": "x = 0", "equation": "v = 0"},
                "periodic-x": {"periodic": "x", "equation": ["u"]},
            },
        },
    ),
    "comparisons, the normal, and a function around": (
        (
            "u_xx = where(x <= 0.5, 1, 0)",
            "x=0..1",
            "u_n(x=1) + sin(u(x=1)) = where(1 <= 2, 0, 1), u(x=0) = 0",
        ),
        {
            "title": "u_xx = where(x <= 0.5, 1, 0)",
            "coordinates": {"x": [0, 1]},
            "unknowns": ["u"],
            "equations": {"equation": "u_xx = where(x <= 0.5, 1, 0)"},
            "conditions": {
                "x-upper": {"where": "x = 1", "equation": "u_n + sin(u) = where(1 <= 2, 0, 1)"},
                "x-lower": {"where": "x = 0", "equation": "u = 0"},
            },
        },
    ),
}


@pytest.mark.parametrize(("line", "expected"), LINES.values(), ids=LINES)
def test_a_line_becomes_a_spec(line: tuple[str, ...], expected: dict[str, Any]) -> None:
    found = keys(*line)
    assert found == expected
    assert read_yaml(Text("equation", as_spec(found))).plain() == expected, "as YAML as well"


def test_a_written_spec_is_a_problem() -> None:
    line = keys(HEAT, ON, "u(t=0) = sin(pi*x), u(boundary) = 0")
    problem = make_plan(Text("equation", as_spec(line))).problem
    assert [term.name for term in problem.terms] == ["equation", "initial", "boundary"]
    assert as_spec(line).splitlines()[:4] == [
        "title: u_t = u_xx",
        "coordinates:",
        "  x: [0, 1]",
        "  t: [0, 1]",
    ]


MISTAKES = {
    "no points between bounds": ((HEAT, "x=0-1, t=0..1"), ["8 0-1"]),
    "three points": ((HEAT, "x=0...1, t=0..1"), ["8 0...1"]),
    "a bound of no value": ((HEAT, "x=0..L, t=0..1"), ["11 L"]),
    "a bound that is a coordinate": ((HEAT, "t=0..1, x=0..t"), ["19 t"]),
    "a bound that is missing": ((HEAT, "x=0.., t=0..1"), ["11 ,"]),
    "no coordinates": ((HEAT, " , "), []),
    "a coordinate twice": ((HEAT, "x=0..1, t=0..1, x=0..2"), ["22 x"]),
    "names of constants, all at once": (
        (HEAT, ON, "", "k__1=2, lambda=1, m 3"),
        ["7 k__1=2", "15 lambda", "25 m 3"],
    ),
    "a constant of no value": (("u_t = nu*u_xx", ON, "u(t=0) = 0"), ["7 nu"]),
    "a derivative along no coordinate": (("u_t = u_yy", ON, "u(t=0) = 0"), ["7 u_yy"]),
    "derivatives along no coordinate alone": (("u_yy = 1", ON), ["1 u_yy"]),
    "a quotient for a derivative": (("du/dt = u_xx", ON), ["1 du/dt"]),
    "a derivative without its sign": (("u_t = uxx", ON), ["7 uxx"]),
    "a comma that makes no equation": (("u_t = u_xx, 3", ON), ["13 3"]),
    "parentheses that fit nothing": (("u_t = u_xx)", ON), ["11 )"]),
    "parentheses that stay open": ((HEAT, ON, "u(t=0) = sin(x, u(x=0) = 0"), ["20 ("]),
    "no unknown": (("x = 1", ON), ["1 x = 1"]),
    "fewer equations than unknowns": (("u_t = v_x", ON), ["1 u_t = v_x"]),
    "an unknown without an equation": ((HEAT, ON, "u(t=0) = 0, v_x(boundary) = 0"), ["20 v_x"]),
    "an unknown with a slip": ((HEAT, ON, "U(t=0) = 0"), ["8 U"]),
    "places by position": ((HEAT, ON, "u(x,0) = sin(pi*x), u(0,x) = 1"), ["8 u(x,0)", "28 u(0,x)"]),
    "a word for the boundary": ((HEAT, ON, "u(boundry) = 0"), ["8 u(boundry)"]),
    "no place": ((HEAT, ON, "u = 1"), ["8 u = 1"]),
    "a place of one of two": ((HEAT, ON, "u_x(x=1) + 2*u = 0"), ["21 u"]),
    "no coordinate at a place": ((HEAT, ON, "u(y=0) = 1"), ["10 y"]),
    "a coordinate twice at a place": ((HEAT, ON, "u(x=0, x=1) = 1"), ["15 x"]),
    "a place outside": ((HEAT, ON, "u(x=2) = 1"), ["10 x=2"]),
    "no equals sign": ((HEAT, ON, "u(x=0)"), ["8 u(x=0)"]),
    "two equals signs": ((HEAT, ON, "u(x=0) = u(x=1) = 0"), ["24 ="]),
    "two places": ((HEAT, ON, "u(x=0) + u(x=1) = 0"), ["8 u(x=0) + u(x=1) = 0"]),
    "another language": ((HEAT, ON, "u(t=0) = x^2"), ["18 ^"]),
    "an unknown function": ((HEAT, ON, "u(t=0) = sine(x)"), ["17 sine"]),
}


# Each: the words of the command line, and for each fault its column and the characters underlined.
@pytest.mark.parametrize(("line", "marks"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_shown_where_they_were_typed(
    line: tuple[str, ...], marks: list[str], snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(SpecError) as caught:
        keys(*line)
    assert [found.partition(":1:")[2] for found in marks_of(caught.value)] == marks
    assert str(caught.value) == snapshot


@pytest.mark.parametrize("pair", ["u(x=0) = u(t=0)", "u(x=0) = u_x(x=1)", "u(x=0) = u(x=0.5)"])
def test_only_opposite_faces_are_periodic(pair: str) -> None:
    with pytest.raises(SpecError, match="one condition has several places"):
        keys(HEAT, ON, pair)


def test_a_line_of_several_lines() -> None:
    with pytest.raises(SpecError) as caught:
        keys("u_t =\n  k*u_xx", ON)
    assert "   1 | u_t =   k*u_xx\n     |         ^\n" in str(caught.value)


# The command line


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


LINE = (
    "u_t = k*u_xx",
    *("--on", ON, "--let", "k=0.1"),
    *("--with", "u(t=0) = sin(pi*x)", "--with", "u(x=0) = 0, u(x=1) = 0"),
)


@pytest.mark.usefixtures("_folder")
def test_solve_reaches_the_exact_solution_of_a_line(laaf: Laaf) -> None:
    done = laaf(
        "solve",
        *LINE,
        *("--set", "training=[{optimizer: least-squares}]"),
        *("--set", "reference={exact: {u: exp(-k*pi**2*t)*sin(pi*x)}}"),
        *("--save", "specs/heat.yaml", "--json"),
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["relative_l2"]["u"] < 1e-6
    assert result["title"] == "u_t = k*u_xx"
    assert Path(result["path"]).name.startswith("heat-")
    again = laaf("check", "specs/heat.yaml", "--json")
    assert again.code == 0
    assert json.loads(again.out)["settings"]["constants"] == {"k": "0.1"}


@pytest.mark.usefixtures("_folder")
def test_a_line_without_a_name_is_called_equation(laaf: Laaf) -> None:
    done = laaf("solve", *LINE, "--iterations", 2, "--set", "points.interior=20", "-q")
    assert done.code == 0, done.err
    assert [path.name for path in Path("runs").glob("*.h5")] == ["equation-nlaaf-n10-s0.h5"]


@pytest.mark.usefixtures("_folder")
def test_a_spec_is_kept_once(laaf: Laaf) -> None:
    assert laaf("check", *LINE, "--save", "my.yaml", "-q").code == 0
    written = Path("my.yaml").read_text()
    assert laaf("check", *LINE, "--save", "my.yaml", "-q").code == 0, "the same again"
    done = laaf("check", *LINE, "--let", "c=1", "--save", "my.yaml", "-q")
    assert (done.code, done.err) == (
        ExitCode.USAGE,
        "error: my.yaml already exists, with another text; --save names another path\n",
    )
    assert Path("my.yaml").read_text() == written
    done = laaf("check", "u_t = u_xx", "--on", ON, "--save", "wrong.yaml")
    assert done.code == ExitCode.SPEC
    assert not Path("wrong.yaml").exists(), "what is wrong is not kept"


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("command", ["solve", "check"])
def test_options_of_an_equation_go_with_one(
    laaf: Laaf, command: str, snapshot: SnapshotAssertion
) -> None:
    def said(*arguments: str) -> str:
        done = laaf(command, *arguments)
        assert done.code == ExitCode.USAGE
        assert done.out == ""
        return done.err

    assert said("burgers", "--on", ON) == snapshot
    Path("a=b").write_text("")
    assert said("a=b", "--with", "u(t=0) = 1") == snapshot
    assert said("u_t = u_xx") == snapshot


def test_an_equation_that_begins_with_a_minus_sign(laaf: Laaf) -> None:
    done = laaf("check", "-q", "--on", "x=0..1", "--with", "u(boundary) = 0", "--", "-u_xx = 1")
    assert done.code == 0, done.err
    assert "-u_xx = 1" in done.out


def test_messages_name_options(laaf: Laaf) -> None:
    done = laaf("check", "u_t = nu*u_xx", "--on", ON, "--with", "u(t=0) = 0")
    assert done.code == ExitCode.SPEC
    assert "\n--let gives a constant its value, as in nu=1; an unknown has" in done.err


# Python


def test_a_spec_from_a_line_in_python() -> None:
    spec = laaf_cli.Spec.from_line(
        "u_t = k*u_xx",
        on=ON,
        conditions=["u(t=0) = sin(pi*x)", "u(boundary) = 0"],
        let="k=0.1",
        training=[{"optimizer": "least-squares"}],
    )
    assert spec.text.name == "equation"
    assert spec.keys["conditions"]["boundary"] == COLD
    assert [term.name for term in laaf_cli.check(spec).terms][:2] == ["equation", "initial"]
    with pytest.raises(SpecError, match=r"arguments:1:16: 'q' has no value") as caught:
        laaf_cli.Spec.from_line(HEAT, on=ON, conditions="u(x=q) = 0")
    assert "   1 | conditions=u(x=q) = 0\n" in str(caught.value)
    with pytest.raises(SpecError, match="there is no equation"):
        laaf_cli.Spec.from_line("", on=ON)
