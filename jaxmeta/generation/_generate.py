"""Different cells of one wanted stiffness: starts, each fitted until its stiffness is exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import jax
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import require_kind
from .._numbers import refused, whole_number
from ..cells import Cell, FitResult, SolverError, checked_target, fit_stiffness
from ..dataset import Library, load, overlap
from ..elasticity import Isotropic
from ._starts import FAR, Preparation, Start, library_starts, model_starts

if TYPE_CHECKING:
    from ..diffusion import Model

ALIKE = 0.75
"""Overlap from which on two cells are not different."""
_GROUPS = 3  # groups of starts that are tried at most, of twice as many as cells are wanted


@dataclass(frozen=True, eq=False)
class Generated(Cell):
    """A scored cell that was made for a wanted stiffness.

    Args:
        error: |C − C*| / |C*| over C11, C12 and C44, by an independent float64 solve.
        result: how its fit ended.
        solves: of linear elasticity that its fit took.
    """

    error: float = float("nan")
    result: FitResult = FitResult.converged
    solves: int = 0


def _ignored(made: int, cell: Generated) -> None:
    """Where nobody asks how far it is."""


def generate(
    stiffness: Float[ArrayLike, "6 6"],
    volume_fraction: float | None = None,
    count: int = 4,
    *,
    resolution: Literal[64, 128] = 64,
    key: Key[Array, ""] | int = 0,
    solid: Isotropic = Isotropic(1.0, 0.3),
    source: Literal["library", "model"] = "library",
    library: Library | None = None,
    model: Model | None = None,
    fit: bool = True,
    tolerance: float = 5e-4,
    smallest_member: int = 2,
    open_pores: bool = False,
    max_solves: int = 16,
    callback: Callable[[int, Generated], None] = _ignored,
) -> list[Generated]:
    """Binary cubic cells of a wanted stiffness that differ from each other.

    Starts are the nearest cells of a library, of different families, or samples of a model. They are freed of thin
    members and hinges, and fitted one after the other by `fit_stiffness`, the nearest first, until enough have the
    stiffness within the tolerance. Two cells overlap by at most 0.75 (`dataset.overlap`).

    Args:
        stiffness: C*, (6, 6), cubic, Voigt 11 22 33 23 13 12 with engineering shear, in the unit of the solid's
            modulus.
        volume_fraction: wanted within 0.002, or None for any.
        count: number of cells.
        resolution: voxels along an edge of the whole cell: 64, or 128, with starts whose surface is filled anew.
        key: what decides among equals in the fit.
        solid: of which the cells are made; starts are labelled anew with it.
        source: where starts come from: "library", or "model", samples of a diffusion model.
        library: of starts; the one that comes with the package if None.
        model: of starts; `diffusion.load()` if None.
        fit: False gives the starts as they are, cleaned and scored.
        tolerance: of the error.
        smallest_member: no member is thinner than this, in voxels.
        open_pores: open all closed pores, so that powder can leave.
        max_solves: of one fit.
        callback: called as callback(number, cell) with each cell that is taken.

    Returns:
        The cells, the exact ones first, each by its error. They are fewer than asked for where no other start is near
        enough; one that is not within the tolerance says so in its `result`.

    Raises:
        ValueError: an argument is not as described, or no cell can have this stiffness: it is not positive definite, or
            above a bound of Hashin and Shtrikman.

    Example:
        >>> import jaxmeta as jm
        >>> wanted = jm.Isotropic(0.25, 0.25).stiffness
        >>> (cell,) = jm.generate(wanted, count=1)
        >>> cell.error < 5e-4, cell.octant.shape, cell.facts.thin, cell.facts.connected
        (True, (32, 32, 32), 0.0, True)
    """
    require_kind("solid", solid, (Isotropic,))
    target = checked_target(stiffness, volume_fraction, solid)
    count, member = whole_number("count", count, 1), whole_number("smallest_member", smallest_member, 1)
    if resolution not in (64, 128):
        raise refused("resolution", "be 64 or 128", f"is {resolution!r}")
    if source not in ("library", "model"):
        raise refused("source", "be library or model", f"is {source!r}")
    seed = key if isinstance(key, int) else int(jax.random.bits(key) >> 1)
    group, preparation = 2 * count + 2, Preparation(target, solid, resolution // 2, member, open_pores)
    if source == "library":
        library = load() if library is None else library
        if library.side != 32:
            raise refused("library", "have octants of 32³ voxels", f"has some of {library.side}³")
        starts = library_starts(library, preparation, group)
    else:
        starts = model_starts(_model(model, resolution), preparation, group, seed)
    taken: list[Generated] = []
    rest: list[Generated] = []
    for tried, start in enumerate(starts):
        if len(taken) == count or tried == _GROUPS * group:
            break
        if start.error > FAR or not _is_new(start.octant, taken):
            continue
        try:
            cell = _fitted(start, preparation, tolerance, max_solves if fit else 1, seed)
        except SolverError:  # a start that cannot be solved is none
            continue
        if not _is_new(cell.density, taken):
            continue
        exact = cell.result == FitResult.converged or not fit
        (taken if exact else rest).append(cell)
        if exact:
            callback(len(taken), cell)
    taken.sort(key=lambda cell: cell.error)
    for cell in sorted(rest, key=lambda cell: cell.error):
        if len(taken) < count and _is_new(cell.density, taken):
            taken.append(cell)
    return taken


def _model(given: Model | None, resolution: int) -> Model:
    from ..diffusion import load

    model = load() if given is None else given
    if resolution % (2 * model.side):
        raise refused("resolution", f"be a multiple of {2 * model.side}", f"is {resolution}")
    return model


def _fitted(start: Start, preparation: Preparation, tolerance: float, max_solves: int, seed: int) -> Generated:
    found = fit_stiffness(
        start.octant,
        preparation.target.stiffness,
        solid=preparation.solid,
        volume_fraction=preparation.target.volume_fraction,
        tolerance=tolerance,
        smallest_member=preparation.member,
        max_solves=max_solves,
        seed=seed,
    )
    scored, provenance = found.scored, {**start.provenance, "start_error": found.start_error}
    return Generated(
        scored.density, "cubic", scored.stiffness, preparation.solid, solver=scored.solver, provenance=provenance,
        error=found.error, result=found.result, solves=found.solves,
    )  # fmt: skip


def _is_new(octant: np.ndarray, taken: list[Generated]) -> bool:
    return all(overlap(octant, other.density) <= ALIKE for other in taken)
