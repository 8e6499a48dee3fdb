"""Training: the objective, the optimizers, and the one loop. Prints nothing and writes no file."""

from laaf_cli.training.balance import BALANCES
from laaf_cli.training.faults import Misfit, balance_faults, phase_faults, resampling_faults
from laaf_cli.training.objective import SLOPE_RECOVERY, Objective
from laaf_cli.training.optimizers import OPTIMIZERS
from laaf_cli.training.phases import (
    DEFAULT_LEARNING_RATE,
    SCHEDULES,
    LearningRate,
    PhaseEnd,
    PhaseResult,
    TrainingPhase,
)
from laaf_cli.training.resampling import RESAMPLERS
from laaf_cli.training.trainer import Divergence, Record, StopReason, Trainer, TrainingResult
from laaf_cli.training.validation import validate

__all__ = [
    "BALANCES",
    "DEFAULT_LEARNING_RATE",
    "OPTIMIZERS",
    "RESAMPLERS",
    "SCHEDULES",
    "SLOPE_RECOVERY",
    "Divergence",
    "LearningRate",
    "Misfit",
    "Objective",
    "PhaseEnd",
    "PhaseResult",
    "Record",
    "StopReason",
    "Trainer",
    "TrainingPhase",
    "TrainingResult",
    "balance_faults",
    "phase_faults",
    "resampling_faults",
    "validate",
]
