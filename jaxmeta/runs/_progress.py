"""Progress on standard error, of any run that reports it: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .._texts import duration
from ._compiling import compile_seconds

_EVERY = 10
_PAUSE, _SHARE, _LONG = 30.0, 0.05, 300.0
"""Between two lines on tasks: at least so many seconds, and so much of the work or this much time."""
_COMPILING = "Compiling"
_WORTH = 0.05
"""Seconds of compilation within another phase that are worth a word."""


class Progress:
    """Shows the course of a run: phase by phase, and the steps or tasks of one; `update` is a `jaxmeta.runs.Report`.

    While it is entered and standard error is a terminal there is a bar, else there are lines.

    Args:
        number: how the bar counts.
        width: of the bar, in characters.
        check: called whenever something is told; what it raises, as that of `stoppable` does, ends the run there.

    Attributes:
        seconds: of every phase that has ended, by its name in small letters; those of compilation, which may fall into
            any phase, stand apart as "compiling".

    Example:
        >>> from jaxmeta.runs import Progress
        >>> progress = Progress()
        >>> progress.phase("Solving", "8 × 8 × 8 voxels")  # "Solving 8 × 8 × 8 voxels." on standard error
        >>> progress.phase("Writing", "the result")  # "Solving: 0.0 s." and "Writing the result."
        >>> progress.phase("")  # "Writing: 0.0 s."
        >>> list(progress.seconds)
        ['solving', 'writing']
    """

    def __init__(
        self, number: str = "{task.completed}/{task.total}", width: int = 8, check: Callable[[], None] | None = None
    ):
        self._number, self._width, self._check = number, width, check
        self._phase, self._began, self._compiled = "", 0.0, 0.0
        self._what = ""
        self._changes: deque[tuple[float, int]] = deque(maxlen=50)
        self._bar, self._task = None, None
        self.seconds: dict[str, float] = {}
        compile_seconds()  # counts from here on

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._bar = _bar(self._number, self._width)
            self._task = self._bar.add_task("", total=None, what="Compiling, which takes a while once", left="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def phase(self, what: str, of: str = "", quiet: bool = False) -> None:
        """Begins a phase, and ends the one before.

        Args:
            what: its name; that of the present phase changes nothing, and none ends it.
            of: what it works on.
            quiet: whether only its end has a line: in one that may end with a refused argument this stands alone.
        """
        if self._check is not None:
            self._check()
        if what == self._phase:
            return
        now, compiled = time.monotonic(), compile_seconds()
        if self._phase:
            self._end(now - self._began, compiled - self._compiled)
        self._phase, self._began, self._compiled = what, now, compiled
        line = f"{what} {of}".strip()
        if what and not self._moved(None, None, line, "") and not quiet:
            self._say(f"{line}.")

    def _end(self, seconds: float, compiled: float) -> None:
        if self._phase == _COMPILING:
            seconds, compiled = 0.0, seconds
        else:
            seconds = max(seconds - compiled, 0.0)
            self._count(self._phase, seconds)
        if compiled:
            self._count(_COMPILING, compiled)
        if self._bar is None:
            parts = [f"{self._phase}: {duration(seconds)}"] if self._phase != _COMPILING else []
            parts += [f"{_COMPILING}: {duration(compiled)}"] if compiled >= _WORTH or not parts else []
            self._say(f"{'; '.join(parts)}.")

    def _count(self, what: str, seconds: float) -> None:
        self.seconds[what.lower()] = self.seconds.get(what.lower(), 0.0) + seconds

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
        if self._check is not None:
            self._check()

    def _show(self, first: bool, done: int, total: int, rate: float | None, numbers: dict[str, float]) -> None:
        facts = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        left = "" if rate is None else f"at most {duration((total - done) / rate)} left"
        if not self._moved(done, total, facts, left) and (first or done % _EVERY == 0):
            self._say(f"{self._what} {done} of {total}: {', '.join(text for text in (facts, left) if text)}")

    def _moved(self, done: int | None, total: int | None, text: str, left: str) -> bool:
        """Whether there is a bar; without a total it says only that something goes on."""
        if self._bar is not None and self._task is not None:
            if total is None:
                self._bar.reset(self._task, total=None)
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
