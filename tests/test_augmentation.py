"""Augmentation against SciPy and Pillow, image by image, and against statistics of its draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from laaf_cli.images.augmentation import AUGMENTATIONS, Affine, Crop, Flip, Normalize
from laaf_cli.seeds import random_stream

Matrix = NDArray[np.float64]


class Told(np.random.Generator):
    """A generator whose uniform numbers and integers are told beforehand."""

    def __init__(self, *draws: list[float]) -> None:
        super().__init__(np.random.PCG64(0))
        self.draws = list(draws)

    def uniform(self, low, high, size):  # type: ignore[no-untyped-def]
        values = np.reshape(self.draws.pop(0), size)
        assert (low <= values).all()
        assert (values <= high).all()
        return values


def images(n: int, channels: int, height: int, width: int) -> Tensor:
    """Every pixel another and none of them 0, on the levels of eight bits as far as they go."""
    random = np.random.default_rng(3)
    return torch.tensor(
        random.integers(1, 256, (n, channels, height, width)) / 255, dtype=torch.float32
    )


SHAPES = [(1, 28, 28), (3, 32, 32), (1, 16, 16), (2, 7, 12)]


# Crops and flips.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [1, 2, 4])
def test_crops_are_windows_of_the_padded_images(shape: tuple[int, int, int], padding: int) -> None:
    batch = images(200, *shape)
    found = Crop(padding)(batch, np.random.default_rng(5))
    padded = torch.nn.functional.pad(batch, (padding,) * 4)
    height, width = shape[1:]
    seen = []
    for image, whole in zip(found, padded, strict=True):
        places = [
            (i, j)
            for i in range(2 * padding + 1)
            for j in range(2 * padding + 1)
            if torch.equal(image, whole[:, i : i + height, j : j + width])
        ]
        assert len(places) == 1
        seen += places
    # Each of the offsets comes as often as another: 3.5 deviations of a binomial distribution, both axes.
    share = 1 / (2 * padding + 1)
    for axis in range(2):
        counts = np.bincount([place[axis] for place in seen], minlength=2 * padding + 1)
        assert len(counts) == 2 * padding + 1
        assert np.abs(counts - 200 * share).max() < 3.5 * math.sqrt(200 * share * (1 - share))
    assert len({i - j for i, j in seen}) > 2 * padding, "both axes have draws of their own"


@pytest.mark.parametrize("shape", SHAPES)
def test_flips_mirror_about_half(shape: tuple[int, int, int]) -> None:
    batch = images(400, *shape)
    found = Flip()(batch, np.random.default_rng(5))
    mirrored = sum(torch.equal(image, old.flip(2)) for image, old in zip(found, batch, strict=True))
    kept = sum(torch.equal(image, old) for image, old in zip(found, batch, strict=True))
    assert mirrored + kept == 400
    assert abs(mirrored - 200) < 35  # 3.5 deviations


# Affine maps.


def inverse_matrix(degrees: float, size: float) -> Matrix:
    """(row, column) of a pixel about the centre → those of the point that it shows: clockwise by `degrees`."""
    angle = math.radians(degrees)
    return (
        np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) / size
    )


def by_scipy(image: Matrix, degrees: float, size: float) -> Matrix:
    matrix = inverse_matrix(degrees, size)
    center = (np.array(image.shape[1:]) - 1) / 2
    offset = center - matrix @ center
    return np.stack(
        [ndimage.affine_transform(c, matrix, offset, order=0, mode="grid-constant") for c in image]
    )


def by_pillow(image: Matrix, degrees: float, size: float) -> Matrix:
    """As torchvision's RandomAffine calls it: x first, pixels half a unit from their corners."""
    (d, c), (b, a) = inverse_matrix(degrees, size)
    height, width = image.shape[1:]
    x, y = width / 2, height / 2
    coefficients = (a, b, x - a * x - b * y, c, d, y - c * x - d * y)
    channels = []
    for channel in image:
        picture = Image.fromarray(np.rint(channel * 255).astype(np.uint8))
        moved = picture.transform(
            (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.NEAREST
        )
        channels.append(np.asarray(moved) / 255)
    return np.stack(channels)


RANDOM = np.random.default_rng(8)
ANGLES = RANDOM.uniform(-15, 15, 60).tolist()
SIZES = RANDOM.uniform(0.85, 1.15, 60).tolist()


@pytest.mark.parametrize("shape", SHAPES)
def test_affine_maps_are_those_of_scipy(shape: tuple[int, int, int]) -> None:
    batch = images(60, *shape)
    found = Affine(15, 0.85, 1.15)(batch, Told(ANGLES, SIZES))
    for image, old, degrees, size in zip(found, batch, ANGLES, SIZES, strict=True):
        np.testing.assert_array_equal(image, by_scipy(old.numpy(), degrees, size))
    assert (found == 0).any(), "some pixels show what is outside"


@pytest.mark.parametrize("shape", SHAPES)
def test_affine_maps_are_those_of_pillow_but_for_pixels_on_a_border(
    shape: tuple[int, int, int],
) -> None:
    batch = images(60, *shape)
    found = Affine(15, 0.85, 1.15)(batch, Told(ANGLES, SIZES)).numpy()
    expected = np.stack(
        [by_pillow(*each) for each in zip(batch.numpy(), ANGLES, SIZES, strict=True)]
    )
    different = ~np.isclose(found, expected, rtol=0, atol=1e-6)
    for where in np.argwhere(different):
        image, _, i, j = where
        y, x = i - (shape[1] - 1) / 2, j - (shape[2] - 1) / 2
        point = inverse_matrix(ANGLES[image], SIZES[image]) @ [y, x] + (np.array(shape[1:]) - 1) / 2
        assert np.abs(point - np.floor(point) - 0.5).min() < 1e-3
    assert different.mean() < 2e-3


def test_a_quarter_turn_is_clockwise() -> None:
    batch = images(1, 2, 9, 9)
    assert torch.equal(Affine(90, 1, 1)(batch, Told([90.0], [1.0])), torch.rot90(batch, -1, (2, 3)))


def test_no_turn_and_no_scaling_change_nothing() -> None:
    for shape in SHAPES:
        batch = images(4, *shape)
        assert torch.equal(Affine(0, 1, 1)(batch, np.random.default_rng(0)), batch)


def test_twice_as_large_shows_the_middle() -> None:
    batch = images(1, 1, 8, 8)
    found = Affine(0, 2, 2)(batch, np.random.default_rng(0))
    assert torch.equal(found, batch[:, :, 2:6, 2:6].repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_angles_and_sizes_are_uniform() -> None:
    """Pixels that hold their own row tell the matrix of each image by least squares over the middle."""
    offset = torch.arange(-20.0, 21)
    found = Affine(15, 0.85, 1.15)(offset[:, None].expand(800, 1, 41, 41), np.random.default_rng(1))
    middle, y = found[:, 0, 8:33, 8:33].double(), offset[8:33].double()
    squares = float(25 * (y * y).sum())
    along, across = (middle * y[:, None]).sum((1, 2)) / squares, -(middle * y).sum((1, 2)) / squares
    angles, sizes = torch.rad2deg(torch.atan2(across, along)), 1 / torch.hypot(along, across)
    for values, low, high in ((angles, -15.0, 15.0), (sizes, 0.85, 1.15)):
        assert low - 0.01 * (high - low) < values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() < high + 0.01 * (high - low)
        share = np.histogram(values.numpy(), 5, (low, high))[0] / 800
        assert np.abs(share - 0.2).max() < 0.05  # 3.5 deviations
    assert abs(np.corrcoef(angles, sizes)[0, 1]) < 0.12


# The table.


def test_the_table_is_that_of_the_paper() -> None:
    assert {name: row.steps for name, row in AUGMENTATIONS.items()} == {
        "mnist": (Crop(2), Affine(15, 0.85, 1.15)),
        "fashion-mnist": (Crop(2), Flip()),
        "kmnist": (Crop(2),),
        "semeion": (Crop(1), Affine(4, 1.05, 1.05)),
        "svhn": (Crop(4), Flip()),
        "cifar-10": (Crop(4), Flip()),
        "cifar-100": (Crop(4), Flip()),
    }
    assert [name for name, row in AUGMENTATIONS.items() if row.normalize] == ["cifar-10"]


SIDES = {
    "semeion": (1, 16, 16),
    "svhn": (3, 32, 32),
    "cifar-10": (3, 32, 32),
    "cifar-100": (3, 32, 32),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_batch_depends_on_its_stream_alone(name: str, dtype: torch.dtype) -> None:
    batch = images(64, *SIDES.get(name, (1, 28, 28))).to(dtype)
    before = batch.clone()
    streams = [
        random_stream(0, "augmentation", epoch, number)
        for epoch, number in (("1", "0"), ("1", "0"), ("1", "1"))
    ]
    first, again, other = (AUGMENTATIONS[name].training(batch, stream) for stream in streams)
    assert first.shape == batch.shape
    assert first.dtype == dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(batch, before), "the data set itself stays as it is"
    strided = batch.to(memory_format=torch.channels_last)
    assert torch.equal(
        first, AUGMENTATIONS[name].training(strided, random_stream(0, "augmentation", "1", "0"))
    )


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_batch_is_the_same_on_every_device(name: str) -> None:
    batch = images(64, *SIDES.get(name, (1, 28, 28)))
    first, other = (
        AUGMENTATIONS[name].training(batch.to(device), random_stream(0, "augmentation"))
        for device in ("cpu", "cuda")
    )
    torch.testing.assert_close(first, other.cpu(), rtol=1e-6, atol=1e-6)


def test_normalised_images_of_cifar_10() -> None:
    row = AUGMENTATIONS["cifar-10"]
    batch = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)[None, :, None, None].expand(
        2, 3, 32, 32
    )
    expected = [(0 - 0.4914) / 0.2023, (0.5 - 0.4822) / 0.1994, (1 - 0.4465) / 0.2010]
    for channel, value in enumerate(expected):
        torch.testing.assert_close(
            row.test(batch)[:, channel], torch.full((2, 32, 32), value, dtype=torch.float64)
        )
    # The zeros beyond the edge are black before they are normalised.
    corner = row.training(batch, np.random.default_rng(0))[:, 1].min()
    assert float(corner) == pytest.approx((0 - 0.4822) / 0.1994)
    assert torch.equal(AUGMENTATIONS["svhn"].test(batch), batch)


def test_normalisation_is_by_channel() -> None:
    found = Normalize((1.0, 2.0), (4.0, 8.0))(torch.full((1, 2, 1, 1), 10.0))
    assert found.flatten().tolist() == [9 / 4, 1.0]
