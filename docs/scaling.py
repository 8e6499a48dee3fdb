"""Measures what several processes bring and what many points take on this machine, and writes docs/scaling.md.

The page leaves out seconds that were not measured.

    OMP_NUM_THREADS=1 python docs/scaling.py           measures all, for some twenty minutes; nothing else may run
    python docs/scaling.py --memory                    measures the memory alone
    python docs/scaling.py --page                      writes the page and its figure from docs/scaling.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from laaf_cli.files.atomic import replacing
from laaf_cli.runs.scaling import Link, iteration_s, sum_s
from laaf_cli.training.groups import MOST_AT_ONCE, POINTS_OF_A_BLOCK

DOCS = Path(__file__).resolve().parent
PAGE, FOUND, FIGURE = DOCS / "scaling.md", DOCS / "scaling.json", DOCS / "images" / "scaling.png"
MEASURE = DOCS.parent / "tests" / "benchmarks" / "processes.py"

MANY = 20_000_000
LINKS = {"25 Gbit/s network": Link(2.5e-5, 25e9 / 8), "NVLink": Link(5e-6, 4.5e11)}
MOST = 1024
FEW = 100_000
DRAWN = (10_000, 100_000, 1_000_000, 10_000_000)

TEXT = """# Scaling

```sh
laaf solve my.yaml --processes 4                           # of this machine
torchrun --nproc-per-node 4 -m laaf_cli solve my.yaml      # as clusters start them
torchrun --nproc-per-node 4 my.py                          # that calls laaf.solve
srun laaf solve my.yaml                                    # a process for each task of Slurm
laaf resume runs/my.h5 --processes 2                       # any number, whoever began
```

**What is divided.** The points of every term; weights are the same in all processes. One sum an iteration, of loss,
gradient, seconds and signals, goes round in a ring, by Gloo or, with a GPU for each process, NCCL (not tried yet). Least
squares joins triangular factors (TSQR), Levenberg-Marquardt sums JᵀJ. The first process solves for the reference, writes
and reports; all read spec and checkpoint, of one file system. Threads are divided unless `OMP_NUM_THREADS` is set.

**The same answer.** Two runs with one number of processes are equal bit for bit; every 100 iterations all compare a hash
of weights and optimizer. Another number rounds sums differently. In float64, 100 iterations of Adam agree to 1e-15.
Quasi-Newton phases multiply any rounding: on Burgers' equation to 1e-11 after 25 iterations, 1e-9 after 50, 1e-5 after
100.

**Faults.** A process that is killed ends all within seconds; `torchrun --max-restarts` then resumes. Slurm's
`--signal=USR1@60` saves the run a minute before its time limit (under `torchrun`, `TERM@60`). `--timeout`: how long
they wait for one another at first.

**Many points.** A process takes more than {most_at_once} points in blocks of {block}.
{many} interior points of `paper/burgers` peaked at {peak:.2f} GiB in one process.
"""

PAYS = """
## When it pays

Seconds of an iteration of Adam for `paper/burgers` (float32, {n_parameters:,} parameters) here, one thread for each
process, by `docs/scaling.py`:

| points | one process | two | times as fast | model |
| --- | --- | --- | --- | --- |
{rows}

With N points, n parameters and p processes

$$
T(p) = t_0 + t_1 \\frac{{N}}{{p}} + t_2 + 2 (p - 1) \\Bigl( \\alpha + \\frac{{8 (n + 9)}}{{p B}} \\Bigr) .
$$

t₀ = {alone:.2g} s and t₁ = {each:.2g} s are fitted to one process; t₂ = {besides:.2g} s, which several take besides, to
two of up to {few:,} points; α = {latency:.2g} s and B = {speed:.2g} bytes/s are timed with sums alone. Two processes
only cost below {least:,} points; `laaf check` says so of a spec.

![Seconds of an iteration against the number of processes, for four numbers of points](images/scaling.png)

