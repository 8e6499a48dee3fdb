"""What a method is called and how it is drawn: the same name and the same colour everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from laaf_cli.spec import AnySpec

REFERENCE_COLOR = "#7F7F7F"
"""The colour of every reference."""


@dataclass(frozen=True, kw_only=True)
class MethodStyle:
    """How a method is called and drawn."""

    name: str
    """The name as in the paper, without n."""
    label: str
    """The name with n."""
    color: str
    line: str
    """The line style: solid with slope recovery, dashed without."""


def method_style(spec: AnySpec) -> MethodStyle:
    """How the method of a spec is called and drawn."""
    slopes, kind = spec.slopes, spec.slopes.row
    has_recovery = slopes.used_recovery is not None
    return MethodStyle(
        name=kind.label + " + recovery" * has_recovery,
        label=kind.label_with(slopes.n, ", with recovery" * has_recovery),
        color=kind.color,
        line="solid" if has_recovery or not kind.is_adaptive else "dashed",
    )
