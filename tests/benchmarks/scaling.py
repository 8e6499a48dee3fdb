"""How time and memory of one loss and gradient grow with points and width, and how much of the machine is used.

Burgers' equation with 1e3 to 1e6 points, widths 20 to 256. For each case the engines take turns with a
product of two matrices of 1024² (`torch.mm`, same precision and threads), whose rate is what the machine gives.

Arithmetic of a step, in flop: 2 × 3 × Σ_groups streams × points × Σ_layers fan_in·fan_out. A stream is the value or one of
the derivatives that are carried along: u, u_x, u_t, u_xx at points of the equation, u at points of conditions. 2: a
multiplication and an addition; 3: one product forward, two backward. Activations and their derivatives are not counted.
The kernel does 4 products, for it computes its forward pass again on the way back, but with fewer streams, for it carries
u_t − ν u_xx as one. GFLOP/s are told by the first count, the work that a step needs when done plainly, and in brackets by
the second, the work that the kernel does.

Memory: the largest resident set of a process of its own (VmHWM of Linux) in which one step is taken, less what was
resident when torch and laaf were imported and the plan was made. Points, weights and the loss count.

    python tests/benchmarks/scaling.py
    python tests/benchmarks/scaling.py --lines points --points 1000000 --engines taylor --dtype float64
    python tests/benchmarks/scaling.py --max-seconds 300
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from contestants import racing_engines
from findings import Findings, Table, make_parser, milliseconds, tell
from turns import race, timed

from laaf_cli.derivatives import FusedEngine, TaylorEngine
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.train import prepare_torch
from laaf_cli.spec import Override, bundled

SIDE = 1024
"""Of the matrices whose product is the measure."""

POINTS = (1_000, 10_000, 100_000, 1_000_000)
WIDTHS = (20, 50, 100, 256)

KEPT = {"taylor": 20, "nested": 30}
"""Numbers that an engine holds per point and neuron at most, rounded up; any other holds none."""


@dataclass(frozen=True)
class Case:
    """A network `depth` × `width` at `n_points` points of the equation."""

    n_points: int
    width: int
    depth: int
    dtype: str

    def plan(self) -> Plan:
        assignments = [
            f"dtype={self.dtype}",
            "device=cpu",
            "slopes.kind=fixed",
            f"points.interior={self.n_points}",
            f"network.hidden={[self.width] * self.depth}",
        ]
        return make_plan(
            bundled.find("paper/burgers"), [Override.from_assignment(text) for text in assignments]
        )

    def needs_bytes(self, engine: str) -> float:
        """A rough estimate of what a step needs, to leave out what does not fit."""
        size = 4 if self.dtype == "float32" else 8
        return float(KEPT.get(engine, 0)) * self.n_points * self.width * self.depth * size


def flop(plan: Plan) -> float:
    """Floating point operations of the matrix products that one step needs: the formula above."""
    network = plan.make_network()
    per_point = sum(weight.numel() for weight in network.weights)
    points = plan.problem.draw_points(plan.spec.seed)
    carried: dict[int, int] = {}  # by set of points: terms that share one share its streams
    for term in plan.problem.trained_terms:
        engine = TaylorEngine(network, plan.problem.ansatz.outputs, term.fields)
        group = id(points[term.name])
        carried[group] = max(carried.get(group, 0), len(engine.streams))
    sizes = {id(each): len(each) for each in points.values()}
    return 2.0 * 3.0 * per_point * sum(n * sizes[group] for group, n in carried.items())


def flop_done(plan: Plan) -> float:
    """Those that the kernel carries out: four products, for as many streams as it has."""
    network = plan.make_network()
    objective = replace(plan, engine_name="fused").make_objective(network, plan.draw_points())
    per_point = sum(weight.numel() for weight in network.weights)
    engines = [(group.engine, len(group.here)) for group in objective.groups]
    return (
        2.0
        * 4.0
        * per_point
        * sum(engine.n_streams * n for engine, n in engines if isinstance(engine, FusedEngine))
    )


def make_turn(plan: Plan, engine: str) -> Callable[[], float]:
    """One loss and gradient."""
    network = plan.make_network()
    objective = replace(plan, engine_name=engine).make_objective(network, plan.draw_points())

    def turn() -> float:
        network.zero_grad()
        loss = objective.evaluate()
        loss.total.backward()
        return loss.total.item()

    return turn


def make_product(dtype: torch.dtype) -> Callable[[], torch.Tensor]:
    """A product of two matrices of SIDE², 2·SIDE³ flop."""
    left, right = (torch.rand(SIDE, SIDE, dtype=dtype) for _ in range(2))
    out = torch.empty(SIDE, SIDE, dtype=dtype)
    return lambda: torch.mm(left, right, out=out)


def resident_bytes(key: str) -> int:
    """VmRSS (now) or VmHWM (at most so far) of this process."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return 1024 * int(value.split()[0])
    raise SystemExit(f"this system does not tell {key}")


def peak_in_process(case: Case, engine: str) -> int:
    """Bytes that a step takes in this fresh process above what it held before."""
    prepare_torch()
    plan = case.plan()
    before = resident_bytes("VmRSS")
    make_turn(plan, engine)()
    return max(0, resident_bytes("VmHWM") - before)


