"""Several processes of one training, by two that are started here."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from process_pair import CASES

from laaf_cli import processes

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
def found() -> dict[str, Any]:
    """What two processes say of every case."""
    port = free_port()
    pair = [
        subprocess.Popen(
            [sys.executable, PAIR], env=environment(i, port), text=True, stdout=subprocess.PIPE
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


def test_a_process_alone_gets_back_what_it_gives() -> None:
    import torch

    values = torch.randn(5)
    assert processes.total(values) is values
    assert processes.joined(values, 5) is values
    assert processes.mean(values) == values.mean()
    assert processes.share(5) == slice(0, 5)
    assert processes.from_first(lambda: 3) == 3
