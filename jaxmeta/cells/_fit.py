"""A binary cell brought to a wanted stiffness by flips of voxels at its interface.

One solve tells what every flip does to first order. A linear programme then chooses flips whose sum is what is missing,
a few per cent of the interface at most; each is made if it is still allowed in the cell that it meets. A solve of the
new cell says what they did. Two factors, of removals and of additions, follow from the last steps.

**Price.** Of moves that lead to the same C the selection takes those that make few faces, so that the surface stays
smooth, and those whose effects add up, not those that cancel: first-order effects are off by several per cent each, so
that the error of a step grows with the sum of their sizes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Float, Shaped

from .. import geometry
from .._arguments import real_number, require_kind
from .._numbers import refused, whole_number
from ..elasticity import Isotropic
from ..geometry import symmetry as symmetries
from ..geometry.symmetry import SYMMETRIES, Symmetry
from ..homogenization import SIMP, homogenize
from ..solvers import SolverError
from ._cell import Cell, unfolded
from ._clean import clean as cleaned
from ._effects import effects
from ._moves import COUNT, candidates
from ._orbits import Orbits
from ._rules import MOST, Rules
from ._score import Scorer
from ._selection import select
from ._target import Target, checked_target

_VOID = 1e-9
_SOLVED = 3e-6  # relative error of C in the solves between flips
_WITHIN = 0.8  # of the tolerance at which flips end, for what these solves are off by
VOLUME = 0.002
"""Difference of volume fractions that counts as none."""
_FACTORS = np.array([1.6, 0.46])  # of removals and additions, before anything is known
_LIMITS = np.array([[1.0, 0.2], [3.0, 1.2]])
_BELIEF = 0.1  # how much they count beside the last steps
_SMOOTH, _ALIGNED = 0.25, 2.0  # least price of a flip's faces; price of a unit of its effect
_LARGEST, _SMALLEST = 0.08, 1e-4  # share of C that one step changes, at most; and below which there is no use
_ROUNDS = 4  # selections between two solves: flips may forbid each other


class FitResult(IntEnum):
    """How a fit ended."""

    converged = 0
    max_solves_reached = 1
    stalled = 2

    @property
    def text(self) -> str:
        """What happened, and what to try."""
        return _TEXTS[self]


_TEXTS = {
    FitResult.converged: "The cell has the stiffness within the tolerance.",
    FitResult.max_solves_reached: (
        "The fit used all its solves: allow more with `max_solves`, or start from a cell that is nearer."
    ),
    FitResult.stalled: (
        "No flip that is allowed brings the cell nearer: start from another cell, allow thinner members with "
        "`smallest_member`, or ask for a stiffness inside what cells of this kind have."
    ),
}


@dataclass(frozen=True, eq=False)
class Fitted:
    """What `fit_stiffness` returns.

    Attributes:
        scored: the cell that came nearest, with its stiffness from an independent float64 solve.
        error: |C − C*| / |C*|: over C11, C12 and C44 of a cubic cell, else the norm of C in Kelvin's form.
        start_error: the same of the start, after it was cleaned and opened if that was asked for.
        solves: of the cells that were met, that of the start among them; the independent one not.
        result: how the fit ended.
        thin: voxels of the whole cell in members thinner than asked; they stood in the start.
    """

    scored: Cell
    error: float
    start_error: float
    solves: int
    result: FitResult
    thin: int

    @property
    def cell(self) -> Shaped[np.ndarray, "x y z"]:
        """Zeros and ones, of the shape and dtype of the start."""
        return self.scored.density

    @property
    def stiffness(self) -> Float[np.ndarray, "6 6"]:
        """C in the unit of the solid's modulus."""
        return self.scored.stiffness

    @property
    def text(self) -> str:
        """How near the cell came, and why not nearer."""
        return f"C is {100 * self.error:.3g} % from what was asked ({100 * self.start_error:.3g} % at the start). " + (
            self.result.text
        )


