r"""How near cells are to what was wanted of them, how they differ from each other, and from what a model has seen.

With C = (C11, C12, C44), relative to a solid with Young's modulus one,

.. math:: e_3 = \frac13 \sum_i \frac{|C_i - C^*_i|}{R_i}, \qquad e = \frac{|C - C^*|}{|C^*|},

where R are the ranges of C11, C12 and C44 in the data of Yang and others (`dataset.RANGES`: 1.3308, 0.6674, 0.3834),
nearly the solid's own moduli: :math:`e_3` is small on light cells whatever they are, so that e stands beside it. Shapes
are compared by `dataset.similarity`, Eq. 4 there: **diversity** by the pairs among the cells of one target, **novelty**
by the most similar cell of a library.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ..dataset import RANGES, Library, similarity

_BLOCK = 1024
_ALIKE = 40  # test cells that are compared with a target
_SAME = 0.9999  # similarity from which on a cell is one of the library


class Measures(NamedTuple):
    """Of k cells for each of n targets; nan where a cell has no stiffness.

    Attributes:
        eq3: Eq. 3 of Yang and others, (n, k).
        plain: |C − C*| / |C*|, (n, k).
        volume: difference of the volume fractions, (n, k).
        pairs: mean similarity of the pairs of cells of each target, (n,); nan for a single cell.
        nearest: similarity to the most similar cell of the library, (n, k).
        nearer: whether a cell is nearer to the target than that one, and not the same, by the plain error, (n, k).
    """

    eq3: Float[np.ndarray, "n k"]
    plain: Float[np.ndarray, "n k"]
    volume: Float[np.ndarray, "n k"]
    pairs: Float[np.ndarray, " n"]
    nearest: Float[np.ndarray, "n k"]
    nearer: Bool[np.ndarray, "n k"]


def eq3_error(wanted: Float[np.ndarray, "... 3"], got: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "..."]:
    """Mean of the differences of C11, C12 and C44, each relative to its range in the data of Yang and others.

    Args:
        wanted: C11, C12, C44, relative to a solid with Young's modulus one.
        got: those of cells.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.generation import eq3_error
        >>> float(eq3_error(np.array([0.3, 0.1, 0.1]), np.array([0.3, 0.1, 0.1 + 0.3833573]))).__round__(6)
        0.333333

    References:
        Y. Yang and others, "Guided diffusion for fast inverse design of density-based mechanical metamaterials", Eq. 3.
    """
    return np.asarray((np.abs(got - wanted) / RANGES).mean(-1))


def plain_error(wanted: Float[np.ndarray, "... 3"], got: Float[np.ndarray, "... 3"]) -> Float[np.ndarray, "..."]:
    """|C − C*| / |C*| over C11, C12 and C44, the error of `fit_stiffness` and `generate`."""
    return np.asarray(np.linalg.norm(got - wanted, axis=-1) / np.linalg.norm(wanted, axis=-1))


def pair_similarity(octants: Bool[np.ndarray, "k m m m"]) -> float:
    """Mean similarity of all pairs of some cells; nan for fewer than two."""
    if len(octants) < 2:
        return float("nan")
    return float(similarity(octants, octants)[np.triu_indices(len(octants), 1)].mean())


def most_similar(
    octants: Bool[np.ndarray, "k m m m"], library: Library
) -> tuple[Float[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """The largest similarity of each cell to one of a library, and the number of that one.

    Args:
        octants: of the library's side, or a multiple of it, for which the voxels of the library are divided.
        library: of cells.

    Raises:
        ValueError: the side is no multiple of that of the library.
    """
    times, rest = divmod(octants.shape[-1], library.side)
    if rest:
        raise ValueError(
            f"Argument `octants` must have a multiple of {library.side} voxels along an edge, but has "
            f"{octants.shape[-1]}."
        )
    best, number = np.full(len(octants), -1.0), np.zeros(len(octants), int)
    block = _BLOCK // times**3
    for first in range(0, len(library), block):
        others = library.octants(np.arange(first, min(first + block, len(library))))
        for axis in (1, 2, 3) if times > 1 else ():
            others = np.repeat(others, times, axis)
        found = similarity(octants, others)
        better = found.max(axis=1) > best
        best = np.maximum(best, found.max(axis=1))
        number[better] = first + found.argmax(axis=1)[better]
    return best, number


def held_out_similarity(
    volume_fraction: Float[np.ndarray, " n"], test: Library, training: Library
) -> Float[np.ndarray, " n"]:
    """The similarity to the most similar training cell that real cells have which no model saw, of as much volume.

    It is what a new cell has by nature: dense cells are alike, whatever they are. For every target the median over the
    forty test cells that are nearest in volume fraction.

    Args:
        volume_fraction: of the targets.
        test: real cells, no relative of which is in `training`.
        training: cells that they are compared with.

    Returns:
        One for each target; nan without test cells.
    """
    if not len(test):
        return np.full(len(volume_fraction), np.nan)
    apart = abs(test.volume_fraction[None] - np.asarray(volume_fraction)[:, None])
    near = np.argsort(apart, axis=1, kind="stable")[:, :_ALIKE]
    some, place = np.unique(near, return_inverse=True)
    return np.median(most_similar(test.octants(some), training)[0][place.reshape(near.shape)], axis=1)


def measure(
    constants: Float[np.ndarray, "n 3"],
    volume_fraction: Float[np.ndarray, " n"],
    octants: Bool[np.ndarray, "n k m m m"],
    got: Float[np.ndarray, "n k 3"],
    nearest: Float[np.ndarray, "n k"],
    theirs: Float[np.ndarray, "n k 3"],
) -> Measures:
    """All measures of k cells that were made for each of n targets.

    Args:
        constants: C11, C12, C44 that were wanted.
        volume_fraction: that was wanted.
        octants: of the cells.
        got: C11, C12, C44 of the cells; nan where there are none.
        nearest: similarity to the most similar cell of a library.
        theirs: C11, C12, C44 of that cell.
    """
    wanted = constants[:, None]
    plain = plain_error(wanted, got)
    return Measures(
        eq3_error(wanted, got),
        plain,
        np.abs(octants.mean(axis=(2, 3, 4)) - volume_fraction[:, None]),
        np.array([pair_similarity(some) for some in octants]),
        nearest,
        (plain < plain_error(wanted, theirs)) & (nearest < _SAME),
    )
