"""The entry of the program and its one error boundary."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Any

from laaf_cli.errors import (
    ChangedRunWarning,
    ExitCode,
    LaafError,
    SaidElsewhereError,
    within_memory,
)


def main() -> None:
    """Runs the command line; every error that is the user's to mend ends in its text and its
    exit code.
    """
    # Threads of OpenMP that wait, wait busily: where other work has a core, a step takes up to 60
    # times as long. Waiting briefly and then yielding costs an idle machine a few percent. Read
    # when torch is loaded. NumPy's BLAS knows no such limit: there two threads solve 200
    # equations in 125 ms, one in 1 ms.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # an ASCII terminal shows '?' instead of a traceback
    try:
        with warnings.catch_warnings(), within_memory("carrying out this command"):
            warnings.simplefilter("default", ChangedRunWarning)
            warnings.showwarning = _say_warning  # type: ignore[assignment]
            from laaf_cli.cli.app import app

            app()
    except LaafError as error:
        if not isinstance(error, SaidElsewhereError):
            _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say("interrupted; nothing was written")
        sys.exit(ExitCode.INTERRUPTED)
    except SystemExit as end:
        if end.code == ExitCode.INTERRUPTED:  # Typer makes this of Ctrl-C inside a command
            _say("interrupted; nothing was written")
        raise


def _say(error: str) -> None:
    from laaf_cli.cli.console import print_error

    print_error(error)


def _say_warning(message: Warning | str, *_where: Any) -> None:
    from laaf_cli.cli.console import print_warning

    print_warning(str(message))


if __name__ == "__main__":
    main()
