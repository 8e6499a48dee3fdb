"""What a classification takes of the memory, by estimate, and what lowers it."""

from __future__ import annotations

import math

from laaf_cli.classification.plan import ImagePlan
from laaf_cli.memory import Consumer

COPIES = 4
"""Of every parameter: itself, its gradient, its momentum, and the last good one."""


def of_network(plan: ImagePlan) -> list[Consumer]:
    """Weights, gradients, momentum."""
    width, size = plan.spec.model.width, plan.dtype.itemsize
    if not width:
        return []
    n_bytes = COPIES * size * width * 64 * plan.shape.height * plan.shape.width // 16
    return [Consumer(f"the fully connected layer of {width:,} neurons", n_bytes, "A smaller --width takes less")]


def of_training(plan: ImagePlan) -> list[Consumer]:
    """What a step keeps for its gradient, and the images."""
    batch, pixels = plan.spec.training.batch, math.prod(plan.shape[1:])
    kept = 20 * batch * 64 * pixels * plan.dtype.itemsize
    images = plan.data.train.pixels.nbytes + plan.data.test.pixels.nbytes
    return [
        Consumer(f"batches of {batch:,} images", kept, "A smaller --batch takes less"),
        Consumer("the images of the data set", images, "They are held once more on the device"),
        *of_network(plan),
    ]
