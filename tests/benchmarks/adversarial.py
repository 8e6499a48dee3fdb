"""Problems made so that a careless discretisation misses something, with their solutions in closed form.

For every operation of the expression table a function f with something narrow, steep, fast, kinked or broken at an
irrational place is made the solution of one problem of each kind; what it takes to solve it is worked out by laaf's own
derivatives. Further problems have it along inclined or moving lines. The values of f come from NumPy alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from laaf_cli.expression import NUMPY, Scope, evaluate, parse, resolve
from laaf_cli.problem import build
from laaf_cli.references import ReferenceRefusedError, Watch, make_reference
from laaf_cli.spec import load
from laaf_cli.spec.objects import text_of

SOUND = 10.0
"""How many times the estimate the error may be."""

SOLUTIONS: dict[str, str] = {
    "+": "x + {a}*x**2",
    "-": "{a} - x**3",
    "*": "(x - {a})*x*(1 - x)",
    "/": "{w}**2/({w}**2 + (x - {a})**2)",
    "**": "(1 + x)**(1 + 3*{a})",
    "neg": "-(x - {a})**4",
    "sin": "sin({k}*x + {a})",
    "cos": "cos(2*{k}*x)",
    "tan": "tan(1.4*{a}*x)",
    "asin": "asin({a}*x)",
    "acos": "acos({a}*x)",
    "atan": "atan((x - {a})/{w})",
    "atan2": "atan2(x - {a}, {w})",
    "sinh": "sinh({k}/3*(x - 1))/sinh({k}/3)",
    "cosh": "1/cosh((x - {a})/{w})",
    "tanh": "tanh((x - {a})/{w})",
    "asinh": "asinh((x - {a})/{w})",
    "acosh": "acosh(1.1 + ((x - {a})/{w})**2)",
    "atanh": "atanh({a}*sin({k}*x))",
    "exp": "exp(-((x - {a})/{w})**2)",
    "log": "log({w} + (x - {a})**2)",
    "log10": "log10({w} + (x - {a})**2)",
    "sqrt": "sqrt({w} + (x - {a})**2)",
    "erf": "erf((x - {a})/{w})",
    "abs": "abs(x - {b})**3",
    "sign": "sign(x - {b})*(x - {b})**2",
    "floor": "(x - {b})**2*floor(x + 1 - {b})",
    "min": "min(x - {b}, 0)**3",
    "max": "max(x - {b}, {w}*(x - {b}))*(x - {b})**2",
    "where": "where(abs(x - {a}) < {w}, ((x - {a})**2 - {w}**2)**3/{w}**6, 0)",
    "<": "where(x < {b}, (x - {b})**3, 0)",
    "<=": "where(x <= {b}, 0, (x - {b})**4)",
    ">": "where(x > {b}, sin(5*(x - {b}))**3, 0)",
    ">=": "where(x >= {b}, 1 - cos(x - {b}), 0)",
    "and": "where(x > {b}/2 and x < {b}, (9*(x - {b}/2)*(x - {b}))**3, 0)",
    "or": "where(x < {b}/2 or x > {b}, ((x - {b}/2)*(x - {b}))**2, 0)",
    "resonance": "sin(8*floor({k})*pi*x)",
    "two spikes": "exp(-((x - {a})/{w})**2) + 0.3*exp(-(3*(x - {b})/{w})**2)",
}
"""f(x) on [0, 1] for each operation, and two more."""

BOTH_ENDS, ALL_SIDES = ["x = 0", "x = 1"], ["x = 0", "x = 1", "y = 0", "y = 1"]


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """A problem, its solution u, and that as an expression in the coordinates."""

    name: str
    spec: dict[str, Any]
    solution: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a reference says of its error, and its error; or why it was refused. All are absolute; size: of the solution."""

    name: str
    estimate: float
    error: float
    size: float
    refused: str
    seconds: float

    @property
    def is_sound(self) -> bool:
        return bool(self.refused) or self.error <= SOUND * self.estimate


def problem(
    name: str, coordinates: list[str], equation: str, conditions: dict[str, Any], solution: str
) -> Adversary:
    spec = {
        "coordinates": {name: [0, 1] for name in coordinates},
        "unknowns": ["u"],
        "equations": {"e": equation},
        "conditions": {
            key: {"where": where, "equation": f"u = {value}"}
            for key, (where, value) in conditions.items()
        },
    }
    return Adversary(name=name, spec=spec, solution=solution)


def in_x(f: str, name: str) -> Iterator[Adversary]:
    """One problem of each kind that f(x) solves."""
    ends = {"b": (BOTH_ENDS, f)}
    yield problem(f"{name}, u'' - u", ["x"], f"u_xx - u = D({f}, x, x) - ({f})", ends, f)
    yield problem(
        f"{name}, u' + 2u", ["x"], f"u_x + 2*u = D({f}, x) + 2*({f})", {"b": ("x = 0", f)}, f
    )
    in_time = _in(f, "t")
    yield problem(
        f"{name}, ODE",
        ["t"],
        f"u_t + u = D({in_time}, t) + ({in_time})",
        {"b": ("t = 0", in_time)},
        in_time,
    )
    u = f"({f})*(1 + t/2)"
    start = {"b": (BOTH_ENDS, u), "s": ("t = 0", f)}
    yield problem(
        f"{name}, heat",
        ["x", "t"],
        f"u_t - 0.1*u_xx = ({f})/2 - 0.1*(1 + t/2)*D({f}, x, x)",
        start,
        u,
    )
    u = f"({f})*y"
    yield problem(
        f"{name}, Poisson", ["x", "y"], f"u_xx + u_yy = y*D({f}, x, x)", {"b": (ALL_SIDES, u)}, u
    )
    u, k = "sin(3*x)", f"(2 + tanh({f}))"
    yield problem(
        f"{name}, coefficient",
        ["x"],
        f"D({k}*u_x, x) = D({k}*3*cos(3*x), x)",
        {"b": (BOTH_ENDS, u)},
        u,
    )


