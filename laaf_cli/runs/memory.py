"""What a run takes of the memory, by estimate, and how much of it is free."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from laaf_cli import processes
from laaf_cli.derivatives import AUTO as FASTEST
from laaf_cli.derivatives import FUSED, obstacle
from laaf_cli.multi_index import lower_set
from laaf_cli.problem import Term
from laaf_cli.runs.plan import Plan
from laaf_cli.runs.plan_faults import n_parameters
from laaf_cli.text import listed
from laaf_cli.training import OPTIMIZERS
from laaf_cli.training.groups import MOST_AT_ONCE, POINTS_OF_A_BLOCK
from laaf_cli.training.lowering import lower

DOUBLE = 8
"""Bytes of a number in float64."""


@dataclass(frozen=True)
class Consumer:
    """Something that takes memory: its bytes by estimate, and a sentence on what lowers them."""

    what: str
    n_bytes: int
    remedy: str


def of_run(plan: Plan) -> list[Consumer]:
    """The evaluation grid, and the phase of the training that takes the most."""
    axes = [len(axis) for axis in plan.problem.grid]
    n_columns = 2 * len(axes) + 4 * len(plan.problem.unknowns)  # references and errors among them
    grid = Consumer(
        f"the evaluation grid, {' × '.join(f'{n:,}' for n in axes)} points",
        DOUBLE * n_columns * math.prod(axes),
        "A smaller evaluation.grid lowers it.",
    )
    phases = ([grid, *_of_phase(plan, i)] for i in range(len(plan.spec.training)))
    return max(phases, key=lambda phase: sum(consumer.n_bytes for consumer in phase))


def _of_phase(plan: Plan, phase: int) -> Iterator[Consumer]:
    """What the optimizer keeps, the network among it, and the layers at the points of the terms."""
    name, n = plan.spec.training[phase].optimizer, n_parameters(plan.spec, plan.problem, phase)
    n_bytes = {other: 2 * DOUBLE * row.memory(n) for other, row in OPTIMIZERS.items()}
    less = [other for other in OPTIMIZERS if n_bytes[other] < n_bytes[name]]
    other = f"training.{phase}.optimizer: {less[-1]} keeps less, and f" if less else "F"
    yield Consumer(
        f"what '{name}' keeps of {n:,} parameters, and a checkpoint of it",
        n_bytes[name],
        f"{other}ewer neurons in network.hidden lower it.",
    )
    equations = [term for term in plan.problem.trained_terms if term.kind == "equation"]
    others = [[term] for term in plan.problem.trained_terms if term.kind != "equation"]
    for terms in filter(None, [equations, *others]):
        yield _of_points(plan, phase, terms)


def _of_points(plan: Plan, phase: int, terms: Sequence[Term]) -> Consumer:
    """Points that terms share, and what the backward pass needs of every layer there.

    The kernel works on a block of points at a time, and keeps inputs and outputs alone.
    """
    key, name = f"conditions.{terms[0].name}.points", f"'{terms[0].name}'"
    n_points, training = terms[0].region.n_points, plan.spec.training
    if terms[0].kind == "equation":
        key, name = "points.interior", "the equations"
        n_points = next(
            (spec.interior for spec in reversed(training[: phase + 1]) if spec.interior), n_points
        )
    elif terms[0].kind == "data":
        key = "data.points"
    ways = [f"a smaller {key}", "fewer neurons in network.hidden"]
    if plan.spec.dtype == "float64":
        ways.insert(0, "dtype: float32")
    if "batch" in OPTIMIZERS[training[phase].optimizer].keys:
        ways.insert(0, f"training.{phase}.batch")

    lowered = lower(terms, plan.problem.learned)
    needed = [field.orders for field in lowered.fields]
    needed += [orders for operator in lowered.operators for orders in operator.orders]
    n_streams, order = len(lower_set(needed)), max(term.order for term in terms)
    dimension, hidden = plan.problem.domain.dimension, plan.spec.network.hidden
    n_numbers = n_streams * (dimension + 4 * len(plan.problem.ansatz.outputs))
    what = f"{n_points:,} points of {name}"
    if obstacle(plan.device.type, plan.spec.network.activation, order):
        is_fused = False
    else:
        is_fused = plan.engine_name in (FASTEST, FUSED)
        if not is_fused:
            ways.insert(0, f"`derivatives='{FUSED}'`")
    if not is_fused:
        # Of each layer its streams before and after the activation, and the derivatives of the
        # activation.
        n_numbers += sum(hidden) * (2 * n_streams + order + 1) + 4 * n_streams * max(hidden)
        what += f", with the layers and their {n_streams} derivatives there"
    n_own = -(-n_points // processes.count())
    at_once = training[phase].batch or (POINTS_OF_A_BLOCK if n_own > MOST_AT_ONCE else n_own)
    n_bytes = 4 * DOUBLE * dimension * n_points + plan.dtype.itemsize * n_numbers * at_once
    return Consumer(what, n_bytes, f"It is lowered by {listed(ways)}.")


def advice(consumers: Sequence[Consumer]) -> str:
    """What takes the most, and what lowers it; empty without a consumer."""
    most = max(consumers, key=lambda consumer: consumer.n_bytes, default=None)
    return f"Estimated {in_bytes(most.n_bytes)} for {most.what}. {most.remedy}" if most else ""


def warning(device: str, consumers: Sequence[Consumer], free: float | None = None) -> str:
    """That a training will hardly fit into the memory that is free, and what lowers it; empty where
    it will.

    Linux gives out more than it has, and ends the process that then uses it: no error comes of it.
    On a GPU there is no warning: running out of memory is reported when it happens.
    """
    needed, free = (
        sum(consumer.n_bytes for consumer in consumers),
        free_bytes() if free is None else free,
    )
    if device != "cpu" or needed <= free:
        return ""
    return (
        f"the run needs about {in_bytes(needed)} of memory; {in_bytes(free)} are available\n"
        f"{advice(consumers)}"
    )


def free_bytes(
    machine: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")
) -> float:
    """What this process may still take of the memory of the machine, and of what a container or a
    batch system allows; infinite where neither is known.
    """
    free = [math.inf]
    with suppress(OSError, ValueError):
        [kilobytes] = re.findall(r"MemAvailable: +(\d+) kB", machine.read_text(encoding="ascii"))
        free.append(1024 * int(kilobytes))
    with suppress(OSError, ValueError):  # of the word "max", where there is no limit
        most, used, kinds = (
            (group / f"memory.{name}").read_text(encoding="ascii")
            for name in ("max", "current", "stat")
        )
        [cached] = re.findall(r"^inactive_file (\d+)", kinds, re.MULTILINE)  # can be had back
        free.append(int(most) - int(used) + int(cached))
    return min(free)


def in_bytes(n_bytes: float) -> str:
    """A number of bytes as a person reads it."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1e3:.3g} kB"
