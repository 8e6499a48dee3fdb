"""Are seeds faster trained as one batch? Iterations per second, summed over the runs, in three ways on one machine.

Burgers' equation, 6×20 tanh, Adam with full batch: a loss, its gradient and an update of the parameters.

one after another    one run at a time with all threads, with the engine that is asked for and with the one in torch
side by side         a process with one thread for each core, each with a run of its own, all at the same time
as one batch of K    the weights of K networks stacked, one Taylor step for all of them (`torch.bmm`), all threads

The stacked step is written out below, forward and backward, in the way of laaf's own torch engine; before the race its
loss is compared with the sum of the losses of the single runs. Turns of the three ways are interleaved in blocks.

    python tests/benchmarks/many_runs.py
    python tests/benchmarks/many_runs.py --points 1000 --dtype float64 --engine taylor
    python tests/benchmarks/many_runs.py --device cuda
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from findings import Findings, Table, make_parser, tell
from torch import Tensor
from turns import Timing, race, timed

from laaf_cli.derivatives import AUTO, ENGINES
from laaf_cli.network.mlp import Mlp
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.runs.train import prepare_torch
from laaf_cli.spec import Override, bundled

NU = 0.01 / np.pi
LEARNING_RATE = 8e-4
SIZES = (1, 2, 4, 8)


def make_burgers(seed: int, options: dict[str, Any]) -> Plan:
    assignments = [f"{key}={value}" for key, value in options["set"].items()]
    assignments += [f"seed={seed}", "slopes.kind=fixed"]
    return make_plan(
        bundled.find("paper/burgers"), [Override.from_assignment(text) for text in assignments]
    )


class SingleRun:
    """A run of laaf: `turn` is one iteration."""

    def __init__(self, seed: int, options: dict[str, Any]) -> None:
        plan = replace(make_burgers(seed, options), engine_name=options["engine"])
        network = plan.make_network()
        self.objective = plan.make_objective(network, plan.draw_points())
        self.optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)

    def turn(self) -> float:
        self.optimizer.zero_grad()
        loss = self.objective.evaluate()
        loss.total.backward()
        self.optimizer.step()
        return loss.total.item()


class _StackedLayer(torch.autograd.Function):
    """tanh(W z + b) for K networks with the streams u, u_x, u_t, u_xx: z [K, 4, n, width] → [K, 4, n, width]."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        streams = torch.bmm(z.flatten(1, 2), weight.transpose(1, 2)).view(*z.shape[:3], -1)
        streams[:, 0] += bias[:, None]
        first = torch.tanh(streams[:, 0])
        second = 1 - first * first
        third = -2 * first * second
        result = streams * second[:, None]
        result[:, 0] = first
        result[:, 3].addcmul_(third, streams[:, 1].square())
        ctx.save_for_backward(z, weight, streams, first, second, third)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        z, weight, streams, first, second, third = ctx.saved_tensors
        result = gradient * second[:, None]
        inner = (gradient[:, 1:] * streams[:, 1:]).sum(1)
        result[:, 0].addcmul_(inner, third)
        fourth = -2 * (second * second + first * third)
        result[:, 0].addcmul_(gradient[:, 3] * fourth, streams[:, 1].square())
        result[:, 1].addcmul_(gradient[:, 3] * third, streams[:, 1], value=2)
        flat = result.flatten(1, 2)
        at_weight = torch.bmm(flat.transpose(1, 2), z.flatten(1, 2))
        return torch.bmm(flat, weight).view_as(z), at_weight, result[:, 0].sum(1)


class StackedRuns:
    """K runs of different seeds as one batch: `turn` is one iteration of all of them."""

    def __init__(self, seeds: Sequence[int], options: dict[str, Any]) -> None:
        plans = [make_burgers(seed, options) for seed in seeds]
        networks = [plan.make_network() for plan in plans]
        points = [plan.draw_points() for plan in plans]
        layers = range(len(networks[0].weights))
        self.weights = [_stacked([network.weights[k] for network in networks]) for k in layers]
        self.biases = [_stacked([network.biases[k] for network in networks]) for k in layers]
        self.optimizer = torch.optim.Adam(
            [*self.weights, *self.biases], lr=LEARNING_RATE, fused=True
        )
        pairs = list(zip(networks, points, strict=True))
        self.inputs = torch.stack(
            [_input_streams(network, each["momentum"].points) for network, each in pairs]
        )
        ends = [np.concatenate([each["initial"].points, each["walls"].points]) for each in points]
        values = [np.concatenate([-np.sin(np.pi * each["initial"].points[:, 0]), np.zeros(len(each["walls"]))])
                  for each in points]  # fmt: skip
        places = [
            network.scaled(_on(network, each)) for network, each in zip(networks, ends, strict=True)
        ]
        self.ends = torch.stack(places).detach()
        self.values = torch.tensor(np.stack(values), dtype=self.ends.dtype, device=self.ends.device)
        # Both conditions have as many points and weigh one half.
        self.end_weight = 1.0

    def loss(self) -> Tensor:
        """The sum of the losses of the runs."""
        z, ends = self.inputs, self.ends
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            z = _StackedLayer.apply(z, weight, bias)
            ends = torch.tanh(torch.baddbmm(bias[:, None], ends, weight.transpose(1, 2)))
        weight, bias = self.weights[-1], self.biases[-1]
        outputs = torch.bmm(z.flatten(1, 2), weight.transpose(1, 2)).view(z.shape[:3])
        u, u_x, u_t, u_xx = outputs.unbind(1)
        residual = u_t + (u + bias) * u_x - NU * u_xx
        misfit = torch.baddbmm(bias[:, None], ends, weight.transpose(1, 2))[..., 0] - self.values
        return (residual.square().mean(1) + self.end_weight * misfit.square().mean(1)).sum()

    def turn(self) -> float:
        self.optimizer.zero_grad()
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def _stacked(parameters: Sequence[Tensor]) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.stack([parameter.detach() for parameter in parameters]))


