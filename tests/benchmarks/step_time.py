"""One loss and gradient: the engines of laaf against each other, on Burgers' equation against DeepXDE on PyTorch too.

Beside Burgers' equation, of order 2, those of Korteweg and de Vries (u_xxx), of a beam (u_xxxx) and of a plate (the
biharmonic operator). 6×20 tanh network, 10000 points of the equation, full batch. The same weights, points and precision
for all; before the race their losses and gradients are compared. Slopes are fixed and for Burgers' equation inputs raw,
because DeepXDE has neither locally adaptive slopes nor scaled inputs.

laaf: `Objective.evaluate` and `backward`, once with each engine of derivatives. DeepXDE: its own `Model.train_step` with an
optimizer that asks for the gradient and changes nothing; it takes part where the extra is installed
(`pip install 'laaf[benchmark]'`), in reverse mode, its default, and in forward mode.

Of Burgers' equation on the CPU a whole iteration of Adam is timed too, and how many times its kernel that is.

DeepXDE runs in a process of its own that waits while others have their turn: laaf tells the allocator of its process to
keep memory, which makes steps faster, and users of DeepXDE do not have that. To show how much it is, DeepXDE races a
second time in the process of laaf.

    python tests/benchmarks/step_time.py
    python tests/benchmarks/step_time.py --dtype float64 --threads 1
    python tests/benchmarks/step_time.py --engines taylor,nested --without-deepxde
    python tests/benchmarks/step_time.py --problems kdv,plate
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import deepxde_burgers
import numpy as np
import torch
from contestants import racing_engines
from findings import Findings, Table, make_parser, milliseconds, tell
from numpy.typing import NDArray
from turns import Timing, race, timed

from laaf_cli.derivatives.kernel import load_library
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.train import prepare_torch
from laaf_cli.spec import Override, Text, bundled
from laaf_cli.training import Trainer

PLATE = Text(
    "plate.yaml",
    """
coordinates: {x: [0, 1], y: [0, 1]}
unknowns: [u]
equations:
  bending: u_xxxx + 2*u_xxyy + u_yyyy = 4*pi**4*sin(pi*x)*sin(pi*y)
conditions:
  hinges: {where: boundary, equation: u = 0, points: 200}
  left: {where: [x = 0, x = 1], equation: u_xx = 0, points: 100}
  below: {where: [y = 0, y = 1], equation: u_yy = 0, points: 100}
points: {interior: 10000}
network: {hidden: [20, 20, 20, 20, 20, 20], activation: tanh}
training: [{optimizer: adam, iterations: 1}]
reference: none
""",
)

BURGERS = "paper/burgers"
PROBLEMS = {name: bundled.find(name) for name in (BURGERS, "kdv", "beam")} | {"plate": PLATE}

DEEPXDE = {"DeepXDE": "reverse", "DeepXDE, forward mode": "forward"}
"""Rival in a process of its own → its direction of differentiation."""

DEEPXDE_HERE = "DeepXDE, in laaf's process"

PAUSE_S = 0.005
"""After a turn of another process: its threads look for new work a while before they sleep."""

KERNEL = ("forward", "backward")
"""What the library is called for in an iteration."""

N_ITERATIONS = 10
"""Of a training, in a turn."""

AGREEMENT = {"float32": 1e-4, "float64": 1e-10}
"""How far loss and gradient of two rivals may be apart, relative to the largest of them."""


class Step:
    """One turn of laaf: the loss and its gradient."""

    def __init__(self, plan: Plan, engine: str) -> None:
        self.network = plan.make_network()
        self.points = plan.draw_points()
        self.objective = replace(plan, engine_name=engine).make_objective(self.network, self.points)

    def turn(self) -> float:
        self.network.zero_grad()
        loss = self.objective.evaluate()
        loss.total.backward()
        return loss.total.item()

    def gradient(self) -> NDArray[np.float64]:
        """The gradient of the last turn, weights and biases of a layer after one another."""
        pairs = zip(self.network.weights, self.network.biases, strict=True)
        parts = [parameter.grad.reshape(-1) for pair in pairs for parameter in pair]
        return torch.cat(parts).cpu().numpy().astype(np.float64)


def make_problem(problem: str, dtype: str, device: str, kind: str = "fixed") -> Plan:
    """The plan of all rivals."""
    assignments = [f"dtype={dtype}", f"device={device}", f"slopes.kind={kind}"]
    assignments += ["points.interior=10000", f"network.hidden={[20] * 6}"]
    if problem == BURGERS:
        assignments.append("network.inputs=raw")
    return make_plan(PROBLEMS[problem], [Override.from_assignment(text) for text in assignments])


class Iterations:
    """Iterations of Adam as a training carries them out, all that it does between two of them included.

    shares: by turn, what its fastest iteration takes, in times of the kernel in it.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.objective = Step(plan, "fused").objective
        self.shares: list[float] = []

    def seconds(self) -> float:
        """The fastest of some iterations."""
        library, inside, ends = load_library(), [0.0], []

        def clocked(work: Callable[..., None]) -> Callable[..., None]:
            def run(*given: object) -> None:
                seconds = timed(lambda: work(*given))
                inside[0] += seconds()

            return run

        def should_stop() -> bool:
            ends.append((time.perf_counter(), inside[0]))
            return len(ends) > N_ITERATIONS

        for name in KERNEL:
            setattr(library, name, clocked(getattr(library, name)))
        Trainer(self.objective, self.plan.phases, should_stop=should_stop).train()
        for name in KERNEL:
            delattr(library, name)
        whole_s, kernel_s = min(np.diff(ends, axis=0)[1:].tolist())
        self.shares.append(whole_s / kernel_s)
        return whole_s


