"""Many runs of one spec: which ones, by which executor, and how each of them ended."""

from laaf_cli.sweeps.executors import LocalProcesses, dask_executor
from laaf_cli.sweeps.grid import Alternative, MakePlan, Part, PlannedRun, plan_runs
from laaf_cli.sweeps.train import ENDED_WELL, Outcome, RunState, sweep, train_runs
