"""What a caller changes in a spec by name: slopes, iterations, seed and the like, as overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from laaf_cli.errors import UsageError
from laaf_cli.network.slope_kinds import is_fixed
from laaf_cli.spec import Override, Text, Value, apply
from laaf_cli.spec.source import read_yaml
from laaf_cli.training import OPTIMIZERS

Places = dict[str, tuple[tuple[str | int, ...], Any]]
"""By the name of a setting, its place in the spec and its value."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one run, whatever is trained; None leaves the spec as it is."""

    slopes: str | None = None
    """Kind of the trainable slopes, a name of `SLOPE_KINDS`."""
    n: float | None = None
    """Scale n of the slopes, at least 1."""
    slope_recovery: bool | None = None
    """Whether the slope recovery term is part of the loss."""
    learning_rate: float | None = None
    """Learning rate of the one training phase that takes one."""
    seed: int | None = None
    """The seed of everything random."""
    device: str | None = None
    """`auto`, `cpu` or `cuda`."""
    dtype: str | None = None
    """`float32` or `float64`."""
    assignments: tuple[Override, ...] = ()
    """Anything else, as overrides; they come first."""
    typed: Mapping[str, str] = field(default_factory=dict)
    """What was typed before each value, for errors; `NAME=` where nothing else is given."""

    def places(self, root: Value) -> Places:
        """The settings in the spec whose values are given."""
        return {
            "slopes": (("slopes", "kind"), self.slopes),
            "n": (("slopes", "n"), self.n),
            "slope_recovery": (("slopes", "recovery"), self._recovery(root.child("slopes"))),
            "seed": (("seed",), self.seed),
            "device": (("device",), self.device),
            "dtype": (("dtype",), self.dtype),
        }

    def overrides(self, text: Text) -> list[Override]:
        """The changes of a spec.

        Raises:
            UsageError: slope recovery without slopes, or a setting of the one training phase where
                the spec has several.
        """
        root = read_yaml(text)
        if isinstance(root.data, dict):
            for assignment in self.assignments:
                apply(root, assignment)
        named = []
        for name, (path, value) in self.places(root).items():
            if value is not None:
                shown = str(value).lower() if isinstance(value, bool) else str(value)
                named.append(Override(path, shown, self.typed.get(name, f"{name}=")))
        return [*self.assignments, *named]

    def _recovery(self, slopes: Value | None) -> bool | None:
        kind, recovery = (
            slopes.child(key) if slopes is not None else None for key in ("kind", "recovery")
        )
        if self.slope_recovery and is_fixed(self.slopes or (kind and kind.data)):
            raise UsageError("`slope_recovery` needs slopes, and those of this run are fixed")
        is_on = recovery is not None and isinstance(recovery.data, dict)  # with settings of its own
        return None if self.slope_recovery and is_on else self.slope_recovery


@dataclass(frozen=True, kw_only=True)
class EquationSettings(Settings):
    """Those of an equation."""

    iterations: int | None = None
    """Iterations of the one training phase."""

    def places(self, root: Value) -> Places:
        training = root.child("training")
        phases = training.data if training is not None and isinstance(training.data, list) else []
        if len(phases) > 1 and self.iterations is not None:
            raise UsageError(
                f"the spec has {len(phases)} training phases, and `iterations` speaks of one\n"
                "Name it, as in `set` training.1.iterations=5000."
            )
        rated = self._phase_with_rate(phases) if self.learning_rate is not None else 0
        return super().places(root) | {
            "iterations": (("training", 0, "iterations"), self.iterations),
            "learning_rate": (("training", rated, "learning_rate"), self.learning_rate),
        }

    def _phase_with_rate(self, phases: list[Value]) -> int:
        names = [
            name.data if (name := phase.child("optimizer")) is not None else "adam"
            for phase in phases
        ]
        known = [name in OPTIMIZERS for name in names]  # others are reported with their place
        rated = [i for i, name in enumerate(names) if not known[i] or OPTIMIZERS[name].takes_rate]
        if all(known) and len(phases) > 1 and len(rated) != 1:
            raise UsageError(
                f"the spec has {len(phases)} training phases, {len(rated) or 'none'} with a "
                "learning rate, and `learning_rate` speaks of one\n"
                "Name it, as in `set` training.1.learning_rate=1e-4."
            )
        return rated[0] if rated else 0
