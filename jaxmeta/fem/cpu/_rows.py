"""Loops over numbers in a row that several kernels share."""

from __future__ import annotations

from ._memory import compiled

FAST = {"contract", "nsz", "arcp"}
"""Multiply and add in one, no signed zeros, reciprocals; sums stay in their order."""


@compiled(inline="never")
def clear(row, count):
    """Set to zero."""
    for k in range(count):
        row[k] = 0


@compiled(fastmath=FAST, inline="never")
def add_times(row, factor, other, count):
    """Add a multiple of another row."""
    for k in range(count):
        row[k] += factor * other[k]
