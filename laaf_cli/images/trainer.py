"""The training loop of classifications: stochastic gradient descent, silent, interruptible, and
aware of NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from laaf_cli.images.batches import ImageBatches
from laaf_cli.images.models.image_model import ImageModel
from laaf_cli.images.runfile.record import SlopeStatistics
from laaf_cli.images.spec import ImageTrainingSpec
from laaf_cli.network.slopes import SlopeRecovery
from laaf_cli.seeds import random_stream
from laaf_cli.training import Checkpoints, Clock, EndedTraining, Event, StopReason

MAX_MISTAKES = 24
"""The most images of which is kept that they were classified wrongly."""

EVALUATION_BATCH = 500
"""Images in a batch where its size changes no number but the last digits."""


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What is kept at the end of an epoch; epoch 0 is the start, a fraction the end of a training
    in an epoch.
    """

    epoch: float
    iteration: int
    wall_time_s: float
    learning_rate: float
    train_loss: float
    """Cross entropy over all training images, in training mode (dropout and batch statistics on)
    and without S(a), as the authors plot it.
    """
    train_error: float
    """The fraction of wrong answers, likewise."""
    test_loss: float
    """Cross entropy over the test images, in evaluation mode."""
    test_error: float
    """The fraction of wrong answers, likewise."""
    recovery: float
    """S(a), NaN where it is not part of the loss."""
    scales: tuple[SlopeStatistics, ...]


@dataclass(frozen=True, kw_only=True)
class ImageMeasurement:
    """A network over a set of images: cross entropy, fraction of wrong answers, and answers by true
    class [k, k].
    """

    loss: float
    error: float
    confusion: NDArray[np.int64]
    mistakes: NDArray[np.int64]
    """[n, 2], the first images that are classified wrongly, and the classes found."""


@dataclass(frozen=True, kw_only=True)
class ImageState:
    """The position of a training: complete epochs, batches of the next one, steps, seconds, and
    momentum by parameter.
    """

    epoch: int
    batch: int
    iteration: int
    wall_time_s: float
    momentum: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class ImageTrainingResult(EndedTraining):
    """How a training went; the network itself holds what it reached, the last good state where it
    diverged.
    """

    stop_detail: str
    state: ImageState
    records: Sequence[EpochRecord]
    confusion: NDArray[np.int64]
    """Test images by true and found class, at the last record."""
    mistakes: NDArray[np.int64]
    """[n, 2], the first test images that were classified wrongly at the last record of this
    process, and the classes found.
    """


@dataclass(frozen=True, kw_only=True)
class _GoodState:
    """A state to go back to."""

    epoch: int
    batch: int
    iteration: int
    arrays: Mapping[str, Tensor]


