"""What a spec asks of the phases, of the balance and of the resampling that they cannot do."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from laaf_cli.problem import SAMPLERS, Problem
from laaf_cli.spec import BalanceSpec, KeyPath, PhaseSpec, ResampleSpec, RunSpec
from laaf_cli.text import any_of, listed
from laaf_cli.training.balance import BALANCES
from laaf_cli.training.least_squares import has_windows
from laaf_cli.training.optimizers import OPTIMIZERS
from laaf_cli.training.resampling import RESAMPLERS


@dataclass(frozen=True)
class SettingFault:
    """A setting that does not fit: the path of its key, what is wrong, and how to mend it."""

    path: KeyPath
    what: str
    hint: str


def phase_faults(spec: RunSpec, problem: Problem, counts: Sequence[int]) -> list[SettingFault]:
    """What is wrong with the phases, besides optimizers that are not in the table.

    Args:
        counts: by phase, the parameters of the network, without slopes, and the learned constants.
    """
    faults = []
    for i, phase in enumerate(spec.training):
        path: KeyPath = ("training", i)
        row, n_parameters = OPTIMIZERS[phase.optimizer], counts[i]
        keys = ("optimizer", "iterations", *row.keys, "interior", "max_seconds")
        faults += _keys_not_taken(phase, keys, path, f"the optimizer '{phase.optimizer}'")
        if phase.interior is not None and not spec.equations:
            what = "there are no equations whose points could be counted"
            faults.append(
                SettingFault(
                    (*path, "interior"),
                    what,
                    "Leave 'interior' out; all points of data are trained on.",
                )
            )
        if row.draws_neurons:
            faults += _neurons_faults(spec, problem, i)
        elif "iterations" not in phase.model_fields_set:
            what = f"'training.{i}' lacks the key 'iterations'"
            hint = "Example: training: [{optimizer: adam, iterations: 2000}]."
            faults.append(SettingFault((*path, "iterations"), what, hint))
        if row.max_parameters is not None and n_parameters > row.max_parameters:
            what = (
                f"'{phase.optimizer}' keeps a matrix of {n_parameters:,} × {n_parameters:,} "
                f"numbers, one row for each parameter; at most {row.max_parameters:,} rows are kept"
            )
            others = listed(
                name
                for name, other in OPTIMIZERS.items()
                if other.max_parameters is None or n_parameters <= other.max_parameters
            )
            is_widened = spec.width_before(i) > spec.network.hidden[-1]
            smaller = "Fewer 'features' before it" if is_widened else "A smaller network"
            hint = f"{smaller}, or an optimizer that takes as many: {others}."
            faults.append(SettingFault((*path, "optimizer"), what, hint))
    return faults


def _neurons_faults(spec: RunSpec, problem: Problem, i: int) -> list[SettingFault]:
    """What a phase that draws neurons cannot do."""
    phase = spec.training[i]
    path: KeyPath = ("training", i)
    faults = []
    if spec.dtype != "float64":
        what = f"what '{phase.optimizer}' solves is lost in the rounding of {spec.dtype}"
        faults.append(SettingFault(("dtype",), what, "Leave 'dtype' out, or write float64."))
    if problem.fluxes and not spec.network.kinks:
        what = f"the neurons of '{phase.optimizer}' do not bend where the flux jumps"
        equations = "; ".join(problem.fluxes.values())
        others = listed(name for name, other in OPTIMIZERS.items() if not other.draws_neurons)
        hint = f"It jumps in {equations}. Other optimizers: {others}."
        faults.append(SettingFault((*path, "optimizer"), what, hint))
    if phase.windows is not None and (len(spec.training) > 1 or not has_windows(problem)):
        what = "the problem cannot be solved in windows of time, one after another"
        hint = (
            "They take a coordinate t and values at its start, no data, and no learned constants."
        )
        if len(spec.training) > 1:
            what = "windows of time are for a training of one phase"
            hint = "Leave 'windows' out, or the other phases."
        faults.append(SettingFault((*path, "windows"), what, hint))
    return faults


def resampling_faults(spec: RunSpec) -> list[SettingFault]:
    """What is wrong with `points.resample`, besides a method that is not in the table."""
    settings = spec.points.resample
    if settings is None:
        return []
    path: KeyPath = ("points", "resample")
    row = RESAMPLERS[settings.method]
    faults = _keys_not_taken(
        settings, ("every", "method", *row.keys), path, f"the resampling '{settings.method}'"
    )
    if not spec.equations:
        what = "there are no equations whose points could be renewed"
        faults.append(
            SettingFault(path, what, "Leave 'resample' out; points of data are never renewed.")
        )
    elif row.uses_sampler and SAMPLERS[sampler := spec.points.sampler].is_deterministic:
        others = any_of(f"'{name}'" for name, row in RESAMPLERS.items() if not row.uses_sampler)
        hint = f"Choose another 'sampler', or the resampling {others}."
        faults.append(
            SettingFault(path, f"drawing a {sampler} again gives the same {sampler}", hint)
        )
    return faults


def balance_faults(spec: RunSpec, problem: Problem) -> list[SettingFault]:
    """What is wrong with `weights.balance`, besides a method that is not in the table."""
    settings = spec.weights.balance
    path: KeyPath = ("weights", "balance")
    row = BALANCES[settings.method]
    faults = _keys_not_taken(
        settings, ("method", *row.keys), path, f"the balance '{settings.method}'"
    )
    if row.needs_time and problem.domain.time_axis is None:
        what = f"the balance '{settings.method}' needs time, and no coordinate is named 't'"
        without = listed(name for name, other in BALANCES.items() if not other.needs_time)
        faults.append(
            SettingFault(
                path,
                what,
                f"Coordinates: {listed(problem.domain.coordinates)}. Without time: {without}.",
            )
        )
    if row.needs_equations and not spec.equations:
        what = f"the balance '{settings.method}' needs equations, but the spec has none"
        without = listed(name for name, other in BALANCES.items() if not other.needs_equations)
        faults.append(SettingFault(path, what, f"Without equations: {without}."))
    return faults


def _keys_not_taken(
    settings: BalanceSpec | PhaseSpec | ResampleSpec, keys: Collection[str], path: KeyPath, who: str
) -> list[SettingFault]:
    fields_set = settings.model_fields_set
    set_keys = [
        key
        for key in type(settings).model_fields
        if key in fields_set and getattr(settings, key) is not None
    ]
    hint = f"Its keys: {listed(key for key in keys if key != 'method')}."
    return [
        SettingFault((*path, key), f"{who} takes no '{key}'", hint)
        for key in set_keys
        if key not in keys
    ]
