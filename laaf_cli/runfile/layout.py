"""The layout of the run file of an equation as a table; `docs/run-file.md` shows it and a test holds files to it."""

from __future__ import annotations

from dataclasses import dataclass

from laaf_cli.files.untrusted.hdf5 import Attribute
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.runs.task import TASKS
from laaf_cli.text import any_of

FORMAT_VERSION = 7
OLDEST_VERSION = 6
"""The oldest format that is read; 6 differs in an attribute of one task."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the table: a path (`{…}` is a name or number), what it is, dimensions and type."""

    path: str
    kind: str
    dimensions: str
    meaning: str
    optional: bool = False


COMMON_ATTRIBUTES: dict[str, Attribute] = {
    "format_version": Attribute(kind=int, meaning=f"version of this layout, {FORMAT_VERSION}"),
    "task": Attribute(
        kind=str, meaning=f"what was trained for: {any_of(f'`{name}`' for name in TASKS)}"
    ),
    "laaf_version": Attribute(kind=str, meaning="version of laaf that wrote the file"),
    "title": Attribute(kind=str, meaning="title of the spec"),
    "problem": Attribute(kind=str, meaning="name of the spec file without its ending"),
    "created": Attribute(kind=str, meaning="time of writing, ISO 8601 in UTC"),
    "seed": Attribute(kind=int, meaning="the seed of everything random"),
    "device": Attribute(kind=str, meaning="`cpu` or `cuda`"),
    "device_name": Attribute(kind=str, meaning="name of the processor or GPU"),
    "dtype": Attribute(kind=str, meaning="precision of the training, `float32` or `float64`"),
    "threads": Attribute(kind=int, meaning="threads that torch used"),
    "processes": Attribute(
        kind=int,
        meaning="processes that divided the points; not in older files",
        optional=True,
        least=1,
        most=2**20,
    ),
    "tf32": Attribute(kind=int, meaning="1 where TF32 was on (it never is)"),
    "stop_reason": Attribute(
        kind=str,
        meaning="`completed`, `max-seconds`, `interrupted`, `diverged`, or `running` in a checkpoint",
    ),
    "stop_detail": Attribute(
        kind=str, meaning="where training diverged, and which phases stalled, and why; else empty"
    ),
    "iterations": Attribute(kind=int, meaning="iterations carried out: steps of the optimizer"),
    "wall_time_s": Attribute(
        kind=float, meaning="seconds of training, without monitoring and writing"
    ),
    "n_checkpoints": Attribute(
        kind=int, meaning="checkpoints kept while training, by this process"
    ),
    "checkpoint_time_s": Attribute(
        kind=float, meaning="seconds that they took, which `wall_time_s` leaves out"
    ),
    "n_parameters": Attribute(kind=int, meaning="weights and biases"),
    "n_slopes": Attribute(kind=int, meaning="trainable slopes"),
    "problem_hash": Attribute(
        kind=str, meaning="SHA-256 of the resolved problem, without method and seed"
    ),
    "method_hash": Attribute(
        kind=str,
        meaning="SHA-256 of the resolved method: network, slopes, training, precision, and for equations points and weights",
    ),
    "python_version": Attribute(kind=str, meaning="version of Python"),
    "torch_version": Attribute(kind=str, meaning="version of PyTorch"),
    "numpy_version": Attribute(kind=str, meaning="version of NumPy"),
    "scipy_version": Attribute(kind=str, meaning="version of SciPy"),
    "h5py_version": Attribute(kind=str, meaning="version of h5py"),
}
"""The attributes that every run file has."""

ATTRIBUTES: dict[str, Attribute] = COMMON_ATTRIBUTES | {
    "derivatives": Attribute(
        kind=str,
        meaning="engine of the derivatives that was asked for: `auto`, `fused`, `taylor` or `nested`",
    ),
    "engine": Attribute(
        kind=str,
        meaning="engine that computed them, why it was not the kernel where it was not, and on a GPU which phases were captured "
        "in a CUDA graph",
    ),
    "slopes_absorbed_at": Attribute(
        kind=int,
        meaning="iteration before which the slopes became part of the weights, for a quasi-Newton phase; -1 where not",
        least=-1,
    ),
    "relative_l2": Attribute(
        kind=float,
        meaning="relative L2 error on the grid, the largest among the unknowns; NaN without a reference",
    ),
    "max_error": Attribute(
        kind=float, meaning="largest absolute error on the grid; NaN without a reference"
    ),
    "no_reference": Attribute(
        kind=str, meaning="why there is no reference where none was found, else empty"
    ),
    "goal": Attribute(
        kind=float,
        meaning="relative error at which the training was to end, 0 for none; not in older files",
        optional=True,
    ),
    "estimate": Attribute(
        kind=float,
        meaning="estimate of the relative error where there is no reference, else NaN; not in older files",
        optional=True,
    ),
    "estimated_by": Attribute(
        kind=str, meaning="what it is taken from, else empty; not in older files", optional=True
    ),
}

