"""Training: the objective, the optimizers, and the one loop. Prints nothing and writes no file."""

from laaf_cli.training.objective import SLOPE_RECOVERY, Objective
from laaf_cli.training.optimizers import OPTIMIZERS, SCHEDULES, LearningRate
from laaf_cli.training.trainer import Divergence, Record, StopReason, Trainer, TrainingPhase, TrainingResult

__all__ = [
    "OPTIMIZERS",
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
]
