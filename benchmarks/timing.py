"""How long a call takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def median_seconds(functions: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Medians of some calls of each, until the results are there; in turn, so that all see the same machine."""
    import jax

    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for function, times in zip(functions, seconds, strict=True):
            began = time.perf_counter()
            jax.block_until_ready(function())
            times.append(time.perf_counter() - began)
    return [statistics.median(times) for times in seconds]
