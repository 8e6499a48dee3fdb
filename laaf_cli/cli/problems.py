"""`laaf problems`: the bundled problems and data sets, listed or printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from laaf_cli.cli import console

if TYPE_CHECKING:
    from laaf_cli.terminal.plain_table import PlainTable


def problems(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Print the YAML of this problem or data set.", show_default=False
        ),
    ] = None,
) -> None:
    """List the bundled problems and image data sets, or print one to start a new one from.

    Example:  laaf problems burgers > my.yaml
    """
    from laaf_cli.errors import UsageError
    from laaf_cli.spec import bundled
    from laaf_cli.text import did_you_mean, listed

    if name is None:
        console.print_results([_equations(), _data_sets()])
        return
    path = bundled.path_of(name)
    if path is None:
        hint = did_you_mean(name, [*bundled.names(), *bundled.names("images")]) or (
            f"Bundled problems: {listed(bundled.names())}. Data sets: "
            f"{listed(bundled.names('images'))}."
        )
        raise UsageError(f"there is no bundled problem '{name}'. {hint}")
    console.print_text(path.read_text(encoding="utf-8"))


def _equations() -> PlainTable:
    from laaf_cli.spec import bundled
    from laaf_cli.terminal.plain_table import PlainTable

    table = PlainTable("problem", "title", "source")
    for name in bundled.names():
        plain = _plain(bundled.folder() / f"{name}.yaml")
        table.add_texts(name, str(plain.get("title", "")), str(plain.get("source", "")))
    return table


def _data_sets() -> PlainTable:
    """What `laaf classify` takes by name."""
    from laaf_cli.images.data import DATASETS
    from laaf_cli.spec import bundled
    from laaf_cli.terminal.plain_table import PlainTable

    table = PlainTable("data set", "title", "training + test images", "classes")
    for name in bundled.names("images"):
        row = DATASETS[name]
        n_train, n_test = (sum(part.n for part in parts) for parts in (row.train, row.test))
        plain = _plain(bundled.folder() / "images" / f"{name}.yaml")
        table.add_texts(
            name, str(plain.get("title", "")), f"{n_train:,} + {n_test:,}", str(len(row.classes))
        )
    return table


def _plain(path: Path) -> dict[str, Any]:
    """A bundled spec as plain values."""
    from laaf_cli.spec.source import read_text, read_yaml

    plain: dict[str, Any] = read_yaml(read_text(path)).plain()
    return plain
