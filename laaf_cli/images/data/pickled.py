"""The pickles of the Python version of CIFAR, read as data: no name is looked up, nothing is
called.

A pickle is a program for a stack machine. This one knows the instructions that Python 2 wrote in
protocols 1 and 2 for dicts, lists, tuples, numbers, texts and arrays of bytes; the three names that
stand for an array are recognised as words. Every other instruction, and every other name, is
refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from laaf_cli.errors import DataSetError

MAX_INSTRUCTIONS = 2_000_000
"""Ten times those of the longest file; an empty dict takes one byte of a file, and sixty-four of
memory.
"""

ARRAY = b"numpy.core.multiarray _reconstruct"
ARRAY_TYPE = b"numpy ndarray"
DTYPE = b"numpy dtype"


@dataclass(frozen=True)
class _Name:
    """A name that the file mentions."""

    words: bytes


@dataclass(eq=False)
class _Array:
    """What the file calls an array of bytes, once it is all there."""

    values: np.ndarray | None = None


class _Mark:
    """Where on the stack a sequence begins."""


class _Bytes:
    """A dtype of one unsigned byte."""


def read_pickle(content: bytes) -> Any:
    """The dict, list or number in the file, with arrays of unsigned bytes as arrays.

    Raises DataSetError for any other instruction, and for a file that ends early or goes on after
    its end.
    """
    machine = _Machine(content=content)
    for _ in range(MAX_INSTRUCTIONS):
        code = machine.take(1)
        if code == STOP:
            if machine.position != len(content):
                raise DataSetError(
                    f"{len(content) - machine.position:,} bytes follow after its end"
                )
            return _plain(machine.pop())
        instruction = INSTRUCTIONS.get(code)
        if instruction is None:
            raise DataSetError(
                f"it has the instruction {code!r}, which a file of numbers and texts does not need"
            )
        instruction(machine)
    raise DataSetError(f"it has more than {MAX_INSTRUCTIONS:,} instructions")


def _plain(value: Any) -> Any:
    """The value with its arrays, to the depth at which CIFAR has them."""
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, dict):
        return {
            key: item.values if isinstance(item, _Array) else item for key, item in value.items()
        }
    return value


@dataclass(kw_only=True)
class _Machine:
    """The stack, the values that can be asked for again, and how far the file has been read."""

    content: bytes
    position: int = 0
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def take(self, n: int) -> bytes:
        taken = self.content[self.position : self.position + n]
        if len(taken) != n:
            raise DataSetError(f"it ends in the middle, after {len(self.content):,} bytes")
        self.position += n
        return taken

    def number(self, n_bytes: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(n_bytes), "little", signed=signed)

    def line(self) -> bytes:
        end = self.content.find(b"\n", self.position, self.position + 100)
        if end < 0:
            raise DataSetError("it has a name that does not end")
        taken = self.content[self.position : end]
        self.position = end + 1
        return taken

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop() if self.stack else _Mark
        if value is _Mark:
            raise DataSetError("it takes a value that is not there")
        return value

    def pop_many(self, n: int) -> list[Any]:
        return [self.pop() for _ in range(n)][::-1]

    def pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while True:
            if not self.stack:
                raise DataSetError("it ends a sequence that has no beginning")
            value = self.stack.pop()
            if value is _Mark:
                return values[::-1]
            values.append(value)

    def top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise DataSetError(f"it puts values into something that is not a {kind.__name__}")
        return self.stack[-1]

    def recall(self, key: int) -> Any:
        if key not in self.memo:
            raise DataSetError("it refers to a value that it never gave")
        return self.memo[key]


def _memorise(machine: _Machine, key: int) -> None:
    if not machine.stack:
        raise DataSetError("it keeps a value that is not there")
    machine.memo[key] = machine.stack[-1]


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.top(dict)
    if len(items) % 2:
        raise DataSetError("it has a key without a value")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Nested tuples may be so deep that to hash them would end the program.
        if not isinstance(key, bytes | str | int):
            raise DataSetError("it has a key that is neither a text nor a number")
        target[key] = value


def _name(machine: _Machine) -> None:
    words = b" ".join((machine.line(), machine.line()))
    if words not in (ARRAY, ARRAY_TYPE, DTYPE):
        raise DataSetError(f"it asks for {words!r}, and arrays are all that is read")
    machine.push(_Name(words))


def _made(machine: _Machine) -> None:
    """What the file takes for a call: it makes an empty array or a dtype, and nothing else."""
    arguments, name = machine.pop(), machine.pop()
    if not isinstance(name, _Name) or not isinstance(arguments, tuple):
        raise DataSetError("it calls what is not a name")
    if name.words == ARRAY and len(arguments) == 3 and arguments[0] == _Name(ARRAY_TYPE):
        machine.push(_Array())
    elif name.words == DTYPE and arguments[:1] == (b"u1",):
        machine.push(_Bytes)
    else:
        raise DataSetError("it makes something that is not an array of unsigned bytes")


def _filled(machine: _Machine) -> None:
    """The state of an array: its version, shape, dtype, order and bytes; that of a dtype says
    nothing more.
    """
    state = machine.pop()
    target = machine.stack[-1] if machine.stack else None
    if target is _Bytes:
        return
    if not isinstance(target, _Array) or not isinstance(state, tuple) or len(state) != 5:
        raise DataSetError("it fills something that is not an array")
    _version, shape, dtype, is_fortran, content = state
    if (
        not isinstance(shape, tuple)
        or not all(type(size) is int and size >= 0 for size in shape)
        or len(shape) > 4
    ):
        raise DataSetError("it has an array without a shape")
    if dtype is not _Bytes or not isinstance(content, bytes) or math.prod(shape) != len(content):
        raise DataSetError(f"it has an array of shape {shape} whose bytes are not as many")
    target.values = np.frombuffer(content, np.uint8).reshape(
        shape, order="F" if is_fortran else "C"
    )


def _text(n_bytes: int) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(machine.take(machine.number(n_bytes)))


def _unicode(machine: _Machine) -> None:
    try:
        machine.push(machine.take(machine.number(4)).decode("utf-8"))
    except UnicodeDecodeError:
        raise DataSetError("it has a text that is not UTF-8") from None


def _tuple_of(n: int) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(tuple(machine.pop_many(n)))


def _constant(value: Any) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(value)


def _append(machine: _Machine, values: list[Any]) -> None:
    machine.top(list).extend(values)


def _check_protocol(number: int) -> None:
    if number > 2:
        raise DataSetError(f"it is a pickle of protocol {number}, and CIFAR comes in protocol 2")


STOP = b"."
INSTRUCTIONS: dict[bytes, Callable[[_Machine], None]] = {
    b"\x80": lambda machine: _check_protocol(machine.number(1)),
    b"(": _constant(_Mark),
    b"N": _constant(None),
    b"\x88": _constant(True),
    b"\x89": _constant(False),
    b")": _constant(()),
    b"}": lambda machine: machine.push({}),
    b"]": lambda machine: machine.push([]),
    b"K": lambda machine: machine.push(machine.number(1)),
    b"M": lambda machine: machine.push(machine.number(2)),
    b"J": lambda machine: machine.push(machine.number(4, signed=True)),
    b"\x8a": lambda machine: machine.push(machine.number(machine.number(1), signed=True)),
    b"U": _text(1),
    b"T": _text(4),
    b"X": _unicode,
    b"\x85": _tuple_of(1),
    b"\x86": _tuple_of(2),
    b"\x87": _tuple_of(3),
    b"t": lambda machine: machine.push(tuple(machine.pop_to_mark())),
    b"a": lambda machine: _append(machine, machine.pop_many(1)),
    b"e": lambda machine: _append(machine, machine.pop_to_mark()),
    b"s": lambda machine: _set_items(machine, machine.pop_many(2)),
    b"u": lambda machine: _set_items(machine, machine.pop_to_mark()),
    b"q": lambda machine: _memorise(machine, machine.number(1)),
    b"r": lambda machine: _memorise(machine, machine.number(4)),
    b"h": lambda machine: machine.push(machine.recall(machine.number(1))),
    b"j": lambda machine: machine.push(machine.recall(machine.number(4))),
    b"c": _name,
    b"R": _made,
    b"b": _filled,
}
"""What each instruction does. These are BININT, SHORT_BINSTRING and so on of Python's
`pickletools`.
"""
