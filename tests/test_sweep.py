"""Sweeps: the product of the axes, finished runs kept, failures told, processes killed, Ctrl-C, a Dask cluster."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from conftest import Laaf

from laaf_cli.errors import LaafError, UsageError
from laaf_cli.references import HopfCole, ReferenceRefusedError
from laaf_cli.references.evolution import evolution
from laaf_cli.runfile import RunFile
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Override, Text
from laaf_cli.sweeps import (
    Alternative,
    LocalProcesses,
    Outcome,
    Part,
    PlannedRun,
    RunState,
    dask_executor,
    plan_runs,
    sweep,
    train_runs,
)

SPEC = """
title: Decay
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {decay: u_t = -u}
conditions: {start: {where: t = 0, equation: u = 1}}
points: {interior: 20}
network: {hidden: [5]}
slopes: {kind: nlaaf, n: 5}
training: [{iterations: 30, learning_rate: 1.0e-2}]
reference: {exact: {u: exp(-t)}}
evaluation: {grid: {t: 11}}
"""

TEXT = Text("decay.yaml", SPEC)
MAKE = partial(make_plan, TEXT)


def setting(assignment: str) -> Alternative:
    return Alternative.of(Override.from_assignment(assignment))


def names(runs: list[PlannedRun]) -> list[str]:
    return [run.path.name for run in runs]


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decay.yaml").write_text(SPEC)
    return tmp_path / "decay.yaml"


# Which runs


def test_runs_are_the_product_of_the_axes_seed_by_seed() -> None:
    kinds = [
        Alternative((Override(("slopes", "kind"), kind, "--activation "),))
        for kind in ("fixed", "nlaaf")
    ]
    rates = [setting("training.0.learning_rate=1e-3"), setting("training.0.learning_rate=1e-2")]
    runs = plan_runs(MAKE, [kinds, rates], [0, 3], Path("out"))
    assert names(runs) == [
        f"decay-{name}-learning_rate={rate}-s{seed}.h5"
        for seed in (0, 3)
        for name in ("fixed", "nlaaf-n5")
        for rate in ("1e-3", "1e-2")
    ]
    assert {run.path.parent for run in runs} == {Path("out")}
    for run in runs:
        assert f"-s{run.plan.spec.seed}" in run.path.name
        assert (
            f"={run.plan.spec.training[0].learning_rate:.0e}".replace("e-0", "e-") in run.path.name
        )


def test_a_seeded_plan_is_the_plan_of_that_seed() -> None:
    (run,) = plan_runs(MAKE, [], [7], Path())
    assert run.plan.spec == make_plan(TEXT, [Override(("seed",), "7", "--seed ")]).spec


def test_equal_methods_are_trained_once() -> None:
    scales = [Alternative((Override(("slopes", "n"), str(n), "--n "),)) for n in (1, 5)]
    fixed = [Alternative((Override(("slopes", "kind"), "fixed", "--activation "),))]
    assert len(plan_runs(MAKE, [fixed, scales], [0], Path())) == 1
    assert len(plan_runs(MAKE, [scales], [0], Path())) == 2
    grids = [setting("evaluation.grid.t=5"), setting("evaluation.grid.t=9")]
    assert len(plan_runs(MAKE, [grids], [0], Path())) == 2


def test_settings_that_file_names_cannot_hold_stay_apart() -> None:
    values = ["3/2", "3*2", "3**2", "(3*2)*1"]
    runs = plan_runs(
        MAKE, [[setting(f"equations.decay=u_t = -{value}*u") for value in values]], [0], Path()
    )
    assert len({run.path for run in runs}) == len(runs) == 4
    (alone,) = plan_runs(MAKE, [[setting("equations.decay=u_t = -3**2*u")]], [0], Path())
    assert alone.path in {run.path for run in runs}
    assert alone.path.name.startswith("decay-nlaaf-n5-equations.decay=u_t_-3_2_u-")
    assert (
        len(
            plan_runs(
                MAKE,
                [[setting("network.hidden=[4,4]"), setting("network.hidden=[4, 4]")]],
                [0],
                Path(),
            )
        )
        == 1
    )
    (long,) = plan_runs(MAKE, [[setting(f"network.hidden=[{','.join(['4'] * 40)}]")]], [0], Path())
    assert len(long.path.name) < 110


def test_too_many_runs() -> None:
    with pytest.raises(
        UsageError, match=r"this sweep would have 1,000,000 runs; the limit is 10,000"
    ):
        plan_runs(MAKE, [], range(1_000_000), Path())


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        ("3", [0, 1, 2]),
        ("5-7", [5, 6, 7]),
        ("0,4,9", [0, 4, 9]),
        ("1,3-5", [1, 3, 4, 5]),
        ("7,7", [7]),
    ],
)
def test_seeds(given: str, seeds: list[int]) -> None:
    from laaf_cli.cli.many_runs import seed_list

    assert seed_list(given) == seeds


# The command


def test_command_trains_compares_and_keeps(laaf: Laaf, spec: Path) -> None:
    arguments = (
        "sweep",
        spec,
        "-a",
        "fixed,nlaaf",
        "--n",
        "1,5",
        "--slope-recovery",
        "on,off",
        "--seeds",
        "2",
        "--jobs",
        "2",
    )
    first = laaf(*arguments)
    assert first.code == 0, first.err
    assert first.out.splitlines()[0].split()[:3] == ["method", "runs", "failed"]
    for method in (
        "fixed",
        "N-LAAF + recovery, n 1",
        "N-LAAF + recovery, n 5",
        "N-LAAF, n 1",
        "N-LAAF, n 5",
    ):
        assert any(line.startswith(f"{method}  ") for line in first.out.splitlines()), method
    assert "[10/10] runs/decay-" in first.err
    files = sorted((spec.parent / "runs").glob("*.h5"))
    assert len(files) == 10
    times = [file.stat().st_mtime_ns for file in files]
    again = laaf(*arguments, "--json")
    assert "10 of 10 runs already existed" in again.err
    assert json.loads(again.out)["not_trained"] == {}
    assert [file.stat().st_mtime_ns for file in files] == times


def test_runs_of_a_sweep_are_those_of_solve_bit_for_bit(laaf: Laaf, spec: Path) -> None:
    assert laaf("sweep", spec, "--seeds", "1", "--quiet").code == 0
    assert laaf("solve", spec, "--output", "alone.h5", "--quiet").code == 0
    with h5py.File("runs/decay-nlaaf-n5-s0.h5") as ours, h5py.File("alone.h5") as alone:
        for path in ("history/total", "slopes/layer_1", "solution/u"):
            np.testing.assert_array_equal(ours[path], alone[path])
        assert ours["spec/settings"][()] == alone["spec/settings"][()]


MISTAKES: list[tuple[tuple[str, ...], int, str]] = [
    (("-a", "fixed,nlaf"), 2, "--activation does not know 'nlaf'\nDid you mean 'nlaaf'?"),
    (("--slope-recovery", "yes"), 2, "--slope-recovery does not know 'yes'\nChoices: on, off."),
    (("--n", "1;5"), 2, "--n takes numbers with commas between, not '1;5'"),
    (("--n", "0.5"), 3, "'n' must be at least 1, got 0.5"),
    (("--seeds", "x"), 2, "--seeds takes a number (5) or a list (5-9 or 0,3,7), not 'x'"),
    (("--seeds", "0"), 2, "--seeds takes a number (5) or a list (5-9 or 0,3,7), not '0'"),
    (("--seeds", "9-5,3"), 2, "--seeds takes a number (5) or a list (5-9 or 0,3,7), not '9-5,3'"),
    (("--seeds", "9-5"), 2, "--seeds takes a number (5) or a list (5-9 or 0,3,7), not '9-5'"),
    (("--set", "network.hiden=[4]"), 3, "Did you mean 'hidden'?"),
    (("--set", "equations.decay=u_tt = -u", "--set", "network.activation=tanh", "--set", "network.activation=relu"), 3, "'relu' does not suit"),
    (("--jobs", "0"), 2, "--jobs"),
    (("--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"), 2, "--jobs is for this machine, and --scheduler names another"),
    (("--directory", "decay.yaml"), 2, "cannot be written"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "text"), MISTAKES, ids=lambda value: str(value)[:40])
def test_mistakes_are_reported_before_anything_is_trained(
    laaf: Laaf, spec: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    found = laaf("sweep", spec.name, *arguments)
    assert found.code == code, found.err
    for line in text.splitlines():
        assert line in found.err
    assert "Traceback" not in found.err
    assert not list(spec.parent.rglob("*.h5"))


def test_a_sweep_over_problems_compares_each_apart(laaf: Laaf, spec: Path) -> None:
    values = [f"equations.decay=u_t = -{k}*u" for k in (1, 2)]
    found = laaf("sweep", spec, "--seeds", "1", "--set", values[0], "--set", values[1])
    assert found.code == 0, found.err
    assert sum(line.startswith("decay, decay u_t = -") for line in found.out.splitlines()) == 2


def test_a_missing_device_is_reported_before_training(laaf: Laaf, spec: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    found = laaf("sweep", spec, "--device", "cuda", "--seeds", "1")
    assert (found.code, found.out) == (2, "")
    assert "this machine has no CUDA device" in found.err


def test_what_is_ready_when_the_stop_comes_is_kept(tmp_path: Path) -> None:
    """Every run is done before the loop first asks whether to stop."""
    runs = plan_runs(MAKE, [], range(2), tmp_path)

    class AtOnce(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(fn(*args, **kwargs))
            return future

    found = outcomes(runs, AtOnce(1), should_stop=lambda: True)
    assert [outcome.state for outcome in found] == [RunState.FINISHED] * 2


def test_a_file_that_holds_another_run_is_not_replaced(laaf: Laaf, spec: Path) -> None:
    target = spec.parent / "runs" / "decay-nlaaf-n5-s0.h5"
    assert laaf("solve", spec, "-i", "3", "--output", target, "--quiet").code == 0
    before = target.read_bytes()
    found = laaf("sweep", spec, "--seeds", "2")
    assert found.code == 4
    assert "holds a run with other settings" in found.err
    assert target.read_bytes() == before
    target.write_text("nonsense")
    assert laaf("sweep", spec, "--seeds", "1").code == 4
    assert "is not replaced" in laaf("sweep", spec, "--seeds", "1", "--overwrite").err
    assert target.read_text() == "nonsense"
    target.write_bytes(before[:1000])
    assert laaf("sweep", spec, "--seeds", "1").code == 4
    assert laaf("sweep", spec, "--seeds", "1", "--overwrite", "--quiet").code == 0
    with RunFile(target) as run:
        assert run.attributes["iterations"] == 30


def test_runs_that_diverge_are_reported_and_not_trained_again(laaf: Laaf, spec: Path) -> None:
    arguments = (
        "sweep",
        spec,
        "--seeds",
        "1",
        "--set",
        "training.0.learning_rate=1e30",
        "--set",
        "training.0.learning_rate=1e-3",
    )
    for _ in range(2):
        found = laaf(*arguments)
        assert found.code == 5
        assert "1 of 2 runs diverged" in found.err
        assert "learning_rate=1e30-s0.h5: the loss term" in found.err
        assert any(
            line.split()[-1] != "failed" and "failed" in line for line in found.out.splitlines()
        )


# Executors


def outcomes(runs: list[PlannedRun], executor: Executor, **options: Any) -> list[Outcome]:
    with executor:
        return sweep(runs, executor, **options)


def test_any_executor_of_concurrent_futures_will_do(tmp_path: Path) -> None:
    seen: list[tuple[str, RunState]] = []
    runs = plan_runs(MAKE, [], range(3), tmp_path)
    found = outcomes(
        runs,
        ThreadPoolExecutor(2),
        on_change=lambda outcome: seen.append((outcome.run.path.name, outcome.state)),
    )
    assert [outcome.state for outcome in found] == [RunState.FINISHED] * 3
    assert [outcome.run for outcome in found] == runs
    assert sorted(path.name for path in tmp_path.iterdir()) == names(runs)
    assert sorted(name for name, state in seen if state is RunState.FINISHED) == names(runs)
    for outcome in found:
        with RunFile(outcome.run.path) as run:
            assert run.attributes["relative_l2"] == outcome.error


def killed(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_fails_its_own_task_alone() -> None:
    with LocalProcesses(2) as executor:
        futures: list[Future[Any]] = [
            executor.submit(killed),
            *(executor.submit(os.getpid) for _ in range(4)),
        ]
        assert "its process was killed" in str(futures[0].exception(timeout=300))
        assert len({future.result(timeout=300) for future in futures[1:]}) <= 3


def test_an_error_in_a_worker_does_not_stop_the_rest(tmp_path: Path) -> None:
    runs = plan_runs(MAKE, [], range(2), tmp_path)

    class Failing(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            return super().submit(_out_of_memory if args[0].spec.seed == 0 else fn, *args, **kwargs)

    first, second = outcomes(runs, Failing(1))
    assert (first.state, first.detail) == (RunState.FAILED, "MemoryError: not so much")
    assert second.state is RunState.FINISHED


def _out_of_memory(*_: object) -> None:
    raise MemoryError("not so much")


def test_a_run_that_cannot_be_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("in the way")
    (outcome,) = outcomes(plan_runs(MAKE, [], [0], tmp_path / "runs"), ThreadPoolExecutor(1))
    assert outcome.state is RunState.FAILED
    assert "cannot be written" in outcome.detail


def test_stopping_cancels_what_is_not_finished(tmp_path: Path) -> None:
    runs = plan_runs(MAKE, [[setting("training.0.iterations=200000")]], range(3), tmp_path)
    begun: list[Outcome] = []
    found = outcomes(
        runs, LocalProcesses(1), on_change=begun.append, should_stop=lambda: bool(begun)
    )
    assert [outcome.state for outcome in found] == [RunState.CANCELLED] * 3
    assert not list(tmp_path.iterdir())


def test_plans_travel() -> None:
    """References too: Hopf-Cole keeps trees, not closures."""
    from laaf_cli.spec import bundled

    plan = make_plan(bundled.find("burgers"))
    again = pickle.loads(pickle.dumps(plan))  # noqa: S301 - our own
    assert isinstance(again.reference, HopfCole)
    points = np.array([[0.1, 0.5], [-0.3, 0.9]])
    np.testing.assert_array_equal(
        again.reference.evaluate(points).fields["u"], plan.reference.evaluate(points).fields["u"]
    )


# References


HEAT = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = 0.1*u_xx}
conditions:
  start: {where: t = 0, equation: u = sin(pi*x)}
  walls: {where: [x = 0, x = 1], equation: u = 0}
network: {hidden: [3]}
points: {interior: 10}
evaluation: {grid: {x: 5, t: 4}, times: [0.3, 0.7]}
training: [{iterations: 1}]
"""


