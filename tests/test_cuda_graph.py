"""Captured iterations: when they are captured, anew and not at all, with a stand-in for the graph; on a GPU the graph."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from conftest import Laaf, plan_of
from torch.utils._python_dispatch import TorchDispatchMode

from laaf_cli.derivatives import DerivativeEngine, Prepared
from laaf_cli.expression import Field
from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.mlp import Mlp
from laaf_cli.runfile import RunFile
from laaf_cli.runs.plan import Plan
from laaf_cli.training import Objective, Trainer, TrainingResult
from laaf_cli.training import optimizers as table
from laaf_cli.training.adam import MIN_INTERVAL, AdamStepper, CapturedAdam, make_adam, obstacle
from laaf_cli.training.cuda_graph import N_WARM_UP, CudaRecorder, Repeated

T = TypeVar("T")

BURGERS = """
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
equations: {momentum: "u_t + u*u_x = 0.05*u_xx + min(0*u, 1)"}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x), points: 20, weight: 3}
  walls: {where: boundary, equation: u = 0, points: 20}
points: {interior: 60}
network: {hidden: [8, 8]}
slopes: {kind: nlaaf, n: 5, recovery: {weight: 0.5}}
training: [{iterations: 50, learning_rate: 1e-2, schedule: cosine}]
dtype: float64
"""


@dataclass
class StandIn:
    """Records by keeping the work; `log` says what was run, recorded and repeated."""

    fails: str = ""
    log: list[str] = field(default_factory=list)

    def run(self, work: Callable[[], T]) -> T:
        self.log.append("run")
        return work()

    def record(self, work: Callable[[], T]) -> Callable[[], T]:
        self.log.append("record")
        if self.fails:
            raise RuntimeError(self.fails)

        def repeat() -> T:
            self.log.append("repeat")
            return work()

        return repeat


class Counter:
    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> int:
        self.n += 1
        return self.n


def objective_of(plan: Plan, network: Mlp | None = None) -> Objective:
    return plan.make_objective(
        network or plan.make_network(), plan.problem.draw_points(plan.spec.seed)
    )


def taylor(*assignments: str) -> Plan:
    return replace(plan_of(BURGERS, *assignments), engine_name="taylor")


def train(plan: Plan) -> tuple[TrainingResult, list[torch.Tensor]]:
    network = plan.make_network()
    result = Trainer(objective_of(plan, network), plan.phases).train()
    return result, [parameter.detach().cpu() for parameter in network.parameters()]


def captured(
    plan: Plan, recorder: StandIn, monkeypatch: pytest.MonkeyPatch
) -> tuple[TrainingResult, list[torch.Tensor]]:
    """Trains by `CapturedAdam` on the CPU."""
    row = replace(
        table.OPTIMIZERS["adam"],
        make=lambda objective, phase, done: CapturedAdam(objective, phase, recorder, done),
    )
    monkeypatch.setitem(table.OPTIMIZERS, "adam", row)
    return train(plan)


def same(one: list[torch.Tensor], other: list[torch.Tensor], rtol: float) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=rtol)


def test_work_is_recorded_once_it_is_warm() -> None:
    recorder = StandIn()
    work, counter = Repeated[int](recorder), Counter()
    assert [work(counter) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    assert recorder.log == [*["run"] * N_WARM_UP, "record", *["repeat"] * 3]


def test_work_is_recorded_again_where_its_tensors_are_others() -> None:
    recorder = StandIn()
    work = Repeated[int](recorder)
    for version in [4] * 5 + [5] * 2 + [6] * 5:
        work(Counter(), version)
    once = [*["run"] * N_WARM_UP, "record", *["repeat"] * 2]
    assert recorder.log == [*once, "run", "run", *once]
    assert work.n_records == 2


def test_work_that_cannot_be_recorded_is_run() -> None:
    recorder = StandIn(
        "CUDA error: operation not permitted when stream is capturing\nSearch for it."
    )
    work, counter = Repeated[int](recorder), Counter()
    assert [work(counter, version) for version in [1] * 5 + [2] * 5] == list(range(1, 11))
    assert recorder.log.count("record") == 1, "not tried again"
    assert work.failure == "CUDA error: operation not permitted when stream is capturing"


def test_the_failure_is_the_one_that_ended_the_capture() -> None:
    class EndsInAnother(StandIn):
        def record(self, work: Callable[[], T]) -> Callable[[], T]:
            try:
                raise RuntimeError("the cause")
            finally:
                super().record(work)

    work = Repeated[int](EndsInAnother("operation failed due to a previous error during capture"))
    for _ in range(N_WARM_UP + 1):
        work(Counter())
    assert work.failure == "the cause"


def test_other_errors_are_not_kept() -> None:
    class Broken(StandIn):
        def record(self, work: Callable[[], T]) -> Callable[[], T]:
            raise KeyError(f"a fault of the program in {work}")

    work = Repeated[int](Broken())
    for _ in range(N_WARM_UP):
        work(Counter())
    with pytest.raises(KeyError, match="a fault of the program"):
        work(Counter())


def test_steps_are_those_of_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the rounding of the learning rate, which the device has in float32."""
    plan = taylor()
    expected, by_hand = train(plan)
    recorder = StandIn()
    result, found = captured(plan, recorder, monkeypatch)
    same(found, by_hand, 1e-5)
    assert [r.total for r in result.records] == pytest.approx(
        [r.total for r in expected.records], rel=1e-5
    )
    assert [r.learning_rate for r in result.records] == [r.learning_rate for r in expected.records]
    assert result.state.optimizer.keys() == expected.state.optimizer.keys()
    assert result.captures == ["phase 0 (adam) captured in a CUDA graph"]
    assert recorder.log.count("record") == 2, "the loss with its gradient, and the step"
    assert recorder.log.count("run") == 2 * N_WARM_UP
    assert expected.captures == []


