"""The expression language: text → tree → derivatives → values, without ever executing the text."""

from laaf_cli.expression.analyse import (
    addends,
    fields,
    functions,
    hoist,
    interpolants,
    nodes,
    symbols,
)
from laaf_cli.expression.differentiate import differentiate, partial
from laaf_cli.expression.discontinuities import SAME, branch_breaks, switches, turns
from laaf_cli.expression.faults import ExpressionError, ExpressionFault, TooLargeError
from laaf_cli.expression.interpolant import FIELD, Interpolant, interpolant
from laaf_cli.expression.interpret import NUMPY, Backend, evaluate
from laaf_cli.expression.linear import linear_coefficients, solved_for, without
from laaf_cli.expression.mathml import mathml
from laaf_cli.expression.parse import parse, parse_comparison, parse_equation, parse_shape, sides
from laaf_cli.expression.resolve import Scope, resolve
from laaf_cli.expression.rounding import rounding_bound
from laaf_cli.expression.simplify import bounded, call
from laaf_cli.expression.substitute import substitute
from laaf_cli.expression.tree import Call, Field, Node, Number, Symbol
from laaf_cli.expression.write import write
