"""Smooth Heaviside projection."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from .._arguments import real_number
from .._pytree import parameters


@parameters
@dataclasses.dataclass(frozen=True)
class Heaviside:
    r"""Smooth step that drives densities to 0 and 1.

    $$ \bar\rho = \frac{\tanh(\beta\eta) + \tanh(\beta(\tilde\rho - \eta))}
                       {\tanh(\beta\eta) + \tanh(\beta(1 - \eta))} $$

    It maps 0 to 0, 1 to 1, is increasing, approaches the identity for small β and a step at η for large β. Sharpness
    and threshold may be arrays inside a trace: the object is a pytree, and a new sharpness compiles nothing.

    Args:
        beta: Sharpness β > 0; a number or a scalar array.
        eta: Threshold η in [0, 1]; a number or a scalar array.

    Raises:
        ValueError: If a concrete number is out of its range.

    Example:
        >>> import jax.numpy as jnp
        >>> [f"{value:.3f}" for value in Heaviside(beta=8.0)(jnp.array([0.0, 0.4, 0.5, 1.0]))]
        ['0.000', '0.168', '0.500', '1.000']

    References:
        Wang, F., Lazarov, B. S. and Sigmund, O. (2011), "On projection methods, convergence and robust formulations in
        topology optimization", Struct. Multidiscip. Optim. 43, eq. 9.
    """

    beta: float | int | Float[Array, ""]
    eta: float | int | Float[Array, ""] = 0.5

    def __post_init__(self):
        real_number("beta", self.beta, "be a finite number above 0", lambda beta: 0 < beta < float("inf"))
        real_number("eta", self.eta, "be in [0, 1]", lambda eta: 0 <= eta <= 1)

    def __call__(self, density: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Project a density.

        Args:
            density: Any shape, dimensionless, in [0, 1].

        Returns:
            Projected density of the same shape and dtype.
        """
        beta = jnp.asarray(self.beta, density.dtype)
        eta = jnp.asarray(self.eta, density.dtype)
        low, high = jnp.tanh(beta * eta), jnp.tanh(beta * (1 - eta))
        return (low + jnp.tanh(beta * (density - eta))) / (low + high)
