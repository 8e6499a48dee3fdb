"""The methods that the paper compares, and the variants of their set-up that text and published code leave open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from laaf_cli.errors import UsageError
from laaf_cli.report.methods import KIND_LABELS
from laaf_cli.spec import Override
from laaf_cli.sweep import Alternative


@dataclass(frozen=True)
class Column:
    """A method: kind of slopes, with slope recovery or not; learning_rate is the paper's where None."""

    kind: str
    recovery: bool = False
    learning_rate: str | None = None

    @property
    def label(self) -> str:
        rate = f", learning rate {float(self.learning_rate):g}" if self.learning_rate else ""
        return KIND_LABELS[self.kind] + (" + recovery" if self.recovery else "") + rate

    def alternative(self, variant: Variant) -> Alternative:
        """What this method changes in the spec."""
        overrides = [_override("slopes.kind", self.kind)]
        if not self.recovery:
            overrides.append(_override("slopes.recovery", "false"))
        elif variant.recovery_form is not None:
            overrides.append(_override("slopes.recovery.form", variant.recovery_form))
        label = f"{variant.recovery_form}" if self.recovery and variant.recovery_form else ""
        if self.learning_rate is not None:
            rate = Alternative.of(_override("training.0.learning_rate", self.learning_rate))
            return Alternative((*overrides, *rate.overrides), rate.label)
        return Alternative(tuple(overrides), label)


@dataclass(frozen=True)
class Variant:
    """What the paper and its published code do not settle; None keeps what the bundled problem says.

    recovery_form: `mean` over layers as the formula, or `sum` as the authors' regression script. data_points:
    initial and boundary points of Burgers together (400 in the text, 200 in the code), or points of the
    regression (300 and 301). initializer: the authors truncate Glorot's normal at two deviations, or draw
    from N(0, 0.1²). iterations: fewer for a try-out.
    """

    recovery_form: str | None = None
    data_points: int | None = None
    initializer: str | None = None
    iterations: int | None = None

    @property
    def labels(self) -> list[str]:
        """What file names say of it; the number of iterations is no variant."""
        data = f"data={self.data_points}" if self.data_points is not None else None
        return [label for label in (self.recovery_form, data, self.initializer) if label is not None]

    def settings(self, problem: str) -> list[Alternative]:
        """The changes that all methods share; file names say each of them."""
        named: dict[str, str] = {}
        if self.initializer is not None:
            named["network.initializer"] = self.initializer
        if self.iterations is not None:
            named["training.0.iterations"] = str(self.iterations)
        alternatives = [Alternative.of(_override(path, value)) for path, value in named.items()]
        if self.data_points is not None:
            shares = _DATA_POINTS[problem]
            if self.data_points % len(shares):
                raise UsageError(
                    f"{problem} shares its data points among {len(shares)} conditions; give an even number"
                )
            overrides = tuple(_override(path, str(self.data_points // len(shares))) for path in shares)
            alternatives.append(Alternative(overrides, f"data={self.data_points}"))
        return alternatives


_DATA_POINTS: Mapping[str, tuple[str, ...]] = {
    "burgers": ("conditions.initial.points", "conditions.walls.points"),
    "discontinuous": ("data.points",),
}
"""The keys that share the data points of a problem evenly."""


def _override(path: str, value: str) -> Override:
    return Override.from_assignment(f"{path}={value}")


@dataclass(frozen=True)
class Published:
    """Relative L2 errors as printed, by method; of single runs, without a spread."""

    source: str
    errors: Mapping[Column, float] = field(default_factory=dict)


UNPUBLISHED = Published("")
"""The paper prints no errors beside its figures."""

FIXED = Column("fixed")
GAAF = Column("gaaf")
LLAAF = Column("llaaf")
NLAAF = Column("nlaaf")
GAAF_RECOVERY = Column("gaaf", recovery=True)
LLAAF_RECOVERY = Column("llaaf", recovery=True)
NLAAF_RECOVERY = Column("nlaaf", recovery=True)

SIX = (FIXED, GAAF, LLAAF, NLAAF, LLAAF_RECOVERY, NLAAF_RECOVERY)
"""The columns of Table 1."""

SEVEN = (*SIX, GAAF_RECOVERY)
"""With GAAF + recovery, which the paper uses in section 4 alone."""

TABLE1 = Published(
    "Table 1",
    {
        FIXED: 1.913973e-01,
        GAAF: 9.517134e-02,
        LLAAF: 8.866356e-02,
        NLAAF: 9.129446e-02,
        LLAAF_RECOVERY: 7.693435e-02,
        NLAAF_RECOVERY: 8.378424e-02,
    },
)