def _in(f: str, coordinate: str) -> str:
    """f with another coordinate."""
    return re.sub(r"\bx\b", coordinate, f)


def elsewhere(b: float) -> Iterator[Adversary]:
    """Along inclined and moving lines, and materials that meet at b."""
    for u, name in (
        (f"max(x + y - {1.5 * b}, 0)**3", "inclined kink"),
        ("exp(-((x - 0.3)**2 + (y - 0.7)**2)/1e-3)", "peak"),
        ("exp(-(x + y - 0.93)**2/1e-6)", "inclined ridge"),
        ("max(0.1 - (x - 0.5)**2 - (y - 0.4)**2, 0)**2", "disc"),
    ):
        yield problem(
            f"{name}, Poisson",
            ["x", "y"],
            f"u_xx + u_yy = D({u}, x, x) + D({u}, y, y)",
            {"b": (ALL_SIDES, u)},
            u,
        )
    for u, name in (
        ("exp(-((x - 0.3 - t/4)/0.1)**2)", "moving pulse"),
        ("exp(-((x - 0.3 - t/4)/0.01)**2)", "narrow moving pulse"),
        ("exp(-((x - 0.3)/0.01)**2 - ((t - 0.2345)/0.01)**2)", "flash"),
        ("exp(-((x - 0.3)/0.001)**2 - ((t - 0.2345)/0.001)**2)", "short flash"),
    ):
        start = {"b": (BOTH_ENDS, u), "s": ("t = 0", u)}
        yield problem(
            f"{name}, heat", ["x", "t"], f"u_t - 0.1*u_xx = D({u}, t) - 0.1*D({u}, x, x)", start, u
        )
    line = f"x + y < {1.5 * b}"
    u = f"where({line}, x + y - {1.5 * b}, (x + y - {1.5 * b})/4)"
    k = f"where({line}, 1, 4)"
    yield problem(
        "inclined materials, Poisson",
        ["x", "y"],
        f"D({k}*u_x, x) + D({k}*u_y, y) = 0",
        {"b": (ALL_SIDES, u)},
        u,
    )
    f, k = f"where(x < {b}, 4*(x - {b}), x - {b})", f"where(x < {b}, 1, 4)"
    yield problem("materials, u''", ["x"], f"D({k}*u_x, x) = 0", {"b": (BOTH_ENDS, f)}, f)
    u = f"({f})*exp(-t)"
    start = {"b": (BOTH_ENDS, u), "s": ("t = 0", f)}
    yield problem("materials, heat", ["x", "t"], f"u_t = D({k}*u_x, x) - {u}", start, u)
    u = f"where(x < {b}, 1, 0.5)*exp(-t)"
    start = {"b": ("x = 0", "exp(-t)"), "s": ("t = 0", f"where(x < {b}, 1, 0.5)")}
    yield problem(
        "conservation law", ["x", "t"], f"u_t + D(where(x < {b}, 1, 2)*u, x) = -{u}", start, u
    )
    u = "sin(pi*x)*where(t < 0.2, exp(-0.5*pi**2*t), exp(-0.1*pi**2 - 0.1*pi**2*(t - 0.2)))"
    start = {"b": (BOTH_ENDS, "0"), "s": ("t = 0", "sin(pi*x)")}
    yield problem(
        "conductivity that jumps in time, heat",
        ["x", "t"],
        "u_t = where(t < 0.2, 0.5, 0.1)*u_xx",
        start,
        u,
    )


def adversaries(seed: int) -> Iterator[Adversary]:
    """All problems; seed: of the places, widths and frequencies."""
    random = np.random.default_rng(seed)
    for name, f in SOLUTIONS.items():
        values = {
            "a": round(random.uniform(0.15, 0.85), 5),
            "b": float(np.sqrt(random.uniform(0.05, 0.8))),
            "w": float(f"{10 ** random.uniform(-3, -1):.3g}"),
            "k": round(random.uniform(5, 60), 2),
        }
        yield from in_x(f.format(**values), name)
    yield from elsewhere(float(np.sqrt(random.uniform(0.2, 0.4))))


def judge(adversary: Adversary, seconds: float = 120.0) -> Verdict:
    """The reference of a problem against its solution at random points; seconds: that it may take."""
    began = time.perf_counter()
    spec, given = build(load(text_of(adversary.spec)))
    estimate = error = size = np.nan
    refused = ""
    try:
        reference = make_reference(given, spec.reference, Path())
        assert reference is not None
        reference.prepare(Watch(deadline=began + seconds))
        points = given.domain.from_unit(
            np.random.default_rng(1).random((3000, given.domain.dimension))
        )
        found = reference.evaluate(points)
        exact = values_of(adversary.solution, given.domain.coordinates)(points)
        estimate, size = found.error_estimates["u"], float(np.max(np.abs(exact)))
        error = float(np.max(np.abs(found.fields["u"] - exact)))
    except ReferenceRefusedError as refusal:
        refused = str(refusal)
    return Verdict(
        name=adversary.name, estimate=estimate, error=error, size=size, refused=refused,
        seconds=time.perf_counter() - began,
    )  # fmt: skip


def values_of(text: str, coordinates: tuple[str, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """An expression as a function of points [n, d]."""
    tree = resolve(parse(text), Scope(coordinates=coordinates))

    def values(points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = evaluate(tree, dict(zip(coordinates, points.T, strict=True)), {}, NUMPY)
        return np.broadcast_to(found, len(points))

    return values