class Travelling(Executor):
    """Carries out at once what was submitted, as a worker gets it: pickled."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        fn, args, kwargs = pickle.loads(pickle.dumps((fn, args, kwargs)))  # noqa: S301 - our own
        try:
            future.set_result(fn(*args, **kwargs))
        except LaafError as error:
            future.set_exception(error)
        return future


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with every reference that is solved in time."""
    found: list[str] = []
    solve = evolution.converged

    def counting(*args: Any) -> object:
        found.append("solved")
        return solve(*args)

    monkeypatch.setattr(evolution, "converged", counting)
    return found


KINDS = [setting(f"slopes.kind={kind}") for kind in ("fixed", "gaaf", "nlaaf")]


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize(
    ("changes", "axis"),
    [
        ("", KINDS),
        ("data: {reference: true, points: 5}\n", KINDS),
        ("", [setting("points.interior=7"), setting("points.interior=8")]),
        ("", [setting("evaluation.grid.x=7"), setting("evaluation.grid.x=9")]),
    ],
    ids=["methods", "its values as data", "points", "grids"],
)
def test_the_reference_of_a_problem_is_solved_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    solved: list[str],
    changes: str,
    axis: list[Alternative],
    cache: bool,
) -> None:
    monkeypatch.setenv("LAAF_CACHE_DIR", str(tmp_path / "cache") if cache else "")
    make = partial(make_plan, Text("heat.yaml", HEAT + changes))
    found = sweep(plan_runs(make, [axis], [0, 1], tmp_path / "runs"), Travelling())
    assert {outcome.state for outcome in found} == {RunState.FINISHED}
    assert all(outcome.error < 10 for outcome in found)
    assert solved == ["solved"]


