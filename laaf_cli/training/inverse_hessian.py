"""Approximations of the inverse Hessian that quasi-Newton methods build from steps and changes
of the gradient.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from laaf_cli.training.state import Arrays, taken, taken_count
from laaf_cli.training.symmetric_matrix import SymmetricMatrix, Update

MEMORY = 50
"""Pairs that the limited-memory method keeps."""

REFRESH = 20
"""Updates after which the product with the gradient is computed again, because of the rounding of
one in place of it adds up.

On Poisson's equation it is 1e-9 of the product after 20 updates and 1e-4 after 400, where searches
begin to fail.
"""

_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What one iteration shows of the curvature."""

    step: Tensor
    """s [n]."""
    change: Tensor
    """y [n], the change of the gradient along the step."""
    metric: float
    """sᵀH⁻¹s with the H that the step was made with; for s = −α H g it is −α sᵀg."""
    gradient: Tensor
    """The gradient after the step, g + y."""
    image: Tensor
    """H g."""

    def products(self) -> tuple[float, float]:
        """yᵀs and yᵀy; the first is 0 where no positive definite H takes y to s (yᵀs > 0 fails)."""
        ys, yy, ss = torch.stack([
            self.change @ self.step, self.change @ self.change, self.step @ self.step
        ]).tolist()  # fmt: skip
        return (ys if ys > _EPSILON * math.sqrt(yy * ss) else 0.0), yy


class InverseHessian(ABC):
    """H [n, n], symmetric and positive definite, in float64; the identity at first.

    is_fresh: whether nothing is in it yet.
    """

    is_fresh = True

    @abstractmethod
    def product(self, x: Tensor) -> Tensor:
        """H x [n] of a vector [n]."""

    @abstractmethod
    def update(self, pair: Pair) -> Tensor:
        """Takes up a pair, so that H y = s, and returns H times the new gradient.

        A pair whose curvature is not positive, to rounding, leaves H as it is.
        """

    @abstractmethod
    def reset(self) -> None:
        """H ← I."""

    @abstractmethod
    def state(self) -> Arrays:
        """Arrays that hold it; asking for them changes nothing."""

    @abstractmethod
    def load(self, state: Arrays) -> None:
        """Resumes from such arrays.

        Raises:
            StateError: they do not fit.
        """


@dataclass(frozen=True)
class Scaling:
    """The two parameters of an update of the self-scaled Broyden family: τ of the scale 1/τ, and
    φ.
    """

    tau: float
    phi: float


Member = Callable[[float, float, int], Scaling]
"""b = sᵀH⁻¹s/yᵀs, h = yᵀHy/yᵀs and n → the parameters; bh ≥ 1, with equality where Hy and s are
parallel.
"""


def bfgs(_b: float, _h: float, _n: int) -> Scaling:
    """Broyden, Fletcher, Goldfarb & Shanno 1970: no scaling."""
    return Scaling(1.0, 1.0)


def ssbfgs(b: float, _h: float, _n: int) -> Scaling:
    """BFGS, H scaled up by sᵀH⁻¹s/yᵀs where that is above 1 (Al-Baali 1998; Urbán et al. 2025)."""
    return Scaling(min(1.0, 1 / b), 1.0)


def ssbroyden(b: float, h: float, n: int) -> Scaling:
    """The self-scaled Broyden method of Al-Baali & Khalfan 2005, as Urbán, Stefanou & Pons 2025
    write it.

    With a = bh − 1, c = √(a/(1+a)), ρ = min(1, h(1 − c)):
    θ = max((ρ − 1)/a, min(1/ρ, (1 − b)/b)), σ = 1 + aθ, τ₁ = min(1, 1/b),
    τ = τ₁ min(σ^(−1/(n−1)), 1/θ) where θ > 0, min(τ₁ σ^(−1/(n−1)), σ) elsewhere, and φ = (1 − θ)/σ.
    """
    a = max(b * h - 1, _EPSILON)
    c = math.sqrt(a / (1 + a))
    rho = min(1.0, h / ((1 + a) * (1 + c)))  # 1 − c would cancel where a is large
    theta = max((rho - 1) / a, min(1 / rho, (1 - b) / b))
    sigma = 1 + a * theta
    first = min(1.0, 1 / b)
    power = sigma ** (-1 / (n - 1)) if n > 1 else 1.0
    tau = first * min(power, 1 / theta) if theta > 0 else min(first * power, sigma)
    return Scaling(tau, (1 - theta) / sigma)


