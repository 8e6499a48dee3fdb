"""Random texts: whatever is written in a spec or an equation, only the one error class of its language comes out."""

from __future__ import annotations

import json
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from laaf_cli.errors import SpecError, UsageError
from laaf_cli.expression import ExpressionError, Scope, parse_equation, resolve
from laaf_cli.plan import make_plan
from laaf_cli.spec import LoadedSpec, Override, Text, load

SCOPE = Scope(("x", "y", "t"), ("u", "v"), {"nu": 0.1}, "t")

# What an expression is made of, what Python has besides, and what only looks like either.
WORDS = [
    *("u", "v", "u_x", "u_xxt", "w_x", "x", "t", "nu", "pi", "q", "sin", "atan2", "where", "D", "laplacian"),
    *("+", "-", "*", "/", "**", "(", ")", ",", "=", "<", "<=", ">", ">=", "and", "or", "0", "1.5", "2e300", ".5"),
    *("not", "if", "else", "lambda", "in", "None", "await", "__import__", "^", "//", "@", "==", ":=", "->"),
    *(
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        ".",
        ":",
        ";",
        "#",
        "\\",
        "\n",
        "\t",
        "\0",
        "²",
        "π",
        "ｕ",
        "𝑢",
        "\u202e",
        "\ud800",
    ),
]

CHARACTERS = st.characters(codec=None)
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=80),
    st.text(string.printable, max_size=80),
    st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=30).map("".join),
)

ATOMS = st.sampled_from(["u", "v_x", "x", "t", "nu", "pi", "0", "1", "2", "-3", "1e200", "u_xx"])


def _made_of(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    comparison = st.builds("{} {} {}".format, inner, st.sampled_from(["<", "<=", ">", ">="]), inner)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner),
        st.builds("{}({})".format, st.sampled_from(["sin", "exp", "log", "sqrt", "tanh", "abs", "-"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["atan2", "min", "max"]), inner, inner),
        st.builds("D({}, {})".format, inner, st.sampled_from(["x", "t", "x, x", "y, t", "z"])),
        st.builds("laplacian({})".format, inner),
        st.builds("where({}, {}, {})".format, comparison, inner, inner),
    )


EXPRESSIONS = st.recursive(ATOMS, _made_of, max_leaves=12)


@given(TEXTS)
@settings(deadline=None, max_examples=1000)
def test_any_text_is_an_equation_or_an_expression_error(text: str) -> None:
    try:
        resolve(parse_equation(text), SCOPE)
    except ExpressionError as error:
        assert error.faults
        for fault in error.faults:
            first, last = fault.span
            assert 0 <= first <= last <= max(1, len(text))


@given(EXPRESSIONS)
@settings(deadline=None, max_examples=500)
def test_a_well_formed_expression_is_parsed(text: str) -> None:
    tree = parse_equation(text)
    try:
        resolve(tree, SCOPE)
    except ExpressionError as error:
        assert error.faults


@given(
    st.sampled_from("([{-+~") | st.sampled_from(["sin(", "D(", "not ", "u**", "u+", "x<", "where("]),
    st.integers(1, 999),
)
@settings(deadline=None, max_examples=100)
def test_any_depth_is_read_or_refused(opening: str, n: int) -> None:
    closing = ")" if "(" in opening else ""
    try:
        resolve(parse_equation((opening * n + "u" + closing * n)[:1990]), SCOPE)
    except ExpressionError as error:
        assert error.faults


