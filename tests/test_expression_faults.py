"""What people and attackers write in place of an expression, and the complete message that each of them gets.

In the tables, a block holds the text and the characters that the message points at; the messages are in `__snapshots__`.
"""

from __future__ import annotations

import builtins
import os
import re
from typing import Any

import pytest
from counting import counted
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import Fault, SpecError
from laaf_cli.expression import ExpressionError, Scope, parse_equation, resolve
from laaf_cli.expression.tokens import FORMS
from laaf_cli.spec import Text

SCOPE = Scope(
    coordinates=("x", "y", "t"), unknowns=("u", "v"), constants={"nu": 0.1, "k": 2.0}, time="t"
)

OPERATORS = r"""
u^2
 ^

u_x @ u
    ^

x // 2
  ^^

x % 2
  ^

u_t == u_xx
    ^^

u != 0
  ^^

u_t => u_xx
    ^^

u_t =< u_xx
    ^^

u & 1
  ^

|u|
^

~u
^

u << 2
  ^^

u ! v
  ^

not u
^^^

where(not x < 0, u, v)
      ^^^

where(x == 0, u, v)
        ^^

where(x < 0 & y < 0, u, v)
            ^

u += 1
  ^

u++
  ^

(u := 1) + 2
   ^^

u -> v
  ^^
"""

PYTHON = r"""
__import__('os').system('x')
           ^^^^

x.__class__
 ^

().__class__.__bases__[0]
  ^

x.real
 ^

lambda x: x
^^^^^^

[x for x in y]
^

(x for x in y)
   ^^^

{x: 1 for x in y}
^

[1, 2]
^

f"{u}"
 ^^^^^

'u'
^^^

u = "0"
    ^^^

b'u'
 ^^^

u' = 1
 ^^^^^

1j
 ^

True
^^^^

None
^^^^

...
^

u[0]
 ^

u[0:1]
 ^

u if x < 0 else v
  ^^

import os
^^^^^^

yield u
^^^^^

await u
^^^^^

eval(x)
^^^^

sin(x=1)
     ^

sin(*u)
    ^

sin(**u)
    ^^

where(x in y, u, v)
        ^^

where(x is y, u, v)
        ^^

u; v
 ^

u # comment
  ^

u \ v
  ^

`u`
^

$u
^
"""

ORDER = r"""
2x
 ^

2(x)
 ^

2 (x + 1)
  ^

x y
  ^

nu u_xx
   ^^^^

sin x
    ^

sin(x)(y)
      ^

(u + v)(x)
       ^

u +
  ^

u + * v
    ^

* u
^

u = --
     ^

sin(,)
    ^

sin(x,)
      ^

()
 ^

sin(x
   ^

u_t = (u_xx
      ^

sin(x))
      ^

sin(x]
     ^

u, v
 ^

u = 0,5
     ^

1.2.3
   ^^

u.
 ^

3.x
  ^

0777
^^^^

u_t =
    ^

= 0
^

=
^

u_t = u_xx = 0
           ^

(u_t = u_xx)
     ^

where(x = 0, u, v)
        ^
"""

COMPARISONS = r"""
x < 1
^^^^^

u = x < 1
    ^^^^^

sin(x < 1)
    ^^^^^

where(x, 1, 2)
      ^

where(x < 0 and y, u, v)
                ^

u or v
^
"""

CALLS = r"""
ln(x)
^^

arctan(x)
^^^^^^

Sin(x)
^^^

foo(x)
^^^

print(u)
^^^^^

grad(u)
^^^^^^^

div(k*grad(u))
^^^^^^^^^^^^^^

div(grad(u))
^^^^^^^^^^^^

diff(u, x, 2)
^^^^^^^^^^^^^

diff(u, x)
^^^^^^^^^^

du/dt
^^^^^

nu*d2u/dx2
   ^^^^^^^

2*du/dx
  ^^^^^

d2u/(dx*dt)
^^^^^^^^^^^

d2u/dx**2
^^^^^^^^^

d(u)/dt
^^^^^^^

d/dx(nu*u)
^^^^^^^^^^

d2u_dx2
^^^^^^^

dudt
^^^^

diff(u(x, t), x, x)
^^^^^^^^^^^^^^^^^^^

diff(u_x, x, t)
^^^^^^^^^^^^^^^

Derivative(nu*u, x)
^^^^^^^^^^^^^^^^^^^

dxx(u)
^^^^^^

D(u, x, 2)
        ^

Delta(u)
^^^^^

integral(s*u, s, 0, x)
^^^^^^^^^^^^^^^^^^^^^^

sin()
^^^^^

sin(x, y)
^^^^^^^^^

atan2(x)
^^^^^^^^

where(x < 0, 1)
^^^^^^^^^^^^^^^

sin
^^^

laplacian
^^^^^^^^^

u(x, t)
^

u_x(x)
^^^

x(y)
^

pi(2)
^^
"""

