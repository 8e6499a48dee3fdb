"""Burgers' equation in DeepXDE on PyTorch, as its users write it, with what it changes in the process put back.

Importing DeepXDE chooses a backend (by the environment variable DDE_BACKEND), makes CUDA the default device of
torch where there is one, and prints; `set_default_float` changes the default type of torch. `loaded` and `Step`
contain this.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[Any]

NU = 0.01 / np.pi


def is_installed() -> bool:
    """Whether the extra `benchmark` is there."""
    return importlib.util.find_spec("deepxde") is not None


@contextlib.contextmanager
def settings(dtype: str, device: str = "cpu", autodiff: str = "reverse") -> Iterator[ModuleType]:
    """DeepXDE with its default type, device and direction of differentiation set; torch's own are put back."""
    os.environ["DDE_BACKEND"] = "pytorch"
    before = torch.get_default_dtype()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import deepxde

        deepxde.config.set_default_float(dtype)
        deepxde.config.set_default_autodiff(autodiff)
    # A default device costs time in every operation, and without CUDA DeepXDE sets none.
    torch.set_default_device("cuda" if device == "cuda" else None)
    try:
        yield deepxde
    finally:
        torch.set_default_dtype(before)
        torch.set_default_device(None)


def residual(deepxde: ModuleType) -> Callable[[Any, Any], Any]:
    """The equation as the Burgers example of DeepXDE writes it."""

    def pde(x: Any, y: Any) -> Any:
        dy_x = _value(deepxde.grad.jacobian(y, x, i=0, j=0))
        dy_t = _value(deepxde.grad.jacobian(y, x, i=0, j=1))
        dy_xx = _value(deepxde.grad.hessian(y, x, i=0, j=0))
        return dy_t + _value(y) * dy_x - NU * dy_xx

    return pde


def _value(y: Any) -> Any:
    """In forward mode DeepXDE hands pairs of values and function around."""
    return y[0] if isinstance(y, tuple) else y


class _GradientOnly(torch.optim.Optimizer):
    """An optimizer that computes the gradient and leaves the parameters as they are."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {})

    def step(self, closure: Any = None) -> Any:
        self.total = closure()
        return self.total


class Step:
    """One turn of DeepXDE's own `Model.train_step`: the loss, its gradient, and no update.

    The points are given: those of the equation as `anchors`, those of the conditions as a PointSetBC each, so that
    nothing is evaluated twice. (What `num_boundary` and `num_initial` draw would be points of the equation as well.)

    points: `momentum`, `initial` and `walls`, [n, 2] each. weights, biases: those of the network. autodiff:
    `reverse`, DeepXDE's default, or `forward`.
    """

    def __init__(
        self,
        points: dict[str, Array],
        weights: Sequence[Array],
        biases: Sequence[Array],
        dtype: str,
        device: str,
        autodiff: str = "reverse",
    ) -> None:
        self.settings = (dtype, device, autodiff)
        with settings(*self.settings) as deepxde:
            initial, walls = points["initial"], points["walls"]
            conditions = [
                deepxde.icbc.PointSetBC(initial, -np.sin(np.pi * initial[:, :1])),
                deepxde.icbc.PointSetBC(walls, np.zeros((len(walls), 1))),
            ]
            space, time = deepxde.geometry.Interval(-1, 1), deepxde.geometry.TimeDomain(0, 1)
            domain = deepxde.geometry.GeometryXTime(space, time)
            data = deepxde.data.TimePDE(
                domain, residual(deepxde), conditions, anchors=points["momentum"]
            )
            network = deepxde.nn.FNN(_widths(weights), "tanh", "Glorot normal")
            with torch.no_grad():
                for layer, weight, bias in zip(network.linears, weights, biases, strict=True):
                    layer.weight.copy_(torch.as_tensor(weight))
                    layer.bias.copy_(torch.as_tensor(bias))
            self.optimizer = _GradientOnly(network.parameters())
            self.model = deepxde.Model(data, network)
            self.model.compile(self.optimizer, loss_weights=[1, 0.5, 0.5], verbose=0)
            self.batch = data.train_next_batch()

    def turn(self) -> float:
        """Takes some ten microseconds besides the step itself, to put DeepXDE's settings in place and back."""
        with settings(*self.settings):
            self.model.train_step(*self.batch)
        return float(self.optimizer.total.detach())

    def gradient(self) -> Array:
        """The gradient of the last turn, weights and biases of a layer after one another."""
        parts = [parameter.grad.reshape(-1) for parameter in self.model.net.parameters()]
        return torch.cat(parts).cpu().numpy().astype(np.float64)


class Iteration(Step):
    """The same step with the update of Adam."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        with settings(*self.settings):
            self.model.compile("adam", lr=8e-4, loss_weights=[1, 0.5, 0.5], verbose=0)

    def turn(self) -> float:
        with settings(*self.settings):
            self.model.train_step(*self.batch)
        return float("nan")


def _widths(weights: Sequence[Array]) -> list[int]:
    shapes = [weight.shape for weight in weights]
    assert all(after[1] == before[0] for before, after in pairwise(shapes))
    return [shapes[0][1], *(shape[0] for shape in shapes)]


def example(deepxde: ModuleType, seed: int) -> Any:
    """The model of DeepXDE's Burgers example: 3×20 tanh, Glorot normal, 2540 + 80 + 160 points.

    One thing differs: the example ends at t = 0.99, and here the error is taken up to t = 1.
    """
    deepxde.config.set_random_seed(seed)
    domain = deepxde.geometry.GeometryXTime(
        deepxde.geometry.Interval(-1, 1), deepxde.geometry.TimeDomain(0, 1)
    )
    walls = deepxde.icbc.DirichletBC(domain, lambda _x: 0, lambda _x, on_boundary: on_boundary)
    initial = deepxde.icbc.IC(
        domain, lambda x: -np.sin(np.pi * x[:, 0:1]), lambda _x, on_initial: on_initial
    )
    data = deepxde.data.TimePDE(
        domain,
        residual(deepxde),
        [walls, initial],
        num_domain=2540,
        num_boundary=80,
        num_initial=160,
    )
    return deepxde.Model(data, deepxde.nn.FNN([2] + [20] * 3 + [1], "tanh", "Glorot normal"))
