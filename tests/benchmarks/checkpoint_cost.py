"""What a checkpoint costs: its seconds, its bytes, and its share of a training that is kept every minute.

Burgers' equation on the grid and at the points of the bundled problem, trained as `laaf solve` trains it, with a checkpoint
before every iteration. A checkpoint is the run file of the training as it stands: the solution on the grid of 256 × 100
points is computed, compared with the reference, packed, sealed with a checksum and flushed to the disk.

    python tests/benchmarks/checkpoint_cost.py
    python tests/benchmarks/checkpoint_cost.py --iterations 30 --folder /where/the/disk/is
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from findings import Findings, Table, make_parser, milliseconds, tell

from laaf_cli.errors import SpecError
from laaf_cli.problem import grid_points
from laaf_cli.runs.checkpoints import CheckpointFiles
from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.record import finish
from laaf_cli.runs.train import prepare_torch
from laaf_cli.spec import Override, bundled
from laaf_cli.training import Checkpoints, Trainer, TrainingResult
from laaf_cli.training.checkpoints import SHARE

EVERY_S = 60.0

CASES = (
    ("6×20", [20] * 6, "adam", "float32"),
    ("6×20", [20] * 6, "ssbroyden", "float64"),
    ("8×256", [256] * 8, "adam", "float32"),
    ("8×256", [256] * 8, "ssbroyden", "float64"),
    ("8×256", [256] * 8, "lbfgs", "float64"),
    ("4×56", [56] * 4, "ssbroyden", "float64"),
)
"""The last has about as many parameters as an optimizer with a matrix takes."""


class _EveryIteration(Checkpoints):
    def is_due(self, now: float, *, phase_begins: bool) -> bool:  # noqa: ARG002 - the signature is that of the parent
        return True


HEADERS = (
    "network",
    "optimizer",
    "parameters",
    "iteration, ms",
    "checkpoint, ms",
    "file, MB",
    "share every minute",
    "least interval, s",
)


@dataclass(frozen=True)
class Cost:
    """Seconds of an iteration and of a checkpoint, and the bytes of its file.

    The least interval is that at which checkpoints take the share of the time that laaf gives them.
    """

    n_parameters: int
    iteration_s: float
    checkpoint_s: float
    n_bytes: int

    def row(self, name: str, optimizer: str, dtype: str) -> tuple[str, ...]:
        return (
            name,
            f"{optimizer}, {dtype}",
            f"{self.n_parameters:,}",
            milliseconds(self.iteration_s),
            milliseconds(self.checkpoint_s),
            f"{self.n_bytes / 1e6:.3g}",
            f"{self.checkpoint_s / max(EVERY_S, self.checkpoint_s / SHARE):.2%}",
            f"{self.checkpoint_s / SHARE:.1f}",
        )


def cost_of(hidden: list[int], optimizer: str, dtype: str, iterations: int, folder: Path) -> Cost:
    """Trains with a checkpoint before every iteration; raises SpecError where the network does not suit the optimizer."""
    training = f"[{{optimizer: {optimizer}, iterations: {iterations}}}]"
    assignments = [f"network.hidden={hidden}", f"dtype={dtype}", f"training={training}"]
    plan = make_plan(
        bundled.find("paper/burgers"), [Override.from_assignment(text) for text in assignments]
    )
    files = CheckpointFiles(folder / "run.h5")
    grid = grid_points(plan.problem.grid)
    reference = plan.reference.evaluate(grid) if plan.reference is not None else None
    network = plan.make_network()

    def keep(result: TrainingResult) -> None:
        files.save(finish(plan, network, result, grid, reference, []).record)

    checkpoints = _EveryIteration(keep)
    trainer = Trainer(
        plan.make_objective(network, plan.draw_points()), plan.phases, checkpoints=checkpoints
    )
    seconds = [record.wall_time_s for record in trainer.train().records]
    n_bytes = files.newest.stat().st_size
    files.remove()
    return Cost(
        network.count()[0],
        statistics.median(after - before for before, after in pairwise(seconds)),
        checkpoints.spent_s / checkpoints.n_kept,
        n_bytes,
    )


def main() -> None:
    parser = make_parser(__doc__, None)
    parser.add_argument(
        "--iterations", type=int, default=12, help="of each case; default: %(default)s"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where checkpoints are written; default: that of temporary files",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    prepare_torch()
    rows, refused = [], {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for name, hidden, optimizer, dtype in CASES[: 2 if arguments.quick else None]:
            try:
                cost = cost_of(hidden, optimizer, dtype, arguments.iterations, Path(folder))
                rows.append(cost.row(name, optimizer, dtype))
            except SpecError as error:
                rows.append((name, f"{optimizer}, {dtype}", "refused", *["-"] * (len(HEADERS) - 3)))
                refused[f"{name}, {optimizer}"] = error.faults[0].what
    caption = "One checkpoint: medians of iterations, means of checkpoints"
    tell(
        Findings("checkpoint_cost", {"checkpoints": Table(caption, HEADERS, rows)}, refused),
        arguments.output,
    )


if __name__ == "__main__":
    main()