def peak_bytes(case: Case, engine: str, threads: int, max_seconds: float) -> int | None:
    """`peak_in_process` of a process of its own; None where it is not told or takes too long."""
    if not Path("/proc/self/status").exists():
        return None
    question = json.dumps({"case": asdict(case), "engine": engine, "threads": threads})
    try:
        done = subprocess.run(
            [sys.executable, __file__, "--peak-of", question],
            capture_output=True, text=True, check=False, timeout=max_seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        print(
            f"no peak for {case} with {engine}: {done.stderr.strip().splitlines()[-1:]}",
            file=sys.stderr,
        )
        return None
    return int(done.stdout)


def answer_peak(question: str) -> None:
    asked = json.loads(question)
    torch.set_num_threads(asked["threads"])
    print(peak_in_process(Case(**asked["case"]), asked["engine"]))


def row(case: Case, engines: list[str], options: argparse.Namespace) -> list[tuple[str, ...]]:
    """A line for each engine: what, ms, GFLOP/s, share of the rate of matrix products, MB."""
    plan = case.plan()
    fitting = [name for name in engines if case.needs_bytes(name) < options.max_gb * 1e9]
    # Before this process fills up itself.
    peaks = {
        name: peak_bytes(case, name, options.threads, 10 * options.case_seconds + 60)
        for name in fitting
    }
    turns = {
        "product": timed(make_product(plan.dtype)),
        **{name: timed(make_turn(plan, name)) for name in fitting},
    }
    timings = race(turns, options.rounds, max_seconds=options.case_seconds, warm_up=1)
    rate = 2.0 * SIDE**3 / timings["product"].median_s
    options.rates.append(rate)
    needed = flop(plan)
    lines = []
    for name in engines:
        what = (f"{case.n_points:,}", f"{case.depth}×{case.width}", name)
        if name not in fitting:
            lines.append(
                (*what, "does not fit", "-", "-", f"about {case.needs_bytes(name) / 1e6:,.0f}")
            )
            continue
        reached = needed / timings[name].median_s
        done = f" ({flop_done(plan) / timings[name].median_s / 1e9:.3g})" if name == "fused" else ""
        peak = peaks[name]
        numbers = (
            milliseconds(timings[name].median_s),
            f"{reached / 1e9:.3g}{done}",
            f"{reached / rate:.0%}",
        )
        lines.append((*what, *numbers, "-" if peak is None else f"{peak / 1e6:,.0f}"))
        print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    return lines


def cases(options: argparse.Namespace) -> dict[str, list[Case]]:
    """Two lines through the space of shapes: one thing grows at a time."""
    dtype = options.dtype
    points, widths = (POINTS, WIDTHS) if not options.quick else (POINTS[:3], WIDTHS[:2])
    lines = {
        "points": [Case(n, 20, 6, dtype) for n in options.points or points],
        "widths": [Case(10_000, width, 4, dtype) for width in options.widths or widths],
    }
    return {name: lines[name] for name in options.lines.split(",")}


HEADERS = ("points", "network", "engine", "ms", "GFLOP/s", "of torch.mm", "peak MB")


def whole_numbers(text: str) -> list[int]:
    return [int(float(word)) for word in text.split(",")]


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, max_seconds=1200)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--lines", default="points,widths", help="what grows; default: %(default)s")
    parser.add_argument(
        "--points", type=whole_numbers, metavar="N,…", help="numbers of points; default: 1e3 to 1e6"
    )
    parser.add_argument("--widths", type=whole_numbers, metavar="N,…", help="default: 20 to 256")
    names = [name for name in racing_engines() if name != "nested"]
    parser.add_argument("--engines", default=",".join(names), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    parser.add_argument(
        "--case-seconds", type=float, default=20, help="end of the rounds of one case; default: 20"
    )
    parser.add_argument(
        "--max-gb", type=float, default=10, help="leave out what needs more; default: %(default)s"
    )
    parser.add_argument("--peak-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.case_seconds = min(options.rounds, 3), 2
        options.max_seconds = min(options.max_seconds, 40)
    return options


def main() -> None:
    options = parse()
    if options.peak_of:
        answer_peak(options.peak_of)
        return
    torch.set_num_threads(options.threads)
    prepare_torch()
    options.rates = []
    end = time.perf_counter() + options.max_seconds
    tables, facts = {}, {}
    for name, line in cases(options).items():
        found = []
        for case in line:
            if time.perf_counter() > end:
                facts["left out for want of time"] = (
                    f"{name} from {case.n_points:,} points, {case.depth}×{case.width} on"
                )
                break
            found += row(case, options.engines.split(","), options)
        caption = (
            f"One loss and gradient as {name} grow, {options.dtype}, {options.threads} threads"
        )
        tables[name] = Table(caption, HEADERS, found)
    if options.rates:
        rates = sorted(rate / 1e9 for rate in options.rates)
        facts["torch.mm in GFLOP/s"] = f"{rates[0]:.0f} to {rates[-1]:.0f}"
    tell(Findings("scaling", tables, facts), options.output)


if __name__ == "__main__":
    main()
