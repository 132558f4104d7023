"""Smooth Heaviside projection and its continuation."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@jax.tree_util.register_pytree_node_class
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
        if isinstance(self.beta, float | int) and not 0 < self.beta < float("inf"):
            raise ValueError(f"Argument `beta` must be a finite number above 0, but is {self.beta}.")
        if isinstance(self.eta, float | int) and not 0 <= self.eta <= 1:
            raise ValueError(f"Argument `eta` must be in [0, 1], but is {self.eta}.")

    def tree_flatten(self):
        """Children of the pytree: β and η."""
        return (self.beta, self.eta), None

    @classmethod
    def tree_unflatten(cls, _, children):
        """Rebuild without checks: the children may be tracers or placeholders."""
        new = object.__new__(cls)
        object.__setattr__(new, "beta", children[0])
        object.__setattr__(new, "eta", children[1])
        return new

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


@dataclasses.dataclass(frozen=True)
class Continuation:
    r"""Sharpness as a function of the step: β = min(start · factor^⌊step / every⌋, final).

    Args:
        start: β at step 0.
        factor: What β is multiplied by, at least 1.
        every: Steps between two changes.
        final: Largest β.

    Raises:
        ValueError: If an argument is not as described.

    Example:
        >>> schedule = Continuation(start=1.0, factor=2.0, every=40, final=64.0)
        >>> [float(schedule(step)) for step in (0, 39, 40, 1000)]
        [1.0, 1.0, 2.0, 64.0]

    References:
        Guest, J. K., Prévost, J. H. and Belytschko, T. (2004), "Achieving minimum length scale in topology
        optimization using nodal design variables and projection functions", Int. J. Numer. Methods Eng. 61, section 4.
    """

    start: float | int = 1.0
    factor: float | int = 2.0
    every: int = 40
    final: float | int = 64.0

    def __post_init__(self):
        if not self.start > 0:
            raise ValueError(f"Argument `start` must be above 0, but is {self.start}.")
        if not self.factor >= 1:
            raise ValueError(f"Argument `factor` must be at least 1, but is {self.factor}.")
        if not self.every >= 1:
            raise ValueError(f"Argument `every` must be at least 1, but is {self.every}.")
        if not self.final >= self.start:
            raise ValueError(f"Argument `final` must be at least `start`, {self.start}, but is {self.final}.")

    def __call__(self, step: int | Int[Array, ""]) -> Float[Array, ""]:
        """Sharpness at a step.

        Args:
            step: Number of the step, from 0; a number or a scalar array.

        Returns:
            β, a scalar of the default floating-point dtype.
        """
        changes = (jnp.asarray(step) // self.every).astype(float)
        # The power of a large step may overflow to infinity, which the minimum takes care of.
        return jnp.minimum(self.start * self.factor**changes, float(self.final))