def iteration_facts(
    dtype: str, rounds: int, *, with_deepxde: bool, max_seconds: float
) -> dict[str, str]:
    """What an iteration of Adam on Burgers' equation takes, with fixed slopes and those of the paper, beside the kernel
    in it and DeepXDE's.
    """
    ours = {
        kind: Iterations(make_problem(BURGERS, dtype, "cpu", kind)) for kind in ("fixed", "nlaaf")
    }
    turns = {f"laaf, {kind}": each.seconds for kind, each in ours.items()}
    if with_deepxde:
        rival = make_deepxde(dtype, "cpu", "reverse", deepxde_burgers.Iteration)
        turns[DEEPXDE_HERE] = timed(rival.turn)
    found = race(turns, rounds, max_seconds=max_seconds)
    facts = {
        f"{BURGERS}, {dtype}: iteration of {name} in ms": milliseconds(timing.median_s)
        for name, timing in found.items()
    }
    for kind, each in ours.items():
        share = f"{statistics.median(each.shares):.2f}"
        facts[f"{BURGERS}, {dtype}: iteration of laaf, {kind}, times its kernel"] = share
    return facts


def make_deepxde(
    dtype: str, device: str, autodiff: str, make: type[deepxde_burgers.Step] = deepxde_burgers.Step
) -> deepxde_burgers.Step:
    """DeepXDE with the weights and points of the plan."""
    plan = make_problem(BURGERS, dtype, device)
    network = plan.make_network()
    points = {name: each.points for name, each in plan.draw_points().items()}
    weights, biases = (
        [parameter.detach().cpu().numpy() for parameter in parameters]
        for parameters in (network.weights, network.biases)
    )
    return make(points, weights, biases, dtype, device, autodiff)


