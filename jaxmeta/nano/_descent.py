"""Newton's method with a trust region for the positions of free atoms: one compiled program.

At every step H p = −g is solved by preconditioned CG, the more accurately the smaller the force. No atom moves further
than the trust radius; where a large body moves as a whole, none moves so far from those near to it. A step that does
not lower the energy by a share of what its slope promises is tried anew, four times shorter. Where CG meets a direction
of negative curvature, what it has found before lowers the energy and is taken, and H is shifted by a multiple of unity
in the steps that follow, as long as it takes; near a place without forces the descent ends there, for then it is a
saddle.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..solvers import PCG, Result, inner
from ._body import Body
from ._energy import gradient, site_energies

_TIGHTEST, _LOOSEST = 1e-4, 0.1
"""Relative residuals of CG; between them it is the largest force in eV/Å."""
_RADIUS, _WIDEST = 0.2, 0.3
"""First and largest trust radius, in Å. Two atoms can part by less than tables are certified for, after any step."""
LOOSE = 0.5
"""A step of a large body in which an atom would go further from those around, in Å, ends the descent: a few atoms that
have far to go would hold up all others."""
_DECREASE = 1e-4
_SHORTEST = 1e-6
_SHIFTS = 1e-3, 0.2
"""Least and first shift of the Hessian, in eV/Å²."""
_SADDLE = 1e-2
"""Force in eV/Å below which negative curvature ends the descent."""
_ROUNDING = 1e-15


class Ended(IntEnum):
    """Why a descent ended."""

    going = 0
    relaxed = 1
    table = 2
    saddle = 3
    stagnated = 4
    loose = 5


class State(NamedTuple):
    """Where a descent is.

    Attributes:
        displacement: from the reference positions, (3, n).
        energies: of the atoms, (n,).
        slope: gradient on the free atoms, (3, n).
        apart: how far the atoms of a large body would have gone from those around, if the last step had been taken as
            Newton's equations have it, (n,).
        radius: of the trust region, in Å.
        shift: of the Hessian, in eV/Å².
        steps, products: Newton and CG steps taken; a Newton step that the table did not certify is none.
        ended: an `Ended`.
    """

    displacement: Array
    energies: Array
    slope: Array
    apart: Array
    radius: Array
    shift: Array
    steps: Array
    products: Array
    ended: Array

    @property
    def force(self) -> Array:
        """Largest component of a force, in eV/Å."""
        return jnp.max(jnp.abs(self.slope), initial=0.0)


class _Trial(NamedTuple):
    share: Array
    displacement: Array
    energies: Array
    accepted: Array
    certified: Array


@jax.jit
def descend(body: Body, start: Array, tolerance: Array, max_steps: Array, insist: Array) -> State:
    """Lower the energy until no force is larger than the tolerance in eV/Å.

    Args:
        body: to be relaxed.
        start: displacement, (3, n).
        tolerance: of forces.
        max_steps: of Newton's method.
        insist: go on where CG meets negative curvature near a place without forces; rounding makes it of a body that
            is free to turn.
    """
    corrections, boxes = body.corrections(), body.table.boxes

    def slope(displacement: Array) -> Array:
        return body.free[None] * gradient(body.potential, body.geometry(displacement))

    def step(state: State) -> State:
        operator = body.hessian(state.displacement)
        approximate = body.preconditioner(operator, corrections)
        method = PCG(residual=jnp.clip(state.force, _TIGHTEST, _LOOSEST), max_steps=1000)
        solved = method(lambda p: body.free[None] * operator(p) + state.shift * p, -state.slope, approximate)
        bent = solved.result == Result.breakdown.value
        shift = jnp.where(bent, jnp.maximum(2 * state.shift, _SHIFTS[1]), 0.25 * state.shift)
        shift = jnp.where(shift < _SHIFTS[0], 0, shift)
        move = jnp.where(solved.stats.steps > 0, solved.value, -approximate(state.slope))
        apart = jnp.sqrt(jnp.sum(move**2, 0)) if boxes is None else boxes.apart(move)
        furthest = jnp.max(apart)
        share = jnp.minimum(1, state.radius / jnp.maximum(furthest, 1e-300))
        promised = inner(state.slope, move)

        def attempt(share: Array) -> _Trial:
            displacement = state.displacement + share * move
            energies = site_energies(body.potential, body.geometry(displacement))
            change = jnp.sum(energies - state.energies)
            noise = _ROUNDING * jnp.sum(jnp.abs(energies))
            accepted = change <= _DECREASE * share * promised + noise
            return _Trial(
                share, displacement, energies, accepted, body.table.certified(displacement, body.potential.cutoff)
            )

        # With a new table a large body must come somewhere, however far it would move as a whole.
        first = state.steps == 0 if boxes is not None else jnp.asarray(False)

        def again(trial: _Trial) -> Array:
            long = (trial.share > share) | (trial.share * furthest > _SHORTEST)
            return jnp.where(trial.certified, ~trial.accepted, first) & long

        none = _Trial(4 * share, state.displacement, state.energies, jnp.asarray(False), jnp.asarray(True))
        trial = lax.while_loop(again, lambda trial: attempt(0.25 * trial.share), none)
        taken = trial.accepted & trial.certified
        displacement = jnp.where(taken, trial.displacement, state.displacement)
        there = slope(displacement)
        whole = trial.share >= share
        radius = jnp.where(whole, jnp.minimum(2 * state.radius, _WIDEST), trial.share * furthest)
        after = State(
            displacement,
            jnp.where(taken, trial.energies, state.energies),
            there,
            apart,
            jnp.where(taken, radius, state.radius),
            shift,
            state.steps + trial.certified.astype(jnp.int32),
            state.products + solved.stats.steps,
            state.ended,
        )
        ended = jnp.where(bent & (after.force < _SADDLE) & ~insist, Ended.saddle.value, Ended.going.value)
        ended = jnp.where(trial.accepted, ended, jnp.where(bent & ~insist, Ended.saddle.value, Ended.stagnated.value))
        if boxes is not None:
            ended = jnp.where(furthest > LOOSE, Ended.loose.value, ended)
        ended = jnp.where(trial.certified, ended, Ended.table.value)
        ended = jnp.where(after.force <= tolerance, Ended.relaxed.value, ended)
        return after._replace(ended=ended.astype(jnp.int32))

    zero, none = jnp.zeros((), jnp.int32), jnp.zeros((), start.dtype)
    energies, radius = site_energies(body.potential, body.geometry(start)), jnp.asarray(_RADIUS, start.dtype)
    state = State(start, energies, slope(start), jnp.zeros_like(start[0]), radius, none, zero, zero, zero)
    state = state._replace(ended=jnp.where(state.force <= tolerance, Ended.relaxed.value, zero).astype(jnp.int32))
    return lax.while_loop(lambda s: (s.ended == Ended.going.value) & (s.steps < max_steps), step, state)
