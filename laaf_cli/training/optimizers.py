"""The optimizers, each a row of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from laaf_cli.training.adam import make_adam
from laaf_cli.training.inverse_hessian import (
    MEMORY,
    DenseInverse,
    LimitedMemory,
    Member,
    bfgs,
    ssbfgs,
    ssbroyden,
)
from laaf_cli.training.least_squares import LeastSquares
from laaf_cli.training.levenberg_marquardt import LevenbergMarquardt
from laaf_cli.training.line_search import FlatObjective
from laaf_cli.training.objective import Objective
from laaf_cli.training.phases import TrainingPhase
from laaf_cli.training.quasi_newton import QuasiNewton
from laaf_cli.training.stepper import Stepper

MAX_DENSE_PARAMETERS = 10_000
"""The most parameters of a method that keeps a matrix: 800 MB in float64."""


MAX_NORMAL_PARAMETERS = 3_000
"""The most of a method that factorises a matrix at every step."""


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """A row of the table."""

    make: Callable[[Objective, TrainingPhase, int], Stepper]
    """An objective, a phase and how many of its iterations are done → what the loop drives."""
    keys: tuple[str, ...]
    """The keys of a phase that it takes besides `optimizer`, `iterations` and `max_seconds`."""
    meaning: str
    source: str
    memory: Callable[[int], int]
    """How many numbers it keeps for so many parameters, the parameters among them."""
    needs_one_function: bool = False
    """Whether its steps compare losses, so that slopes are absorbed and weights of points held
    before it begins.
    """
    draws_neurons: bool = False
    """Whether it draws the neurons of the last hidden layer."""
    max_parameters: int | None = None
    """The most parameters that it takes; None where any number will do."""

    @property
    def takes_rate(self) -> bool:
        """Whether its steps have a learning rate."""
        return "learning_rate" in self.keys


@dataclass(frozen=True)
class _Dense:
    """Makes a method that keeps the whole matrix."""

    member: Member

    def __call__(self, objective: Objective, _phase: TrainingPhase, _done: int) -> Stepper:
        flat = FlatObjective(objective)
        return QuasiNewton(
            objective, flat, DenseInverse(flat.n, self.member, objective.network.device)
        )


def _lbfgs(objective: Objective, _phase: TrainingPhase, _done: int) -> Stepper:
    flat = FlatObjective(objective)
    return QuasiNewton(objective, flat, LimitedMemory(flat.n, objective.network.device))


def _dense(member: Member, meaning: str, source: str) -> Optimizer:
    return Optimizer(
        make=_Dense(member),
        keys=(),
        meaning=meaning,
        source=source,
        memory=lambda n: n**2,
        needs_one_function=True,
        max_parameters=MAX_DENSE_PARAMETERS,
    )


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(
        make=make_adam,
        keys=("learning_rate", "schedule", "batch"),
        meaning=(
            "first-order steps of about the learning rate in every parameter; β = (0.9, 0.999), ε "
            "= 1e-8"
        ),
        source="Kingma & Ba 2015",
        memory=lambda n: 4 * n,
    ),
    "lbfgs": Optimizer(
        make=_lbfgs,
        keys=(),
        meaning="BFGS from the last 50 steps, for any number of parameters",
        source="Liu & Nocedal 1989",
        memory=lambda n: 2 * MEMORY * n,
        needs_one_function=True,
    ),
    "bfgs": _dense(
        bfgs, "an inverse Hessian from all steps", "Broyden, Fletcher, Goldfarb & Shanno 1970"
    ),
    "ssbfgs": _dense(
        ssbfgs,
        "BFGS that scales its matrix at every step",
        "Al-Baali 1998; Urbán, Stefanou & Pons 2025, Journal of Computational Physics 523, 113656",
    ),
    "ssbroyden": _dense(
        ssbroyden,
        "scales, and chooses at every step among the Broyden family; the most accurate",
        "Al-Baali & Khalfan 2005; Urbán, Stefanou & Pons 2025",
    ),
    "levenberg-marquardt": Optimizer(
        make=lambda objective, _phase, _done: LevenbergMarquardt(objective),
        keys=(),
        meaning=(
            "damped least squares of all residuals with geodesic acceleration; few steps, each of "
            "many operations"
        ),
        source="Levenberg 1944; Marquardt 1963; Transtrum & Sethna 2012, arXiv 1201.5885",
        memory=lambda n: 2 * n**2,
        needs_one_function=True,
        max_parameters=MAX_NORMAL_PARAMETERS,
    ),
    "least-squares": Optimizer(
        make=LeastSquares,
        keys=("features", "windows", "goal", "overtime"),
        meaning=(
            "solves for the output layer, over hidden neurons that are drawn at random with "
            "slopes chosen by the residual"
        ),
        source="Huang, Zhu & Siew 2006; Dong & Li 2021",
        memory=lambda n: n**2,
        draws_neurons=True,
    ),
}
