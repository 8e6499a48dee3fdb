"""Training over images, against steps, losses and counts that are written out here."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from image_runs import image_plan, make_trainer, write_images
from syrupy.assertion import SnapshotAssertion
from torch import Tensor, nn

from laaf_cli.images.augmentation import AUGMENTATIONS, Affine, Augmentation, Crop, Flip, Normalize
from laaf_cli.images.batches import ImageBatches
from laaf_cli.images.plan import ImagePlan
from laaf_cli.images.train import execute
from laaf_cli.images.trainer import EpochRecord, ImageMeasurement, ImageTrainer
from laaf_cli.seeds import random_stream
from laaf_cli.training import StopReason

KINDS = ("fixed", "gaaf", "llaaf", "nlaaf")

AUGMENTED = Augmentation(
    "digits", (Crop(2), Flip(), Affine(10, 0.9, 1.1)), Normalize((0.4,), (0.3,))
)


@pytest.fixture
def augmented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Augmentation of the images that tests train on."""
    monkeypatch.setitem(AUGMENTATIONS, "digits.npz", AUGMENTED)


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a few colour pictures that ResNet takes, which has a few channels here."""
    monkeypatch.setattr(
        "laaf_cli.images.models.resnet._STAGES", ((8, 1), (16, 2), (24, 2), (24, 2))
    )
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_images(folder, train=10, test=5, shape=(32, 32, 3))
    return folder


def numbers(records: list[EpochRecord] | tuple[EpochRecord, ...]) -> list[EpochRecord]:
    """All that is recorded but the seconds; NaN made comparable."""
    return [
        replace(
            record,
            wall_time_s=0.0,
            recovery=-1.0 if math.isnan(record.recovery) else record.recovery,
        )
        for record in records
    ]


# --- A step ----------------------------------------------------------------------------------------------------------


def lenet(arrays: dict[str, Tensor], kind: str, n: float, x: Tensor) -> Tensor:
    """LeNet in plain torch, from the names in its run file."""
    names = [name for name in arrays if name.startswith("slopes.")]
    slopes: list[Tensor | float] = [n * arrays[name] for name in names]
    by_layer = {"fixed": [1.0] * 3, "gaaf": slopes * 3}.get(kind, slopes)
    pool, f = nn.functional.max_pool2d, nn.functional
    z = pool(f.conv2d(x, arrays["conv1.weight"], arrays["conv1.bias"]), 2)
    z = pool(f.conv2d((by_layer[0] * z).relu(), arrays["conv2.weight"], arrays["conv2.bias"]), 2)
    z = f.linear((by_layer[1] * z).relu().flatten(1), arrays["fc1.weight"], arrays["fc1.bias"])
    return f.linear((by_layer[2] * z).relu(), arrays["fc2.weight"], arrays["fc2.bias"])


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean of log Σ_k exp z_k − z_label."""
    return (torch.logsumexp(logits, 1) - logits[torch.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize("recovery", ["true", "{weight: 0.5, form: sum}", "false"])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_descent_with_momentum(tmp_path: Path, kind: str, recovery: str) -> None:
    """v ← 0.9 v + ∇(cross entropy + W S(a)), w ← w − 0.05 v; the gradient of S by its formula, all else by autograd."""
    plan = image_plan(
        tmp_path,
        f"slopes.kind={kind}",
        f"slopes.recovery={recovery}",
        "training.epochs=2",
        "dtype=float64",
    )
    trainer = make_trainer(plan)
    arrays = {name: array.detach().clone() for name, array in trainer.network.state_dict().items()}
    velocity = {name: torch.zeros_like(array) for name, array in arrays.items()}
    weight, is_sum = {"true": (1.0, False), "false": (0.0, False)}.get(recovery, (0.5, True))
    trainer.train()
    pixels = torch.from_numpy(plan.data.train.pixels / 255)
    labels = torch.from_numpy(plan.data.train.labels)
    slopes = [name for name in arrays if name.startswith("slopes.")]
    for epoch in ("0", "1"):
        order = torch.from_numpy(random_stream(0, "order", epoch).permutation(50))
        for chosen in order.split(8):
            leaves = {name: array.clone().requires_grad_() for name, array in arrays.items()}
            loss = cross_entropy(lenet(leaves, kind, 2.0, pixels[chosen]), labels[chosen])
            gradients = dict(
                zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True)
            )
            exponentials = {name: arrays[name].mean().exp() for name in slopes}
            share = 1 if is_sum else max(1, len(slopes))
            for name in slopes:
                s = share / sum(exponentials.values())
                gradients[name] -= (
                    weight * s**2 * exponentials[name] / (share * arrays[name].numel())
                )
            for name, array in arrays.items():
                velocity[name] = 0.9 * velocity[name] + gradients[name]
                array -= 0.05 * velocity[name]
    assert trainer.iteration == 14
    for name, array in trainer.network.state_dict().items():
        torch.testing.assert_close(array, arrays[name], rtol=1e-10, atol=1e-12)
    for name, kept in trainer._result(StopReason.RUNNING, 0.0).state.momentum.items():
        torch.testing.assert_close(kept, velocity[name], rtol=1e-9, atol=1e-12)
    assert all(
        not torch.equal(trainer.network.state_dict()[name], torch.full_like(arrays[name], 0.5))
        for name in slopes
    )


def test_without_momentum_a_step_is_the_gradient(tmp_path: Path) -> None:
    plan = image_plan(
        tmp_path, "training.momentum=0", "training.epochs=1", "training.batch=50", "dtype=float64"
    )
    trainer = make_trainer(plan)
    before = copy.deepcopy(trainer.network)
    trainer.train()
    pixels, labels = (
        torch.from_numpy(plan.data.train.pixels / 255),
        torch.from_numpy(plan.data.train.labels),
    )
    assert plan.recovery is not None
    (cross_entropy(before(pixels), labels) + plan.recovery(list(before.slopes.values))).backward()
    for old, new in zip(before.parameters(), trainer.network.parameters(), strict=True):
        torch.testing.assert_close(new, old - 0.05 * old.grad, rtol=1e-10, atol=1e-13)


# --- An epoch --------------------------------------------------------------------------------------------------------


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], Tensor]]:
    """The names of streams and the numbers of images of every batch that is made of training images."""
    found: list[tuple[tuple[str, ...], Tensor]] = []
    make = ImageBatches.batch

    def batch(self: ImageBatches, chosen: Tensor, *stream: str) -> tuple[Tensor, Tensor]:
        found.append((stream, chosen))
        return make(self, chosen, *stream)

    monkeypatch.setattr(ImageBatches, "batch", batch)
    return found


