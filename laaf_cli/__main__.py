"""The entry of the program and its one error boundary."""

from __future__ import annotations

import io
import os
import sys

from laaf_cli.errors import ExitCode, LaafError


def main() -> None:
    """Runs the command line; every error that is the user's to mend ends in its text and its exit code."""
    from laaf_cli.cli.app import app
    from laaf_cli.cli.console import print_error

    # Threads of OpenMP that wait, wait busily: where other work has a core, a step takes up to 60 times as long.
    # Waiting briefly and then yielding costs an idle machine a few percent. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal shows '?' instead of a traceback
    try:
        app()
    except LaafError as error:
        print_error(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print_error("interrupted; nothing was written")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`laaf problems | head -1`): nothing is wrong, nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