def _on(network: Mlp, points: Any) -> Tensor:
    return torch.as_tensor(points, dtype=torch.float64, device=network.device)


def _input_streams(network: Mlp, points: Any) -> Tensor:
    """The network's inputs and their derivatives with respect to x, t and x twice, [4, n, 2]."""
    orders = ((0, 0), (1, 0), (0, 1), (2, 0))
    there = _on(network, points)
    return torch.stack([network.inputs.derivative(there, each) for each in orders]).to(
        network.dtype
    )


# Side by side


class SideBySide:
    """Processes that each iterate a run of their own when told to."""

    def __init__(self, n_processes: int, options: dict[str, Any]) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.processes = [
            subprocess.Popen([sys.executable, __file__, "--worker", json.dumps(options | {"seed": seed})],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
            for seed in range(n_processes)
        ]  # fmt: skip
        self._answers()  # they are ready

    def rate(self, seconds: float) -> float:
        """Iterations per second of all processes together."""
        for process in self.processes:
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        return sum(self._answers())

    def _answers(self) -> list[float]:
        return [float(process.stdout.readline()) for process in self.processes]

    def end(self) -> None:
        for process in self.processes:
            process.stdin.close()
            process.wait()


def work(options: dict[str, Any]) -> None:
    """Of one process: for each line with a number of seconds, iterates that long and answers with the rate."""
    torch.set_num_threads(1)
    prepare_torch()
    run = SingleRun(options["seed"], options)
    for _ in range(3):
        run.turn()
    print(0, flush=True)
    for line in sys.stdin:
        began, n = time.perf_counter(), 0
        while time.perf_counter() - began < float(line):
            run.turn()
            n += 1
        print(n / (time.perf_counter() - began), flush=True)


# The race


def compare_losses(settings: dict[str, Any]) -> float:
    """How far the loss of a stack of two is from the sum of its runs, relative; after three iterations of both."""
    single = [SingleRun(seed, settings) for seed in range(2)]
    stacked = StackedRuns(range(2), settings)
    for _ in range(3):
        apart, whole = sum(run.turn() for run in single), stacked.turn()
    return abs(apart - whole) / abs(whole)


def rates(
    settings: dict[str, Any], sizes: Sequence[int], blocks: int, seconds: float, processes: int
) -> dict[str, Timing]:
    """Iterations per second of all runs together, by way: over blocks, each of `seconds` for every way."""
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "one after another": (SingleRun(0, settings).turn, 1)
    }
    if settings["engine"] != "taylor":  # what the batch does, for one run
        ways["one after another, taylor"] = (SingleRun(0, settings | {"engine": "taylor"}).turn, 1)
    for size in sizes:
        ways[f"as one batch of {size}"] = (StackedRuns(range(size), settings).turn, size)
    found: dict[str, list[float]] = {}
    others = SideBySide(processes, settings) if processes else None
    for _ in range(blocks):
        turns = {name: timed(turn) for name, (turn, _) in ways.items()}
        timings = race(turns, 10_000, max_seconds=seconds * len(ways), warm_up=1)
        for name, timing in timings.items():
            found.setdefault(name, []).append(ways[name][1] / timing.median_s)
        if others is not None:
            found.setdefault("side by side", []).append(others.rate(seconds))
    if others is not None:
        others.end()
    return {name: Timing.of(values) for name, values in found.items()}


def parse() -> argparse.Namespace:
    parser = make_parser(__doc__, max_seconds=240)
    parser.add_argument(
        "--points", default="500,2000,10000", help="of the equation; default: %(default)s"
    )
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--engine", choices=list(ENGINES), default=AUTO, help="of single runs; default: %(default)s"
    )
    parser.add_argument(
        "--processes", type=int, default=torch.get_num_threads(), help="default: %(default)s"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.worker:
        work(json.loads(options.worker))
        return
    torch.set_num_threads(options.threads)
    prepare_torch()
    numbers = [int(float(text)) for text in options.points.split(",")]
    sizes = SIZES[:3] if options.quick else SIZES
    blocks = 1 if options.quick else 5
    max_seconds = min(options.max_seconds, 30) if options.quick else options.max_seconds
    seconds = max_seconds / (len(numbers) * blocks * (len(sizes) + 3))
    processes = 0 if options.device == "cuda" else options.processes
    rows, facts = [], {}
    for n in numbers:
        changes = {"points.interior": n, "dtype": options.dtype, "device": options.device}
        settings = {"set": changes, "engine": options.engine}
        facts[f"{n} points: losses apart by"] = f"{compare_losses(settings):.1e}"
        found = rates(settings, sizes, blocks, seconds, processes)
        single = found["one after another"].median_s
        batch = max(
            (name for name in found if "batch" in name), key=lambda name: found[name].median_s
        )
        for name in (batch, *(["side by side"] if processes else [])):
            facts[f"{n} points: {name}"] = f"{found[name].median_s / single:.2f}"
        rows += [
            (f"{n:,}", name, f"{each.median_s:.3g}", f"{each.lower_s:.3g} to {each.upper_s:.3g}",
             f"{each.median_s / single:.2f}")
            for name, each in found.items()
        ]  # fmt: skip
    caption = f"Iterations per second of all runs together, {options.dtype}, {options.device}, engine {options.engine}"
    headers = ("points", "way", "iterations/s", "quartiles", "times one after another")
    tell(Findings("many_runs", {"rates": Table(caption, headers, rows)}, facts), options.output)


if __name__ == "__main__":
    main()
