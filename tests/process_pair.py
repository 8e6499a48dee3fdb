"""What each of two processes does in `test_processes.py`: every case alone, then twice together.

Then a training of one is resumed by both, and one of both by one, in the folder that is given, and both train from Python.

Prints, as JSON by case: the largest relative difference to one process, whether both times agree bit for bit, whether
both processes do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

import laaf_cli
from laaf_cli import processes
from laaf_cli.errors import UsageError
from laaf_cli.processes import meeting
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.record import SolveResult
from laaf_cli.runs.resume.state import PastRun
from laaf_cli.runs.train import execute
from laaf_cli.spec import Text
from laaf_cli.training import groups

BURGERS = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {momentum: u_t + u*u_x = 0.1*u_xx}
conditions:
  initial: {where: t = 0, equation: u = sin(pi*x), points: 31}
  walls: {where: [x = 0, x = 1], equation: u = 0, points: 30}
points: {interior: 301, validation: 101}
network: {hidden: [8, 8]}
slopes: {kind: nlaaf, n: 5}
reference: none
evaluation: {grid: {x: 8, t: 4}}
dtype: float64
"""

DECAY = """
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u**2}
conditions: {initial: {where: t = 0, equation: u = 1}}
points: {interior: 41, validation: 20}
network: {hidden: [6]}
reference: none
evaluation: {grid: {t: 8}}
dtype: float64
"""