def fit_stiffness(
    cell: Shaped[ArrayLike, "x y z"],
    stiffness: Float[ArrayLike, "6 6"],
    *,
    solid: Isotropic = Isotropic(1.0, 0.3),
    symmetry: Symmetry = "cubic",
    volume_fraction: float | None = None,
    tolerance: float = 5e-4,
    smallest_member: int = 2,
    open_pores: bool = False,
    clean: bool = False,
    keep: Bool[ArrayLike, "x y z"] | None = None,
    max_solves: int = 24,
    seed: int = 0,
) -> Fitted:
    r"""Flip voxels at the interface of a binary cell until its stiffness is what is asked for.

    The error is :math:`|C - C^*| / |C^*|`, over C11, C12 and C44 of a cubic cell. Flips never make a member or a gap
    thinner than two voxels (or than `smallest_member`), never make a hinge, and leave the topology as it is: one part
    stays one part, and no pore opens or closes. The result is at least as near as the start.

    Args:
        cell: binary, one connected part when repeated; (nx, ny, nz), or (mx, my, mz) of the first octant where the
            symmetry is "mirror" or "cubic".
        stiffness: C*, (6, 6), Voigt 11 22 33 23 13 12 with engineering shear, in the unit of the solid's modulus.
        solid: of which the cell is made; void has 1e-9 of its modulus.
        symmetry: "none", "mirror" or "cubic": what the cell has, and keeps.
        volume_fraction: wanted within 0.002, or None for any.
        tolerance: of the error.
        smallest_member: no member is made thinner than this, in voxels, 16 at most. Thinner ones of the start stay, and
            are counted in `thin`, unless `clean` is set.
        open_pores: open closed pores of the start first, so that powder can leave.
        clean: take thin members, islands and hinges of the start away first.
        keep: voxels that no flip changes, such as faces that meet those of other cells; of the shape of `cell`.
        max_solves: after which the fit gives up.
        seed: of what is chosen among equals.

    Returns:
        The nearest cell that was met, its independent score and how the fit ended.

    Raises:
        ValueError: an argument is not as described, the cell is not binary or in several parts, or no cell can have
            this stiffness: it is not positive definite, or above a bound of Hashin and Shtrikman.
        SolverError: the solve of the start, or the score of the result, did not converge.

    Example:
        >>> import jaxmeta as jm
        >>> library = jm.dataset.load()
        >>> fitted = jm.fit_stiffness(library[7526].octant, 1.01 * library[7526].stiffness)
        >>> fitted.result.name, fitted.error < 5e-4, fitted.solves < 12
        ('converged', True, True)
    """
    require_kind("solid", solid, (Isotropic,))
    if symmetry not in SYMMETRIES:
        raise refused("symmetry", f"be one of {', '.join(SYMMETRIES)}", f"is {symmetry!r}")
    target = checked_target(stiffness, volume_fraction, solid, symmetry)
    real_number("tolerance", tolerance, "be positive", lambda value: value > 0)
    member, most = whole_number("smallest_member", smallest_member, 1), whole_number("max_solves", max_solves, 1)
    if member > MOST:
        raise refused("smallest_member", f"be at most {MOST}", f"is {member}")
    density = _start(cell, symmetry, member, open_pores, clean)
    orbits = Orbits(density.shape, symmetry)
    kept = np.zeros(len(orbits.size), bool)
    kept[orbits.number[_mask(keep, density.shape)]] = True
    fit = _Fit(target, solid, tolerance, member, most, np.random.default_rng(seed), orbits, kept)
    return fit(density, np.asarray(cell).dtype)


def _mask(keep: ArrayLike | None, shape: tuple[int, ...]) -> Bool[np.ndarray, "x y z"]:
    """The voxels to keep."""
    mask = np.zeros(shape, bool) if keep is None else np.asarray(keep)
    if mask.shape != shape or mask.dtype != bool:
        raise refused("keep", f"hold truth values in the shape {shape}", f"is {mask.dtype} of shape {mask.shape}")
    return mask


