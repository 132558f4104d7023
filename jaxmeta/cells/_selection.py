"""Which of many small changes together make a wanted one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

_MISS = 300.0
"""Price of a unit that is missed, beside prices of a few for a change that moves by a unit."""
_NEAR = 0.05
"""Distance from what is wanted that is near enough."""
_TRIED = 300


def select(
    change: Float[np.ndarray, "m k"],
    wanted: Float[np.ndarray, " m"],
    price: Float[np.ndarray, " k"],
    rng: np.random.Generator,
) -> Bool[np.ndarray, " k"]:
    """Choose changes whose sum is near what is wanted, at a low price.

    The linear programme: the least price of x and of the parts s that are missed,

    .. math:: \\min_{0 \\le x \\le 1} \\sum_k p_k x_k + 300\\, |s|_1, \\qquad P x + s = r .

    A vertex has no more fractions than rows. They are rounded; then single changes and pairs are taken up or left out
    as long as the sum comes nearer.

    Args:
        change: P, in units of what is near enough.
        wanted: r, in the same units.
        price: of each change.
        rng: for the changes that are tried in the end.
    """  # fmt: skip
    from scipy.optimize import linprog

    rows, count = change.shape
    balance = np.hstack([change, np.eye(rows), -np.eye(rows)])
    prices = np.concatenate([price, np.full(2 * rows, _MISS)])
    limits = [(0, 1)] * count + [(0, None)] * (2 * rows)
    found = linprog(prices, A_eq=balance, b_eq=wanted, bounds=limits, method="highs")
    chosen = found.x[:count] > 0.5
    while True:
        left = wanted - change @ chosen
        distance = np.linalg.norm(left)
        if distance < _NEAR:
            return chosen
        tried = np.unique(np.concatenate([np.flatnonzero(chosen), rng.permutation(count)[:_TRIED]]))
        turned = change[:, tried] * np.where(chosen[tried], -1.0, 1.0)
        one = left[:, None] - turned
        two = np.linalg.norm(one[:, :, None] - turned[:, None, :], axis=0)
        np.fill_diagonal(two, np.linalg.norm(one, axis=0))  # the same one twice: this one alone
        best = np.unravel_index(np.argmin(two), two.shape)
        if two[best] > 0.9 * distance:
            return chosen
        chosen[tried[list(set(best))]] ^= True
