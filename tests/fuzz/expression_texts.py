"""Texts that stand where an expression is expected: by a grammar, from real ones by mutation, and of junk.

Everything is drawn from a `random.Random`: a seeded one in the scripts, Hypothesis's own in the tests.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

from laaf_cli.expression import ExpressionError, parse_equation
from laaf_cli.expression.functions import FUNCTIONS, MAX_EXPONENT
from laaf_cli.spec import bundled
from laaf_cli.spec.source import Value, read_yaml

ATOMS = (
    *(
        "u",
        "v",
        "u_x",
        "v_x",
        "u_xx",
        "u_xy",
        "v_yt",
        "u_xxt",
        "u_xxxx",
        "x",
        "y",
        "t",
        "nu",
        "pi",
        "e",
    ),
    *("0", "1", "2", "-3", ".5", "1.5", "1e-300", "1e200", "1_000", "u_n", "k"),
)

COORDINATES = ("x", "t", "x, x", "y, t", "x, x, y", "t, t, t, t", "z", "u", "2*x", "")

WORDS = (
    *(
        "u",
        "v",
        "u_x",
        "u_xxt",
        "w_x",
        "x",
        "t",
        "nu",
        "pi",
        "q",
        "sin",
        "atan2",
        "where",
        "D",
        "laplacian",
    ),
    *(
        "+",
        "-",
        "*",
        "/",
        "**",
        "(",
        ")",
        ",",
        "=",
        "<",
        "<=",
        ">",
        ">=",
        "and",
        "or",
        "0",
        "1.5",
        "2e300",
        ".5",
    ),
    *(
        "not",
        "if",
        "else",
        "lambda",
        "in",
        "None",
        "await",
        "yield",
        "for",
        "import",
        "exec",
        "eval",
        "__class__",
    ),
    *(
        "__import__('os').system('true')",
        "open('/etc/passwd')",
        "().__class__",
        "f'{x}'",
        "0x10",
        "1j",
        "9" * 400,
    ),
    *(
        "^",
        "//",
        "@",
        "==",
        ":=",
        "->",
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
    ),
    *(
        "²",
        "π",
        "ｕ",
        "𝑢",
        "\u202e",
        "\u2028",
        "\ud800",
        "\x1b[31m",
        "\ufeff",
        "İ",
        "ﬁ",
        "\U0010ffff",
    ),
)
"""What an expression is made of, what Python has besides, and what only looks like either."""

COORDINATES_OF_SPACE = ("x", "y")
ONE = tuple(name for name, row in FUNCTIONS.items() if row.n_arguments == 1)
TWO = tuple(name for name, row in FUNCTIONS.items() if row.n_arguments == 2)

TOO_LONG = 2100
"""Characters beyond which an expression is refused by its length alone, with some to spare."""


def formula(random: Random, size: int) -> str:
    """An expression of the grammar with about `size` operations."""
    if size < 1:
        return random.choice(ATOMS) if random.random() < 0.9 else repr(random.lognormvariate(0, 9))
    part = random.randrange(size)

    def inner() -> str:
        return formula(random, part)

    def rest() -> str:
        return formula(random, size - 1 - part)

    kind = random.choices(range(7), (8, 4, 2, 2, 1, 2, 2))[0]
    match kind:
        case 0:
            return f"({inner()} {random.choice('+-*/')} {rest()})"
        case 1:
            return f"{random.choice(ONE)}({formula(random, size - 1)})"
        case 2:
            return f"{random.choice(TWO)}({inner()}, {rest()})"
        case 3:
            return f"D({formula(random, size - 1)}, {random.choice(COORDINATES)})"
        case 4:
            return f"laplacian({formula(random, size - 1)})"
        case 5:
            exponent = random.choice(
                ("2", "3", "0.5", "-1", "(1/3)", str(MAX_EXPONENT), "1e9", rest())
            )
            return f"({inner()})**{exponent}"
    joint = random.choice(("", "", f" and {random.choice(ATOMS)} > {inner()}", " or x <= t"))
    comparison = f"{inner()} {random.choice(('<', '<=', '>', '>='))} {random.choice(ATOMS)}{joint}"
    return f"where({comparison}, {rest()}, {random.choice(ATOMS)})"


def equation(random: Random) -> str:
    """An expression or an equation of the grammar, of any size up to the limit."""
    size = int(random.lognormvariate(1.5, 1))
    text = formula(random, min(size, 200))
    return f"{text} = {formula(random, random.randrange(6))}" if random.random() < 0.3 else text


def mutated(random: Random) -> str:
    """An expression of a bundled problem in which tokens were changed."""
    tokens = re.findall(r"\w+|\s+|\*\*|<=|>=|.", random.choice(real()), re.DOTALL)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        i, j = sorted(random.randrange(len(tokens) + 1) for _ in range(2))
        match random.randrange(7):
            case 0:
                del tokens[i : i + random.randrange(1, 3)]
            case 1:
                tokens[i:i] = tokens[i:j] * random.choice((1, 1, 2, 20))
            case 2:
                tokens[i:j] = tokens[i:j][::-1]
            case 3:
                tokens[i : i + 1] = [random.choice(WORDS)]
            case 4:
                tokens[i : i + 1] = [random.choice(ATOMS)]
            case 5:
                tokens[i:j] = [f"{random.choice((*ONE, 'laplacian', '-'))}({''.join(tokens[i:j])})"]
            case _:
                tokens[i:j] = [random.choice(real())]
        tokens = tokens[:TOO_LONG] or ["u"]
    return "".join(tokens)


def junk(random: Random) -> str:
    """Characters and words of no order at all."""
    n = random.randrange(40)
    match random.randrange(4):
        case 0:
            return "".join(chr(random.randrange(0x110000)) for _ in range(n))
        case 1:
            return "".join(random.choices(string.printable, k=n))
        case 2:
            return " ".join(random.choices(WORDS, k=n))
    return "".join(random.choices(WORDS, k=n))


def extreme(random: Random) -> str:
    """A formula grown towards the limits of length, depth and size."""
    text = formula(random, random.randrange(4))
    growth: Callable[[str], str] = random.choice(
        (
            lambda t: f"({t})*({t})",
            lambda t: f"sin({t})",
            lambda t: f"D({t}, x)",
            lambda t: f"laplacian({t})",
            lambda t: f"({t})**({t})",
            lambda t: f"where({t} < 0.5, {t}, 1)",
            lambda t: f"max({t}, sign({t}))",
            lambda t: f"-{t}",
            lambda t: f"{t} + {random.choice(ATOMS)}*D(abs({random.choice(ATOMS)}), x)",
            lambda t: f"D({t} * floor(3*x), t)",
        )
    )
    limit = random.choice((100, 500, 1000, 2000, TOO_LONG))
    while len(grown := growth(text)) <= limit:
        text = grown
    for _ in range(random.choice((0, 0, 1, 4))):
        text = f"D({text}, {random.choice(('x', 't'))})"
    return text


def any_expression(random: Random) -> str:
    """One of the above."""
    kind = random.choices((equation, mutated, junk, extreme), (45, 35, 15, 5))[0]
    return kind(random)


@cache
def real() -> tuple[str, ...]:
    """The expressions of the bundled problems."""
    found: dict[str, None] = {}
    for name in bundled.names():
        found |= dict.fromkeys(
            text for text in _texts(read_yaml(bundled.find(name))) if _is_expression(text)
        )
    return tuple(found)


def _texts(value: Value) -> list[str]:
    data: Any = value.data
    if isinstance(data, dict | list):
        return [
            text
            for item in (data.values() if isinstance(data, dict) else data)
            for text in _texts(item)
        ]
    return [data] if isinstance(data, str) else []


def _is_expression(text: str) -> bool:
    try:
        parse_equation(text)
    except ExpressionError:
        return False
    return True
