"""Runs whose pages tests look at."""

from __future__ import annotations

from pathlib import Path

from conftest import plan_of

from laaf_cli.runs.train import execute

TITLE = "<script>document.title = 'run'</script> & \"$5\""

HEAT = """
title: "<script>document.title = 'run'</script> & \\"$5\\""
source: <b>nobody</b>
coordinates: {x: [0, 2], t: [0, 1]}
unknowns: [u, v]
constants: {nu: 0.01/pi}
equations: {a: u_t = nu*u_xx, b: v_t = u**2/2}
conditions:
  start: {where: t = 0, equation: [u = x, v = 0], points: 7}
  walls: {where: boundary, equation: u = x, only: x < 1}
points: {interior: 20}
network: {hidden: [4, 3]}
slopes: {kind: nlaaf, n: 5}
training: [{iterations: 4}]
reference: {exact: {u: sin(pi*x)*(1 + t), v: x*t}}
evaluation: {grid: {x: 9, t: 4}, times: [0.25, 0.5]}
"""

MEMBRANE = """
coordinates: {x: [0, 1], y: [0, 2], t: [0, 1]}
unknowns: [u]
equations: {a: u_tt = laplacian(u)}
conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
network: {hidden: [4]}
points: {interior: 20}
training: [{iterations: 1}]
reference: {exact: {u: x*y*(1 + t)}}
evaluation: {grid: {x: 5, y: 7, t: 3}, times: [0.3]}
"""


def write_runs(folder: Path) -> dict[str, Path]:
    """Run files by name: of two methods and seeds, one without reference, one over a plane."""
    runs = {
        "nlaaf-0": (HEAT, "seed=0"),
        "nlaaf-1": (HEAT, "seed=1"),
        "fixed-0": (HEAT, "slopes.kind=fixed"),
        "fixed-1": (HEAT, "slopes.kind=fixed", "seed=1"),
        "bare": (HEAT, "reference=none"),
        "membrane": (MEMBRANE,),
    }
    paths = {name: folder / f"{name}.h5" for name in runs}
    for name, (spec, *assignments) in runs.items():
        execute(plan_of(spec, *assignments)).save(paths[name])
    return paths
