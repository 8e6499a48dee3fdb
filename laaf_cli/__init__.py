"""laaf solves differential equations by physics-informed neural networks with locally adaptive
activation functions, and reports how wrong the answer is.

    import laaf_cli as laaf

    run = laaf.solve("burgers", slopes="nlaaf", n=10)
    run.relative_l2, run.solution, run("u_x", x=0.1, t=[0.25, 0.5])

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from laaf_cli.api import Comparison as Comparison
    from laaf_cli.api import LaafError as LaafError
    from laaf_cli.api import LaafWarning as LaafWarning
    from laaf_cli.api import Run as Run
    from laaf_cli.api import RunFileError as RunFileError
    from laaf_cli.api import Spec as Spec
    from laaf_cli.api import SpecError as SpecError
    from laaf_cli.api import UsageError as UsageError
    from laaf_cli.api import check as check
    from laaf_cli.api import compare as compare
    from laaf_cli.api import load as load
    from laaf_cli.api import reference as reference
    from laaf_cli.api import solve as solve
    from laaf_cli.api import sweep as sweep

__all__ = [
    "Comparison",
    "LaafError",
    "LaafWarning",
    "Run",
    "RunFileError",
    "Spec",
    "SpecError",
    "UsageError",
    "check",
    "compare",
    "load",
    "reference",
    "solve",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from laaf_cli import api

        return getattr(api, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
