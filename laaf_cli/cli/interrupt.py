"""Ctrl-C and SIGTERM while training: the first asks for a clean stop, the second stops at once."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from laaf_cli.terminal.messages import messages


class StopFlag:
    """A flag that the signals set, while the `with` lasts; `message` says what the first one
    does.
    """

    def __init__(self, message: str) -> None:
        self._message = message
        # Made here: the signal may come while the program itself imports what a console needs.
        self._console = messages()
        self._set = False
        self._previous: dict[int, Any] = {}

    def is_set(self) -> bool:
        return self._set

    def __enter__(self) -> StopFlag:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._set:
            raise KeyboardInterrupt
        self._set = True
        self._console.print(self._message, markup=False, soft_wrap=True)