def _start(
    cell: ArrayLike, symmetry: Symmetry, member: int, open_pores: bool, clean: bool
) -> Shaped[np.ndarray, "x y z"]:
    """The start as it is fitted."""
    density = np.asarray(cell)
    if density.ndim != 3 or 0 in density.shape:
        raise refused("cell", "have shape (nx, ny, nz)", f"has shape {density.shape}")
    if density.dtype.kind not in "biuf" or not ((density == 0) | (density == 1)).all():
        raise refused("cell", "hold zeros and ones", "holds others")
    density = density.astype(bool)
    if symmetry == "cubic" and symmetries.detect(unfolded(density)) != "cubic":
        raise refused("cell", "be an octant that does not change when axes are exchanged", "does")
    if clean:
        density = cleaned(density, symmetry, smallest_member=member, fill_hinges=True).density
    if open_pores:
        whole = density if symmetry == "none" else unfolded(density)
        opened = geometry.open_pores(whole, symmetry).cell
        density = opened[tuple(slice(side) for side in density.shape)]
    if not geometry.is_connected(density if symmetry == "none" else unfolded(density)):
        raise refused("cell", "be one connected part", "is in several, or empty; `clean=True` keeps the largest")
    return density


class _State(NamedTuple):
    """A cell with its solve."""

    bits: np.ndarray
    stiffness: np.ndarray
    displacement: jax.Array
    left: np.ndarray
    """What is missing, in units of the tolerances."""

    @property
    def distance(self) -> float:
        return float(np.linalg.norm(self.left))


