"""A classification that is resumed: what its run file, or its checkpoint, holds of the
training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from laaf_cli.arrays import Array
from laaf_cli.images.models.image_model import ImageModel
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.runfile.record import ImageCheckpoint, ImageHistory, ImageNetwork
from laaf_cli.images.trainer import EpochRecord, ImageState, ImageTrainer
from laaf_cli.runs.resume.past import AnyPastRun, shared_parts

_MEASURED = ("wall_time_s", "learning_rate", "train_loss", "train_error", "test_loss", "test_error")


@dataclass(frozen=True, kw_only=True)
class PastImageRun(AnyPastRun):
    """What is read of a run that is resumed."""

    files: Mapping[str, str]
    """The files of the data set, with their SHA-256."""
    network: ImageNetwork
    history: ImageHistory
    confusion: Array
    checkpoint: ImageCheckpoint

    @classmethod
    def read(cls, path: Path) -> PastImageRun:
        """Raises RunFileError where the file cannot be read, or holds no training."""
        with ImageRunFile(path, must_be_sealed=True) as run:
            return cls(
                **shared_parts(run),
                files=run.files(),
                network=run.network(),
                history=run.history(),
                confusion=run.confusion(),
                checkpoint=run.checkpoint(),
            )

    def load(self, network: ImageModel) -> None:
        """Puts its weights, slopes and running statistics into a network; raises RunFileError
        where they do not fit.
        """
        tensors = {
            name: tensor
            for name, tensor in network.state_dict().items()
            if tensor.is_floating_point()
        }
        self._fill("network", tensors, self.network.arrays)

    def resume(self, trainer: ImageTrainer) -> None:
        """Lets a trainer take up the training; raises RunFileError where it does not fit."""
        at = self.checkpoint.attributes
        n_batches = trainer.n_batches
        if at["iteration"] != self.attributes["iterations"] or at["batch"] >= n_batches:
            raise self.mismatch("its iteration counters are inconsistent")
        if at["epoch"] * n_batches + at["batch"] != at["iteration"] or at["epoch"] > (
            trainer.training.epochs or 0
        ):
            raise self.mismatch("its steps are not those of the spec")
        whole, rest = np.split(self.history.epochs, [at["epoch"] + 1])
        if (
            not np.array_equal(whole, np.arange(at["epoch"] + 1))
            or len(rest) > 1
            or (rest > at["epoch"] + 1).any()
        ):
            raise self.mismatch("its history is not that of its epochs")
        if self.history.slopes["mean"].shape[1] != trainer.network.slopes.n_layers:
            raise self.mismatch("its history has other activations than the network")
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
        trainer.resume(state, self._records(), self.all_events(), self.confusion)

    def _fill(self, what: str, tensors: Mapping[str, Tensor], stored: Mapping[str, Array]) -> None:
        if tensors.keys() != stored.keys() or any(
            tensors[name].shape != stored[name].shape for name in tensors
        ):
            raise self.mismatch(f"its {what} has other names or shapes than the spec's")
        with torch.no_grad():
            for name, tensor in tensors.items():
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
