"""The layout of the run file of an equation as a table; `docs/run-file.md` shows it and a test holds files to it."""

from __future__ import annotations

from dataclasses import dataclass

FORMAT_VERSION = 6


@dataclass(frozen=True)
class Entry:
    """A row of the table: a path (`{…}` stands for a name or number), what it is, dimensions and type."""

    path: str
    kind: str
    dimensions: str
    meaning: str
    optional: bool = False


@dataclass(frozen=True)
class Attribute:
    """An attribute of the file or of a group: the type of its value, what it means, bounds of a whole number."""

    kind: type[str] | type[int] | type[float]
    meaning: str
    least: int = 0
    most: int | None = None


COMMON_ATTRIBUTES: dict[str, Attribute] = {
    "format_version": Attribute(int, f"version of this layout, {FORMAT_VERSION}"),
    "task": Attribute(
        str, "`equation` for a run of `laaf solve`, `images` for one of `laaf classify`"
    ),
    "laaf_version": Attribute(str, "version of laaf that wrote the file"),
    "title": Attribute(str, "title of the spec"),
    "problem": Attribute(str, "name of the spec file without its ending"),
    "created": Attribute(str, "time of writing, ISO 8601 in UTC"),
    "seed": Attribute(int, "the seed of everything random"),
    "device": Attribute(str, "`cpu` or `cuda`"),
    "device_name": Attribute(str, "name of the processor or GPU"),
    "dtype": Attribute(str, "precision of the training, `float32` or `float64`"),
    "threads": Attribute(int, "threads that torch used"),
    "tf32": Attribute(int, "1 where TF32 was on (it never is)"),
    "stop_reason": Attribute(
        str, "`completed`, `max-seconds`, `interrupted`, `diverged`, or `running` in a checkpoint"
    ),
    "stop_detail": Attribute(
        str, "where training diverged, and which phases stalled, and why; else empty"
    ),
    "iterations": Attribute(int, "iterations carried out: steps of the optimizer"),
    "wall_time_s": Attribute(float, "seconds of training, without monitoring and writing"),
    "n_checkpoints": Attribute(int, "checkpoints kept while training, by this process"),
    "checkpoint_time_s": Attribute(float, "seconds that they took, which `wall_time_s` leaves out"),
    "n_parameters": Attribute(int, "weights and biases"),
    "n_slopes": Attribute(int, "trainable slopes"),
    "problem_hash": Attribute(
        str,
        "SHA-256 of the resolved problem, without method and seed; for images, of the pixels and labels",
    ),
    "method_hash": Attribute(
        str,
        "SHA-256 of the resolved method: network, slopes, training, precision, and for equations points and weights",
    ),
    "python_version": Attribute(str, "version of Python"),
    "torch_version": Attribute(str, "version of PyTorch"),
    "numpy_version": Attribute(str, "version of NumPy"),
    "scipy_version": Attribute(str, "version of SciPy"),
    "h5py_version": Attribute(str, "version of h5py"),
}
"""The attributes that every run file has."""

ATTRIBUTES: dict[str, Attribute] = COMMON_ATTRIBUTES | {
    "derivatives": Attribute(
        str, "engine of the derivatives that was asked for: `auto`, `fused`, `taylor` or `nested`"
    ),
    "engine": Attribute(
        str,
        "engine that computed them, why it was not the kernel where it was not, and on a GPU which phases were captured "
        "in a CUDA graph",
    ),
    "slopes_absorbed_at": Attribute(
        int,
        "iteration before which the slopes became part of the weights, for a quasi-Newton phase; -1 where not",
        -1,
    ),
    "relative_l2": Attribute(
        float,
        "relative L2 error on the grid, the largest among the unknowns; NaN without a reference",
    ),
    "max_error": Attribute(float, "largest absolute error on the grid; NaN without a reference"),
    "no_reference": Attribute(str, "why there is no reference where none was found, else empty"),
}