Drawn with the points per second of this processor, α = 25 µs and 25 Gbit/s (lines), α = 5 µs and
450 GB/s (NVLink, dashed).
"""


def timed() -> dict[str, Any]:
    """Seconds of one and of two processes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        subprocess.run([sys.executable, MEASURE, "--output", out], check=True)  # noqa: S603
        found: dict[str, Any] = json.loads(out.read_text())
        return found


def peak_of_many() -> dict[str, Any]:
    """The memory of a process that trains at many points, and writes checkpoints and a run file."""
    command = f"-m laaf_cli solve paper/burgers --set points.interior={MANY} --set reference.kind=none -i 2 -q"
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *command.split(), "-o", f"{folder}/run.h5"], stdout=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("many points were not trained")
    return {"peak_bytes_of_many": 1024 * usage.ru_maxrss}


def fitted(found: dict[str, Any]) -> tuple[float, float]:
    """t₀ and t₁, by the relative errors of all numbers of points."""
    points = np.array([row["points"] + found["conditions"] for row in found["points"]])
    seconds = np.array([row["one_s"] for row in found["points"]])
    rows = np.stack([np.ones(len(points)), points], axis=1) / seconds[:, None]
    alone, each = np.linalg.lstsq(rows, np.ones(len(points)), rcond=None)[0]
    return max(0.0, float(alone)), float(each)


def link_of(found: dict[str, Any]) -> Link:
    """α and B by sums alone, and t₂ by the median of what two processes take more than the rest of
    the model, where points are few.
    """
    small, large = found["small_sum_s"], found["large_sum_s"]
    link = Link(small / 2, 8_000_000 / (large - small))
    alone, each = fitted(found)
    more = [
        row["two_s"]
        - iteration_s(
            alone, each * (row["points"] + found["conditions"]), found["n_parameters"], 2, link
        )
        for row in found["points"]
        if row["points"] <= FEW
    ]
    return replace(link, besides_s=max(0.0, float(np.median(more))))


def page(found: dict[str, Any]) -> str:
    text = TEXT.format(
        most_at_once=f"{MOST_AT_ONCE:,}",
        block=f"{POINTS_OF_A_BLOCK:,}",
        many=f"{MANY:,}",
        peak=found["peak_bytes_of_many"] / 2**30,
    )
    if "points" not in found:
        return text
    alone, each = fitted(found)
    link, n_parameters = link_of(found), found["n_parameters"]
    rows = []
    for row in found["points"]:
        n, one, two = row["points"], row["one_s"], row["two_s"]
        model = iteration_s(alone, each * (n + found["conditions"]), n_parameters, 2, link)
        rows.append(f"| {n:,} | {one:.3g} | {two:.3g} | {one / two:.2f} | {model:.3g} |")
    least = 2 * sum_s(n_parameters, 2, link) / each
    return text + PAYS.format(
        n_parameters=n_parameters,
        rows="\n".join(rows),
        alone=alone,
        each=each,
        besides=link.besides_s,
        few=FEW,
        latency=link.latency_s,
        speed=link.bytes_per_s,
        least=round(least / 100) * 100,
    )


def draw(found: dict[str, Any]) -> None:
    alone, each = fitted(found)
    besides = link_of(found).besides_s
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    counts = 2 ** np.arange(int(np.log2(MOST)) + 1)
    for i, n in enumerate(DRAWN):
        for link, style in zip(LINKS.values(), ("-", "--"), strict=True):
            seconds = [
                iteration_s(
                    alone, each * n, found["n_parameters"], int(p), replace(link, besides_s=besides)
                )
                for p in counts
            ]
            axes.loglog(
                counts,
                seconds,
                style,
                color=f"C{i}",
                label=f"{n:,} points" if style == "-" else None,
            )
    axes.set_xlabel("processes")
    axes.set_ylabel("seconds of an iteration")
    axes.legend(frameon=False)
    figure.savefig(FIGURE, dpi=110)


def main() -> None:
    wanted = sys.argv[1:]
    found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    if not wanted:
        found |= timed()
    if "--page" not in wanted:
        found |= peak_of_many()
        FOUND.write_text(json.dumps(found, indent=1) + "\n")
    if "points" in found:
        draw(found)
    with replacing(PAGE) as part:
        part.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
