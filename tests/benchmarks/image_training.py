"""Images per second of LeNet: `laaf classify` against plain loops of PyTorch over the same model, batch for batch.

The model, its weights, the images (28×28, made here) and the batch of 64 are the same for all. A turn is one pass over
the images, without the looks at the network that laaf takes after each, of which its seconds tell nothing either.

laaf: `ImageTrainer` as the command makes it. Plain loop: `DataLoader` over `TensorDataset` with `shuffle`, in this
process, float images in memory, `torch.optim.SGD` with momentum, the model as PyTorch lays it out. Indexed loop: the same
without `DataLoader`: `images[permutation[i : i + 64]]`. All take the loss of every step, as laaf does to see that it is
finite. laaf's process keeps freed memory, which the loops have here as well, and users of PyTorch do not.

    python tests/benchmarks/image_training.py
    python tests/benchmarks/image_training.py --kinds nlaaf --rounds 20 --threads 1
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from findings import Findings, Table, make_parser, tell
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from turns import race, timed

from laaf_cli.images.batches import ImageBatches
from laaf_cli.images.data import ImageData, Images
from laaf_cli.images.models.image_model import ImageModel
from laaf_cli.images.plan import ImagePlan, make_image_plan
from laaf_cli.images.trainer import ImageTrainer
from laaf_cli.runs.train import prepare_torch
from laaf_cli.spec import Override, Text

SPEC = "images: mnist\ntraining: {learning_rate: 1.0e-3, drops: []}\n"
BATCH = 64
PLAIN, INDEXED = "plain loop", "indexed loop"


def make_data(n: int) -> ImageData:
    """Noise, in ten classes."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (n, 1, 28, 28), np.uint8)
    images = Images(pixels, random.integers(0, 10, n))
    few = Images(pixels[:10], np.arange(10))
    return ImageData(train=images, test=few, classes=tuple("0123456789"), files={})


def make_plan(kind: str, n_images: int) -> ImagePlan:
    overrides = [
        Override.from_assignment(f"slopes.kind={kind}"),
        Override.from_assignment("device=cpu"),
    ]
    return make_image_plan(
        Text(str(Path("mnist.yaml")), SPEC), overrides, known={"mnist": make_data(n_images)}
    )


class Ours(ImageTrainer):
    """The trainer, an epoch at a time, without looks at the network."""

    def _look(self) -> None:
        """Takes none of the seconds of a training."""


def make_ours(plan: ImagePlan) -> Callable[[], float]:
    train, test = (
        ImageBatches(images, plan.augmentation, plan.spec.seed, plan.dtype, plan.device)
        for images in (plan.data.train, plan.data.test)
    )
    losses: list[float] = []
    trainer = Ours(
        plan.make_network(),
        train,
        test,
        plan.spec.training,
        plan.recovery,
        plan.spec.seed,
        on_step=lambda _iteration, _seconds, loss: losses.append(loss),
    )
    trainer.clock.resume()

    def turn() -> float:
        trainer._train_epoch()
        return losses[-1]

    return turn


def make_loop(
    plan: ImagePlan, batches: Callable[[Tensor, Tensor], Iterable[tuple[Tensor, Tensor]]]
) -> Callable[[], float]:
    """A pass of a loop as tutorials write it; with slope recovery where the plan has it."""
    model: ImageModel = plan.make_network().to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    images = torch.from_numpy(plan.data.train.pixels).float() / 255
    labels = torch.from_numpy(plan.data.train.labels)
    model.train()

    def turn() -> float:
        value = math.nan
        for x, y in batches(images, labels):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            if plan.recovery is not None:
                loss = loss + plan.recovery.weight * plan.recovery(list(model.slopes.values))
            loss.backward()
            optimizer.step()
            value = loss.item()
        return value

    return turn


def loaded(images: Tensor, labels: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    return DataLoader(TensorDataset(images, labels), batch_size=BATCH, shuffle=True, num_workers=0)


def indexed(images: Tensor, labels: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    for chosen in torch.randperm(len(images)).split(BATCH):
        yield images[chosen], labels[chosen]


def rivals_of(plan: ImagePlan) -> dict[str, Callable[[], float]]:
    """A pass over the images of each, by name; each returns its last loss."""
    return {
        "laaf": make_ours(plan),
        PLAIN: make_loop(plan, loaded),
        INDEXED: make_loop(plan, indexed),
    }


def main() -> None:
    parser = make_parser(__doc__, max_seconds=120)
    parser.add_argument("--kinds", default="fixed,nlaaf", help="of slopes; default: %(default)s")
    parser.add_argument("--images", type=int, default=1280, help="in a pass; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    prepare_torch()
    kinds = options.kinds.split(",")
    rounds, max_seconds = (3, 20) if options.quick else (options.rounds, options.max_seconds)
    tables: dict[str, Table] = {}
    facts: dict[str, str] = {}
    for kind in kinds:
        plan = make_plan(kind, options.images)
        timings = race(
            {name: timed(turn) for name, turn in rivals_of(plan).items()},
            rounds,
            max_seconds=max_seconds / len(kinds),
            warm_up=1,
        )
        ours = timings["laaf"].median_s
        rows = [
            (
                name,
                f"{options.images / timing.median_s:.0f}",
                f"{options.images / timing.upper_s:.0f} to {options.images / timing.lower_s:.0f}",
                f"{timing.median_s / ours:.2f}",
            )
            for name, timing in timings.items()
        ]
        caption = f"LeNet, {kind}, 28x28, batch {BATCH}, float32, {options.threads} threads"
        tables[kind] = Table(
            caption, ("rival", "images per second", "quartiles", "laaf is times as fast"), rows
        )
        for name in (PLAIN, INDEXED):
            facts[f"{kind}: laaf over the {name}"] = f"{timings[name].median_s / ours:.2f}"
    tell(Findings("image_training", tables, facts), options.output)


if __name__ == "__main__":
    main()
