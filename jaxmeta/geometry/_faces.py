"""Whether two cells that stand side by side connect."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

SMALLER, LARGER = 0.8, 0.5
"""Shares of the smaller and of the larger face's solid that two faces which fit have in common."""


def faces_fit(
    one: Bool[np.ndarray, "*batch pixels"], other: Bool[np.ndarray, "*batch pixels"]
) -> Bool[np.ndarray, "*batch"]:
    """Whether two faces have 80 % of the smaller one's solid and 50 % of the larger one's in common.

    Args:
        one: solid on the face of a cell, its pixels in one row.
        other: solid on the face that touches it.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.geometry import faces_fit
        >>> faces = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1]], bool)
        >>> bool(faces_fit(faces[0], faces[1])), bool(faces_fit(faces[0], faces[2]))
        (True, False)
    """
    common, sizes = (one & other).sum(-1), (one.sum(-1), other.sum(-1))
    enough = (common >= SMALLER * np.minimum(*sizes)) & (common >= LARGER * np.maximum(*sizes)) & (common > 0)
    return np.asarray(enough)
