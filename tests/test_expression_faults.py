"""What people and attackers write in place of an expression, and the complete message that each of them gets.

In the tables, a block holds the text, the characters that the message points at, what is wrong, and how to mend it.
"""

from __future__ import annotations

import builtins
import os
import re
from typing import Any

import pytest
from counting import counted

from laaf_cli.errors import Fault, SpecError
from laaf_cli.expression import ExpressionError, Scope, parse_equation, resolve
from laaf_cli.expression.functions import FUNCTIONS
from laaf_cli.expression.tokens import FORMS, VALUES
from laaf_cli.spec import Text

SCOPE = Scope(
    coordinates=("x", "y", "t"), unknowns=("u", "v"), constants={"nu": 0.1, "k": 2.0}, time="t"
)

OPERATORS = r"""
u^2
 ^
'^' has no meaning
A power is written with '**', as in x**2.

u_x @ u
    ^
'@' has no meaning
A product is written with '*'.

x // 2
  ^^
'//' has no meaning
A quotient is written with '/'; floor(a/b) rounds it down.

x % 2
  ^
'%' has no meaning
A remainder is written x - a*floor(x/a).

u_t == u_xx
    ^^
'==' has no meaning
An equation has one '='. Compare with <, <=, > or >=.

u != 0
  ^^
'!=' has no meaning
Compare with <, <=, > or >=.

u_t => u_xx
    ^^
'=>' has no meaning
Did you mean '>='?

u_t =< u_xx
    ^^
'=<' has no meaning
Did you mean '<='?

u & 1
  ^
'&' has no meaning
Two comparisons are joined by 'and'.

|u|
^
'|' has no meaning
Two comparisons are joined by 'or'; an absolute value is written abs(x).

~u
^
'~' has no meaning
FORMS

u << 2
  ^^
'<<' has no meaning
FORMS

u ! v
  ^
'!' has no meaning
FORMS

not u
^^^
'not' has no meaning
Turn the comparison around: 'not x < 1' is 'x >= 1'.

where(not x < 0, u, v)
      ^^^
'not' has no meaning
Turn the comparison around: 'not x < 1' is 'x >= 1'.

where(x == 0, u, v)
        ^^
'==' has no meaning
An equation has one '='. Compare with <, <=, > or >=.

where(x < 0 & y < 0, u, v)
            ^
'&' has no meaning
Two comparisons are joined by 'and'.

u += 1
  ^
a value is missing after '+'
VALUES

u++
  ^
a value is missing after '+'
VALUES

(u := 1) + 2
   ^^
':=' has no meaning
FORMS

u -> v
  ^^
'->' has no meaning
FORMS
"""

