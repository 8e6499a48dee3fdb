"""The table of functions and operators of the expression language.

One row says everything about a function: how many arguments it takes, which attribute of an array
module computes it, and its derivative with respect to each argument, written in the language
itself.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_EXPONENT = 100


@dataclass(frozen=True, kw_only=True)
class Function:
    """A row of the table.

    `attribute` is the dotted name in an array module (NumPy and torch share it); operators have
    none. `derivatives` holds ∂f/∂a and ∂f/∂b as texts in the arguments `a` and `b`.
    """

    name: str
    meaning: str
    derivatives: tuple[str, ...]
    attribute: str = ""

    @property
    def n_arguments(self) -> int:
        """The number of arguments, one for each partial derivative."""
        return len(self.derivatives)


def _by_name(*rows: Function) -> dict[str, Function]:
    return {row.name: row for row in rows}


OPERATORS = _by_name(
    Function(name="+", meaning="sum", derivatives=("1", "1")),
    Function(name="-", meaning="difference", derivatives=("1", "-1")),
    Function(name="*", meaning="product", derivatives=("b", "a")),
    Function(name="/", meaning="quotient", derivatives=("1/b", "-a/b**2")),
    Function(name="**", meaning="power", derivatives=("b*a**(b - 1)", "log(a)*a**b")),
    Function(name="neg", meaning="sign change", derivatives=("-1",)),
    Function(name="<", meaning="less", derivatives=("0", "0")),
    Function(name="<=", meaning="less or equal", derivatives=("0", "0")),
    Function(name=">", meaning="greater", derivatives=("0", "0")),
    Function(name=">=", meaning="greater or equal", derivatives=("0", "0")),
    Function(name="and", meaning="both", derivatives=("0", "0")),
    Function(name="or", meaning="either", derivatives=("0", "0")),
)

FUNCTIONS = _by_name(
    Function(name="sin", meaning="sine", derivatives=("cos(a)",), attribute="sin"),
    Function(name="cos", meaning="cosine", derivatives=("-sin(a)",), attribute="cos"),
    Function(name="tan", meaning="tangent", derivatives=("1 + tan(a)**2",), attribute="tan"),
    Function(name="asin", meaning="inverse sine", derivatives=("1/sqrt(1 - a**2)",), attribute="asin"),
    Function(name="acos", meaning="inverse cosine", derivatives=("-1/sqrt(1 - a**2)",), attribute="acos"),
    Function(name="atan", meaning="inverse tangent", derivatives=("1/(1 + a**2)",), attribute="atan"),
    Function(name="atan2", meaning="angle of the point (b, a)", derivatives=("b/(a**2 + b**2)", ("-a/(a**2 + "
                                                                       "b**2)")), attribute="atan2"),
    Function(name="sinh", meaning="hyperbolic sine", derivatives=("cosh(a)",), attribute="sinh"),
    Function(name="cosh", meaning="hyperbolic cosine", derivatives=("sinh(a)",), attribute="cosh"),
    Function(name="tanh", meaning="hyperbolic tangent", derivatives=("1 - tanh(a)**2",), attribute="tanh"),
    Function(name="asinh", meaning="inverse hyperbolic sine", derivatives=("1/sqrt(a**2 + 1)",), attribute="asinh"),
    Function(name="acosh", meaning="inverse hyperbolic cosine", derivatives=("1/sqrt(a**2 - 1)",), attribute="acosh"),
    Function(name="atanh", meaning="inverse hyperbolic tangent", derivatives=("1/(1 - a**2)",), attribute="atanh"),
    Function(name="exp", meaning="exponential", derivatives=("exp(a)",), attribute="exp"),
    Function(name="log", meaning="natural logarithm", derivatives=("1/a",), attribute="log"),
    Function(name="log10", meaning="decimal logarithm", derivatives=("1/(a*log(10))",), attribute="log10"),
    Function(name="sqrt", meaning="square root", derivatives=("1/(2*sqrt(a))",), attribute="sqrt"),
    Function(name="erf", meaning="error function", derivatives=("2/sqrt(pi)*exp(-a**2)",), attribute="special.erf"),
    Function(name="abs", meaning="absolute value", derivatives=("sign(a)",), attribute="abs"),
    Function(name="sign", meaning="−1, 0 or 1", derivatives=("0",), attribute="sign"),
    Function(name="floor", meaning="largest integer below", derivatives=("0",), attribute="floor"),
    Function(name="min", meaning="the lesser of two", derivatives=("where(a <= b, 1, 0)", "where(a <= b, 0, 1)"), attribute="minimum"),
    Function(name="max", meaning="the greater of two", derivatives=("where(a >= b, 1, 0)", "where(a >= b, 0, 1)"), attribute="maximum"),
    Function(
        name="where", meaning="b where the condition a holds, else c",
        derivatives=("0", "where(a, 1, 0)", "where(a, 0, 1)"), attribute="where",
    ),
)  # fmt: skip

NAMED_CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}

TABLE = OPERATORS | FUNCTIONS

COMPARISONS = frozenset({"<", "<=", ">", ">=", "and", "or"})

OTHER_SPELLINGS = {
    "ln": "log",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "fabs": "abs",
    "sgn": "sign",
    "minimum": "min",
    "maximum": "max",
    "if": "where",
    "tg": "tan",
    **dict.fromkeys(("lap", "Laplacian", "Laplace", "Delta", "nabla2", "del2"), "laplacian"),
    **dict.fromkeys(("diff", "Diff", "d", "Derivative", "derivative", "partial"), "D"),
}
