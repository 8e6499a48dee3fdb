"""What is wrong with a spec that only its problem, or the tables of other packages, can show."""

from __future__ import annotations

from itertools import pairwise

from laaf_cli.derivatives import obstacle
from laaf_cli.errors import Fault, UsageError
from laaf_cli.multi_index import MAX_ORDER
from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.inputs import Inputs
from laaf_cli.problem import Problem
from laaf_cli.runs.solution import make_kinks, make_periods, make_similarity
from laaf_cli.spec import LoadedSpec, RunSpec
from laaf_cli.text import did_you_mean, listed
from laaf_cli.training import (
    SCHEDULES,
    SettingFault,
    balance_faults,
    phase_faults,
    resampling_faults,
)


def require_kernel(device: str, spec: RunSpec, problem: Problem) -> None:
    """Raises UsageError where the kernel cannot compute a term; device: its type."""
    for term in problem.trained_terms:
        reason = obstacle(device, spec.network.activation, term.order)
        if reason:
            raise UsageError(
                f"`derivatives='fused'` cannot compute '{term.name}': {reason}\n"
                "`derivatives='auto'` takes the kernel where it can, and Taylor mode in torch "
                "elsewhere"
            )


def plan_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec, problem: Problem) -> list[Fault]:
    """Activations that are not smooth enough, and settings of training that fit neither each
    other nor the problem.
    """
    if faults := [*_kink_faults(loaded, spec, problem), *_spread_faults(loaded, spec, problem)]:
        return faults  # what the network sees is not known
    adaptation = (*resampling_faults(spec), *balance_faults(spec, problem))
    counts = [n_parameters(spec, problem, phase) for phase in range(len(spec.training))]
    return [
        *_activation_faults(loaded, spec, problem),
        *(_fault(loaded, fault) for fault in phase_faults(spec, problem, counts)),
        *_schedule_faults(loaded, spec),
        *(_fault(loaded, fault) for fault in adaptation),
    ]


def _kink_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec, problem: Problem) -> list[Fault]:
    domain, faults = problem.domain, []
    for name, kinks in (spec.network.kinks or {}).items():
        path, hint = ("network", "kinks", name), ""
        if name not in domain.coordinates:
            what = f"'{name}' is not a coordinate"
            hint = did_you_mean(name, domain.coordinates)
        else:
            axis = domain.coordinates.index(name)
            lower, upper = domain.lower[axis], domain.upper[axis]
            here = [kink for of, *kink in spec.network.bends if of == name]
            outside = [place for place, _, v in here if not (v or lower < place < upper)]
            orders = [kink[1] for kink in kinks if isinstance(kink, list)]
            most = 1 if axis in domain.periodic else MAX_ORDER
            wrong = [order for order in orders if order not in range(most + 1)]
            if any(v for *_, v in here) and name in (None, domain.time):
                what = f"nothing is carried along '{name}'"
            elif any(v for *_, v in here) and domain.time is None:
                what = "there is no time in which something is carried"
            elif outside:
                what = f"{outside[0]:g} is not inside the range of '{name}'"
                hint = f"It goes from {lower:g} to {upper:g}."
            elif wrong:
                what = f"{wrong[0]:g} is not an order of a derivative"
                hint = f"Orders are integers from 0 to {most}."
            else:
                continue
        faults.append(Fault(what, loaded.root.locate(path).mark, hint))
    return faults


def _spread_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec, problem: Problem) -> list[Fault]:
    domain, faults = problem.domain, []
    for name, places in (spec.network.similarity or {}).items():
        hint = ""
        if name not in domain.coordinates:
            what = f"'{name}' is not a coordinate"
            hint = did_you_mean(name, domain.coordinates)
        elif domain.time is None or name == domain.time:
            what = f"along '{name}' nothing spreads in time"
            hint = "Similarity variables are of a coordinate of space, in a problem with time."
        elif any(diffusivity == 0 for _, diffusivity, *_ in places):
            what, hint = "a diffusivity is 0", "What does not spread has no similarity variable."
        else:
            continue
        mark = loaded.root.locate(("network", "similarity", name)).mark
        faults.append(Fault(what, mark, hint))
    return faults


def n_parameters(spec: RunSpec, problem: Problem, phase: int) -> int:
    """Weights and biases of the network in a phase, at most, and learned constants."""
    periods = make_periods(problem.ansatz, problem.domain)
    widths = [
        Inputs(
            problem.domain.dimension,
            None,
            periods,
            make_kinks(spec, problem.domain),
            make_similarity(spec, problem.domain),
        ).width,
        *spec.network.hidden[:-1],
        spec.width_before(phase + 1),
        len(problem.ansatz.outputs),
    ]
    in_layers = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(widths))
    return in_layers + len(problem.learned)


def _activation_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec, problem: Problem) -> list[Fault]:
    row = ACTIVATIONS[spec.network.activation]
    if problem.order <= row.max_order:
        return []
    term = max(problem.trained_terms, key=lambda term: term.order)
    written = next(other.order for other in problem.terms if other.name == term.name)
    raised = f", which the transform raises from {written}" if term.order > written else ""
    what = f"'{row.name}' does not suit the {term.kind} '{term.name}' of order {term.order}{raised}"
    smooth = listed(name for name, other in ACTIVATIONS.items() if other.max_order >= problem.order)
    hint = f"{row.why[0].upper()}{row.why[1:]}. Choices: {smooth}."
    return [Fault(what, loaded.root.locate(("network", "activation")).mark, hint)]


def _schedule_faults(loaded: LoadedSpec[RunSpec], spec: RunSpec) -> list[Fault]:
    faults = []
    for i, phase in enumerate(spec.training):
        law = SCHEDULES[phase.schedule.kind]
        for key in ("factor", "every", "final"):
            if getattr(phase.schedule, key) is not None and key not in law.keys:
                schedule = loaded.root.locate(("training", i, "schedule"))
                what = f"the schedule '{phase.schedule.kind}' takes no '{key}'"
                hint = f"Its keys: {listed(law.keys)}."
                faults.append(Fault(what, schedule.keys.get(key, schedule.mark), hint))
    return faults


def _fault(loaded: LoadedSpec[RunSpec], fault: SettingFault) -> Fault:
    """A fault, at its key."""
    *above, key = fault.path
    section = loaded.root.locate(tuple(above))
    return Fault(fault.what, section.keys.get(str(key), section.mark), fault.hint)