PYTHON = r"""
__import__('os').system('x')
           ^^^^
quotes have no meaning
FORMS

x.__class__
 ^
'.' has no meaning
Numbers have one decimal point; functions are called by their bare name.

().__class__.__bases__[0]
  ^
'.' has no meaning
Numbers have one decimal point; functions are called by their bare name.

x.real
 ^
'.' has no meaning
Numbers have one decimal point; functions are called by their bare name.

lambda x: x
^^^^^^
'lambda' has no meaning
FORMS

[x for x in y]
^
the character '[' has no meaning
Values are grouped by parentheses.

(x for x in y)
   ^^^
'for' has no meaning
FORMS

{x: 1 for x in y}
^
the character '{' has no meaning
Values are grouped by parentheses.

[1, 2]
^
the character '[' has no meaning
Values are grouped by parentheses.

f"{u}"
 ^^^^^
quotes have no meaning
FORMS

'u'
^^^
quotes have no meaning
FORMS

u = "0"
    ^^^
quotes have no meaning
FORMS

b'u'
 ^^^
quotes have no meaning
A derivative is written u_x, or D(u, x).

u' = 1
 ^^^^^
quotes have no meaning
A derivative is written u_x, or D(u, x).

1j
 ^
an operator is missing before 'j'
A product is written with '*', as in 1*j.

True
^^^^
'True' has no meaning
FORMS

None
^^^^
'None' has no meaning
FORMS

...
^
'.' has no meaning
Numbers have one decimal point; functions are called by their bare name.

u[0]
 ^
the character '[' has no meaning
Values are grouped by parentheses.

u[0:1]
 ^
the character '[' has no meaning
Values are grouped by parentheses.

u if x < 0 else v
  ^^
'if' has no meaning
A choice is written where(condition, value, other value).

import os
^^^^^^
'import' has no meaning
FORMS

yield u
^^^^^
'yield' has no meaning
FORMS

await u
^^^^^
'await' has no meaning
FORMS

eval(x)
^^^^
unknown function 'eval'
FUNCTIONS

sin(x=1)
     ^
'=' has no meaning inside parentheses
Arguments have no names; comparisons are <, <=, > and >=.

sin(*u)
    ^
a value is missing before '*'
VALUES

sin(**u)
    ^^
a value is missing before '**'
VALUES

where(x in y, u, v)
        ^^
'in' has no meaning
Compare with <, <=, > or >=.

where(x is y, u, v)
        ^^
'is' has no meaning
Compare with <, <=, > or >=.

u; v
 ^
the character ';' has no meaning
FORMS

u # comment
  ^
the character '#' has no meaning
FORMS

u \ v
  ^
the character '\' has no meaning
LaTeX is not read. A derivative is written u_x, or D(u, x).

`u`
^
the character '`' has no meaning
FORMS

$u
^
the character '$' has no meaning
FORMS
"""

ORDER = r"""
2x
 ^
an operator is missing before 'x'
A product is written with '*', as in 2*x.

2(x)
 ^
an operator is missing before '('
A product is written with '*', as in 2*(…).

2 (x + 1)
  ^
an operator is missing before '('
A product is written with '*', as in 2*(…).

x y
  ^
an operator is missing before 'y'
A product is written with '*', as in x*y.

nu u_xx
   ^^^^
an operator is missing before 'u_xx'
A product is written with '*', as in nu*u_xx.

sin x
    ^
an operator is missing before 'x'
The argument of a function stands in parentheses, as in sin(…).

sin(x)(y)
      ^
an operator is missing before '('
A product is written with '*', as in (…)*(…).

(u + v)(x)
       ^
an operator is missing before '('
A product is written with '*', as in (…)*(…).

u +
  ^
a value is missing after '+'
VALUES

u + * v
    ^
a value is missing before '*'
VALUES

* u
^
a value is missing before '*'
VALUES

u = --
     ^
a value is missing after '-'
VALUES

sin(,)
    ^
a value is missing before ','
VALUES

sin(x,)
      ^
a value is missing before ')'
VALUES

()
 ^
a value is missing before ')'
VALUES

sin(x
   ^
this '(' is never closed

u_t = (u_xx
      ^
this '(' is never closed

sin(x))
      ^
this ')' has no '('

sin(x]
     ^
the character ']' has no meaning
Values are grouped by parentheses.

u, v
 ^
a comma stands outside a function call
Numbers have a decimal point, as in 0.5.

u = 0,5
     ^
a comma stands outside a function call
Numbers have a decimal point, as in 0.5.

1.2.3
   ^^
an operator is missing before '.3'
Numbers have one decimal point.

u.
 ^
'.' has no meaning
Numbers have one decimal point; functions are called by their bare name.

3.x
  ^
an operator is missing before 'x'
A product is written with '*', as in 3.*x.

0777
^^^^
a whole number has no leading zeros
Write 777.

u_t =
    ^
an expression is missing
FORMS

= 0
^
an expression is missing
FORMS

=
^
an expression is missing
FORMS

u_t = u_xx = 0
           ^
there is a second '='
An equation has one.

(u_t = u_xx)
     ^
'=' has no meaning inside parentheses
Arguments have no names; comparisons are <, <=, > and >=.

where(x = 0, u, v)
        ^
'=' has no meaning inside parentheses
Arguments have no names; comparisons are <, <=, > and >=.
"""