def test_workers_without_the_cache_are_given_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, solved: list[str]
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("LAAF_CACHE_DIR", str(cache))
    make = partial(make_plan, Text("heat.yaml", HEAT))
    sweep(plan_runs(make, [KINDS], [0], tmp_path / "a"), Travelling())

    class Elsewhere(Travelling):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            cache.rename(tmp_path / "away")
            try:
                return super().submit(fn, *args, **kwargs)
            finally:
                (tmp_path / "away").rename(cache)

    found = sweep(plan_runs(make, [KINDS], [1], tmp_path / "b"), Elsewhere())
    assert {outcome.state for outcome in found} == {RunState.FINISHED}
    assert solved == ["solved"]


@pytest.mark.parametrize("is_named", [False, True])
def test_a_reference_that_is_refused_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_named: bool
) -> None:
    tried: list[str] = []

    def refusing(*_: Any) -> None:
        tried.append("tried")
        raise ReferenceRefusedError("it does not settle")

    monkeypatch.setenv("LAAF_CACHE_DIR", "")
    monkeypatch.setattr(evolution, "converged", refusing)
    text = HEAT + "reference: spectral\n" * is_named
    make = partial(make_plan, Text("heat.yaml", text))
    found = sweep(plan_runs(make, [KINDS], [0, 1], tmp_path), Travelling())
    assert len(found) == 6
    assert tried == ["tried"]
    for outcome in found:
        if is_named:
            assert (outcome.state, outcome.detail) == (RunState.FAILED, "it does not settle")
        else:
            assert outcome.state is RunState.FINISHED
            with RunFile(outcome.run.path) as run:
                assert not run.has("reference")
                assert run.attributes["no_reference"] == "it does not settle"


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_leaves_finished_runs_and_no_process(spec: Path) -> None:
    runs = spec.parent / "runs"
    process = start(
        "laaf_cli", "sweep", spec, "--seeds", "2", "--jobs", "1",
        "--set", "training.0.iterations=20", "--set", "training.0.iterations=500000",
    )  # fmt: skip
    wait_until(lambda: len(list(runs.glob("*.h5"))) == 1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "interrupted; 1 of 4 runs are finished, in runs" in err
    assert "Traceback" not in err
    assert "failed" not in err
    begun = "decay-nlaaf-n5-iterations=500000-s0.h5"
    left = {path.name for path in runs.iterdir()} - {
        f"{begun}.checkpoint",
        f"{begun}.checkpoint.previous",
    }
    assert left == {"decay-nlaaf-n5-iterations=20-s0.h5"}


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(spec: Path) -> None:
    process = start(
        "laaf_cli",
        "sweep",
        spec,
        "--seeds",
        "1",
        "--jobs",
        "1",
        "--set",
        "training.0.iterations=500000",
    )

    def children() -> list[str]:
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return found.stdout.split()

    wait_until(lambda: len(children()) >= 2)  # the worker, and what tracks its resources
    pids = children()
    process.kill()
    process.communicate()
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in pids))


