"""Smooth Heaviside projection, its continuation, and the eroded and dilated variants of a design."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
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


def volume_preserving_eta(density: Float[Array, "*shape"], beta: float | int | Float[Array, ""]) -> Float[Array, ""]:
    r"""Threshold for which projection leaves the volume unchanged.

    Solves mean(H(ρ; β, η)) = mean(ρ) for η. The left side decreases from at least mean(ρ) at η = 0, where the
    projection is concave, to at most mean(ρ) at η = 1, where it is convex, so there is a solution and bisection finds
    it. Derivatives follow from the implicit function theorem, to any order.

    Args:
        density: Filtered density, any shape, dimensionless, in [0, 1].
        beta: Sharpness β > 0; a number or a scalar array.

    Returns:
        η in [0, 1], a scalar of the density's dtype.

    Example:
        >>> import jax.numpy as jnp
        >>> density = jnp.linspace(0.0, 0.6, 101)
        >>> eta = volume_preserving_eta(density, beta=16.0)
        >>> print(f"{Heaviside(16.0, eta)(density).mean():.4f}")
        0.3000

    References:
        Xu, S., Cai, Y. and Cheng, G. (2010), "Volume preserving nonlinear density filter based on heaviside
        functions", Struct. Multidiscip. Optim. 41.
    """
    dtype = density.dtype
    sharpness = jnp.asarray(beta, dtype)

    def excess(eta):
        return jnp.mean(Heaviside(sharpness, eta)(density)) - jnp.mean(density)

    def bisect(function, start):
        def halve(_, bracket):
            low, high = bracket
            middle = (low + high) / 2
            above = function(middle) > 0  # too much volume: the threshold rises
            return jnp.where(above, middle, low), jnp.where(above, high, middle)

        halvings = -int(np.log2(jnp.finfo(dtype).eps)) + 1
        low, high = jax.lax.fori_loop(0, halvings, halve, (jnp.zeros_like(start), jnp.ones_like(start)))
        return (low + high) / 2

    def solve_tangent(slope, rhs):
        # A density that is 0 or 1 everywhere does not depend on η at all.
        derivative = slope(jnp.ones((), dtype))
        return jnp.where(derivative == 0, 0, rhs / jnp.where(derivative == 0, 1, derivative))

    return jax.lax.custom_root(excess, jnp.asarray(0.5, dtype), bisect, solve_tangent)


class Robust(NamedTuple):
    """Three projections of one filtered density.

    A design whose eroded, intermediate and dilated variants all perform has no solid or void feature thinner than
    what the thresholds and the filter radius allow.

    Attributes:
        eroded: Threshold 1/2 + offset; the thinnest solid.
        intermediate: Threshold 1/2; the blueprint.
        dilated: Threshold 1/2 − offset; the thickest solid.
    """

    eroded: Heaviside
    intermediate: Heaviside
    dilated: Heaviside


def robust(beta: float | int | Float[Array, ""], offset: float | int = 0.2) -> Robust:
    """Projections of the robust formulation.

    Args:
        beta: Common sharpness β > 0; a number or a scalar array.
        offset: Distance of the outer thresholds from 1/2, in [0, 1/2].

    Returns:
        The eroded, the intermediate and the dilated projection.

    Raises:
        ValueError: If the offset is out of its range.

    Example:
        >>> [float(variant(jnp.array(0.6)).round(2)) for variant in robust(beta=32.0, offset=0.2)]
        [0.0, 1.0, 1.0]

    References:
        Wang, F., Lazarov, B. S. and Sigmund, O. (2011), "On projection methods, convergence and robust formulations in
        topology optimization", Struct. Multidiscip. Optim. 43, section 4.
    """
    if not 0 <= offset <= 0.5:
        raise ValueError(f"Argument `offset` must be in [0, 0.5], but is {offset}.")
    return Robust(Heaviside(beta, 0.5 + offset), Heaviside(beta, 0.5), Heaviside(beta, 0.5 - offset))