LAYOUT: tuple[Entry, ...] = (
    Entry(path="/spec/yaml", kind="text", dimensions="", meaning="the spec as it was given, byte for byte"),
    Entry(path="/spec/path", kind="text", dimensions="", meaning="the file of the spec; `resume` compares it with `/spec/yaml`, and finds data files beside it"),
    Entry(path="/spec/overrides", kind="text", dimensions="", meaning="what the command line put in, as JSON: pairs of a dotted path and a text of YAML"),
    Entry(path="/spec/settings", kind="text", dimensions="", meaning="all settings as JSON: command line put in, defaults written out"),
    Entry(path="/spec/functions", kind="text", dimensions="", meaning="the Python file that the spec names, as it was run", optional=True),
    Entry(path="/solution/{coordinate}", kind="float64", dimensions="coordinate", meaning="values of a coordinate, a dimension scale"),
    Entry(path="/solution/{unknown}", kind="float64", dimensions="coordinates", meaning="the solution on the grid"),
    Entry(path="/reference/{coordinate}", kind="float64", dimensions="coordinate", meaning="the same values", optional=True),
    Entry(path="/reference/{unknown}", kind="float64", dimensions="coordinates", meaning="the reference on the grid", optional=True),
    Entry(path="/error/{coordinate}", kind="float64", dimensions="coordinate", meaning="the same values", optional=True),
    Entry(path="/error/{unknown}", kind="float64", dimensions="coordinates", meaning="solution minus reference", optional=True),
    Entry(path="/slices/{coordinate}", kind="float64", dimensions="coordinate", meaning="the same values in space; in time those of `evaluation.times`", optional=True),
    Entry(path="/slices/{unknown}", kind="float64", dimensions="coordinates", meaning="the solution at exactly these times", optional=True),
    Entry(path="/slices/{unknown}_reference", kind="float64", dimensions="coordinates", meaning="the reference at exactly these times", optional=True),
    Entry(path="/error_at_times/t", kind="float64", dimensions="t", meaning="times at which the error is reported separately", optional=True),
    Entry(path="/error_at_times/{unknown}", kind="float64", dimensions="t", meaning="relative L2 error over space at these times", optional=True),
    Entry(path="/history/iteration", kind="int64", dimensions="iteration", meaning="iterations at which a record was made, a dimension scale; 0 is the start"),
    Entry(path="/history/phase", kind="int64", dimensions="iteration", meaning="phase of the training, from 0"),
    Entry(path="/history/wall_time_s", kind="float64", dimensions="iteration", meaning="seconds of training so far"),
    Entry(path="/history/learning_rate", kind="float64", dimensions="iteration", meaning="learning rate; in quasi-Newton phases the length of the step that led here, 0 before the first; the damping in those of `levenberg-marquardt`"),
    Entry(path="/history/total", kind="float64", dimensions="iteration", meaning="the whole loss, weights and slope recovery included"),
    Entry(path="/history/relative_l2", kind="float64", dimensions="iteration", meaning="relative L2 error where it was monitored, else NaN"),
    Entry(path="/history/terms/{term}", kind="float64", dimensions="iteration", meaning="a term of the loss without its weight; `slope_recovery` is S(a)"),
    Entry(path="/history/weights/{term}", kind="float64", dimensions="iteration", meaning="the weight that multiplies the term in the loss; it changes where the spec balances weights"),
    Entry(path="/history/constants/{constant}", kind="float64", dimensions="iteration", meaning="a learned constant", optional=True),
    Entry(path="/history/phases", kind="text", dimensions="", meaning="the phases that were begun, as JSON: `optimizer`, `iterations`, `end` and `detail` of each"),
    Entry(path="/history/events", kind="text", dimensions="", meaning="that the training was resumed or retried, as JSON: `iteration` and `what` of each"),
    Entry(path="/slopes/iteration", kind="int64", dimensions="iteration", meaning="the iterations of the history"),
    Entry(path="/slopes/slope_{k}", kind="int64", dimensions="slope_{k}", meaning="number of the slope in hidden layer k, from 0"),
    Entry(path="/slopes/layer_{k}", kind="float64", dimensions="iteration, slope_{k}", meaning="n·a of hidden layer k, from 1; width 1 for L-LAAF, GAAF and fixed"),
    Entry(path="/network/layer_{k}/weight", kind="dtype", dimensions="", meaning="weights [N_k, N_{k-1}] of layer k, from 1; the last is the output"),
    Entry(path="/network/layer_{k}/bias", kind="dtype", dimensions="", meaning="biases [N_k]"),
    Entry(path="/network/layer_{k}/slope", kind="dtype", dimensions="", meaning="slopes a, without n, also where they are part of the weights; hidden layers of adaptive kinds only", optional=True),
    Entry(path="/network/ends", kind="float64", dimensions="", meaning="the ends of the windows of time, where the solution is made of one network for each", optional=True),
    Entry(path="/network/window_{i}/layer_{k}/weight", kind="dtype", dimensions="", meaning="weights of window i, from 1, before the last, whose network is /network/layer_{k}; inputs are scaled to the window", optional=True),
    Entry(path="/network/window_{i}/layer_{k}/bias", kind="dtype", dimensions="", meaning="biases of window i", optional=True),
    Entry(path="/network/window_{i}/layer_{k}/slope", kind="dtype", dimensions="", meaning="slopes a of window i, without n", optional=True),
    Entry(path="/validation/{term}", kind="float64", dimensions="", meaning="a term at held-out points after the training, without its weight; equations and conditions", optional=True),
    Entry(path="/checkpoint/points/{term}", kind="float64", dimensions="", meaning="collocation points of a term at the end, [n_points, d]"),
    Entry(path="/checkpoint/observed/{term}/{name}", kind="float64", dimensions="", meaning="values that are observed at the points of a term, by unknown or column", optional=True),
    Entry(path="/checkpoint/normals/{term}/{coordinate}", kind="float64", dimensions="", meaning="components of the outward unit normal at the points of a term", optional=True),
    Entry(path="/checkpoint/held_weights/{term}", kind="dtype", dimensions="", meaning="weights of the points of a term, where a quasi-Newton phase holds them between updates", optional=True),
    Entry(path="/checkpoint/factors/{term}", kind="float64", dimensions="", meaning="factor of a balance on the weight of a term; 1 without one"),
    Entry(path="/checkpoint/constants/{constant}", kind="float64", dimensions="", meaning="free parameter of a learned constant", optional=True),
    Entry(path="/checkpoint/optimizer/{name}", kind="any", dimensions="", meaning="what the optimizer keeps: moments by parameter (`exp_avg_0`); `inverse_hessian` by rows of its lower triangle, or whole where the kernel was missing; absent where training diverged", optional=True),
)  # fmt: skip