@dataclass(frozen=True, eq=False)
class _Fit:
    target: Target
    solid: Isotropic
    tolerance: float
    member: int
    max_solves: int
    rng: np.random.Generator
    orbits: Orbits
    kept: np.ndarray

    def __call__(self, start: np.ndarray, dtype: np.dtype) -> Fitted:
        first = state = self._solved(self.orbits.bits(start), None)
        solves, factors, share, result = 1, _FACTORS, _LARGEST, FitResult.converged
        steps: list[tuple[np.ndarray, np.ndarray]] = []
        while not self._near(state):
            if solves == self.max_solves or share < _SMALLEST:
                result = FitResult.stalled if share < _SMALLEST else FitResult.max_solves_reached
                break
            flipped, predicted = self._step(state, factors, share)
            after = None
            if self._whole(flipped, state.bits):
                solves += 1
                with suppress(SolverError):  # a cell that cannot be solved is no better
                    after = self._solved(flipped, state.displacement)
            if after is not None:
                change = self.target.entries(after.stiffness) - self.target.entries(state.stiffness)
                steps = [*steps, (predicted, change)][-3:]
                factors = _learned(steps)
            if after is not None and after.distance < state.distance:
                state, share = after, min(_LARGEST, 1.5 * share)
            else:
                share = share / 2
        density = self.orbits.density(state.bits)
        scored = Scorer(self.solid, void=_VOID)(density, self.target.symmetry)
        error = self.target.error(scored.stiffness)
        if error <= self.tolerance and self._filled(state):
            result = FitResult.converged
        elif result == FitResult.converged:
            result = FitResult.stalled
        thin = round(geometry.minimum_member(scored.cell, self.member) * np.count_nonzero(scored.cell))
        scored = replace(scored, density=density.astype(dtype))
        return Fitted(scored, error, self.target.error(first.stiffness), solves, result, thin)

    def _solved(self, bits: np.ndarray, start: jax.Array | None) -> _State:
        density = jnp.asarray(self.orbits.density(bits), jnp.float32)
        if start is None:  # zeros are no other program than what comes later
            loads, ends = (6, 0) if self.target.symmetry == "none" else (2 if self.target.symmetry == "cubic" else 6, 1)
            start = jnp.zeros((loads, *(side + ends for side in density.shape), 3), jnp.float32)
        h = homogenize(
            density, self.solid, interpolation=SIMP(1.0, _VOID), symmetry=self.target.symmetry, tolerance=_SOLVED,
            start=start,
        )  # fmt: skip
        stiffness = np.asarray(h.stiffness, float)
        missing = self.target.entries(self.target.stiffness) - self.target.entries(stiffness)
        left = missing / (self.tolerance * self.target.norm)
        if self.target.volume_fraction is not None:
            left = np.append(left, (self.target.volume_fraction - self._fraction(bits)) / VOLUME)
        return _State(bits, stiffness, h.displacement, left)

    def _fraction(self, bits: np.ndarray) -> float:
        return float((bits * self.orbits.size).sum() / self.orbits.size.sum())

    def _near(self, state: _State) -> bool:
        stiffness = state.left if self.target.volume_fraction is None else state.left[:-1]
        return bool(np.linalg.norm(stiffness) < _WITHIN) and self._filled(state)

    def _filled(self, state: _State) -> bool:
        return self.target.volume_fraction is None or bool(abs(state.left[-1]) < 1)

    def _whole(self, bits: np.ndarray, before: np.ndarray) -> bool:
        """Whether flips were made, and the solid is still one part."""
        density = self.orbits.density(bits)
        whole = density if self.target.symmetry == "none" else unfolded(density)
        return not np.array_equal(bits, before) and geometry.is_connected(whole)

    def _step(self, state: _State, factors: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Flips towards the target, and the first-order effect of all removals and of all additions, (entries, 2)."""
        rules = Rules(self.orbits, self.member, min(self.member, 2))
        bits = state.bits.copy()
        moves = candidates(self.orbits, bits)
        moves = moves.some(np.flatnonzero(~self.kept[moves.orbits].any(axis=1)))
        moves = moves.some(rules.allowed(bits, moves))
        density = self.orbits.density(bits)
        first_order = effects(density, np.asarray(state.displacement), self.orbits, self.solid, (1.0, 1.0, 1.0))
        effect = self.target.weighted(moves.sums(first_order))
        change = effect * np.where(moves.solid, *factors) / (self.tolerance * self.target.norm)
        faces = moves.faces(self.orbits, bits)
        price = np.maximum(_SMOOTH * COUNT[moves.shape], COUNT[moves.shape] + faces)
        price = price + _ALIGNED * np.linalg.norm(change, axis=0)
        if self.target.volume_fraction is not None:
            volume = np.where(moves.solid, -1, 1) * moves.sums(self.orbits.size) / self.orbits.size.sum()
            change = np.vstack([change, volume / VOLUME])
        left = state.left * min(1.0, share / self._largest(state))
        predicted = np.zeros((len(effect), 2))
        rest = np.arange(len(moves.shape))
        for _ in range(_ROUNDS):
            if not len(rest):
                break
            flipped = np.zeros(len(bits), bool)
            for k in rest[select(change[:, rest], left, price[rest] * self.rng.uniform(0.5, 1.5, len(rest)), self.rng)]:
                one = moves.some(np.array([k]))
                if not rules.reached(flipped, one)[0] or rules.allowed(bits, one)[0]:
                    bits[one.orbits[0]] ^= True
                    flipped[one.orbits[0]] = True
                    left = left - change[:, k]
                    predicted[:, int(not one.solid[0])] += effect[:, k]
            met = rules.reached(flipped, moves.some(rest))
            met[met] = ~rules.allowed(bits, moves.some(rest[met]))
            rest = rest[~met]
        return bits, predicted

    def _largest(self, state: _State) -> float:
        """The largest share of an entry of C that is missing; small ones are compared with the norm."""
        now = np.abs(self.target.entries(state.stiffness))
        missing = np.abs(state.left[: len(now)]) * self.tolerance * self.target.norm
        return float((missing / np.maximum(now, 0.1 * now.max())).max())


def _learned(steps: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The factors by least squares from predicted and actual changes, drawn to what they are before any step."""
    predicted, actual = (np.concatenate(parts) for parts in zip(*steps, strict=True))
    weight = _BELIEF * np.linalg.norm(predicted, axis=0).max()
    rows = np.vstack([predicted, weight * np.diag(1 / _FACTORS)])
    return np.clip(np.linalg.lstsq(rows, np.append(actual, [weight] * 2), rcond=None)[0], *_LIMITS)
