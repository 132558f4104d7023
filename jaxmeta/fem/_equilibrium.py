"""Equilibrium of a block under loads and prescribed displacements: two parts, and functionals stationary in both.

Let K be the stiffness of the block with nothing held, f the loads, and p the displacement prescribed at the held
components, zero elsewhere. The displacement u = v + w has a part of the loads and one of the supports,

    v = 0 where held, K v = f where free;        w = p + x, x = 0 where held, K w = 0 where free.

v vanishes where K w does not, and K w where v does not, so vᵀ K w = 0: their energies add. Two functionals,

    Π = ½ uᵀ K u − fᵀ u                   the potential energy,
    c = fᵀ u = fᵀ v + fᵀ u − vᵀ K u       the work of the loads, with 0 = fᵀ v − vᵀ K v = vᵀ K w added,

are **stationary** in v and x. Along a free component the slopes of Π are K u − f = 0 by either, and those of c are
2f − K (2v + w) = 0 by v and f − K v = 0 by x. So an error of the parts enters both as a product of two errors; and
the first derivative by all that K, f and p depend on is the explicit one, with v and x left alone: no adjoint solve,
also for the work of loads beside prescribed displacements, which in terms of u alone is not stationary. Where nothing
but zero is prescribed, c = −2 Π. The parts stay differentiable functions inside the rule, so second derivatives come
out right.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from ..solvers import PCG, Stats, inner
from ..solvers import solve as linear_solve
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
    """What the solution depends on smoothly.

    Attributes:
        body: material and spacing.
        force: loads f, (3, x, y, z).
        prescribed: p, (3, x, y, z); None if it is zero.
    """

    body: Body
    force: Array
    prescribed: Array | None


class Parts(NamedTuple):
    """v and x, which is None where nothing but zero is prescribed."""

    loaded: Array
    relaxed: Array | None


class Values(NamedTuple):
    """The two functionals."""

    energy: Array
    compliance: Array


@partial(jax.jit, static_argnums=0)
def equilibrium(method: PCG, boundary: Block, data: Data) -> tuple[Array, Values, Array, Stats]:
    """Displacement, functionals, forces of the supports K u − f, and how the parts were found."""
    values, parts, stats = _solved(method, boundary, data)
    displacement = _sum(data, parts)
    image = data.body.stiffness(boundary.released())(displacement) - data.force
    return displacement, values, image - boundary.free(image), stats


def _sum(data: Data, parts: Parts) -> Array:
    return parts.loaded if data.prescribed is None else parts.loaded + data.prescribed + parts.relaxed


def _functionals(boundary: Block, data: Data, parts: Parts) -> Values:
    displacement = _sum(data, parts)
    image = data.body.stiffness(boundary.released())(displacement)
    energy = inner(0.5 * image - data.force, displacement)
    if data.prescribed is None:
        return Values(energy, -2 * energy)
    return Values(energy, inner(data.force, parts.loaded + displacement) - inner(parts.loaded, image))


def _parts(method: PCG, boundary: Block, data: Data) -> tuple[Parts, Stats]:
    approximate = Multigrid()(jax.lax.stop_gradient(data.body).stiffness(boundary))
    loaded = linear_solve(data.body.stiffness(boundary), boundary.free(data.force), method, approximate)
    if data.prescribed is None:
        return Parts(loaded.value, None), loaded.stats
    relaxed, stats = _relaxed(method, boundary, data.body, data.prescribed)
    return Parts(loaded.value, relaxed), jax.tree.map(lambda *both: jnp.stack(both), loaded.stats, stats)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _relaxed(method: PCG, boundary: Block, body: Body, prescribed: Array) -> tuple[Array, Stats]:
    """x, to a tolerance relative to the energy that is left, wᵀ K w."""
    pull = body.stiffness(boundary.released())(prescribed)
    operator = body.stiffness(boundary)
    solution = method(operator, -boundary.free(pull), Multigrid()(operator), energy=inner(pull, prescribed))
    return solution.value, solution.stats


@_relaxed.defjvp
def _relaxed_jvp(method: PCG, primals, tangents):
    # 0 = K (p + x) where free, so K dx = −(dK (p + x) + K dp).
    boundary, body, prescribed = primals
    relaxed, stats = _relaxed(method, boundary, body, prescribed)

    def imbalance(body: Body, prescribed: Array) -> Array:
        return boundary.free(body.stiffness(boundary.released())(prescribed + relaxed))

    _, d_force = jax.jvp(imbalance, (body, prescribed), tangents[1:])
    approximate = Multigrid()(jax.lax.stop_gradient(body).stiffness(boundary))
    d_relaxed = linear_solve(body.stiffness(boundary), -d_force, method, approximate).value
    return (relaxed, stats), (d_relaxed, _no_change(stats))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _solved(method: PCG, boundary: Block, data: Data) -> tuple[Values, Parts, Stats]:
    parts, stats = _parts(method, boundary, data)
    return _functionals(boundary, data, parts), parts, stats


@_solved.defjvp
def _solved_jvp(method: PCG, primals, tangents):
    boundary, data = primals
    parts, d_parts, stats = jax.jvp(lambda d: _parts(method, boundary, d), (data,), (tangents[1],), has_aux=True)
    values, d_values = jax.jvp(lambda d: _functionals(boundary, d, parts), (data,), (tangents[1],))
    return (values, parts, stats), (d_values, d_parts, _no_change(stats))


def _no_change(stats: Stats) -> Stats:
    return jax.tree.map(jax.custom_derivatives.zero_from_primal, stats)
