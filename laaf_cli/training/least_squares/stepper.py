"""The output layer by least squares, slopes chosen by the residual, in windows of time."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from laaf_cli.derivatives.features import features
from laaf_cli.seeds import random_stream
from laaf_cli.training.least_squares.candidates import (
    ENOUGH,
    STEEPEST,
    Candidate,
    is_better,
    is_nearer,
    neurons_of,
    next_slope,
)
from laaf_cli.training.least_squares.gauss_newton import FINEST, GaussNewton, first_guess
from laaf_cli.training.least_squares.neurons import Neurons, drawn, put_neurons
from laaf_cli.training.least_squares.points import (
    Window,
    between,
    default_points,
    following,
    has_windows,
    sites,
)
from laaf_cli.training.least_squares.spots import Break, Spots, at_breaks, find_breaks, of_solution
from laaf_cli.training.least_squares.system import State, System
from laaf_cli.training.least_squares.triangle import Triangle
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.phases import TrainingPhase
from laaf_cli.training.state import Arrays, StateError, taken
from laaf_cli.training.stepper import Stepper

FIRST_SLOPE = 2.0

MAX_STEPS = 25
"""Of Gauss-Newton with one hidden layer."""

N_INNER = 200

MANY_NEURONS, MOST_AT_ONCE = 200, 1000
"""From how many neurons on slopes are tried with a third of them; and half are tried before all."""

MAX_HALVINGS, MAX_FUTILE, BETTER = 30, {1: 10}, 0.3
"""How often a window is halved; how often without a residual this much smaller, by the number of
coordinates, 3 for more than one, where windows take longer.
"""

LONGER = ((1e-3, 4), (0.1, 2))
"""By how much the next window is longer, by the share of the goal that this one came below."""

MAX_REFINED = 2
"""How often neurons go where the solution so far is steep."""

UNSOLVED, LOST = 0.5, 1e-2
"""A relative residual that says that nothing is solved; one in a window that spoils those after
it.
"""


NUMBERS = (
    "start",
    "end",
    "slope",
    "width",
    "worst",
    "before",
    "n_futile",
    "n_halvings",
    "stage",
    "n_refined",
    "is_finished",
)
"""What a checkpoint keeps of the search besides arrays."""


class LeastSquares(Stepper):
    """An iteration is a step of Gauss-Newton; the hidden neurons are drawn, not trained."""

    def __init__(self, objective: Objective, phase: TrainingPhase, _done: int) -> None:
        self.objective, self.network, self.problem = objective, objective.network, objective.problem
        self.interior, self.goal = phase.interior, phase.goal
        self.n_kept, n_before = phase.n_kept, len(self.network.biases[-2])
        if phase.features is not None and phase.features > n_before:
            self.network.resize(phase.features)
            objective.renew()
        # The output layer of the neurons that were trained before, its bias the last.
        self.kept: Tensor | None = None
        self.draws = len(self.network.biases[-2]) > self.n_kept
        axis = self.problem.domain.time_axis
        ends = (
            (0.0, 0.0)
            if axis is None
            else (self.problem.domain.lower[axis], self.problem.domain.upper[axis])
        )
        self.first, self.last = ends
        can_cut = axis is not None and not self.n_kept and has_windows(self.problem)
        self.windows = phase.windows if can_cut else 1
        self.start = self.first
        self.end = (
            self.last
            if self.windows is None
            else self.first + (self.last - self.first) / self.windows
        )
        self.cut = (self.first, self.last)
        self.slope = FIRST_SLOPE
        self.stage, self.width = 0, self._widths[0]
        if self.n_kept:
            layer = self.network.output_layer
            self.kept = torch.cat([layer[:, : self.n_kept], layer[:, -1:]], 1)
        self.tried: dict[float, float] = {}
        self.best: Candidate | None = None
        self.whole: Candidate | None = None
        self.floors: dict[str, float] = {}
        self.worst, self.n_futile, self.n_halvings, self.before = 0.0, 0, 0, math.inf
        self.n_refined = 0
        self.neurons: Neurons | None = None
        self.spots: Spots | None = None
        self.solver: GaussNewton | None = None
        self.held: System | None = None

    @property
    def rate(self) -> float:
        """The slopes that are being tried."""
        return self.slope

    def evaluate(self, iteration: int) -> Loss:  # noqa: ARG002 - there are no batches
        if self.solver is None and not self.is_finished:
            self._begin()
        return self.objective.evaluate()

    def advance(self, loss: Loss) -> str:  # noqa: ARG002 - residuals have rows of their own
        while not self.is_finished:
            if self.solver is None:
                self._begin()
            assert self.solver is not None  # noqa: S101 - just begun
            if self.solver.steps < MAX_STEPS and self.solver.step():
                self._show(self.solver.state)
                return ""
            self._judge()
        return self.told

    @property
    def estimate(self) -> float:
        """The largest relative residual, infinite before there is one."""
        if self.network.past or self.best is None:
            return self.worst or math.inf
        return self.best.residual

    def conclude(self) -> None:
        """Leaves what was best for the whole where windows have not come to the end."""
        best = self.whole or (None if self.network.past else self.best)
        if not self.is_finished and best is not None:
            self._take(best)

    @property
    def told(self) -> str:
        """What is said of the phase when it is over."""
        value = self.estimate
        n_windows = len(self.network.past) + 1
        return (
            f"relative residual {value:.1e} at fresh points, {self.n_neurons} "
            f"neurons with slopes {self.slope:.3g}"
            + (f" in {n_windows} windows of time" if n_windows > 1 else "")
        )

    @property
    def _window(self) -> Window:
        if not self.network.past:
            return Window(domain=between(self.problem.domain, self.start, self.end))
        last = self.network.networks[-2]
        return following(self.problem, last, self.start, self.end, self._random("seam"))

    def _random(self, purpose: str) -> np.random.Generator:
        return random_stream(self.objective.seed, "least-squares", purpose, f"{self.start!r}")

    def _begin(self) -> None:
        """Draws the neurons and finds the first guess, or keeps what was trained before."""
        window = self._window
        self._cut()
        if self.n_refined:
            assert self.best is not None  # noqa: S101 - it is what is refined
            start = self._refined(window, self.best)
            self.solver = self._solver(window, start)
        else:
            self.spots = self._at_breaks(window, self._random("spots"))
            self._draw(window)
            layer = torch.zeros_like(self._state().layer)
            if self.kept is not None:
                layer[:, : self.n_kept], layer[:, -1] = self.kept[:, :-1], self.kept[:, -1]
            start = State(layer=layer, free=self.objective.constants.at_start())
            self.solver = self._solver(window, start)
            if self.kept is None:
                self.solver.put(first_guess(self.solver.system, start))
        self._show(self.solver.state)

    def _refined(self, window: Window, best: Candidate) -> State:
        """Draws neurons where a candidate is steep, and gives the state nearest to it."""
        domain = window.domain
        self._settle(best)
        random = self._random(f"refined {self.n_refined}")
        self.spots = of_solution(self.network, domain, self._n_spots, random)
        breaks = self._at_breaks(window, random)
        if breaks is not None:
            self.spots = self.spots.mixed(breaks, random)
        steep = self.spots.points[: self.n_neurons]
        points = np.concatenate([domain.from_unit(random.random(steep.shape)), steep])
        at, zero = torch.tensor(points, device=self.network.device), (0,) * domain.dimension
        values = features(self.network, at, [zero])[zero] @ self.network.output_layer.T
        self._draw(window)
        columns = features(self.network, at, [zero])[zero]
        rows = []
        for column in values.T:
            triangle = Triangle(columns.shape[1])
            triangle.add(columns, column)
            rows.append(triangle.solve(FINEST, equal=True))
        return State(layer=torch.stack(rows), free=best.state.free)

    @cached_property
    def _breaks(self) -> list[Break]:
        return find_breaks(self.problem, random_stream(self.objective.seed, "breaks"))

    def _at_breaks(self, window: Window, random: np.random.Generator) -> Spots | None:
        return at_breaks(self._breaks, window.domain, self._n_spots, random)

    def _cut(self) -> None:
        """Makes the network that of the window."""
        axis = self.problem.domain.time_axis
        if axis is None or self.windows == 1 or (self.start, self.end) == self.cut:
            return
        if (self.start, self.end) == (self.first, self.last):
            self.network.use_whole(axis, self.start, self.end)
        else:
            self.network.use_window(axis, self.start, self.end)
        self.cut = (self.start, self.end)
        self.objective.renew()

    def _draw(self, window: Window) -> None:
        if self.draws:
            n, random = self.n_neurons - self.n_kept, self._random("neurons")
            self.neurons = drawn(self.network, window.domain, self.slope, n, self.spots, random)
            put_neurons(self.network, self.neurons, self.slope, self.n_kept)

    def _solver(self, window: Window, state: State) -> GaussNewton:
        random = self._random("points")
        systems = []
        whole = self._n_points
        first = self.n_neurons
        for interior in (whole, max(1, whole // 2)):
            n_near = 0 if self.spots is None else interior // 2
            near = None if self.spots is None else self.spots.points[first : first + n_near]
            first += n_near
            rows = sites(
                self.problem,
                window,
                self.objective.points,
                interior - n_near,
                random,
                self.network.device,
                near,
            )
            inner = window.domain.from_unit(
                self._random("inner").random((N_INNER, window.domain.dimension))
            )
            systems.append(
                System(
                    self.problem,
                    window.domain,
                    self.network,
                    rows,
                    self.objective.backend,
                    self.objective.constants.at,
                    torch.tensor(inner, device=self.network.device),
                    self.floors,
                    self.width,
                )
            )
        self.held = systems[1]
        return GaussNewton(systems[0], state, self.goal, has_steep=self.spots is not None)

    @property
    def _n_spots(self) -> int:
        """Those of neurons, and of points to solve and to judge at."""
        whole = self.interior or default_points(self.problem, self.n_neurons)
        return self.n_neurons + whole

    @property
    def n_neurons(self) -> int:
        """Those of the last hidden layer."""
        return len(self.network.biases[-2])

    @property
    def _widths(self) -> tuple[int, ...]:
        """How many neurons are used, one after another: slopes are tried with the fewest, where all
        of them would take long.
        """
        n = self.n_neurons - self.n_kept
        if not self.draws or n < MANY_NEURONS:
            return (self.n_neurons,)
        shares = (6, 2, 1) if n > MOST_AT_ONCE else (3, 1)
        return tuple(self.n_kept + n // share for share in shares)

    @property
    def _n_points(self) -> int:
        whole = self.interior or default_points(self.problem, self.n_neurons)
        return max(1, whole * self.width // self.n_neurons)

    def _state(self) -> State:
        layer = self.network.output_layer
        return State(
            layer=torch.cat([layer[:, : self.width], layer[:, -1:]], 1),
            free={name: v.detach().clone() for name, v in self.objective.constants.free.items()},
        )

    @torch.no_grad()
    def _show(self, state: State) -> None:
        """Gives the network what is solved so far."""
        width = state.layer.shape[1] - 1
        self.network.weights[-1].zero_()
        self.network.weights[-1][:, :width] = state.layer[:, :-1]
        self.network.biases[-1].copy_(state.layer[:, -1])
        for name, value in self.objective.constants.free.items():
            value.copy_(state.free[name])

    def _judge(self) -> None:
        """Keeps the best of the slopes tried, and chooses what is tried next."""
        assert self.solver is not None  # noqa: S101 - it has just ended
        assert self.held is not None  # noqa: S101 - made with it
        residual = self.held.relative_residual(self.solver.state)
        found = Candidate(
            slope=self.slope, residual=residual, state=self.solver.state, neurons=self.neurons
        )
        self.solver = None
        self.tried[self.slope] = residual
        # Neurons that were refined have no slope in common that could be too steep.
        prefers = is_nearer if self.n_refined else is_better
        if self.best is None or prefers(found, self.best):
            self.best = found
        can_scan = self.draws and not self.network.past and self.stage == 0 and not self.n_refined
        is_hopeless = self.windows is None and len(self.tried) > 1 and self.best.residual > UNSOLVED
        slope = next_slope(self.tried, self.goal) if can_scan and not is_hopeless else None
        if slope is not None:
            self.slope = slope
            return
        is_solved = self.stage > 0 and self.best.residual <= self.goal
        if self.stage + 1 < len(self._widths) and not is_hopeless and not is_solved:
            self._use_more(self.best)
            return
        is_whole = self.windows == 1 or (self.whole is None and self.windows is None)
        can_refine = self.draws and is_whole and not is_hopeless and self.best.residual > self.goal
        is_futile = self.n_refined > 0 and found is not self.best
        if can_refine and self.n_refined < MAX_REFINED and not is_futile:
            self.n_refined += 1
            return
        self.n_refined = 0
        if is_whole:
            self._judge_whole(self.best)
        else:
            self._judge_window(self.best)

    def _use_more(self, best: Candidate) -> None:
        """Goes on with more neurons, which lie closer, and may be as much steeper."""
        before, self.stage = self.width, self.stage + 1
        self.width = self._widths[self.stage]
        self.slope = best.slope
        if best.residual > ENOUGH * self.goal:
            ratio = (self.width / before) ** (1 / self.problem.domain.dimension)
            self.slope = min(self.slope * ratio, STEEPEST)
        self.tried = {}
        if self.stage == 1:
            self.best = None  # that of a scan is no solution

    def _judge_whole(self, best: Candidate) -> None:
        if self.windows == 1 or best.residual <= self.goal:
            self._finish(best)
            return
        self.whole, self.before = best, best.residual
        self._try_until(self.first + (self.last - self.first) / 2)

    def _judge_window(self, best: Candidate) -> None:
        is_of_use = best.residual < BETTER * self.before or best.residual > UNSOLVED
        self.n_futile = 0 if is_of_use else self.n_futile + 1
        if self.windows is None and best.residual > self.goal and self.n_halvings < MAX_HALVINGS:
            if self.n_futile < MAX_FUTILE.get(self.problem.domain.dimension, 3):
                self.n_halvings, self.before = self.n_halvings + 1, best.residual
                self._try_until(self.start + (self.end - self.start) / 2)
                return
            is_worse = self.whole is None or best.residual > min(self.whole.residual, LOST)
            if self.whole is not None and (is_worse or not self.network.past):
                self._finish(self.whole)
                return
        self._settle(best)
        self.worst = max(self.worst, best.residual)
        if self.end >= self.last:
            self.is_finished = True
            if self.whole is not None and self.whole.residual < self.worst:
                self._finish(self.whole)
            return
        self._note_spreads()
        self.network.end_window()
        length = self.end - self.start
        if self.windows is None:
            length *= next((by for share, by in LONGER if best.residual < share * self.goal), 1)
        self.start, self.n_futile, self.n_halvings, self.before = self.end, 0, 0, math.inf
        end = self.start + length
        self._try_until(end if self.last - end > 1e-9 * length else self.last)

    def _try_until(self, end: float) -> None:
        self.end = min(end, self.last)
        self.slope = self.best.slope if self.best else self.slope
        self.tried, self.best = {}, None
        # Slopes that suit the first window suit those after it.
        self.stage = len(self._widths) - 1 if self.network.past else 0
        self.width = self._widths[self.stage]

    def _note_spreads(self) -> None:
        """The spread of outputs in this window is the least that is taken for it in later ones."""
        zero = (0,) * self.problem.domain.dimension
        domain = between(self.problem.domain, self.start, self.end)
        inner = torch.tensor(domain.from_unit(self._random("inner").random((N_INNER, len(zero)))))
        columns = features(self.network, inner.to(self.network.device), [zero])[zero]
        values = columns @ self.network.output_layer.T
        for name, value in zip(self.problem.trial.outputs, values.T, strict=True):
            self.floors[name] = max(self.floors.get(name, 0.0), float(value.std()))

    def _take(self, chosen: Candidate) -> None:
        """Ends with a candidate of the whole time."""
        self.start, self.end, self.floors = self.first, self.last, {}
        self.best, self.worst, self.solver = chosen, 0.0, None
        self._settle(chosen)
        self.is_finished = True

    def _finish(self, chosen: Candidate) -> None:
        """Ends with a candidate of the whole time; neurons that it does not use are dropped."""
        self._take(chosen)
        self.width = chosen.state.layer.shape[1] - 1
        if self.width < self.n_neurons:
            self.network.resize(self.width)
            self.objective.renew()

    def _settle(self, chosen: Candidate) -> None:
        """Gives the network the neurons and the output layer of a candidate of this window."""
        self.slope = chosen.slope
        self._cut()
        if chosen.neurons is not None:
            put_neurons(self.network, chosen.neurons, self.slope, self.n_kept)
        self._show(chosen.state)

    def state(self) -> Arrays:
        """Where the search stands, by name; the candidates, and the steps with these neurons."""
        numbers = {name: np.array(float(getattr(self, name))) for name in NUMBERS}
        candidates = {"best": self.best, "whole": self.whole}
        return {
            **numbers,
            "tried": np.array(list(self.tried.items())).reshape(-1, 2),
            "floors": np.array([self.floors.get(name, 0.0) for name in self.problem.trial.outputs]),
            "cut": np.array(self.cut),
            "steps": np.array(-1.0 if self.solver is None else self.solver.steps),
            **({} if self.kept is None else {"kept": self.kept.cpu().numpy()}),
            **({} if self.neurons is None else {"neurons": self.neurons.table()}),
            **({} if self.spots is None else {"spots": self.spots.table()}),
            **{
                f"{name}_{key}": value
                for name, each in candidates.items()
                if each is not None
                for key, value in each.arrays().items()
            },
        }

    def load(self, state: Arrays) -> None:
        numbers = {name: float(taken(state, name)) for name in NUMBERS}
        steps = float(taken(state, "steps"))
        if not (self._is_reached(**numbers) and -1 <= steps <= MAX_STEPS):
            raise StateError("the search of the optimizer does not say where it stands")
        for name, value in numbers.items():
            setattr(self, name, type(getattr(self, name))(value))
        outputs = self.problem.trial.outputs
        floors = taken(state, "floors", len(outputs)).tolist()
        self.floors = {name: value for name, value in zip(outputs, floors, strict=True) if value}
        n_tried = np.size(state.get("tried", ())) // 2
        self.tried = dict(map(tuple, taken(state, "tried", n_tried, 2).tolist()))
        first, last = taken(state, "cut", 2).tolist()
        self.cut = first, last
        free = self.objective.constants.free
        self.best, self.whole = (
            Candidate.of_arrays(state, name, self.network, self.n_kept, free)
            for name in ("best", "whole")
        )
        if self.kept is not None:
            self.kept = self.kept.new_tensor(taken(state, "kept", *self.kept.shape))
        self.neurons = neurons_of(state, "neurons", self.network, self.n_kept)
        if "spots" in state:
            width = 2 * self.problem.domain.dimension + 1
            self.spots = Spots.of_table(taken(state, "spots", self._n_spots, width))
        if steps >= 0:
            self.solver = self._solver(self._window, self._state())
            self.solver.steps = int(steps)

    def _is_reached(self, start: float, end: float, slope: float, **others: float) -> bool:
        """Whether a search comes by these numbers."""
        n_past = len(self.network.past)
        begins = self.network.ends[n_past - 1] if n_past else self.first
        return (
            all(math.isfinite(value) for name, value in others.items() if name != "before")
            and not math.isnan(others["before"])
            and start == begins
            and (start < end <= self.last or start == end == self.last)
            and 0 < slope < math.inf
            and 1 <= others["width"] <= self.n_neurons
            and 0 <= others["stage"] < len(self._widths)
            and 0 <= others["n_refined"] <= MAX_REFINED
        )