COMPARISONS = r"""
x < 1
^^^^^
a comparison stands where a number is expected
Comparisons stand in the first argument of where(condition, b, c).

u = x < 1
    ^^^^^
a comparison stands where a number is expected
Comparisons stand in the first argument of where(condition, b, c).

sin(x < 1)
    ^^^^^
a comparison stands where a number is expected
Comparisons stand in the first argument of where(condition, b, c).

where(x, 1, 2)
      ^
this condition is not a comparison
Write a condition as x < 0, joined by 'and' or 'or'.

where(x < 0 and y, u, v)
                ^
this condition is not a comparison
Write a condition as x < 0, joined by 'and' or 'or'.

u or v
^
this condition is not a comparison
Write a condition as x < 0, joined by 'and' or 'or'.
"""

CALLS = r"""
ln(x)
^^
unknown function 'ln'
Did you mean 'log'?

arctan(x)
^^^^^^
unknown function 'arctan'
Did you mean 'atan'?

Sin(x)
^^^
unknown function 'Sin'
Did you mean 'sin'?

foo(x)
^^^
unknown function 'foo'
Did you mean 'floor'?

print(u)
^^^^^
unknown function 'print'
FUNCTIONS

grad(u)
^^^^^^^
unknown function 'grad'
Write the derivatives out, as u_x, or D(k*u_x, x) + D(k*u_y, y).

div(k*grad(u))
^^^^^^^^^^^^^^
unknown function 'div'
Write the derivatives out, as u_x, or D(k*u_x, x) + D(k*u_y, y).

div(grad(u))
^^^^^^^^^^^^
unknown function 'div'
Write laplacian(…) for div(grad(…)).

diff(u, x, 2)
^^^^^^^^^^^^^
unknown function 'diff'
Write u_xx.

diff(u, x)
^^^^^^^^^^
unknown function 'diff'
Write u_x.

du/dt
^^^^^
a derivative is not written 'du/dt'
Write u_t.

nu*d2u/dx2
   ^^^^^^^
a derivative is not written 'd2u/dx2'
Write u_xx.

2*du/dx
  ^^^^^
a derivative is not written 'du/dx'
Write u_x.

d2u/(dx*dt)
^^^^^^^^^^^
a derivative is not written 'd2u/dxdt'
Write u_xt.

d2u/dx**2
^^^^^^^^^
a derivative is not written 'd2u/dx2'
Write u_xx.

d(u)/dt
^^^^^^^
a derivative is not written 'd(…)/dt'
Write u_t.

d/dx(nu*u)
^^^^^^^^^^
a derivative is not written 'd/dx'
Write D(…, x).

d2u_dx2
^^^^^^^
unknown name 'd2u_dx2'
Did you mean 'u_xx'?

dudt
^^^^
unknown name 'dudt'
Did you mean 'u_t'?

diff(u(x, t), x, x)
^^^^^^^^^^^^^^^^^^^
unknown function 'diff'
Write u_xx.

diff(u_x, x, t)
^^^^^^^^^^^^^^^
unknown function 'diff'
Write u_xxt.

Derivative(nu*u, x)
^^^^^^^^^^^^^^^^^^^
unknown function 'Derivative'
Write D(…, x).

dxx(u)
^^^^^^
unknown function 'dxx'
Write u_xx.

D(u, x, 2)
        ^
this is not a coordinate
Repeat the coordinate instead, as in D(…, x, x).

Delta(u)
^^^^^
unknown function 'Delta'
Did you mean 'laplacian'?

integral(s*u, s, 0, x)
^^^^^^^^^^^^^^^^^^^^^^
'integral' stands in an expression, and integrals are not supported there
Let an unknown of its own have the integrand as its derivative, as in I_x = u.

sin()
^^^^^
sin takes 1 argument and has 0
sin(a): sine.

sin(x, y)
^^^^^^^^^
sin takes 1 argument and has 2
sin(a): sine.

atan2(x)
^^^^^^^^
atan2 takes 2 arguments and has 1
atan2(a, b): angle of the point (b, a).

where(x < 0, 1)
^^^^^^^^^^^^^^^
where takes 3 arguments and has 2
where(a, b, c): b where the condition a holds, else c.

sin
^^^
the function 'sin' has no arguments
Write it as sin(…).

laplacian
^^^^^^^^^
the function 'laplacian' has no arguments
Write it as laplacian(…).

u(x, t)
^
'u' is an unknown, not a function
Write u; a product is written with '*'.

u_x(x)
^^^
'u_x' is an unknown, not a function
Write u_x; a product is written with '*'.

x(y)
^
'x' is not a function
A product is written with '*', as in x*(…).

pi(2)
^^
'pi' is not a function
A product is written with '*', as in pi*(…).
"""

