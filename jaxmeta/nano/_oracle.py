"""The stiffness of a design, relaxed from its lattice sites; and what a change of it does, relaxed from there on.

Whatever is known of a design follows from its occupancy alone, so that a run can be taken up anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int

from ..solvers import PCG, Stats
from ._body import Body, body_of, rounded
from ._crystal import Crystal, crystal
from ._eam import EAM
from ._energy import gradient, site_energies
from ._grips import padded, require_held
from ._orbits import Sites
from ._patches import Changes, Path, changes_of
from ._problem import Problem
from ._relax import RelaxationError, settle
from ._sensitivity import second_derivative
from ._stiffness import respond
from ._way import Left, Way

_TOLERANCE, _MAX_STEPS = 1e-6, 100
_ROUGH, _ROUGH_STEPS = 2e-3, 20
"""Largest force in eV/Å of a trial, and its most Newton steps."""
_NONE = 1e-6
"""Stiffness in eV/Å² of a body whose grips do not hang together."""
_EIGENVALUE_ERROR = 1e-2
"""Relative error of the lowest eigenvalue of a design, whose sign counts; the last design's is computed anew."""
_SOLVED, _SECOND = 1e-6, 1e-5
"""Relative residuals: of a response that counts, and of the solve for u₂, which only ranks."""


class Evaluated(NamedTuple):
    """A design, relaxed.

    Attributes:
        k: its stiffness, in eV/Å²; zero where it could not be relaxed, or hangs on nothing.
        lowest: eigenvalue of the Hessian of the free atoms, in eV/Å².
        positions: of all sites, in Å: atoms relaxed, or where they were when some left; empty sites moved with their
            neighbours, (n, 3).
        shares: of k by the site rule, they sum to it; zero at empty sites, (n,).
        motions: u and u₂ of the m atoms, (2, m, 3), where shares were asked for.
        steps: of conjugate gradients, for the relaxation, u and u₂.
        why: what was wrong, or nothing.
        left: atoms that did not stay at their sites, (n,); None if all did, or were not to.
    """

    k: float
    lowest: float
    positions: Float[np.ndarray, "n 3"]
    shares: Float[np.ndarray, "n"]
    motions: Float[np.ndarray, "2 m 3"] | None = None
    steps: int = 0
    why: str = ""
    left: Bool[np.ndarray, "n"] | None = None

    @property
    def sound(self) -> bool:
        """Whether there is a stiffness, and the atoms are stable."""
        return self.k > _NONE and self.lowest > 0


