"""What is chosen where a spec names no training: methods in turn, each as changes of the spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from laaf_cli.spec import Override, Text, Value, apply
from laaf_cli.spec.source import read_yaml

AUTO = "auto"

DEFAULT_SECONDS = 120.0
"""Bound on the seconds of a run whose training is chosen, where nobody gives another."""

SOLVING_SHARE = 2 / 3
"""Of the seconds, what least squares may take, for training may follow, where windows of time are
not about to come to the end; with one coordinate all, for training does not get further there.
"""

CHOSEN_GOAL = 1e-4
"""The relative error at which nothing more is tried."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A method: its name in sentences, and what it sets where the spec says nothing, by dotted path
    as YAML.
    """

    name: str
    settings: tuple[tuple[str, str], ...]

    def overrides(self, root: Value) -> list[Override]:
        """The changes of a spec, without what it says itself."""
        return [
            Override.from_assignment(f"{path}={value}")
            for path, value in self.settings
            if path == "training" or not _is_said(root, path)
        ]


def solved(seconds: float) -> Recipe:
    """The output layer alone, in at most so many seconds."""
    phase = f"{{optimizer: least-squares, max_seconds: {seconds:.4g}, overtime: true}}"
    return Recipe(name="least squares", settings=(("training", f"[{phase}]"),))


def trained(*, is_ordinary: bool) -> Recipe:
    """Adam, in which the slopes act, and a quasi-Newton method behind it.

    Args:
        is_ordinary: whether the equations have one coordinate.
    """
    few, many, width = (500, 1000, 20) if is_ordinary else (4000, 10000, 30)
    return Recipe(
        name="Adam and self-scaled Broyden",
        settings=(
            ("dtype", "float64"),
            ("transform", "auto"),
            ("network.kinks", "null"),
            ("network.hidden", f"[{width}, {width}, {width}]"),
            ("points.interior", str(few)),
            ("points.resample", "{method: rad, every: 200, power: 1, constant: 1}"),
            ("slopes", "{kind: nlaaf, n: 5, recovery: false}"),
            (
                "training",
                "[{optimizer: adam, iterations: 1000, learning_rate: 5.0e-3}, "
                "{optimizer: ssbroyden, iterations: 3000}, "
                f"{{optimizer: ssbroyden, iterations: 100000, interior: {many}}}]",
            ),
        ),
    )


def _is_said(root: Value, path: str) -> bool:
    """Whether the spec says something at a place or above it, other than a mapping there."""
    here: Value | None = root
    for step in path.split("."):
        if here is None or not isinstance(here.data, dict):
            return here is not None
        here = here.child(step)
    return here is not None


REGRESSED = Recipe(
    name="Adam and self-scaled Broyden",
    settings=(
        ("dtype", "float64"),
        ("network.hidden", "[30, 30, 30]"),
        ("slopes", "{kind: nlaaf, n: 5, recovery: false}"),
        (
            "training",
            "[{optimizer: adam, iterations: 3000, learning_rate: 5.0e-3}, "
            "{optimizer: ssbroyden, iterations: 100000}]",
        ),
    ),
)
"""Of data without equations, whose least squares fit the points and not what is between them."""


def chosen(
    text: Text, overrides: Sequence[Override], max_seconds: float | None
) -> tuple[Value, list[Recipe]]:
    """The spec with the overrides, and the methods to try in turn; none where it names its
    training.
    """
    root = read_yaml(text)
    if not isinstance(root.data, dict):
        return root, []
    for override in overrides:
        apply(root, override)
    training = root.child("training")
    if training is not None and training.data != AUTO:
        return root, []
    coordinates = root.child("coordinates")
    names = coordinates.data if coordinates is not None else None
    if not root.child("equations"):
        return root, [REGRESSED]
    is_ordinary = isinstance(names, dict) and len(names) == 1
    last = trained(is_ordinary=is_ordinary)
    seconds = (1 if is_ordinary else SOLVING_SHARE) * (max_seconds or DEFAULT_SECONDS)
    return root, [last] if root.child("slopes") else [solved(seconds), last]
