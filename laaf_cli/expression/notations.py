"""What others write for derivatives and integrals, and how it is written here."""

from __future__ import annotations

import re
from collections.abc import Sequence

from laaf_cli.expression.faults import ExpressionError, fault
from laaf_cli.expression.tree import Call, Node, Number, Symbol
from laaf_cli.multi_index import parse_suffix

_INTEGRALS = frozenset({"integral", "Integral", "integrate", "int", "quad", "trapz"})
_OF_VECTORS = frozenset({"div", "grad", "gradient", "curl", "rot", "jacobian", "hessian"})
_DIFFERENTIALS = frozenset(
    {"diff", "Diff", "d", "Derivative", "derivative", "deriv", "partial", "pd"}
    | {"grad", "gradient", "jacobian"}
)
"""Functions of what is differentiated and the coordinates along which it is."""

_POWERS = str.maketrans("²³⁴", "234")
_QUOTIENT = re.compile(
    r"(?<!\w)[d∂](?P<order>\^?[2-4]|[²³⁴])?\s*(?P<unknown>[A-Za-z]\w*)\s*/\s*"
    r"(?P<below>(?:[d∂]\s*[A-Za-z][A-Za-z0-9]*?(?:\^?[2-4]|[²³⁴])?)+)(?!\w)"
)
_SUBSCRIPT = re.compile(r"(?P<unknown>[A-Za-z][A-Za-z0-9]*)_\{(?P<along>[A-Za-z0-9]+)\}")


def check_written(text: str, place: int) -> None:
    """Raises ExpressionError where the character at `place`, which no expression has, is one of a
    derivative: `∂u/∂t`, `d^2u/dx^2`, `u_{xx}`.
    """
    for match in (*_QUOTIENT.finditer(text), *_SUBSCRIPT.finditer(text)):
        if not match.start() <= place < match.end():
            continue
        parts = match.groupdict()
        if "along" in parts:
            along = parts["along"]
        else:
            steps = re.findall(r"[d∂]\s*([A-Za-z][A-Za-z0-9]*?)\^?([2-4²³⁴]?)(?=[d∂]|$)", match[3])
            along = "".join(name * int(power.translate(_POWERS) or 1) for name, power in steps)
        raise _not_written(match[0], match.span(), f"{parts['unknown']}_{along}")


def check_notation(node: Call, unknowns: Sequence[str], coordinates: Sequence[str]) -> None:
    """Raises ExpressionError for an integral, and for `div(grad(u))`, `diff(u, x, 2)`, `dx(u)` and
    `d2u/dx2`.
    """
    name, arguments = node.function, node.arguments
    if name in _INTEGRALS:
        raise _integral(node, unknowns, coordinates)
    if name == "/":
        _check_quotient(node, unknowns, coordinates)
        return
    along: Sequence[str] = ()
    if name in _DIFFERENTIALS:
        along = _along(arguments[1:], coordinates)
    elif len(arguments) == 1 and (match := re.fullmatch("d(?:_?d)?(.+)", name)):
        along = _names(match[1], coordinates)
    if along:
        written = _derivative(arguments[0], along, unknowns, coordinates)
        raise fault(f"unknown function '{name}'", node.span, f"Write {written}.")
    match node:
        case Call(function="div", arguments=(Call(function="grad"),)):
            raise fault("unknown function 'div'", node.span, "Write laplacian(…) for div(grad(…)).")
        case Call(function=name) if name in _OF_VECTORS:
            hint = "Write the derivatives out: u_x, or D(k*u_x, x) + D(k*u_y, y)."
            raise fault(f"unknown function '{name}'", node.span, hint)


def derivative_in_name(name: str, unknowns: Sequence[str], coordinates: Sequence[str]) -> str:
    """What `du_dt` and `d2udx2` mean; empty for another name."""
    for unknown in unknowns:
        if match := re.fullmatch(f"d([2-4]?){unknown}_?(d.+)", name):
            along = _below(match[2], coordinates)
            if len(along) == int(match[1] or 1):
                return f"{unknown}_{''.join(along)}"
    return ""