LAYOUT: tuple[Entry, ...] = (
    Entry("/spec/yaml", "text", "", "the spec as it was given, byte for byte"),
    Entry("/spec/path", "text", "", "the file of the spec; `resume` compares it with `/spec/yaml`, and finds data files beside it"),
    Entry("/spec/overrides", "text", "", "what the command line put in, as JSON: pairs of a dotted path and a text of YAML"),
    Entry("/spec/settings", "text", "", "all settings as JSON: command line put in, defaults written out"),
    Entry("/spec/functions", "text", "", "the Python file that the spec names, as it was run", optional=True),
    Entry("/solution/{coordinate}", "float64", "coordinate", "values of a coordinate, a dimension scale"),
    Entry("/solution/{unknown}", "float64", "coordinates", "the solution on the grid"),
    Entry("/reference/{coordinate}", "float64", "coordinate", "the same values", optional=True),
    Entry("/reference/{unknown}", "float64", "coordinates", "the reference on the grid", optional=True),
    Entry("/error/{coordinate}", "float64", "coordinate", "the same values", optional=True),
    Entry("/error/{unknown}", "float64", "coordinates", "solution minus reference", optional=True),
    Entry("/slices/{coordinate}", "float64", "coordinate", "the same values in space; in time those of `evaluation.times`", optional=True),
    Entry("/slices/{unknown}", "float64", "coordinates", "the solution at exactly these times", optional=True),
    Entry("/slices/{unknown}_reference", "float64", "coordinates", "the reference at exactly these times", optional=True),
    Entry("/error_at_times/t", "float64", "t", "times at which the error is told apart", optional=True),
    Entry("/error_at_times/{unknown}", "float64", "t", "relative L2 error over space at these times", optional=True),
    Entry("/history/iteration", "int64", "iteration", "iterations at which a record was made, a dimension scale; 0 is the start"),
    Entry("/history/phase", "int64", "iteration", "phase of the training, from 0"),
    Entry("/history/wall_time_s", "float64", "iteration", "seconds of training so far"),
    Entry("/history/learning_rate", "float64", "iteration", "learning rate; in quasi-Newton phases the length of the step that led here, 0 before the first"),
    Entry("/history/total", "float64", "iteration", "the whole loss, weights and slope recovery included"),
    Entry("/history/relative_l2", "float64", "iteration", "relative L2 error where it was monitored, else NaN"),
    Entry("/history/terms/{term}", "float64", "iteration", "a term of the loss without its weight; `slope_recovery` is S(a)"),
    Entry("/history/weights/{term}", "float64", "iteration", "the weight that multiplies the term in the loss; it changes where the spec balances weights"),
    Entry("/history/constants/{constant}", "float64", "iteration", "a learned constant", optional=True),
    Entry("/history/phases", "text", "", "the phases that were begun, as JSON: `optimizer`, `iterations`, `end` and `detail` of each"),
    Entry("/history/events", "text", "", "that the training was resumed or retried, as JSON: `iteration` and `what` of each"),
    Entry("/slopes/iteration", "int64", "iteration", "the iterations of the history"),
    Entry("/slopes/slope_{k}", "int64", "slope_{k}", "number of the slope in hidden layer k, from 0"),
    Entry("/slopes/layer_{k}", "float64", "iteration, slope_{k}", "n·a of hidden layer k, from 1; width 1 for L-LAAF, GAAF and fixed"),
    Entry("/network/layer_{k}/weight", "dtype", "", "weights [N_k, N_{k-1}] of layer k, from 1; the last is the output"),
    Entry("/network/layer_{k}/bias", "dtype", "", "biases [N_k]"),
    Entry("/network/layer_{k}/slope", "dtype", "", "slopes a, without n, also where they are part of the weights; hidden layers of adaptive kinds only", optional=True),
    Entry("/validation/{term}", "float64", "", "a term at fresh points after the training, without its weight; equations and conditions", optional=True),
    Entry("/checkpoint/points/{term}", "float64", "", "collocation points of a term at the end, [n_points, d]"),
    Entry("/checkpoint/observed/{term}/{name}", "float64", "", "values that are observed at the points of a term, by unknown or column", optional=True),
    Entry("/checkpoint/normals/{term}/{coordinate}", "float64", "", "components of the outward unit normal at the points of a term", optional=True),
    Entry("/checkpoint/held_weights/{term}", "dtype", "", "weights of the points of a term, where a quasi-Newton phase holds them between updates", optional=True),
    Entry("/checkpoint/factors/{term}", "float64", "", "factor of a balance on the weight of a term; 1 without one"),
    Entry("/checkpoint/constants/{constant}", "float64", "", "free parameter of a learned constant", optional=True),
    Entry("/checkpoint/optimizer/{name}", "any", "", "what the optimizer keeps: moments by parameter (`exp_avg_0`); `inverse_hessian` by rows of its lower triangle, or whole where the kernel was missing; absent where training diverged", optional=True),
)  # fmt: skip

GROUP_ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    "/reference": {
        "method": Attribute(str, "how the reference was computed and how its error is estimated"),
        "error_estimate": Attribute(float, "estimate of its largest absolute error on the grid"),
        "wall_time_s": Attribute(float, "seconds that computing it took"),
    },
    "/error": {
        "relative_l2_{unknown}": Attribute(float, "relative L2 error on the grid"),
        "max_error_{unknown}": Attribute(float, "largest absolute error on the grid"),
    },
    "/network": {
        "activation": Attribute(str, "activation function of the hidden layers"),
        "kind": Attribute(str, "`fixed`, `gaaf`, `llaaf` or `nlaaf`"),
        "n": Attribute(float, "the scale n"),
        "inputs": Attribute(str, "`scaled` or `raw`"),
        "slopes_absorbed": Attribute(
            int, "1 where the weights hold the slopes, which then multiply nothing; else 0", 0, 1
        ),
    },
    "/checkpoint": {
        "iteration": Attribute(int, "iterations carried out"),
        "phase": Attribute(int, "phase of the training, from 0"),
        "optimizer": Attribute(str, "optimizer of that phase"),
        "done": Attribute(
            int, "iterations of that phase carried out; -1 where it diverged before its first", -1
        ),
        "adapted": Attribute(
            int, "iteration at which points and weights were last renewed; -1 before the first", -1
        ),
        "n_interior": Attribute(
            int, "points of the equations that the next renewal draws; -1 without equations", -1
        ),
        "holds_weights": Attribute(
            int, "1 where weights of points are held between updates, else 0", 0, 1
        ),
        "n_retries": Attribute(int, "how often training went back after it had diverged"),
        "retries": Attribute(int, "how often it may", 0, 10_000),
        "rate_factor": Attribute(float, "what that multiplies the learning rate of the phase by"),
        "phase_start_s": Attribute(float, "seconds of training when the phase began"),
        "recorded_s": Attribute(float, "those when the last record was made"),
        "monitored_s": Attribute(float, "those when the error was last looked at"),
    },
}
