"""Small trainings over images, for several tests: a file of images, a spec of it, and comparing what they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from laaf_cli.images.batches import ImageBatches
from laaf_cli.images.plan import ImagePlan, make_image_plan
from laaf_cli.images.trainer import ImageTrainer
from laaf_cli.spec import Override, Text

FILE = "digits.npz"

SPEC = f"""\
title: Small digits
images: {FILE}
model: {{kind: lenet, width: 8}}
slopes: {{kind: nlaaf, n: 2}}
training: {{epochs: 3, batch: 8, learning_rate: 0.05}}
"""


def write_images(
    folder: Path,
    *,
    train: int = 50,
    test: int = 20,
    shape: tuple[int, ...] = (16, 16),
    n_classes: int = 3,
    seed: int = 0,
) -> Path:
    """A file of images that can be told apart: each class is bright in rows of its own, under noise."""
    random = np.random.default_rng(seed)
    arrays = {}
    for part, n in (("train", train), ("test", test)):
        labels = np.arange(n) % n_classes
        pixels = random.integers(0, 160, (n, *shape))
        for label in range(n_classes):
            rows = slice(label * shape[0] // n_classes, (label + 1) * shape[0] // n_classes)
            pixels[labels == label, rows] += 90
        arrays |= {f"x_{part}": pixels.astype(np.uint8), f"y_{part}": labels}
    np.savez(folder / FILE, **arrays)
    return folder / FILE


def image_plan(folder: Path, *assignments: str, yaml: str = SPEC, **how: Any) -> ImagePlan:
    """The plan of a spec in a folder with `--set` assignments; its file is written where it is not there."""
    spec = folder / "digits.yaml"
    spec.write_text(yaml)
    if not (folder / FILE).exists():
        write_images(folder)
    return make_image_plan(
        Text(str(spec), yaml), [Override.from_assignment(a) for a in assignments], **how
    )


def make_trainer(plan: ImagePlan, **how: Any) -> ImageTrainer:
    """A trainer of the plan's network over its images."""
    train, test = (
        ImageBatches(images, plan.augmentation, plan.spec.seed, plan.dtype, plan.device)
        for images in (plan.data.train, plan.data.test)
    )
    return ImageTrainer(
        plan.make_network(), train, test, plan.spec.training, plan.recovery, plan.spec.seed, **how
    )


def different(path: Path, other: Path) -> set[str]:
    """The datasets and attributes in which two run files differ, but for seconds, dates, events and threads."""
    found = set()
    with h5py.File(path) as a, h5py.File(other) as b:
        names: tuple[set[str], set[str]] = (set(), set())
        for known, file in zip(names, (a, b), strict=True):
            file.visititems(
                lambda name, node, known=known: (
                    known.add(name) if isinstance(node, h5py.Dataset) else None
                )
            )
        found |= names[0] ^ names[1]
        for name in (names[0] & names[1]) - {"history/wall_time_s", "history/events"}:
            x, y = a[name][()], b[name][()]
            if (
                np.asarray(x).dtype != np.asarray(y).dtype
                or np.asarray(x).tobytes() != np.asarray(y).tobytes()
            ):
                found.add(name)
        for group in ("/", "checkpoint", "network"):
            mine, others = dict(a[group].attrs), dict(b[group].attrs)
            for name in mine.keys() | others.keys():
                is_how = name in ("created", "n_checkpoints", "threads") or name.endswith("_s")
                if not is_how and mine.get(name) != others.get(name):
                    found.add(f"{group}@{name}")
    return found
