"""Ctrl-C, SIGTERM and SIGUSR1 while training: the first asks for a clean stop, the second stops
at once.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class StopFlag:
    """A flag that the signals set, while the `with` lasts.

    Outside of the main thread, where Python takes no signals, nothing sets it.

    Args:
        on_first: called when the first signal comes; what it needs should be imported already.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self._set = False
        self._previous: dict[int, Any] = {}

    def is_set(self) -> bool:
        """Whether a signal has come."""
        return self._set

    def __enter__(self) -> StopFlag:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._set:
            raise KeyboardInterrupt
        self._set = True
        self._on_first()
