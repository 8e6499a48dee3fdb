"""What makes a run the run that it is: its problem and its method, as hashes."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import numpy as np

from laaf_cli.derivatives import AUTO as FASTEST
from laaf_cli.derivatives import FUSED
from laaf_cli.expression import interpolants
from laaf_cli.problem import Problem
from laaf_cli.references import Reference
from laaf_cli.spec import RunSpec


class Hashes(NamedTuple):
    """SHA-256 of the problem and of the method; runs that share both differ in their seed alone."""

    problem: str
    method: str


def make_hashes(
    run_spec: RunSpec,
    problem: Problem,
    reference: Reference | None,
    *,
    engine_name: str,
    max_seconds: float | None,
) -> Hashes:
    """The hashes of a run, from what a plan holds.

    Runs share both where they differ in the seed, in what is reported (title, reference,
    evaluation), or in the device. Observed values count, not the name of their file.
    """
    spec = run_spec.model_dump(mode="json")
    keys = ("coordinates", "unknowns", "constants", "equations")
    stated = {key: spec[key] for key in keys}
    domain = problem.domain
    if domain.shape is not None:  # without one the hash is that of the box
        stated |= {key: spec[key] for key in ("shape", "parts")}
    stated["periodic"] = sorted(domain.coordinates[axis] for axis in domain.periodic)
    if run_spec.fields:  # without any the hash is that of other specs
        values = {
            (value.name, value.fingerprint)
            for term in problem.terms
            for tree in term.residuals
            for value in interpolants(tree)
        }
        stated["fields"] = sorted(values)
    stated["functions"] = sorted({function.source for function in problem.functions.values()})
    stated["learn"] = {name: learned["truth"] for name, learned in spec["learn"].items()}
    conditions = spec["conditions"]
    stated["conditions"] = {
        name: {key: value for key, value in condition.items() if key not in (*_HOW, *_OF_FILE)}
        for name, condition in conditions.items()
    }
    stated["data"] = {key: spec["data"][key] for key in _OBSERVED} if spec["data"] else None
    stated["observed"] = [
        hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
        for term in problem.terms
        for values in term.region.given_arrays
    ]
    if run_spec.data is not None and run_spec.data.reference:
        stated["reference"] = [spec["reference"], reference.fingerprint if reference else ""]
    method = {
        key: spec[key] for key in ("network", "points", "weights", "training", "dtype", "transform")
    }
    method["points"] = {key: value for key, value in spec["points"].items() if key != "validation"}
    method["periodic"] = spec["periodic"]
    method["learn"] = {
        name: {key: value for key, value in learned.items() if key != "truth"}
        for name, learned in spec["learn"].items()
    }
    method["data"] = (
        {key: spec["data"][key] for key in ("points", "sampler", "weight")}
        if spec["data"]
        else None
    )
    # The kernel asked for is the kernel taken by itself.
    engine = FASTEST if engine_name == FUSED else engine_name
    method |= {"derivatives": engine, "max_seconds": max_seconds}
    method["conditions"] = {
        name: {key: condition[key] for key in _HOW} for name, condition in conditions.items()
    }
    kind = run_spec.slopes.row
    method["slopes"] = spec["slopes"] if kind.is_adaptive else {"kind": kind.name}
    return Hashes(problem=hash_of(stated), method=hash_of(method))


_HOW = ("points", "weight")
"""Keys of a condition that belong to the method, not to the problem."""

_OF_FILE = ("data", "names", "columns")
"""Keys of a condition that say where its values are read, and not what they are."""

_OBSERVED = ("target", "reference", "noise", "fields", "weights")
"""Keys of the data that belong to the problem."""


def hash_of(value: object) -> str:
    """SHA-256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
