"""Names of derivatives, streams of a seed, metrics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from laaf_cli.errors import Fault, Mark, SpecError
from laaf_cli.metrics import max_error, relative_l2
from laaf_cli.multi_index import (
    add,
    ambiguous_coordinate,
    derivative_name,
    lower_set,
    parse_suffix,
    unit,
)
from laaf_cli.seeds import random_stream

COORDINATES = ("x", "theta", "t")


@given(st.tuples(*[st.integers(0, 4)] * 3))
def test_name_and_orders_are_inverse(orders: tuple[int, ...]) -> None:
    name = derivative_name("u", orders, COORDINATES)
    suffix = name.partition("_")[2]
    assert parse_suffix(suffix, COORDINATES) == orders
    assert (suffix == "") == (sum(orders) == 0)


def test_order_of_letters_does_not_matter() -> None:
    assert parse_suffix("tx", ("x", "t")) == parse_suffix("xt", ("x", "t")) == (1, 1)


def test_coordinates_that_cannot_be_distinguished() -> None:
    assert ambiguous_coordinate(["x", "xx"]) == "xx"
    assert ambiguous_coordinate(["x", "y", "xyx"]) == "xyx"
    assert ambiguous_coordinate(["x", "theta"]) is None


def test_lower_set_is_all_that_the_chain_rule_needs() -> None:
    assert lower_set([(2, 0), (0, 1)]) == ((0, 0), (1, 0), (0, 1), (2, 0))
    assert lower_set([(1, 1)]) == ((0, 0), (1, 0), (0, 1), (1, 1))
    assert len(lower_set([(2, 2)])) == 9


def test_add_and_unit() -> None:
    assert add((1, 0), unit(1, 2)) == (1, 1)


def test_streams_are_reproducible_and_independent() -> None:
    first = random_stream(7, "points", "interior").random(1000)
    assert np.array_equal(first, random_stream(7, "points", "interior").random(1000))
    for other in (
        random_stream(8, "points", "interior"),
        random_stream(7, "points", "walls"),
        random_stream(7, "points"),
    ):
        assert abs(np.corrcoef(first, other.random(1000))[0, 1]) < 0.15


def test_relative_l2_by_hand() -> None:
    reference = np.array([3.0, 4.0])
    assert relative_l2(np.array([3.0, 4.5]), reference) == pytest.approx(0.1)
    assert relative_l2(np.array([3e-9, 4.5e-9]), 1e-9 * reference) == pytest.approx(0.1), (
        "in any unit"
    )
    assert max_error(np.array([1.0, -2.0]), np.array([1.5, -1.0])) == 1.0


def test_metrics_at_the_edges() -> None:
    zero = np.zeros(3)
    assert relative_l2(zero, zero) == 0
    assert relative_l2(zero + 2, zero) == pytest.approx(2), "absolute"
    with pytest.raises(ValueError, match=r"shapes differ: solution \(3,\), reference \(3, 1\)"):
        relative_l2(zero, zero[:, None])


def test_faults_of_several_flags_stay_in_their_order() -> None:
    marks = [
        Mark(source="command line", line=0, column=column, length=1, line_text=text)
        for column, text in ((9, "--set b"), (3, "--set a"), (5, "--set b"))
    ]
    error = SpecError([Fault(str(mark.column), mark) for mark in marks])
    assert [fault.what for fault in error.faults] == ["5", "9", "3"]


def test_carets_are_under_what_they_mean_in_wide_scripts() -> None:
    fault = Fault("wrong", Mark(source="a.yaml", line=0, column=3, length=2, line_text="熱: ux"))
    assert str(fault).splitlines()[1:] == ["   1 | 熱: ux", "     |     ^^"]
