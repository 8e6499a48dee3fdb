"""Names made unique by what their owners differ in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from laaf_cli.network.slope_kinds import is_fixed
from laaf_cli.runs.task import TASKS

PROBLEM = tuple(key for task in TASKS.values() for key in task.problem_settings)
METHOD = (
    "slopes", "training", "network", "model", "augment", "transform", "periodic", "learn", "points",
    "weights",
    "conditions", "data", "dtype", "derivatives", "max_seconds", "evaluation", "reference",
)  # fmt: skip
"""The settings that make a problem, and those that make a method."""


def distinguished(
    names: Sequence[str],
    settings: Sequence[Mapping[str, Any]],
    sections: Sequence[str],
    marks: Sequence[str],
) -> list[str]:
    """The names so that each appears once: settings that differ among the owners of one name are
    added to it.

    Args:
        settings: of each owner; those of `sections` count.
        marks: what is added where no setting distinguishes owners.
    """
    flattened = []
    for of_run in settings:
        has_slopes = not is_fixed(of_run["slopes"].get("kind"))
        shown = [key for key in sections if key != "slopes" or has_slopes]
        flattened.append(flat({key: of_run.get(key) for key in shown}))
    longer = []
    for name, of_run in zip(names, flattened, strict=True):
        alike = [other for other, label in zip(flattened, names, strict=True) if label == name]
        differing = _differing(of_run, alike)
        several = any(key.startswith("training.1.") for other in alike for key in other)
        words = [_in_words(key, of_run, differing, several=several) for key in differing]
        extra = ", ".join(dict.fromkeys(words))
        longer.append(f"{name}, {extra}" if extra else name)
    return [
        label if longer.count(label) == 1 else f"{label} ({mark})"
        for label, mark in zip(longer, marks, strict=True)
    ]


def _differing(of_run: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings in which `alike` differ; what belongs to a model only as far as those of the
    same model do.
    """
    peers = [other for other in alike if other.get("model.kind") == of_run.get("model.kind")]
    differing = []
    for key in {key: None for other in alike for key in other}:
        compared = peers if key.startswith("model.") and key != "model.kind" else alike
        if len({str(other.get(key)) for other in compared}) > 1:
            differing.append(key)
    return differing


_PHRASES: dict[str, Callable[[Any], str]] = {
    "model.kind": str,
    "model.forgets_n": lambda forgets: "a without n" if forgets else "n·a",
    "augment": lambda augmented: "augmented" if augmented else "not augmented",
    "slopes.per": lambda owner: f"a slope per {owner}",
    "training.drops": lambda drops: (
        f"drops at {' and '.join(map(str, drops))}" if drops else "no drops"
    ),
}
"""Settings that a sentence describes better than their name and value."""


def _in_words(
    key: str, of_run: Mapping[str, Any], differing: Sequence[str], *, several: bool
) -> str:
    """A setting as it is shown.

    Args:
        several: whether a run has more than one phase, so that each needs its number.
    """
    if key in _PHRASES and of_run.get(key) is not None:
        return _PHRASES[key](of_run[key])
    section, _, rest = key.partition(".")
    if section != "training" or not several:
        return f"{_short(key, differing)} {_shown(of_run.get(key))}"
    phase, _, name = rest.partition(".")
    if not any(other.startswith(f"training.{phase}.") for other in of_run):
        return f"no phase {phase}"
    return f"phase {phase} {name} {_shown(of_run.get(key))}"


def flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings by dotted path."""
    by_path: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                walk(f"{path}.{key}" if path else key, item)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for i, item in enumerate(value):
                walk(f"{path}.{i}", item)
        else:
            by_path[path] = value

    walk("", settings)
    return by_path


def _short(key: str, keys: Sequence[str]) -> str:
    """As much of the end of a dotted path as distinguishes it from the others."""
    words = key.split(".")
    for n in range(2 if words[-1] in ("kind", "method") else 1, len(words)):
        end = "." + ".".join(words[-n:])
        if sum(other.endswith(end) for other in keys) == 1:
            return end[1:]
    return key


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "x".join(map(_shown, value))
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return "none" if value is None else str(value)
