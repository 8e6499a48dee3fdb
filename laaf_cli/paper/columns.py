"""The methods that the paper compares, and the variants of their set-up that text and published
code leave open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from laaf_cli.errors import UsageError
from laaf_cli.network import slope_kinds
from laaf_cli.network.slope_kinds import SlopeKind
from laaf_cli.spec import Override
from laaf_cli.sweeps import Alternative

PAPER_N = 10
PAPER_FORM = "mean"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A method: kind of slopes, with slope recovery or not.

    learning_rate, n and form (of slope recovery) are what the bundled problem says where None.
    """

    kind: SlopeKind
    recovery: bool = False
    learning_rate: str | None = None
    n: str | None = None
    form: str | None = None

    @property
    def label(self) -> str:
        """The method in words, as tables and legends name it."""
        form = f"{self.form} " if self.form else ""
        recovery = f", with {form}recovery" if self.recovery else ""
        label = self.kind.label + f" + {form}recovery" * self.recovery
        if self.n:
            label = self.kind.label_with(float(self.n), recovery)
        return label + (
            f", learning rate {float(self.learning_rate):g}" if self.learning_rate else ""
        )

    @property
    def published(self) -> Column:
        """The column of the paper that this is: of its n and its form of slope recovery, said or
        not.
        """
        n = None if self.n is not None and float(self.n) == PAPER_N else self.n
        return replace(self, n=n, form=None if self.form == PAPER_FORM else self.form)

    def alternative(self) -> Alternative:
        """What this method changes in the spec; file names say kind, n and the lack of slope
        recovery anyway.
        """
        overrides = [_override("slopes.kind", self.kind.name)]
        if self.n is not None:
            overrides.append(_override("slopes.n", self.n))
        if not self.recovery:
            overrides.append(_override("slopes.recovery", "false"))
        elif self.form is not None:
            overrides.append(_override("slopes.recovery.form", self.form))
        label = self.form or ""
        if self.learning_rate is not None:
            rate = Alternative.of(_override("training.0.learning_rate", self.learning_rate))
            return Alternative((*overrides, *rate.overrides), rate.label)
        return Alternative(tuple(overrides), label)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What the paper and its published code do not settle; None keeps what the bundled problem
    says.
    """

    recovery_forms: tuple[str, ...] = ()
    """`mean` over layers as the formula, `sum` as the authors' regression script."""
    scales: tuple[str, ...] = ()
    """The scales n, as typed. Each of several is a method of its own; empty keeps the problem's."""
    data_points: int | None = None
    """Initial and boundary points of Burgers together (400 in the text, 200 in the code), or points
    of the regression (300 and 301).
    """
    initializer: str | None = None
    """The authors truncate Glorot's normal at two deviations, or draw from N(0, 0.1²)."""
    iterations: int | None = None
    """The number of iterations, where it is not the paper's."""

    @property
    def labels(self) -> list[str]:
        """What file names say of it; the number of iterations is no variant."""
        scales = ["n=" + ",".join(self.scales)] if self.scales else []
        data = [f"data={self.data_points}"] if self.data_points is not None else []
        initializer = [self.initializer] if self.initializer is not None else []
        return [*self.recovery_forms, *scales, *data, *initializer]

    def crossed(self, columns: Sequence[Column]) -> list[Column]:
        """The columns with every n, and with every form of slope recovery; GAAF has one slope,
        so one form for it.
        """
        crossed: list[Column] = []
        for column in columns:
            scales = self.scales if column.kind.is_adaptive else ()
            forms = self.recovery_forms if column.recovery else ()
            if column.kind.is_shared:
                forms = forms[:1]
            crossed += [
                replace(column, n=n, form=form)
                for n in scales or (None,)
                for form in forms or (None,)
            ]
        return crossed

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
                    f"{problem} shares its data points among {len(shares)} conditions; give an "
                    "even number"
                )
            share = str(self.data_points // len(shares))
            overrides = tuple(_override(path, share) for path in shares)
            alternatives.append(Alternative(overrides, f"data={self.data_points}"))
        return alternatives


_DATA_POINTS: Mapping[str, tuple[str, ...]] = {
    "paper/burgers": ("conditions.initial.points", "conditions.walls.points"),
    "paper/discontinuous": ("data.points",),
}
"""The keys that share the data points of a problem evenly."""


def _override(path: str, value: str) -> Override:
    return Override.from_assignment(f"{path}={value}")


@dataclass(frozen=True)
class PublishedErrors:
    """Relative L2 errors as printed, by method; of single runs, without a spread."""

    source: str
    errors: Mapping[Column, float] = field(default_factory=dict)


UNPUBLISHED = PublishedErrors("")
"""The paper prints no errors beside its figures."""

FIXED = Column(kind=slope_kinds.FIXED)
GAAF = Column(kind=slope_kinds.GAAF)
LLAAF = Column(kind=slope_kinds.LLAAF)
NLAAF = Column(kind=slope_kinds.NLAAF)
GAAF_RECOVERY = Column(kind=slope_kinds.GAAF, recovery=True)
LLAAF_RECOVERY = Column(kind=slope_kinds.LLAAF, recovery=True)
NLAAF_RECOVERY = Column(kind=slope_kinds.NLAAF, recovery=True)

SIX = (FIXED, GAAF, LLAAF, NLAAF, LLAAF_RECOVERY, NLAAF_RECOVERY)
"""The columns of Table 1."""

PAPER_ORDER = (FIXED, GAAF, LLAAF, LLAAF_RECOVERY, NLAAF, NLAAF_RECOVERY)
"""The rows of the figures."""

SEVEN = (*SIX, GAAF_RECOVERY)
"""With GAAF + recovery, which the paper uses in section 4 alone."""

FOUR = (FIXED, GAAF_RECOVERY, LLAAF_RECOVERY, NLAAF_RECOVERY)
"""The methods of section 4."""

TABLE1 = PublishedErrors(
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
