"""Reasons to doubt the test error of a classification."""

from __future__ import annotations

GUESSING = 0.9
"""A test error above this share of that of guessing is no answer."""


def of_a_part(subset: str) -> str:
    """What must be known of an error on a part of a data set."""
    return f"a result on a part of the data set, not comparable with published ones: {subset}"


def image_doubts(subset: str, test_error: float, n_classes: int) -> list[str]:
    """A sentence for each reason; subset: which part of the data set was used, empty for all of
    it.
    """
    found = []
    if subset:
        found.append(of_a_part(subset))
    if not test_error < GUESSING * (1 - 1 / n_classes):
        found.append(
            f"{test_error:.1%} of the test images are classified wrongly, hardly fewer than by "
            "guessing. What may "
            "help: more epochs (--epochs), another learning rate (--learning-rate)"
        )
    return found
