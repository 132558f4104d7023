"""A slide downhill by inertia for atoms that are far from rest: one compiled program.

Atoms of unit mass move under their forces. Velocities are turned towards the forces, and the time step grows, as long
as the motion goes downhill; where it goes uphill the atoms are stopped and the time step is halved. No atom moves far
in one step. So every atom runs down by itself, where a step of Newton's method is as short as the atom that has
furthest to go allows. Symmetric positions stay symmetric: a slide may end at a saddle.

References:
    E. Bitzek, P. Koskinen, F. Gähler, M. Moseler, P. Gumbsch, Phys. Rev. Lett. 97, 170201 (2006): FIRE.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..solvers import inner
from ._body import Body
from ._energy import gradient

_FIRST, _LONGEST = 0.05, 0.3
"""Time steps, in Å/√eV: the stiffest mode of aluminium, some 12 eV/Å², allows 2/√12."""
_FAR = 0.1
"""The furthest that an atom moves in a step, in Å."""
_TURN, _FADE = 0.1, 0.99
"""Share of a velocity that is turned towards the force, at first, and by what it falls in a step."""
_FASTER, _SLOWER, _PATIENCE = 1.1, 0.5, 5
"""Factors of the time step, and after how many steps downhill it grows."""


class Slid(NamedTuple):
    """Where a slide is.

    Attributes:
        displacement: from the reference positions, (3, n).
        velocity: (3, n).
        slope: gradient on the free atoms, (3, n).
        pace: time step.
        turn: share of the velocity that is turned towards the force.
        downhill: steps since it last went uphill.
        steps: that were taken.
        certified: whether the table of neighbours still holds; the last step was not taken where it does not.
    """

    displacement: Array
    velocity: Array
    slope: Array
    pace: Array
    turn: Array
    downhill: Array
    steps: Array
    certified: Array

    @property
    def force(self) -> Array:
        """Largest component of a force, in eV/Å."""
        return jnp.max(jnp.abs(self.slope), initial=0.0)


def at_rest(like: Array) -> Slid:
    """The state before the first step, of displacements of such a shape."""
    number, count, zero = jnp.asarray(_FIRST, like.dtype), jnp.zeros((), jnp.int32), jnp.zeros_like(like)
    return Slid(zero, zero, zero, number, jnp.asarray(_TURN, like.dtype), count, count, jnp.asarray(True))


@jax.jit
def slide(body: Body, start: Array, before: Slid, calm: Array, max_steps: Array) -> Slid:
    """Slide until no force is larger than `calm` in eV/Å, or the table does not hold any more.

    Args:
        body: to be relaxed.
        start: displacement, (3, n).
        before: how the slide went before; only its displacement and slope do not matter.
        calm: largest force at the end.
        max_steps: most steps, those before included.
    """

    def slope(displacement: Array) -> Array:
        return body.free[None] * gradient(body.potential, body.geometry(displacement))

    def step(state: Slid) -> Slid:
        force, velocity = -state.slope, state.velocity
        down = inner(force, velocity) > 0
        downhill = jnp.where(down, state.downhill + 1, 0)
        long = downhill > _PATIENCE
        faster = jnp.where(long, jnp.minimum(_FASTER * state.pace, _LONGEST), state.pace)
        pace = jnp.where(down, faster, _SLOWER * state.pace)
        turn = jnp.where(down, jnp.where(long, _FADE * state.turn, state.turn), _TURN)
        along = jnp.sqrt(inner(velocity, velocity) / jnp.maximum(inner(force, force), 1e-300))
        velocity = jnp.where(down, (1 - turn) * velocity + turn * along * force, 0) + pace * force
        move = pace * velocity
        length = jnp.sqrt(jnp.sum(move**2, 0))
        displacement = state.displacement + jnp.minimum(1, _FAR / jnp.maximum(length, 1e-300))[None] * move
        certified = body.table.certified(displacement, body.potential.cutoff)
        there = Slid(displacement, velocity, slope(displacement), pace, turn, downhill, state.steps + 1, certified)
        return jax.tree.map(lambda new, old: jnp.where(certified, new, old), there, state)._replace(certified=certified)

    def going(state: Slid) -> Array:
        return state.certified & (state.force > calm) & (state.steps < max_steps)

    state = before._replace(displacement=start, slope=slope(start), certified=jnp.asarray(True))
    return lax.while_loop(going, step, state)