def orders(seen: list[tuple[tuple[str, ...], Tensor]], n_batches: int) -> list[list[int]]:
    """The images of each epoch of training, in their order."""
    batches = [chosen for (what, *_), chosen in seen if what == "training"]
    assert all(
        stream == ("training", str(i // n_batches), str(i % n_batches))
        for i, stream in enumerate(stream for stream, _ in seen if stream[0] == "training")
    ), "a stream of random numbers for each batch"
    return [
        torch.cat(batches[i : i + n_batches]).tolist() for i in range(0, len(batches), n_batches)
    ]


def test_every_epoch_sees_each_image_once_in_an_order_of_its_own(
    tmp_path: Path, seen: list[tuple[tuple[str, ...], Tensor]]
) -> None:
    make_trainer(image_plan(tmp_path)).train()
    first = orders(seen, 7)
    assert [len(chosen) for (what, *_), chosen in seen if what == "training"] == [
        8,
        8,
        8,
        8,
        8,
        8,
        2,
    ] * 3
    assert [sorted(order) for order in first] == [list(range(50))] * 3
    assert len({tuple(order) for order in first}) == 3
    seen.clear()
    make_trainer(
        image_plan(tmp_path, "slopes.kind=fixed", "training.batch=25", "model.width=5")
    ).train()
    assert orders(seen, 2) == first, "it depends on nothing but seed and epoch"
    seen.clear()
    make_trainer(image_plan(tmp_path, "seed=1")).train()
    assert all(order != other for order, other in zip(orders(seen, 7), first, strict=True))


def test_the_learning_rate_drops_as_the_tenth_epoch_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path, train=8, test=3)
    rates: list[float] = []
    step = ImageTrainer._step

    def spied(self: ImageTrainer, chosen: Tensor) -> float:
        rates.append(self.optimizer.param_groups[0]["lr"])
        return step(self, chosen)

    monkeypatch.setattr(ImageTrainer, "_step", spied)
    plan = image_plan(tmp_path, "training.epochs=12", "training.learning_rate=0.01")
    records = make_trainer(plan).train().records
    assert rates == pytest.approx([0.01] * 9 + [0.001] * 3, rel=1e-12)
    assert [record.learning_rate for record in records] == pytest.approx(
        [0.01] * 10 + [0.001] * 3, rel=1e-12
    )
    rates.clear()
    make_trainer(
        image_plan(
            tmp_path, "training={epochs: 4, drops: [1, 3, 3], factor: 0.5, learning_rate: 1}"
        )
    ).train()
    assert rates == [0.5, 0.5, 0.125, 0.125]


# --- Evaluation ------------------------------------------------------------------------------------------------------


def confusion_of(logits: Tensor, labels: np.ndarray, n_classes: int) -> np.ndarray:
    counts = np.zeros((n_classes, n_classes), np.int64)
    for found, label in zip(logits.argmax(1).tolist(), labels, strict=True):
        counts[label, found] += 1
    return counts


@pytest.mark.parametrize("kind", KINDS)
def test_test_loss_and_confusion(tmp_path: Path, kind: str) -> None:
    write_images(tmp_path, train=30, test=701)  # more than one batch of evaluation
    plan = image_plan(tmp_path, f"slopes.kind={kind}", "dtype=float64", "training.epochs=1")
    trainer = make_trainer(plan)
    result = trainer.train()
    logits = lenet(
        dict(trainer.network.state_dict()), kind, 2.0, torch.from_numpy(plan.data.test.pixels / 255)
    )
    last, labels = result.records[-1], plan.data.test.labels
    np.testing.assert_array_equal(result.confusion, confusion_of(logits, labels, 3))
    assert last.test_loss == pytest.approx(
        float(cross_entropy(logits, torch.from_numpy(labels))), rel=1e-12
    )
    assert last.test_error == 1 - result.confusion.trace() / 701
    assert result.confusion.sum(1).tolist() == np.bincount(labels).tolist()


def test_training_loss_of_dropout_is_in_training_mode(tmp_path: Path) -> None:
    """The masks are those of the stream of this evaluation, which the steps do not share."""
    plan = image_plan(tmp_path, "model.dropout=0.5", "dtype=float64", "training.epochs=1")
    trainer = make_trainer(plan)
    result = trainer.train()
    seed = int(random_stream(0, "dropout", "evaluation", "7").integers(2**63))
    mask = torch.rand(50, 8, generator=torch.Generator().manual_seed(seed)) >= 0.5
    hidden = copy.deepcopy(trainer.network)
    hidden.fc2 = nn.Identity()
    hidden.eval()
    pixels, labels = (
        torch.from_numpy(plan.data.train.pixels / 255),
        torch.from_numpy(plan.data.train.labels),
    )
    with torch.no_grad():
        logits = trainer.network.fc2(hidden(pixels) * mask / 0.5)
    assert result.records[-1].train_loss == pytest.approx(
        float(cross_entropy(logits, labels)), rel=1e-12
    )
    assert result.records[-1].train_error == pytest.approx(
        float((logits.argmax(1) != labels).double().mean())
    )


def test_training_loss_of_batch_statistics(pictures: Path) -> None:
    """By the statistics of batches as large as in training, the last of two, and running statistics stay as they are."""
    plan = image_plan(
        pictures, "model={kind: preact-resnet18}", "dtype=float64", "training.epochs=1"
    )
    trainer = make_trainer(plan)
    before = copy.deepcopy(trainer.network)
    trainer._look()
    for name, array in trainer.network.state_dict().items():
        assert torch.equal(array, before.state_dict()[name]), name
    pixels, labels = (
        torch.from_numpy(plan.data.train.pixels / 255),
        torch.from_numpy(plan.data.train.labels),
    )
    before.train()
    with torch.no_grad():
        logits = torch.cat([before(pixels[:8]), before(pixels[8:])])
    assert trainer.records[0].train_loss == pytest.approx(
        float(cross_entropy(logits, labels)), rel=1e-10
    )
    fresh = plan.make_network().eval()  # whose running statistics are 0 and 1
    with torch.no_grad():
        tested = fresh(torch.from_numpy(plan.data.test.pixels / 255))
    expected = float(cross_entropy(tested, torch.from_numpy(plan.data.test.labels)))
    assert trainer.records[0].test_loss == pytest.approx(expected, rel=1e-10)
    np.testing.assert_array_equal(trainer.confusion, confusion_of(tested, plan.data.test.labels, 3))


def test_evaluation_changes_no_training(
    tmp_path: Path, pictures: Path, augmented: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither weights nor running statistics nor masks nor augmentation."""
    del augmented
    plans: list[ImagePlan] = [
        image_plan(tmp_path, "model.dropout=0.5", "augment=true", "training.epochs=2"),
        image_plan(pictures, "model={kind: preact-resnet18}", "training.epochs=1"),
    ]
    watched = [make_trainer(plan) for plan in plans]
    for trainer in watched:
        trainer.train()
    monkeypatch.setattr(ImageTrainer, "_look", lambda self: self.records.append(RECORD))
    for plan, expected in zip(plans, watched, strict=True):
        blind = make_trainer(plan)
        blind.train()
        assert blind.iteration == expected.iteration
        for name, array in blind.network.state_dict().items():
            assert torch.equal(array, expected.network.state_dict()[name]), name


RECORD = EpochRecord(
    epoch=0.0,
    iteration=0,
    wall_time_s=0.0,
    learning_rate=0.0,
    train_loss=0.0,
    train_error=0.0,
    test_loss=0.0,
    test_error=0.0,
    recovery=0.0,
    scales=(),
)


def test_the_two_readings(pictures: Path) -> None:
    """arXiv 1909.12228, section 4, and the authors' main.py and models/: what each says where they differ."""

    def resolved(*settings: str) -> tuple[object, ...]:
        spec = image_plan(pictures, *settings).spec
        model, training = spec.model, spec.training
        return model.width, model.dropout, model.forgets_n, training.epochs, training.drops

    small = "training={}", "model={kind: lenet}"
    resnet = "training={}", "model={kind: preact-resnet18}"
    assert resolved(*small) == (1014, 0.0, None, 50, [10])
    assert resolved(*small, "reading=code") == (1024, 0.5, None, 50, [10, 50])
    assert resolved(*resnet) == (None, None, False, 50, [10])
    assert resolved(*resnet, "reading=code") == (None, None, True, 50, [10, 50])
    chosen = "reading=code", "model={kind: lenet, dropout: 0}", "training={epochs: 3, drops: []}"
    assert resolved(*chosen) == (1024, 0.0, None, 3, [])


@pytest.mark.parametrize("reading", ["paper", "code"])
def test_augmentation_takes_more_epochs(tmp_path: Path, augmented: None, reading: str) -> None:
    del augmented
    training = image_plan(
        tmp_path, "training={}", "augment=true", f"reading={reading}"
    ).spec.training
    assert (training.epochs, training.drops) == (200, [10, 100])


def test_what_changes_no_number_makes_no_other_method(pictures: Path) -> None:
    def methods(kind: str, model: str, *settings: str) -> int:
        plans = [
            image_plan(pictures, f"slopes.kind={kind}", f"model={model}", *more)
            for more in ((), settings)
        ]
        return len({plan.hashes for plan in plans})

    for kind, n_methods in {"fixed": 1, "gaaf": 1, "llaaf": 1, "nlaaf": 2}.items():
        assert methods(kind, "{kind: lenet}", "slopes.per=channel") == n_methods
    for kind, n_methods in {"fixed": 1, "llaaf": 2}.items():
        assert methods(kind, "{kind: preact-resnet18}", "model.forgets_n=true") == n_methods
    assert methods("fixed", "{kind: lenet}", "slopes.n=3", "slopes.recovery=false") == 1
    assert methods("llaaf", "{kind: lenet}", "slopes.recovery=false") == 2


def test_two_trainings_of_a_plan_are_one(tmp_path: Path, augmented: None) -> None:
    """What torch itself drew before makes no difference."""
    del augmented
    plan = image_plan(tmp_path, "model.dropout=0.3", "augment=true")
    first = make_trainer(plan).train()
    torch.rand(5)
    second = make_trainer(plan).train()
    assert numbers(first.records) == numbers(second.records)
    other = make_trainer(
        image_plan(tmp_path, "model.dropout=0.3", "augment=true", "seed=1")
    ).train()
    assert numbers(first.records) != numbers(other.records)


def test_what_is_augmented(
    tmp_path: Path, augmented: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training images in steps and in evaluation, by streams of their own; test images are normalised alone."""
    del augmented
    plan = image_plan(tmp_path, "augment=true", "training.epochs=1", "dtype=float64")
    trainer = make_trainer(plan)
    given: list[Tensor] = []
    forward = type(trainer.network).forward
    monkeypatch.setattr(
        type(trainer.network),
        "forward",
        lambda self, x: given.append(x.detach().clone()) or forward(self, x),
    )
    trainer.train()
    train, test = (
        torch.from_numpy(images.pixels / 255) for images in (plan.data.train, plan.data.test)
    )
    order = torch.from_numpy(random_stream(0, "order", "0").permutation(50))
    expected = [
        AUGMENTED.training(train, random_stream(0, "augmentation", "evaluation", "0", "0")),
        (test - 0.4) / 0.3,
        *(
            AUGMENTED.training(
                train[chosen], random_stream(0, "augmentation", "training", "0", str(i))
            )
            for i, chosen in enumerate(order.split(8))
        ),
        AUGMENTED.training(train, random_stream(0, "augmentation", "evaluation", "7", "0")),
        (test - 0.4) / 0.3,
    ]
    assert len(given) == len(expected)
    for found, wanted in zip(given, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-14, atol=1e-14)


# --- Records ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_and_recovery_of_a_record(tmp_path: Path, kind: str) -> None:
    trainer = make_trainer(image_plan(tmp_path, f"slopes.kind={kind}", "training.epochs=1"))
    first, last = trainer.train().records
    values = [
        array.double().numpy()
        for name, array in trainer.network.state_dict().items()
        if "slopes" in name
    ]
    if kind == "fixed":
        assert math.isnan(last.recovery)
        assert {(s.mean, s.deviation, s.min, s.max) for s in last.scales} == {(1.0, 0.0, 1.0, 1.0)}
        return
    assert first.recovery == pytest.approx(math.exp(-0.5), rel=1e-6), "all slopes begin at 1/2"
    assert last.recovery == pytest.approx(
        1 / np.mean([math.exp(a.mean()) for a in values]), rel=1e-6
    )
    for scale, slopes in zip(last.scales, values * (3 if kind == "gaaf" else 1), strict=True):
        expected = [2 * slopes.mean(), 2 * slopes.std(), 2 * slopes.min(), 2 * slopes.max()]
        assert [scale.mean, scale.deviation, scale.min, scale.max] == pytest.approx(
            expected, rel=1e-6, abs=1e-9
        )
    assert (last.scales[0].deviation > 0) == (kind == "nlaaf")


def test_records_of_a_training(tmp_path: Path) -> None:
    told: list[EpochRecord] = []
    steps: list[int] = []
    result = make_trainer(
        image_plan(tmp_path),
        on_record=told.append,
        on_step=lambda iteration, _seconds, loss: (
            steps.append(iteration) if math.isfinite(loss) else None
        ),
    ).train()
    assert told == list(result.records)
    assert [(record.epoch, record.iteration) for record in told] == [
        (0, 0),
        (1, 7),
        (2, 14),
        (3, 21),
    ]
    assert steps == list(range(1, 22))
    assert (result.stop_reason, result.state.epoch, result.state.batch) == (
        StopReason.COMPLETED,
        3,
        0,
    )


def test_seconds_leave_evaluation_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes a second here, and a look at all images a thousand, half of it for the test."""
    now, measure = [0.0], ImageTrainer._measured
    monkeypatch.setattr("laaf_cli.training.clock.time.perf_counter", lambda: now[0])

    def slow(self: ImageTrainer, batches: Iterator[tuple[Tensor, Tensor]]) -> ImageMeasurement:
        now[0] += 500
        return measure(self, batches)

    def step(*_: object) -> None:
        now[0] += 1

    monkeypatch.setattr(ImageTrainer, "_measured", slow)
    result = make_trainer(image_plan(tmp_path, "training.epochs=2"), on_step=step).train()
    assert now[0] == 3014
    assert [record.wall_time_s for record in result.records] == [0, 7, 14]
    assert result.state.wall_time_s == 14


def test_a_bound_on_seconds_ends_within_an_epoch(tmp_path: Path) -> None:
    now = [0.0]
    trainer = make_trainer(
        image_plan(tmp_path), max_seconds=9.5, on_step=lambda *_: now.__setitem__(0, now[0] + 1)
    )
    trainer.clock.now = lambda: now[0]
    trainer.clock.pause = lambda: None
    result = trainer.train()
    assert result.stop_reason is StopReason.MAX_SECONDS
    assert (result.state.epoch, result.state.batch, result.state.iteration) == (1, 3, 10)
    assert result.records[-1].epoch == pytest.approx(1 + 3 / 7)


# --- Divergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", ["0", "0.5"])
def test_a_loss_that_is_not_finite_leaves_the_last_good_epoch(
    tmp_path: Path, dropout: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    """Weights, records and confusion are those that one epoch leaves."""
    expected = make_trainer(image_plan(tmp_path, "training.epochs=1", f"model.dropout={dropout}"))
    good = expected.train()
    trainer = make_trainer(image_plan(tmp_path, f"model.dropout={dropout}"))
    step = ImageTrainer._step

    def breaking(self: ImageTrainer, chosen: Tensor) -> float:
        if self.iteration == 10:
            with torch.no_grad():
                next(self.network.parameters()).fill_(math.inf)
        return step(self, chosen)

    monkeypatch.setattr(ImageTrainer, "_step", breaking)
    result = trainer.train()
    assert result.stop_reason is StopReason.DIVERGED
    assert result.stop_detail == snapshot
    assert (result.state.epoch, result.state.batch, result.state.iteration) == (1, 0, 7)
    assert result.state.momentum == {}
    assert numbers(result.records) == numbers(good.records)
    np.testing.assert_array_equal(result.confusion, good.confusion)
    for name, array in trainer.network.state_dict().items():
        assert torch.equal(array, expected.network.state_dict()[name])


def test_a_network_that_breaks_in_the_last_step_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    """The step itself is finite, and what it leads to is not: the look at the whole finds it."""
    good = make_trainer(image_plan(tmp_path, "training.epochs=1")).train()
    told: list[EpochRecord] = []
    trainer = make_trainer(image_plan(tmp_path), on_record=told.append)
    step = ImageTrainer._step

    def breaking(self: ImageTrainer, chosen: Tensor) -> float:
        loss = step(self, chosen)
        if self.iteration == 13:
            with torch.no_grad():
                next(self.network.parameters()).fill_(math.nan)
        return loss

    monkeypatch.setattr(ImageTrainer, "_step", breaking)
    result = trainer.train()
    assert result.stop_reason is StopReason.DIVERGED
    assert result.stop_detail == snapshot
    assert result.state.iteration == 7
    assert numbers(result.records) == numbers(good.records) == numbers(told)
    np.testing.assert_array_equal(result.confusion, good.confusion)


@pytest.mark.parametrize("stop_after", [1000, 10])
def test_a_network_that_only_the_test_finds_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    """Running statistics that are not finite leave training as it is, for ever; so at the end of an epoch or in one."""
    good = make_trainer(image_plan(tmp_path, "training.epochs=1")).train()
    measure = ImageTrainer._measured

    def broken(self: ImageTrainer, batches: Iterator[tuple[Tensor, Tensor]]) -> ImageMeasurement:
        found = measure(self, batches)
        return (
            replace(found, loss=math.inf, confusion=found.confusion * 2)
            if self.iteration > 7 and not self.network.training
            else found
        )

    monkeypatch.setattr(ImageTrainer, "_measured", broken)
    steps: list[int] = []
    trainer = make_trainer(
        image_plan(tmp_path),
        on_step=lambda iteration, *_: steps.append(iteration),
        should_stop=lambda: len(steps) >= stop_after,
    )
    result = trainer.train()
    assert result.stop_reason is StopReason.DIVERGED
    after = "2" if stop_after == 1000 else "1.42857"
    assert result.stop_detail == f"the loss over all test images became inf after epoch {after}"
    assert (result.state.epoch, result.state.batch, result.state.iteration) == (1, 0, 7)
    assert numbers(result.records) == numbers(good.records)
    np.testing.assert_array_equal(result.confusion, good.confusion)


def test_a_finished_run_tells_what_its_records_tell(tmp_path: Path) -> None:
    plan = image_plan(tmp_path)
    finished = execute(plan)
    summary, record = finished.summary, finished.record
    counts = record.confusion
    assert (
        summary.test_error
        == 1 - counts.trace() / counts.sum()
        == record.history.columns["test_error"][-1]
    )
    assert summary.classes == {
        str(k): pytest.approx(1 - counts[k, k] / counts[k].sum()) for k in range(3)
    }
    assert (summary.n_train, summary.n_test, summary.epochs, summary.iterations) == (50, 20, 3, 21)
    assert summary.n_slopes == 64 * 6 * 6 + 64 * 1 * 1 + 8
    assert summary.images_per_s == pytest.approx(150 / summary.wall_time_s)


@pytest.mark.cuda
@pytest.mark.parametrize("kind", KINDS)
def test_cuda_trains_as_the_cpu_does(tmp_path: Path, kind: str, augmented: None) -> None:
    """Two steps in float64, with dropout and augmentation, whose random numbers no device changes."""
    del augmented
    arguments = (
        "dtype=float64",
        "augment=true",
        "model.dropout=0.5",
        "training={epochs: 1, batch: 25}",
    )
    results = {}
    for device in ("cpu", "cuda"):
        trainer = make_trainer(
            image_plan(tmp_path, f"device={device}", f"slopes.kind={kind}", *arguments)
        )
        results[device] = (trainer.train(), trainer.network.cpu().state_dict())
    (on_cpu, here), (on_gpu, there) = results["cpu"], results["cuda"]
    assert on_gpu.records[-1].train_loss == pytest.approx(on_cpu.records[-1].train_loss, rel=1e-8)
    assert on_gpu.records[-1].test_loss == pytest.approx(on_cpu.records[-1].test_loss, rel=1e-8)
    for name, array in here.items():
        torch.testing.assert_close(there[name], array, rtol=1e-7, atol=1e-9)
