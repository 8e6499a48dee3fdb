"""Memory that runs out: one error in all cases, with what takes the most and the setting that lowers it."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Laaf, plan_of
from laaf_process import LaafProcess, with_room
from syrupy.assertion import SnapshotAssertion

from laaf_cli.derivatives.kernel import KernelMissing, load_library
from laaf_cli.errors import OutOfMemoryError, within_memory
from laaf_cli.runs import memory
from laaf_cli.runs.memory import Consumer, in_bytes
from laaf_cli.runs.plan_faults import n_parameters
from laaf_cli.training import Trainer

HEAT = """\
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
conditions:
  initial: {where: t = 0, equation: u = sin(pi*x), points: 20}
  walls: {where: [x = 0, x = 1], equation: u = 0, points: 20}
points: {interior: 50, validation: 10}
network: {hidden: [5]}
training: [{optimizer: adam, iterations: 2}]
reference: none
evaluation: {grid: {x: 4, t: 4}, times: [0.5]}
"""

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the limit of the address space is Linux's"
)


@dataclass(frozen=True)
class Ended:
    """What is left of a process."""

    returncode: int
    stderr: str


def laaf_with(room_mb: int, folder: Path, *arguments: object) -> Ended:
    """A command in a process of its own that has so many MB besides what it begins with."""
    process = LaafProcess(folder, *arguments, prepare=partial(with_room, room_mb))
    return Ended(process.ended(), process.said())


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "heat.yaml"
    path.write_text(HEAT)
    return path


@linux
def test_a_dense_inverse_hessian(
    spec: Path,
    tmp_path: Path,
    laaf: Laaf,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    settings = ["--set", "network.hidden=[40,40,40]", "--set", "dtype=float64"]
    phases = "training=[{optimizer: adam, iterations: 2}, {optimizer: ssbroyden, iterations: 1}]"
    found = laaf_with(80, tmp_path, "solve", spec, "--set", phases, *settings, "--quiet")
    assert found.returncode == 2
    assert found.stderr == snapshot
    monkeypatch.chdir(tmp_path)
    assert laaf("resume", "runs/heat-nlaaf-n10-s0.h5", "--quiet").code == 0


@linux
def test_the_layers_at_many_points(spec: Path, tmp_path: Path) -> None:
    settings = [
        "--derivatives",
        "taylor",
        "--set",
        "points.interior=200000",
        "--set",
        "network.hidden=[40,40,40]",
    ]
    found = laaf_with(150, tmp_path, "solve", spec, *settings)
    assert found.returncode == 2
    assert found.stderr.endswith(
        "error: memory ran out while training\n"
        "Estimated 1.6 GB for 200,000 points of the equations, with the layers and their 4 "
        "derivatives there. It is lowered by --derivatives fused, training.0.batch, a smaller "
        "points.interior, fewer neurons in network.hidden.\n"
    )


@linux
@pytest.mark.parametrize("command", ["solve", "check"])
def test_the_points_themselves(spec: Path, tmp_path: Path, command: str) -> None:
    found = laaf_with(150, tmp_path, command, spec, "--set", "points.interior=50000000", "--quiet")
    assert found.returncode == 2
    doing = {"solve": "training", "check": "evaluating the loss once"}[command]
    assert f"error: memory ran out while {doing}\n" in found.stderr
    assert "GB for 50,000,000 points of the equations" in found.stderr
    assert "a smaller points.interior" in found.stderr
    assert "Traceback" not in found.stderr


@linux
def test_the_evaluation_grid(spec: Path, tmp_path: Path) -> None:
    found = laaf_with(
        60, tmp_path, "solve", spec, "--set", "evaluation.grid={x: 2000, t: 2500}", "--quiet"
    )
    assert found.returncode == 2
    assert (
        "the evaluation grid, 2,000 × 2,500 points. A smaller evaluation.grid lowers it."
        in found.stderr
    )
    assert not list(tmp_path.rglob("*.h5"))


@linux
def test_the_kernel_ends_no_process() -> None:
    """std::bad_alloc out of a network of more layers than there is memory for."""
    if isinstance(load_library(), KernelMissing):
        pytest.skip("there is no kernel here")
    code = """
import resource, torch
from laaf_cli.derivatives.kernel import KernelNetwork, Shape, load_library
library = load_library()
network = KernelNetwork(Shape(
    n_inputs=2, hidden=(3,), n_outputs=1, activation="tanh", n_first=0, operators=(),
    slope_counts=(0,), scale=1.0,
))
network.pointer._obj.n_hidden = 2**31 - 2
resource.setrlimit(resource.RLIMIT_AS, (8 * 10**9,) * 2)
try:
    library.workspace(network, 10, 1, 0, torch.float64)
except MemoryError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "the kernel lacks memory\n"), found.stderr


def test_cuda_out_of_memory(
    spec: Path,
    tmp_path: Path,
    laaf: Laaf,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    def without_memory(_trainer: Trainer) -> None:
        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 15.78 GiB of which 3 MiB "
            "is free."
        )

    monkeypatch.setattr(Trainer, "train", without_memory)
    found = laaf(
        "solve", spec, "--output", tmp_path / "run.h5", "--derivatives", "taylor", "--quiet"
    )
    assert found.code == 2
    first, *middle, last = found.err.splitlines()
    assert first == snapshot
    assert middle
    assert last == snapshot