NAMES = r"""
w
^
unknown name 'w'
Known here: u, v, x, y, t, nu, k, pi, e.

U
^
unknown name 'U'
Did you mean 'u'?

Pi
^^
unknown name 'Pi'
Did you mean 'pi'?

ux
^^
unknown name 'ux'
Did you mean 'u_x'?

xy
^^
unknown name 'xy'
Did you mean 'x*y'?

w_x
^^^
'w_x' is a derivative of 'w', which is not an unknown
Unknowns: u, v.

u_z
^^^
unknown derivative 'u_z'
'z' is not a coordinate of this problem (coordinates: x, y, t). Did you mean 'u_y'?

u_X
^^^
unknown derivative 'u_X'
Did you mean 'u_x'?

u_x_t
^^^^^
unknown derivative 'u_x_t'
Did you mean 'u_xt'?

u_
^^
'u_' names no coordinate
Write it as u_x (coordinates: x, y, t).

u_xxxxx
^^^^^^^
'u_xxxxx' is a derivative of order 5
Derivatives up to order 4 are supported.

_
^
unknown name '_'
Known here: u, v, x, y, t, nu, k, pi, e.

__debug__
^^^^^^^^^
unknown name '__debug__'
Known here: u, v, x, y, t, nu, k, pi, e.

D(u)
^^^^
D takes an expression and a coordinate
Write it as D(k*u_x, x).

D(u, u)
     ^
'u' is not a coordinate
D differentiates along coordinates: x, y, t.

D(u, z)
     ^
'z' is not a coordinate
D differentiates along coordinates: x, y, t.

D(u, x*1)
     ^^^
this is not a coordinate
D differentiates along coordinates: x, y, t.

D(u, x, x, x, x, x)
^^^^^^^^^^^^^^^^^^^
D differentiates along 5 coordinates
Derivatives up to order 4 are supported.

D(u_xxx, x, x)
^^^^^^^^^^^^^^
a derivative of order 5 of 'u' is needed
Derivatives up to order 4 are supported.

laplacian(u, v)
^^^^^^^^^^^^^^^
laplacian takes one expression
Write it as laplacian(u).

laplacian(u_xxx)
          ^^^^^
a derivative of order 5 of 'u' is needed
Derivatives up to order 4 are supported.

laplacian(laplacian(laplacian(u)))
                              ^
a derivative of order 5 of 'u' is needed
Derivatives up to order 4 are supported.
"""

NUMBERS = r"""
1e999
^^^^^
the number is too large
The largest is about 1.8e308.

1e308*10
^^^^^^^^
the value is not a finite real number

9**9**9
   ^^^^
the exponent is too large
The limit is 100.

10**400
    ^^^
the exponent is too large
The limit is 100.

u**101
   ^^^
the exponent is too large
The limit is 100.

u**-101
   ^^^^
the exponent is too large
The limit is 100.

1/0
^^^
division by zero

u/0
^^^
division by zero

u/(1 - 1)
^^^^^^^^^
division by zero

0/0
^^^
division by zero

sqrt(-1)
^^^^^^^^
the value is not a finite real number

log(0)
^^^^^^
the value is not a finite real number

exp(1000)
^^^^^^^^^
the value is not a finite real number

(-8)**(1/3)
^^^^^^^^^^^
the value is not a finite real number

0**-1
^^^^^
the value is not a finite real number

D((-2)**u, x)
  ^^^^^^^
the value is not a finite real number
"""

