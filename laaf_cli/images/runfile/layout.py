"""The layout of the run file of an image classification, beside that of an equation in `layout.py`."""

from __future__ import annotations

from laaf_cli.runfile.layout import COMMON_ATTRIBUTES, Attribute, Entry

IMAGE_ATTRIBUTES: dict[str, Attribute] = COMMON_ATTRIBUTES | {
    "model": Attribute(str, "architecture of the network: `lenet` or `preact-resnet18`"),
    "epochs": Attribute(int, "whole passes over the training images"),
    "n_train": Attribute(int, "training images"),
    "n_test": Attribute(int, "test images"),
    "n_classes": Attribute(int, "classes"),
    "subset": Attribute(
        str, "which part of the data set was used where it was not the whole, else empty"
    ),
    "test_error": Attribute(
        float, "share of the test images that are classified wrongly at the end"
    ),
    "test_loss": Attribute(float, "cross entropy of the test images at the end"),
    "train_loss": Attribute(
        float, "cross entropy of the training images at the end, in training mode, without S(a)"
    ),
    "images_per_s": Attribute(float, "training images per second of training"),
}

_OF_EPOCH = {
    "iteration": ("int64", "iterations carried out"),
    "wall_time_s": ("float64", "seconds of training so far, without evaluation"),
    "learning_rate": ("float64", "learning rate of the epoch that ends here; the first before it"),
    "train_loss": (
        "float64",
        "cross entropy of all training images, in training mode, without S(a)",
    ),
    "train_error": ("float64", "share of them that is classified wrongly, in training mode"),
    "test_loss": ("float64", "cross entropy of the test images"),
    "test_error": ("float64", "share of the test images that is classified wrongly"),
    "slope_recovery": ("float64", "S(a), NaN where it is not part of the loss"),
}

IMAGE_COLUMNS = tuple(_OF_EPOCH)
"""What the history holds of every epoch."""

IMAGE_SLOPES = {
    "mean": "mean",
    "deviation": "standard deviation",
    "least": "least",
    "greatest": "greatest",
}
"""What is kept of the slopes of a layer at each epoch; all of them would be gigabytes for ResNet."""

IMAGE_LAYOUT: tuple[Entry, ...] = (
    Entry("/spec/yaml", "text", "", "the spec as it was given, byte for byte"),
    Entry("/spec/path", "text", "", "the file of the spec"),
    Entry("/spec/overrides", "text", "", "what the command line put in, as JSON: pairs of a dotted path and YAML"),
    Entry("/spec/settings", "text", "", "all settings as JSON: command line put in, defaults written out"),
    Entry("/spec/files", "text", "", "the files of the data set, as JSON: name and SHA-256 of each"),
    Entry("/spec/classes", "text", "", "the names of the classes, as JSON"),
    Entry("/history/epoch", "float64", "epoch", "epochs at whose ends a record was made, a dimension scale; 0 is the start, a fraction the end of a run that was stopped in an epoch"),
    *(Entry(f"/history/{name}", kind, "epoch", meaning) for name, (kind, meaning) in _OF_EPOCH.items()),
    Entry("/history/events", "text", "", "that the training was resumed, as JSON: `iteration` and `what` of each"),
    Entry("/slopes/epoch", "float64", "epoch", "the epochs of the history"),
    Entry("/slopes/layer", "int64", "layer", "number of the activation with slopes, from 1"),
    *(Entry(f"/slopes/{name}", "float64", "epoch, layer", f"{meaning} of n·a in an activation") for name, meaning in IMAGE_SLOPES.items()),
    Entry("/test/confusion", "int64", "", "test images by true class (rows) and found class (columns), at the end"),
    Entry("/network/{name}", "dtype", "", "a parameter, a slope (`slopes.values.K`, without n) or a buffer, under its name in PyTorch"),
    Entry("/checkpoint/momentum/{name}", "dtype", "", "momentum of a parameter; absent before the first step and where training diverged", optional=True),
)  # fmt: skip

IMAGE_GROUP_ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    "/network": {
        "kind": Attribute(str, "`fixed`, `gaaf`, `llaaf` or `nlaaf`"),
        "n": Attribute(float, "the scale n"),
        "per": Attribute(
            str, "what has a slope of its own in a convolution of N-LAAF: `neuron` or `channel`"
        ),
    },
    "/checkpoint": {
        "iteration": Attribute(int, "iterations carried out"),
        "epoch": Attribute(int, "whole epochs carried out"),
        "batch": Attribute(int, "batches of the next epoch carried out"),
    },
}
