"""Records of more than three fields are built by keywords: two numbers that change places would pass in silence."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import laaf_cli
from laaf_cli.expression import Call

POSITIONAL = {Call}
"""The node of expressions, which is built and matched in its place on every page of `expression/`."""


def records() -> set[type]:
    found: set[type] = set()
    for module in pkgutil.walk_packages(laaf_cli.__path__, "laaf_cli."):
        if (
            module.name.endswith((".fused", "__main__", ".build")) and "kernel" in module.name
        ) or module.name.endswith("__main__"):
            continue
        members = vars(importlib.import_module(module.name)).values()
        found |= {
            kind
            for kind in members
            if isinstance(kind, type)
            and dataclasses.is_dataclass(kind)
            and kind.__module__.startswith("laaf_cli")
        }
    return found


def by_position(kind: type) -> int:
    """How many fields a record takes by their place."""
    return sum(field.init and not field.kw_only for field in dataclasses.fields(kind))


def test_records_of_more_than_three_fields_take_keywords_only() -> None:
    found = records() - POSITIONAL
    assert len(found) > 100
    assert not [kind for kind in found if by_position(kind) > 3]
