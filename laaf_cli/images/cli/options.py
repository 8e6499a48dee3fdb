"""Options of commands that classify images, and what they change in the spec."""

from __future__ import annotations

from enum import StrEnum


class Reading(StrEnum):
    """Whose set-up counts where the paper's text and the authors' code differ."""

    PAPER = "paper"
    CODE = "code"


class Per(StrEnum):
    """What has a slope of its own in a convolution."""

    NEURON = "neuron"
    CHANNEL = "channel"
