"""The cells of a library that are nearest to a wanted stiffness: the baseline of every generator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float, Int

from ._library import Library

RANGES = np.array([1.3425703 - 0.0118019, 0.5749314 + 0.0924240, 0.3837908 - 0.0004335])
"""Ranges of C11, C12, C44 in the data of Yang and others, in units of the solid's Young's modulus: the denominators of
the error that they state."""


class Neighbours(NamedTuple):
    """Cells in the order of their distance.

    Attributes:
        numbers: of the cells in the library, (count,).
        error: mean of |ΔC11|, |ΔC12| and |ΔC44|, each relative to its range in the data of Yang and others, (count,).
            These ranges are nearly the full solid's moduli, so that it is small on light cells.
        relative_error: Frobenius norm of ΔC relative to that of C, (count,).
        volume_error: difference of the volume fractions, or nan where none was asked for, (count,).
    """

    numbers: Int[np.ndarray, " count"]
    error: Float[np.ndarray, " count"]
    relative_error: Float[np.ndarray, " count"]
    volume_error: Float[np.ndarray, " count"]


def nearest(
    library: Library, stiffness: Float[ArrayLike, "..."], volume_fraction: float | None = None, count: int = 1
) -> Neighbours:
    """The cells whose stiffness, and volume fraction if it is given, are nearest.

    The distance is the mean of |ΔC11|, |ΔC12| and |ΔC44| relative to their ranges, and of |Δf| if a volume fraction f
    is given.

    Args:
        library: of cells.
        stiffness: wanted, cubic: (6, 6), or C11, C12, C44; relative to a solid with Young's modulus one.
        volume_fraction: wanted, or None.
        count: of cells.

    Returns:
        The nearest cells with their errors.

    Raises:
        ValueError: the stiffness is neither (6, 6) nor three constants, or a number is out of range.

    Example:
        >>> import jaxmeta as jm
        >>> library = jm.dataset.load()
        >>> found = jm.dataset.nearest(library, library[7].stiffness, library[7].volume_fraction)
        >>> int(found.numbers[0]), float(found.error[0])
        (7, 0.0)

    References:
        Y. Yang and others, "Guided diffusion for fast inverse design of density-based mechanical metamaterials", Eq. 3.
    """
    wanted = np.asarray(stiffness, float)
    if wanted.shape == (6, 6):
        wanted = wanted[[0, 0, 3], [0, 1, 3]]
    if wanted.shape != (3,) or not np.isfinite(wanted).all():
        raise ValueError(
            f"Argument `stiffness` must be finite, (6, 6) or C11, C12 and C44, but has shape {np.shape(stiffness)}."
        )
    if not 1 <= count <= len(library):
        raise ValueError(f"Argument `count` must be from 1 to {len(library)}, but is {count}.")
    off = np.abs(library.constants - wanted)
    shares, parts = off / RANGES, off / RANGES
    volume = np.full(len(library), np.nan)
    if volume_fraction is not None:
        if not 0 <= volume_fraction <= 1:
            raise ValueError(f"Argument `volume_fraction` must be from 0 to 1, but is {volume_fraction}.")
        volume = np.abs(library.volume_fraction - volume_fraction)
        parts = np.column_stack([shares, volume])
    numbers = np.argsort(parts.mean(1), kind="stable")[:count]
    weights = np.array([3.0, 6.0, 3.0])  # how often each constant stands in the 6×6 matrix
    relative = np.sqrt((weights * off**2).sum(1) / (weights * wanted**2).sum())
    return Neighbours(numbers, shares.mean(1)[numbers], relative[numbers], volume[numbers])
