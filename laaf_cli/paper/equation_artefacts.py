"""The tables and figures of equations as data: one row each says what is run and what is drawn
from it.
"""

from __future__ import annotations

from laaf_cli.paper.columns import LLAAF, LLAAF_RECOVERY, NLAAF, NLAAF_RECOVERY, SEVEN, SIX, TABLE1
from laaf_cli.paper.equation_artefact import EquationArtefact
from laaf_cli.paper.pictures import ERRORS, LOSS, SLOPES, SOLUTION

_DISCONTINUOUS, _BURGERS = "paper/discontinuous", "paper/burgers"
_REGRESSION_MOMENTS = (2000, 8000, 15000)
_ALL_SIX = "fixed, GAAF, L-LAAF and N-LAAF, without and with slope recovery"

ARTEFACTS = (
    EquationArtefact(
        name="table1",
        title="Table 1: Burgers' equation, relative L2 error",
        problem=_BURGERS,
        columns=SEVEN,
        moments=(2000,),
        pictures=ERRORS,
        published=TABLE1,
        judged=True,
    ),
    EquationArtefact(
        name="figure2",
        title=(
            "Figure 2: discontinuous function, solution, frequency content and pointwise "
            f"error; {_ALL_SIX}"
        ),
        problem=_DISCONTINUOUS,
        columns=SIX,
        moments=_REGRESSION_MOMENTS,
        pictures=SOLUTION,
        judged=True,
    ),
    EquationArtefact(
        name="figure3",
        title=(
            "Figure 3: discontinuous function, slopes n·a of L-LAAF without and with slope recovery"
        ),
        problem=_DISCONTINUOUS,
        columns=(LLAAF, LLAAF_RECOVERY),
        moments=(15000,),
        pictures=SLOPES,
    ),
    EquationArtefact(
        name="figure4",
        title=(
            "Figure 4: discontinuous function, slopes n·a of N-LAAF (mean, deviation), without "
            "and with slope recovery"
        ),
        problem=_DISCONTINUOUS,
        columns=(NLAAF, NLAAF_RECOVERY),
        moments=(15000,),
        pictures=SLOPES,
    ),
    EquationArtefact(
        name="figure5",
        title=f"Figure 5: discontinuous function, loss; {_ALL_SIX}",
        problem=_DISCONTINUOUS,
        columns=SIX,
        moments=(15000,),
        pictures=LOSS,
    ),
    EquationArtefact(
        name="figure6",
        title=(
            "Figure 6: Burgers' equation at t = 0.25, 0.5, 0.75, solution and frequency "
            f"content; {_ALL_SIX}"
        ),
        problem=_BURGERS,
        columns=SIX,
        moments=(2000,),
        pictures=SOLUTION,
    ),
    EquationArtefact(
        name="figure7",
        title="Figure 7: Burgers' equation, slopes n·a of L-LAAF without and with slope recovery",
        problem=_BURGERS,
        columns=(LLAAF, LLAAF_RECOVERY),
        moments=(2000,),
        pictures=SLOPES,
    ),
    EquationArtefact(
        name="figure8",
        title=(
            "Figure 8: Burgers' equation, slopes n·a of N-LAAF (mean, deviation), without and "
            "with slope recovery"
        ),
        problem=_BURGERS,
        columns=(NLAAF, NLAAF_RECOVERY),
        moments=(2000,),
        pictures=SLOPES,
    ),
    EquationArtefact(
        name="figure9",
        title=f"Figure 9: Burgers' equation, loss; {_ALL_SIX}",
        problem=_BURGERS,
        columns=SIX,
        moments=(2000,),
        pictures=LOSS,
    ),
)
"""The paper's figures are numbered here by what they show, sections 3.1
and 3.2 in order.
"""
