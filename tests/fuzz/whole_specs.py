"""Specs by grammar: every part of the right form, of any equations and conditions, with sizes from tiny to huge.

Most names fit, so that many of the specs have a plan. Everything is drawn from a `random.Random`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from laaf_cli.expression.functions import FUNCTIONS

ONE = tuple(name for name, row in FUNCTIONS.items() if row.n_arguments == 1)
TWO = tuple(name for name, row in FUNCTIONS.items() if row.n_arguments == 2)
COMPARISONS = ("<", "<=", ">", ">=")

NUMBERS = ("0", "1", "2", "0.5", "3", "10", "0.01", "-1", "-2")
EXTREME = (
    "1e-300",
    "1e300",
    "1e-30",
    "1e30",
    "1e-12",
    "1e12",
    "1e-320",
    "1.7e308",
    "-1e308",
    "100",
    "99.5",
    "1e-5",
)
BOUNDS = (("0", "1"), ("-1", "1"), ("0", "2*pi"), ("-1", "2"), ("0", "0.5"))
EXTREME_BOUNDS = (
    *(
        ("0", "1e-300"),
        ("0", "1e-30"),
        ("0", "1e-20"),
        ("-1e-9", "1e-9"),
        ("0", "1e-5"),
        ("0", "1e5"),
        ("0", "1e12"),
    ),
    *(
        ("0", "1e30"),
        ("-1e308", "1e308"),
        ("1e9", "1e9 + 1"),
        ("1", "1 + 1e-9"),
        ("-1e20", "-1e19"),
        ("1", "0"),
    ),
)
EXPONENTS = ("2", "3", "-1", "0.5", "-0.5", "1/3", "100", "-100", "0", "1e-9")
OPTIMIZERS = ("adam", "lbfgs", "ssbroyden", "levenberg-marquardt", "least-squares")
SAMPLERS = ("latin-hypercube", "sobol", "halton", "uniform", "grid")


@dataclass(frozen=True, kw_only=True)
class Names:
    """What may stand in an expression."""

    coordinates: tuple[str, ...]
    unknowns: tuple[str, ...]
    constants: tuple[str, ...] = ()

    def of_points(self) -> Names:
        """Without unknowns."""
        return Names(coordinates=self.coordinates, unknowns=(), constants=self.constants)


def quoted(text: str) -> str:
    return json.dumps(text)


def number(random: Random) -> str:
    return random.choice(EXTREME if random.random() < 0.15 else NUMBERS)


def atom(random: Random, names: Names) -> str:
    kind = random.random()
    if names.unknowns and kind < 0.5:
        unknown = random.choice(names.unknowns)
        order = random.choices((0, 1, 2, 3, 4), (6, 3, 2, 0.3, 0.2))[0]
        along = "".join(random.choices(names.coordinates, k=order))
        return f"{unknown}_{along}" if order else unknown
    if kind < 0.75:
        return random.choice((*names.coordinates, *names.constants))
    return number(random) if kind < 0.95 else random.choice(("pi", "e"))


def tree(random: Random, names: Names, size: int) -> str:
    """An expression of about `size` operations, of all kinds that there are."""
    if size < 1:
        return atom(random, names)
    part = random.randrange(size)

    def inner() -> str:
        return tree(random, names, part)

    def rest() -> str:
        return tree(random, names, size - 1 - part)

    along = random.choice(names.coordinates)
    match random.choices(range(8), (9, 5, 2, 2, 1, 3, 2, 1))[0]:
        case 0:
            return f"({inner()} {random.choice('+-*/')} {rest()})"
        case 1:
            return f"{random.choice(ONE)}({tree(random, names, size - 1)})"
        case 2:
            return f"{random.choice(TWO)}({inner()}, {rest()})"
        case 3:
            return f"D({tree(random, names, size - 1)}, {along}{random.choice(('', f', {along}'))})"
        case 4:
            return f"laplacian({tree(random, names, size - 1)})"
        case 5:
            exponent = random.choice(EXPONENTS) if random.random() < 0.8 else rest()
            return f"({inner()})**({exponent})"
        case 6:
            joint = f" {random.choice(('and', 'or'))} {along} > {number(random)}" * (
                random.random() < 0.2
            )
            return f"where({atom(random, names)} {random.choice(COMPARISONS)} {inner()}{joint}, {rest()}, {number(random)})"
    return f"-{tree(random, names, size - 1)}"


def some_tree(random: Random, names: Names, mean: float = 1.0) -> str:
    return tree(random, names, min(int(random.lognormvariate(mean, 0.9)) - 1, 60))


def equation(random: Random, names: Names, unknown: str) -> str:
    """An evolution or a stationary law with any right-hand side, or an equation of any two sides."""
    space = [name for name in names.coordinates if name != "t"]
    leading = [f"{unknown}_{x}{x}" for x in space] + [f"laplacian({unknown})"] * bool(space)
    right = some_tree(random, names, 0.7)
    kind = random.random()
    if kind < 0.6 and "t" in names.coordinates:
        order = random.choice(("t", "t", "t", "tt"))
        diffusion = (
            f" + {number(random)}*{random.choice(leading)}"
            if leading and random.random() < 0.7
            else ""
        )
        return f"{unknown}_{order} = {right}{diffusion}"
    if kind < 0.85 and leading:
        return f"{random.choice(leading)} = {right}"
    return f"{some_tree(random, names)} = {right}"


def faces(random: Random, bounds: dict[str, tuple[str, str]]) -> str:
    """Faces as `where` names them."""
    name = random.choice(list(bounds))
    ends = [f"{name} = {bound}" for bound in bounds[name]]
    return random.choice((quoted("boundary"), quoted(random.choice(ends)), json.dumps(ends)))


def law(random: Random, names: Names, unknown: str) -> str:
    """The equation of a condition."""
    left = random.choices(
        (
            unknown,
            f"{unknown}_n",
            f"{unknown}_{random.choice(names.coordinates)}",
            some_tree(random, names),
        ),
        (6, 1, 1, 1),
    )[0]
    return quoted(
        f"{left} = {some_tree(random, names if random.random() < 0.2 else names.of_points(), 0.3)}"
    )


def condition(random: Random, names: Names, bounds: dict[str, tuple[str, str]]) -> str:
    """A condition of any kind but that of files."""
    unknown, name = random.choice(names.unknowns), random.choice(names.coordinates)
    what = f"equation: {law(random, names, unknown)}"
    match random.choices(range(5), (4, 1, 2, 2, 2))[0]:
        case 0:
            keys = [f"where: {faces(random, bounds)}", what]
        case 1:
            chosen = f"{name} {random.choice(COMPARISONS)} {number(random)}"
            keys = [f"where: {faces(random, bounds)}", f"only: {quoted(chosen)}", what]
        case 2:
            keys = [
                f"at: {{{name}: {quoted(random.choice((*bounds[name], number(random))))}}}",
                what,
            ]
        case 3:
            keys = [f"periodic: {name}"]
            if random.random() < 0.3:
                keys.append(f"equation: {quoted(some_tree(random, names, 0.5))}")
        case _:
            keys = [f"integral: {quoted(some_tree(random, names, 0.5))}", f"over: [{name}]"]
            if random.random() < 0.6:
                keys.append(f"equals: {quoted(some_tree(random, names.of_points(), 0.3))}")
    keys.append(f"points: {random.choice((1, 5, 20))}")
    if random.random() < 0.2:
        keys.append(f"weight: {random.choice(('0', '1', '1e30', '1e-30', '100'))}")
    return f"{{{', '.join(keys)}}}"


def expected_conditions(
    random: Random, names: Names, bounds: dict[str, tuple[str, str]]
) -> list[str]:
    """What an evolution or a boundary value problem is given."""
    found = []
    places = [quoted(f"t = {bounds['t'][0]}")] if "t" in bounds else []
    places += [quoted("boundary")] if len(bounds) > len(places) else []
    for unknown in names.unknowns:
        found += [
            f"{{where: {place}, equation: {law(random, names, unknown)}, points: 10}}"
            for place in places
        ]
    return found


def reference(random: Random, names: Names) -> str:
    exact = ", ".join(
        f"{unknown}: {quoted(some_tree(random, names.of_points()))}" for unknown in names.unknowns
    )
    return random.choices(
        ("", "auto", "spectral", "none", "hopf-cole", f"{{exact: {{{exact}}}}}"), (8, 2, 2, 2, 1, 3)
    )[0]


def training(random: Random) -> str:
    """Three iterations of one optimizer or another."""
    optimizer = random.choices(OPTIMIZERS, (4, 1, 1, 1, 2))[0]
    rate = (
        f", learning_rate: {random.choice(('1e-3', '1e-30', '1e30'))}"
        if optimizer == "adam"
        else ""
    )
    return f"[{{optimizer: {optimizer}, iterations: 3{rate if random.random() < 0.3 else ''}}}]"


def whole_spec(random: Random) -> str:
    """A spec of one to three coordinates and unknowns that trains for three iterations."""
    n = random.choices((1, 2, 3), (2, 4, 1))[0]
    coordinates = tuple(random.sample(("x", "y", "z"), n))
    if random.random() < 0.6:
        coordinates = (*coordinates[:-1], "t")
    bounds = {
        name: random.choice(EXTREME_BOUNDS if random.random() < 0.12 else BOUNDS)
        for name in coordinates
    }
    unknowns = ("u", "v", "w")[: random.choices((1, 2, 3), (6, 2, 1))[0]]
    constants = ("k", "c")[: random.choices((0, 1, 2), (3, 2, 1))[0]]
    names = Names(coordinates=coordinates, unknowns=unknowns, constants=constants)
    lines = [
        f"coordinates: {{{', '.join(f'{x}: [{a}, {b}]' for x, (a, b) in bounds.items())}}}",
        f"unknowns: [{', '.join(unknowns)}]",
    ]
    is_learned = bool(constants) and random.random() < 0.2
    fixed = constants[1:] if is_learned else constants
    if fixed:
        lines.append(f"constants: {{{', '.join(f'{name}: {number(random)}' for name in fixed)}}}")
    if is_learned:
        more = random.choice(
            (
                "",
                ", truth: 0.5",
                ", bounds: [0, 2], truth: 0.5",
                ", positive: true",
                ", bounds: [-1e300, 1e300]",
            )
        )
        lines.append(
            f"learn: {{{constants[0]}: {{start: {random.choice(('1', '1', number(random)))}{more}}}}}"
        )
    equations = [
        f"e{i}: {quoted(equation(random, names, unknown))}" for i, unknown in enumerate(unknowns)
    ]
    lines.append(f"equations: {{{', '.join(equations)}}}")
    held = expected_conditions(random, names, bounds) if random.random() < 0.8 else []
    held += [
        condition(random, names, bounds) for _ in range(random.choices((0, 1, 2), (4, 2, 1))[0])
    ]
    if held:
        lines.append(f"conditions: {{{', '.join(f'c{i}: {each}' for i, each in enumerate(held))}}}")
    if is_learned or random.random() < 0.15:
        target = f"target: {{{unknowns[0]}: {quoted(some_tree(random, names.of_points()))}}}"
        noise = f", noise: {random.choice(('0.1', '1e300'))}" if random.random() < 0.3 else ""
        lines.append(
            f"data: {{{random.choice((target, target, 'reference: true'))}, points: {random.choice((1, 9))}{noise}}}"
        )
    if random.random() < 0.1:
        lines.append(f"periodic: {{{random.choice(coordinates)}: {random.choice(('true', '3'))}}}")
    if (share := random.random()) < 0.1:
        net = "net" if len(unknowns) == 1 else "net_u"
        form = Names(coordinates=coordinates, unknowns=(), constants=fixed)
        lines.append(
            f"transform: {{u: {quoted(f'{some_tree(random, form, 0.5)} + {some_tree(random, form, 0.5)}*{net}')}}}"
        )
    elif share < 0.25:
        lines.append("transform: auto")
    if how := reference(random, names):
        lines.append(f"reference: {how}")
    lines += [
        f"points: {{interior: {random.choice((1, 20, 50))}, validation: 10, sampler: {random.choice(SAMPLERS)}}}",
        f"network: {{hidden: [{random.choice(('3', '4, 4'))}], activation: {random.choices(('tanh', 'sin', 'sigmoid'), (4, 1, 1))[0]}}}",
        f"slopes: {{kind: {random.choice(('fixed', 'gaaf', 'llaaf', 'nlaaf'))}, n: {random.choice(('1', '10', '1e30'))}}}",
        f"training: {training(random)}",
        f"evaluation: {{grid: {{{', '.join(f'{name}: 5' for name in coordinates)}}}}}",
        f"dtype: {random.choice(('float32', 'float64'))}",
    ]
    return "\n".join(lines) + "\n"
