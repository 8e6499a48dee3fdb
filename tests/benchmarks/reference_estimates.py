"""The error that references tell of themselves against their error, on problems made to mislead them.

Writes docs/reference-estimates.json, from which docs/generate.py makes the sentence of docs/accuracy.md, and draws
docs/images/reference-estimates.png.

    python tests/benchmarks/reference_estimates.py --processes 2
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from adversarial import SOUND, Verdict, adversaries, judge

ROOT = Path(__file__).resolve().parents[2]


def draw(verdicts: list[Verdict], path: Path) -> None:
    """Estimates and errors on logarithmic axes, as shares of the solution, with the lines of equality and of SOUND."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    solved = [v for v in verdicts if not v.refused]
    least = 1e-17
    estimates = np.array([max(v.estimate / v.size, least) for v in solved])
    errors = np.array([max(v.error / v.size, least) for v in solved])
    ends = np.array([least, 1e-2])
    axes.loglog(ends, ends, color="0.3", linewidth=1, label="error = estimate")
    axes.loglog(
        ends,
        SOUND * ends,
        color="0.3",
        linewidth=1,
        linestyle="--",
        label=f"error = {SOUND:g} × estimate",
    )
    axes.loglog(estimates, errors, "o", markersize=3.5, alpha=0.6, label=f"{len(solved)} problems")
    axes.set(
        xlabel="estimate, relative to the largest value",
        ylabel="error, relative to the largest value",
        xlim=ends,
        ylim=ends,
    )
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs")
    given = parser.parse_args()
    with ProcessPoolExecutor(given.processes) as pool:
        verdicts = []
        for verdict in pool.map(judge, adversaries(given.seed)):
            verdicts.append(verdict)
            told = verdict.refused or f"estimate {verdict.estimate:.1e}, error {verdict.error:.1e}"
            print(
                f"{verdict.name}: {told}, {verdict.seconds:.1f} s{'' if verdict.is_sound else ', UNSOUND'}",
                flush=True,
            )
    rows = [asdict(v) | {"seconds": round(v.seconds, 1)} for v in verdicts]
    text = json.dumps(
        [{k: v for k, v in row.items() if v == v} for row in rows], indent=1, ensure_ascii=False
    )
    (given.out / "reference-estimates.json").write_text(text + "\n", encoding="utf-8")
    draw(verdicts, given.out / "images" / "reference-estimates.png")


if __name__ == "__main__":
    main()
