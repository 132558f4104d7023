"""Relaxation: the nearest positions of least energy, and what is done where a descent ends at a saddle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Float

from .._arguments import require_kind
from .._numbers import plain_number, whole_number
from ._body import Body, body_of, checked_held
from ._cells import Cell, checked_cell, checked_positions
from ._descent import Ended, State, descend
from ._eam import EAM
from ._energy import compiled_energies
from ._evaluate import Flags, checked_occupancy
from ._modes import Mode, softest_mode

_FREE: Flags = (False, False, False)
_UNSTABLE = -1e-6
"""An eigenvalue below is negative, in eV/Å²; rounding makes less of the motions of a free rigid body."""
_KICKS = (0.1, 0.03, 0.01, 0.003)
"""How far the atom that moves most is moved along an unstable mode, in Å."""
_MODE = 1e-6
_MOST_TABLES = 200


class RelaxationError(RuntimeError):
    """Atoms were not relaxed: they were unstable and were not to be followed, or the method ran out of steps."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Relaxed atoms.

    Args:
        positions: (n, 3), in Å.
        energy: in eV.
        force: largest component of a force on a free atom, in eV/Å.
        lowest_eigenvalue: of the Hessian of the free atoms, in eV/Å²; near zero where a body can move as a whole.
            Infinite if none is free.
        instabilities: how many saddles were left along an unstable mode.
        steps: of Newton's method.
        products: steps of conjugate gradients in all of them.
    """

    positions: Float[np.ndarray, "n 3"]
    energy: float
    force: float
    lowest_eigenvalue: float
    instabilities: int
    steps: int
    products: int


class Settled(NamedTuple):
    """Relaxed atoms with their table.

    Attributes:
        where: reference positions of the table, (n, 3).
        body: the atoms.
        state: how the descent ended; displacements are from `where`.
        mode: the softest.
        instabilities, steps, products: see `Relaxation`.
    """

    where: np.ndarray
    body: Body
    state: State
    mode: Mode | None
    instabilities: int
    steps: int
    products: int

    @property
    def positions(self) -> Float[np.ndarray, "n 3"]:
        """Of the relaxed atoms."""
        return self.where + np.asarray(self.state.displacement).T[: len(self.where)]

    @property
    def energy(self) -> float:
        """In eV."""
        return float(np.asarray(self.state.energies).sum())

    @property
    def lowest_eigenvalue(self) -> float:
        """In eV/Å²; infinite if no atom is free."""
        return np.inf if self.mode is None else float(self.mode.value)


def relax(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    held: Bool[ArrayLike, "n"] | None = None,
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    *,
    occupancy: Float[ArrayLike, "n"] | None = None,
    tolerance: float = 1e-9,
    max_steps: int = 200,
    follow: bool = True,
) -> Relaxation:
    """Move the free atoms to the nearest positions of least energy: Newton's method with a trust region.

    Newton's equations are solved by conjugate gradients. Where atoms are held, the preconditioner has a voxel grid, so
    that steps do not grow with the body. At the end the lowest eigenvalue of the Hessian is computed. Where it is
    negative the atoms are at a saddle, though there are no forces: they are moved along the unstable mode, and on.

    Args:
        potential: of the atoms.
        positions: to start from, in Å.
        held: atoms that stay where they are; none if omitted.
        cell: its rows are the lattice vectors, in Å.
        pbc: along which of them the atoms repeat.
        occupancy: from 0 for a site without an atom to 1; 1 everywhere if omitted.
        tolerance: largest component of a force at the end, in eV/Å.
        max_steps: of Newton's method.
        follow: leave saddles; an error otherwise.

    Raises:
        ValueError: an argument is not as described.
        RelaxationError: the atoms are unstable and `follow` is not set, or the steps did not do.

    Example:
        Two atoms find their distance.

        >>> import numpy as np, jaxmeta as jm
        >>> pair = jm.nano.relax(jm.nano.zhou2004("Al"), [[0.0, 0.0, 0.0], [2.6, 0.0, 0.0]], held=[True, False])
        >>> print(f"{pair.positions[1, 0]:.3f} {pair.energy:.3f} {pair.force < 1e-9}")
        2.236 -1.455 True
    """
    require_kind("potential", potential, (EAM,))
    where = checked_positions("positions", positions)
    box, flags = checked_cell(cell, pbc), checked_held(held, len(where))
    there = checked_occupancy(occupancy, len(where))
    tolerance = plain_number("tolerance", tolerance, "be positive", lambda x: x > 0)
    max_steps = whole_number("max_steps", max_steps, 1)
    with jax.enable_x64(True):
        done = settle(potential, where, flags, box, there, tolerance, max_steps, follow)
        force = float(done.state.force)
        return Relaxation(
            done.positions, done.energy, force, done.lowest_eigenvalue, done.instabilities, done.steps, done.products
        )


def settle(
    potential: EAM,
    where: np.ndarray,
    held: np.ndarray,
    box: Cell,
    occupancy: np.ndarray,
    tolerance: float = 1e-9,
    max_steps: int = 200,
    follow: bool = True,
    body: Body | None = None,
    frame: np.ndarray | None = None,
) -> Settled:
    """`relax` of checked arguments, in a context of float64.

    Args:
        body: of the atoms at `where`, if it is there already.
        frame: of its grid, where it is not that of the atoms.
    """
    body = body_of(potential, where, held, box, occupancy) if body is None else body
    start = jnp.zeros((3, body.table.count))
    loose = bool((~held & (occupancy > 0)).any())
    instabilities = steps = products = 0
    insist = False
    for _ in range(_MOST_TABLES):
        state = descend(body, start, jnp.asarray(tolerance), jnp.asarray(max_steps - steps), jnp.asarray(insist))
        steps, products = steps + int(state.steps), products + int(state.products)
        ended = Ended(int(state.ended))
        if ended is Ended.table:
            where, total = where + np.asarray(state.displacement).T[: len(where)], body.table.count
            del body  # before the next takes as much memory
            body = body_of(potential, where, held, box, occupancy, total, frame)
            start = jnp.zeros_like(start)
            continue
        if ended is Ended.going:
            break
        mode = softest_mode(body, state.displacement, jnp.asarray(_MODE)) if loose else None
        if mode is None or float(mode.value) > _UNSTABLE:
            if ended is Ended.relaxed:
                return Settled(where, body, state, mode, instabilities, steps, products)
            if ended is Ended.stagnated:
                break
            start, insist = state.displacement, True
            continue
        if not follow:
            raise RelaxationError(
                f"The atoms are unstable: the lowest eigenvalue is {float(mode.value):.2e} eV/Å² where the largest "
                f"force is {float(state.force):.1e} eV/Å. Follow them with `follow`, or look for loose atoms."
            )
        instabilities, insist = instabilities + 1, False
        start = _kicked(body, state, mode)
    raise RelaxationError(
        f"The atoms were not relaxed in {steps} steps. Allow more with `max_steps`, loosen `tolerance`, or start near "
        "equilibrium."
    )


def _kicked(body: Body, state: State, mode: Mode) -> jax.Array:
    """The displacement moved along an unstable mode, to where the energy is lowest."""
    unit = mode.vector / jnp.sqrt(jnp.max(jnp.sum(mode.vector**2, 0)))
    places = [state.displacement + sign * kick * unit for kick in _KICKS for sign in (1.0, -1.0)]
    changes = [
        float((compiled_energies(body.potential, body.geometry(place)) - state.energies).sum()) for place in places
    ]
    return places[int(np.argmin(changes))]