class Elsewhere:
    """One turn of DeepXDE in a process of its own, which tells the seconds."""

    def __init__(self, dtype: str, device: str, autodiff: str, threads: int) -> None:
        question = json.dumps(
            {"dtype": dtype, "device": device, "autodiff": autodiff, "threads": threads}
        )
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", question],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.answer = self._ask()

    def _ask(self) -> dict[str, Any]:
        self.process.stdin.write("turn\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def turn(self) -> float:
        return float(self.answer["loss"])

    def gradient(self) -> NDArray[np.float64]:
        return np.array(self.answer["gradient"])

    def seconds(self) -> float:
        found = float(self._ask()["seconds"])
        time.sleep(PAUSE_S)
        return found

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def work(question: dict[str, Any]) -> None:
    """Of the other process: for each line a step to wake up, a step that is timed, and an answer."""
    torch.set_num_threads(question.pop("threads"))
    step = make_deepxde(**question)
    seconds = timed(step.turn)
    gradient: list[float] | None = None
    for _ in sys.stdin:
        step.turn()
        answer = {"seconds": seconds(), "loss": step.turn() if gradient is None else None}
        if gradient is None:
            gradient = step.gradient().tolist()
            answer["gradient"] = gradient
        print(json.dumps(answer), flush=True)


def make_rivals(
    problem: str,
    engines: list[str],
    dtype: str,
    device: str,
    *,
    with_deepxde: bool,
    quick: bool = False,
) -> dict[str, Any]:
    """Rivals by name, each with `turn` and `gradient`, all with the weights and points of one plan."""
    plan = make_problem(problem, dtype, device)
    rivals: dict[str, Any] = {f"laaf, {engine}": Step(plan, engine) for engine in engines}
    if with_deepxde and problem == BURGERS:
        rivals[DEEPXDE_HERE] = make_deepxde(dtype, device, "reverse")
        for name, autodiff in list(DEEPXDE.items())[: 1 if quick else None]:
            rivals[name] = Elsewhere(dtype, device, autodiff, torch.get_num_threads())
    return rivals


def agreed_loss(rivals: dict[str, Any], dtype: str) -> tuple[float, float, float]:
    """The loss, and how far losses and gradients are apart at most, relative to the largest.

    Refuses to let rivals race that compute different things.
    """
    losses = np.array([rival.turn() for rival in rivals.values()])
    gradients = [rival.gradient() for rival in rivals.values()]
    size = max(np.abs(gradient).max() for gradient in gradients)
    apart_loss = float(np.ptp(losses) / losses.max())
    apart_gradient = float(
        max(np.abs(gradient - gradients[0]).max() for gradient in gradients) / size
    )
    if max(apart_loss, apart_gradient) > AGREEMENT[dtype]:
        raise SystemExit(f"the rivals do not compute the same: losses {dict(zip(rivals, losses, strict=True))}, "
                         f"gradients apart by {apart_gradient:.1e}")  # fmt: skip
    return float(losses[0]), apart_loss, apart_gradient


def rows(timings: dict[str, Timing]) -> list[tuple[str, ...]]:
    fastest = min(timing.median_s for timing in timings.values())
    return [
        (
            name,
            milliseconds(timing.median_s),
            f"{milliseconds(timing.lower_s)} to {milliseconds(timing.upper_s)}",
            f"{timing.median_s / fastest:.2f}",
        )
        for name, timing in timings.items()
    ]


def chosen(text: str) -> list[str]:
    """The problems that a list with commas names."""
    names = text.split(",")
    if unknown := [name for name in names if name not in PROBLEMS]:
        raise argparse.ArgumentTypeError(
            f"invalid choice: '{unknown[0]}' (choose from {', '.join(PROBLEMS)})"
        )
    return names


def main() -> None:
    parser = make_parser(__doc__, max_seconds=240)
    parser.add_argument(
        "--problems", type=chosen, default=",".join(PROBLEMS), help="default: %(default)s"
    )
    parser.add_argument("--dtype", choices=["float32", "float64", "both"], default="both")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--engines", help="default: every engine that the machine has")
    parser.add_argument(
        "--without-deepxde", action="store_true", help="leave DeepXDE out although it is installed"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(json.loads(options.worker))
        return
    torch.set_num_threads(options.threads)
    prepare_torch()
    with_deepxde = deepxde_burgers.is_installed() and not options.without_deepxde
    engines = options.engines.split(",") if options.engines else racing_engines(options.device)
    dtypes = ["float32", "float64"] if options.dtype == "both" else [options.dtype]
    max_seconds = min(options.max_seconds, 20) if options.quick else options.max_seconds
    rounds = min(options.rounds, 10) if options.quick else options.rounds
    tables: dict[str, Table] = {}
    facts: dict[str, str] = {}
    races = [(problem, dtype) for problem in options.problems for dtype in dtypes]
    for problem, dtype in races:
        rivals = make_rivals(
            problem, engines, dtype, options.device, with_deepxde=with_deepxde, quick=options.quick
        )
        loss, apart_loss, apart_gradient = agreed_loss(rivals, dtype)
        name = f"{problem}, {dtype}"
        facts[f"{name}: loss"] = f"{loss:.8f}"
        facts[f"{name}: losses apart by"] = f"{apart_loss:.1e}"
        facts[f"{name}: gradients apart by"] = f"{apart_gradient:.1e}"
        others = [rival for rival in rivals.values() if isinstance(rival, Elsewhere)]
        turns = {
            rival: each.seconds if each in others else timed(each.turn)
            for rival, each in rivals.items()
        }
        timings = race(turns, rounds, max_seconds=max_seconds / len(races))
        for other in others:
            other.end()
        caption = f"{name}: 6x20, 10000 points, {options.device}, {options.threads} threads"
        tables[name] = Table(
            caption, ("rival", "ms", "quartiles", "times the fastest"), rows(timings)
        )
        facts |= {
            f"{name}: {rival} in ms": milliseconds(timing.median_s)
            for rival, timing in timings.items()
        }
        if problem == BURGERS and options.device == "cpu" and "fused" in engines:
            facts |= iteration_facts(
                dtype, rounds, with_deepxde=with_deepxde, max_seconds=max_seconds / len(races)
            )
    if not deepxde_burgers.is_installed():
        facts["DeepXDE"] = "not installed; pip install 'laaf[benchmark]'"
    tell(Findings("step_time", tables, facts), options.output)


if __name__ == "__main__":
    main()
