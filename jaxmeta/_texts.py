"""Numbers as text."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A time for the eye.

    Args:
        seconds: Any number from 0 up.

    Returns:
        Such as "0.4 s", "12 s", "3 min 20 s" or "2 h 5 min".
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