NAMES = r"""
w
^

U
^

Pi
^^

ux
^^

xy
^^

w_x
^^^

u_z
^^^

u_X
^^^

u_x_t
^^^^^

u_
^^

u_xxxxx
^^^^^^^

_
^

__debug__
^^^^^^^^^

D(u)
^^^^

D(u, u)
     ^

D(u, z)
     ^

D(u, x*1)
     ^^^

D(u, x, x, x, x, x)
^^^^^^^^^^^^^^^^^^^

D(u_xxx, x, x)
^^^^^^^^^^^^^^

laplacian(u, v)
^^^^^^^^^^^^^^^

laplacian(u_xxx)
          ^^^^^

laplacian(laplacian(laplacian(u)))
                              ^
"""

NUMBERS = r"""
1e999
^^^^^

1e308*10
^^^^^^^^

9**9**9
   ^^^^

10**400
    ^^^

u**101
   ^^^

u**-101
   ^^^^

1/0
^^^

u/0
^^^

u/(1 - 1)
^^^^^^^^^

0/0
^^^

sqrt(-1)
^^^^^^^^

log(0)
^^^^^^

exp(1000)
^^^^^^^^^

(-8)**(1/3)
^^^^^^^^^^^

0**-1
^^^^^

D((-2)**u, x)
  ^^^^^^^
"""

LOOKALIKES = r"""
ｕ + 1
^^

ｓｉｎ(x)
^^

𝑢 + 1
^

u − v
  ^

u·v
 ^

u² = 1
 ^

x ≤ 1
  ^

π*x
^

∂u/∂t
^^^^^

u_t - ∂²u/∂x²
      ^^^^^^^

d^2u/dx^2
^^^^^^^^^

∂^2 u/∂x∂t
^^^^^^^^^^

u_{xx} - 1
^^^^^^

∂
^

∇u
^

√2
^

ν*u_xx
^

😀
^^
"""

MOST_CALLS = 200_000
"""For reading a text; the costliest here takes 57,000."""


def message(text: str) -> str:
    """The complete message for a text, as a spec would show it; an empty one where nothing is wrong."""
    try:
        with counted() as calls:
            resolve(parse_equation(text), SCOPE)
    except ExpressionError as error:
        source = Text("text", text)
        marks = [
            source.mark(0, fault.span[0], fault.span[1] - fault.span[0]) for fault in error.faults
        ]
        faults = [
            Fault(fault.what, mark, fault.hint)
            for fault, mark in zip(error.faults, marks, strict=True)
        ]
        return str(SpecError(faults))
    finally:
        assert calls.n < MOST_CALLS, "a text must not keep the program busy"
    return ""


def cases(*tables: str) -> list[Any]:
    """The blocks of the tables: a text and the carets below it."""
    blocks = "\n".join(tables).strip("\n").split("\n\n")
    return [
        pytest.param(*b.strip("\n").split("\n"), id=b.strip("\n").split("\n")[0]) for b in blocks
    ]


@pytest.mark.parametrize(
    ("text", "carets"),
    cases(OPERATORS, PYTHON, ORDER, COMPARISONS, CALLS, NAMES, NUMBERS, LOOKALIKES),
)
def test_complete_message(text: str, carets: str, snapshot: SnapshotAssertion) -> None:
    found = message(text)
    headline, *excerpt = found.split("\n")[:3]
    assert headline.startswith(f"text:1:{carets.index('^') + 1}: ")
    assert excerpt == [f"   1 | {text}", f"     | {carets}"]
    assert found == snapshot


INVISIBLE = {
    "null": ("u\0+ v", r"'\x00'", "u\ufffd+ v", FORMS),
    "escape": ("u\x1b[31m", r"'\x1b'", "u\ufffd[31m", FORMS),
    "no-break space": (
        "u\xa0= v",
        r"'\xa0'",
        "u\ufffd= v",
        "It looks like a space; write a plain one.",
    ),
    "right to left": ("u\u202e + v", r"'\u202e'", "u\ufffd + v", FORMS),
    "byte order mark": ("u\ufeff", r"'\ufeff'", "u\ufffd", FORMS),
    "surrogate": ("u\ud800", r"'\ud800'", "u\ufffd", FORMS),
    "invisible times": ("u\u2062v", r"'\u2062'", "u\ufffdv", FORMS),
    "combining hat": ("u\u0302", r"'\u0302'", "u\u0302", FORMS),
}


@pytest.mark.parametrize(("text", "character", "line", "hint"), INVISIBLE.values(), ids=INVISIBLE)
def test_characters_that_cannot_be_seen_are_named(
    text: str, character: str, line: str, hint: str
) -> None:
    expected = (
        f"text:1:2: the character {character} has no meaning\n   1 | {line}\n     |  ^\n{hint}"
    )
    assert message(text) == expected


