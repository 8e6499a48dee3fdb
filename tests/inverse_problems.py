"""Small inverse problems with noise, for intervals: the truth should lie in about 95 of 100."""

from __future__ import annotations

from collections.abc import Mapping

from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import Override, Text

DECAY = """
coordinates: {t: [0, 2]}
unknowns: [u]
learn: {k: {start: 1, positive: true, truth: 1.5}}
equations: {decay: u_t = -k*u}
conditions: {start: {where: t = 0, equation: u = 1}}
transform: {u: 1 + t*net}
data: {target: {u: exp(-1.5*t)}, points: 20, noise: 0.05}
points: {interior: 40, sampler: sobol, validation: 10}
network: {hidden: [8]}
training: [{optimizer: levenberg-marquardt, iterations: 25}]
reference: none
dtype: float64
"""

OSCILLATOR = """
coordinates: {t: [0, 6]}
unknowns: [x]
constants: {f: sqrt(4 - 0.15**2)}
learn: {w: {start: 2, positive: true, truth: 4}, d: {start: 0.1, truth: 0.3}, a: {start: 0.5, truth: 1}}
equations: {spring: x_tt + d*x_t + w*x = 0}
conditions: {start: {where: t = 0, equation: [x = a, x_t = 0]}}
data: {target: {x: exp(-0.15*t)*(cos(f*t) + 0.15/f*sin(f*t))}, points: 40, noise: 0.05}
points: {interior: 80, sampler: sobol, validation: 10}
network: {hidden: [16]}
training: [{optimizer: levenberg-marquardt, iterations: 100}]
reference: none
dtype: float64
"""

HEAT = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.2, positive: true, truth: 0.1}}
equations: {heat: u_t = k*u_xx}
conditions: {start: {where: t = 0, equation: u = sin(pi*x)}, walls: {where: boundary, equation: u = 0}}
data: {target: {u: exp(-0.1*pi**2*t)*sin(pi*x)}, points: 30, noise: 0.05}
points: {interior: 200, sampler: sobol, validation: 10}
network: {hidden: [10, 10]}
training: [{optimizer: levenberg-marquardt, iterations: 40}]
reference: none
evaluation: {grid: {x: 5, t: 5}}
dtype: float64
"""

PROBLEMS = {"decay": DECAY, "oscillator": OSCILLATOR, "heat": HEAT}


def covered(yaml: str, seed: int, sets: Mapping[str, str]) -> dict[str, bool]:
    """Whether the interval of each constant holds its truth, for this draw of the noise."""
    overrides = [Override(tuple(key.split(".")), value, "") for key, value in sets.items()]
    plan = make_plan(Text("spec.yaml", yaml), [*overrides, Override(("seed",), str(seed), "")])
    found = {}
    for name, constant in execute(plan).summary.constants.items():
        assert constant.interval is not None, constant.no_interval
        assert constant.truth is not None
        lower, upper = constant.interval
        found[name] = lower <= constant.truth <= upper
    return found
