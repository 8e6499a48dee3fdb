"""What other packages call our keys and choices, and where a key belongs that is in the wrong
place.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from laaf_cli.spec.source import KeyPath

_KEYS = {
    "coordinates": "coords coordinate domain domains geometry geom inputs variables independent "
    "ranges",
    "unknowns": "unknown outputs dependent functions_of dependent_variables solution_names",
    "constants": "constant const parameters params coefficients",
    "learn": "trainable learnable inverse external_trainable_variables unknown_parameters",
    "equations": "equation eq eqs eqn eqns pde pdes ode odes residual residuals",
    "conditions": "condition ic ics bc bcs icbcs initial boundary initial_condition "
    "initial_conditions boundary_condition boundary_conditions constraints",
    "conditions.where": "on face faces side location boundary region",
    "conditions.equation": "value values eq equations expression condition function func formula",
    "conditions.weight": "loss_weight weighting",
    "conditions.points": "num_boundary num_initial n_points num_points",
    "data": "observations measurements measured dataset",
    "points.interior": "collocation collocation_points num_domain n_domain n_interior n_points "
    "num_points n_collocation n_f",
    "points.sampler": "sampling distribution train_distribution",
    "points.validation": "num_test",
    "network": "net model nn architecture",
    "network.hidden": "layers layer layer_sizes layer_size hidden_layers hidden_size units neurons "
    "nodes width widths depth num_layers n_layers",
    "network.activation": "activations act activation_function nonlinearity",
    "network.initializer": "init initialiser initialization initialisation kernel_initializer",
    "slopes.n": "scale",
    "weights.equations": "loss_weights",
    "training": "train phases",
    "training.optimizer": "optim optimiser method algorithm solver",
    "training.iterations": "iteration epochs epoch n_epochs num_epochs steps n_steps num_steps "
    "max_iter maxiter max_iterations n_iterations num_iterations",
    "training.learning_rate": "lr learningrate step_size stepsize eta",
    "training.batch": "batch_size batchsize minibatch",
    "training.schedule": "scheduler lr_schedule lr_scheduler decay",
    "training.max_seconds": "time_limit timeout max_time",
    "checkpoint": "checkpoints save_every",
    "reference": "solution analytical analytic exact_solution",
    "seed": "random_seed random_state rng",
    "dtype": "precision default_float float",
    "device": "gpu cuda accelerator",
}
"""By key of ours, what it is called elsewhere."""

_CHOICES = {
    "float32": "float single fp32 32",
    "float64": "double fp64 64",
    "cuda": "gpu cuda:0",
    "silu": "swish",
    "sin": "sine siren",
    "sigmoid": "logistic",
    "leaky-relu": "leakyrelu lrelu",
    "glorot-normal": "glorot xavier xavier-normal",
    "glorot-uniform": "xavier-uniform",
    "latin-hypercube": "lhs lhc",
    "uniform": "random pseudo",
    "cosine": "cosine-annealing",
    "step": "steplr",
}
"""By choice of ours, what it is called elsewhere."""


def choice_meant(word: str, choices: Iterable[str]) -> str:
    """'Did you mean 'float64'?' for `double`; an empty text for a word that is not known."""
    plain = word.lower().replace("_", "-")
    known = (ours for ours, others in _CHOICES.items() if plain in others.split())
    ours = next(iter(set(known).intersection(choices)), None)
    return f"Did you mean '{ours}'?" if ours else ""


def key_meant(model: type[BaseModel], path: KeyPath) -> KeyPath | None:
    """Where a key belongs that is at `path`, which no key of a model has: `(section, key)`, or
    `(key,)` at the top; None where it is not known.
    """
    section, key = path[0] if len(path) > 1 else "", str(path[-1])
    plain = key.lower().replace("-", "_")
    places = [*_places(model)]
    called = [
        (*rest, name)
        for ours, others in _KEYS.items()
        for *rest, name in [ours.split(".")]
        if plain in others.split() and (*rest, name) in places
    ]
    same = [place for place in called if (place[0] if len(place) > 1 else "") == section]
    elsewhere = [place for place in places if place[-1] == key]
    return next(iter([*same, *elsewhere, *called]), None)


def written(model: type[BaseModel], place: KeyPath, value: str) -> str:
    """How a key of a section is written: `training: [{learning_rate: …}]`."""
    section, inner = str(place[0]), f"{{{place[1]}: {value}}}"
    form = get_origin(bare(model.model_fields[section].annotation))
    return f"{section}: " + {list: f"[{inner}]", dict: f"{{name: {inner}}}"}.get(form, inner)


def _places(model: type[BaseModel]) -> Iterator[KeyPath]:
    """The keys of a model and of its sections."""
    for section, field in model.model_fields.items():
        yield (section,)
        annotation = bare(field.annotation)
        if get_origin(annotation) in (list, dict):
            annotation = bare(get_args(annotation)[-1])
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from ((section, key) for key in annotation.model_fields)


def dotted_paths(model: type[BaseModel]) -> Iterator[str]:
    """The paths of keys that do not depend on names, as `network.hidden` and
    `training.0.iterations`.
    """
    forms = {name: get_origin(bare(f.annotation)) for name, f in model.model_fields.items()}
    for section, *key in _places(model):
        if not key or forms[str(section)] is not dict:
            item = ["0"] if key and forms[str(section)] is list else []
            yield ".".join([str(section), *item, *map(str, key)])


def bare(annotation: Any) -> Any:
    """An annotation without Annotated and without `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            annotation = next(option for option in get_args(annotation) if option is not type(None))
        else:
            return annotation
