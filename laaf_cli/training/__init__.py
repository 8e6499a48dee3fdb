"""Training: the objective, the optimizers, and the one loop. Prints nothing and writes no file."""

from laaf_cli.training.balance import BALANCES
from laaf_cli.training.checkpoints import Checkpoints
from laaf_cli.training.clock import Clock
from laaf_cli.training.estimate import relative_residual
from laaf_cli.training.faults import SettingFault, balance_faults, phase_faults, resampling_faults
from laaf_cli.training.least_squares import default_features, default_points, second_solution
from laaf_cli.training.objective import SLOPE_RECOVERY, AdaptiveState, Objective
from laaf_cli.training.optimizers import OPTIMIZERS
from laaf_cli.training.phases import (
    DEFAULT_GOAL,
    DEFAULT_LEARNING_RATE,
    SCHEDULES,
    LearningRate,
    PhaseEnd,
    PhaseResult,
    TrainingPhase,
)
from laaf_cli.training.resampling import RESAMPLERS
from laaf_cli.training.result import (
    BEFORE_TRAINING,
    Divergence,
    EndedTraining,
    Event,
    IterationRecord,
    StopReason,
    TrainingResult,
)
from laaf_cli.training.state import StateError, TrainingState
from laaf_cli.training.trainer import Trainer
from laaf_cli.training.uncertainty import Interval, intervals
from laaf_cli.training.validation import validate
