"""Reasons to doubt the test error of a classification."""

from __future__ import annotations

GUESSING = 0.9
"""A test error above this fraction of that of guessing is no answer."""


def image_doubts(test_error: float, n_classes: int) -> list[str]:
    """A sentence for each reason."""
    sentences = []
    if not test_error < GUESSING * (1 - 1 / n_classes):
        sentences.append(
            f"{test_error:.1%} of the test images are classified wrongly, hardly fewer than by "
            "guessing. What may "
            "help: more epochs, another learning rate"
        )
    return sentences
