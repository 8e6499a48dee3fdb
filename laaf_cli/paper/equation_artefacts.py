"""Table 1 and figures 2 to 9, as the paper numbers them."""

from __future__ import annotations

from functools import partial

from laaf_cli.paper.claims import cost_claims, error_claims, loss_claims, slope_claims, time_claims
from laaf_cli.paper.columns import (
    FIXED,
    GAAF,
    LLAAF,
    LLAAF_RECOVERY,
    NLAAF,
    NLAAF_RECOVERY,
    PAPER_ORDER,
    SEVEN,
    TABLE1,
)
from laaf_cli.paper.equation_artefact import EquationArtefact
from laaf_cli.paper.pictures import draw_errors, draw_losses, grid
from laaf_cli.report.figures.panels import STATIONARY, layers, over_time

_TIMES = (0.25, 0.5, 0.75)
_of_step = partial(EquationArtefact, problem="paper/discontinuous", iterations=15000)
_of_burgers = partial(EquationArtefact, problem="paper/burgers", iterations=2000)

ARTEFACTS = (
    _of_burgers(
        name="table1",
        title="Table 1: Burgers' equation, relative L2 error",
        columns=SEVEN,
        draw=draw_errors,
        all_seeds=True,
        claims=lambda n: [*error_claims(n), *cost_claims()],
        published=TABLE1,
    ),
    _of_step(
        name="figure2",
        title="Figure 2: discontinuous function, solution, spectrum and pointwise error",
        columns=PAPER_ORDER,
        draw=grid(STATIONARY),
        # Of the records of the error, those nearest to the 2000 and 8000 of the journal.
        claims=lambda n: [c for part in (0.14, 0.54, 1) for c in error_claims(round(part * n))],
    ),
    _of_step(
        name="figure3",
        title="Figure 3: discontinuous function, slopes n·a (mean, deviation) of each hidden layer",
        columns=PAPER_ORDER[1:],
        draw=grid(layers(4)),
        claims=lambda _n: slope_claims((LLAAF, LLAAF_RECOVERY), (NLAAF, NLAAF_RECOVERY)),
    ),
    _of_step(
        name="figure4",
        title="Figure 4: discontinuous function, loss",
        columns=PAPER_ORDER,
        draw=draw_losses,
        claims=lambda n: loss_claims([round(part * n) for part in (0.14, 0.54, 1)]),
    ),
    _of_burgers(
        name="figure5",
        title="Figure 5: Burgers' equation, spectrum",
        columns=PAPER_ORDER,
        draw=grid(over_time("spectrum", _TIMES), one_scale=True),
        claims=lambda _n: time_claims(_TIMES[0], _TIMES[1:]),
    ),
    _of_burgers(
        name="figure6",
        title="Figure 6: Burgers' equation, solution",
        columns=(FIXED, GAAF, LLAAF_RECOVERY, NLAAF_RECOVERY),
        n_seeds=1,  # it claims nothing
        draw=grid(over_time("solution", _TIMES), one_scale=True),
    ),
    _of_burgers(
        name="figure7",
        title="Figure 7: Burgers' equation, loss",
        columns=PAPER_ORDER,
        draw=draw_losses,
        claims=lambda n: loss_claims([n // 4, n // 2, n]),
    ),
    _of_burgers(
        name="figure8",
        title="Figure 8: Burgers' equation, slopes n·a of L-LAAF without and with slope recovery",
        columns=(LLAAF, LLAAF_RECOVERY),
        draw=grid(layers(6), height=1.4, one_scale=True),
        claims=lambda _n: slope_claims((LLAAF, LLAAF_RECOVERY)),
    ),
    _of_burgers(
        name="figure9",
        title=(
            "Figure 9: Burgers' equation, slopes n·a (mean, deviation) of N-LAAF without and with "
            "slope recovery"
        ),
        columns=(NLAAF, NLAAF_RECOVERY),
        draw=grid(layers(6), height=1.4),
        claims=lambda _n: slope_claims((NLAAF, NLAAF_RECOVERY)),
    ),
)
"""In the order of the paper."""
