"""The spec of an image classification as frozen, strict models (arXiv 1909.12228, section 4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictStr

from laaf_cli.spec.models import (
    MAX_ENTRIES,
    CheckpointSpec,
    Count,
    DeviceName,
    MaybeCheckpoint,
    Positive,
    Precision,
    Real,
    Seed,
    SlopesSpec,
    StrictModel,
    TaskSpec,
)

IMAGE_EXAMPLES = {
    "images": "mnist",
    "model": "{kind: lenet}",
    "slopes": "{kind: nlaaf, n: 1}",
    "slopes.recovery": "false, or recovery: {weight: 1}",
    "training": "{epochs: 10}",
    "training.drops": "[10, 50]",
}
"""What a key may hold, for hints; a test reads each of them."""


class ImageModelSpec(StrictModel):
    """The network that classifies. What is absent is as `reading` says."""

    kind: str = Field("lenet", description="the architecture")
    width: Annotated[int, Field(ge=1, le=65_536)] | None = Field(
        None,
        description=(
            "neurons of LeNet's fully connected layer: 1014 in the paper, 1024 in the authors' code"
        ),
    )
    dropout: Annotated[Real, Field(ge=0, lt=1)] | None = Field(
        None,
        description=(
            "fraction of them that is dropped in training: 0 in the paper, 0.5 in the authors' code"
        ),
    )
    forgets_n: bool | None = Field(
        None, description="whether ResNet multiplies by a instead of n·a, as the authors' code does"
    )


class ImageSlopesSpec(SlopesSpec):
    """The trainable slopes of the activation functions."""

    n: Annotated[Real, Field(ge=1)] = Field(1.0, description="the scale n; slopes start at 1/n")
    per: Literal["neuron", "channel"] = Field(
        "neuron", description="what has a slope of its own in a convolution of N-LAAF"
    )


class ImageTrainingSpec(StrictModel):
    """Stochastic gradient descent with momentum on the cross entropy."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="passes over the training images; 50 where absent, 200 with augmentation"
    )
    learning_rate: Positive = Field(0.01, description="the first learning rate")
    momentum: Annotated[Real, Field(ge=0, lt=1)] = Field(0.9, description="momentum")
    batch: Count = Field(64, description="images in a step")
    drops: Annotated[list[Count], Field(max_length=MAX_ENTRIES)] | None = Field(
        None,
        description="epochs, counted from 1, at whose beginning the learning rate drops; where "
        "absent 10, and 100 with "
        "augmentation (the authors' code: 10, and 50 or 100)",
    )
    factor: Annotated[Real, Field(gt=0, le=1)] = Field(
        0.1, description="what each drop multiplies it by"
    )


class ImageSpec(TaskSpec):
    """An image classification: the data set, the network, the training."""

    task = "images"
    examples = IMAGE_EXAMPLES
    begin_with = "semeion"
    first_line = "images: semeion"

    title: StrictStr = Field("", description="one line for people")
    source: StrictStr = Field("", description="where the experiment comes from")
    images: StrictStr = Field(
        description=(
            "name of a data set, or an NPZ file with `x_train`, `y_train`, `x_test`, `y_test`"
        )
    )
    reading: Literal["paper", "code"] = Field(
        "paper",
        description="whose set-up counts where the paper's text and the authors' code differ",
    )
    model: ImageModelSpec = Field(default_factory=ImageModelSpec, description="the network")
    slopes: ImageSlopesSpec = Field(
        default_factory=ImageSlopesSpec, description="the adaptive activation"
    )
    augment: bool = Field(
        False, description="whether training images are shifted, turned or mirrored at random"
    )
    training: ImageTrainingSpec = Field(
        default_factory=ImageTrainingSpec, description="how it is trained"
    )
    checkpoint: MaybeCheckpoint = Field(
        default_factory=CheckpointSpec,
        description="how often the training is saved to resume from; `false` turns it off",
    )
    seed: Seed = Field(0, description="the one seed of everything random")
    dtype: Precision = Field("float32", description="precision of the training")
    device: DeviceName = Field("auto", description="`auto` takes CUDA where there is one")