@dataclass(frozen=True, eq=False)
class Oracle:
    """Stiffness of designs.

    Args:
        potential: of the atoms.
        problem: what is designed.
        sites: of it.
        most: atoms of a design.
        mesh: of devices that share them in slices along x, by which the sites are sorted.
    """

    potential: EAM
    problem: Problem
    sites: Sites
    most: int
    mesh: Mesh | None = None

    @cached_property
    def _total(self) -> int:
        """Atoms in the arrays: as many for every design, so that one compiled program serves all."""
        return rounded(self.most, self.mesh)

    @cached_property
    def _frame(self) -> np.ndarray:
        """Of the preconditioner's grid, for the same reason."""
        where = self.problem.lattice.positions[self.problem.domain]
        return np.stack([where.min(0), where.max(0)])

    @cached_property
    def _crystal(self) -> Crystal:
        return crystal(self.potential)

    def _body(self, where: np.ndarray, held: np.ndarray) -> Body:
        return body_of(
            self.potential, where, held, self.problem.box, total=self._total, frame=self._frame, mesh=self.mesh,
            known=self._crystal,
        )  # fmt: skip

    def _checked(self, where: np.ndarray, held: np.ndarray) -> Body:
        body = self._body(where, held)
        require_held(body.table, self.potential.cutoff, held)
        return body

    def evaluate(self, occupied: Bool[np.ndarray, "n"], shares: bool = False, stay: bool = False) -> Evaluated:
        """A design, relaxed from its lattice sites, in a context of float64.

        Args:
            occupied: where atoms are.
            shares: whether they are needed; they cost one solve more.
            stay: give a large body up where atoms slide away from their sites, and say which.
        """
        problem, lattice = self.problem, self.problem.lattice
        atoms = np.flatnonzero(occupied)
        where, held = lattice.positions[atoms], problem.held[atoms]
        positions, share = lattice.positions.copy(), np.zeros(len(occupied))
        try:  # nothing but `settle` holds the body, so that its memory is free where another table is made
            done = settle(
                self.potential, where, held, problem.box, np.ones(len(atoms)), _TOLERANCE, _MAX_STEPS,
                body=self._checked(where, held), frame=self._frame, stay=stay, eigenvalue_error=_EIGENVALUE_ERROR,
                mesh=self.mesh,
            )  # fmt: skip
        except Left as error:
            left = np.zeros(len(occupied), bool)
            left[atoms[error.atoms]] = True
            positions[atoms] = error.where
            return Evaluated(0.0, 0.0, positions, share, why=str(error), left=left)
        except (RelaxationError, ValueError) as error:
            return Evaluated(0.0, 0.0, positions, share, why=str(error))
        still = done.state.displacement
        response = respond(done.body, still, padded(problem.direction[atoms], self._total))
        if float(response.stats.residual) > _SOLVED:
            return Evaluated(0.0, done.lowest_eigenvalue, positions, share, why="The solve for the response failed.")
        positions[atoms] = done.positions
        steps, motions = done.products + int(response.stats.steps), None
        if shares:
            found, second, stats = _shares(done.body, still, response.displacement)
            share[atoms], steps = np.asarray(found)[: len(atoms)], steps + int(stats.steps)
            motions = np.stack([np.asarray(motion).T[: len(atoms)] for motion in (response.displacement, second)])
        moved = positions - lattice.positions
        moved = np.where(occupied[:, None], moved, self.sites.around(moved, occupied))
        return Evaluated(float(response.k), done.lowest_eigenvalue, lattice.positions + moved, share, motions, steps)

    def staying(
        self, occupied: Bool[np.ndarray, "n"], positions: Float[np.ndarray, "n 3"], most: int
    ) -> Bool[np.ndarray, "n"]:
        """The atoms of a large design that stay as it is roughly relaxed from somewhere on its way, without the others.

        Args:
            occupied: where atoms are, besides those that have left.
            positions: where the way goes on.
            most: atoms that may leave; the rest is given up where more do.
        """
        problem, there, where = self.problem, occupied, positions.copy()
        while np.count_nonzero(occupied & ~there) <= most:
            atoms = np.flatnonzero(there)
            held, everywhere = problem.held[atoms], np.ones(len(atoms))
            try:
                body = self._body(where[atoms], held)
                way = Way(
                    self.potential, where[atoms], held, problem.box, everywhere, body, self._frame, stay=True,
                    mesh=self.mesh, known=self._crystal,
                )  # fmt: skip
                del body
                way.newton(_ROUGH, _ROUGH_STEPS, follow=True, eigenvalue_error=None)
                return there
            except Left as error:
                left = np.zeros(len(there))
                left[atoms[error.atoms]] = 1
                there, where[atoms] = there & ((self.sites.alike(left) == 0) | problem.held), error.where
            except (RelaxationError, ValueError):
                return there
        return there

    def trial(self, occupied: Bool[np.ndarray, "n"], positions: Float[np.ndarray, "n 3"]) -> float:
        """k of a design near a relaxed one, relaxed from there, by a slide if need be; zero where that takes long."""
        atoms = np.flatnonzero(occupied)
        where, problem = positions[atoms], self.problem
        held, everywhere = problem.held[atoms], np.ones(len(atoms))
        try:
            body = self._body(where, held)
            way = Way(
                self.potential, where, held, problem.box, everywhere, body, self._frame, mesh=self.mesh,
                known=self._crystal,
            )  # fmt: skip
            del body
            if not (way.lowered(_ROUGH, _ROUGH_STEPS) or way.slide(_ROUGH)):
                return 0.0
        except (RelaxationError, ValueError):
            return 0.0
        response = respond(way.body, way.start, padded(problem.direction[atoms], self._total))
        return float(response.k) if float(response.stats.residual) <= _SOLVED else 0.0

    def patches(self, occupied: Bool[np.ndarray, "n"], found: Evaluated, sites: Int[np.ndarray, "m"]) -> Changes:
        """What k changes by when an atom goes from each of some sites, or comes to it, relaxed in a patch around it.

        Args:
            occupied: where atoms are.
            found: the same design, evaluated with its shares.
            sites: each is changed by itself.
        """
        assert found.motions is not None
        atoms = np.flatnonzero(occupied)
        comes = ~occupied[sites]
        numbers = np.where(comes, len(atoms) + np.cumsum(comes), np.cumsum(occupied)[sites]) - 1
        path = Path(found.positions[atoms], *found.motions)
        return changes_of(
            self.potential, path, self.problem.held[atoms], found.positions[sites[comes]], numbers, self.problem.box
        )


@jax.jit
def _shares(body: Body, still: Array, u: Array) -> tuple[Array, Array, Stats]:
    """D²eᵢ[u, u] + Deᵢ · u₂, with eᵢ the energies of the atoms and u₂ the second-order part of the relaxed path; u₂."""
    operator = body.hessian(still)
    load = second_derivative(lambda x: gradient(body.potential, body.geometry(x)), still, u)
    method = PCG(residual=_SECOND, max_steps=2000)
    solved = method(
        lambda p: body.free[None] * operator(p),
        -body.free[None] * load,
        body.preconditioner(operator, body.corrections()),
    )
    share = second_derivative(lambda x: site_energies(body.potential, body.geometry(x)), still, u, solved.value)
    return share, solved.value, solved.stats
