"""Reasons to doubt an answer that looks good: the loss alone cannot show them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from laaf_cli.arrays import Array
from laaf_cli.metrics import far_above
from laaf_cli.runfile.losses import loss_without_recovery
from laaf_cli.spec import RunSpec

WRONG = 0.5
"""A relative L2 error above this is a wrong answer: u = 0 has the error 1. Healthy runs are
below it.
"""

FALLEN = 100.0
"""A loss that fell by this factor looks like success: residuals are a tenth of what they were,
as root mean squares.
"""

SETTLED, MIN_RECORDS = 2.0, 100
"""A loss that fell by less than this factor in the last half of the training has settled; shorter
ones cannot show.

Networks that are stuck often stay far from FALLEN: Allen-Cahn at u = 0 (error 1.00) ends with a
tenth of its first loss, convection with the speed 30 (error 0.97) with a fiftieth, and both had
settled. A run that is wrong because it is short of training meets neither bound.
"""


def doubts(
    spec: RunSpec,
    terms: Mapping[str, Array],
    validation: Mapping[str, float],
    relative_l2: Mapping[str, float],
) -> list[str]:
    """A sentence for each reason to doubt a run, with what may help.

    Args:
        terms: the loss terms without weights, [n_records].
        validation: those at held-out points, after training.
        relative_l2: by unknown, of those whose reference is not zero; empty without one.
    """
    starts, ends = ({name: float(values[i]) for name, values in terms.items()} for i in (0, -1))
    return [
        *(
            _between_the_points(spec, name, validation[name], ends[name])
            for name in far_above(validation, ends, starts)
        ),
        *_wrong_in_silence(spec, terms, relative_l2),
    ]


def _between_the_points(spec: RunSpec, name: str, fresh: float, trained: float) -> str:
    where = "points.interior" if name in spec.equations else f"conditions.{name}.points"
    renewed = name in spec.equations and spec.points.resample is None
    advice = f"more points ({where})" + (
        ", or new ones while training (points.resample)" if renewed else ""
    )
    times = fresh / trained if trained > 0 else math.inf
    return (
        f"the mean square of '{name}' at held-out points is {times:.3g} times that at the points "
        f"trained on: the network overfits the collocation points. Try {advice}"
    )


def _wrong_in_silence(
    spec: RunSpec, terms: Mapping[str, Array], relative_l2: Mapping[str, float]
) -> list[str]:
    """The answer is wrong, and the loss looks like that of a good one."""
    wrong = [
        f"{error:.2g} for {name}" for name, error in relative_l2.items() if WRONG < error < math.inf
    ]
    # With the weights of the spec: where weights adapt, the loss may fall because they do.
    with np.errstate(all="ignore"):  # an untrusted file may hold anything
        loss = np.asarray(loss_without_recovery(spec, terms), dtype=np.float64)
    if not wrong or loss.ndim == 0 or not (np.isfinite(loss).all() and loss[0] > 0):
        return []
    fallen = float(loss[0] / loss[-1]) if loss[-1] > 0 else math.inf
    settled = _has_settled(loss)
    if fallen < FALLEN and not settled:
        return []
    causal = ", weights.balance: causal" if "t" in spec.coordinates else ""
    return [
        f"the solution is wrong, with a relative L2 error of {', '.join(wrong)}, although the "
        "loss fell by a factor of "
        f"{fallen:.2g}{' and has settled' if settled else ''}: functions that do not solve the "
        "problem reach the same loss. Try more points, longer training, larger weights of the "
        f"conditions{causal}, or a transform that meets the conditions exactly"
    ]


def _has_settled(loss: Array) -> bool:
    """Whether the loss [n_records] fell little in the last half; medians, for batches and large
    steps make it jump.
    """
    tenth, half = len(loss) // 10, len(loss) // 2
    return len(loss) >= MIN_RECORDS and bool(
        np.median(loss[half - tenth // 2 : half + tenth // 2]) < SETTLED * np.median(loss[-tenth:])
    )
