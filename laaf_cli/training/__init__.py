"""Training: the objective, the optimizers, and the one loop. Prints nothing and writes no file."""

from laaf_cli.training.balance import BALANCES
from laaf_cli.training.faults import balance_faults, resampling_faults
from laaf_cli.training.objective import SLOPE_RECOVERY, Objective
from laaf_cli.training.optimizers import OPTIMIZERS, SCHEDULES, LearningRate
from laaf_cli.training.resampling import RESAMPLERS
from laaf_cli.training.trainer import Divergence, Record, StopReason, Trainer, TrainingPhase, TrainingResult
from laaf_cli.training.validation import validate

__all__ = [
    "BALANCES",
    "OPTIMIZERS",
    "RESAMPLERS",
    "SCHEDULES",
    "SLOPE_RECOVERY",
    "Divergence",
    "LearningRate",
    "Objective",
    "Record",
    "StopReason",
    "Trainer",
    "TrainingPhase",
    "TrainingResult",
    "balance_faults",
    "resampling_faults",
    "validate",
]
