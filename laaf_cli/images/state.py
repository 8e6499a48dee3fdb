"""A classification that is gone on with: what its run file, or its checkpoint, holds of the
training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from laaf_cli.arrays import Array
from laaf_cli.errors import RunFileError
from laaf_cli.images.models.image_model import ImageModel
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.runfile.record import ImageCheckpoint, ImageHistory, ImageNetwork
from laaf_cli.images.trainer import EpochRecord, ImageState, ImageTrainer
from laaf_cli.runfile import EventSummary, SpecSource
from laaf_cli.training import Event

_MEASURED = ("wall_time_s", "learning_rate", "train_loss", "train_error", "test_loss", "test_error")


@dataclass(frozen=True, kw_only=True)
class PastImageRun:
    """What is read of a run, checked for what can be checked without its plan.

    attributes: of the file. settings: the resolved ones. files: of the data set, with their
    SHA-256. new_events: what going on from here adds to its events.
    """

    path: Path
    attributes: Mapping[str, Any]
    settings: Mapping[str, Any]
    source: SpecSource
    files: Mapping[str, str]
    network: ImageNetwork
    history: ImageHistory
    confusion: Array
    events: Sequence[EventSummary]
    checkpoint: ImageCheckpoint
    new_events: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> PastImageRun:
        """Raises RunFileError where the file cannot be read, or holds no training."""
        with ImageRunFile(path) as run:
            return cls(
                path=path,
                attributes=run.attributes,
                settings=run.settings,
                source=run.source(),
                files=run.files(),
                network=run.network(),
                history=run.history(),
                confusion=run.confusion(),
                events=run.events(),
                checkpoint=run.checkpoint(),
            )

    @property
    def iterations(self) -> int:
        return int(self.checkpoint.attributes["iteration"])

    @property
    def stop_reason(self) -> str:
        return str(self.attributes["stop_reason"])

    def load(self, network: ImageModel) -> None:
        """Puts its weights, slopes and running statistics into a network; raises RunFileError
        where they do not fit.
        """
        own = {
            name: tensor
            for name, tensor in network.state_dict().items()
            if tensor.is_floating_point()
        }
        self._fill("network", own, self.network.arrays)

    def go_on(self, trainer: ImageTrainer) -> None:
        """Lets a trainer take up the training; raises RunFileError where it does not fit."""
        at = self.checkpoint.attributes
        n_batches = trainer.n_batches
        if at["iteration"] != self.attributes["iterations"] or at["batch"] >= n_batches:
            raise self._misfit("it does not say where it stands")
        if at["epoch"] * n_batches + at["batch"] != at["iteration"] or at["epoch"] > (
            trainer.training.epochs or 0
        ):
            raise self._misfit("its steps are not those of the spec")
        whole, rest = np.split(self.history.epochs, [at["epoch"] + 1])
        if (
            not np.array_equal(whole, np.arange(at["epoch"] + 1))
            or len(rest) > 1
            or (rest > at["epoch"] + 1).any()
        ):
            raise self._misfit("its history is not that of its epochs")
        if self.history.slopes["mean"].shape[1] != trainer.network.slopes.n_layers:
            raise self._misfit("its history has other activations than the network")
        has_momentum = at["iteration"] > 0 and trainer.training.momentum > 0
        parameters = trainer.network.named_parameters() if has_momentum else ()
        buffers = {name: torch.zeros_like(parameter) for name, parameter in parameters}
        self._fill("momentum", buffers, self.checkpoint.momentum)
        state = ImageState(
            epoch=at["epoch"],
            batch=at["batch"],
            iteration=at["iteration"],
            wall_time_s=self.attributes["wall_time_s"],
            momentum=buffers,
        )
        events = [Event(event.iteration, event.what) for event in self.events]
        events += [Event(self.iterations, what) for what in self.new_events]
        trainer.go_on(state, self._records(), events, self.confusion)

    def _fill(self, what: str, own: Mapping[str, Tensor], stored: Mapping[str, Array]) -> None:
        if own.keys() != stored.keys() or any(
            own[name].shape != stored[name].shape for name in own
        ):
            raise self._misfit(f"its {what} has other names or shapes than the spec's")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(torch.from_numpy(stored[name]))

    def _records(self) -> list[EpochRecord]:
        columns = self.history.columns
        return [
            EpochRecord(
                epoch=float(epoch),
                iteration=int(columns["iteration"][i]),
                recovery=float(columns["slope_recovery"][i]),
                scales=self.history.slopes_at(i),
                **{name: float(columns[name][i]) for name in _MEASURED},
            )
            for i, epoch in enumerate(self.history.epochs)
        ]

    def _misfit(self, what: str) -> RunFileError:
        return RunFileError(f"{self.path} cannot be gone on with: {what}")
