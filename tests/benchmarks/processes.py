"""Seconds of an iteration of Adam on one and on two processes of this machine, one thread each, as points grow.

The paper's network on Burgers' equation, float32, whole iterations of the training loop: loss, gradient, sums, step. One
process and two take turns, each started anew for a turn, and medians over all iterations of all turns count. With two, sums
of 8 bytes and of 8 MB are timed as well. `docs/scaling.py` fits the model of `laaf_cli/runs/scaling.py` to them.

    OMP_NUM_THREADS=1 python tests/benchmarks/processes.py --output runs/scaling.json
    OMP_NUM_THREADS=1 python tests/benchmarks/processes.py --points 2e5 --rounds 5 --apart

With `--apart` two processes also train half the points each, knowing nothing of one another: no division is faster here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from laaf_cli import processes
from laaf_cli.processes import meeting
from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.plan_faults import n_parameters
from laaf_cli.runs.scaling import compute_s
from laaf_cli.runs.train import prepare_torch
from laaf_cli.spec import Override, bundled
from laaf_cli.training import Trainer

POINTS = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
SECONDS = 4.0
"""Of the iterations of one turn, about, by what a point takes."""

PER_POINT_S = 1e-6


def trained(n_points: int, n_iterations: int) -> list[float]:
    """Seconds of each iteration but the first two, in which memory is taken."""
    settings = [
        f"points.interior={n_points}",
        "device=cpu",
        "reference.kind=none",
        f"training.0.iterations={n_iterations}",
    ]
    plan = make_plan(
        bundled.find("paper/burgers"), [Override.from_assignment(text) for text in settings]
    )
    prepare_torch()
    network = plan.make_network()
    trainer = Trainer(plan.make_objective(network, plan.draw_points()), plan.phases)
    times = [record.wall_time_s for record in trainer.train().records]
    return [after - before for before, after in pairwise(times[2:])]


def summed_s(n_bytes: int, n_times: int) -> float:
    values = torch.zeros(n_bytes // 8, dtype=torch.float64)
    seconds = []
    for _ in range(n_times):
        began = time.perf_counter()
        processes.total(values)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def turn(n_points: int) -> None:
    """What a process of a turn does; the first of them prints."""
    torch.set_num_threads(1)
    n_iterations = 4 + max(3, min(200, round(SECONDS / PER_POINT_S / n_points)))
    with meeting.together(120):
        found: dict[str, Any] = {"iterations": trained(n_points, n_iterations)}
        found["peak_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if processes.count() > 1:
            found |= {"small_sum_s": summed_s(8, 500), "large_sum_s": summed_s(8_000_000, 10)}
        if processes.is_first():
            print(json.dumps(found))


def run_turn(n_points: int, count: int, *, apart: bool = False) -> dict[str, Any]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    place = {
        "WORLD_SIZE": "1" if apart else str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, __file__, "--turn", str(n_points // count if apart else n_points)]
    with tempfile.TemporaryFile("w+") as out:
        started = [
            subprocess.Popen(
                command,
                env={**os.environ, **place, "RANK": str(0 if apart else i)},
                stdout=out if i == 0 else subprocess.DEVNULL,
            )
            for i in range(count)
        ]
        if any(process.wait() for process in started):
            raise SystemExit("a process has failed")
        out.seek(0)
        found: dict[str, Any] = json.load(out)
        return found


def median_of(turns: list[dict[str, Any]]) -> float:
    return statistics.median(s for each in turns for s in each["iterations"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--points",
        default=",".join(map(str, POINTS)),
        help="numbers of points; default: 1e4 to 1e7",
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; default: %(default)s")
    parser.add_argument("--output", type=Path, metavar="FILE", help="what was measured, as JSON")
    parser.add_argument("--apart", action="store_true", help="also two that share nothing")
    parser.add_argument("--turn", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn is not None:
        turn(options.turn)
        return
    plan = make_plan(bundled.find("paper/burgers"))
    found: dict[str, Any] = {
        "n_parameters": n_parameters(plan.spec, plan.problem, 0),
        "conditions": sum(
            term.region.n_points for term in plan.problem.trained_terms if term.kind != "equation"
        ),
        "estimated_s": compute_s(plan),
        "estimated_points": plan.spec.points.interior,
        "points": [],
    }
    sums: dict[str, list[float]] = {"small_sum_s": [], "large_sum_s": []}
    for n_points in (int(float(text)) for text in options.points.split(",")):
        turns: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
        apart = []
        for i in range(options.rounds):
            for count in (1, 2) if i % 2 == 0 else (2, 1):
                turns[count].append(run_turn(n_points, count))
            if options.apart:
                apart.append(run_turn(n_points, 2, apart=True))
        one, two = (median_of(turns[count]) for count in (1, 2))
        peaks = [max(each["peak_bytes"] for each in turns[count]) for count in (1, 2)]
        found["points"].append(
            {"points": n_points, "one_s": one, "two_s": two, "peak_bytes": peaks}
        )
        for name, values in sums.items():
            values += [each[name] for each in turns[2]]
        print(
            f"{n_points:>10,} points: one {one:.4g} s, two {two:.4g} s, {one / two:.2f} times as fast",
            f"(apart {one / median_of(apart):.2f})" if apart else "",
            file=sys.stderr,
        )
    found |= {name: statistics.median(values) for name, values in sums.items()}
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