@pytest.mark.parametrize(
    "change", ["points.resample={every: 20}", "weights.balance={method: grad-norm, every: 20}"]
)
def test_the_loss_is_captured_again_after_a_change(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = taylor(change)
    _, by_hand = train(plan)
    recorder = StandIn()
    result, found = captured(plan, recorder, monkeypatch)
    same(found, by_hand, 1e-5)
    assert result.captures == [
        "phase 0 (adam) captured in a CUDA graph, 3 times as points or weights changed"
    ]
    assert recorder.log.count("record") == 4, "the step once"


def test_gradients_stay_the_same_tensors() -> None:
    """The graph of the step reads them; it is not captured anew."""
    plan = taylor()
    network = plan.make_network()
    objective = objective_of(plan, network)
    stepper = CapturedAdam(objective, plan.phases[0], StandIn())
    places: list[list[int]] = []
    for i in range(6):
        loss = stepper.evaluate(i)
        stepper.advance(loss)
        places.append([gradient.data_ptr() for gradient in stepper.gradient])
        if i == 3:
            objective.resample(i)
    assert len(places[0]) == len(list(network.parameters()))
    assert all(each == places[0] for each in places)


@dataclass
class Watched:
    """An engine, and references to all that it gave away."""

    engine: DerivativeEngine
    given: list[weakref.ref[torch.Tensor]]

    def evaluate(self, prepared: Prepared) -> dict[Field, torch.Tensor]:
        fields = self.engine.evaluate(prepared)
        self.given += map(weakref.ref, fields.values())
        return fields


def test_no_graph_of_autograd_is_left() -> None:
    """torch captures no backward pass that meets nodes of an earlier one, which belong to another stream."""
    plan = taylor("weights.balance={method: grad-norm, every: 50}")
    objective = objective_of(plan)
    given: list[weakref.ref[torch.Tensor]] = []
    for group in objective.groups:
        group.engine = Watched(group.engine, given)  # type: ignore[assignment]
    stepper = CapturedAdam(objective, plan.phases[0], StandIn())
    gc.collect()
    gc.disable()
    try:
        objective.rebalance(50, None, 1e-3)
        loss = stepper.evaluate(50)
        alive = [reference for reference in given if reference() is not None]
    finally:
        gc.enable()
    assert not loss.total.requires_grad
    assert len(given) > len(objective.groups)
    assert not alive


def test_nothing_keeps_the_graphs_of_a_phase_that_has_ended() -> None:
    """They hold the memory of all points."""
    plan = taylor()
    stepper = CapturedAdam(objective_of(plan), plan.phases[0], StandIn())
    gc.collect()
    gc.disable()
    try:
        stepper.advance(stepper.evaluate(0))
        reference = weakref.ref(stepper)
        del stepper
        assert reference() is None
    finally:
        gc.enable()


FUNCTIONS = """
title: Functions
coordinates: {x: [0.1, 1], t: [0, 1]}
unknowns: [u]
learn: {c: {start: 1, bounds: [0.5, 2]}, d: {start: 1}}
equations:
  all: >-
    c*u_t + 2**u + u**2*u_xx - abs(u)**u_x/d + abs(u)**2.5 + where(u > 0.5, u_x, 1) + where(x < 0.5, u, u_t)
    + min(u, 0.3) + max(u, u_x) + min(1, u) + abs(u) + sign(u) + floor(3*u) + atan2(u, 1) + erf(u)
    + log(1 + u**2) + tanh(u) = 0
conditions:
  initial: {where: t = 0, equation: u = x, points: 10}
  sides: {where: boundary, equation: u = 0.5, points: 10}
data: {target: {u: exp(-t)}, points: 10}
points: {interior: 40}
network: {hidden: [6, 6]}
slopes: {kind: nlaaf, n: 5, recovery: {weight: 0.5}}
"""

WAITING = {
    "_local_scalar_dense",
    "lift_fresh",
    "nonzero",
    "bincount",
    "masked_select",
    "_unique2",
    "equal",
}
"""Operations that wait for a GPU, or copy from the memory of the processor to its own."""


class Operations(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        arguments: tuple[Any, ...] = (),
        options: dict[str, Any] | None = None,
    ) -> Any:
        name = operation.overloadpacket.__name__
        by_truth = name == "index" and any(
            i is not None and i.dtype == torch.bool for i in arguments[1]
        )
        self.seen.add("nonzero" if by_truth else name)
        return operation(*arguments, **(options or {}))


@pytest.mark.parametrize("balance", ["fixed", "causal"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_in_an_iteration_waits_for_the_device(activation: str, balance: str) -> None:
    yaml = FUNCTIONS.replace("u_xx", "u_x") if ACTIVATIONS[activation].max_order < 2 else FUNCTIONS
    plan = plan_of(yaml, f"network.activation={activation}", f"weights.balance={balance}")
    stepper = CapturedAdam(
        objective_of(replace(plan, engine_name="taylor")), plan.phases[0], StandIn()
    )
    stepper.advance(stepper.evaluate(0))
    with Operations() as operations:
        loss = stepper.evaluate(1)
        stepper.step(stepper._step)
    assert loss.total.isfinite()
    assert {"_fused_adam_", "_foreach_copy_", "minimum", "pow", "where"} <= operations.seen, (
        "backward as well"
    )
    assert not operations.seen & WAITING


def test_what_waits_is_seen() -> None:
    with Operations() as operations:
        torch.as_tensor(1.0)
        torch.ones(2).sum().item()
        torch.bincount(torch.ones(2, dtype=torch.long))
        torch.ones(2)[torch.ones(2) > 0]
    assert {"lift_fresh", "_local_scalar_dense", "bincount", "nonzero"} <= operations.seen


def test_a_failed_capture_does_not_end_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = taylor()
    _, by_hand = train(plan)
    result, found = captured(plan, StandIn("CUDA error: no"), monkeypatch)
    same(found, by_hand, 1e-5)
    assert result.captures == ["phase 0 (adam) not captured in a CUDA graph: CUDA error: no"]


def test_a_phase_may_end_before(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = captured(taylor("training=[{iterations: 2}]"), StandIn(), monkeypatch)
    assert result.captures == [
        "phase 0 (adam) not captured in a CUDA graph: the phase ended before"
    ]


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        ((), ""),
        (("weights.balance={method: causal}",), ""),
        ((f"points.resample={{every: {MIN_INTERVAL}}}",), ""),
        (
            ("training=[{iterations: 9, batch: 10}]",),
            "with 'batch' the points change at every iteration",
        ),
        (
            ("points.resample={every: 49}",),
            "points or weights change more often than every 50 iterations",
        ),
        (
            ("weights.balance={method: ntk, every: 9}",),
            "points or weights change more often than every 50 iterations",
        ),
    ],
)
def test_obstacles(assignments: tuple[str, ...], expected: str) -> None:
    plan = taylor(*assignments)
    assert obstacle(objective_of(plan), plan.phases[0]) == expected


def test_obstacles_of_the_engine_and_of_functions() -> None:
    plan = taylor()
    objective = objective_of(plan)
    objective.problem = replace(objective.problem, functions={"f": abs})  # type: ignore[dict-item]
    assert (
        obstacle(objective, plan.phases[0])
        == "what a Python function does on the processor would not be repeated"
    )
    objective = objective_of(replace(plan, engine_name="nested"))
    assert obstacle(objective, plan.phases[0]) == "only Taylor mode in torch is captured"


def test_nothing_is_captured_on_the_cpu() -> None:
    plan = taylor()
    stepper = make_adam(objective_of(plan), plan.phases[0], 0)
    assert isinstance(stepper, AdamStepper)
    assert stepper.capture == ""
    told = AdamStepper(
        objective_of(plan),
        plan.phases[0],
        not_captured="with 'batch' the points change at every iteration",
    )
    assert (
        told.capture
        == "not captured in a CUDA graph: with 'batch' the points change at every iteration"
    )


def on_cuda(*assignments: str) -> Plan:
    return taylor("device=cuda", *assignments)


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("balance", ["fixed", "causal"])
@pytest.mark.parametrize("activation", ["tanh", "elu"])
def test_captured_is_eager_on_cuda(
    dtype: str, balance: str, activation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = on_cuda(
        f"dtype={dtype}", f"weights.balance={balance}", f"network.activation={activation}"
    )
    graphed, found = train(plan)
    assert graphed.captures == ["phase 0 (adam) captured in a CUDA graph"]
    rtol = 1e-3 if dtype == "float32" else 1e-5
    eager, by_hand = captured(plan, StandIn("no graph"), monkeypatch)
    same(found, by_hand, rtol)
    assert [r.total for r in graphed.records] == pytest.approx(
        [r.total for r in eager.records], rel=rtol
    )
    monkeypatch.setitem(
        table.OPTIMIZERS, "adam", replace(table.OPTIMIZERS["adam"], make=AdamStepper)
    )
    same(found, train(plan)[1], rtol)


@pytest.mark.cuda
def test_capture_again_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = on_cuda("training=[{iterations: 160}]", "points.resample={every: 50, method: rar-d}")
    graphed, found = train(plan)
    assert graphed.captures == [
        "phase 0 (adam) captured in a CUDA graph, 4 times as points or weights changed"
    ]
    monkeypatch.setitem(
        table.OPTIMIZERS, "adam", replace(table.OPTIMIZERS["adam"], make=AdamStepper)
    )
    same(found, train(plan)[1], 1e-4)


@pytest.mark.cuda
def test_a_capture_that_fails_on_cuda() -> None:
    """Reading a value is what a graph cannot hold; afterwards the device and its streams are as before."""
    value = torch.ones(3, device="cuda")
    work = Repeated[float](CudaRecorder())
    stream = torch.cuda.current_stream()
    assert [work(lambda: value.sum().item()) for _ in range(6)] == [3] * 6
    assert "capturing" in work.failure
    assert torch.cuda.current_stream() == stream
    doubled = Repeated[torch.Tensor](CudaRecorder())
    assert [doubled(lambda: 2 * value).tolist() for _ in range(6)] == [[2, 2, 2]] * 6
    assert doubled.n_records == 1


@pytest.mark.cuda
def test_solve_on_cuda(laaf: Laaf, tmp_path: Path) -> None:
    kept = tmp_path / "run.h5"
    done = laaf("solve", "burgers", "--device", "cuda", "--iterations", 300, "-o", kept)
    assert done.code == 0, done.err
    with RunFile(kept) as run:
        assert run.attributes["engine"].endswith("phase 0 (adam) captured in a CUDA graph")
