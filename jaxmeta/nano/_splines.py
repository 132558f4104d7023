"""Cubic Hermite splines of tabulated functions, by the rule of LAMMPS."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Spline:
    """A function given at 0, h, 2h, …: between two points the cubic with the given values and slopes.

    The slope at a point is the difference of fourth order, (f₋₂ − 8 f₋₁ + 8 f₁ − f₂)/12h, at the points next to the
    ends the central difference, at the ends the one-sided one. This is how LAMMPS reads `eam/alloy` and `eam/fs`.

    Args:
        coefficients: of powers 0 to 3 of the place in the interval, which runs from 0 to 1, (n, 4).
        per_step: 1/h.
    """

    coefficients: Float[np.ndarray, "n 4"] | Array
    per_step: float | Array

    @classmethod
    def of(cls, values: Float[np.ndarray, "n"], step: float) -> Spline:
        """Of at least five values at distances `step`."""
        slopes = np.empty_like(values)
        slopes[0], slopes[-1] = values[1] - values[0], values[-1] - values[-2]
        slopes[1], slopes[-2] = 0.5 * (values[2] - values[0]), 0.5 * (values[-1] - values[-3])
        slopes[2:-2] = ((values[:-4] - values[4:]) + 8.0 * (values[3:-1] - values[1:-3])) / 12.0
        rise = values[1:] - values[:-1]
        second = 3.0 * rise - 2.0 * slopes[:-1] - slopes[1:]
        third = slopes[:-1] + slopes[1:] - 2.0 * rise
        return cls(np.stack([values[:-1], slopes[:-1], second, third], 1), 1.0 / step)

    def __call__(self, x: Float[Array, "*n"]) -> Float[Array, "*n"]:
        """The function; derivatives of any order are those of the cubics."""
        table = jnp.asarray(self.coefficients)
        place = x * jnp.asarray(self.per_step, x.dtype)
        interval = jnp.clip(place, 0, len(table) - 1).astype(jnp.int32)
        rest = place - interval.astype(x.dtype)
        within = jnp.minimum(rest, 1)
        c = table.at[interval].get(mode="promise_in_bounds")
        value = ((c[..., 3] * within + c[..., 2]) * within + c[..., 1]) * within + c[..., 0]
        return value + (3 * c[..., 3] + 2 * c[..., 2] + c[..., 1]) * (rest - within)
