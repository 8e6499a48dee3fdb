"""Run files of any task, sealed or not: attributes, settings, events."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from h5py import h5t
from pydantic import BaseModel, TypeAdapter, ValidationError

from laaf_cli.arrays import Array
from laaf_cli.errors import ChangedRunWarning, RunFileError
from laaf_cli.files.untrusted.hdf5 import Attribute, GuardedFile
from laaf_cli.runfile.layout import COMMON_ATTRIBUTES, FORMAT_VERSION, OLDEST_VERSION
from laaf_cli.runfile.record import EventSummary, SpecSource
from laaf_cli.runfile.seal import has_seal, is_intact
from laaf_cli.runs.task import TASKS, loaded
from laaf_cli.text import printable, shown

MAX_TEXT = 1_000_000
"""The most bytes of a text dataset; a spec has at most a fifth of it."""

MAX_OVERRIDES = 1000
"""The most changes of a spec on a command line; each is parsed by itself."""

MAX_RECORDS = 1_000_000
"""The most rows of the history; training makes about a thousand."""

Model = TypeVar("Model", bound=BaseModel)

_PAIRS, _EVENTS = (TypeAdapter[Any](kind) for kind in (list[tuple[str, str]], list[EventSummary]))


class AnyRunFile(GuardedFile):
    """An open run file, whatever it is of; use it in a `with`.

    A file that was changed after it was written is read as it is, with a ChangedRunWarning;
    `must_be_sealed` refuses it. is_sealed: whether it is as it was written, byte for byte.

    Raises RunFileError for a path that is missing, is not HDF5, was not written by laaf, is
    damaged, or has another format; every property and method does where its part of the file is not
    as its layout says.
    """

    what = "a run file"
    numbers = (
        *(h5t.STD_I64LE, h5t.IEEE_F32LE, h5t.IEEE_F64LE),
        *(h5t.STD_I64BE, h5t.IEEE_F32BE, h5t.IEEE_F64BE),
    )
    max_packed_bytes = 400_000_000
    expected: ClassVar[Mapping[str, Attribute]] = COMMON_ATTRIBUTES
    not_stored: ClassVar[Mapping[str, Any]] = {"processes": 1}
    """What optional attributes are in files without them."""
    task: ClassVar[str] = ""
    """The task whose runs it reads; any where empty."""
    error_attribute: ClassVar[str] = ""
    """The attribute by which its runs are compared."""

    def __init__(self, path: Path, *, must_be_sealed: bool = False) -> None:
        self._must_be_sealed = must_be_sealed
        super().__init__(path, RunFileError)
        try:
            self._check_version()
            self._check_task()
            there = {
                name: attribute
                for name, attribute in self.expected.items()
                if not attribute.optional or self.has_attribute(name)
            }
            self.attributes: dict[str, Any] = {**self.not_stored} | self.read_attributes(there)
            if self.attributes["format_version"] < FORMAT_VERSION:
                self.convert()
            seconds = self.attributes["wall_time_s"]
            if not 0 <= seconds < math.inf:
                raise self.refusal(
                    f"the attribute wall_time_s in {self.path} is {seconds}, which is not a time"
                )
        except RunFileError:
            self.close()
            raise
        if not self.is_sealed:
            warnings.warn(
                printable(
                    f"{path} was changed after it was written; its numbers are read as they are"
                ),
                ChangedRunWarning,
                stacklevel=1,  # one place, so that a file that is opened twice is reported once
            )

    def inspect(self, raw: BufferedReader) -> None:
        """Compares the file with its seal."""
        self.is_sealed = is_intact(raw)
        if self._must_be_sealed and not self.is_sealed and has_seal(raw):
            raise self.refusal(
                f"{self.path} is damaged: its content does not match the checksum that it was "
                "sealed with; take a copy of it, or run its spec again"
            )

    def convert(self) -> None:
        """Turns the attributes of an older format into those of the present one."""

    def _check_version(self) -> None:
        if not self.has_attribute("format_version"):
            raise self.refusal(f"{self.path} was not written by laaf: it has no format_version")
        version = self.attribute("format_version", COMMON_ATTRIBUTES["format_version"])
        if not OLDEST_VERSION <= version <= FORMAT_VERSION:
            age = (
                "a newer laaf reads it"
                if version > FORMAT_VERSION
                else "run its spec again to replace it (solve, classify and sweep: `overwrite`)"
            )
            raise self.refusal(
                f"{self.path} has format {version}, this laaf reads formats {OLDEST_VERSION} to "
                f"{FORMAT_VERSION}; {age}"
            )
        if self._must_be_sealed and not self.is_sealed:
            raise self.refusal(
                f"{self.path} has no checksum: it was modified, or not written by laaf; "
                "run its spec again"
            )

    def _check_task(self) -> None:
        task = self.attribute("task", COMMON_ATTRIBUTES["task"])
        if task not in TASKS:
            raise self.refusal(
                f"the attribute task in {self.path} is {shown(task)}; it is one of "
                f"{', '.join(TASKS)}"
            )
        if self.task and task != self.task:
            raise self.refusal(
                f"{self.path} is a run of {TASKS[task].command}, expected one of "
                f"{TASKS[self.task].command}"
            )

    @property
    def error(self) -> float:
        """The number by which runs are compared, NaN where it is not known."""
        return float(self.attributes[self.error_attribute])

    def measured(self) -> str:
        """What it is measured with, as far as the problem's hash does not cover it."""
        return ""

    def text(self, path: str) -> str:
        """A text dataset."""
        kind = self._dataset(path).dtype
        if self.shape(path) != () or kind.kind != "S":
            raise self.refusal(f"{path} in {self.path} is not text")
        if kind.itemsize > MAX_TEXT:
            raise self.refusal(
                f"{path} in {self.path} has {kind.itemsize:,} bytes; at most {MAX_TEXT:,} are read"
            )
        with self._told(path):
            return bytes(self.array(path)[()]).decode()

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The resolved settings as they are in the file."""
        try:
            settings = json.loads(self.text("spec/settings"), parse_constant=_no_constant)
            json.dumps(
                settings, ensure_ascii=False
            ).encode()  # "\ud800" is JSON, and nothing can print it
        except (ValueError, RecursionError):
            raise self.refusal(f"spec/settings in {self.path} is not JSON") from None
        if not isinstance(settings, dict):
            raise self.refusal(f"spec/settings in {self.path} is not a mapping")
        return settings

    def _settings_as(self, model: type[Model]) -> Model:
        """The settings as a model of the spec; other keys, as of the command line, are left out."""
        try:
            return model.model_validate(
                {name: value for name, value in self.settings.items() if name in model.model_fields}
            )
        except ValidationError as error:
            key = shown(".".join(map(str, error.errors()[0]["loc"])))
            raise self.refusal(
                f"spec/settings in {self.path} does not fit this laaf, first at {key}"
            ) from None
        except (OverflowError, RecursionError):  # of an integer with thousands of digits
            raise self.refusal(f"spec/settings in {self.path} does not fit this laaf") from None

    def source(self) -> SpecSource:
        """Where the settings come from; what it names is untrusted, and need not exist."""
        overrides = self._json("spec/overrides", _PAIRS)
        if len(overrides) > MAX_OVERRIDES:
            raise self.refusal(
                f"spec/overrides in {self.path} has {len(overrides):,} entries; at most "
                f"{MAX_OVERRIDES:,} are read"
            )
        return SpecSource(self.text("spec/path"), self.text("spec/yaml"), tuple(overrides))

    def events(self) -> list[EventSummary]:
        """That the training was resumed or retried."""
        events: list[EventSummary] = self._json("history/events", _EVENTS)
        return events

    def _json(self, path: str, kind: TypeAdapter[Any]) -> Any:
        try:
            return kind.validate_json(self.text(path), strict=True)
        except ValidationError:
            raise self.refusal(f"{path} in {self.path} is not what it should be") from None

    def _length(self, path: str, most: int) -> tuple[int]:
        """The shape of what all else must be as long as."""
        shape = self.shape(path)
        if len(shape) != 1 or not 1 <= shape[0] <= most:
            raise self.refusal(
                f"{path} in {self.path} has the shape {list(shape)}, which does not fit"
            )
        return shape

    def _shaped(self, path: str, shape: tuple[int, ...], kind: Literal["i", "f"] = "f") -> Array:
        # Asked before reading, for what does not fit need not be read.
        if (stored_shape := self.shape(path)) != shape:
            raise self.refusal(
                f"{path} in {self.path} has the shape {list(stored_shape)} instead of {list(shape)}"
            )
        values = self.array(path)
        if values.dtype.kind != kind:
            raise self.refusal(
                f"{path} in {self.path} holds no {'integers' if kind == 'i' else 'numbers'}"
            )
        return values


def task_of(path: Path, *, must_be_sealed: bool = False) -> str:
    """The name of the task of a run file.

    Raises:
        RunFileError: it cannot be read.
    """
    with AnyRunFile(path, must_be_sealed=must_be_sealed) as run:
        return str(run.attributes["task"])


def open_run(path: Path, *, must_be_sealed: bool = False) -> AnyRunFile:
    """A run file of any task, opened by the class of its task; raises as that does."""
    kind: type[AnyRunFile] = loaded(TASKS[task_of(path, must_be_sealed=must_be_sealed)].run_file)
    return kind(path, must_be_sealed=must_be_sealed)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
