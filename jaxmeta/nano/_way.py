"""Atoms on their way down, with the table of neighbours that is made anew as they go."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ._body import Body, body_of
from ._cells import Cell
from ._crystal import Crystal, crystal
from ._descent import LOOSE, Ended, State, descend
from ._eam import EAM
from ._energy import compiled_energies
from ._modes import Mode, softest_mode
from ._slide import at_rest, slide

EIGENVALUE_ERROR = 1e-6
"""Relative error of a lowest eigenvalue that is told."""
_UNSTABLE = -1e-6
"""An eigenvalue below is negative, in eV/Å²; rounding makes less of the motions of a free rigid body."""
_KICKS = (0.1, 0.03, 0.01, 0.003)
"""How far the atom that moves most is moved along an unstable mode, in Å."""
_MOST_TABLES = 1000
_LONGEST_SLIDE = 3000
_AROUND = 9.0
"""Atoms relax with a loose one that are so near to it, in Å."""
_SHORT_SLIDE, _AWAY = 100, 1.0
"""Steps of their slide, and how far they may go in it, in Å, where they are to stay at their sites."""
_SLID, _EASED, _EASY_STEPS = 3e-3, 1e-3, 40
"""Largest force in eV/Å at the end of their slide, and of Newton's method after it, and its most steps."""


class RelaxationError(RuntimeError):
    """Atoms were not relaxed: they were unstable and were not to be followed, or the method ran out of steps."""


class Left(RelaxationError):
    """Atoms of a large body left their sites, and were not to.

    Args:
        atoms: which, (n,).
        where: all were when they left, (n, 3).
    """

    def __init__(self, atoms: np.ndarray, where: np.ndarray) -> None:
        super().__init__(f"{np.count_nonzero(atoms)} atoms left their sites while they were relaxed.")
        self.atoms, self.where = atoms, where


class Met(RelaxationError):
    """Atoms came so near to each other that there is no table of neighbours."""


