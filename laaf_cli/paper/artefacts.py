"""The tables and figures as data: one row each says what is run and what is drawn from it."""

from __future__ import annotations

from typing import Any

from laaf_cli.paper.artefact import Artefact
from laaf_cli.paper.columns import LLAAF, LLAAF_RECOVERY, NLAAF, NLAAF_RECOVERY, SEVEN, SIX, TABLE1
from laaf_cli.paper.equation_artefact import EquationArtefact
from laaf_cli.paper.images.artefact import ImageArtefact
from laaf_cli.paper.pictures import ERRORS, LOSS, SLOPES, SOLUTION

_DISCONTINUOUS, _BURGERS = "discontinuous", "burgers"
_REGRESSION_MOMENTS = (2000, 8000, 15000)
_ALL_SIX = "fixed, GAAF, L-LAAF and N-LAAF, without and with slope recovery"

ARTEFACTS: dict[str, Artefact[Any]] = {
    artefact.name: artefact
    for artefact in (
        EquationArtefact(
            "table1",
            "Table 1: Burgers' equation, relative L2 error",
            _BURGERS,
            SEVEN,
            (2000,),
            ERRORS,
            TABLE1,
            judged=True,
        ),
        EquationArtefact(
            "figure2",
            (
                "Figure 2: discontinuous function, solution, frequency content and pointwise "
                f"error; {_ALL_SIX}"
            ),
            _DISCONTINUOUS,
            SIX,
            _REGRESSION_MOMENTS,
            SOLUTION,
            judged=True,
        ),
        EquationArtefact(
            "figure3",
            (
                "Figure 3: discontinuous function, slopes n·a of L-LAAF without and with slope "
                "recovery"
            ),
            _DISCONTINUOUS,
            (LLAAF, LLAAF_RECOVERY),
            (15000,),
            SLOPES,
        ),
        EquationArtefact(
            "figure4",
            (
                "Figure 4: discontinuous function, slopes n·a of N-LAAF (mean, deviation), without "
                "and with slope recovery"
            ),
            _DISCONTINUOUS,
            (NLAAF, NLAAF_RECOVERY),
            (15000,),
            SLOPES,
        ),
        EquationArtefact(
            "figure5",
            f"Figure 5: discontinuous function, loss; {_ALL_SIX}",
            _DISCONTINUOUS,
            SIX,
            (15000,),
            LOSS,
        ),
        EquationArtefact(
            "figure6",
            (
                "Figure 6: Burgers' equation at t = 0.25, 0.5, 0.75, solution and frequency "
                f"content; {_ALL_SIX}"
            ),
            _BURGERS,
            SIX,
            (2000,),
            SOLUTION,
        ),
        EquationArtefact(
            "figure7",
            "Figure 7: Burgers' equation, slopes n·a of L-LAAF without and with slope recovery",
            _BURGERS,
            (LLAAF, LLAAF_RECOVERY),
            (2000,),
            SLOPES,
        ),
        EquationArtefact(
            "figure8",
            (
                "Figure 8: Burgers' equation, slopes n·a of N-LAAF (mean, deviation), without and "
                "with slope recovery"
            ),
            _BURGERS,
            (NLAAF, NLAAF_RECOVERY),
            (2000,),
            SLOPES,
        ),
        EquationArtefact(
            "figure9",
            f"Figure 9: Burgers' equation, loss; {_ALL_SIX}",
            _BURGERS,
            SIX,
            (2000,),
            LOSS,
        ),
        ImageArtefact(
            "figure10",
            ("Figure 10: images, training loss without augmentation"),
            augment=False,
            epochs=50,
        ),
        ImageArtefact(
            "figure11",
            ("Figure 11: images, training loss with augmentation"),
            augment=True,
            epochs=200,
        ),
    )
}
"""Name → table or figure. The paper's figures are numbered here by what they show, sections 3.1,
3.2 and 4 in order.
"""
