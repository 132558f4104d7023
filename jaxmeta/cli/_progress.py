"""Progress of an optimisation on standard error: a bar on a terminal, a line every ten steps elsewhere."""

from __future__ import annotations

import statistics
import sys
import time
from collections import deque
from typing import Any

from ._tables import duration

_EVERY = 10


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


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    texts = (TextColumn("{task.fields[what]}"), TextColumn("{task.fields[left]}"))
    return Bar(BarColumn(8), MofNCompleteColumn(), *texts, console=Console(stderr=True), transient=True)
