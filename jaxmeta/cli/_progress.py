"""Progress on standard error, of any run that reports it: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Any

from ._texts import duration

_EVERY = 10
_PAUSE, _SHARE, _LONG = 30.0, 0.05, 300.0
"""Between two lines on tasks: at least so many seconds, and so much of the work or this much time."""


class Progress:
    """Shows the course of a run by steps while it is entered; `update` is a `jaxmeta.runs.Report`.

    Args:
        heading: A line before the first step, which compiles.
        number: How the bar counts.
        width: Of the bar, in characters.
    """

    def __init__(self, heading: str = "", number: str = "{task.completed}/{task.total}", width: int = 8):
        self._heading, self._number, self._width = heading, number, width
        self._what = ""
        self._changes: deque[tuple[float, int]] = deque(maxlen=50)
        self._bar, self._task = None, None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._bar = _bar(self._number, self._width)
            self._task = self._bar.add_task("", total=None, what="Compiling, which takes a while once", left="")
            self._bar.start()
        elif self._heading:
            self._say(self._heading)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, what: str, done: int, total: int, **numbers: float) -> None:
        """Shows the state of the run.

        Args:
            what: What is made; another text begins anew.
            done: Number of steps or tasks done, of all processes.
            total: Number of steps or tasks.
            numbers: What is worth seeing besides.
        """
        now, first = time.monotonic(), what != self._what
        if first:
            self._what = what
            self._changes.clear()
        if first or done > self._changes[-1][1]:
            self._changes.append((now, done))
        (began, before), (last, after) = self._changes[0], self._changes[-1]
        rate = (after - before) / (last - began) if after > before and last > began else None
        self._show(first, done, total, rate, numbers)

    def _show(self, first: bool, done: int, total: int, rate: float | None, numbers: dict[str, float]) -> None:
        facts = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        left = "" if rate is None else f"at most {duration((total - done) / rate)} left"
        if not self._moved(done, total, facts, left) and (first or done % _EVERY == 0):
            self._say(f"{self._what} {done} of {total}: {', '.join(text for text in (facts, left) if text)}")

    def _moved(self, done: int, total: int, text: str, left: str) -> bool:
        """Whether there is a bar."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, what=text, left=left)
        return self._bar is not None

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class TaskProgress(Progress):
    """Shows how far a run of numbered tasks is, while it is entered.

    Args:
        cells: Number of cells that all tasks make, or None if each makes one.
    """

    def __init__(self, cells: int | None):
        super().__init__(number="{task.percentage:.0f} %", width=24)
        self._cells = cells
        self._said: tuple[float, float] = (0.0, 0.0)

    def _show(self, first: bool, done: int, total: int, rate: float | None, numbers: dict[str, float]) -> None:
        cells, share = self._cells or total, done / total
        pace = ""
        if rate is not None:
            each = 60 * rate * cells / total
            pace = f"{each:.0f} a minute" if each >= 100 else f"{each:.3g} a minute"
            pace += f", {duration((total - done) / rate)} left" if done < total else ""
        if self._moved(done, total, f"of {cells} {self._what}", pace):
            return
        since, more = time.monotonic() - self._said[0], share - self._said[1]
        due = since >= _PAUSE and (more >= _SHARE or (more > 0 and since >= _LONG))
        if first or due or (done == total and more > 0):
            self._said = time.monotonic(), share
            self._say(f"{100 * share:.0f} % of {cells} {self._what} done{f': {pace}' if pace else ''}.")


def _bar(number: str, width: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    texts = (number, "{task.fields[what]}", "{task.fields[left]}")
    return Bar(BarColumn(width), *map(TextColumn, texts), console=Console(stderr=True), transient=True)
