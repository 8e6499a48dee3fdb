"""LeNet and pre-activation ResNet-18: counts by hand, and outputs against compositions written here from weights."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from laaf_cli.images.models.image_model import ImageModel, ImageShape, layout_of
from laaf_cli.images.models.lenet import LeNet
from laaf_cli.images.models.resnet import PreActResNet18
from laaf_cli.images.models.table import MODELS
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.network.slopes import SlopeRecovery, Slopes

ADAPTIVE = [kind for kind in SLOPE_KINDS if kind != "fixed"]
SMALL = (1, 16, 16)
COLOUR = (3, 32, 32)


def lenet(
    kind: str = "fixed", n: float = 1.0, *, shape: tuple[int, int, int] = SMALL, **more: object
) -> LeNet:
    settings = {"width": 30, "dtype": torch.float64} | more
    return LeNet(shape, 10, kind=kind, n=n, random=np.random.default_rng(4), **settings)  # type: ignore[arg-type]


def resnet(kind: str = "fixed", n: float = 1.0, **more: object) -> PreActResNet18:
    settings = {"dtype": torch.float64} | more
    return PreActResNet18(COLOUR, 10, kind=kind, n=n, random=np.random.default_rng(4), **settings)  # type: ignore[arg-type]


@pytest.fixture
def few_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """ResNets of a hundredth of the parameters, for what does not depend on how many there are."""
    monkeypatch.setattr(
        "laaf_cli.images.models.resnet._STAGES", ((8, 1), (16, 2), (24, 2), (32, 2))
    )


MAKERS: dict[str, tuple[Callable[..., ImageModel], tuple[int, int, int], int]] = {
    "lenet": (lenet, SMALL, 3),
    "preact-resnet18": (resnet, COLOUR, 16),
}


def images(shape: tuple[int, int, int], n: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(np.random.default_rng(1).random((n, *shape)), dtype=dtype)


def vary_slopes(model: ImageModel) -> None:
    """Slopes of both signs, every one another: what they multiply, and where, shows in the output."""
    random = np.random.default_rng(2)
    with torch.no_grad():
        for value in model.slopes.values:
            value.copy_(torch.tensor(random.uniform(-0.5, 1.5, tuple(value.shape))))


# Counts by hand.

# LeNet of images 1×28×28: 28 → 24 → 12 → 8 → 4, so 64·4·4 = 1024 values reach the fully connected layer.
#   conv1 64·(1·25) + 64 = 1664, conv2 64·(64·25) + 64 = 102464, output 10·width + 10
#   width 1014: 1014·1024 + 1014 = 1039350, and 10150;  width 1024: 1024·1024 + 1024 = 1049600, and 10250
#   slopes per neuron 64·12·12 + 64·4·4 + width = 9216 + 1024 + width; per channel 64 + 64 + width
# LeNet of images 1×16×16: 16 → 12 → 6 → 2 → 1, so 64 values.
#   width 1014: 1014·64 + 1014 = 65910;  width 1024: 1024·64 + 1024 = 66560
#   slopes per neuron 64·6·6 + 64·1·1 + width = 2304 + 64 + width
# ResNet-18 of images 3×32×32: convolutions 9·in·out, 2·in + 2·out for the two normalisations of a block.
#   first convolution 9·3·64 = 1728
#   stage 1, twice 2·(9·64·64) + 4·64 = 73984                                                   → 147968
#   stage 2, 9·64·128 + 9·128·128 + 64·128 + 384 = 229760, and 2·9·128·128 + 512 = 295424       → 525184
#   stage 3, 9·128·256 + 9·256·256 + 128·256 + 768 = 918272, and 2·9·256·256 + 1024 = 1180672   → 2098944
#   stage 4, 9·256·512 + 9·512·512 + 256·512 + 1536 = 3671552, and 2·9·512·512 + 2048 = 4720640 → 8392192
#   together 11166016; output 512·10 + 10 = 5130, or 512·100 + 100 = 51300
#   Sixteen slopes per layer. The first activation of a block sees the block's input:
#   per neuron, stage 1: 4·(64·32·32) = 262144; stage 2: 64·32·32 + 3·(128·16·16) = 163840;
#   stage 3: 128·16·16 + 3·(256·8·8) = 81920; stage 4: 256·8·8 + 3·(512·4·4) = 40960; together 548864
#   per channel, 4·64 + (64 + 3·128) + (128 + 3·256) + (256 + 3·512) = 3392
COUNTS = [
    ("lenet", (1, 28, 28), {}, 10, 1664 + 102464 + 1039350 + 10150, 3, 11254, 1142),
    ("lenet", (1, 28, 28), {"width": 1024}, 10, 1664 + 102464 + 1049600 + 10250, 3, 11264, 1152),
    ("lenet", (1, 16, 16), {}, 10, 1664 + 102464 + 65910 + 10150, 3, 3382, 1142),
    ("lenet", (1, 16, 16), {"width": 1024}, 10, 1664 + 102464 + 66560 + 10250, 3, 3392, 1152),
    ("preact-resnet18", (3, 32, 32), {}, 10, 11166016 + 5130, 16, 548864, 3392),
    ("preact-resnet18", (3, 32, 32), {}, 100, 11166016 + 51300, 16, 548864, 3392),
]


@pytest.mark.parametrize("kind", SLOPE_KINDS)
@pytest.mark.parametrize("per", ["neuron", "channel"])
@pytest.mark.parametrize(
    "row", COUNTS, ids=lambda row: f"{row[0]}-{row[1][1]}-{row[2].get('width', '')}-{row[3]}"
)
def test_counts(row: tuple[object, ...], per: str, kind: str) -> None:
    name, shape, settings, n_classes, parameters, layers, neurons, channels = row
    random = np.random.default_rng(0)
    model = MODELS[name].make(shape, n_classes, settings, kind=kind, n=2.0, per=per, random=random)  # type: ignore[index,arg-type]
    slopes = {
        "fixed": 0,
        "gaaf": 1,
        "llaaf": layers,
        "nlaaf": neurons if per == "neuron" else channels,
    }
    assert model.count() == (parameters, slopes[kind])
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters + slopes[kind]  # type: ignore[operator]


def test_slopes_have_the_shapes_of_what_they_multiply() -> None:
    shapes = [tuple(value.shape) for value in lenet("nlaaf", shape=(1, 28, 28)).slopes.values]
    assert shapes == [(64, 12, 12), (64, 4, 4), (30,)]
    shapes = [
        tuple(value.shape)
        for value in lenet("nlaaf", shape=(1, 28, 20), per="channel").slopes.values
    ]
    assert shapes == [(64, 1, 1), (64, 1, 1), (30,)]
    blocks = [(64, 32, 32)] * 5 + [(128, 16, 16)] * 4 + [(256, 8, 8)] * 4 + [(512, 4, 4)] * 3
    assert [tuple(value.shape) for value in resnet("nlaaf").slopes.values] == blocks
    assert [tuple(value.shape) for value in resnet("llaaf").slopes.values] == [(1,)] * 16


# Compositions.


def lenet_composed(state: Mapping[str, Tensor], x: Tensor, scales: Sequence[Tensor]) -> Tensor:
    z = functional.conv2d(x, state["conv1.weight"], state["conv1.bias"])
    z = functional.relu(scales[0] * functional.max_pool2d(z, 2))
    z = functional.conv2d(z, state["conv2.weight"], state["conv2.bias"])
    z = functional.relu(scales[1] * functional.max_pool2d(z, 2))
    z = functional.linear(z.reshape(len(z), -1), state["fc1.weight"], state["fc1.bias"])
    return functional.linear(functional.relu(scales[2] * z), state["fc2.weight"], state["fc2.bias"])


def resnet_composed(
    state: dict[str, Tensor], x: Tensor, scales: Sequence[Tensor], training: bool
) -> Tensor:
    """Overwrites the running means and variances in `state` where training."""

    def normalised(z: Tensor, name: str) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return functional.batch_norm(
            z, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"], training
        )

    z = functional.conv2d(x, state["conv1.weight"], padding=1)
    steps = iter(scales)
    for stage in ("stage1", "stage2", "stage3", "stage4"):
        for block in ("block1", "block2"):
            at = f"{stage}.{block}"
            shrinks = block == "block1" and stage != "stage1"
            y = functional.relu(next(steps) * normalised(z, f"{at}.bn1"))
            past = functional.conv2d(y, state[f"{at}.shortcut.weight"], stride=2) if shrinks else z
            y = functional.conv2d(
                y, state[f"{at}.conv1.weight"], stride=2 if shrinks else 1, padding=1
            )
            y = functional.relu(next(steps) * normalised(y, f"{at}.bn2"))
            z = functional.conv2d(y, state[f"{at}.conv2.weight"], padding=1) + past
    return functional.linear(z.mean((2, 3)), state["linear.weight"], state["linear.bias"])


def composed(
    name: str, model: ImageModel, x: Tensor, scales: Sequence[Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    state = {key: value.detach().clone() for key, value in model.state_dict().items()}
    if name == "lenet":
        return lenet_composed(state, x, scales), state
    return resnet_composed(state, x, scales, model.training), state


@lru_cache
def plain(name: str, dtype: torch.dtype, training: bool) -> tuple[Tensor, dict[str, Tensor]]:
    """Output and state of the composition without slopes."""
    make, shape, layers = MAKERS[name]
    return composed(
        name,
        make(dtype=dtype).train(training),
        images(shape, dtype=dtype),
        [torch.ones(1)] * layers,
    )


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", SLOPE_KINDS)
@pytest.mark.parametrize(
    ("n", "dtype", "tolerance"),
    [
        (1.0, torch.float32, 1e-6),
        (2.0, torch.float32, 1e-6),
        (10.0, torch.float32, 1e-6),
        (10.0, torch.float64, 1e-12),
    ],
    ids=["1", "2", "10", "10-float64"],
)
def test_every_kind_starts_as_the_plain_composition(
    name: str, kind: str, n: float, dtype: torch.dtype, tolerance: float
) -> None:
    make, shape, _ = MAKERS[name]
    model = make(kind, n, dtype=dtype)
    for training in (False, True):
        expected, state = plain(name, dtype, training)
        found = model.train(training)(images(shape, dtype=dtype))
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
    for key, buffer in model.named_buffers():
        if key.endswith("num_batches_tracked"):
            assert buffer == 1
        else:
            torch.testing.assert_close(buffer, state[key], rtol=tolerance, atol=tolerance)
            assert not torch.equal(buffer, torch.zeros_like(buffer))


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize(("kind", "per"), [("gaaf", "neuron"), ("llaaf", "neuron"), ("nlaaf", "neuron"), ("nlaaf", "channel")])  # fmt: skip
@pytest.mark.parametrize(("name", "settings"), [("lenet", {}), ("preact-resnet18", {}), ("preact-resnet18", {"forgets_n": True})])  # fmt: skip
def test_slopes_multiply_where_the_paper_says(
    name: str, settings: dict[str, bool], kind: str, per: str
) -> None:
    make, shape, layers = MAKERS[name]
    model = make(kind, 2.0, per=per, **settings)
    vary_slopes(model)
    values = [value.detach() for value in model.slopes.values]
    scales = [(1 if settings else 2) * a for a in (values * layers if kind == "gaaf" else values)]
    assert len(scales) == layers
    for training in (False, True):
        expected, _ = composed(name, model.train(training), images(shape), scales)
        torch.testing.assert_close(model(images(shape)), expected, rtol=1e-12, atol=1e-12)
    for recorded, scale in zip(model.slopes.scales(), scales, strict=True):
        assert torch.equal(recorded, scale)


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize("kind", SLOPE_KINDS)
def test_a_forgotten_n_starts_at_half(kind: str) -> None:
    model = resnet(kind, 2.0, forgets_n=True)
    half = torch.tensor([1.0 if kind == "fixed" else 0.5], dtype=torch.float64)
    expected, _ = composed("preact-resnet18", model, images(COLOUR), [half] * 16)
    torch.testing.assert_close(model(images(COLOUR)), expected, rtol=1e-12, atol=1e-12)
    assert all((scale == half).all() for scale in model.slopes.scales())


# Gradients.


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ADAPTIVE)
def test_every_slope_tensor_is_trained(name: str, kind: str) -> None:
    make, shape, _ = MAKERS[name]
    model = make(kind, 2.0)
    before = [value.detach().clone() for value in model.slopes.values]
    functional.cross_entropy(model(images(shape)), torch.tensor([0, 1, 2])).backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    for value, old in zip(model.slopes.values, before, strict=True):
        # A slope whose ReLU is shut at all images has no gradient.
        assert (value != old).double().mean() > 0.4


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize("name", MODELS)
def test_the_one_slope_of_gaaf_is_shared(name: str) -> None:
    make, shape, layers = MAKERS[name]
    gradients = {}
    for kind in ("gaaf", "llaaf"):
        model = make(kind, 2.0)
        functional.cross_entropy(model(images(shape)), torch.tensor([0, 1, 2])).backward()
        gradients[kind] = torch.cat(
            [value.grad for value in model.slopes.values if value.grad is not None]
        )
    assert gradients["llaaf"].shape == (layers,)
    torch.testing.assert_close(
        gradients["gaaf"], gradients["llaaf"].sum(0, keepdim=True), rtol=1e-10, atol=1e-14
    )


@pytest.mark.parametrize(("kind", "per"), [("gaaf", "neuron"), ("llaaf", "neuron"), ("nlaaf", "neuron"), ("nlaaf", "channel")])  # fmt: skip
def test_gradients_of_a_tiny_lenet(kind: str, per: str) -> None:
    model = lenet(kind, 2.0, per=per, width=3)
    vary_slopes(model)
    names = [f"slopes.values.{k}" for k in range(len(model.slopes.values))] + [
        "conv1.bias",
        "fc1.weight",
    ]
    state = dict(model.named_parameters())
    points = [
        images(SMALL, 2).requires_grad_(),
        *(state[name].detach().clone().requires_grad_() for name in names),
    ]

    def loss(x: Tensor, *parameters: Tensor) -> Tensor:
        logits = torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (x,))
        return functional.cross_entropy(logits, torch.tensor([3, 7]))

    assert torch.autograd.gradcheck(loss, points, fast_mode=kind != "llaaf")


def test_slope_recovery_of_feature_maps() -> None:
    """The mean of 0.1 … 0.4 is 0.25 and that of 0.5, 0.7, 0.9 is 0.7, so S = 1 / [(e^0.25 + e^0.7)/2]."""
    slopes = Slopes("nlaaf", 2.0, [(2, 2, 1), 3], torch.float64)
    with torch.no_grad():
        slopes.values[0].copy_(torch.tensor([[[0.1], [0.2]], [[0.3], [0.4]]]))
        slopes.values[1].copy_(torch.tensor([0.5, 0.7, 0.9]))
    found = SlopeRecovery(1.0)(list(slopes.values))
    assert float(found.detach()) == pytest.approx(2 / (math.exp(0.25) + math.exp(0.7)), rel=1e-7)
    found.backward()
    assert all(value.grad is not None and (value.grad < 0).all() for value in slopes.values)


# Weights, layouts, dropout.


def test_weights_depend_on_the_stream_and_the_shapes_alone() -> None:
    before = torch.get_rng_state()
    first = lenet("fixed").state_dict()
    for other in (
        lenet("nlaaf", 10.0),
        lenet("nlaaf", 2.0, per="channel", dropout=0.5),
        lenet(dtype=torch.float32),
    ):
        for name, value in first.items():
            assert torch.equal(value.to(other.fc1.weight.dtype), other.state_dict()[name])
    assert torch.equal(torch.get_rng_state(), before), (
        "PyTorch's own stream is not the model's to draw from"
    )
    again = LeNet(
        SMALL, 10, width=30, random=np.random.default_rng(5), dtype=torch.float64
    ).state_dict()
    assert not any(torch.equal(value, again[name]) for name, value in first.items())


def test_weights_are_uniform_as_by_default() -> None:
    states = {"lenet": lenet(width=500).state_dict(), "preact-resnet18": resnet().state_dict()}
    fan_in = {
        "conv2.weight": 1600,
        "conv2.bias": 1600,
        "fc1.weight": 64,
        "fc1.bias": 64,
        "fc2.weight": 500,
    }
    for name, fan in fan_in.items():
        value = states["lenet"][name]
        assert 0.95 < value.abs().max() * math.sqrt(fan) <= 1
        assert float(value.std()) * math.sqrt(3 * fan) == pytest.approx(
            1, rel=0.15 if value.dim() == 1 else 0.02
        )
    state = states["preact-resnet18"]
    assert 0.99 < state["stage2.block1.shortcut.weight"].abs().max() * math.sqrt(64) <= 1
    assert 0.99 < state["stage4.block2.conv2.weight"].abs().max() * math.sqrt(9 * 512) <= 1
    assert 0.99 < state["linear.weight"].abs().max() * math.sqrt(512) <= 1
    assert (state["stage3.block1.bn1.weight"] == 1).all()
    assert (state["stage3.block1.bn1.bias"] == 0).all()


def test_names_of_what_a_run_file_holds() -> None:
    layers = [
        f"{layer}.{part}"
        for layer in ("conv1", "conv2", "fc1", "fc2")
        for part in ("weight", "bias")
    ]
    assert set(lenet("llaaf").state_dict()) == {*layers, *(f"slopes.values.{k}" for k in range(3))}
    names = set(resnet("gaaf").state_dict())
    # Two convolutions and two normalisations of five each in eight blocks, three shortcuts, three more, one slope.
    assert len(names) == 8 * (2 + 2 * 5) + 3 + 3 + 1
    expected = {
        "conv1.weight",
        "stage1.block1.bn1.running_mean",
        "stage2.block1.shortcut.weight",
        "stage4.block2.conv2.weight",
        "linear.bias",
        "slopes.values.0",
    }
    assert expected <= names


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize("name", MODELS)
def test_a_stored_state_is_the_model(name: str) -> None:
    make, shape, _ = MAKERS[name]
    model, other = make("nlaaf", 2.0), make("nlaaf", 2.0)
    vary_slopes(model)
    functional.cross_entropy(model(images(shape)), torch.tensor([0, 1, 2])).backward()
    torch.optim.SGD(model.parameters(), lr=0.01).step()
    other.load_state_dict(copy.deepcopy(model.state_dict()))
    for twin in (other, pickle.loads(pickle.dumps(model))):  # noqa: S301  # written one line above
        assert torch.equal(twin.eval()(images(shape)), model.eval()(images(shape)))


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize("name", MODELS)
def test_permuted_images_have_permuted_outputs(name: str) -> None:
    make, shape, _ = MAKERS[name]
    model = make("nlaaf", 2.0).eval()
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(
        model(images(shape)[order]), model(images(shape))[order], rtol=1e-12, atol=1e-12
    )


@pytest.mark.usefixtures("few_channels")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("kind", "per"), [("fixed", "neuron"), ("llaaf", "neuron"), ("nlaaf", "neuron"), ("nlaaf", "channel")])  # fmt: skip
def test_channels_last_is_the_same_function(name: str, kind: str, per: str) -> None:
    make, shape, _ = MAKERS[name]
    model, other = (
        make(kind, 2.0, per=per),
        make(kind, 2.0, per=per).to(memory_format=torch.channels_last),
    )
    vary_slopes(model)
    other.load_state_dict(model.state_dict())
    batch = images(shape)
    logits = other(batch.to(memory_format=torch.channels_last))
    torch.testing.assert_close(logits, model(batch), rtol=1e-11, atol=1e-11)
    for one in (model, other):
        functional.cross_entropy(one(batch), torch.tensor([0, 1, 2])).backward()
    for ours, theirs in zip(model.slopes.values, other.slopes.values, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-9, atol=1e-12)


def layouts_of_inputs(model: ImageModel, shape: tuple[int, int, int]) -> list[bool]:
    """Whether the channels of a pixel lie side by side in what each convolution takes, of images that lie so.

    One channel lies either way, and is left out.
    """
    found: list[bool] = []

    def look(_layer: torch.nn.Module, x: tuple[Tensor, ...]) -> None:
        if x[0].shape[1] > 1:
            found.append(x[0].is_contiguous(memory_format=torch.channels_last))

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_pre_hook(look)
    batch = images(shape, dtype=torch.float32).to(memory_format=torch.channels_last)
    functional.cross_entropy(model(batch), torch.tensor([0, 1, 2])).backward()
    return found


@pytest.mark.parametrize("name", MODELS)
def test_real_models_train_with_channels_last(name: str) -> None:
    make, shape, _ = MAKERS[name]
    model = make("nlaaf", 2.0, dtype=torch.float32).laid_out()
    assert layout_of(model) is torch.channels_last
    layouts = layouts_of_inputs(model, shape)
    assert layouts
    assert all(layouts)
    assert not model._forward_pre_hooks, "nothing is done to the images"


@pytest.mark.parametrize("width", [1, 4, 6, 12])
def test_channels_that_onednn_miscounts_train_contiguous(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """As input of a strided convolution 1×1, whose gradient overruns its buffer with channels last."""
    for widths in ((width, 8, 8, 8), (8, width, 8, 8)):
        stages = tuple(zip(widths, (1, 2, 2, 2), strict=True))
        monkeypatch.setattr("laaf_cli.images.models.resnet._STAGES", stages)
        model = resnet("nlaaf", 2.0, dtype=torch.float32).laid_out()
        assert layout_of(model) is torch.contiguous_format
        layouts = layouts_of_inputs(model, COLOUR)
        assert layouts
        assert not any(layouts)
        assert all(parameter.is_contiguous() for parameter in model.parameters())


@pytest.mark.parametrize("widths", [(8, 8, 8, 8), (8, 16, 24, 24), (24, 8, 16, 4)])
def test_multiples_of_8_channels_train_with_channels_last(
    monkeypatch: pytest.MonkeyPatch, widths: tuple[int, ...]
) -> None:
    """What the last stage has is no input of a strided convolution."""
    stages = tuple(zip(widths, (1, 2, 2, 2), strict=True))
    monkeypatch.setattr("laaf_cli.images.models.resnet._STAGES", stages)
    assert layout_of(resnet()) is torch.channels_last


@pytest.mark.parametrize(
    ("layer", "is_sound"),
    [
        (torch.nn.Conv2d(4, 8, 1), True),
        (torch.nn.Conv2d(3, 8, 3, stride=2), True),
        (torch.nn.Conv2d(1, 8, 5), True),
        (torch.nn.Conv2d(64, 8, 1, stride=2), True),
        (torch.nn.Conv2d(4, 8, 1, stride=2), False),
        (torch.nn.Conv2d(6, 8, 1, stride=(1, 2)), False),
    ],
)
def test_only_strided_convolutions_of_single_pixels_are_at_fault(
    layer: torch.nn.Conv2d, is_sound: bool
) -> None:
    assert (layout_of(torch.nn.Sequential(layer)) is torch.channels_last) == is_sound


@pytest.mark.parametrize(
    ("kind", "per"), [("llaaf", "neuron"), ("nlaaf", "neuron"), ("nlaaf", "channel")]
)
def test_slopes_keep_channels_last(kind: str, per: str) -> None:
    model = lenet(kind, 2.0, per=per)
    z = (
        torch.randn(3, 64, 6, 6, dtype=torch.float64)
        .contiguous(memory_format=torch.channels_last)
        .requires_grad_()
    )
    y = model.activated(z, 0)
    if (kind, per) == ("nlaaf", "neuron"):
        assert y.grad_fn is not None
        product = y.grad_fn.next_functions[0][0]
        assert product._saved_other.stride()[1:] == z.stride()[1:], (
            "slopes lie as the batch does: twice as fast"
        )  # type: ignore[union-attr]
    y.sum().backward()
    assert z.grad is not None
    for value in (y, z.grad):
        assert value.is_contiguous(memory_format=torch.channels_last)


def test_dropout_repeats_and_has_its_rate() -> None:
    models = [lenet("llaaf", 2.0, width=1014, dropout=p, dtype=d) for p, d in ((0.5, torch.float64), (0.5, torch.float32), (0.3, torch.float64))]  # fmt: skip
    outputs = []
    for model in models:
        model.use_dropout(torch.Generator().manual_seed(7))
        outputs.append(model.dropped_out(torch.ones(64, 1014, dtype=model.fc1.weight.dtype)))
    assert torch.equal(outputs[0].float(), outputs[1])
    for output, p in ((outputs[0], 0.5), (outputs[2], 0.3)):
        assert float((output == 0).double().mean()) == pytest.approx(
            p, abs=0.006
        )  # 3 deviations of 64896 draws
        torch.testing.assert_close(output[output != 0], torch.tensor(1 / (1 - p)).double().expand(int((output != 0).sum())))  # fmt: skip
    logits = []
    for seed in (7, 7, 8):
        models[0].use_dropout(torch.Generator().manual_seed(seed))
        logits.append(models[0](images(SMALL)))
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])
    models[0].eval()
    assert torch.equal(
        models[0](images(SMALL)), lenet("llaaf", 2.0, width=1014).eval()(images(SMALL))
    )


def test_the_mask_of_dropout_hits_the_fully_connected_layer() -> None:
    model = lenet(dropout=0.5)
    model.use_dropout(torch.Generator().manual_seed(7))
    mask = torch.rand(3, 30, generator=torch.Generator().manual_seed(7)) >= 0.5
    seen = []
    model.fc2.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    model(images(SMALL))
    model.eval()(images(SMALL))
    torch.testing.assert_close(seen[0], 2 * seen[1] * mask)


# What is refused.


def test_dropout_without_a_stream_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"none is set; call use_dropout\(stream\) before a batch in training mode"
    ):
        lenet(dropout=0.5)(images(SMALL))


REFUSED = [
    (
        "lenet",
        (1, 15, 40),
        {},
        "neuron",
        "takes images of at least 16×16 pixels, and these have 15×40",
    ),
    (
        "lenet",
        (1, 40, 3),
        {},
        "neuron",
        "takes images of at least 16×16 pixels, and these have 40×3",
    ),
    ("lenet", SMALL, {"dropout": 1.0}, "neuron", "dropout must be a probability below 1, got 1.0"),
    (
        "lenet",
        SMALL,
        {"dropout": -0.1},
        "neuron",
        "dropout must be a probability below 1, got -0.1",
    ),
    (
        "lenet",
        SMALL,
        {"dropout": math.nan},
        "neuron",
        "dropout must be a probability below 1, got nan",
    ),
    (
        "lenet",
        SMALL,
        {"forgets_n": True},
        "neuron",
        "'lenet' has no setting 'forgets_n'; it has width, dropout",
    ),
    ("lenet", SMALL, {}, "pixel", "slopes are per neuron or per channel, not per 'pixel'"),
    (
        "preact-resnet18",
        (1, 28, 28),
        {},
        "neuron",
        "takes images of 32×32 pixels, and these have 28×28",
    ),
    (
        "preact-resnet18",
        (3, 32, 64),
        {},
        "neuron",
        "takes images of 32×32 pixels, and these have 32×64",
    ),
    (
        "preact-resnet18",
        COLOUR,
        {"width": 9},
        "neuron",
        "'preact-resnet18' has no setting 'width'; it has forgets_n",
    ),
]


@pytest.mark.parametrize(
    ("name", "shape", "settings", "per", "message"), REFUSED, ids=lambda value: str(value)[:20]
)
def test_refused(
    name: str, shape: tuple[int, int, int], settings: dict[str, float], per: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        MODELS[name].make(
            shape, 10, settings, kind="nlaaf", n=2.0, per=per, random=np.random.default_rng(0)
        )


def test_unfit_shapes_say_nothing_of_what_fits() -> None:
    assert MODELS["lenet"].unfit(ImageShape(1, 16, 16)) == ""
    assert MODELS["lenet"].unfit(ImageShape(3, 32, 17)) == ""
    assert MODELS["preact-resnet18"].unfit(ImageShape(1, 32, 32)) == ""
