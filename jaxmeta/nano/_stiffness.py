"""Stiffness of a body of atoms between grips, from the curvature of its relaxed energy.

Let W(δ) be the least energy of the free atoms when the grips are moved by δ d, d being their unit displacement. By the
envelope theorem W' = ∂E/∂x · d: the *slope*, which the residual stress of surfaces leaves at δ = 0 also where nothing
is loaded. The stiffness is

    k = W''(0) = uᵀ H u,        u = d at the grips, H_ff u_f = −H_fb d where free,

the symmetric curvature in the limit of small δ; [W(δ) + W(−δ) − 2W(0)]/δ² has the same limit and no share of the slope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import ArrayLike, Bool, Float, Int

from .._arguments import require_kind
from .._numbers import plain_number
from ..solvers import PCG, Result, SolverError, Stats, inner
from ._body import Body, body_of, checked_held
from ._cells import Cell, checked_cell, checked_positions
from ._eam import EAM
from ._energy import gradient
from ._evaluate import Flags, checked_occupancy
from ._grips import checked_direction, padded, require_apart, require_held
from ._halo import checked_mesh, slices, unsorted
from ._relax import Settled, settle

_FREE: Flags = (False, False, False)
_RESIDUAL = 1e-10
"""Relative residual of the solve for u; k errs by its square."""


@dataclass(frozen=True, eq=False)
class Stiffness:
    """The stiffness of a body of atoms.

    Args:
        k: uᵀ H u at the relaxed positions, in eV/Å² for a direction of length one.
        positions: relaxed, (n, 3), in Å.
        displacement: u, the motion of every atom for a unit motion of the grips, (n, 3).
        slope: W'(0) = ∂E/∂x · d, the force on the grips before they are moved, in eV/Å.
        energy: of the relaxed atoms, in eV.
        lowest_eigenvalue: of the Hessian of the free atoms, in eV/Å²; the body is stable if it is positive.
        instabilities: how many saddles the relaxation left.
        steps: of Newton's method.
        products: steps of conjugate gradients in all of them.
        solve: steps of conjugate gradients for u.
    """

    k: float
    positions: Float[np.ndarray, "n 3"]
    displacement: Float[np.ndarray, "n 3"]
    slope: float
    energy: float
    lowest_eigenvalue: float
    instabilities: int
    steps: int
    products: int
    solve: int


class Response(NamedTuple):
    """What follows from a relaxed body and a direction."""

    k: Array
    displacement: Array
    slope: Array
    stats: Stats


@jax.jit
def respond(body: Body, displacement: Array, direction: Array) -> Response:
    """k, u and the slope at relaxed positions."""
    operator = body.hessian(displacement)
    approximate = body.preconditioner(operator, body.corrections())
    pull = operator(direction)
    method = PCG(residual=_RESIDUAL, max_steps=2000)
    solved = method(lambda u: body.free[None] * operator(u), -body.free[None] * pull, approximate)
    u = direction + solved.value
    slope = inner(gradient(body.potential, body.geometry(displacement)), direction)
    return Response(inner(u, operator(u)), u, slope, solved.stats)


def stiffness(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    held: Bool[ArrayLike, "n"],
    direction: Float[ArrayLike, "n 3"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    *,
    occupancy: Float[ArrayLike, "n"] | None = None,
    tolerance: float = 1e-9,
    follow: bool = True,
    mesh: Mesh | None = None,
) -> Stiffness:
    """Relax a body of atoms and compute its stiffness k = uᵀ H u.

    Args:
        potential: of the atoms.
        positions: to relax from, in Å.
        held: atoms of both grips.
        direction: unit displacement of the grips, (n, 3), zero elsewhere; every grip moves as a rigid body.
        cell: its rows are the lattice vectors, in Å. It may be thinner than the cutoff.
        pbc: along which of them the atoms repeat.
        occupancy: from 0 for a site without an atom to 1; 1 everywhere if omitted.
        tolerance: largest component of a force on a free atom after relaxation, in eV/Å.
        follow: leave saddles along the unstable mode; an error otherwise.
        mesh: of one axis, whose devices share the atoms in slices across the longest side of the body.

    Raises:
        ValueError: an argument is not as described; grips reach each other, or a body hangs on nothing; the cutoff of
            the potential is on a shell of neighbours.
        RelaxationError: the atoms are unstable and `follow` is not set, or could not be relaxed.
        SolverError: the solve for u did not converge.

    Example:
        A bar of aluminium, stretched.

        >>> import numpy as np, jaxmeta as jm
        >>> bar = jm.nano.Lattice((6, 2, 2), 4.05)
        >>> low, high = bar.positions[:, 0] < 4, bar.positions[:, 0] > 20
        >>> pull = np.outer(high, [1.0, 0.0, 0.0])
        >>> s = jm.nano.stiffness(jm.nano.zhou2004("Al"), bar.positions, low | high, pull)
        >>> print(f"{s.k:.4f} {s.lowest_eigenvalue > 0}")
        1.1201 True
    """
    asked = checked(potential, positions, held, direction, cell, pbc, occupancy)
    tolerance = plain_number("tolerance", tolerance, "be positive", lambda x: x > 0)
    devices = checked_mesh(mesh)
    order = slices(asked.where, devices)
    with jax.enable_x64(True):
        done, response = settled_response(asked.sorted(order), tolerance, follow, devices)
        return Stiffness(
            k=float(response.k),
            positions=unsorted(done.positions, order),
            displacement=unsorted(np.asarray(response.displacement).T[: len(order)], order),
            slope=float(response.slope),
            energy=done.energy,
            lowest_eigenvalue=done.lowest_eigenvalue,
            instabilities=done.instabilities,
            steps=done.steps,
            products=done.products,
            solve=int(response.stats.steps),
        )


def stiffness_by_curvature(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    held: Bool[ArrayLike, "n"],
    direction: Float[ArrayLike, "n 3"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    *,
    delta: float = 0.05,
    tolerance: float = 1e-9,
) -> float:
    """The stiffness by three relaxations, [W(δ) + W(−δ) − 2W(0)]/δ², in eV/Å².

    It tends to that of `stiffness` as δ², and rounding errs as 1/δ². A finite δ may take the body to another minimum;
    then the number says nothing.

    Args:
        potential, positions, held, direction, cell, pbc, tolerance: as for `stiffness`.
        delta: δ, in Å for a direction of length one.

    Raises:
        ValueError, RelaxationError: as `stiffness`.
    """
    asked = checked(potential, positions, held, direction, cell, pbc)
    delta = plain_number("delta", delta, "be positive", lambda x: x > 0)
    with jax.enable_x64(True):

        def relaxed(where: np.ndarray) -> Settled:
            return settle(asked.potential, where, asked.held, asked.box, asked.occupancy, tolerance)

        middle = settle(
            asked.potential, asked.where, asked.held, asked.box, asked.occupancy, tolerance, body=asked.body()
        )
        ends = [relaxed(middle.positions + sign * delta * asked.direction) for sign in (1.0, -1.0)]
        change = sum((np.asarray(end.state.energies - middle.state.energies)).sum() for end in ends)
        return float(change / delta**2)


class Asked(NamedTuple):
    """Checked arguments of a stiffness."""

    potential: EAM
    where: np.ndarray
    held: np.ndarray
    direction: np.ndarray
    box: Cell
    occupancy: np.ndarray

    def sorted(self, order: Int[np.ndarray, "n"]) -> Asked:
        """The same of atoms in another order."""
        return self._replace(
            where=self.where[order], held=self.held[order], direction=self.direction[order],
            occupancy=self.occupancy[order],
        )  # fmt: skip

    def body(self, mesh: Mesh | None = None) -> Body:
        """The body, with checks that take its table of neighbours."""
        made = body_of(self.potential, self.where, self.held, self.box, self.occupancy, mesh=mesh)
        require_held(made.table, self.potential.cutoff, self.held)
        require_apart(made.table, self.potential.cutoff, self.held, self.where, self.direction)
        return made


def checked(
    potential: object,
    positions: object,
    held: object,
    direction: object,
    cell: object,
    pbc: object,
    occupancy: object = None,
) -> Asked:
    """The arguments, looked at."""
    require_kind("potential", potential, (EAM,))
    where = checked_positions("positions", positions)
    flags = checked_held(held, len(where))
    moved = checked_direction(direction, flags)
    assert isinstance(potential, EAM)
    there = checked_occupancy(occupancy, len(where))
    return Asked(potential, where, flags, moved, checked_cell(cell, pbc), there)


def settled_response(
    asked: Asked, tolerance: float, follow: bool, mesh: Mesh | None = None
) -> tuple[Settled, Response]:
    """The relaxed body and its response, in a context of float64."""
    done = settle(
        asked.potential,
        asked.where,
        asked.held,
        asked.box,
        asked.occupancy,
        tolerance,
        follow=follow,
        body=asked.body(mesh),
        mesh=mesh,
    )
    response = respond(done.body, done.state.displacement, padded(asked.direction, done.body.table.count))
    result = Result(int(response.stats.result))
    if result not in (Result.converged, Result.stagnated) or float(response.stats.residual) > 1e-6:
        raise SolverError(f"{result.text} Steps {int(response.stats.steps)}.")
    return done, response
