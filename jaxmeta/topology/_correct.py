"""Targets that the binary cell misses, met by flips of voxels at its interface.

Cutting a density, and making thin members thicker, changes its moduli by some per cent. The stiffness that is nearest
to that of the binary cell and meets all that is asked for is what `fit_stiffness` brings the cell to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..cells import Cell, fit_stiffness
from ..elasticity import CubicConstants
from ..solvers import SolverError
from ._held import Held
from ._setup import Settings
from .constraints import Constraint
from .objectives import minimize_volume

_WITHIN = 0.9
"""Share of a deviation that is allowed at which is aimed."""
_FAR = 0.25
"""|C − C*| / |C| from which on flips do not lead there."""
_SOLVES = 16
_ROWS, _COLUMNS = np.triu_indices(6)


def targets(settings: Settings) -> list[Constraint]:
    """The bounds on quantities of C, if one of them is a target that is to be met from both sides.

    Of the lightest cell all are, but deviations: what exceeds a bound costs volume.
    """
    found = [f for f in settings.constraints if isinstance(f, Constraint) and f.quantity is not None]
    if not any(constraint.two_sided for constraint in found):
        return []
    lightest = getattr(settings.objective, "name", None) == minimize_volume().name
    return [replace(f, two_sided=f.two_sided or (lightest and not f.is_deviation)) for f in found]


def aimed(asked: list[Constraint], cell: Cell) -> Float[np.ndarray, "6 6"] | None:
    """The stiffness nearest to a cell's that meets what is asked for; None where there is none near it."""
    from scipy.optimize import minimize

    here = np.asarray(cell.stiffness, float)
    size, cubic, density = float(np.linalg.norm(here)), cell.symmetry == "cubic", jnp.asarray(cell.cell)
    first = (np.array(cell.constants) if cubic else here[_ROWS, _COLUMNS]) / size

    def tensor(x: Array) -> Array:
        if cubic:
            return CubicConstants(*(size * x)).stiffness
        upper = jnp.zeros((6, 6), x.dtype).at[_ROWS, _COLUMNS].set(size * x)
        return upper + jnp.triu(upper, 1).T

    met: list[Any] = [f for f in asked if f.two_sided]
    kept: list[Any] = [f for f in asked if not f.two_sided]
    kept = [replace(f, bound=_WITHIN * f.bound) if f.is_deviation else f for f in kept]

    def off(x: Array) -> Array:
        return jnp.stack([f.quantity(tensor(x), density) / (f.bound or 1) - float(bool(f.bound)) for f in met])

    def left(x: Array) -> Array:
        return -jnp.stack([f(tensor(x), density) for f in kept])

    terms = [
        {"type": kind, "fun": jax.jit(function), "jac": jax.jit(jax.jacobian(function))}
        for kind, function, some in (("eq", off, met), ("ineq", left, kept))
        if some
    ]
    found = minimize(
        lambda x: ((x - first) ** 2).sum(), first, jac=lambda x: 2 * (x - first), method="SLSQP", constraints=terms
    )
    stiffness = np.asarray(tensor(jnp.asarray(found.x)), float)
    return stiffness if found.success and np.linalg.norm(stiffness - here) < _FAR * size else None


def corrected(
    asked: list[Constraint], settings: Settings, held: Held | None, cell: Cell
) -> Float[np.ndarray, "x y z"] | None:
    """The cell, or its octant, with voxels flipped so that it meets the targets; None where that does not succeed."""
    stiffness = aimed(asked, cell) if len(set(cell.spacing)) == 1 and cell.facts.connected else None
    if stiffness is None:
        return None
    keep = None if held is None else np.asarray(held.void) | np.asarray(held.solid)
    try:
        fitted = fit_stiffness(
            cell.density, stiffness, solid=settings.solid, symmetry=cell.symmetry, keep=keep,
            smallest_member=max(settings.making.smallest_member, 1), max_solves=_SOLVES,
        )  # fmt: skip
    except (ValueError, SolverError):  # a stiffness that no cell can have, or a cell that flips do not start from
        return None
    return fitted.cell
