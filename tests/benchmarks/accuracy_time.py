"""Error against seconds of training, Burgers' equation with ν = 0.01/π: laaf against DeepXDE on PyTorch.

The error is the relative L2 error against Hopf-Cole on 256 × 100 points, evaluated outside the clock. Every training has a
process of its own with all threads; they take turns seed by seed, so that what drifts falls on all. A training whose file
is there is not done again, so that a long series can be interrupted; an empty folder begins anew.

laaf: any number of methods, `LABEL: SPEC KEY=VALUE …` each, as `laaf solve SPEC --set KEY=VALUE` trains them. DeepXDE
(extra `benchmark`): its own Burgers example, 3×20 tanh, 2540 + 80 + 160 points, Adam 15000 iterations with 1e-3, then
L-BFGS, in float32 (its default) and in float64.

    python tests/benchmarks/accuracy_time.py --seeds 5 --seconds 720
    python tests/benchmarks/accuracy_time.py --seeds 3 --seconds 60 --method 'wide: burgers network.hidden=[50,50,50]'
    python tests/benchmarks/accuracy_time.py --from runs/accuracy --figure error.png
    python tests/benchmarks/accuracy_time.py --problems allen-cahn,kdv,klein-gordon

With --problems: the bundled problem as it is, Adam alone with as many iterations as fit into the time, against the same
network in float64 with Adam and then self-scaled Broyden.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import deepxde_burgers
import numpy as np
import torch
from error_curves import (
    ErrorCurve,
    by_method,
    error_figure,
    error_table,
    read_curve,
    time_table,
    told_errors,
)
from findings import Findings, Table, make_parser, tell

from laaf_cli.errors import LaafError
from laaf_cli.metrics import relative_l2
from laaf_cli.problem import grid_points
from laaf_cli.report.figures.save import save
from laaf_cli.report.statistics import spread
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import Override, bundled
from laaf_cli.training import trainer

ADAM = "laaf, Adam: burgers training.0.iterations=1000000"
ACCURATE = "laaf, Adam and Broyden: burgers-accurate"
TIMES = (10, 30, 60, 120, 240, 480, 720)
LEVELS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
DEEPXDE = {"DeepXDE, float32": "float32", "DeepXDE, float64": "float64"}
LOOK_EVERY = 25
"""Iterations from one look at the error to the next."""

QUASI_NEWTON = (
    "dtype=float64",
    "training=[{optimizer: adam, iterations: 1000, learning_rate: 5.0e-3}, "
    "{optimizer: ssbroyden, iterations: 1000000}]",
)


# In the process of one training


def train_laaf(job: dict[str, Any]) -> None:
    """One run, written as a run file."""
    plan = planned(job["spec"], job["assignments"], job["seed"], job["seconds"])
    # A thousand records and fifty looks are enough for a run, not for its curve.
    total = sum(phase.iterations for phase in plan.phases)
    trainer.N_RECORDS = trainer.N_MONITORED = max(50, total // LOOK_EVERY)
    execute(plan).save(Path(job["path"]))


def planned(spec: str, assignments: Sequence[str], seed: int, seconds: float) -> Plan:
    overrides = [Override.from_assignment(text) for text in (*assignments, f"seed={seed}")]
    return replace(make_plan(bundled.find(spec), overrides), max_seconds=seconds)


def train_deepxde(job: dict[str, Any]) -> None:
    """One training of DeepXDE, written as a curve."""
    plan = planned("paper/burgers", (), job["seed"], 0)
    grid = grid_points(plan.problem.grid)
    exact = plan.reference.evaluate(grid).fields["u"]
    dtype = DEEPXDE[job["method"]]
    with deepxde_burgers.settings(dtype) as deepxde, contextlib.redirect_stdout(io.StringIO()):
        model = deepxde_burgers.example(deepxde, job["seed"])
        places = grid.astype(dtype)
        look = _make_look(deepxde, lambda: relative_l2(model.predict(places)[:, 0].astype(np.float64), exact),
                          job["seconds"])  # fmt: skip
        model.compile("adam", lr=1e-3, verbose=0)
        look.start()
        model.train(iterations=15000, callbacks=[look], verbose=0)
        if not look.is_over:
            model.compile("L-BFGS", verbose=0)
            model.train(callbacks=[look], verbose=0)
        look.look()
    seconds, errors = zip(*look.seen, strict=True)
    ErrorCurve(job["method"], job["seed"], seconds, errors, ended=not look.is_over).write(
        Path(job["path"])
    )


def _make_look(deepxde: Any, error: Any, max_seconds: float) -> Any:
    """A callback of DeepXDE that looks at the error with the clock stopped, and ends the training in time."""

    class Look(deepxde.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[float, float]] = []
            self.spent, self.epochs, self.is_over = 0.0, 0, False

        def start(self) -> None:
            self.seen.append((0.0, error()))
            self.since = time.perf_counter()

        def look(self) -> None:
            self.spent += time.perf_counter() - self.since
            if self.spent > self.seen[-1][0]:
                self.seen.append((self.spent, error()))
            self.since = time.perf_counter()

        def on_epoch_end(self) -> None:
            self.epochs += 1
            # An epoch of L-BFGS is up to a thousand iterations.
            if self.epochs % LOOK_EVERY == 0 or self.model.opt_name != "adam":
                self.look()
            if self.spent + time.perf_counter() - self.since > max_seconds:
                self.is_over = self.model.stop_training = True

    return Look()


# In the process that lets them take turns


def train(jobs: Sequence[dict[str, Any]], threads: int) -> None:
    """Trains what has no file yet, one after another, each in a process of its own."""
    for job in jobs:
        path = Path(job["path"])
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        question = json.dumps(job | {"threads": threads})
        subprocess.run([sys.executable, __file__, "--train", question], check=True)
        curve = read_curve(path)
        print(f"{path.stem}: {curve.errors[-1]:.1e} in {curve.seconds[-1]:.0f} s of training, "
              f"{time.perf_counter() - began:.0f} s in all", file=sys.stderr, flush=True)  # fmt: skip


def laaf_job(
    method: str, spec: str, assignments: Sequence[str], seed: int, seconds: float, folder: Path
) -> dict[str, Any]:
    path = folder / f"{method}-s{seed}.h5"
    return {"method": method, "spec": spec, "assignments": list(assignments), "seed": seed, "seconds": seconds,
            "path": str(path)}  # fmt: skip


def burgers_jobs(options: argparse.Namespace) -> list[dict[str, Any]]:
    """All trainings, seed by seed."""
    methods = options.method or [
        ADAM,
        *([ACCURATE] if "burgers-accurate" in bundled.names() else []),
    ]
    rivals = [] if options.without_deepxde or not deepxde_burgers.is_installed() else list(DEEPXDE)
    jobs = []
    for seed in range(options.seeds):
        for method in methods:
            label, _, rest = method.partition(":")
            spec, *assignments = rest.split()
            jobs.append(laaf_job(label, spec, assignments, seed, options.seconds, options.runs))
        for rival in rivals[:1] if options.quick else rivals:
            path = options.runs / f"{rival}-s{seed}.json"
            jobs.append(
                {"method": rival, "seed": seed, "seconds": options.seconds, "path": str(path)}
            )
    return jobs


def burgers(options: argparse.Namespace) -> Findings:
    paths = [
        path
        for given in options.read or []
        for path in (sorted(given.glob("*-s*.*")) if given.is_dir() else [given])
    ]
    if not options.read:
        jobs = burgers_jobs(options)
        train(jobs, options.threads)
        paths = [Path(job["path"]) for job in jobs]
    methods = by_method([read_curve(path) for path in paths])
    longest = max(curve.seconds[-1] for curves in methods.values() for curve in curves)
    tables = {
        "error": error_table(methods, [t for t in TIMES if t <= longest]),
        "time": time_table(methods, LEVELS),
    }
    facts = {"seeds": ", ".join(f"{method}: {len(curves)}" for method, curves in methods.items())}
    for method, curves in methods.items():
        facts[f"best of {method}"] = f"{min(min(curve.errors) for curve in curves):.1e}"
        facts[f"end of {method}"] = (
            f"{spread([curve.seconds[-1] for curve in curves]).median:.0f} s"
        )
    if options.figure is not None:
        options.figure.parent.mkdir(parents=True, exist_ok=True)
        save(
            error_figure(methods, "Burgers' equation: error against time"), options.figure, dpi=140
        )
    return Findings("accuracy_time", tables, facts)


def problems(options: argparse.Namespace) -> Findings:
    """Adam alone, one run for each length of time, against one run with self-scaled Broyden; other problems."""
    lengths = [float(text) for text in options.lengths.split(",")]
    broyden = tuple(options.quasi_newton) or QUASI_NEWTON
    jobs: list[dict[str, Any]] = []
    for name in options.problems.split(","):
        rate = iterations_per_second(name, options.threads)
        for seed in range(options.seeds):
            for length in lengths:
                fitting = f"training.0.iterations={max(100, round(rate * length))}"
                job = laaf_job(
                    f"{name}-adam-{length:g}", name, [fitting], seed, 2 * length, options.runs
                )
                jobs.append(job | {"problem": name, "length": length})
            job = laaf_job(f"{name}-broyden", name, broyden, seed, max(lengths), options.runs)
            jobs.append(job | {"problem": name, "length": None})
    train(jobs, options.threads)
    return Findings(
        "accuracy_problems",
        {"problems": problem_table(jobs, lengths)},
        {"seeds": str(options.seeds)},
    )


def problem_table(jobs: Sequence[dict[str, Any]], lengths: Sequence[float]) -> Table:
    """Errors over seeds; what Adam reaches at the end of a run of that length, the other at that time of its one run."""
    rows = []
    for name in dict.fromkeys(job["problem"] for job in jobs):
        curves = [
            (job["length"], read_curve(Path(job["path"]))) for job in jobs if job["problem"] == name
        ]
        adam = [
            [curve.errors[-1] for given, curve in curves if given == length] for length in lengths
        ]
        broyden = [
            [curve.at(length) for given, curve in curves if given is None] for length in lengths
        ]
        for label, errors in (("Adam", adam), ("Adam, then Broyden", broyden)):
            rows.append((name, label, *(told_errors(values) for values in errors)))
    return Table(
        "relative L2 error",
        ("problem", "training", *(f"after {length:g} s" for length in lengths)),
        rows,
    )


def iterations_per_second(spec: str, threads: int, seconds: float = 5) -> float:
    """How fast Adam is on a bundled problem, its own adaptation of points and weights included."""
    torch.set_num_threads(threads)
    summary = execute(planned(spec, ["reference={kind: none}"], 0, seconds)).summary
    return summary.iterations / summary.wall_time_s


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, max_seconds=None)
    parser.add_argument(
        "--seeds", type=int, default=5, help="number of seeds, from 0; default: %(default)s"
    )
    parser.add_argument(
        "--seconds", type=float, default=720, help="of each training at most; default: %(default)g"
    )
    parser.add_argument(
        "--method", action="append", metavar="'LABEL: SPEC KEY=VALUE …'", help="of laaf; repeatable"
    )
    parser.add_argument(
        "--without-deepxde", action="store_true", help="leave DeepXDE out although it is installed"
    )
    parser.add_argument("--runs", type=Path, metavar="FOLDER",
                        help="where trainings are kept; default: runs/accuracy, with --problems runs/accuracy-problems")  # fmt: skip
    parser.add_argument("--from", dest="read", type=Path, nargs="+", metavar="PATH",
                        help="train nothing, read these files or all in these folders")  # fmt: skip

    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the curves there")
    parser.add_argument(
        "--problems", metavar="NAME,…", help="other bundled problems instead of Burgers' equation"
    )
    parser.add_argument(
        "--lengths", default="60,300", help="with --problems: seconds; default: %(default)s"
    )
    parser.add_argument("--quasi-newton", action="append", default=[], metavar="KEY=VALUE",
                        help="with --problems: what is set for the second training; repeatable")  # fmt: skip
    parser.add_argument("--train", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.runs is None:
        options.runs = Path("runs/accuracy-problems" if options.problems else "runs/accuracy")
    return options


def main() -> None:
    options = parse()
    if options.train:
        job = json.loads(options.train)
        torch.set_num_threads(job["threads"])
        (train_laaf if "spec" in job else train_deepxde)(job)
        return
    torch.set_num_threads(options.threads)
    if options.quick:
        options.seeds, options.seconds, options.lengths = 1, 12, "4,8"
        options.problems = options.problems and options.problems.split(",")[0]
    try:
        tell(problems(options) if options.problems else burgers(options), options.output)
    except LaafError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
