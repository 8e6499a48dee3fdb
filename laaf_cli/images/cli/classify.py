"""`laaf classify`: train a network on images, test it, write the run file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from laaf_cli.cli import complete, one_run, options
from laaf_cli.images.cli import options as image_options

_NETWORK = "Network"


def classify(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET",
            help=(
                "semeion, mnist, kmnist, fashion-mnist, cifar-10, cifar-100, svhn; or a YAML "
                "file that names images."
            ),
            autocompletion=image_options.data_sets,
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="lenet, or preact-resnet18 for images of 32×32 pixels.",
            autocompletion=complete.one_of(*image_options.MODELS),
            rich_help_panel=_NETWORK,
            show_default=False,
        ),
    ] = None,
    slopes: options.ActivationOption = None,
    n: options.ScaleOption = None,
    slope_recovery: options.RecoveryOption = None,
    slopes_per: Annotated[
        image_options.Per | None,
        typer.Option(
            "--slopes-per",
            metavar="GROUP",
            help=(
                "granularity of N-LAAF slopes in convolutions: neuron (as the authors) or channel."
            ),
            rich_help_panel="Method",
        ),
    ] = None,
    reading: Annotated[
        image_options.Reading | None,
        typer.Option(
            "--reading",
            metavar="SOURCE",
            help=("paper or code: follow the paper or the authors' code where they disagree."),
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            metavar="N",
            help="Neurons of LeNet's fully connected layer; 1014 in the paper, 1024 in the code.",
            rich_help_panel=_NETWORK,
            show_default=False,
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            "--dropout",
            metavar="P",
            help="Fraction of them dropped in training; 0 in the paper, 0.5 in the code.",
            rich_help_panel=_NETWORK,
            show_default=False,
        ),
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Shift, turn or mirror training images at random, as suits the data set.",
            rich_help_panel="Training",
            show_default=False,
        ),
    ] = None,
    epochs: options.EpochsOption = None,
    learning_rate: options.LearningRateOption = None,
    batch: Annotated[
        int | None,
        typer.Option(
            "--batch",
            metavar="N",
            help="Images in a step, 64.",
            rich_help_panel="Training",
            show_default=False,
        ),
    ] = None,
    max_seconds: options.MaxSecondsOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    dtype: options.DtypeOption = None,
    assignments: options.SetOption = None,
    data_dir: options.DataDirOption = None,
    download: options.DownloadOption = True,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="The run file; not given: runs/DATASET-MODEL-KIND-nN-sSEED.h5.",
            show_default=False,
        ),
    ] = None,
    overwrite: options.OverwriteOption = False,
    max_error: Annotated[
        float | None,
        typer.Option(
            "--max-error",
            min=0,
            max=1,
            metavar="X",
            help="Exit with 6 above this test error, such as 0.05.",
        ),
    ] = None,
    quiet: options.QuietOption = False,
    json: options.JsonOption = False,
) -> None:
    """Train a network with adaptive activation functions on images, test it and write one run file.

    Example:  laaf classify semeion --slopes nlaaf --epochs 10
    """
    arguments = locals()
    from laaf_cli.errors import UsageError
    from laaf_cli.images.settings import ImageSettings
    from laaf_cli.processes.meeting import check_alone
    from laaf_cli.runs import session
    from laaf_cli.spec import bundled

    if dataset.endswith(".npz"):
        raise UsageError(
            f"{dataset} holds images; a spec names it: write 'images: {dataset}' into a YAML file"
        )
    check_alone("a run over images", "Start one.")
    text = bundled.find(dataset, "images")
    overrides = options.typed(ImageSettings, arguments).overrides(text)

    from laaf_cli.images.plan import make_image_plan
    from laaf_cli.terminal.progress import make_download_progress

    session.check_bounds(max_seconds=max_seconds, max_error=max_error)
    with make_download_progress(quiet=quiet) as progress:
        plan = make_image_plan(
            text,
            overrides,
            folder=data_dir,
            max_seconds=max_seconds,
            download=download,
            progress=progress,
        )
    target = output or plan.default_output
    with session.claim(target, overwrite=overwrite):
        if not quiet:
            data, length = plan.data, f"{plan.epochs} epoch" + "s" * (plan.epochs > 1)
            augmented = ", augmented" if plan.spec.augment else ""
            what = (
                f"{len(data.train.labels):,} training and {len(data.test.labels):,} test images"
                f"{augmented}, {plan.spec.model.kind}"
            )
            one_run.announce(plan, what, length=length)
        finished = one_run.train(plan, target, quiet=quiet)
    one_run.report(finished, max_error, quiet=quiet, json=json)
