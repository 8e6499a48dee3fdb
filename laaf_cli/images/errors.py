"""What can go wrong with data sets."""

from __future__ import annotations

from laaf_cli.errors import ExitCode, LaafError


class DataSetError(LaafError):
    """A data set of images cannot be read or fetched."""

    exit_code = ExitCode.USAGE


class MissingDataError(DataSetError):
    """Files of a data set are neither there nor to be had."""