SECTIONS = [
    *("coordinates", "unknowns", "constants", "equations", "conditions", "points", "network", "slopes", "weights"),
    *("training", "reference", "evaluation", "data", "seed", "dtype", "title", "kind", "n", "x", "u", "a", "where"),
    *("equation", "hidden", "iterations", "schedule", "exact", "file", "target", "grid", "times", "sampler", "<<", "1"),
]
SCALARS = st.one_of(
    st.sampled_from(["1", "1e3", "yes", "true", "~", "", "u", "x = 0", "u_t = u_xx", "sin(pi*x)", "adam", "hopf-cole"]),
    st.sampled_from(['"a\\e"', "'it''s'", "&a", "*a", "!!python/name:os.system", "|\n  a", "[", "}", "%", "\t", "1/0"]),
    st.text(CHARACTERS, max_size=10),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(SECTIONS), inner), max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}"
        ),
    ),
    max_leaves=6,
)
ENTRIES = st.tuples(st.sampled_from(SECTIONS), VALUES).map(lambda entry: f"{entry[0]}: {entry[1]}\n")
START = "coordinates: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\nequations: {heat: u_t = u_xx}\n"
QUOTED = st.one_of(EXPRESSIONS, TEXTS).map(json.dumps)
NUMBERS = st.one_of(st.integers(-3, 300), st.floats(), st.sampled_from(["1e999", "-.inf", "0x10", "9" * 25])).map(str)
# Sections of the right form, so that their meaning is reached.
PLAUSIBLE = st.one_of(
    st.builds("constants: {{c: {}, d: {}}}\n".format, QUOTED, NUMBERS),
    st.builds("conditions: {{c: {{where: {}, equation: [u = {}]}}}}\n".format, QUOTED, QUOTED.map(str)),
    st.builds("conditions: {{c: {{where: [x = {}, boundary], equation: {}}}}}\n".format, NUMBERS, QUOTED),
    st.builds("reference: {{exact: {{u: {}}}}}\n".format, QUOTED),
    st.builds("data: {{target: {{u: {}}}, points: {}}}\n".format, QUOTED, NUMBERS),
    st.builds(
        "data: {{file: {}, names: {{x: a}}}}\n".format, st.text(max_size=5).map(lambda name: json.dumps(name + ".csv"))
    ),
    st.builds("evaluation: {{grid: {{x: {}, t: {}}}, times: [{}]}}\n".format, NUMBERS, NUMBERS, NUMBERS),
    st.builds("points: {{interior: {}, sampler: {}}}\n".format, NUMBERS, QUOTED),
    st.builds("weights: {{equations: {{heat: {}}}}}\n".format, NUMBERS),
    st.builds("slopes: {{n: {}, recovery: {{weight: {}}}}}\n".format, NUMBERS, NUMBERS),
    st.builds(
        "training: [{{iterations: {}, learning_rate: {}, schedule: {{kind: step, factor: {}}}}}]\n".format,
        NUMBERS,
        NUMBERS,
        NUMBERS,
    ),
)
YAMLS = st.one_of(
    st.builds(START.__add__, st.builds("".join, st.lists(PLAUSIBLE, max_size=4))),
    st.builds(
        "coordinates: {{x: [{}, {}], t: [0, {}]}}\nunknowns: [u]\nequations: {{a: {}}}\n".format,
        NUMBERS,
        QUOTED,
        NUMBERS,
        QUOTED,
    ),
    st.text(CHARACTERS, max_size=60),
    st.text(string.printable, max_size=60),
    st.builds("".join, st.lists(ENTRIES, max_size=6)),
    st.builds(START.__add__, st.builds("".join, st.lists(ENTRIES, max_size=3))),
)
ASSIGNMENTS = st.one_of(
    st.text(CHARACTERS, max_size=30),
    st.builds("{}={}".format, st.lists(st.sampled_from([*SECTIONS, "0", "1", ""]), max_size=4).map(".".join), VALUES),
)


@given(YAMLS)
@settings(deadline=None, max_examples=500)
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    try:
        loaded = load(Text("spec.yaml", text))
    except SpecError as error:
        assert error.faults
    else:
        assert isinstance(loaded, LoadedSpec)
        assert loaded.spec is not None or loaded.faults


@given(YAMLS, st.lists(ASSIGNMENTS, max_size=2))
@settings(deadline=None, max_examples=300)
def test_any_spec_has_a_plan_or_an_error_of_the_user(text: str, assignments: list[str]) -> None:
    try:
        make_plan(Text("spec.yaml", text), [Override.from_assignment(assignment) for assignment in assignments])
    except (SpecError, UsageError) as error:
        shown = str(error)
        assert shown
        assert all(character.isprintable() or character == "\n" for character in shown)