GUESS = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {bend: u_xx = -k}
conditions: {ends: {where: [x = 0, x = 1], equation: u = 0}}
learn: {k: {start: 1}}
data: {target: {u: x*(1-x)}, points: 21, noise: 0.01}
points: {interior: 41, validation: 20}
network: {hidden: [6]}
evaluation: {grid: {x: 8}}
dtype: float64
"""


@dataclass(frozen=True)
class Case:
    """A spec, and what is trained in it; `blocks` takes points in small blocks, `twice` repeats it."""

    spec: str
    training: str
    more: str = ""
    blocks: bool = False
    twice: bool = False


ADAM = "{optimizer: adam, iterations: 20}"

CASES = {
    "adam": Case(BURGERS, "{optimizer: adam, iterations: 100}", twice=True),
    "adam in blocks": Case(BURGERS, ADAM, blocks=True),
    "batches": Case(BURGERS, "{optimizer: adam, iterations: 20, batch: 50}"),
    "lbfgs": Case(BURGERS, "{optimizer: lbfgs, iterations: 30}", twice=True),
    "ssbroyden": Case(BURGERS, "{optimizer: ssbroyden, iterations: 30}", twice=True),
    "one point": Case(DECAY, "{optimizer: ssbroyden, iterations: 10}"),
    "levenberg-marquardt": Case(
        BURGERS, "{optimizer: levenberg-marquardt, iterations: 8}", twice=True
    ),
    "marquardt in blocks": Case(
        DECAY, "{optimizer: levenberg-marquardt, iterations: 8}", blocks=True
    ),
    "causal": Case(
        BURGERS,
        f"{ADAM}, {{optimizer: lbfgs, iterations: 20}}",
        "weights: {balance: {method: causal, slices: 5}}",
    ),
    "annealing": Case(
        BURGERS,
        "{optimizer: adam, iterations: 20, batch: 40}",
        "weights: {balance: {method: lr-annealing, every: 10}}",
    ),
    "kernel": Case(BURGERS, ADAM, "weights: {balance: {method: ntk, every: 15}}"),
    "kernel in blocks": Case(
        BURGERS, ADAM, "weights: {balance: {method: ntk, every: 15}}", blocks=True
    ),
    "self-adaptive": Case(BURGERS, ADAM, "weights: {balance: {method: self-adaptive, every: 10}}"),
    "resampled": Case(
        BURGERS.replace("validation: 101", "validation: 101, resample: {every: 10, method: rad}"),
        ADAM,
    ),
    "learned": Case(GUESS, "{optimizer: ssbroyden, iterations: 15}"),
    "least squares": Case(DECAY, "{optimizer: least-squares, features: 20}", twice=True),
    "least squares in space": Case(
        BURGERS.replace("network: {hidden: [8, 8]}", ""),
        "{optimizer: least-squares, features: 40, windows: 1}",
    ),
}


def plan_of(case: Case) -> Plan:
    return make_plan(Text("pair.yaml", f"{case.spec}\ntraining: [{case.training}]\n{case.more}\n"))


def solve(case: Case) -> FinishedRun[SolveResult]:
    large, block = groups.MOST_AT_ONCE, groups.POINTS_OF_A_BLOCK
    if case.blocks:
        groups.MOST_AT_ONCE, groups.POINTS_OF_A_BLOCK = 20, 70
    try:
        return execute(plan_of(case))
    finally:
        groups.MOST_AT_ONCE, groups.POINTS_OF_A_BLOCK = large, block


def stopped(case: Case, n: int, path: Path) -> None:
    """Stops before step n, and writes the run file."""
    asked = iter(range(n))
    run = execute(plan_of(case), should_stop=lambda: next(asked, None) is None)
    if processes.is_first():
        run.save(path)


def resumed(case: Case, path: Path) -> FinishedRun[SolveResult]:
    return execute(plan_of(case), past=PastRun.read(path))


def numbers(run: FinishedRun[SolveResult]) -> Iterator[np.ndarray]:
    """What is compared: the solution, and where it is not found to rounding at once, the terms at the end, their
    weights, those at held-out points, learned constants.
    """
    record = run.record
    yield from record.solution.fields.values()  # type: ignore[attr-defined]
    if run.summary.estimate is not None:
        return
    terms = record.history.terms  # type: ignore[attr-defined]
    yield from (terms[name][-1:] for name in sorted(terms))
    yield from (record.history.weights[name] for name in sorted(terms))  # type: ignore[attr-defined]
    yield from map(np.atleast_1d, run.summary.validation.values())
    yield from (np.array([c.value]) for c in run.summary.constants.values())


def digest(run: FinishedRun[SolveResult]) -> str:
    network = run.record.network  # type: ignore[attr-defined]
    parts = [*network.weights, *network.biases, *numbers(run)]
    parts += run.record.checkpoint.optimizer.values()  # type: ignore[attr-defined]
    return sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def difference(one: list[np.ndarray], run: FinishedRun[SolveResult]) -> float:
    pairs = zip(one, numbers(run), strict=True)
    return max(float(np.max(np.abs(b - a)) / max(np.max(np.abs(a)), 1e-300)) for a, b in pairs)


def main() -> None:
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) / os.environ["RANK"]
    folder.mkdir()
    by_one, by_both = folder / "one.h5", folder / "both.h5"
    stopped(CASES["causal"], 25, by_one)
    alone = {name: list(numbers(solve(case))) for name, case in CASES.items()}
    found: dict[str, object] = {}
    with meeting.together(60):
        for name, case in CASES.items():
            runs = [solve(case) for _ in range(1 + case.twice)]
            digests = [digest(run) for run in runs]
            every: list[str | None] = [None] * processes.count()
            dist.all_gather_object(every, digests[0])
            found[name] = {
                "difference": difference(alone[name], runs[0]),
                "repeats": len(set(digests)) == 1,
                "agree": len(set(every)) == 1,
                "processes": runs[0].record.attributes["processes"],
            }
        found["by both"] = difference(alone["causal"], resumed(CASES["causal"], by_one))
        stopped(CASES["causal"], 25, by_both)
        is_first = processes.is_first()
        try:
            processes.check_equal(lambda: [os.environ["RANK"].encode()], "differs", "Mend it.")
        except UsageError as error:
            found["differing"] = str(error)
    # Later meetings of the same processes; all are given the run.
    spec = folder / "spec.yaml"
    spec.write_text(f"{BURGERS}training: [{{optimizer: adam, iterations: 10}}]\n")
    run = laaf_cli.solve(spec, progress=False).resume(iterations=10, progress=False)
    found["in Python"] = run.attributes["processes"], run.attributes["iterations"]
    if is_first:
        found["by one"] = difference(alone["causal"], resumed(CASES["causal"], by_both))
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
