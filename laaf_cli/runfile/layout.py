"""The layout of a run file as a table; `docs/run-file.md` shows it and a test holds files to it."""

from __future__ import annotations

from dataclasses import dataclass

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Entry:
    """A row of the table: a path (`{…}` stands for a name or number), what it is, dimensions and type."""

    path: str
    kind: str
    dimensions: str
    meaning: str
    optional: bool = False


ATTRIBUTES: dict[str, str] = {
    "format_version": f"version of this layout, {FORMAT_VERSION}",
    "laaf_version": "version of laaf that wrote the file",
    "title": "title of the spec",
    "problem": "name of the spec file without its ending",
    "created": "time of writing, ISO 8601 in UTC",
    "seed": "the seed of everything random",
    "device": "`cpu` or `cuda`",
    "device_name": "name of the processor or GPU",
    "dtype": "precision of the training, `float32` or `float64`",
    "derivatives": "engine of the derivatives, `taylor` or `nested`",
    "threads": "threads that torch used",
    "tf32": "1 where TF32 was on (it never is)",
    "stop_reason": "`completed`, `max-seconds`, `interrupted` or `diverged`",
    "stop_detail": "a sentence where training diverged, else empty",
    "iterations": "iterations carried out",
    "wall_time_s": "seconds of training, without monitoring and writing",
    "n_parameters": "weights and biases",
    "n_slopes": "trainable slopes",
    "relative_l2": "relative L2 error on the grid, the largest among the unknowns; NaN without a reference",
    "max_error": "largest absolute error on the grid; NaN without a reference",
    "problem_hash": "SHA-256 of the resolved problem, without method and seed",
    "method_hash": "SHA-256 of the resolved method: network, slopes, training, points, weights, precision",
    "python_version": "version of Python",
    "torch_version": "version of PyTorch",
    "numpy_version": "version of NumPy",
    "scipy_version": "version of SciPy",
    "h5py_version": "version of h5py",
}

LAYOUT: tuple[Entry, ...] = (
    Entry("/spec/yaml", "text", "", "the spec as it was given, byte for byte"),
    Entry("/spec/settings", "text", "", "all settings as JSON: command line put in, defaults written out"),
    Entry("/solution/{coordinate}", "float64", "coordinate", "values of a coordinate, a dimension scale"),
    Entry("/solution/{unknown}", "float64", "coordinates", "the solution on the grid"),
    Entry("/reference/{coordinate}", "float64", "coordinate", "the same values", optional=True),
    Entry("/reference/{unknown}", "float64", "coordinates", "the reference on the grid", optional=True),
    Entry("/error/{coordinate}", "float64", "coordinate", "the same values", optional=True),
    Entry("/error/{unknown}", "float64", "coordinates", "solution minus reference", optional=True),
    Entry("/error_at_times/t", "float64", "t", "times at which the error is told apart", optional=True),
    Entry("/error_at_times/{unknown}", "float64", "t", "relative L2 error over space at these times", optional=True),
    Entry("/history/iteration", "int64", "iteration", "iterations at which a record was made, a dimension scale; 0 is the start"),
    Entry("/history/phase", "int64", "iteration", "phase of the training, from 0"),
    Entry("/history/wall_time_s", "float64", "iteration", "seconds of training so far"),
    Entry("/history/learning_rate", "float64", "iteration", "learning rate"),
    Entry("/history/total", "float64", "iteration", "the whole loss, weights and slope recovery included"),
    Entry("/history/relative_l2", "float64", "iteration", "relative L2 error where it was monitored, else NaN"),
    Entry("/history/terms/{term}", "float64", "iteration", "a term of the loss without its weight; `slope_recovery` is S(a)"),
    Entry("/slopes/iteration", "int64", "iteration", "the iterations of the history"),
    Entry("/slopes/slope_{k}", "int64", "slope_{k}", "number of the slope in hidden layer k, from 0"),
    Entry("/slopes/layer_{k}", "float64", "iteration, slope_{k}", "n·a of hidden layer k, from 1; width 1 for L-LAAF, GAAF and fixed"),
    Entry("/network/layer_{k}/weight", "dtype", "", "weights [N_k, N_{k-1}] of layer k, from 1; the last is the output"),
    Entry("/network/layer_{k}/bias", "dtype", "", "biases [N_k]"),
    Entry("/network/layer_{k}/slope", "dtype", "", "slopes a, without n; hidden layers of adaptive kinds only", optional=True),
    Entry("/checkpoint/points/{term}", "float64", "", "collocation points of a term, [n_points, d]"),
    Entry("/checkpoint/observed/{unknown}", "float64", "", "values from a data file, one per point of the term `data`", optional=True),
    Entry("/checkpoint/optimizer/{name}", "dtype", "", "what the optimizer keeps, by parameter and name; absent where training diverged", optional=True),
)  # fmt: skip

GROUP_ATTRIBUTES: dict[str, dict[str, str]] = {
    "/reference": {
        "method": "how the reference was computed and how its error is estimated",
        "error_estimate": "estimate of its largest absolute error on the grid",
        "wall_time_s": "seconds that computing it took",
    },
    "/error": {
        "relative_l2_{unknown}": "relative L2 error on the grid",
        "max_error_{unknown}": "largest absolute error on the grid",
    },
    "/network": {
        "activation": "activation function of the hidden layers",
        "kind": "`fixed`, `gaaf`, `llaaf` or `nlaaf`",
        "n": "the scale n",
        "inputs": "`scaled` or `raw`",
    },
    "/checkpoint": {
        "iteration": "iterations carried out",
        "phase": "phase of the training, from 0",
        "optimizer": "optimizer of that phase",
    },
}
