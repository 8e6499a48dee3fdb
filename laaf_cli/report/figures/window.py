"""Figures on the screen, which are the one use of pyplot."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.backends.registry import BackendFilter, backend_registry
from matplotlib.figure import Figure

from laaf_cli.errors import UsageError

_HINT = "`output` takes the name of a file, as in `output='run.png'`"


def require_window() -> None:
    """Raises UsageError where matplotlib cannot open a window."""
    from matplotlib import pyplot as plt

    try:
        plt.switch_backend(mpl.get_backend())
    except (ImportError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"no window can be opened: {str(error).splitlines()[0]}\n{_HINT}"
        ) from None
    interactive = backend_registry.list_builtin(BackendFilter.INTERACTIVE)  # type: ignore[no-untyped-call]
    if mpl.get_backend().lower() not in interactive:
        raise UsageError(f"no window can be opened here\n{_HINT}")


def show(figures: Sequence[Figure]) -> None:
    """Opens a window for each figure and waits until all of them are closed."""
    from matplotlib import pyplot as plt

    for figure in figures:
        # pyplot makes its figures itself; asked for one with this class, it gets one that is drawn
        # already.
        plt.figure(FigureClass=lambda *_, figure=figure, **_settings: figure)  # type: ignore[arg-type]
    plt.show(block=True)
