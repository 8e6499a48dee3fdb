"""A run that is resumed: what its file, or its checkpoint, holds of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from laaf_cli.network.mlp import Mlp
from laaf_cli.problem import NORMAL, OBSERVED, Domain, PointSet
from laaf_cli.runfile import Checkpoint, History, NetworkParameters, PhaseSummary, RunFile
from laaf_cli.runs.resume.past import AnyPastRun, shared_parts
from laaf_cli.runs.solution import load_network
from laaf_cli.text import shown
from laaf_cli.training import (
    AdaptiveState,
    IterationRecord,
    PhaseEnd,
    PhaseResult,
    StateError,
    Trainer,
    TrainingState,
)


@dataclass(frozen=True, kw_only=True)
class PastRun(AnyPastRun):
    """What is read of a run of an equation."""

    functions: str | None
    parameters: NetworkParameters
    history: History
    phases: Sequence[PhaseSummary]
    checkpoint: Checkpoint

    @classmethod
    def read(cls, path: Path) -> PastRun:
        """Raises RunFileError where the file cannot be read, or holds no training."""
        with RunFile(path, must_be_sealed=True) as run:
            return cls(
                **shared_parts(run),
                functions=run.functions(),
                parameters=run.network(),
                history=run.history(),
                phases=run.phases(),
                checkpoint=run.checkpoint(),
            )

    @property
    def done(self) -> int:
        """Iterations of its last phase."""
        return int(self.checkpoint.attributes["done"])

    def load(self, network: Mlp, domain: Domain) -> None:
        """Puts its weights, biases and slopes into a network.

        Raises:
            RunFileError: they do not fit.
        """
        network.resize(len(self.parameters.biases[-2]))
        shapes = [tuple(weight.shape) for weight in network.weights]
        if shapes != [weight.shape for weight in self.parameters.weights]:
            raise self.mismatch("its network has other widths than the spec")
        load_network(self.path, network, self.parameters, domain)

    def resume(self, trainer: Trainer, drawn: Mapping[str, PointSet]) -> None:
        """Lets a trainer take up the training.

        Args:
            drawn: the points that the plan draws, by term.

        Raises:
            RunFileError: it does not fit.
        """
        try:
            if self.history.terms.keys() != set(trainer.objective.names):
                raise StateError("its history has other terms than the spec")
            if (
                self.iterations != self.attributes["iterations"]
                or self.history.columns["iteration"][-1] > self.iterations
            ):
                raise StateError("its iteration counters are inconsistent")
            phases = [
                PhaseResult(
                    optimizer=p.optimizer,
                    iterations=p.iterations,
                    end=_phase_end(p.end),
                    detail=p.detail,
                )
                for p in self.phases
            ]
            trainer.resume(self._state(drawn, trainer), self._records(), phases, self.all_events())
        except StateError as error:
            raise self.mismatch(str(error)) from None

    def _state(self, drawn: Mapping[str, PointSet], trainer: Trainer) -> TrainingState:
        at: Mapping[str, Any] = self.checkpoint.attributes
        if (
            self.checkpoint.factors.keys() != trainer.objective.terms.keys()
            or self.checkpoint.points.keys() != drawn.keys()
        ):
            raise StateError("its terms are not those of the spec")
        held = {
            name: torch.from_numpy(values) for name, values in self.checkpoint.held_weights.items()
        }
        diverged = self.stop_reason == "diverged"
        adaptive = AdaptiveState(
            points=self._points(drawn),
            factors=self.checkpoint.factors,
            slopes_absorbed=self.parameters.attributes["slopes_absorbed"] == 1,
            held_weights=held if at["holds_weights"] else None,
            n_interior=None if at["n_interior"] < 1 else at["n_interior"],
        )
        return TrainingState(
            iteration=at["iteration"],
            phase=at["phase"],
            done=at["done"],
            adapted=at["adapted"],
            wall_time_s=self.attributes["wall_time_s"],
            phase_start_s=at["phase_start_s"],
            recorded_s=at["recorded_s"],
            monitored_s=at["monitored_s"],
            n_retries=at["n_retries"] + diverged,
            rate_factor=at["rate_factor"] * (trainer.retry_factor(at["phase"]) if diverged else 1),
            slopes_absorbed_at=self.attributes["slopes_absorbed_at"],
            adaptive=adaptive,
            constants=self.checkpoint.constants,
            optimizer=self.checkpoint.optimizer,
            retries=trainer.retries,
        )

    def _points(self, drawn: Mapping[str, PointSet]) -> dict[str, PointSet]:
        """The stored points, shared by the terms that share theirs as they are drawn."""
        stored: dict[int, PointSet] = {}
        for term, point_set in drawn.items():
            if id(point_set) in stored:
                continue
            columns = {
                f"{prefix}{name}": values
                for prefix, of in (
                    (OBSERVED, self.checkpoint.observed),
                    (NORMAL, self.checkpoint.normals),
                )
                for name, values in of.get(term, {}).items()
            }
            points = self.checkpoint.points[term]
            if columns.keys() != point_set.symbols.keys() or len(points) % max(
                1, len(point_set) // max(1, point_set.n_residuals)
            ):
                raise StateError(f"the points of '{term}' are not those of the spec")
            if point_set.row_weights is not None and len(points) != len(point_set):
                raise StateError(
                    f"'{term}' has {len(points)} points, and its file {len(point_set)} rows"
                )
            stored[id(point_set)] = replace(point_set, points=points, symbols=columns)
        return {term: stored[id(point_set)] for term, point_set in drawn.items()}

    def _records(self) -> list[IterationRecord]:
        history = self.history
        columns = history.columns
        return [
            IterationRecord(
                iteration=int(columns["iteration"][i]),
                phase=int(columns["phase"][i]),
                wall_time_s=float(columns["wall_time_s"][i]),
                learning_rate=float(columns["learning_rate"][i]),
                total=float(columns["total"][i]),
                terms={name: float(values[i]) for name, values in history.terms.items()},
                scales=[layer[i] for layer in history.slopes],
                relative_l2=float(columns["relative_l2"][i]),
                constants={name: float(values[i]) for name, values in history.constants.items()},
                weights={name: float(values[i]) for name, values in history.weights.items()},
            )
            for i in range(len(columns["iteration"]))
        ]


def _phase_end(word: str) -> PhaseEnd:
    try:
        return PhaseEnd(word)
    except ValueError:
        raise StateError(f"no phase ends as {shown(word)}") from None
