"""Relaxation: the nearest positions of least energy, and what is done where a descent ends at a saddle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import ArrayLike, Bool, Float

from .._arguments import require_kind
from .._numbers import plain_number, whole_number
from ._body import Body, checked_held
from ._cells import Cell, checked_cell, checked_positions
from ._descent import State
from ._eam import EAM
from ._evaluate import Flags, checked_occupancy
from ._halo import checked_mesh, slices, unsorted
from ._modes import Mode
from ._way import EIGENVALUE_ERROR, Met, RelaxationError, Way

_FREE: Flags = (False, False, False)
_MANY, _FEW = 25, 20
"""Newton steps before the atoms slide, and after every slide."""
_CALM = 1e-2
"""Largest force in eV/Å at the end of the first slide; a tenth of it at that of the next."""


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
    mesh: Mesh | None = None,
) -> Relaxation:
    """Move the free atoms to the nearest positions of least energy: Newton's method with a trust region.

    Newton's equations are solved by conjugate gradients. Where atoms are held, the preconditioner has a voxel grid, so
    that steps do not grow with the body. At the end the lowest eigenvalue of the Hessian is computed. Where it is
    negative the atoms are at a saddle, though there are no forces: they are moved along the unstable mode, and on.

    Loose atoms have far to go, one after the other. Where 25 steps do not bring a body to rest it is relaxed anew from
    where it began: the atoms slide downhill by inertia until forces are small, each by itself, and Newton's method
    follows. In a body of more than 5,000 atoms, those that Newton's equations would move by more than 0.5 Å from the
    atoms around them slide first, with their neighbourhood alone, so that they do not hold up all others.

    Args:
        potential: of the atoms.
        positions: to start from, in Å.
        held: atoms that stay where they are; none if omitted.
        cell: its rows are the lattice vectors, in Å.
        pbc: along which of them the atoms repeat.
        occupancy: from 0 for a site without an atom to 1; 1 everywhere if omitted.
        tolerance: largest component of a force at the end, in eV/Å.
        max_steps: of Newton's method, those before the slide included.
        follow: leave saddles; an error otherwise.
        mesh: of one axis, whose devices share the atoms in slices across the longest side of the body.

    Raises:
        ValueError: an argument is not as described.
        RelaxationError: the atoms are unstable and `follow` is not set, the steps did not do, or atoms came within 1 Å.

    References:
        E. Bitzek and others, Phys. Rev. Lett. 97, 170201 (2006), for the slide.

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
    devices = checked_mesh(mesh)
    order = slices(where, devices)
    with jax.enable_x64(True):
        done = settle(
            potential, where[order], flags[order], box, there[order], tolerance, max_steps, follow, mesh=devices
        )
        force = float(done.state.force)
        return Relaxation(
            unsorted(done.positions, order),
            done.energy,
            force,
            done.lowest_eigenvalue,
            done.instabilities,
            done.steps,
            done.products,
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
    stay: bool = False,
    eigenvalue_error: float = EIGENVALUE_ERROR,
    mesh: Mesh | None = None,
) -> Settled:
    """`relax` of checked arguments, in a context of float64.

    Args:
        body: of the atoms at `where`, if it is there already.
        frame: of its grid, where it is not that of the atoms.
        stay: an error, `Left`, where atoms of a large body slide away from their sites.
        eigenvalue_error: relative, of the lowest one.
        mesh: of devices that share the atoms, in their order.
    """
    way = Way(potential, where, held, box, occupancy, body, frame, stay=stay, mesh=mesh)
    del body  # before another takes as much memory
    try:
        done = way.newton(tolerance, min(_MANY, max_steps), follow, eigenvalue_error)
    except Met:
        done = False
    if not done and way.steps < max_steps:
        way.again()
    calm = _CALM
    while not done and way.steps < max_steps and calm > 0.1 * tolerance:
        way.slide(max(calm, tolerance))
        done = way.newton(tolerance, min(_FEW, max_steps - way.steps), follow, eigenvalue_error)
        calm *= 0.1
    if not done:
        raise RelaxationError(
            f"The atoms were not relaxed in {way.steps} steps. Allow more with `max_steps`, loosen `tolerance`, or "
            "start near equilibrium."
        )
    return Settled(way.where, way.body, way.state, way.mode, way.instabilities, way.steps, way.products)
