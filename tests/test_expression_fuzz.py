"""Random texts: whatever is written in a spec or an equation, only the one error family of its language comes out.

The texts and what is asked of them are those of the long scripts in `tests/fuzz`. Hypothesis draws the seeds and keeps
those that failed.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import expression_texts
import expressions
import pytest
import solves
import spec_texts
import specs
from campaign import SLOW_S, examine_all
from counting import counted
from hypothesis import given, settings
from hypothesis import strategies as st
from tripwire import TrippedError, armed
from whole_specs import whole_spec

from laaf_cli.errors import SpecError
from laaf_cli.expression import ExpressionError, parse_equation, resolve
from laaf_cli.spec import LoadedSpec, Text, load

RANDOMS = st.integers(0, 2**64 - 1).map(Random)  # Hypothesis's own are twenty times slower
MODEST = settings(deadline=None)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A working directory with files that specs name; what is loaded at first use has been."""
    with specs.folder_of_files() as made:
        specs.warm_up()
        expressions.warm_up()
        yield made


@pytest.mark.usefixtures("folder")
@given(RANDOMS.map(expression_texts.any_expression))
@settings(MODEST, max_examples=500)
def test_any_text_is_an_equation_or_an_expression_error(text: str) -> None:
    expressions.examine(text)


@given(RANDOMS.map(expression_texts.equation))
@settings(MODEST, max_examples=200)
def test_a_well_formed_expression_is_parsed(text: str) -> None:
    try:
        tree = parse_equation(text[:2000])
    except ExpressionError as error:
        assert error.faults
        return
    assert tree.size >= 1


@given(
    st.sampled_from("([{-+~")
    | st.sampled_from(["sin(", "D(", "not ", "u**", "u+", "x<", "where("]),
    st.integers(1, 999),
)
@settings(deadline=None, max_examples=100)
def test_any_depth_is_read_or_refused(opening: str, n: int) -> None:
    closing = ")" if "(" in opening else ""
    try:
        resolve(parse_equation((opening * n + "u" + closing * n)[:1990]), expressions.SCOPE)
    except ExpressionError as error:
        assert error.faults


@given(RANDOMS.map(spec_texts.any_spec))
@settings(MODEST, max_examples=200)
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    try:
        loaded = load(Text("spec.yaml", text))
    except SpecError as error:
        assert error.faults
    else:
        assert isinstance(loaded, LoadedSpec)
        assert loaded.spec is not None or loaded.faults


@pytest.mark.usefixtures("folder")
@given(RANDOMS.map(specs.draw))
@settings(MODEST, max_examples=200)
def test_any_spec_has_a_plan_or_an_error_of_the_user(case: specs.Case) -> None:
    specs.examine(case)


MOST_CALLS = 3_000_000
"""For a text; the costliest of these takes a third of it."""


def cheap(examine: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Examines as `examine` does, and that few functions are called."""

    def counting(case: Any) -> bool:
        with counted() as calls:
            accepted = examine(case)
        assert calls.n < MOST_CALLS
        return accepted

    return counting


@pytest.mark.usefixtures("folder")
def test_the_first_of_the_long_scripts_keep_their_promises() -> None:
    """Seeded, so that what fails here can be repeated there by its number. Here calls are counted, there seconds."""
    randoms = [Random(f"0 {i}") for i in range(300)]  # noqa: S311 - not for secrets
    tally = examine_all(
        map(expression_texts.any_expression, randoms),
        cheap(expressions.examine),
        lambda _: None,
        slow_s=math.inf,
    )
    assert tally.faults == []
    assert tally.n_accepted > 50
    assert tally.n_refused > 50
    of_specs = examine_all(
        map(specs.draw, randoms[:150]), cheap(specs.examine), lambda _: None, slow_s=math.inf
    )
    assert of_specs.faults == []
    assert of_specs.n_accepted > 5
    assert of_specs.n_refused > 50


@pytest.mark.filterwarnings("default")
def test_whole_specs_are_solved_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solves, "STEP_S", math.inf)
    monkeypatch.setattr(solves, "REFERENCE_S", 1.0)
    randoms = [Random(f"0 {i}") for i in range(80)]  # noqa: S311 - not for secrets
    tally = examine_all(map(whole_spec, randoms), solves.examine, lambda _: None, slow_s=math.inf)
    assert tally.faults == []
    assert tally.n_refused > 10
    assert sum(n for ending, n in tally.endings.items() if ending.startswith("completed")) > 5


def test_a_campaign_tells_what_breaks_a_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("campaign.time.process_time", lambda: now[0])

    def examine(case: str) -> bool:
        if case == "slow":
            now[0] += 1.05 * SLOW_S
        if case == "fault":
            raise KeyError(case)
        if case == "act":
            with armed():
                os.system("true")  # noqa: S605
        return case == "good"

    tally = examine_all(iter(["good", "bad", "slow", "fault", "act"]), examine, lambda _: None)
    assert (tally.n_accepted, tally.n_refused) == (1, 2)
    assert [case for _, case in tally.faults] == ["slow", "fault", "act"]
    (slow, fault, act) = [what for what, _ in tally.faults]
    assert tally.slowest == (pytest.approx(float(slow.split()[0]), abs=0.01), "slow")
    assert tally.slowest[0] > SLOW_S
    assert fault.startswith("KeyError: 'fault' (test_expression_fuzz.py:")
    assert act.startswith("TrippedError: os.system")


ACTS: dict[str, Callable[[], object]] = {
    "exec": lambda: exec("1"),  # noqa: S102
    "eval": lambda: eval("1"),  # noqa: S307
    "eval of a tree": lambda: eval(compile("1", "<unknown>", "eval")),  # noqa: S307
    "compile": lambda: compile("1", "text", "eval"),
    "import": lambda: __import__("this"),
    "a command": lambda: os.system("true"),  # noqa: S605
    "a program": lambda: subprocess.run(["true"], check=True),
    "a fork": os.fork,
    "a socket": socket.socket,
    "a pickle": lambda: pickle.loads(b"cos\nsystem\n."),  # noqa: S301
    "reading a file": lambda: Path("/etc/hostname").read_text(),
    "writing a file": lambda: Path("a.csv").write_text("x"),
    "listing a folder": lambda: list(os.scandir("/")),
    "removing a file": lambda: Path("a.csv").unlink(),
    "input": input,
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_the_tripwire_trips(
    act: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("this", None)
    with armed(["a.csv"]) as tried, pytest.raises(TrippedError):
        act()
    assert len(tried) == 1


def test_the_tripwire_lets_pass_what_a_spec_may_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("x")
    with armed(["a.csv"]) as tried:
        assert Path("a.csv").read_text() == "x"
        assert parse_equation("u_t = u_xx").size > 1
    assert tried == []
    assert list(Path().iterdir()) == [Path("a.csv")], "outside, everything is as ever"


def test_an_act_that_is_held_back_is_reported_all_the_same() -> None:
    with armed() as tried, contextlib.suppress(BaseException):
        os.system("true")  # noqa: S605
    assert tried
