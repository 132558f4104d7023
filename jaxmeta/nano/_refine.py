"""A design carried to a finer lattice, where an optimisation from coarse to fine goes on.

Site x of the finer problem lies at the same place between the grips as X of the coarse one, and takes the mean of the
coarse occupancies around X, weighted by a cone. The sites of the highest means are occupied.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import ArrayLike, Bool, Float
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from .._arguments import require_kind
from .._numbers import plain_number, refused
from ._orbits import sites_of
from ._problem import Problem

_RADIUS, _AROUND = 1.2, 32
"""Of the cone, in lattice constants of the coarse problem, and the most sites in it."""


def refined(
    problem: Problem, occupied: Bool[ArrayLike, "n"], finer: Problem, volume_fraction: float, *, symmetric: bool = True
) -> Bool[np.ndarray, "m"]:
    """A design of one problem as a start for the same problem on a finer lattice.

    Args:
        problem: what was designed, on n sites.
        occupied: where it has atoms, (n,).
        finer: the same between grips of its own, on m sites of a larger box; axes repeat where those of `problem` do.
        volume_fraction: atoms over sites of the finer domain, grips included, at most.
        symmetric: make the design as symmetric as the finer problem is.

    Returns:
        Truth for every site of the finer lattice that has an atom.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> import jaxmeta as jm
        >>> coarse, fine = (jm.nano.cantilever((8 * m, 4 * m, m), 4.05) for m in (1, 2))
        >>> there = jm.nano.continuum_design(jm.nano.zhou2004("Al"), coarse, 0.7)
        >>> start = jm.nano.refined(coarse, there, fine, 0.7)
        >>> bool(start.sum() <= 0.7 * len(fine.lattice)), bool(start[fine.held].all())
        (True, True)
    """
    require_kind("problem", problem, (Problem,))
    require_kind("finer", finer, (Problem,))
    if finer.pbc != problem.pbc:
        raise refused("finer", f"repeat along the axes {problem.pbc}", f"repeats along {finer.pbc}")
    there = np.asarray(occupied)
    if there.shape != (len(problem.lattice),) or not np.isin(there, (0, 1)).all():
        raise refused("occupied", f"be truth values of shape ({len(problem.lattice)},)", f"has shape {there.shape}")
    fraction = plain_number("volume_fraction", volume_fraction, "lie in (0, 1]", lambda x: 0 < x <= 1)
    count = finer.sites_of(fraction)
    sites = sites_of(finer, symmetric)
    return sites.highest(sites.alike(_means(problem, there.astype(float), finer)), finer, count)


def _means(problem: Problem, there: np.ndarray, finer: Problem) -> Float[np.ndarray, "m"]:
    """Mean occupancies of the coarse problem around the places of the finer one's sites."""
    radius = _RADIUS * problem.lattice.lattice_constant
    own = np.flatnonzero(problem.domain & ~problem.held)
    inside, _ = problem.box.wrapped(problem.lattice.positions[own])
    images, source = problem.box.images(inside, radius)
    tree, value = cKDTree(np.concatenate([inside, images])), there[own][np.append(np.arange(len(own)), source)]
    (low, high), (first, last) = _ends(finer), _ends(problem)
    place = first + (finer.lattice.positions - low) * ((last - first) / np.maximum(high - low, 1e-300))
    distance, near = tree.query(place, k=_AROUND, distance_upper_bound=radius, workers=-1)
    weight = np.where(np.isfinite(distance), radius - distance, 0.0)
    return (weight * np.append(value, 0.0)[near]).sum(1) / np.maximum(weight.sum(1), 1e-300)


def _ends(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest places between the grips; along periodic axes the ends of the box."""
    between = problem.lattice.positions[problem.domain & ~problem.held]
    periodic = np.array(problem.pbc)
    return np.where(periodic, 0.0, between.min(0)), np.where(periodic, problem.lattice.lengths, between.max(0))
