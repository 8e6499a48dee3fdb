"""What a classification takes of the memory, by estimate, and what lowers it."""

from __future__ import annotations

import math

from laaf_cli.images.models.lenet import feature_maps
from laaf_cli.images.plan import ImagePlan
from laaf_cli.runs.out_of_memory import Consumer, shortage

COPIES = 4
"""Of every parameter: itself, its gradient, its momentum, and the last good one."""

_KEPT = {"lenet": 3, "preact-resnet18": 30}
"""By model, what a step keeps for its gradient, in feature maps as the first convolution makes
them.
"""

_MAPS = 64


def of_network(plan: ImagePlan) -> list[Consumer]:
    """Weights, gradients, momentum; only those of a layer whose width is chosen may be large."""
    width = plan.spec.model.width
    if not width:
        return []
    n_bytes = COPIES * plan.dtype.itemsize * width * math.prod(feature_maps(plan.shape)[1])
    return [
        Consumer(
            f"the fully connected layer of {width:,} neurons",
            n_bytes,
            "A smaller --width lowers it",
        )
    ]


def of_training(plan: ImagePlan) -> list[Consumer]:
    """What a step keeps for its gradient, and the images."""
    batch, height, width = (
        min(plan.spec.training.batch, len(plan.data.train)),
        plan.shape.height,
        plan.shape.width,
    )
    kept = _KEPT[plan.spec.model.kind] * batch * _MAPS * height * width * plan.dtype.itemsize
    images = plan.data.train.pixels.nbytes + plan.data.test.pixels.nbytes
    return [
        Consumer(f"batches of {batch:,} images", kept, "A smaller --batch lowers it"),
        Consumer(
            "the images of the data set, which are held twice",
            2 * images,
            "A smaller data set lowers it",
        ),
        *of_network(plan),
    ]


def warning(plan: ImagePlan) -> str:
    """That training will hardly fit into the memory that is free; empty where it will, and on a
    GPU.
    """
    return shortage("the training", of_training(plan)) if plan.device.type == "cpu" else ""