def test_all_names_of_an_expression_are_reported_at_once(snapshot: SnapshotAssertion) -> None:
    assert message("foo(zz, w_x) + u_q") == snapshot


def test_very_many_faults_are_cut() -> None:
    assert message("+".join(["w"] * 100)).count("unknown name 'w'") == 20


TOO_DEEP = "The limit is 120 levels. Each term of a sum is one: put parentheses around parts of a long sum."
TOO_LARGE = "The limit is 20000 operations, 250 levels deep; an unknown can represent a part."
TOO_MANY = "D differentiates along 600 coordinates"

# Each: the text, the column, how many characters are marked, what is wrong, and the hint.
HOSTILE = {
    "121 parentheses": (
        "(" * 121 + "u" + ")" * 121,
        121,
        1,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "900 parentheses": (
        "(" * 900 + "u" + ")" * 900,
        121,
        1,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "1999 signs": ("-" * 1999 + "u", 121, 1880, "the expression is nested too deeply", TOO_DEEP),
    "a sum of 121 terms": (
        "+".join("u" * 121),
        1,
        1,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "a product of 1000 factors": (
        "*".join("u" * 1000),
        1,
        1759,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "a tower of powers": (
        "**".join("u" * 600),
        358,
        1,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "300 calls": (
        "sin(" * 300 + "u" + ")" * 300,
        484,
        1,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "900 comparisons": (
        "where(" + "<".join("x" * 900) + ",u,v)",
        1,
        1810,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "200 conditions": (
        "where(" + " and ".join(["x<1"] * 200) + ",u,v)",
        1,
        1606,
        "the expression is nested too deeply",
        TOO_DEEP,
    ),
    "too many characters": (
        "u + " * 600 + "u",
        1,
        2401,
        "the expression has 2401 characters",
        "The limit is 2000 characters.",
    ),
    "a very long name": (
        "u" * 2000,
        1,
        2000,
        f"the name '{'u' * 20}…' has 2000 characters",
        "The limit is 100 characters.",
    ),
    "a very long number": (
        "9" * 2000,
        1,
        2000,
        "the number is too large",
        "The largest is about 1.8e308.",
    ),
    "900 arguments": (
        f"sin({','.join('x' * 900)})",
        1,
        1804,
        "sin takes 1 argument and has 900",
        "sin(a): sine.",
    ),
    "600 derivatives": (
        f"D(sin(x){', x' * 600})",
        1,
        1809,
        TOO_MANY,
        "Derivatives up to order 4 are supported.",
    ),
    "derivatives of nested calls": (
        f"D({'sin(' * 30}u{')' * 30}, x, x, x, x)",
        3,
        151,
        "the expression grows too large when it is differentiated",
        TOO_LARGE,
    ),
}


@pytest.mark.parametrize(
    ("text", "column", "length", "what", "hint"), HOSTILE.values(), ids=HOSTILE
)
def test_hostile_sizes_are_refused_at_once(
    text: str, column: int, length: int, what: str, hint: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        resolve(parse_equation(text), SCOPE)
    (fault,) = caught.value.faults
    assert (fault.what, fault.span, fault.hint) == (what, (column - 1, column - 1 + length), hint)
    assert message(text).startswith(f"text:1:{column}: {what}\n")


def test_the_limits_leave_room() -> None:
    for text in (
        "(" * 120 + "u" + ")" * 120,
        "+".join("u" * 120),
        "sin(" * 119 + "u" + ")" * 119,
        "-" * 119 + "u",
    ):
        assert message(text) == ""
    parts = "(" + "+".join("u" * 100) + ")"
    assert message("+".join([parts] * 9)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('x')",
        "().__class__.__bases__[0].__subclasses__()",
        "eval(compile('1', 'a', 'eval'))",
        "exec(open)",
        "open(x)",
        "(lambda: __import__)()",
        "[c for c in x.__class__.__mro__]",
        f"f'{{{'__import__'}}}'",
        "(u := open)",
        "print(breakpoint())",
    ],
)
def test_nothing_is_executed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        pytest.fail("the text was executed")

    for name in ("eval", "exec", "open", "print", "breakpoint"):
        monkeypatch.setattr(builtins, name, forbidden)
    monkeypatch.setattr(os, "system", forbidden)
    with pytest.raises(ExpressionError):
        resolve(parse_equation(text), SCOPE)


def test_no_message_speaks_of_python() -> None:
    """The words by which Python's own messages and names would be known."""
    jargon = re.compile(
        r"invalid syntax|literal|token|ast\.|<class|Error|perhaps you|f-string|unterminated",
        re.IGNORECASE,
    )
    for case in cases(OPERATORS, PYTHON, ORDER, COMPARISONS, CALLS, NAMES, NUMBERS, LOOKALIKES):
        headline, _, _, *hint = message(str(case.values[0])).split("\n")
        assert not jargon.search(" ".join([headline.split("'")[0], *hint]))