GROUP_ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    "/reference": {
        "method": Attribute(
            kind=str, meaning="how the reference was computed and how its error is estimated"
        ),
        "error_estimate": Attribute(
            kind=float, meaning="estimate of its largest absolute error on the grid"
        ),
        "error_estimate_{unknown}": Attribute(
            kind=float,
            meaning="the same of one unknown, in its own unit; not in older files",
            optional=True,
        ),
        "wall_time_s": Attribute(kind=float, meaning="seconds that computing it took"),
    },
    "/error": {
        "relative_l2_{unknown}": Attribute(kind=float, meaning="relative L2 error on the grid"),
        "max_error_{unknown}": Attribute(kind=float, meaning="largest absolute error on the grid"),
    },
    "/intervals": {
        "lower_{constant}": Attribute(
            kind=float, meaning="lower end of the 95 % interval of a learned constant; NaN without"
        ),
        "upper_{constant}": Attribute(kind=float, meaning="its upper end"),
        "why_not_{constant}": Attribute(kind=str, meaning="why it has none, else empty"),
    },
    "/network": {
        "activation": Attribute(kind=str, meaning="activation function of the hidden layers"),
        "kind": Attribute(kind=str, meaning=any_of(f"`{name}`" for name in SLOPE_KINDS)),
        "n": Attribute(kind=float, meaning="the scale n"),
        "inputs": Attribute(kind=str, meaning="`scaled` or `raw`"),
        "slopes_absorbed": Attribute(
            kind=int,
            meaning="1 where the weights hold the slopes, which then multiply nothing; else 0",
            least=0,
            most=1,
        ),
    },
    "/checkpoint": {
        "iteration": Attribute(kind=int, meaning="iterations carried out"),
        "phase": Attribute(kind=int, meaning="phase of the training, from 0"),
        "optimizer": Attribute(kind=str, meaning="optimizer of that phase"),
        "done": Attribute(
            kind=int,
            meaning="iterations of that phase carried out; -1 where it diverged before its first",
            least=-1,
        ),
        "adapted": Attribute(
            kind=int,
            meaning="iteration at which points and weights were last renewed; -1 before the first",
            least=-1,
        ),
        "n_interior": Attribute(
            kind=int,
            meaning="points of the equations that the next renewal draws; -1 without equations",
            least=-1,
        ),
        "holds_weights": Attribute(
            kind=int,
            meaning="1 where weights of points are held between updates, else 0",
            least=0,
            most=1,
        ),
        "n_retries": Attribute(
            kind=int, meaning="how often training went back after it had diverged"
        ),
        "retries": Attribute(kind=int, meaning="how often it may", least=0, most=10_000),
        "rate_factor": Attribute(
            kind=float, meaning="what that multiplies the learning rate of the phase by"
        ),
        "phase_start_s": Attribute(kind=float, meaning="seconds of training when the phase began"),
        "recorded_s": Attribute(kind=float, meaning="those when the last record was made"),
        "monitored_s": Attribute(kind=float, meaning="those when the error was last looked at"),
    },
}
