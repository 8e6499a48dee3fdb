"""Functions of a Python file that expressions may call: run only where the user allows it."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from laaf_cli.errors import Fault, SpecError, UsageError
from laaf_cli.spec import LoadedSpec, RunSpec, read_text
from laaf_cli.text import printable


@dataclass(frozen=True, kw_only=True)
class PythonFunction:
    """A function by its name and the text of its file, which other processes can be sent."""

    name: str
    n_arguments: int
    source: str
    file: str
    unfit: str = ""
    """Why expressions cannot call it; empty where they can."""

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The function itself; runs the file, once in a process."""
        function: Callable[..., Any] = getattr(_module(self.source, self.file), self.name)
        return function

    def __call__(self, *arguments: Any) -> Any:
        """The values of the function, of the shape [n] of the first argument that has one, and of
        its precision.

        Raises:
            SpecError: it fails or returns something else than one real number for each point, or
                training could not see how its values depend on its arguments.
        """
        try:
            # What it prints must not mix with the results.
            with redirect_stdout(sys.stderr):
                values = self.function(*arguments)
        except Exception as error:
            hint = "It is called with tensors of torch, of one value for each point."
            raise self._fault(f"failed: {type(error).__name__}: {error}", hint) from error
        tensors = [argument for argument in arguments if hasattr(argument, "requires_grad")]
        return self._checked(values, tensors)

    def _checked(self, values: Any, tensors: Sequence[Any]) -> Any:
        """The values as a tensor like the first that is not a scalar, or as they are
        without one.
        """
        like = next((tensor for tensor in tensors if tensor.ndim), None)
        if isinstance(values, int | float):
            return values if like is None else like.new_full(like.shape, values)
        if not hasattr(values, "requires_grad"):
            hint = "It must return a tensor of torch, or a number."
            raise self._fault(f"returns {type(values).__name__}", hint)
        if values.is_complex():
            hint = (
                "It must return real numbers: let real and imaginary parts be unknowns of "
                "their own."
            )
            raise self._fault("returns complex numbers", hint)
        shape = [] if like is None else list(like.shape)
        if list(values.shape) not in ([], shape):
            hint = (
                f"It must return one value for each point, here a tensor of shape {shape}, "
                "or a number."
            )
            raise self._fault(f"returns a tensor of shape {list(values.shape)}", hint)
        # Where nothing has a gradient, as in an evaluation, none is missing.
        if not values.requires_grad and any((tensor * 1).requires_grad for tensor in tensors):
            hint = (
                "Compute it by functions of torch, without detach() or item(). If it is to be "
                "constant for training, add 0 times an argument."
            )
            raise self._fault(
                "returns a tensor without a gradient, so that training cannot see it change", hint
            )
        return values if like is None else values.to(like).expand(like.shape)

    def _fault(self, what: str, hint: str) -> SpecError:
        return SpecError([Fault(f"'{self.name}' of {self.file} {what}", None, hint)])

    def __getstate__(self) -> dict[str, Any]:
        # A function of a file that is not a module cannot be pickled, its text can.
        return {name: value for name, value in vars(self).items() if name != "function"}


def python_functions(
    loaded: LoadedSpec[RunSpec], *, allowed: bool, known: str | None = None
) -> dict[str, PythonFunction]:
    """What the file that a spec names has to call, also what is unfit for it; nothing without a
    file.

    Args:
        known: the only text that the file may have, where there is one.

    Raises:
        SpecError: it is not allowed to run the file, where it has another text than that, and where
            it cannot be read or run.
    """
    if loaded.spec is None or loaded.spec.functions is None:
        return {}
    mark = loaded.root.locate(("functions",)).mark
    if not allowed:
        what = (
            f"the spec names {printable(loaded.spec.functions)}, a Python file that can do "
            "anything on this machine"
        )
        raise SpecError(
            [*loaded.faults, Fault(what, mark, "With `allow_python` it is run. Read it first.")]
        )
    path = Path(loaded.text.name).parent / loaded.spec.functions
    try:
        source = read_text(path, "Python file is text").content
        if known is not None and source != known:
            what = f"{path} has changed since the run was made with it, and is not run"
            raise SpecError(
                [Fault(printable(what), mark, "Undo the change, or start over with `solve()`.")]
            )
        module = _module(source, str(path))
    except UsageError as error:
        hint = "The path is relative to the spec."
        raise SpecError([*loaded.faults, Fault(printable(str(error)), mark, hint)]) from None
    except (Exception, SystemExit) as error:
        what = f"{path} cannot be run: {type(error).__name__}: {error}"
        raise SpecError([*loaded.faults, Fault(printable(what), mark)]) from error
    return {
        name: _described(name, function, source, str(path))
        for name, function in vars(module).items()
        if callable(function) and not name.startswith("__")
    }


def _described(name: str, function: Callable[..., Any], source: str, file: str) -> PythonFunction:
    """A callable of the file, with the number of its arguments or why it cannot be called."""
    unfit, n_arguments = "", 0
    if not isinstance(function, types.FunctionType) or function.__code__.co_filename != file:
        unfit = "is not a plain function that the file itself defines"
    else:
        parameters = inspect.signature(function).parameters.values()
        # Those with a default are left out.
        needed = [parameter for parameter in parameters if parameter.default is parameter.empty]
        in_order = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        if all(parameter.kind in in_order for parameter in needed):
            n_arguments = len(needed)
        else:
            unfit = "takes arguments by name, or any number of them"
    return PythonFunction(name=name, n_arguments=n_arguments, source=source, file=file, unfit=unfit)


@cache
def _module(source: str, file: str) -> types.ModuleType:
    """The module that a Python file is: run once in a process, so that its functions share what
    they keep.

    It has a name of its own in `sys.modules`, where dataclasses look for the names in their
    annotations.
    """
    digest = hashlib.sha256(f"{file}\n{source}".encode()).hexdigest()[:16]
    module = types.ModuleType(f"laaf_functions_{digest}")
    module.__file__ = file
    sys.modules[module.__name__] = module
    try:
        with redirect_stdout(sys.stderr), _siblings(Path(file).resolve().parent):
            exec(compile(source, file, "exec"), vars(module))  # noqa: S102 - the user allowed it
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


@contextmanager
def _siblings(folder: Path) -> Iterator[None]:
    """Modules that lie in a folder can be imported meanwhile; another file may have others of
    the same names.
    """
    if not folder.is_dir():
        yield
        return
    before = set(sys.modules)
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        new = set(sys.modules) - before
        files = {name: Path(getattr(sys.modules[name], "__file__", None) or "") for name in new}
        lie_there = {
            name
            for name, file in files.items()
            if file in (folder / f"{name}.py", folder / name / "__init__.py")
        }
        for name in new:
            if name.partition(".")[0] in lie_there:
                del sys.modules[name]
