"""The layout of the run file of an image classification, beside that of an equation in `layout.py`."""

from __future__ import annotations

from laaf_cli.files.untrusted.hdf5 import Attribute
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.runfile.layout import COMMON_ATTRIBUTES, Entry
from laaf_cli.text import any_of

IMAGE_ATTRIBUTES: dict[str, Attribute] = COMMON_ATTRIBUTES | {
    "problem_hash": Attribute(kind=str, meaning="SHA-256 of the pixels and labels"),
    "model": Attribute(
        kind=str, meaning="architecture of the network: `lenet` or `preact-resnet18`"
    ),
    "epochs": Attribute(kind=int, meaning="whole passes over the training images"),
    "n_train": Attribute(kind=int, meaning="training images"),
    "n_test": Attribute(kind=int, meaning="test images"),
    "n_classes": Attribute(kind=int, meaning="classes"),
    "test_error": Attribute(
        kind=float, meaning="fraction of the test images that are classified wrongly at the end"
    ),
    "test_loss": Attribute(kind=float, meaning="cross entropy of the test images at the end"),
    "train_loss": Attribute(
        kind=float,
        meaning="cross entropy of the training images at the end, in training mode, without S(a)",
    ),
    "images_per_s": Attribute(kind=float, meaning="training images per second of training"),
}

_OF_EPOCH = {
    "iteration": ("int64", "iterations carried out"),
    "wall_time_s": ("float64", "seconds of training so far, without evaluation"),
    "learning_rate": ("float64", "learning rate of the epoch that ends here; the first before it"),
    "train_loss": (
        "float64",
        "cross entropy of all training images, in training mode, without S(a)",
    ),
    "train_error": ("float64", "fraction of them that is classified wrongly, in training mode"),
    "test_loss": ("float64", "cross entropy of the test images"),
    "test_error": ("float64", "fraction of the test images that is classified wrongly"),
    "slope_recovery": ("float64", "S(a), NaN where it is not part of the loss"),
}

IMAGE_COLUMNS = tuple(_OF_EPOCH)
"""What the history holds of every epoch."""

IMAGE_SLOPES = {
    "mean": "mean",
    "deviation": "standard deviation",
    "least": "minimum",
    "greatest": "maximum",
}
"""What is kept of the slopes of a layer at each epoch; all of them would be gigabytes for ResNet."""

IMAGE_LAYOUT: tuple[Entry, ...] = (
    Entry(path="/spec/yaml", kind="text", dimensions="", meaning="the spec as it was given, byte for byte"),
    Entry(path="/spec/path", kind="text", dimensions="", meaning="the file of the spec"),
    Entry(path="/spec/overrides", kind="text", dimensions="", meaning="what the command line put in, as JSON: pairs of a dotted path and YAML"),
    Entry(path="/spec/settings", kind="text", dimensions="", meaning="all settings as JSON: command line put in, defaults written out"),
    Entry(path="/spec/files", kind="text", dimensions="", meaning="the files of the data set, as JSON: name and SHA-256 of each"),
    Entry(path="/spec/classes", kind="text", dimensions="", meaning="the names of the classes, as JSON"),
    Entry(path="/history/epoch", kind="float64", dimensions="epoch", meaning="epochs at whose ends a record was made, a dimension scale; 0 is the start, a fraction the end of a run that was stopped in an epoch"),
    *(Entry(path=f"/history/{name}", kind=kind, dimensions="epoch", meaning=meaning) for name, (kind, meaning) in _OF_EPOCH.items()),
    Entry(path="/history/events", kind="text", dimensions="", meaning="that the training was resumed, as JSON: `iteration` and `what` of each"),
    Entry(path="/slopes/epoch", kind="float64", dimensions="epoch", meaning="the epochs of the history"),
    Entry(path="/slopes/layer", kind="int64", dimensions="layer", meaning="number of the activation with slopes, from 1"),
    *(Entry(path=f"/slopes/{name}", kind="float64", dimensions="epoch, layer", meaning=f"{meaning} of n·a in an activation") for name, meaning in IMAGE_SLOPES.items()),
    Entry(path="/test/confusion", kind="int64", dimensions="", meaning="test images by true class (rows) and found class (columns), at the end"),
    Entry(path="/test/mistakes/pixels", kind="int64", dimensions="", meaning="the first test images that are classified wrongly at the end [n, channels, height, width]", optional=True),
    Entry(path="/test/mistakes/true", kind="int64", dimensions="", meaning="their classes", optional=True),
    Entry(path="/test/mistakes/found", kind="int64", dimensions="", meaning="the classes that were found", optional=True),
    Entry(path="/network/{name}", kind="dtype", dimensions="", meaning="a parameter, a slope (`slopes.values.K`, without n) or a buffer, under its name in PyTorch"),
    Entry(path="/checkpoint/momentum/{name}", kind="dtype", dimensions="", meaning="momentum of a parameter; absent before the first step and where training diverged", optional=True),
)  # fmt: skip

IMAGE_GROUP_ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    "/network": {
        "kind": Attribute(kind=str, meaning=any_of(f"`{name}`" for name in SLOPE_KINDS)),
        "n": Attribute(kind=float, meaning="the scale n"),
        "per": Attribute(
            kind=str,
            meaning="what has a slope of its own in a convolution of N-LAAF: `neuron` or `channel`",
        ),
    },
    "/checkpoint": {
        "iteration": Attribute(kind=int, meaning="iterations carried out"),
        "epoch": Attribute(kind=int, meaning="whole epochs carried out"),
        "batch": Attribute(kind=int, meaning="batches of the next epoch carried out"),
    },
}
