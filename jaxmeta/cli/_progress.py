"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import statistics
import sys
import time
from collections import deque
from typing import Any

from ._tables import duration

_EVERY = 10
_PAUSE, _SHARE, _LONG = 30.0, 0.05, 300.0
"""Between two lines on tasks: at least so many seconds, and so much of the work or this much time."""


class Progress:
    """Shows the course of a run while it is entered.

    Args:
        name: Name of the objective.
        sign: 1 or -1: what to multiply the minimised value with for the eye.
        total: Most steps.
    """

    def __init__(self, name: str, sign: int, total: int):
        self._name, self._sign, self._total = name, sign, total
        self._recent: deque[float] = deque(maxlen=20)
        self._last: float | None = None
        self._bar, self._task = None, None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("", total=self._total, what="Compiling, which takes a while once", left="")
            self._bar.start()
        else:
            print(f"Optimising {self._name}, at most {self._total} steps.", file=sys.stderr, flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, step: int, info: Any) -> None:
        """Shows a step.

        Args:
            step: Number of steps done.
            info: What the step saw, as `jaxmeta.topology` hands it to a callback.
        """
        now = time.monotonic()
        if self._last is not None:  # the first step compiles
            self._recent.append(now - self._last)
        self._last = now
        value = f"{self._name} {self._sign * float(info.objective):.4g}"
        course = f"grey {100 * float(info.greyness):.0f} %, sharpness {float(info.beta):g}"
        left = duration((self._total - step) * statistics.median(self._recent)) if self._recent else ""
        if self._bar is not None and self._task is not None:
            what = f"{value}, {course}"
            self._bar.update(self._task, completed=step, what=what, left=f"≤ {left}" if left else "")
        elif step == 1 or step % _EVERY == 0:
            line = f"{value}, volume {float(info.volume_fraction):.3f}, {course}"
            line += f", at most {left} left" if left else ""
            print(f"step {step} of {self._total}: {line}", file=sys.stderr, flush=True)


class TaskProgress:
    """Shows how far a run of numbered tasks is, while it is entered.

    Args:
        cells: Number of cells that all tasks make, or None if each makes one.
    """

    def __init__(self, cells: int | None):
        self._cells = cells
        self._what = ""
        self._changes: deque[tuple[float, int]] = deque(maxlen=50)
        self._said: tuple[float, float] = (0.0, 0.0)
        self._bar, self._task = None, None

    def __enter__(self) -> TaskProgress:
        if sys.stderr.isatty():
            self._bar = _bar("{task.percentage:.0f} %", 24)
            self._task = self._bar.add_task("", total=None, what="Beginning", left="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, what: str, done: int, total: int) -> None:
        """Shows the state of the run.

        Args:
            what: What is made; another text begins anew.
            done: Number of tasks done, of all processes.
            total: Number of tasks.
        """
        now, first = time.monotonic(), what != self._what
        if first:
            self._what = what
            self._changes.clear()
        if first or done > self._changes[-1][1]:
            self._changes.append((now, done))
        pace, what = self._pace(done, total), f"of {self._cells or total} {what}"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, what=what, left=pace)
            return
        since, more = now - self._said[0], done / total - self._said[1]
        due = since >= _PAUSE and (more >= _SHARE or (more > 0 and since >= _LONG))
        if first or due or (done == total and more > 0):
            self._said = now, done / total
            text = f"{100 * done / total:.0f} % {what} done"
            print(f"{text}: {pace}." if pace else f"{text}.", file=sys.stderr, flush=True)

    def _pace(self, done: int, total: int) -> str:
        """Throughput and the time left, or nothing before a task is done."""
        (began, before), (now, after) = self._changes[0], self._changes[-1]
        if after == before or now <= began:
            return ""
        rate = (after - before) / (now - began)
        cells = 60 * rate * (self._cells or total) / total
        text = f"{cells:.0f} a minute" if cells >= 100 else f"{cells:.3g} a minute"
        return f"{text}, {duration((total - done) / rate)} left" if done < total else text


def _bar(count: str | None = None, width: int = 8) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    texts = (TextColumn("{task.fields[what]}"), TextColumn("{task.fields[left]}"))
    number = MofNCompleteColumn() if count is None else TextColumn(count)
    return Bar(BarColumn(width), number, *texts, console=Console(stderr=True), transient=True)