class Way:
    """Atoms on their way down.

    Attributes:
        where: reference positions of the table, (n, 3).
        body: the atoms.
        start: their displacement from there, (3, total).
        state: how the last descent by Newton's method ended.
        mode: the softest, at its end; None if no atom is free.
        instabilities: how many saddles were left.
        steps, products: of Newton's method and of conjugate gradients.
        tables: that were made on the way.
    """

    state: State
    mode: Mode | None

    def __init__(
        self, potential: EAM, where: np.ndarray, held: np.ndarray, box: Cell, occupancy: np.ndarray,
        body: Body | None = None, frame: np.ndarray | None = None, local: bool = False, stay: bool = False,
        mesh: Mesh | None = None, known: Crystal | None = None,
    ) -> None:  # fmt: skip
        self.body = body_of(potential, where, held, box, occupancy, local=local, mesh=mesh) if body is None else body
        self._known = known
        self.where, self._begun = where, where
        self.start = jnp.zeros((3, self.body.table.count))
        self.instabilities = self.steps = self.products = self.tables = 0
        self._asked = potential, held, box, occupancy, self.body.table.count, frame, local, mesh
        self._stay = stay
        self._loose = bool((~held & (occupancy > 0)).any())

    def again(self) -> None:
        """Back to where the way began."""
        self._placed(self._begun)

    def newton(
        self, tolerance: float, most: int, follow: bool, eigenvalue_error: float | None = EIGENVALUE_ERROR
    ) -> bool:
        """Newton's method, with saddles left along their unstable modes; whether the atoms came to rest.

        Args:
            tolerance: largest component of a force at the end.
            most: steps.
            follow: leave saddles; an error otherwise.
            eigenvalue_error: relative, of the lowest one, by which a saddle is told; None ends a descent there as well.

        Raises:
            RelaxationError: the atoms are unstable and `follow` is not set.
            Left: some atoms of a large body left their sites, and `stay` is set.
            Met: they met.
        """
        last, insist = self.steps + most, False
        while self.tables < _MOST_TABLES:
            state = self._descended(tolerance, last - self.steps, insist)
            ended = Ended(int(state.ended))
            if ended in (Ended.table, Ended.loose):
                self._renewed(np.asarray(state.apart) > LOOSE, follow)
                continue
            if ended is Ended.going:
                return False
            if eigenvalue_error is None:
                return ended is Ended.relaxed
            mode = softest_mode(self.body, self.start, jnp.asarray(eigenvalue_error)) if self._loose else None
            if mode is None or float(mode.value) > _UNSTABLE:
                if ended is Ended.relaxed:
                    self.state, self.mode = state, mode
                    return True
                if ended is Ended.stagnated:
                    return False
                insist = True
                continue
            if not follow:
                raise RelaxationError(
                    f"The atoms are unstable: the lowest eigenvalue is {float(mode.value):.2e} eV/Å² where the largest "
                    f"force is {float(state.force):.1e} eV/Å. Follow them with `follow`, or look for loose atoms."
                )
            self.instabilities, insist = self.instabilities + 1, False
            self.start = _kicked(self.body, state, mode)
        return False

    def lowered(self, tolerance: float, most: int) -> bool:
        """Newton's method with one table and no look at modes; whether no force is larger than the tolerance."""
        return int(self._descended(tolerance, most, False).ended) == Ended.relaxed

    def _descended(self, tolerance: float, most: int, insist: bool) -> State:
        state = descend(self.body, self.start, jnp.asarray(tolerance), jnp.asarray(most), jnp.asarray(insist))
        self.start, self.steps = state.displacement, self.steps + int(state.steps)
        self.products += int(state.products)
        return state

    def slide(self, calm: float, most: int = _LONGEST_SLIDE) -> bool:
        """A slide of at most so many steps; whether it came to where no force is larger than `calm` in eV/Å.

        Raises:
            Met: the atoms met.
        """
        state = at_rest(self.start)
        while self.tables < _MOST_TABLES:
            state = slide(self.body, self.start, state, jnp.asarray(calm), jnp.asarray(most))
            self.start = state.displacement
            if bool(state.certified):
                return float(state.force) <= calm
            self._renewed()
        return False

    def _renewed(self, loose: np.ndarray | None = None, follow: bool = True) -> None:
        """A table of where the atoms are now, after those of a large body that are loose have come to rest."""
        self.tables += 1
        where = self.where + np.asarray(self.start).T[: len(self.where)]
        if loose is not None and self.body.table.boxes is not None and loose.any():
            where = self._eased(where, loose[: len(where)], follow)
        self._placed(where)

    def _eased(self, where: np.ndarray, loose: np.ndarray, follow: bool) -> np.ndarray:
        """Positions in which loose atoms, and those around them, have come to rest among all others, which stay.

        The force on an atom is exact if all others are there up to twice the cutoff. A slide ends at a saddle where it
        is symmetric; Newton's method leaves it.
        """
        potential, held, box, occupancy, *_ = self._asked
        inside, _ = box.wrapped(where)
        images, source = box.images(inside, _AROUND + 2 * potential.cutoff)
        tree = cKDTree(np.concatenate([inside, images]))
        number = np.concatenate([np.arange(len(where)), source])

        def near(chosen: np.ndarray, radius: float) -> np.ndarray:
            out = np.zeros(len(where), bool)
            for found in tree.query_ball_point(inside[chosen], radius, workers=-1):
                out[number[found]] = True
            return out & (occupancy > 0)

        free = near(loose, _AROUND) & ~held
        some = free | near(free, 2 * potential.cutoff)
        part = Way(potential, where[some], ~free[some], box, occupancy[some], local=True)
        calm = part.slide(_SLID, _SHORT_SLIDE if self._stay else _LONGEST_SLIDE)
        for _ in range(_LONGEST_SLIDE // _SHORT_SLIDE if self._stay else 0):
            moved = part.where + np.asarray(part.start).T[: len(part.where)] - where[some]
            away = np.linalg.norm(moved, axis=1) > _AWAY
            if away.any():
                left = loose.copy()
                left[np.flatnonzero(some)[away]] = True
                raise Left(left, where)
            if calm:
                break
            calm = part.slide(_SLID, _SHORT_SLIDE)
        part.newton(_EASED, _EASY_STEPS, follow)
        self.instabilities += part.instabilities
        out = where.copy()
        out[some] = part.where + np.asarray(part.start).T[: len(part.where)]
        return out

    def _placed(self, where: np.ndarray) -> None:
        potential, held, box, occupancy, total, frame, local, mesh = self._asked
        self.__dict__.pop("body", None)  # before the next takes as much memory; there is none if atoms met
        if self._known is None and not local:
            self._known = crystal(potential)
        try:
            self.body = body_of(potential, where, held, box, occupancy, total, frame, local, mesh, self._known)
        except ValueError as error:
            raise Met(f"Atoms met while they were relaxed. {error}") from None
        self.where, self.start = where, jnp.zeros_like(self.start)


def _kicked(body: Body, state: State, mode: Mode) -> jax.Array:
    """The displacement moved along an unstable mode, to where the energy is lowest."""
    unit = mode.vector / jnp.sqrt(jnp.max(jnp.sum(mode.vector**2, 0)))
    places = [state.displacement + sign * kick * unit for kick in _KICKS for sign in (1.0, -1.0)]
    changes = [
        float((compiled_energies(body.potential, body.geometry(place)) - state.energies).sum()) for place in places
    ]
    return places[int(np.argmin(changes))]
