"""One loss and gradient on the paper's Burgers network: Taylor mode against nested autograd.

6×20 tanh network, 10000 interior + 400 condition points, full batch. The engines take turns, so that what
else the machine does falls on both; medians are printed, and their ratio.

    python tests/benchmarks/step_time.py [--dtype float64] [--threads 2] [--device cuda] [--rounds 40]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from laaf_cli import bundled
from laaf_cli.plan import make_plan
from laaf_cli.run import prepare_torch
from laaf_cli.spec import Override


def make_step(engine: str, dtype: str, device: str) -> Callable[[], float]:
    """A function that computes the loss and its gradient once and returns the loss."""
    overrides = [Override(("dtype",), dtype, "--dtype "), Override(("device",), device, "--device ")]
    plan = replace(make_plan(bundled.find("burgers"), overrides), engine_name=engine)
    network = plan.make_network()
    objective = plan.make_objective(network, plan.problem.draw_points(plan.spec.seed))

    def step() -> float:
        network.zero_grad()
        loss = objective.evaluate()
        loss.total.backward()
        return loss.total.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    prepare_torch()
    steps = {engine: make_step(engine, options.dtype, options.device) for engine in ("taylor", "nested")}
    losses = {engine: step() for engine, step in steps.items()}
    times: dict[str, list[float]] = {engine: [] for engine in steps}
    for round_ in range(options.rounds + 5):
        for engine, step in steps.items():
            began = time.perf_counter()
            step()
            if round_ >= 5:
                times[engine].append(1e3 * (time.perf_counter() - began))
    print(f"Burgers 6x20, 10000 + 400 points, {options.dtype}, {options.device}, {options.threads} threads")
    medians = {engine: statistics.median(found) for engine, found in times.items()}
    for engine, median in medians.items():
        quartiles = statistics.quantiles(times[engine], n=4)
        print(
            f"{engine:8s} {median:7.2f} ms  (quartiles {quartiles[0]:.2f} to {quartiles[2]:.2f})  loss {losses[engine]:.8f}"
        )
    print(f"nested / taylor = {medians['nested'] / medians['taylor']:.2f}")


if __name__ == "__main__":
    main()
