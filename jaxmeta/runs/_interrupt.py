"""Stopping a long run between two steps, when all that it knows is consistent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_HINT = b"\nStopping after this step; once more to stop at once.\n"


class Stopped(KeyboardInterrupt):
    """A run that was asked to stop, and did so between two steps.

    Attributes:
        code: The exit code, 128 and the number of the signal.
    """

    def __init__(self, number: int):
        super().__init__(number)
        self.code = 128 + number


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """Turns Ctrl-C, and the signal that a batch system sends before it ends a job, into a wish.

    The first signal is only noted; the second one acts as it always does.

    Yields:
        A function to be called between two steps; it raises `Stopped` when there was a signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked: list[int] = []
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        restore()
        # Not `print`: the signal may have come in the middle of another one.
        os.write(2, _HINT)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def check() -> None:
        if asked:
            raise Stopped(asked[0])

    for number in before:
        signal.signal(number, note)
    try:
        yield check
    finally:
        restore()