@pytest.mark.cuda
def test_real_cuda_out_of_memory(spec: Path, tmp_path: Path, laaf: Laaf) -> None:
    torch.cuda.set_per_process_memory_fraction(
        100e6 / torch.cuda.get_device_properties(0).total_memory
    )
    try:
        settings = [
            "--device",
            "cuda",
            "--set",
            "points.interior=200000",
            "--set",
            "network.hidden=[40,40,40]",
        ]
        found = laaf("solve", spec, *settings, "--output", tmp_path / "run.h5", "--quiet")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert found.code == 2
    assert "error: the memory of the GPU ran out while training" in found.err
    assert "a smaller points.interior" in found.err


@pytest.mark.parametrize(
    "allocate", [lambda: np.empty(2**55), lambda: torch.empty(2**55), lambda: bytearray(2**60)]
)
def test_what_libraries_say_of_memory(allocate: Callable[[], object]) -> None:
    with (
        pytest.raises(OutOfMemoryError, match="memory ran out while testing"),
        within_memory("testing"),
    ):
        allocate()


@pytest.mark.parametrize(
    "text", ["std::bad_alloc", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling x"]
)
def test_what_only_texts_tell(text: str) -> None:
    with pytest.raises(OutOfMemoryError), within_memory("testing"):
        raise RuntimeError(text)


def test_other_failures_stay_what_they_are() -> None:
    for failure in (
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("no"),
        OSError(28, "full"),
    ):
        with pytest.raises(type(failure)) as found, within_memory("testing"):
            raise failure
        assert found.value is failure


def test_the_largest_is_named(snapshot: SnapshotAssertion) -> None:
    consumers = [
        Consumer(name, n_bytes, f"{name} less.") for name, n_bytes in (("a", 9), ("b", 40))
    ]
    with (
        pytest.raises(OutOfMemoryError) as found,
        within_memory("testing", lambda: memory.advice(consumers)),
    ):
        raise MemoryError
    assert str(found.value) == snapshot


def test_what_will_not_fit_is_said_beforehand(snapshot: SnapshotAssertion) -> None:
    """Linux gives out more memory than there is, and kills who uses it."""
    phases = "training=[{iterations: 1}, {optimizer: bfgs, iterations: 1}]"
    consumers = memory.of_run(plan_of(HEAT, phases, "network.hidden=[9,9]"))
    assert memory.warning("cpu", consumers) == ""
    assert memory.warning("cuda", consumers, 2e5) == ""
    assert memory.warning("cpu", consumers, 2e5) == snapshot


@linux
@pytest.mark.parametrize("command", ["check", "solve"])
def test_the_warning_comes_first(spec: Path, tmp_path: Path, command: str) -> None:
    settings = ["points.interior=4000000", "--set", f"network.hidden={[200] * 10}"]
    found = laaf_with(150, tmp_path, command, spec, "--derivatives", "taylor", "--set", *settings)
    assert found.returncode == 2
    warned, error = found.stderr.split("error: ")
    assert "warning: the run needs about 404 GB of memory; " in warned
    assert "GB for 4,000,000 points of the equations, with the layers" in warned
    assert error.startswith("memory ran out while ")


def test_free_memory(tmp_path: Path) -> None:
    assert 0 < memory.free_bytes() < math.inf
    group = {
        "memory.max": "2000000\n",
        "memory.current": "1500000\n",
        "memory.stat": "anon 5\ninactive_file 300000\n",
    }
    for name, text in group.items():
        (tmp_path / name).write_text(text)
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 9000 kB\nMemAvailable:    1000 kB\n")
    assert memory.free_bytes(machine, tmp_path) == 800_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes(machine, tmp_path) == 1_024_000
    machine.unlink()
    assert memory.free_bytes(machine, tmp_path) == math.inf


def test_numbers_of_bytes() -> None:
    assert [in_bytes(n) for n in (1_500, 2e6, 7.46e9, 3e12)] == [
        "1.5 kB",
        "2 MB",
        "7.46 GB",
        "3 TB",
    ]


@pytest.mark.parametrize("hidden", ["[7, 9]", "[4]"])
def test_the_number_of_parameters(hidden: str) -> None:
    plan = plan_of(HEAT, f"network.hidden={hidden}")
    assert n_parameters(plan.spec, plan.problem, 0) == plan.make_network().count()[0]
    walls = "  walls: {where: [x = 0, x = 1], equation: u = 0, points: 20}\n"
    periodic = plan_of(HEAT.replace(walls, ""), f"network.hidden={hidden}", "periodic.x=3")
    assert n_parameters(periodic.spec, periodic.problem, 0) == periodic.make_network().count()[0]


def test_the_estimate_of_the_layers_is_near_what_they_take() -> None:
    """Measured by torch: all that autograd keeps between the two passes, and the gradients of a layer."""
    plan = plan_of(HEAT, "points.interior=3000", "network.hidden=[30,30,30]", "dtype=float64")
    plan = replace(plan, engine_name="taylor")
    [estimate] = [
        each
        for each in memory.of_run(plan)
        if re.match("3,000 points of the equations, with the layers", each.what)
    ]
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    objective = plan.make_objective(plan.make_network(), plan.draw_points())
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        objective.evaluate()
    assert 0.6 * estimate.n_bytes < sum(kept.values()) < estimate.n_bytes
