"""`transform: auto`: which conditions the derived form meets, and why others are left.

That a condition is met is shown apart from the proof in laaf: a random function takes the place of the network,
automatic differentiation that of the derivatives of the form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from conftest import Laaf

from laaf_cli.expression import (
    NUMPY,
    Backend,
    Field,
    Node,
    Scope,
    evaluate,
    fields,
    parse,
    resolve,
    write,
)
from laaf_cli.problem import Problem, build
from laaf_cli.spec import RunSpec, Text, load

TORCH = Backend(module=torch, array=lambda value: torch.tensor(value, dtype=torch.float64))


@dataclass(frozen=True)
class Case:
    """A spec, the conditions that are met, and a part of the sentence on each of the others."""

    spec: str
    met: str = ""
    left: dict[str, str] = field(default_factory=dict)


def heat(
    conditions: str, x: str = "[0, 1]", t: str = "[0, 1]", equation: str = "u_t = u_xx"
) -> str:
    return (
        f"coordinates: {{x: {x}, t: {t}}}\nunknowns: [u]\nequations: {{e: {equation}}}\n"
        f"conditions:\n{conditions}"
    )


def square(conditions: str, equation: str = "laplacian(u) = 1") -> str:
    return (
        "coordinates: {x: [-1, 2], y: [0, 0.5]}\nunknowns: [u]\n"
        f"equations: {{e: {equation}}}\nconditions:\n{conditions}"
    )


def line(conditions: str, equation: str = "u_xx = 1") -> str:
    return (
        "coordinates: {x: [1, 3]}\nunknowns: [u]\n"
        f"equations: {{e: '{equation}'}}\nconditions:\n{conditions}"
    )


START, WALLS = "  start: {where: t = 0, equation: u = sin(pi*x)}\n", "  walls: {where: boundary, equation: u = 0}\n"  # fmt: skip

CASES = {
    "a start of first order": Case(
        "coordinates: {t: [2, 12]}\nunknowns: [u]\nequations: {e: u_t = -u}\n"
        "conditions: {start: {where: t = 2, equation: u = 3}}",
        "start",
    ),
    "a start of second order": Case(
        "coordinates: {t: [0, 10]}\nunknowns: [u]\nequations: {e: u_tt = -u}\n"
        "conditions: {start: {where: t = 0, equation: [u = 1, u_t = 2]}}",
        "start",
    ),
    "an end in time": Case(
        "coordinates: {t: [0, 10]}\nunknowns: [u]\nequations: {e: u_t = -u}\n"
        "conditions: {end: {where: t = 10, equation: u = 3}}",
        "end",
    ),
    "several unknowns": Case(
        "coordinates: {t: [0, 5]}\nunknowns: [u, v, w]\n"
        "equations: {a: u_t = v*w, b: v_t = -u*w, c: w_t = u}\n"
        "conditions: {start: {where: t = 0, equation: [u = 1, 2*v = 3, w - 1 = 0]}}",
        "start",
    ),
    "two walls on a line": Case(line("  ends: {where: [x = 1, x = 3], equation: u = exp(-x)}"), "ends"),
    "a wall and a slope": Case(
        line("  wall: {where: x = 1, equation: u = 2}\n  slope: {where: x = 3, equation: u_n = 1}"),
        "wall",
        {"slope": "it gives 'u_x' at x = 3, and nothing gives 'u' there"},
    ),
    "a start in space": Case(line("  start: {where: x = 1, equation: [u = 2, u_x = -1]}"), "start"),
    "a clamped beam": Case(
        line("  ends: {where: boundary, equation: [u = 0, u_n = 0]}", "u_xxxx = 1"), "ends"
    ),
    "a beam that is bent at its ends": Case(
        line(
            "  one: {where: x = 1, equation: [u = 2, u_x = 1]}\n"
            "  other: {where: x = 3, equation: [u = -1, u_x = 3]}",
            "u_xxxx = 1",
        ),
        "one other",
    ),
    "a clamped and a hinged end": Case(
        line(
            "  clamp: {where: x = 1, equation: [u = 1, u_x = 2]}\n"
            "  hinge: {where: x = 3, equation: [u = 3, u_xx = 0]}",
            "u_xxxx = 1",
        ),
        "clamp",
        {"hinge": "it gives 'u_xx' at x = 3, and nothing gives 'u_x' there"},
    ),
    "a condition inside": Case(
        line("  mid: {at: {x: 2}, equation: u = 0}\n  wall: {where: x = 1, equation: u = 1}"),
        "wall",
        {"mid": "its place is not a whole face of the domain"},
    ),
    "a place that is a face": Case(
        line("  a: {at: {x: 1}, equation: u = 0}\n  b: {at: {x: 3}, equation: u = 1}"), "a b"
    ),
    "an integral": Case(
        line("  mass: {integral: u, equals: 1}\n  wall: {where: x = 1, equation: u = 1}"),
        "wall",
        {"mass": "its place is not a whole face of the domain"},
    ),
    "what is not linear": Case(
        line(
            "  a: {where: x = 1, equation: u**2 = 4}\n  b: {where: x = 3, equation: sign(u)*u = 1}"
        ),
        "",
        {"a": "it is not linear in 'u'", "b": "it is not linear in 'u'"},
    ),
    "a Robin condition": Case(
        line("  a: {where: x = 1, equation: u = 1}\n  b: {where: x = 3, equation: u_x + 2*u = 1}"),
        "a",
        {"b": "it ties u to derivatives of it"},
    ),
    "what is learned": Case(
        line(
            "  a: {where: x = 1, equation: u = k}\n  b: {where: x = 3, equation: u = 1}\n"
            "  c: {where: x = 3, equation: u_x = 1}\nlearn: {k: {start: 1}}"
        ),
        "b c",
        {"a": "it contains 'k', which is learned"},
    ),
    "what couples unknowns": Case(
        "coordinates: {x: [0, 1]}\nunknowns: [u, v]\nequations: {e: u_x = v, f: v_x = u}\n"
        "conditions:\n  a: {where: x = 0, equation: u = 1}\n  b: {where: x = 1, equation: u + v = 1}",
        "a",
        {"b": "it couples u, v"},
    ),
    "heat": Case(heat(START + WALLS), "start walls"),
    "heat elsewhere": Case(
        heat(
            "  start: {where: t = 5, equation: u = 1 + x}\n  one: {where: x = -3, equation: u = t - 7}\n"
            "  other: {where: x = 7, equation: u = 8*exp(5 - t)}",
            "[-3, 7]",
            "[5, 900]",
        ),
        "start one other",
    ),
    "a start that does not fit": Case(
        heat("  start: {where: t = 0, equation: u = cos(pi*x)}\n" + WALLS),
        "walls",
        {"start": "it disagrees with 'walls' where they meet"},
    ),
    "a start that jumps at the wall": Case(
        heat('  start: {where: t = 0, equation: "u = where(x > 0, 1 - x, 0)"}\n' + WALLS),
        "walls",
        {"start": "it disagrees with 'walls' where they meet"},
    ),
    "a start with a kink": Case(
        heat("  start: {where: t = 0, equation: u = 1 - abs(2*x - 1)}\n" + WALLS),
        "walls",
        {"start": "its values or their slopes jump"},
    ),
    "a start with a steep end": Case(
        heat("  start: {where: t = 0, equation: u = sqrt(x)*(1 - x)}\n" + WALLS),
        "walls",
        {"start": "its values or their slopes are not finite everywhere"},
    ),
    "a part of a face": Case(
        square(
            "  part: {where: y = 0, only: x > 0, equation: u = 1}\n"
            "  sides: {where: [x = -1, x = 2], equation: u = 0}"
        ),
        "sides",
        {"part": "its place is not a whole face of the domain"},
    ),
    "a square": Case(square("  edge: {where: boundary, equation: u = x*exp(y)}"), "edge"),
    "a lid": Case(
        square(
            "  walls: {where: [x = -1, x = 2, y = 0], equation: u = 0}\n"
            "  lid: {where: y = 0.5, equation: u = 1}"
        ),
        "walls",
        {"lid": "it disagrees with 'walls' where they meet"},
    ),
    "three walls and a flux": Case(
        square(
            "  walls: {where: [x = -1, x = 2, y = 0], equation: u = y*(x + 1)}\n"
            "  flux: {where: y = 0.5, equation: u_n = 1}"
        ),
        "walls",
        {"flux": "it gives 'u_y' at y = 0.5, and nothing gives 'u' there"},
    ),
    "a plate": Case(
        square("  edge: {where: boundary, equation: [u = 0, u_n = 0]}", "u_xxxx + u_yyyy = 1"), "edge"
    ),
    "a bent plate": Case(
        square(
            "  sides: {where: [x = -1, x = 2], equation: [u = y**3, u_n = y]}\n"
            "  floor: {where: y = 0, equation: [u = 0, u_y = (x - 2)*(x + 1)/3]}\n"
            "  roof: {where: y = 0.5, equation: [u = 1/8 + (x - 2)*(x + 1)/6]}\n",
            "u_xxxx + u_yyyy = 1",
        ),
        "sides floor roof",
    ),
    "a wave": Case(
        heat(
            "  start: {where: t = 1, equation: [u = x*(2 - x), u_t = sin(pi*x)*3]}\n" + WALLS,
            "[0, 2]",
            "[1, 4]",
            "u_tt = u_xx",
        ),
        "start walls",
    ),
    "a wave that is driven": Case(
        heat(
            "  start: {where: t = 0, equation: [u = 0, u_t = 1 - x]}\n"
            "  driven: {where: x = 0, equation: u = sin(t)}\n  wall: {where: x = 1, equation: u = 0}",
            equation="u_tt = u_xx",
        ),
        "start driven wall",
    ),
    "a wave whose rate does not fit": Case(
        heat(
            "  start: {where: t = 0, equation: u = 0}\n  rate: {where: t = 0, equation: u_t = 1}\n"
            + WALLS,
            equation="u_tt = u_xx",
        ),
        "start walls",
        {"rate": "it disagrees with 'walls' where they meet"},
    ),
    "a clamped beam that swings": Case(
        heat(
            "  start: {where: t = 0, equation: [u = x**2*(1 - x)**2, u_t = 0]}\n"
            "  ends: {where: boundary, equation: [u = 0, u_n = 0]}",
            equation="u_tt + u_xxxx = 0",
        ),
        "start ends",
    ),
    "a swinging beam that does not fit its clamps": Case(
        heat(
            "  start: {where: t = 0, equation: [u = x*(1 - x), u_t = 0]}\n"
            "  ends: {where: boundary, equation: [u = 0, u_n = 0]}",
            equation="u_tt + u_xxxx = 0",
        ),
        "ends",
        {"start": "it disagrees with 'ends' where they meet"},
    ),
    "a ring": Case(heat(START + "  ring: {periodic: x}", "[0, 2]"), "start ring"),
    "a ring in three dimensions": Case(
        "coordinates: {x: [-1, 1], y: [0, 3], t: [0, 2]}\nunknowns: [u]\n"
        "equations: {e: u_t = laplacian(u) + sin(pi*x)}\nconditions:\n"
        "  start: {where: t = 0, equation: u = cos(pi*x)*y*(3 - y)}\n"
        "  sides: {where: [y = 0, y = 3], equation: u = t*sin(pi*x)}\n  ring: {periodic: x}",
        "start sides ring",
    ),
    "a ring of values alone": Case(
        heat(START + "  ring: {periodic: x, equation: u}", "[0, 2]"),
        "start",
        {"ring": "periodic inputs would hold 'u_x' as well"},
    ),
    "a ring with another coefficient at its seam": Case(
        heat(START + "  ring: {periodic: x}", "[0, 2]", equation="u_t = (1 + x)*u_xx"),
        "start",
        {"ring": "'e' is not periodic in 'x'"},
    ),
    "a start that is not periodic": Case(
        heat("  start: {where: t = 0, equation: u = x}\n  ring: {periodic: x}"),
        "ring",
        {"start": "its values or their slopes are not periodic in 'x'"},
    ),
    "a value at the seam of a circle": Case(
        heat(START + "  seam: {at: {x: 0}, equation: u = 0}", "[0, 2]") + "\nperiodic: {x: true}",
        "start",
        {"seam": "its place is not a whole face of the domain"},
    ),
    "what no function meets": Case(
        line("  a: {where: x = 1, equation: u = 1}\n  b: {at: {x: 1}, equation: u = 2}"),
        "",
        {"a": "it contradicts 'b'", "b": "it is more than a transform can hold"},
    ),
    "a division by nothing": Case(
        line("  a: {where: x = 1, equation: u/u_x = 1}\n  b: {where: x = 3, equation: 1/u = 1}"),
        "",
        {"a": "it ties u to derivatives of it", "b": "division by zero"},
    ),
    "two materials": Case(
        line("  ends: {where: boundary, equation: u = x}", "D(where(x < 2, 1, 5)*u_x, x) = -1"), "ends"
    ),
    "a box": Case(
        "coordinates: {x: [0, 1], y: [0, 2], z: [-1, 1], t: [0, 0.1]}\nunknowns: [u]\n"
        "equations: {e: u_t = laplacian(u)}\nconditions:\n"
        "  start: {where: t = 0, equation: u = sin(pi*x)*sin(pi*y)*(1 - z**2)}\n" + WALLS,
        "start walls",
    ),
    "a box with values": Case(
        "coordinates: {x: [0, 1], y: [0, 2], z: [-1, 1]}\nunknowns: [u]\n"
        "equations: {e: laplacian(u) = 0}\nconditions:\n"
        "  walls: {where: boundary, equation: u = x*y*z}",
        "walls",
    ),
    "a flow": Case(
        "coordinates: {x: [0, 1], y: [0, 1]}\nunknowns: [u, v, p]\nequations:\n"
        "  a: u*u_x + v*u_y + p_x = laplacian(u)\n  b: u*v_x + v*v_y + p_y = laplacian(v)\n"
        "  c: u_x + v_y = 0\nconditions:\n"
        "  lid: {where: y = 1, equation: [u = 16*x**2*(1 - x)**2, v = 0]}\n"
        "  walls: {where: [x = 0, x = 1, y = 0], equation: [u = 0, v = 0]}\n"
        "  pressure: {at: {x: 0, y: 0}, equation: p = 0}",
        "lid walls",
        {"pressure": "its place is not a whole face of the domain"},
    ),
}  # fmt: skip


def built(text: str, more: str = "\ntransform: auto\n") -> tuple[RunSpec, Problem]:
    return build(load(Text("spec.yaml", text + more)))


def random_network(problem: Problem, seed: int) -> torch.nn.Module:
    """A small network with the inputs of the problem, periodic ones as sines and cosines."""
    torch.manual_seed(seed)
    ansatz, domain = problem.ansatz, problem.domain
    low, high = torch.tensor(domain.lower), torch.tensor(domain.upper)

    class Inputs(torch.nn.Module):
        def forward(self, points: torch.Tensor) -> torch.Tensor:
            columns = []
            for axis, column in enumerate(((points - low) / (high - low)).T):
                if axis in ansatz.harmonics:
                    columns += [torch.sin(2 * torch.pi * column), torch.cos(2 * torch.pi * column)]
                else:
                    columns.append(column)
            return torch.stack(columns, 1)

    n_inputs = domain.dimension + len(ansatz.harmonics)
    n_outputs = len(ansatz.outputs)
    layers = [torch.nn.Linear(n_inputs, 9), torch.nn.Tanh(), torch.nn.Linear(9, n_outputs)]
    return torch.nn.Sequential(Inputs(), *layers).double()


def residual(
    problem: Problem, tree: Node, points: np.ndarray, extra: dict, seed: int
) -> np.ndarray:
    """The values of a residual for a random network, by automatic differentiation."""
    torch.set_default_dtype(torch.float64)
    columns = [torch.tensor(column, requires_grad=True) for column in points.T]
    outputs = random_network(problem, seed)(torch.stack(columns, 1)).T
    at_rest = (0,) * problem.domain.dimension
    known = {
        Field(name, at_rest): values
        for name, values in zip(problem.ansatz.outputs, outputs, strict=True)
    }
    names = dict(zip(problem.domain.coordinates, columns, strict=True))

    def value(wanted: Field) -> torch.Tensor:
        form = problem.ansatz.trees.get(wanted.unknown, Field(wanted.unknown, at_rest))
        found = evaluate(form, names, known, TORCH) + 0 * sum(columns)
        for column, order in zip(columns, wanted.orders, strict=True):
            for _ in range(order):
                (found,) = torch.autograd.grad(found.sum(), column, create_graph=True)
        return found

    values = {each: value(each).detach().numpy() for each in fields(tree)}
    plain = dict(zip(problem.domain.coordinates, points.T, strict=True)) | extra
    return np.broadcast_to(evaluate(tree, plain, values, NUMPY), len(points))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_conditions_that_a_derived_form_meets(case: Case) -> None:
    spec, problem = built(case.spec)
    assert problem.left is not None
    assert sorted(problem.satisfied_by_ansatz) == sorted(case.met.split())
    assert problem.left.keys() == case.left.keys()
    for name, sentence in case.left.items():
        assert sentence in problem.left[name], name
    for term in problem.terms:
        if term.name not in problem.satisfied_by_ansatz:
            continue
        given = term.region.draw(problem.domain, np.random.default_rng(3))
        for seed, tree in enumerate(term.residuals):
            values = residual(problem, tree, given.points, dict(given.symbols), seed)
            if given.combination is not None:
                values = values.reshape(-1, len(given.combination)) @ given.combination
            assert np.max(np.abs(values)) < 1e-9
    # What was derived is a transform like any other.
    text = spec.model_dump_json(exclude_unset=True)
    again, same = build(load(Text("spec.yaml", text)))
    assert again.transform == spec.transform
    assert (same.satisfied_by_ansatz, same.left) == (problem.satisfied_by_ansatz, None)


UNITS = {
    "walls": "a: {where: boundary, equation: u = 0}",
    "a start": "a: {where: t = T0, equation: u = 0}",
    "a start of second order": "a: {where: t = T0, equation: [u = 0, u_t = 0]}",
    "a start and a clamp": "a: {where: t = T0, equation: u = 0}, b: {where: x = X0, equation: [u = 0, u_x = 0]}",
    "a start and clamps": "a: {where: t = T0, equation: u = 0}, b: {where: boundary, equation: [u = 0, u_x = 0]}",
}


@pytest.mark.parametrize(("unit", "shift"), [(1e-9, 0.0), (1e6, -3e6), (0.3, 40.0)])
@pytest.mark.parametrize("conditions", UNITS.values(), ids=UNITS)
def test_factors_are_the_same_in_other_units(conditions: str, unit: float, shift: float) -> None:
    """What multiplies the network is of order one, and at the same places of the box the same."""
    places = np.random.default_rng(0).random((500, 2))
    factors = []
    for length, origin in ((1.0, 0.0), (unit, shift)):
        bounds = [repr(origin + length * share) for share in (-1, 1, 0, 5)]
        held = conditions.replace("X0", bounds[0]).replace("T0", bounds[2])
        _, problem = built(
            f"coordinates: {{x: [{bounds[0]}, {bounds[1]}], t: [{bounds[2]}, {bounds[3]}]}}\n"
            f"unknowns: [u]\nequations: {{e: u_tt + u_xxxx = 0}}\nconditions: {{{held}, z: {{integral: u}}}}"
        )
        names = problem.domain.coordinates
        columns = dict(zip(names, problem.domain.from_unit(places).T, strict=True))
        output = Field("net", (0, 0))
        one, zero = (
            evaluate(problem.ansatz.trees["u"], columns, {output: value}, NUMPY)
            for value in (1.0, 0.0)
        )
        factors.append(one - zero)
    np.testing.assert_allclose(factors[1], factors[0], rtol=1e-6, atol=1e-12)
    assert 0.8 < np.max(factors[0]) < 1.3


def test_a_periodic_condition_beside_periodic_inputs() -> None:
    """It stays in the spec, its coordinate keeps its faces, and it is found to be met."""
    spec = heat(START + "  ring: {periodic: x}", "[0, 2]") + "\nperiodic: {x: 3}"
    _, problem = built(spec, "")
    assert (
        problem.satisfied_by_ansatz,
        problem.domain.periodic,
        dict(problem.ansatz.harmonics),
    ) == ({"ring"}, (), {0: 3})
    found, derived = built(spec)
    assert (derived.satisfied_by_ansatz, found.periodic) == ({"start", "ring"}, {"x": 3})


def test_an_expression_that_grows_too_long_is_left() -> None:
    one, other = ("+".join(f"{of}({k}*y)" for k in range(1, 110)) for of in ("sin", "cos"))
    _, problem = built(
        square(
            f"  one: {{where: x = -1, equation: 'u = {one}'}}\n"
            f"  other: {{where: x = 2, equation: 'u = {other}'}}",
            "u_xx = 1",
        )
    )
    assert problem.left == {"other": "the expression would be too long"}
    assert problem.satisfied_by_ansatz == {"one"}


def test_what_check_tells(laaf: Laaf) -> None:
    """The derived form as it is written in a spec, and a sentence for what it leaves."""
    told = laaf("check", "beam", "--set", "transform=auto")
    assert (told.code, told.err) == (0, "")
    line = next(line for line in told.out.splitlines() if line.startswith("transform  "))
    text = line.removeprefix("transform").strip()
    assert text == "{u: sin(pi*x) + 4*x*(1 - x)*t**2*net}"
    why = "left to training: it gives 'u_xx' at x = 0, and nothing gives 'u_x' there"
    assert next(line for line in told.out.splitlines() if why in line).startswith("hinges")
    copied = laaf("check", "beam", "--set", f"transform={text}")
    assert copied.out.split("problem")[0].strip() in told.out


def test_the_run_file_holds_what_was_derived(laaf: Laaf, tmp_path: Path) -> None:
    run = tmp_path / "run.h5"
    quick = ["--set", "network.hidden=[4]", "--iterations", "3", "-q"]
    first = laaf("solve", "heat", "--set", "transform=auto", *quick, "-o", run)
    assert first.code == 0
    with h5py.File(run) as file:
        settings = json.loads(file["spec/settings"][()])
    assert settings["transform"] == {"u": "sin(pi*x) + 4*x*(1 - x)*t*net"}
    again = laaf("show", run)
    assert "sin(pi*x) + 4*x*(1 - x)*t*net" in again.out


WRITTEN = (
    "a*b/c", "a/(b*c)", "a - (b - c)", "a - b - c", "-(a + b)", "-a**2", "(-a)**2", "a**(-b)", "a**b**c", "(a**b)**c",
    "2*pi*a", "a*(2*pi)", "-pi*a", "a*(-3)", "a - (-b)", "1e-7*a + 1e30", "where(a < b and (b < c or c >= 1), a, -b)",
    "min(a, b)*max(b, 2)", "sin(a)**2/(1 + exp(-b))", "a/b/c", "a*(b/c)", "-(-a)", "0.1*a",
)  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_a_tree_is_written_as_it_is_read(text: str) -> None:
    names = ("a", "b", "c")
    scope = Scope(coordinates=names)
    tree = resolve(parse(text), scope)
    again = resolve(parse(write(tree, names)), scope)
    values = dict(zip(names, np.random.default_rng(0).uniform(0.3, 1.8, (3, 50)), strict=True))
    np.testing.assert_allclose(
        evaluate(again, values, {}, NUMPY), evaluate(tree, values, {}, NUMPY), rtol=1e-15
    )
