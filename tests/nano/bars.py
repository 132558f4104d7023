"""A bar with a notch that is sheared and pulled at its end: of one size, so that one program serves many tests."""

from functools import cache

import numpy as np

import jaxmeta as jm

ZHOU = jm.nano.zhou2004("Al")
A0 = 4.0502475


@cache
def bar():
    """Positions, held atoms and direction, and empty sites in the notch."""
    lattice = jm.nano.Lattice((6, 2, 2), A0)
    where = lattice.positions
    notch = (abs(where[:, 0] - 12) < 1.9) & (where[:, 1] > 5)
    low, high = where[:, 0] < A0 - 0.1, where[:, 0] > 5 * A0 - 0.1
    direction = np.outer(high, [0.8, 0.6, 0.0])
    return where[~notch], (low | high)[~notch], direction[~notch], where[notch]


@cache
def solved():
    """Its stiffness."""
    return jm.nano.stiffness(ZHOU, *bar()[:3])
