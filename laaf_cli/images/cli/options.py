"""Options of commands that classify images, and what they change in the spec."""

from __future__ import annotations

from enum import StrEnum

from laaf_cli.cli import complete

MODELS = ("lenet", "preact-resnet18")
"""A copy of the names of a table that takes seconds to load; a test compares them."""


def data_sets(incomplete: str) -> list[str]:
    """What the shell completes: bundled data sets and YAML files."""
    return complete.specs_of(incomplete, "images")


class Reading(StrEnum):
    """Whose set-up counts where the paper's text and the authors' code differ."""

    PAPER = "paper"
    CODE = "code"


class Per(StrEnum):
    """What has a slope of its own in a convolution."""

    NEURON = "neuron"
    CHANNEL = "channel"
