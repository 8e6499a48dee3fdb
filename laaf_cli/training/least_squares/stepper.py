"""The output layer by least squares, slopes chosen by the residual, in windows of time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from laaf_cli.derivatives.features import features
from laaf_cli.problem import Domain, PointSet
from laaf_cli.seeds import random_stream
from laaf_cli.text import listed
from laaf_cli.training.least_squares.candidates import (
    ENOUGH,
    FLATTEST,
    STEEPEST,
    Candidate,
    Slopes,
    is_better,
    is_nearer,
    neurons_of,
    next_slopes,
)
from laaf_cli.training.least_squares.gauss_newton import GaussNewton, first_guess
from laaf_cli.training.least_squares.march import LOST, March, Move
from laaf_cli.training.least_squares.neurons import Neurons, drawn, put_neurons
from laaf_cli.training.least_squares.points import (
    Window,
    between,
    default_points,
    following,
    has_windows,
    parted,
    system_in,
)
from laaf_cli.training.least_squares.spots import Break, Spots, at_breaks, find_breaks
from laaf_cli.training.least_squares.steepness import STEEP, of_solution, of_start
from laaf_cli.training.least_squares.system import OutputLayerState, System
from laaf_cli.training.least_squares.triangle import fitted
from laaf_cli.training.objective import Loss, Objective
from laaf_cli.training.phases import TrainingPhase
from laaf_cli.training.state import Arrays, StateError, taken
from laaf_cli.training.stepper import Stepper

FIRST_SLOPE = 2.0

MAX_STEPS, MAX_SCANNING_STEPS, MANY_STEPS = 25, 6, 4
"""Of Gauss-Newton; where windows and more neurons may follow; where slopes are too flat."""

ENOUGH_TRIED = 2
"""How many slopes are tried before a time is halved in which they get nowhere."""

N_INNER = 200

MANY_NEURONS, MOST_AT_ONCE = 200, 1000
"""From how many neurons on slopes are tried with a third of them; and half are tried before all."""

NEAR, SOON = 0.3, 10
"""The fraction of the goal at which steps end in a window of time; the multiple of it from which a
search of slopes may reach it.
"""

MAX_REFINED = 2
"""How often neurons go where the solution so far is steep."""

OF_WHOLE = 0.1
"""The fraction of the spread over the whole time, as it is before there are windows, that counts in
the first of them: what begins at rest has no size of its own there.
"""

N_SPOTS = 1000
"""How many spots the mean of the steepness at the start of a window is taken of."""

LATE = 0.4
"""The fraction of the seconds after which nothing more is tried where there are no windows and the
residual spoils everything.
"""

UNSOLVED, GAIN, PROMISING = 0.5, 50, 500
"""A relative residual that says that nothing is solved; the multiple of the goal from which more
neurons surely reach it, and from which they may; where something spreads from the start, what is
enough without windows.
"""

NUMBERS = ("width", "stage", "n_refined", "is_scanning", "is_finished", "is_steep", "steepness")
"""What a checkpoint keeps of the search besides arrays and the march."""


class LeastSquares(Stepper):
    """An iteration is a step of Gauss-Newton, or a trial of neurons with which none is possible;
    the hidden neurons are drawn, not trained.
    """

    def __init__(self, objective: Objective, phase: TrainingPhase, _done: int) -> None:
        self.objective, self.network, self.problem = objective, objective.network, objective.problem
        self.interior, self.goal = phase.interior, phase.goal
        self.n_kept, n_before = phase.n_kept, len(self.network.biases[-2])
        if phase.features is not None and phase.features > n_before:
            self.network.resize(phase.features)
            objective.renew()
        # The output layer of the neurons that were trained before, its bias the last.
        self.kept_layer: Tensor | None = None
        self.draws = len(self.network.biases[-2]) > self.n_kept
        axis = self.problem.domain.time_axis
        ends = (
            (0.0, 0.0)
            if axis is None
            else (self.problem.domain.lower[axis], self.problem.domain.upper[axis])
        )
        self.can_cut = axis is not None and not self.n_kept and has_windows(self.problem)
        self.march = March(
            first=ends[0],
            last=ends[1],
            goal=self.goal,
            dimension=self.problem.domain.dimension,
            n_windows=phase.windows if self.can_cut else 1,
            enough=phase.leniency,
        )
        self.cut = ends
        # Of one hidden layer along each coordinate; of what deeper ones see, one for all.
        is_shallow = self.network.n_hidden == 1
        self.slopes: Slopes = (FIRST_SLOPE,) * (self.problem.domain.dimension if is_shallow else 1)
        self.stage, self.width = 0, self._widths[0]
        if self.n_kept:
            layer = self.network.output_layer
            self.kept_layer = torch.cat([layer[:, : self.n_kept], layer[:, -1:]], 1)
        self.has_data = any(term.kind == "data" for term in self.problem.trained_terms)
        self.tried: dict[Slopes, float] = {}
        self.best: Candidate | None = None
        self.whole: Candidate | None = None
        self.floors: dict[str, float] = {}
        self.n_refined = self.n_steps = 0
        self.is_steep, self.steepness = False, 0.0
        self.is_scanning = self.draws
        self.neurons: Neurons | None = None
        self.spots: Spots | None = None
        self.solver: GaussNewton | None = None
        self.held: System | None = None

    @property
    def rate(self) -> float:
        """The slopes that are being tried, the largest."""
        return max(self.slopes)

    @torch.no_grad()
    def evaluate(self, iteration: int) -> Loss:  # noqa: ARG002 - there are no batches
        if self.solver is None and not self.is_finished:
            self._begin()
        return self.objective.evaluate()

    def advance(self, loss: Loss) -> str:  # noqa: ARG002 - residuals have rows of their own
        while not self.is_finished:
            if self.solver is None:
                self._begin()
            assert self.solver is not None  # noqa: S101 - just begun
            most = MAX_STEPS if self.march.is_uncut or not self.has_more else MAX_SCANNING_STEPS
            goal = self.march.loosened_goal
            if self.solver.steps < most and self.solver.step(goal, self._near_share * goal):
                self._show(self.solver.state)
                return ""
            self._judge()
            if self.n_steps == 0 and not self.is_finished:
                return ""
        return self.summary

    @property
    def estimate(self) -> float:
        """The largest relative residual, infinite before there is one."""
        if self.network.past or self.best is None:
            return self.march.worst or math.inf
        return self.best.residual

    def is_late(self, share: float, most: float) -> bool:
        if share >= 1 and (most <= 1 or self.march.is_uncut or self.march.is_whole):
            return True
        return self._is_lost(share) or not self.march.keep_pace(share, most)

    def _is_lost(self, share: float) -> bool:
        """Whether another method shall have the seconds that are left: nothing is solved so far."""
        is_all = self.march.is_uncut and self.problem.domain.dimension > 1
        return is_all and share > LATE and self.best is not None and self.best.residual > LOST

    def conclude(self) -> None:
        """Leaves what was best for the whole where windows have not come to the end."""
        best = self.best if self.march.is_whole else None
        candidates = [candidate for candidate in (self.whole, best) if candidate is not None]
        if not self.is_finished and candidates:
            self._take(min(candidates, key=lambda candidate: candidate.residual))

    @property
    def summary(self) -> str:
        """What is said of the phase when it is over."""
        value = self.estimate
        n_windows = len(self.network.past) + 1
        slopes = f"{self.slopes[0]:.3g}"
        if len(set(self.slopes)) > 1:
            names = self.problem.domain.coordinates
            pairs = zip(names, self.slopes, strict=True)
            slopes = listed([f"{slope:.3g} along {name}" for name, slope in pairs])
        return (
            f"relative residual {value:.1e} at held-out points, {self.n_neurons} "
            f"neurons with slopes {slopes}"
            + (f" in {n_windows} windows of time" if n_windows > 1 else "")
        )

    @property
    def _window(self) -> Window:
        if not self.network.past:
            return Window(domain=self._domain)
        near = None if self.spots is None else self.spots.points
        last = self.network.networks[-2]
        return following(self.problem, last, self._domain, self._random("seam"), near)

    @property
    def _domain(self) -> Domain:
        """That in which the present window is solved."""
        return between(self.problem.domain, self.march.start, self.march.reach)

    def _random(self, purpose: str) -> np.random.Generator:
        return random_stream(self.objective.seed, "least-squares", purpose, f"{self.march.start!r}")

    def _begin(self) -> None:
        """Draws the neurons and finds the first guess, or keeps what was trained before."""
        if self.n_refined:
            assert self.best is not None  # noqa: S101 - it is what is refined
            self._cut()
            start = self._refined(self.best)
            self.solver = self._solver(self._window, start)
        else:
            at_start = self._of_start(self._n_spots) if self._follows else None
            self.spots = self._joined(at_start, self._random("spots"))
            self._cut()
            self._draw()
            layer = torch.zeros_like(self._state().layer)
            if self.kept_layer is not None:
                layer[:, : self.n_kept], layer[:, -1] = (
                    self.kept_layer[:, :-1],
                    self.kept_layer[:, -1],
                )
            start = OutputLayerState(layer=layer, free=self.objective.constants.at_start())
            self.solver = self._solver(self._window, start)
            if self.kept_layer is None:
                self.solver.put(first_guess(self.solver.system, start))
        self._show(self.solver.state)

    def _becomes_steep(self) -> bool:
        """Whether neurons follow what this window begins with from now on, and did not before."""
        if self.is_steep or not self.draws or self.problem.domain.dimension == 1:
            return False
        spots = self._of_start(N_SPOTS)
        if spots is None or spots.steepness.max() <= STEEP:
            return False
        self.is_steep, self.steepness = True, float(spots.steepness.mean())
        return True

    def _of_start(self, n: int) -> Spots | None:
        last = self.network.networks[-2] if self.network.past else None
        return of_start(self.problem, last, self._domain, n, self._random("start"), self.floors)

    def _joined(self, spots: Spots | None, random: np.random.Generator) -> Spots | None:
        """These spots, and those at breaks."""
        breaks = at_breaks(self._breaks, self._domain, self._n_spots, random)
        return breaks if spots is None else spots if breaks is None else spots.mixed(breaks, random)

    def _refined(self, best: Candidate) -> OutputLayerState:
        """Draws neurons where a candidate is steep, and gives the state nearest to it."""
        domain = self._domain
        self._settle(best)
        random = self._random(f"refined {self.n_refined}")
        spots = of_solution(self.network, domain, self._n_spots, random)
        self.spots = spots = self._joined(spots, random) or spots
        steep = spots.points[: self.n_neurons]
        points = np.concatenate([domain.scattered(len(steep), random), steep])
        at, zero = torch.tensor(points, device=self.network.device), (0,) * domain.dimension
        values = features(self.network, at, [zero])[zero] @ self.network.output_layer.T
        self._draw()
        layer = fitted(features(self.network, at, [zero])[zero], values)
        return OutputLayerState(layer=layer, free=best.state.free)

    @cached_property
    def _breaks(self) -> list[Break]:
        breaks = find_breaks(self.problem, random_stream(self.objective.seed, "breaks"))
        seen = self.network.inputs
        return [
            place
            for place in breaks
            if not (place.spreads(seen.similarity) or place.is_carried(seen.kinks))
        ]

    @property
    def _follows(self) -> bool:
        """Whether neurons follow what this window begins with."""
        return self.is_steep and not self.march.is_whole

    @property
    def has_steep(self) -> bool:
        """Whether neurons are needed where something is steep."""
        return self.spots is not None and (self._follows or self.has_steepest)

    @property
    def has_steepest(self) -> bool:
        """Whether they are steep without bounds: at breaks where the network does not bend by
        itself, and where the solution so far says so.
        """
        kinks = self.network.inputs.kinks
        return self.spots is not None and (
            self.n_refined > 0 or not all(place.is_bend(kinks) for place in self._breaks)
        )

    def _cut(self) -> None:
        """Makes the network that of the window."""
        axis = self.problem.domain.time_axis
        window = self.march.start, self.march.reach
        if axis is None or not self.can_cut or window == self.cut:
            return
        use = self.network.use_whole if self.march.is_whole else self.network.use_window
        use(axis, *window)
        self.cut = window
        self.objective.renew()

    def _draw(self) -> None:
        if self.draws:
            n, random = self.n_neurons - self.n_kept, self._random("neurons")
            spots = self.spots if self.has_steep else None
            self.neurons = drawn(self.network, self._domain, self.slopes, n, spots, random)
            put_neurons(self.network, self.neurons, self.rate, self.n_kept)

    def _solver(self, window: Window, state: OutputLayerState) -> GaussNewton:
        random = self._random("points")
        systems: list[System] = []
        whole = self._n_points
        first = self.n_neurons
        # The second ones are held out: neurons that are too steep fit the points of the first
        # without solving anything between them.
        for interior, seen in zip((whole, max(1, whole // 2)), self._observed, strict=True):
            n_near = 0 if self.spots is None else interior // 2
            near = None if self.spots is None else self.spots.points[first : first + n_near]
            first += n_near
            systems.append(
                system_in(
                    window,
                    self.objective,
                    interior - n_near,
                    random,
                    inner=window.domain.scattered(N_INNER, self._random("inner")),
                    observed=seen,
                    near=near,
                    floors=self.floors,
                    width=self.width,
                    keeps=not systems,
                )
            )
        self.held = systems[1]
        return GaussNewton(systems[0], state, has_steep=self.has_steepest)

    @property
    def _observed(self) -> tuple[Mapping[str, PointSet], Mapping[str, PointSet]]:
        """Observations to solve with and others to judge by; all for both where no more neurons
        follow, which could use all.
        """
        points = self.objective.points
        if not self.has_data or self.stage or not self.has_more:
            return points, points
        return parted(points, random_stream(self.objective.seed, "least-squares", "data"))

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
        shares: tuple[float, ...] = (6, 2, 1) if n > MOST_AT_ONCE else (3, 1)
        if self.can_cut and MOST_AT_ONCE >= n > MOST_AT_ONCE / len(self.problem.ansatz.outputs):
            shares = (3, math.sqrt(3), 1)  # columns are as many for each output
        return tuple(self.n_kept + int(n / share) for share in shares)

    @property
    def _n_points(self) -> int:
        whole = self.interior or default_points(self.problem, self.n_neurons)
        return max(1, whole * self.width // self.n_neurons)

    def _state(self) -> OutputLayerState:
        layer = self.network.output_layer
        return OutputLayerState(
            layer=torch.cat([layer[:, : self.width], layer[:, -1:]], 1),
            free={name: v.detach().clone() for name, v in self.objective.constants.free.items()},
        )

    @torch.no_grad()
    def _show(self, state: OutputLayerState) -> None:
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
        goal = self.march.loosened_goal
        self.held.of_zero = self.solver.system.of_zero
        residuals = self.held.relative_residuals(self.solver.state)
        residual = max(residuals.values())
        candidate = Candidate(
            slopes=self.slopes,
            residual=residual,
            state=self.solver.state,
            neurons=self.neurons,
            is_of_data=residuals.get("data") == residual,
        )
        self.n_steps, self.solver = self.solver.steps, None
        self.tried[self.slopes] = residual
        # Neurons that were refined have no slope in common that could be too steep; more neurons
        # are steeper for they lie closer.
        prefers = is_nearer if self.n_refined or self.stage else is_better
        if self.best is None or prefers(candidate, self.best):
            self.best = candidate
        is_first = self.march.is_uncut or (self.whole is None and self.march.can_halve)
        # What spreads or is carried from the start looks alike in windows: they do not help soon.
        can_halve = self.march.can_halve and not (is_first and self.network.inputs.alternatives)
        is_hopeless = can_halve and (
            (len(self.tried) > 1 and self.best.residual > UNSOLVED)
            or (len(self.tried) > ENOUGH_TRIED and self.best.residual > LOST)
        )
        is_done = self.is_steep and not is_first and self.best.residual <= goal
        if self.is_scanning and not (self.n_refined or is_hopeless or is_done):
            enough = (GAIN if is_first and self.has_more else 1) * goal
            most = PROMISING * goal if can_halve else math.inf
            if self.is_steep and self.stage:
                most = 0.0  # half of the window costs less than many slopes
            slopes = next_slopes(self.tried, goal, enough, most, has_data=self.has_data)
            if slopes is not None:
                self.slopes = slopes
                return
        is_far = is_first and can_halve and self.best.residual > PROMISING * goal
        # Where no slopes gave anything finite, more neurons do not either.
        is_over = self.best.residual == math.inf or (self.stage > 0 and self.best.residual <= goal)
        if (is_first or not can_halve) and self.has_more and not (is_far or is_over):
            self._use_more(self.best)
            return
        is_missed = goal < self.best.residual < math.inf and not self.best.is_of_data
        can_refine = self.draws and self.march.is_uncut and is_missed
        is_futile = self.n_refined > 0 and candidate is not self.best
        if can_refine and self.n_refined < MAX_REFINED and not is_futile:
            self.n_refined += 1
            return
        self.n_refined = 0
        if is_first:
            self._judge_whole(self.best)
        else:
            self._judge_window(self.best)

    @property
    def _near_share(self) -> float:
        """The fraction of the goal at which steps end; 0 where further ones cost little."""
        is_cheap = self.march.is_whole or self.problem.domain.dimension == 1
        return 0.0 if is_cheap else NEAR

    @property
    def has_more(self) -> bool:
        """Whether there are neurons that are not used so far."""
        return self.stage + 1 < len(self._widths)

    def _use_more(self, best: Candidate) -> None:
        """Continues with more neurons, which lie closer, and may be as much steeper."""
        before, self.stage = self.width, self.stage + 1
        self.is_scanning = self.is_steep and self.march.start == self.march.first
        self.width = self._widths[self.stage]
        self.slopes = best.slopes
        if self.march.is_whole and best.residual > ENOUGH * self.goal and not best.is_of_data:
            self.slopes = self._of_width(before, best.slopes)
        self.tried = {}

    def _of_width(self, before: int, slopes: Sequence[float]) -> Slopes:
        """Slopes that suited fewer or more neurons, for the present ones, which lie as much
        closer.
        """
        ratio = (self.width / before) ** (1 / self.problem.domain.dimension)
        return tuple(min(max(slope * ratio, FLATTEST), STEEPEST) for slope in slopes)

    def _judge_whole(self, best: Candidate) -> None:
        enough = (PROMISING if self.network.inputs.similarity else 1) * self.goal
        if self.march.is_uncut or best.residual <= enough:
            before = self.whole or best
            self._finish(best if best.residual < before.residual else before)
            return
        self.whole, length = best, self.march.length
        self._settle(best)
        self._note_spreads(OF_WHOLE)
        self.march.begin(best.residual)
        self._try_after(length, 0)

    def _judge_window(self, best: Candidate) -> None:
        length = self.march.length
        has_missed = best.residual > self.march.aim and self.march.can_halve
        if has_missed and not self.has_more and self._becomes_steep():
            self._try_after(length, self.stage)
            return
        move = self.march.judge(best.residual, has_more=self.has_more)
        if move is Move.HALVE:
            # Slopes that were searched along each coordinate suit half of the window as well; near
            # the goal better ones may reach it.
            aim = self.march.aim
            if self.is_scanning and SOON * aim < best.residual <= PROMISING * aim:
                self.is_scanning, self.march.longest = False, length
            if self.is_steep and self.stage:
                self.is_scanning = False
            self.is_scanning |= self.draws and self.march.is_short
            self.march.halve(best.residual)
            self._try_after(length, self.stage)
        elif move is Move.USE_MORE:
            self._becomes_steep()
            self._use_more(best)
        elif move is Move.GIVE_UP:
            self.march.give_up()
            self.is_scanning, self.floors, self.is_steep = self.draws, {}, False
            self._try_after(length, 0)
            self._cut()
        else:
            self._settle(best)
            self._go_on(best.residual)

    def _go_on(self, residual: float) -> None:
        """Keeps what the network holds for this window, and begins the next one."""
        is_over, length = self.march.is_over, self.march.length
        if not is_over:
            self._note_spreads()
            self.network.end_window(self.march.start, self.march.end)
        self.march.go_on(residual)
        if is_over:
            self.is_finished = True
            if self.whole is not None and self.whole.residual < self.march.worst:
                self._finish(self.whole)
            return
        # Slopes that suit a window suit those after it, unless they are so flat that steps are
        # many.
        self.is_scanning = self.draws and len(self.slopes) > 1 and self.n_steps > MANY_STEPS
        self._try_after(length, self.stage)
        if self.is_steep and len(self.slopes) > 1:
            self.slopes = self._of_width(self.width, self._follow_steepness(self.slopes))

    def _try_after(self, length: float, stage: int) -> None:
        """Tries the present window with so many neurons, after one of this length."""
        slopes = list(self.best.slopes if self.best else self.slopes)
        if len(slopes) > 1 and (axis := self.problem.domain.time_axis) is not None:
            # As steep as before in units of time; where neurons follow what windows begin with,
            # between that and units of windows, which grow where changes are slower.
            ratio = self.march.length / length
            slopes[axis] *= math.sqrt(ratio) if self.is_steep and self.network.past else ratio
        self.stage = stage
        before, self.width = self.width, self._widths[stage]
        self.slopes = self._of_width(before, slopes)
        self.tried, self.best = {}, None

    def _follow_steepness(self, slopes: Sequence[float]) -> list[float]:
        """Slopes in space for what this window begins with, from those for the one before."""
        spots = self._of_start(N_SPOTS)
        if spots is None:
            return list(slopes)
        before, self.steepness = self.steepness, float(spots.steepness.mean())
        ratio = self.steepness / before if before and self.steepness else 1.0
        time = self.problem.domain.time_axis
        return [s if axis == time else s * ratio for axis, s in enumerate(slopes)]

    def _note_spreads(self, share: float = 1.0) -> None:
        """A fraction of the spread of outputs in this window is the minimum that is taken for it in
        later ones.
        """
        zero = (0,) * self.problem.domain.dimension
        inner = torch.tensor(self._domain.scattered(N_INNER, self._random("inner")))
        columns = features(self.network, inner.to(self.network.device), [zero])[zero]
        values = columns @ self.network.output_layer.T
        for name, value in zip(self.problem.ansatz.outputs, values.T, strict=True):
            self.floors[name] = max(self.floors.get(name, 0.0), share * float(value.std()))

    def _take(self, chosen: Candidate) -> None:
        """Ends with a candidate of the whole time."""
        self.march.use_whole()
        self.best, self.floors, self.solver = chosen, {}, None
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
        self.slopes = chosen.slopes
        self._cut()
        if chosen.neurons is not None:
            put_neurons(self.network, chosen.neurons, self.rate, self.n_kept)
        self._show(chosen.state)

    def state(self) -> Arrays:
        """The state of the search, by name; the candidates, and the steps with these neurons."""
        numbers = {name: np.array(float(getattr(self, name))) for name in NUMBERS}
        candidates = {"best": self.best, "whole": self.whole}
        return {
            **numbers,
            **{name: np.array(value) for name, value in self.march.numbers().items()},
            "slopes": np.array(self.slopes),
            "tried": np.array([[*slopes, value] for slopes, value in self.tried.items()]),
            "floors": np.array(
                [self.floors.get(name, 0.0) for name in self.problem.ansatz.outputs]
            ),
            "cut": np.array(self.cut),
            "steps": np.array(-1.0 if self.solver is None else self.solver.steps),
            "slow": np.array(0.0 if self.solver is None else self.solver.n_slow),
            **({} if self.kept_layer is None else {"kept": self.kept_layer.cpu().numpy()}),
            **({} if self.neurons is None else {"neurons": self.neurons.table()}),
            **({} if self.spots is None else {"spots": self.spots.table()}),
            **{
                f"{name}_{key}": value
                for name, candidate in candidates.items()
                if candidate is not None
                for key, value in candidate.arrays().items()
            },
        }

    def load(self, state: Arrays) -> None:
        numbers = {name: float(taken(state, name)) for name in NUMBERS}
        marched = {name: float(taken(state, name)) for name in self.march.numbers()}
        steps = float(taken(state, "steps"))
        n_slopes = len(self.slopes)
        slopes = tuple(taken(state, "slopes", n_slopes).tolist())
        is_reached = self._is_reached(slopes, **numbers) and self._is_marched(**marched)
        if not (is_reached and -1 <= steps <= MAX_STEPS):
            raise StateError("the state of the optimizer's search is inconsistent")
        for name, value in numbers.items():
            setattr(self, name, type(getattr(self, name))(value))
        self.march.load(marched)
        outputs = self.problem.ansatz.outputs
        floors = taken(state, "floors", len(outputs)).tolist()
        self.floors = {name: value for name, value in zip(outputs, floors, strict=True) if value}
        self.slopes = slopes
        n_tried = len(np.atleast_1d(state.get("tried", ())))
        table = taken(state, "tried", n_tried, n_slopes + 1) if n_tried else np.empty((0, 1))
        self.tried = {tuple(row[:-1].tolist()): float(row[-1]) for row in np.atleast_2d(table)}
        first, last = taken(state, "cut", 2).tolist()
        self.cut = first, last
        free = self.objective.constants.free
        self.best, self.whole = (
            Candidate.of_arrays(state, name, self.network, self.n_kept, n_slopes, free)
            for name in ("best", "whole")
        )
        if self.kept_layer is not None:
            self.kept_layer = self.kept_layer.new_tensor(
                taken(state, "kept", *self.kept_layer.shape)
            )
        self.neurons = neurons_of(state, "neurons", self.network, self.n_kept)
        if "spots" in state:
            width = 2 * self.problem.domain.dimension + 1
            self.spots = Spots.of_table(taken(state, "spots", self._n_spots, width))
        if steps >= 0:
            self.solver = self._solver(self._window, self._state())
            self.solver.steps, self.solver.n_slow = int(steps), int(taken(state, "slow"))

    def _is_reached(self, slopes: Sequence[float], **numbers: float) -> bool:
        """Whether a search comes by these numbers."""
        return (
            all(map(math.isfinite, numbers.values()))
            and all(0 < slope < math.inf for slope in slopes)
            and 1 <= numbers["width"] <= self.n_neurons
            and 0 <= numbers["stage"] < len(self._widths)
            and 0 <= numbers["n_refined"] <= MAX_REFINED
        )

    def _is_marched(self, start: float, end: float, **others: float) -> bool:
        """Whether a march comes by these numbers with the windows that the network has."""
        n_past = len(self.network.past)
        begins = self.network.ends[n_past - 1] if n_past else self.march.first
        last = self.march.last
        return (
            not any(map(math.isnan, others.values()))
            and start == begins
            and (start < end <= last or start == end == last)
        )