class ImageTrainer:
    """Trains a network in place: cross entropy + W_a S(a), by gradient descent with momentum.

    on_record: called with each record as it is made; on_step: with the steps carried out, the
    seconds of training and the cross entropy of the last batch before its step. should_stop: asked
    before every step; True ends the training with what was reached. max_seconds: bound on the
    seconds of training. checkpoints: keeps the training while it runs; None does not.
    """

    def __init__(
        self,
        network: ImageModel,
        train: ImageBatches,
        test: ImageBatches,
        training: ImageTrainingSpec,
        recovery: SlopeRecovery | None,
        seed: int,
        *,
        on_record: Callable[[EpochRecord], None] = lambda _record: None,
        on_step: Callable[[int, float, float], None] = lambda _iteration, _wall_time_s, _loss: None,
        should_stop: Callable[[], bool] = lambda: False,
        max_seconds: float | None = None,
        checkpoints: Checkpoints[ImageTrainingResult] | None = None,
    ) -> None:
        self.network = network
        self.train_images, self.test_images = train, test
        self.training, self.recovery, self.seed = training, recovery, seed
        self.on_record, self.on_step, self.should_stop = on_record, on_step, should_stop
        self.max_seconds = math.inf if max_seconds is None else max_seconds
        self.checkpoints = checkpoints
        self.optimizer = torch.optim.SGD(
            network.parameters(), lr=training.learning_rate, momentum=training.momentum, fused=True
        )
        self.epoch = self.batch = self.iteration = 0
        self.clock = Clock()
        self.records: list[EpochRecord] = []
        self.events: list[Event] = []
        self.confusion = np.zeros((0, 0), dtype=np.int64)
        self.mistakes = np.zeros((0, 2), dtype=np.int64)
        self.stop: StopReason | None = None
        self.detail = ""
        self.dropout_stream = torch.Generator()  # on the CPU, so that no device changes the masks

    @property
    def n_batches(self) -> int:
        """The batches of an epoch, the last of which may be smaller."""
        return -(-len(self.train_images) // self.training.batch)

    def resume(
        self,
        state: ImageState,
        records: Sequence[EpochRecord],
        events: Sequence[Event],
        confusion: NDArray[np.int64],
    ) -> None:
        """Takes up a training where it stopped; the network holds its weights already."""
        self.epoch, self.batch, self.iteration = state.epoch, state.batch, state.iteration
        self.records, self.events, self.confusion = list(records), list(events), confusion
        for name, parameter in self.network.named_parameters():
            if name in state.momentum:
                self.optimizer.state[parameter]["momentum_buffer"] = state.momentum[name]
        self.clock = Clock(state.wall_time_s)
        if self.checkpoints is not None:
            self.checkpoints.begin(state.wall_time_s)

    def train(self) -> ImageTrainingResult:
        """Trains to the end; a loss that is not finite is not raised but reported in the result."""
        self.clock.resume()
        self.good = self._copied()
        if not self.records:
            self._look()
        epochs = self.training.epochs or 0
        while self.stop is None and self.epoch < epochs:
            self._train_epoch()
        if self.batch and self.stop is not StopReason.DIVERGED:
            self._look()
        return self._result(self.stop or StopReason.COMPLETED, self.clock.now())

    def learning_rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1."""
        n_drops = sum(epoch >= drop for drop in self.training.drops or ())
        return self.training.learning_rate * self.training.factor**n_drops

    def _train_epoch(self) -> None:
        """What is left of an epoch; sets `stop` where the training ends in it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate(self.epoch + 1)
        batches = torch.split(self.train_images.order(self.epoch), self.training.batch)
        while self.batch < len(batches):
            now = self.clock.now()
            if self.should_stop():
                self.stop = StopReason.INTERRUPTED
            elif now >= self.max_seconds:
                self.stop = StopReason.MAX_SECONDS
            if self.stop is not None:
                return
            checkpoints = self.checkpoints
            if checkpoints is not None and checkpoints.is_due(now, phase_begins=self.batch == 0):
                self.clock.pause()
                checkpoints.save(now, partial(self._result, StopReason.RUNNING, now))
                self.clock.resume()
            loss = self._step(batches[self.batch])
            if not math.isfinite(loss):
                self._diverge(
                    f"the loss became {loss} at iteration {self.iteration}, in epoch "
                    f"{self.epoch + 1}"
                )
                return
            self.iteration += 1
            self.batch += 1
            self.on_step(self.iteration, now, loss)
        self.epoch, self.batch = self.epoch + 1, 0
        self._look()
        if self.stop is None:
            self.good = self._copied()

    def _step(self, chosen: Tensor) -> float:
        """One step; returns the cross entropy before it, or the whole loss where that is not
        finite: then no step.
        """
        self.network.train()
        self._seed_dropout("training", self.iteration)
        pixels, labels = self.train_images.batch(
            chosen, "training", str(self.epoch), str(self.batch)
        )
        entropy = loss = nn.functional.cross_entropy(self.network(pixels), labels)
        if self.recovery is not None:
            loss = entropy + self.recovery.weight * self.recovery(list(self.network.slopes.values))
        whole = float(loss.detach())
        if not math.isfinite(whole):
            return whole
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(entropy.detach())

    def _seed_dropout(self, *stream: object) -> None:
        """Dropout of a step depends on the seed and the step alone, so that resuming needs no
        generator.
        """
        if self.network.dropout:
            seed = random_stream(self.seed, "dropout", *map(str, stream)).integers(2**63)
            self.network.use_dropout(self.dropout_stream.manual_seed(int(seed)))

    def _diverge(self, detail: str) -> None:
        """Goes back to the state after the last epoch that was good."""
        self.stop, self.detail = StopReason.DIVERGED, detail
        self.epoch, self.batch, self.iteration = (
            self.good.epoch,
            self.good.batch,
            self.good.iteration,
        )
        with torch.no_grad():
            for name, array in self.network.state_dict().items():
                array.copy_(self.good.arrays[name])
        self.optimizer.state.clear()

    def _copied(self) -> _GoodState:
        arrays = {name: array.clone() for name, array in self.network.state_dict().items()}
        return _GoodState(
            epoch=self.epoch, batch=self.batch, iteration=self.iteration, arrays=arrays
        )

    def _look(self) -> None:
        """Records how the network does, which takes none of the seconds of training; goes back
        if it is not finite.
        """
        self.clock.pause()
        train = self._measure_training()
        self.network.eval()
        test = self._measured(self.test_images.in_order(EVALUATION_BATCH))
        self.clock.resume()
        at = self.epoch + self.batch / self.n_batches
        for images, loss in (("training", train.loss), ("test", test.loss)):
            if not math.isfinite(loss) and self.records:
                self._diverge(f"the loss over all {images} images became {loss} after epoch {at:g}")
                return
        # The end of a training in an epoch is a record that a training without the break would not
        # have.
        self.records = [record for record in self.records if record.epoch.is_integer()]
        self._record(at, train, test)

    def _record(self, at: float, train: ImageMeasurement, test: ImageMeasurement) -> None:
        slopes = self.network.slopes
        with torch.no_grad():
            recovery = (
                math.nan if self.recovery is None else float(self.recovery(list(slopes.values)))
            )
            scales = tuple(
                SlopeStatistics(
                    mean=float(values.mean()),
                    deviation=float(values.std(correction=0)),
                    min=float(values.min()),
                    max=float(values.max()),
                )
                for values in (scale.double() for scale in slopes.scales())
            )
        record = EpochRecord(
            epoch=at,
            iteration=self.iteration,
            wall_time_s=self.clock.spent,
            learning_rate=self.learning_rate(max(1, self.epoch + (self.batch > 0))),
            train_loss=train.loss,
            train_error=train.error,
            test_loss=test.loss,
            test_error=test.error,
            recovery=recovery,
            scales=scales,
        )
        self.records.append(record)
        self.confusion, self.mistakes = test.confusion, test.mistakes
        self.on_record(record)

    def _measure_training(self) -> ImageMeasurement:
        """In training mode; running statistics of batches are left as they are."""
        network, size = self.network, EVALUATION_BATCH
        if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
            size = self.training.batch  # they are of batches of this size
        self._seed_dropout("evaluation", self.iteration)
        buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
        network.train()
        images = self.train_images
        order = torch.arange(len(images), device=images.labels.device)
        try:
            return self._measured(
                images.batch(chosen, "evaluation", str(self.iteration), str(i))
                for i, chosen in enumerate(torch.split(order, size))
            )
        finally:
            for buffer, before in buffers:
                buffer.copy_(before)

    def _measured(self, batches: Iterator[tuple[Tensor, Tensor]]) -> ImageMeasurement:
        loss, n, k = 0.0, 0, 0
        counts: Tensor | None = None
        mistakes: list[list[int]] = []
        with torch.no_grad():
            for pixels, labels in batches:
                logits = self.network(pixels)
                k = logits.shape[1]
                loss += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
                found = logits.argmax(1)
                if len(mistakes) < MAX_MISTAKES:
                    wrong = torch.nonzero(found != labels)[: MAX_MISTAKES - len(mistakes), 0]
                    mistakes += torch.stack([n + wrong, found[wrong]], dim=1).tolist()
                n += len(labels)
                in_batch = torch.bincount(labels * k + found, minlength=k * k)
                counts = in_batch if counts is None else counts + in_batch
        confusion = (
            np.zeros((0, 0), np.int64) if counts is None else counts.reshape(k, k).cpu().numpy()
        )
        return ImageMeasurement(
            loss=loss / n,
            error=1 - float(confusion.trace()) / n,
            confusion=confusion,
            mistakes=np.array(mistakes, dtype=np.int64).reshape(-1, 2),
        )

    def _result(self, reason: StopReason, wall_time_s: float) -> ImageTrainingResult:
        momentum = {
            name: checkpoints["momentum_buffer"]
            for name, parameter in self.network.named_parameters()
            if (checkpoints := self.optimizer.state.get(parameter))
            and checkpoints.get("momentum_buffer") is not None
        }
        checkpoints = self.checkpoints
        return ImageTrainingResult(
            stop_reason=reason,
            stop_detail=self.detail,
            state=ImageState(
                epoch=self.epoch,
                batch=self.batch,
                iteration=self.iteration,
                wall_time_s=wall_time_s,
                momentum=momentum,
            ),
            records=tuple(self.records),
            events=tuple(self.events),
            confusion=self.confusion,
            mistakes=self.mistakes,
            n_checkpoints=checkpoints.n_kept if checkpoints else 0,
            checkpoint_time_s=checkpoints.spent_s if checkpoints else 0.0,
        )