@pytest.mark.parametrize("n_parts", [1, 3, 7])
def test_parts_of_a_sweep_are_all_of_it(n_parts: int, tmp_path: Path) -> None:
    runs = plan_runs(MAKE, [[setting("slopes.n=1"), setting("slopes.n=5")]], range(4), tmp_path)
    parts = [Part.of(f"{i + 1}/{n_parts}").among(runs) for i in range(n_parts)]
    assert sorted(names([run for part in parts for run in part])) == sorted(names(runs))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("part", ["", "3", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_part_of_a_sweep_is_refused(laaf: Laaf, spec: Path, part: str) -> None:
    found = laaf("sweep", str(spec), f"--part={part}")
    assert found.code == 2
    assert found.err == f"error: --part takes a part of a sweep, such as 3/20, not '{part}'\n"


def test_a_part_without_runs_says_how_many_there_are(laaf: Laaf, spec: Path) -> None:
    found = laaf("sweep", str(spec), "--seeds", "2", "--part", "3/3")
    assert found.code == 2
    assert found.err == "error: part 3 of 3 has no run: the sweep has 2 in all\n"


# A Dask cluster


def test_a_part_is_trained_by_a_cluster_that_python_starts(tmp_path: Path) -> None:
    """As those of dask-jobqueue are, which are clusters like this one."""
    from distributed import LocalCluster

    runs = plan_runs(MAKE, [[Alternative()]], range(3), tmp_path)
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        found = train_runs(Part.of("2/2").among(runs), scheduler=cluster.scheduler_address)
    assert [outcome.state for outcome in found] == [RunState.FINISHED]
    assert [path.name for path in tmp_path.glob("*.h5")] == names(runs[1:2])


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A real scheduler with two workers, all of them processes of their own on the loopback device."""
    file = tmp_path / "scheduler.json"
    main = start(
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
        "--scheduler-file",
        file,
    )
    processes = [main]
    try:
        wait_until(file.exists)
        address = json.loads(file.read_text())["address"]
        workers = [
            start(
                "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny",
                "--name", name, "--local-directory", tmp_path / name, "--host", "127.0.0.1",
            )
            for name in ("first", "second")
        ]  # fmt: skip
        processes += workers
        yield address, workers
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker_finishes_the_sweep(
    scheduler: tuple[str, list[subprocess.Popen[str]]], tmp_path: Path
) -> None:
    from distributed import Client

    address, workers = scheduler
    with Client(address, timeout=300) as client:
        client.wait_for_workers(2, timeout=300)
    runs = plan_runs(MAKE, [[setting("training.0.iterations=300")]], range(6), tmp_path / "runs")
    lost: list[str] = []

    def lose_a_worker(outcome: Outcome) -> None:
        if outcome.state is RunState.FINISHED and not lost:
            workers[0].kill()
            lost.append(outcome.run.path.name)

    with dask_executor(address) as executor:
        found = sweep(runs, executor, on_change=lose_a_worker)
    assert lost
    assert workers[0].wait(10) == -signal.SIGKILL
    assert [outcome.state for outcome in found] == [RunState.FINISHED] * 6
    alone = {
        run.path.name: run
        for run in plan_runs(
            MAKE, [[setting("training.0.iterations=300")]], range(6), tmp_path / "alone"
        )
    }
    assert [o.state for o in outcomes(list(alone.values()), ThreadPoolExecutor(1), threads=1)] == [
        RunState.FINISHED
    ] * 6
    for run in runs:
        with RunFile(run.path) as ours, RunFile(alone[run.path.name].path) as other:
            np.testing.assert_array_equal(ours.array("history/total"), other.array("history/total"))


def test_a_scheduler_that_does_not_answer(laaf: Laaf, spec: Path) -> None:
    found = laaf("sweep", spec, "--scheduler", "nonsense://127.0.0.1:1")
    assert found.code == 2
    assert "no Dask scheduler answers at nonsense://127.0.0.1:1" in found.err
    assert "Traceback" not in found.err


def test_a_stop_while_a_reference_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAAF_CACHE_DIR", "")
    runs = plan_runs(partial(make_plan, Text("heat.yaml", HEAT)), [KINDS], [0], tmp_path)
    begun: list[Outcome] = []
    found = sweep(runs, Travelling(), on_change=begun.append, should_stop=lambda: len(begun) >= 2)
    assert [outcome.state for outcome in begun[:2]] == [RunState.WAITING] * 2
    assert begun[0].detail.startswith("reference: accuracy 1 of at most 6, t = 0 of ")
    assert [outcome.state for outcome in found] == [RunState.CANCELLED] * 3
    assert not list(tmp_path.iterdir())
