"""The table of functions and operators of the expression language.

One row says everything about a function: how many arguments it takes, which attribute of an array
module computes it, and its derivative with respect to each argument, written in the language
itself.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_EXPONENT = 100


@dataclass(frozen=True)
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
        return len(self.derivatives)


def _by_name(*rows: Function) -> dict[str, Function]:
    return {row.name: row for row in rows}


OPERATORS = _by_name(
    Function("+", "sum", ("1", "1")),
    Function("-", "difference", ("1", "-1")),
    Function("*", "product", ("b", "a")),
    Function("/", "quotient", ("1/b", "-a/b**2")),
    Function("**", "power", ("b*a**(b - 1)", "log(a)*a**b")),
    Function("neg", "sign change", ("-1",)),
    Function("<", "less", ("0", "0")),
    Function("<=", "less or equal", ("0", "0")),
    Function(">", "greater", ("0", "0")),
    Function(">=", "greater or equal", ("0", "0")),
    Function("and", "both", ("0", "0")),
    Function("or", "either", ("0", "0")),
)

FUNCTIONS = _by_name(
    Function("sin", "sine", ("cos(a)",), "sin"),
    Function("cos", "cosine", ("-sin(a)",), "cos"),
    Function("tan", "tangent", ("1 + tan(a)**2",), "tan"),
    Function("asin", "inverse sine", ("1/sqrt(1 - a**2)",), "asin"),
    Function("acos", "inverse cosine", ("-1/sqrt(1 - a**2)",), "acos"),
    Function("atan", "inverse tangent", ("1/(1 + a**2)",), "atan"),
    Function("atan2", "angle of the point (b, a)", ("b/(a**2 + b**2)", ("-a/(a**2 + "
                                                                       "b**2)")), "atan2"),
    Function("sinh", "hyperbolic sine", ("cosh(a)",), "sinh"),
    Function("cosh", "hyperbolic cosine", ("sinh(a)",), "cosh"),
    Function("tanh", "hyperbolic tangent", ("1 - tanh(a)**2",), "tanh"),
    Function("asinh", "inverse hyperbolic sine", ("1/sqrt(a**2 + 1)",), "asinh"),
    Function("acosh", "inverse hyperbolic cosine", ("1/sqrt(a**2 - 1)",), "acosh"),
    Function("atanh", "inverse hyperbolic tangent", ("1/(1 - a**2)",), "atanh"),
    Function("exp", "exponential", ("exp(a)",), "exp"),
    Function("log", "natural logarithm", ("1/a",), "log"),
    Function("log10", "decimal logarithm", ("1/(a*log(10))",), "log10"),
    Function("sqrt", "square root", ("1/(2*sqrt(a))",), "sqrt"),
    Function("erf", "error function", ("2/sqrt(pi)*exp(-a**2)",), "special.erf"),
    Function("abs", "absolute value", ("sign(a)",), "abs"),
    Function("sign", "−1, 0 or 1", ("0",), "sign"),
    Function("floor", "greatest integer below", ("0",), "floor"),
    Function("min", "the lesser of two", ("where(a <= b, 1, 0)", "where(a <= b, 0, 1)"), "minimum"),
    Function("max", "the greater of two", ("where(a >= b, 1, 0)", "where(a >= b, 0, 1)"), "maximum"),
    Function(
        "where", "b where the condition a holds, else c",
        ("0", "where(a, 1, 0)", "where(a, 0, 1)"), "where",
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
    "lap": "laplacian",
    "Laplacian": "laplacian",
    "diff": "D",
    "grad": "D",
    "div": "D",
    "d": "D",
}
