"""Where the cells of a library lie in property space, and how many lie near each other there."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from ..elasticity import CubicConstants
from . import _file, _records


def properties(columns: _file.Columns) -> Float[np.ndarray, "n 3"]:
    """Volume fraction, Poisson's ratio C12/(C11 + C12), and the bulk modulus relative to its bound."""
    constants, fraction = columns["constants"], columns["volume_fraction"]
    return np.column_stack([fraction, CubicConstants(*constants.T).poisson, _records.shares(constants, fraction)[:, 0]])


BOX = np.array([0.05, 0.05, 0.1])
"""Edges of the boxes of property space in which records are counted."""


def boxes(columns: _file.Columns) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " boxes"]]:
    """The box of each record, numbered, and the number of records in each box."""
    places = np.floor(properties(columns) / BOX).astype(int)
    _, box, counts = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    return box.ravel(), counts
