"""Noise levels: those that a sampler goes down, and those at which a network is trained."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from .._numbers import whole_number


class Schedule(NamedTuple):
    r"""Noise levels σ, in units of the data's standard deviation.

    A noisy field is :math:`x = x_0 + \sigma n` with n of unit variance. A sampler goes down

    .. math:: \sigma_i = \Big(\sigma_{\max}^{1/\rho} + \frac{i}{n-1} \big(\sigma_{\min}^{1/\rho}
       - \sigma_{\max}^{1/\rho}\big)\Big)^\rho, \qquad \sigma_n = 0,

    and a network is trained at levels whose logarithm is normal. The fields of cells vary in few coarse modes, which
    noise drowns only at levels far above one.

    Attributes:
        lowest: σ_min.
        highest: σ_max.
        exponent: ρ.
        centre: mean of ln σ in training.
        spread: standard deviation of ln σ in training.

    Example:
        >>> from jaxmeta.diffusion import Schedule
        >>> [round(float(level), 2) for level in Schedule(lowest=0.1, highest=10.0).levels(4)]
        [10.0, 2.93, 0.66, 0.1, 0.0]

    References:
        T. Karras and others, "Elucidating the design space of diffusion-based generative models", 2022, Eq. 5, Table 1.
    """

    lowest: float = 0.1
    highest: float = 100.0
    exponent: float = 7.0
    centre: float = 1.2
    spread: float = 1.5

    def levels(self, steps: int) -> Float[np.ndarray, " levels"]:
        """The levels that a sampler goes down in so many steps, the last one zero.

        Raises:
            ValueError: fewer than two steps.
        """
        whole_number("steps", steps, least=2)
        first, last = (level ** (1 / self.exponent) for level in (self.highest, self.lowest))
        return np.append(np.linspace(first, last, steps) ** self.exponent, 0.0)

    def draw(self, key: Key[Array, ""], count: int, dtype: DTypeLike) -> Float[Array, " count"]:
        """Levels for a batch: one from each of `count` equal parts of the distribution, in random order."""
        first, second = jax.random.split(key)
        place = jnp.arange(count, dtype=dtype) + jax.random.uniform(first, (count,), dtype)
        normal = jax.scipy.special.ndtri(jnp.clip(place / count, 1e-6, 1 - 1e-6))
        return jnp.exp(self.centre + self.spread * jax.random.permutation(second, normal))