def _integral(node: Call, unknowns: Sequence[str], coordinates: Sequence[str]) -> ExpressionError:
    what = f"integrals such as '{node.function}' are not supported"
    example = f"I_{coordinates[0]} = {unknowns[0]}" if unknowns and coordinates else "I_x = u"
    hint = (
        "Let an unknown of its own have the integrand as its derivative, as in "
        f"{example}, and be 0 where the integral begins."
    )
    return fault(what, node.span, hint)


def _not_written(text: str, span: tuple[int, int], written: str) -> ExpressionError:
    return fault(f"a derivative is not written '{text}'", span, f"Write {written}.")


def _check_quotient(node: Call, unknowns: Sequence[str], coordinates: Sequence[str]) -> None:
    """Raises ExpressionError for `du/dt`, `k*d2u/dx2`, `d(u)/dt` and `d/dx(u)`."""
    above, below = node.arguments
    while isinstance(above, Call) and above.function in ("*", "neg"):
        above = above.arguments[-1]
    top = above.function if isinstance(above, Call) else getattr(above, "name", "")
    operand: Node
    match above, below:
        case Symbol(name="d"), Call(function=bottom, arguments=(operand,)):
            order = 1
        case Call(arguments=(operand,)), Symbol(name=bottom) if re.fullmatch("d[2-4]?", top):
            order = int(top[1:] or 1)
        case Symbol(), _ if match := re.fullmatch("d([2-4]?)(.+)", top):
            order, operand = int(match[1] or 1), Symbol(match[2], above.span)
            bottom = _product_of_names(below)
            if operand.name not in unknowns:
                return
        case _:
            return
    along = _below(bottom, coordinates)
    if len(along) == order:
        shown = f"{top}/{bottom}" if isinstance(above, Symbol) else f"{top}(…)/{bottom}"
        written = _derivative(operand, along, unknowns, coordinates)
        raise _not_written(shown, (above.span[0], node.span[1]), written)


def _product_of_names(node: Node) -> str:
    """The names of a product and of whole powers, one after another: `dx*dt`, `dx**2`; empty for
    anything else.
    """
    match node:
        case Symbol(name=name):
            return name
        case Call(function="*", arguments=(left, right)):
            left_names, right_names = _product_of_names(left), _product_of_names(right)
            return left_names + right_names if left_names and right_names else ""
        case Call(function="**", arguments=(Symbol(name=name), Number(value=power))):
            return f"{name}{power:g}"
    return ""


def _below(text: str, coordinates: Sequence[str]) -> list[str]:
    """The coordinates below the line of a derivative: `dxdt`, `dx2`; empty where it is not a
    derivative.
    """
    names_below: list[str] = []
    names = "|".join(sorted(map(re.escape, coordinates), key=len, reverse=True))
    while text and names:
        match = re.match(f"d({names})([2-4]?)", text)
        if match is None:
            return []
        names_below += [match[1]] * int(match[2] or 1)
        text = text[match.end() :]
    return names_below


def _along(arguments: Sequence[Node], coordinates: Sequence[str]) -> list[str]:
    """The coordinates of `x, x`, `x, 2` and `x, t`; empty where something else is there."""
    names: list[str] = []
    for argument in arguments:
        match argument:
            case Symbol(name=name) if name in coordinates:
                names.append(name)
            case Number(value=times) if names and times in (1, 2, 3, 4):
                names += [names[-1]] * (int(times) - 1)
            case _:
                return []
    return names


def _names(suffix: str, coordinates: Sequence[str]) -> list[str]:
    """The coordinates that a suffix such as `xx` is made of."""
    orders = parse_suffix(suffix, coordinates) or ()
    return [name for name, times in zip(coordinates, orders, strict=False) for _ in range(times)]


def _derivative(
    operand: Node, along: Sequence[str], unknowns: Sequence[str], coordinates: Sequence[str]
) -> str:
    """The derivative of a tree as it is written here."""
    match operand:
        case Call(function=name, arguments=arguments) if _along(arguments, coordinates):
            pass  # u(x, t)
        case Symbol(name=name):
            pass
        case _:
            name = ""
    unknown, underscore, before = name.partition("_")
    if unknown in unknowns and (not underscore or _names(before, coordinates)):
        return f"{unknown}_{before}{''.join(along)}"
    return f"D(…, {', '.join(along)})"
