"""`laaf problems`: the bundled problems, listed or printed."""

from __future__ import annotations

from typing import Annotated

import typer

from laaf_cli.cli import console


def problems(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this problem's YAML.", show_default=False)
    ] = None,
) -> None:
    """List the bundled problems, or print one to start a new one from.

    Example:  laaf problems burgers > my.yaml
    """
    from laaf_cli import bundled
    from laaf_cli.errors import UsageError, did_you_mean, listed

    if name is None:
        from laaf_cli.cli.tables import plain_table
        from laaf_cli.spec.source import read_text, read_yaml

        table = plain_table("problem", "title", "source")
        for known in bundled.names():
            plain = read_yaml(read_text(bundled.folder() / f"{known}.yaml")).plain()
            table.add_texts(known, str(plain.get("title", "")), str(plain.get("source", "")))
        console.print_results([table])
        return
    if name not in bundled.names():
        hint = did_you_mean(name, bundled.names()) or f"Bundled problems: {listed(bundled.names())}."
        raise UsageError(f"there is no bundled problem '{name}'. {hint}")
    console.print_text((bundled.folder() / f"{name}.yaml").read_text(encoding="utf-8"))