class DenseInverse(InverseHessian):
    """H as a matrix, updated by a member of the self-scaled Broyden family.

    H ← [H − Hy yᵀH/(yᵀHy) + φ v vᵀ]/τ + s sᵀ/(yᵀs), v = √(yᵀHy) [s/(yᵀs) − Hy/(yᵀHy)]: since vᵀy =
    0, H y = s for every τ and φ (Al-Baali & Khalfan 2005, "Wide interval for efficient self-scaling
    quasi-Newton algorithms", Optimization Methods and Software 20; Urbán, Stefanou & Pons 2025,
    "Unveiling the optimization process of physics informed neural networks", Journal of
    Computational Physics 523, eqs. 11 to 19).

    It starts as I: with the usual (yᵀs/yᵀy) I, the first pair of which is the stiffest direction,
    1000 iterations of BFGS leave a loss of Poisson's equation at 3e2 that they take from I to 9e-4.

    Args:
        n: of parameters.
    """

    def __init__(self, n: int, member: Member, device: torch.device) -> None:
        self.member = member
        self.n_updates = 0
        self.matrix = SymmetricMatrix(n, device)

    def product(self, x: Tensor) -> Tensor:
        return self.matrix.product(x)

    def update(self, pair: Pair) -> Tensor:
        ys, _ = pair.products()
        if ys == 0:
            return self.product(pair.gradient)
        hy = self.product(pair.change)
        yhy = float(pair.change @ hy)
        if not 0 < yhy < math.inf:  # rounding has cost H its definiteness
            self.reset()
            return pair.gradient.clone()
        scaling = self.member(pair.metric / ys, yhy / ys, len(hy))
        vectors = torch.stack([hy, pair.step / ys - hy / yhy, pair.step])
        coefficients = hy.new_tensor(
            [-1 / (scaling.tau * yhy), scaling.phi * yhy / scaling.tau, 1 / ys]
        )
        self.is_fresh = False
        update = Update(vectors, coefficients, 1 / scaling.tau)
        self.matrix.update(update)
        self.n_updates += 1
        if self.n_updates % REFRESH == 0:
            return self.product(pair.gradient)
        # H (g + y) without another pass over H
        return update.product(pair.gradient, pair.image + hy)

    def reset(self) -> None:
        self.matrix.reset()
        self.is_fresh = True

    def state(self) -> Arrays:
        return {
            "n_updates": np.array(self.n_updates),
            "is_fresh": np.array(int(self.is_fresh)),
            **self.matrix.state("inverse_hessian"),
        }

    def load(self, state: Arrays) -> None:
        self.n_updates = taken_count(state, "n_updates")
        self.is_fresh = bool(taken(state, "is_fresh"))
        self.matrix.load("inverse_hessian", state)


@dataclass(frozen=True)
class _Curvature:
    """What is kept of a pair: s [n], y [n] and yᵀs."""

    step: Tensor
    change: Tensor
    ys: float


class LimitedMemory(InverseHessian):
    """H by its last pairs, BFGS updates of (yᵀs/yᵀy) I (Nocedal & Wright 2006, algorithm 7.4, eq.
    7.20).

    Of our own, because that of torch cannot be driven one iteration at a time with a line search of
    its own choice, that of SciPy runs to its end, and neither can be stored and resumed.
    """

    def __init__(self, n: int, device: torch.device, memory: int = MEMORY) -> None:
        self.n = n
        self.device = device
        self.pairs: deque[_Curvature] = deque(maxlen=memory)
        self.scale = 1.0

    def product(self, x: Tensor) -> Tensor:
        x, shares = x.clone(), []
        for pair in reversed(self.pairs):
            shares.append(pair.step @ x / pair.ys)
            x -= shares[-1] * pair.change
        x *= self.scale
        for pair, share in zip(self.pairs, reversed(shares), strict=True):
            x += (share - pair.change @ x / pair.ys) * pair.step
        return x

    def update(self, pair: Pair) -> Tensor:
        ys, yy = pair.products()
        if ys != 0:
            self.pairs.append(_Curvature(pair.step, pair.change, ys))
            self.scale = ys / yy
            self.is_fresh = False
        return self.product(pair.gradient)

    def reset(self) -> None:
        self.pairs.clear()
        self.scale = 1.0
        self.is_fresh = True

    def state(self) -> Arrays:
        """The steps and the changes, [n_pairs, n] each, their products [n_pairs] and the scale;
        empty without pairs.
        """
        if not self.pairs:
            return {}
        return {
            "steps": torch.stack([pair.step for pair in self.pairs]).cpu().numpy(),
            "changes": torch.stack([pair.change for pair in self.pairs]).cpu().numpy(),
            "products": np.array([pair.ys for pair in self.pairs]),
            "scale": np.array(self.scale),
        }

    def load(self, state: Arrays) -> None:
        self.reset()
        if "products" not in state:
            return
        m = len(np.atleast_1d(state["products"]))
        steps, changes = (
            torch.tensor(taken(state, name, m, self.n), dtype=torch.float64, device=self.device)
            for name in ("steps", "changes")
        )
        products = taken(state, "products", m).tolist()
        for step, change, ys in zip(steps, changes, products, strict=True):
            # aligned as new vectors are
            self.pairs.append(_Curvature(step.clone(), change.clone(), ys))
        self.scale = float(taken(state, "scale"))
        self.is_fresh = False
