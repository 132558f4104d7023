"""What is before the first plane of an axis and after the last one."""

from __future__ import annotations

from ._memory import HALF, compiled, data


@compiled()
def ends(buffers):
    """Which axes are periodic."""
    ends = data(buffers, 0, HALF)[4]
    return (ends & 1) != 0, (ends & 2) != 0, (ends & 4) != 0


@compiled()
def within(k, size, periodic):
    """The plane k, which may be one before the first or after the last; −1 if there is none."""
    if 0 <= k < size:
        return k
    return (k + size) % size if periodic else -1