LOOKALIKES = r"""
ｕ + 1
^^
the character 'ｕ' has no meaning
Did you mean 'u'?

ｓｉｎ(x)
^^
the character 'ｓ' has no meaning
Did you mean 's'?

𝑢 + 1
^
the character '𝑢' has no meaning
Did you mean 'u'?

u − v
  ^
the character '−' has no meaning
Write '-'.

u·v
 ^
the character '·' has no meaning
Write '*'.

u² = 1
 ^
the character '²' has no meaning
Write '**2'.

x ≤ 1
  ^
the character '≤' has no meaning
Write '<='.

π*x
^
the character 'π' has no meaning
Write 'pi'.

∂u/∂t
^^^^^
a derivative is not written '∂u/∂t'
Write u_t.

u_t - ∂²u/∂x²
      ^^^^^^^
a derivative is not written '∂²u/∂x²'
Write u_xx.

d^2u/dx^2
^^^^^^^^^
a derivative is not written 'd^2u/dx^2'
Write u_xx.

∂^2 u/∂x∂t
^^^^^^^^^^
a derivative is not written '∂^2 u/∂x∂t'
Write u_xt.

u_{xx} - 1
^^^^^^
a derivative is not written 'u_{xx}'
Write u_xx.

∂
^
the character '∂' has no meaning
A derivative is written u_x, or D(u, x).

∇u
^
the character '∇' has no meaning
The Laplacian is written laplacian(u).

√2
^
the character '√' has no meaning
A root is written sqrt(x).

ν*u_xx
^
the character 'ν' has no meaning
Names are made of the letters A to Z and digits.

😀
^^
the character '😀' has no meaning
FORMS
"""

HINTS = {
    "FORMS": "An expression is arithmetic on numbers, names and calls of functions.",
    "VALUES": "A value is a number, a name, a call of a function, or something in parentheses.",
    "FUNCTIONS": f"Functions: {', '.join(FUNCTIONS)}, D, laplacian.",
}
"""Long hints that stand in the tables by name."""


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
    """The blocks of the tables: a text and the message that is expected."""
    found = []
    for block in "\n".join(tables).strip().split("\n\n"):
        text, carets, what, *hint = block.strip("\n").split("\n")
        lines = [
            f"text:1:{len(carets) - len(carets.lstrip()) + 1}: {what}",
            f"   1 | {text}",
            f"     | {carets}",
        ]
        found.append(
            pytest.param(
                text, "\n".join([*lines, *(HINTS.get(line, line) for line in hint)]), id=text
            )
        )
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    cases(OPERATORS, PYTHON, ORDER, COMPARISONS, CALLS, NAMES, NUMBERS, LOOKALIKES),
)
def test_complete_message(text: str, expected: str) -> None:
    assert message(text) == expected


def test_the_long_hints_are_those_of_the_program() -> None:
    assert (HINTS["FORMS"], HINTS["VALUES"]) == (FORMS, VALUES)


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


def test_all_names_of_an_expression_are_reported_at_once() -> None:
    assert (
        message("foo(zz, w_x) + u_q")
        == """\
text:1:1: unknown function 'foo'
   1 | foo(zz, w_x) + u_q
     | ^^^
Did you mean 'floor'?

text:1:5: unknown name 'zz'
   1 | foo(zz, w_x) + u_q
     |     ^^
Known here: u, v, x, y, t, nu, k, pi, e.

text:1:9: 'w_x' is a derivative of 'w', which is not an unknown
   1 | foo(zz, w_x) + u_q
     |         ^^^
Unknowns: u, v.

text:1:16: unknown derivative 'u_q'
   1 | foo(zz, w_x) + u_q
     |                ^^^
'q' is not a coordinate of this problem (coordinates: x, y, t). Did you mean 'u_y'?"""
    )


def test_very_many_faults_are_cut() -> None:
    assert message("+".join(["w"] * 100)).count("unknown name 'w'") == 20


TOO_DEEP = "The limit is 120 levels. Each term of a sum is one: put parentheses around parts of a long sum."
TOO_LARGE = "The limit is 20000 operations, 250 levels deep; an unknown can stand for a part."
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
