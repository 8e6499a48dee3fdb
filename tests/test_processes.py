"""Several processes of one training, by two that are started here."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Laaf
from process_pair import BURGERS, CASES

from laaf_cli import load, processes, sweep
from laaf_cli.api import LaafWarning
from laaf_cli.derivatives import kernel_name
from laaf_cli.errors import ExitCode, LaafError, SaidElsewhereError, UsageError
from laaf_cli.processes import meeting
from laaf_cli.runs import memory, scaling
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.spec import Override, bundled

PAIR = Path(__file__).with_name("process_pair.py")

LOOSER = {"least squares in space": 1e-8}
"""Relative differences where columns are nearly dependent; 1e-10 elsewhere."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def environment(number: int, port: int, count: int = 2) -> dict[str, str]:
    return os.environ | {
        "RANK": str(number),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes say of every case."""
    folder = tmp_path_factory.mktemp("pair")
    port = free_port()
    pair = [
        subprocess.Popen(
            [sys.executable, PAIR, folder],
            env=environment(i, port),
            text=True,
            stdout=subprocess.PIPE,
        )
        for i in range(2)
    ]
    out = [process.communicate(timeout=300)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert out[1] == "", "one process answers"
    answer: dict[str, Any] = json.loads(out[0])
    return answer


@pytest.mark.parametrize("name", CASES)
def test_two_processes_come_to_what_one_comes_to(found: dict[str, Any], name: str) -> None:
    case = found[name]
    assert case["difference"] < LOOSER.get(name, 1e-10)
    assert case["repeats"], "the same bits each time"
    assert case["agree"], "the same bits in both, state of the optimizer and all"
    assert case["processes"] == 2, "the run file says so"


@pytest.mark.parametrize("by", ["both", "one"])
def test_a_run_of_one_is_resumed_by_both_and_the_other_way_round(
    found: dict[str, Any], by: str
) -> None:
    assert found[f"by {by}"] < 1e-10


def test_they_train_together_from_python(found: dict[str, Any]) -> None:
    assert found["in Python"] == [2, 20]


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_a_killed_process_ends_the_others_with_one_sentence(tmp_path: Path) -> None:
    spec, run = tmp_path / "s.yaml", tmp_path / "run.h5"
    spec.write_text(f"{BURGERS}training: [{{optimizer: adam, iterations: 1000000}}]")
    command = [sys.executable, "-P", "-m", "laaf_cli", "solve", spec, "--processes", "2", "-o", run]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launcher = subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE)
    checkpoint = run.with_name("run.h5.checkpoint")
    for _ in range(600):
        if checkpoint.exists():
            break
        time.sleep(0.1)
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    (killed,) = (
        pid for pid in children if b"\0RANK=1\0" in Path(f"/proc/{pid}/environ").read_bytes()
    )
    os.kill(int(killed), signal.SIGKILL)
    said = launcher.communicate(timeout=30)[1]
    assert launcher.returncode == ExitCode.INTERNAL
    assert said.count("error:") == 1
    assert f"error: process 1 of 2 (counted from 0; pid {killed} on " in said
    assert f"Resume with: laaf resume {run}" in said
    past = load(checkpoint)
    assert past.attributes["processes"] == 2
    with pytest.warns(LaafWarning, match="number of processes 2 → 1"):
        past.resume(output=run, max_seconds=0.0)


@pytest.mark.parametrize("number", [0, 1])
def test_processes_that_do_not_meet_say_where(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    port = free_port()
    for name, value in environment(number, port).items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(UsageError, match=rf"^process {number} of 2 .*127.0.0.1:{port} within 0.1 s"),
        meeting.together(0.1),
    ):
        pytest.fail("it has met nobody")


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("gpu03", "gpu03"), ("gpu[03-05,9],login", "gpu03"), ("a,b", "a"), ("n[7,9]", "n7")],
)
def test_processes_of_slurm_meet_at_its_first_node(
    monkeypatch: pytest.MonkeyPatch, nodes: str, first: str
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    step = {"STEP_NUM_TASKS": "8", "PROCID": "5", "LOCALID": "1", "STEP_NODELIST": nodes}
    for name, value in {**step, "JOB_ID": "1234567", "STEP_ID": "2"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert meeting.place() == meeting.Place(address=first, port=34569, number=5, count=8, local=1)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [("WORLD_SIZE", "two", "'two'"), ("RANK", "5", "process 5 is not among 2, counted from 0")],
)
def test_an_environment_that_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str
) -> None:
    for variable, text in {**environment(0, 1), name: value}.items():
        monkeypatch.setenv(variable, text)
    with pytest.raises(UsageError, match=f"wrongly where several processes meet: .*{what}"):
        meeting.place()


@pytest.mark.parametrize(("number", "error"), [(0, UsageError), (1, SaidElsewhereError)])
def test_what_one_process_does_is_refused_by_the_first_of_several(
    monkeypatch: pytest.MonkeyPatch, number: int, error: type[LaafError]
) -> None:
    for name, value in environment(number, 1).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error, match="a sweep takes one process, and 2" if number == 0 else "why"):
        sweep("heat", seeds=1)


def test_another_number_than_was_started_is_refused(
    laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(0, 1).items():
        monkeypatch.setenv(name, value)
    result = laaf("solve", "heat", "--processes", "3")
    assert result.code == ExitCode.USAGE
    assert "--processes 3, but 2 were started together" in result.err


def test_processes_that_are_to_do_different_things_say_so(found: dict[str, Any]) -> None:
    assert found["differing"] == "process 1 of 2 (counted from 0) differs\nMend it."


def test_a_process_alone_gets_back_what_it_gives() -> None:
    import torch

    values = torch.randn(5)
    assert processes.total(values) is values
    assert processes.joined(values, 5) is values
    assert processes.mean(values) == values.mean()
    assert processes.share(5) == slice(0, 5)
    assert processes.from_first(lambda: 3) == 3


def plan_of(n_points: int, *settings: str) -> Plan:
    assignments = [f"points.interior={n_points}", "device=cpu", *settings]
    return make_plan(
        bundled.find("paper/burgers"), [Override.from_assignment(text) for text in assignments]
    )


def test_twenty_million_points_are_expected_to_fit_into_two_gib() -> None:
    consumers = memory.of_run(plan_of(20_000_000))
    assert sum(consumer.n_bytes for consumer in consumers) < 2**31


def test_the_model_of_an_iteration() -> None:
    link = scaling.Link(1e-4, 1e9)
    assert scaling.sum_s(991, 1, link) == 0
    assert scaling.sum_s(991, 4, link) == pytest.approx(6 * (1e-4 + 8000 / 4 / 1e9))
    assert scaling.iteration_s(0.1, 0.8, 991, 1, link) == pytest.approx(0.9)
    assert scaling.iteration_s(0.1, 0.8, 991, 4, link) == pytest.approx(
        0.1 + 0.2 + scaling.sum_s(991, 4, link)
    )
    assert scaling.compute_s(plan_of(20_000)) / scaling.compute_s(plan_of(10_000)) == (
        pytest.approx(2, rel=0.1)
    )


def test_a_second_process_pays_from_the_points_on_that_a_check_names() -> None:
    if not kernel_name():
        pytest.skip("the model is that of the kernel")
    few, many = plan_of(50), plan_of(50_000)
    assert scaling.hint(many) == ""
    found = re.search(r"cost time at .* points: .* pays from about ([\d,]+) on", scaling.hint(few))
    assert found is not None
    least = int(found[1].replace(",", ""))
    assert scaling.hint(plan_of(2 * least)) == ""


def test_check_says_so(laaf: Laaf, tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    spec.write_text(f"{BURGERS}training: [{{optimizer: adam, iterations: 10}}]")
    said = " ".join(laaf("check", str(spec)).out.split())
    assert ("more processes only cost time at 362 points: " in said) == bool(kernel_name())
