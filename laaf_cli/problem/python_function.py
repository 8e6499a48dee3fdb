"""Functions of a Python file that expressions may call: run only where the user allows it."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from laaf_cli.errors import Fault, SpecError, UsageError
from laaf_cli.spec import LoadedSpec, read_text


@dataclass(frozen=True)
class PythonFunction:
    """A function by its name and the text of its file, so that it can be sent to other processes."""

    name: str
    n_arguments: int
    source: str
    file: str

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function itself; runs the file."""
        function: Callable[..., Any] = _run(self.source, self.file)[self.name]
        return function

    def __call__(self, *arguments: Any) -> Any:
        """The values of the function; raises SpecError where it fails or returns something else than numbers."""
        try:
            values = self.function(*arguments)
        except Exception as error:
            what = f"'{self.name}' of {self.file} failed: {type(error).__name__}: {error}"
            hint = "It is called with tensors of torch, of one value for each point."
            raise SpecError([Fault(what, None, hint)]) from error
        if not isinstance(values, int | float) and not hasattr(values, "shape"):
            what = f"'{self.name}' of {self.file} returns {type(values).__name__}"
            raise SpecError([Fault(what, None, "It must return a tensor of torch, or a number.")])
        return values

    def __getstate__(self) -> dict[str, Any]:
        # A function of a file that is no module cannot be pickled, its text can.
        return {name: value for name, value in vars(self).items() if name != "function"}


def python_functions(loaded: LoadedSpec, *, allowed: bool) -> dict[str, PythonFunction]:
    """The functions of the file that a spec names; none without a file.

    Raises SpecError where it is not allowed to run the file, and where the file cannot be read or run.
    """
    if loaded.spec is None or loaded.spec.functions is None:
        return {}
    mark = loaded.root.locate(("functions",)).mark
    if not allowed:
        what = f"the spec names {loaded.spec.functions}, a Python file that can do anything on this machine"
        raise SpecError([*loaded.faults, Fault(what, mark, "With --allow-python it is run. Read it first.")])
    path = Path(loaded.text.name).parent / loaded.spec.functions
    try:
        source = read_text(path, "Python file is text").content
        names = _run(source, str(path))
    except UsageError as error:
        hint = "The path is relative to the spec."
        raise SpecError([*loaded.faults, Fault(str(error), mark, hint)]) from None
    except (Exception, SystemExit) as error:
        what = f"{path} cannot be run: {type(error).__name__}: {error}"
        raise SpecError([*loaded.faults, Fault(what, mark)]) from error
    return {
        name: PythonFunction(name, n_arguments, source, str(path))
        for name, function in names.items()
        if isinstance(function, types.FunctionType) and function.__code__.co_filename == str(path)
        if (n_arguments := _n_arguments(function)) is not None
    }


def _n_arguments(function: types.FunctionType) -> int | None:
    """How many arguments a function takes, those with a default left out; None where that is not one number."""
    parameters = inspect.signature(function).parameters.values()
    needed = [parameter for parameter in parameters if parameter.default is parameter.empty]
    in_order = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len(needed) if all(parameter.kind in in_order for parameter in needed) else None


def _run(source: str, file: str) -> dict[str, Any]:
    """The names that a Python file defines."""
    names: dict[str, Any] = {"__name__": Path(file).stem, "__file__": file}
    exec(compile(source, file, "exec"), names)  # noqa: S102 - the user said --allow-python
    return names
