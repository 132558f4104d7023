"""The cells of a library that are nearest to a wanted stiffness: the baseline of every generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float, Int

from .._numbers import whole_number
from ..cells import Facts
from ._library import Library

RANGES = np.array([1.3425703 - 0.0118019, 0.5749314 + 0.0924240, 0.3837908 - 0.0004335])
"""Ranges of C11, C12, C44 in the data of Yang and others, in units of the solid's Young's modulus: the denominators of
the error that they state."""


class Neighbours(NamedTuple):
    """Cells in the order of their distance.

    Attributes:
        numbers: of the cells in the library, (count,).
        relative_error: |ΔC| / |C| over C11, C12 and C44, (count,): the norm that `fit_stiffness` and `generate` use.
        error: mean of |ΔC11|, |ΔC12| and |ΔC44|, each relative to its range in the data of Yang and others, (count,).
            These ranges are nearly the full solid's moduli, so that it is small on light cells.
        volume_error: difference of the volume fractions, or nan where none was asked for, (count,).
    """

    numbers: Int[np.ndarray, " count"]
    relative_error: Float[np.ndarray, " count"]
    error: Float[np.ndarray, " count"]
    volume_error: Float[np.ndarray, " count"]


def nearest(
    library: Library,
    stiffness: Float[ArrayLike, "..."],
    volume_fraction: float | None = None,
    count: int = 1,
    *,
    per_family: int | None = None,
    printable: bool = False,
) -> Neighbours:
    """The cells whose stiffness, and volume fraction if it is given, are nearest.

    The distance is |ΔC| / |C| over C11, C12 and C44, plus |Δf| if a volume fraction f is given.

    Args:
        library: of cells.
        stiffness: wanted, cubic: (6, 6), or C11, C12, C44; relative to a solid with Young's modulus one.
        volume_fraction: wanted, or None.
        count: of cells.
        per_family: at most so many cells of one family, those that come from one optimised cell; None for any number.
        printable: only cells without hinges and without members thinner than two voxels; each is looked at when it is
            met, ten milliseconds a cell.

    Returns:
        The nearest cells with their errors; fewer than asked for where the library has no more of them.

    Raises:
        ValueError: the stiffness is neither (6, 6) nor three constants, or a number is out of range.

    Example:
        >>> import jaxmeta as jm
        >>> library = jm.dataset.load()
        >>> found = jm.dataset.nearest(library, library[7].stiffness, library[7].volume_fraction)
        >>> int(found.numbers[0]), float(found.relative_error[0])
        (7, 0.0)
        >>> others = jm.dataset.nearest(library, library[7].stiffness, count=3, per_family=1)
        >>> len({library[int(number)].provenance["family"] for number in others.numbers})
        3

    References:
        Y. Yang and others, "Guided diffusion for fast inverse design of density-based mechanical metamaterials", Eq. 3.
    """
    wanted = np.asarray(stiffness, float)
    if wanted.shape == (6, 6):
        wanted = wanted[[0, 0, 3], [0, 1, 3]]
    if wanted.shape != (3,) or not np.isfinite(wanted).all() or not wanted.any():
        raise ValueError(
            f"Argument `stiffness` must be finite, (6, 6) or C11, C12 and C44, not all zero, but has shape "
            f"{np.shape(stiffness)}."
        )
    if not 1 <= count <= len(library):
        raise ValueError(f"Argument `count` must be from 1 to {len(library)}, but is {count}.")
    if per_family is not None:
        whole_number("per_family", per_family, 1)
    off = np.abs(library.constants - wanted)
    relative = np.linalg.norm(off, axis=1) / np.linalg.norm(wanted)
    volume, distance = np.full(len(library), np.nan), relative
    if volume_fraction is not None:
        if not 0 <= volume_fraction <= 1:
            raise ValueError(f"Argument `volume_fraction` must be from 0 to 1, but is {volume_fraction}.")
        volume = np.abs(library.volume_fraction - volume_fraction)
        distance = relative + volume
    order = np.argsort(distance, kind="stable")
    numbers = np.array(list(islice(_admitted(library, order, per_family, printable), count)), int)
    return Neighbours(numbers, relative[numbers], (off / RANGES).mean(1)[numbers], volume[numbers])


def _admitted(library: Library, order: Int[np.ndarray, " n"], per_family: int | None, printable: bool) -> Iterator[int]:
    """Numbers of cells that may be taken, in their order."""
    families, taken = library.column("family"), Counter()
    for number in order.tolist():
        if per_family is not None and taken[families[number]] == per_family:
            continue
        if printable and not _is_printable(library[number].facts):
            continue
        taken[families[number]] += 1
        yield number


def _is_printable(facts: Facts) -> bool:
    return facts.thin == 0 and not any(facts.hinges)
