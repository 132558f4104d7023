"""Equilibrium of a block under loads and prescribed displacements: two parts, and functionals stationary in both.

Let K be the stiffness of the block with nothing held, f the loads, and p the displacement prescribed at the held
components, zero elsewhere. The displacement u = v + w has a part of the loads and one of the supports,

    v = 0 where held, K v = f where free;        w = p + x, x = 0 where held, K w = 0 where free.

v vanishes where K w does not, and K w where v does not, so vᵀ K w = 0: their energies add. Two functionals,

    Π = ½ uᵀ K u − fᵀ u                   the potential energy,
    c = fᵀ u = fᵀ v + fᵀ u − vᵀ K u       the work of the loads, with 0 = fᵀ v − vᵀ K v = vᵀ K w added,

are **stationary** in v and x. Along a free component the slopes of Π are K u − f = 0 by either, and those of c are
2f − K (2v + w) = 0 by v and f − K v = 0 by x. So an error of the parts enters both as a product of two errors; and
the first derivative by all that K, f and p depend on is the explicit one (`solvers.stationary`), with v and x left
alone: no adjoint solve, also for the work of loads beside prescribed displacements, which in terms of u alone is not
stationary. Where nothing but zero is prescribed, c = −2 Π.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..solvers import PCG, Stats, implicit, inner, solve, stationary
from ._boundary import Block
from ._fields import MaterialField
from ._multigrid import Multigrid
from ._operator import Stiffness


class Body(NamedTuple):
    """What K depends on smoothly."""

    material: MaterialField
    spacing: Array

    def stiffness(self, boundary: Block) -> Stiffness:
        """K, with the components that a boundary holds cut off."""
        return Stiffness(self.material, self.spacing, boundary)


class Data(NamedTuple):
    """What the solution depends on smoothly, with what is held and the tolerances.

    Attributes:
        body: material and spacing.
        force: loads f, (3, x, y, z).
        prescribed: p, (3, x, y, z); None if it is zero.
        boundary: what the axes are, and what is held.
        method: when a solve stops.
    """

    body: Body
    force: Array
    prescribed: Array | None
    boundary: Block
    method: PCG

    def image(self, displacement: Array) -> Array:
        """K u with nothing held."""
        return self.body.stiffness(self.boundary.released())(displacement)


class Parts(NamedTuple):
    """v and x, which is None where nothing but zero is prescribed."""

    loaded: Array
    relaxed: Array | None


class Values(NamedTuple):
    """The two functionals."""

    energy: Array
    compliance: Array


def equilibrium(data: Data) -> tuple[Array, Values, Array, Stats]:
    """Displacement, functionals, forces of the supports K u − f, and how the parts were found."""
    found, stats = _found(jax.lax.stop_gradient(data))
    values = stationary(_functionals, _followed, data, found)
    displacement = _sum(data, _followed(data, found))
    image = data.image(displacement) - data.force
    return displacement, values, image - data.boundary.free(image), stats


def _sum(data: Data, parts: Parts) -> Array:
    if data.prescribed is None or parts.relaxed is None:
        return parts.loaded
    return parts.loaded + data.prescribed + parts.relaxed


def _functionals(data: Data, parts: Parts) -> Values:
    displacement = _sum(data, parts)
    image = data.image(displacement)
    energy = inner(0.5 * image - data.force, displacement)
    if data.prescribed is None:
        return Values(energy, -2 * energy)
    return Values(energy, inner(data.force, parts.loaded + displacement) - inner(parts.loaded, image))


def _found(data: Data) -> tuple[Parts, Stats]:
    """The parts, each to a tolerance relative to its own energy: of x, to that which is left, wᵀ K w."""
    operator, free = data.body.stiffness(data.boundary), data.boundary.free
    approximate = Multigrid()(operator)
    loaded = data.method(operator, free(data.force), approximate)
    if data.prescribed is None:
        return Parts(loaded.value, None), loaded.stats
    pull = data.image(data.prescribed)
    relaxed = data.method(operator, -free(pull), approximate, energy=inner(pull, data.prescribed))
    stats = jax.tree.map(lambda *both: jnp.stack(both), loaded.stats, relaxed.stats)
    return Parts(loaded.value, relaxed.value), stats


def _followed(data: Data, found: Parts) -> Parts:
    return implicit(_imbalance, _inverse, data, found)


def _imbalance(data: Data, parts: Parts) -> Parts:
    """K v − f and K (p + x), where free."""
    free = data.boundary.free
    loaded = free(data.image(parts.loaded) - data.force)
    if data.prescribed is None or parts.relaxed is None:
        return Parts(loaded, None)
    return Parts(loaded, free(data.image(data.prescribed + parts.relaxed)))


def _inverse(data: Data, _: Parts) -> Callable[[Parts], Parts]:
    operator = data.body.stiffness(data.boundary)
    approximate = Multigrid()(jax.lax.stop_gradient(data.body).stiffness(data.boundary))
    return lambda forces: jax.tree.map(lambda f: solve(operator, f, data.method, approximate).value, forces)
