"""Seconds that a process spends on compilation, wherever it happens."""

from __future__ import annotations

import sys
import time

_EVENTS = ("jaxpr_trace_duration", "jaxpr_to_mlir_module_duration", "backend_compile_duration")


class _Watch:
    """Hears what JAX says of every trace, lowering and compilation, when it has ended.

    Those of a function within another one fall into the time of the other one, so that times are joined.
    """

    def __init__(self) -> None:
        import jax

        self._spans: list[tuple[float, float]] = []
        self._seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def _hear(self, event: str, duration_secs: float, **_: str | int) -> None:
        if not event.endswith(_EVENTS):
            return
        end = time.monotonic()
        begin = end - duration_secs
        while self._spans and self._spans[-1][1] > begin:
            first, last = self._spans.pop()
            self._seconds -= last - first
            begin = min(begin, first)
        self._spans = [*self._spans[-100:], (begin, end)]
        self._seconds += end - begin

    @property
    def seconds(self) -> float:
        return self._seconds


_watch: _Watch | None = None


def compile_seconds() -> float:
    """Seconds of tracing, lowering and compilation in this process since this was first called with JAX loaded.

    Example:
        >>> import jax
        >>> from jaxmeta.runs import compile_seconds
        >>> before = compile_seconds()
        >>> x = jax.jit(lambda x: 2 * x + 3)(1.0)
        >>> compile_seconds() > before
        True
    """
    global _watch
    if _watch is None and "jax" in sys.modules:
        _watch = _Watch()
    return 0.0 if _watch is None else _watch.seconds
