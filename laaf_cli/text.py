"""Words in messages: lists, the nearest right word, and foreign text made safe for a terminal."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def printable(text: str) -> str:
    """The text without what would upset a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def shown(text: str, length: int = 60) -> str:
    """Words of the user in quotes, cut where they are long."""
    return f"'{printable(text if len(text) <= length else f'{text[:length]}…')}'"


def listed(words: Iterable[str]) -> str:
    """The words with commas between, or 'none'."""
    return ", ".join(words) or "none"


def any_of(words: Iterable[str]) -> str:
    """'a, b or c'."""
    *others, last = words
    return f"{', '.join(others)} or {last}"


def did_you_mean(word: str, candidates: Iterable[str], likeness: float = 0.6) -> str:
    """'Did you mean 'x'?' with the nearest of `candidates`, or an empty text when none is as near
    as `likeness`, from 0 to 1 for the same word.
    """
    candidates = list(candidates)
    near = [other for other in candidates if other.lower() == word.lower()]
    near = near or difflib.get_close_matches(word, candidates, n=1, cutoff=likeness)
    near = near or difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=likeness)
    return f"Did you mean '{near[0]}'?" if near else ""
