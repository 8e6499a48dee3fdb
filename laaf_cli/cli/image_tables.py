"""The closing tables of a classification."""

from __future__ import annotations

from collections.abc import Iterator

from laaf_cli.classification.classified import ImageSummary
from laaf_cli.cli.tables import PlainTable, plain_table


def image_summary_tables(summary: ImageSummary) -> Iterator[PlainTable]:
    """The test error, and what training took."""
    table = plain_table("error", "")
    table.add_texts("test error", f"{summary.test_error:.2%}")
    table.add_texts("seconds", f"{summary.wall_time_s:.1f}")
    table.add_texts("run file", summary.path)
    yield table
