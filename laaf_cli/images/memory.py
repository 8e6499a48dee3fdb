"""What a training on images takes of the memory, by estimate."""

from __future__ import annotations

import math

from laaf_cli.images.models.lenet import feature_maps
from laaf_cli.images.plan import ImagePlan
from laaf_cli.runs.memory import Consumer

COPIES = 4
"""Of every parameter: itself, its gradient, its momentum, and the last good one."""

_KEPT = {"lenet": 3, "preact-resnet18": 30}
"""By model, what a step keeps for its gradient, in 64 feature maps as the first convolution makes
them.
"""


def of_run(plan: ImagePlan) -> list[Consumer]:
    """What a step keeps for its gradient, the images, and the layer whose width is chosen."""
    n_images, shape = min(plan.spec.training.batch, len(plan.data.train)), plan.shape
    size, width = plan.dtype.itemsize, plan.spec.model.width or 0
    activations = _KEPT[plan.spec.model.kind] * n_images * 64 * shape.height * shape.width * size
    images = plan.data.train.pixels.nbytes + plan.data.test.pixels.nbytes
    layer = COPIES * size * width * math.prod(feature_maps(shape)[1]) if width else 0
    return [
        Consumer(f"batches of {n_images:,} images", activations, "A smaller `batch` lowers it."),
        Consumer("the images, which are held twice", 2 * images, "A smaller data set lowers it."),
        Consumer(f"the layer of {width:,} neurons", layer, "A smaller `width` lowers it."),
    ]
