"""What a method is called and how it is drawn: the same name and the same colour everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from laaf_cli.images.spec import ImageSpec
from laaf_cli.spec import RunSpec

KIND_LABELS = {"fixed": "fixed", "gaaf": "GAAF", "llaaf": "L-LAAF", "nlaaf": "N-LAAF"}
"""Kind of slopes → its name in the paper."""

KIND_COLORS = {"fixed": "#000000", "gaaf": "#E69F00", "llaaf": "#0072B2", "nlaaf": "#D55E00"}
"""Kind of slopes → its colour, of the palette of Okabe & Ito, which colour-blind people can tell
apart.
"""

REFERENCE_COLOR = "#7F7F7F"
"""The colour of every reference."""


@dataclass(frozen=True, kw_only=True)
class MethodStyle:
    """How a method is called and drawn.

    name: as in the paper, without n; label: with n. line: solid with slope recovery, dashed
    without.
    """

    name: str
    label: str
    color: str
    line: str


def has_recovery(spec: RunSpec | ImageSpec) -> bool:
    """Whether S(a) is part of the loss; fixed slopes have none."""
    return spec.slopes.kind != "fixed" and spec.slopes.recovery is not None


def method_style(spec: RunSpec | ImageSpec) -> MethodStyle:
    """How the method of a spec is called and drawn."""
    slopes = spec.slopes
    if slopes.kind == "fixed":
        return MethodStyle(
            name=KIND_LABELS["fixed"],
            label=KIND_LABELS["fixed"],
            color=KIND_COLORS["fixed"],
            line="solid",
        )
    recovery = has_recovery(spec)
    name = KIND_LABELS[slopes.kind] + (" + recovery" if recovery else "")
    label = f"{KIND_LABELS[slopes.kind]}, n = {slopes.n:g}" + (" + recovery" if recovery else "")
    return MethodStyle(
        name=name,
        label=label,
        color=KIND_COLORS[slopes.kind],
        line="solid" if recovery else "dashed",
    )
