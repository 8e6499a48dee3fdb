"""`laaf evaluate`: the trained network of a run file anywhere."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from laaf_cli.cli import console, options, place_options
from laaf_cli.files import export

if TYPE_CHECKING:
    from laaf_cli.problem import SamplePoints
    from laaf_cli.runfile import RunFile
    from laaf_cli.runs.solution import TrainedNetwork


def evaluate(
    run: options.RunArgument,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--fields",
            "-f",
            metavar="NAMES",
            help="Unknowns and derivatives up to order 4, as u,u_x,u_xt; not given: every unknown.",
            show_default=False,
        ),
    ] = None,
    grid: place_options.GridOption = None,
    points: place_options.PointsOption = None,
    output: place_options.OutputOption = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the file if it is there.",
            rich_help_panel=place_options.TARGET,
        ),
    ] = False,
    device: options.DeviceOption = None,
    quiet: options.QuietOption = False,
) -> None:
    """Evaluate the trained network of a run: any unknown and any derivative, on a grid or at given
    points.

    Example:  laaf evaluate runs/burgers.h5 --fields u,u_x --grid x=501,t=@0.5 --output slice.csv
    """
    from laaf_cli.errors import UsageError
    from laaf_cli.runfile import RunFile

    if grid and points is not None:
        raise UsageError("--grid and --points both say where; give one of them")
    if output == Path("-"):
        output = None
    with RunFile(run) as file:
        if output is not None:
            export.check_output(output, tuple(file.spec.coordinates), overwrite=overwrite)

        from laaf_cli.cli.sample_points import choose_places
        from laaf_cli.runs.solution import restore

        network = restore(file, device.value if device is not None else "auto")
        wanted = {name: network.field(name) for name in _names(fields, network)}
        places = choose_places(
            network.domain,
            network.axes,
            grid or [],
            points,
            len(wanted),
            quiet=quiet,
            in_cells=export.has_cells(output),
        )
        if not quiet:
            _announce(file, network, places, list(wanted))
        sampled = export.SampledFields(places, network.evaluate(places, wanted), _attributes(file))
    if not quiet:
        _warn_of_overflow(sampled, network.n_outside(places))
    if output is None:
        for text in export.csv_text(sampled):
            console.print_text(text)
        return
    export.write_fields(output, sampled)
    if not quiet:
        console.print_message(f"written: {output}")


def _names(fields: list[str] | None, network: TrainedNetwork) -> list[str]:
    from laaf_cli.errors import UsageError

    if not fields:
        return list(network.unknowns)
    names = [name.strip() for text in fields for name in text.split(",")]
    if "" in names:
        raise UsageError("--fields takes names with commas between, as u,u_x")
    return list(dict.fromkeys(names))


_UNFINISHED = {
    "diverged": "the training diverged; this is its last good state",
    "interrupted": "the training was interrupted; this is the state that it had reached",
}
"""Reason why a training stopped → what a person must know of its network."""


def _announce(
    file: RunFile, network: TrainedNetwork, places: SamplePoints, names: list[str]
) -> None:
    from laaf_cli.text import printable

    spans = []
    for name, values in places.coordinates.items():
        lower, upper = values.min(), values.max()
        span = f"in [{lower:g}, {upper:g}]" if lower < upper else f"= {lower:g}"
        spans.append(f"{name} {span}")
    size = " x ".join(f"{size}" for size in places.shape)
    plural = "" if places.n_points == 1 else "s"
    error = file.attributes["relative_l2"]
    known = "" if math.isnan(error) else f", relative L2 error {error:.3e}"
    title = printable(file.attributes["title"] or file.attributes["problem"])
    console.print_message(
        f"{title}{known}: {', '.join(names)} at {size} point{plural}, {', '.join(spans)}"
    )
    if file.attributes["stop_reason"] in _UNFINISHED:
        console.print_warning(_UNFINISHED[file.attributes["stop_reason"]])
    for warning in network.extrapolation(places):
        console.print_warning(warning)


def _warn_of_overflow(sampled: export.SampledFields, n_outside: int) -> None:
    """Args: n_outside: points outside of a shape, where no value is expected."""
    import numpy as np

    for name, values in sampled.fields.items():
        lost = int(np.count_nonzero(~np.isfinite(values))) - n_outside
        if lost > 0:
            console.print_warning(f"{lost:,} of {values.size:,} values of {name} are not finite")


def _attributes(file: RunFile) -> dict[str, str]:
    """Facts of the run, as a file of its fields holds them."""
    from laaf_cli import __version__

    of_run = {
        name: str(file.attributes[name]) for name in ("problem", "problem_hash", "method_hash")
    }
    return {
        "title": file.attributes["title"] or file.attributes["problem"],
        "source": f"laaf {__version__}",
        **of_run,
    }
