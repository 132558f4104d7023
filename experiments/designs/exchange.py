"""Exchange voxels of a binary cell: those that are worth least for those that would be worth most.

The optimiser ends at a density that is binary but for rounding, with walls where its filter puts them. Here every voxel
at the surface is tried on its own, added or removed with its images under the symmetry, and many of the best pairs are
exchanged at once, so that the volume stays. A constraint enters through a multiplier. Every set that is tried is solved
for; the best one that helps, holds the constraint and adds no hinge is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage
from score import SOLID, VOID

import jaxmeta as jm
from jaxmeta import geometry

Function = Callable[[np.ndarray], float]
Voxel = tuple[int, int, int]
CANDIDATES = 300
"""Voxels tried on either side of the surface, chosen by the gradient."""
SHARES = (1.0, 0.5, 0.25, 0.1)
WEIGHTS = (0.0, 0.03, 0.06, 0.1, 0.15, 0.25)


@jax.jit
def _solve(octant: jax.Array, start: jax.Array | None) -> jm.homogenization.Homogenization:
    interpolation = jm.SIMP(1.0, VOID)
    return jm.homogenize(
        octant, SOLID, interpolation=interpolation, symmetry="cubic", tolerance=2e-7, start=start, throw=False
    )


def _images(voxel: Voxel) -> list[Voxel]:
    return list(set(permutations(voxel)))  # pyright: ignore[reportReturnType]


def _flipped(octant: np.ndarray, voxels: list[Voxel]) -> np.ndarray:
    octant = octant.copy()
    for voxel in voxels:
        for image in _images(voxel):
            octant[image] = not octant[image]
    return octant


def _hinges(octant: np.ndarray) -> int:
    """Edges and corners at which voxels of the whole cell hang together by nothing else."""
    found = geometry.count_hinges(np.asarray(jm.symmetry.unfold(octant.astype(float))))
    return int(found.edge) + int(found.corner)


def _surface(octant: np.ndarray) -> tuple[list[Voxel], list[Voxel]]:
    """Void voxels that touch solid and solid ones that touch void, one of every set of images."""
    around = np.pad(octant, 1, mode="symmetric")
    inner = (slice(1, -1),) * 3
    grown, shrunk = ndimage.binary_dilation(around)[inner], ndimage.binary_erosion(around, border_value=1)[inner]
    i, j, k = np.indices(octant.shape)
    one = (i <= j) & (j <= k)
    listed = [[tuple(v) for v in np.argwhere(mask & one).tolist()] for mask in (grown & ~octant, octant & ~shrunk)]
    return listed[0], listed[1]


def exchange(octant: np.ndarray, value: Function, excess: Function, sweeps: int) -> np.ndarray:
    """Octant after some sweeps of exchanges, or fewer when one does not help.

    Args:
        octant: binary, (n, n, n), symmetric under permutations of the axes.
        value: of the stiffness (6, 6), maximised; homogeneous of degree one.
        excess: of the stiffness, must not be positive.
        sweeps: most sweeps.
    """
    octant = octant > 0.5
    start = None
    for _ in range(sweeps):
        solved = _solve(jnp.asarray(octant, jnp.float32), start)
        start = solved.displacement

        def both(cell: np.ndarray, start: jax.Array = start) -> tuple[float, float]:
            c = np.asarray(_solve(jnp.asarray(cell, jnp.float32), start).stiffness, float)
            return float(value(c)), float(excess(c))

        base, hinges = both(octant), _hinges(octant)
        slope = jax.grad(lambda rho, start=start: jnp.trace(_solve(rho, start).stiffness))
        worth = np.asarray(slope(jnp.asarray(octant, jnp.float32)))
        outside, inside = _surface(octant)
        trials = []  # for either side: sign, and per voxel the changes of value and excess with the images' number
        for voxels, sign in ((outside, 1), (inside, -1)):
            chosen = sorted(voxels, key=lambda v, sign=sign: -sign * worth[v])
            rows = []
            for voxel in chosen:
                if len(rows) == CANDIDATES or _hinges(_flipped(octant, [voxel])) > hinges:
                    continue
                found, count = both(_flipped(octant, [voxel])), len(_images(voxel))
                rows.append((sign * (found[0] - base[0]) / count, sign * (found[1] - base[1]) / count, count, voxel))
            trials.append(rows)
        scale = np.median([abs(r[0]) for r in trials[0]]) / max(np.median([abs(r[1]) for r in trials[0]]), 1e-30)
        best, improved = base[0], octant
        for weight in WEIGHTS:
            for share in SHARES:
                cell = _exchanged(octant, trials, weight * scale, share)
                found = both(cell)
                if found[0] > best and found[1] <= 0 and _hinges(cell) <= hinges:
                    best, improved = found[0], cell
        print(f"exchange: {base[0]:.6f} → {best:.6f}", flush=True)
        if improved is octant:
            break
        octant = improved
    return octant.astype(float)


def _exchanged(octant: np.ndarray, trials: list, multiplier: float, share: float) -> np.ndarray:
    """Some share of the pairs, of equal numbers of images, of which the voxel added is worth more."""
    voxels: list[Voxel] = []
    for count in (1, 3, 6):
        added, removed = (
            sorted([(r[0] - multiplier * r[1], r[3]) for r in rows if r[2] == count], reverse=first)
            for rows, first in zip(trials, (True, False), strict=True)
        )
        helpful = [(a[1], r[1]) for a, r in zip(added, removed, strict=False) if a[0] > r[0]]
        for pair in helpful[: int(np.ceil(share * len(helpful)))]:
            voxels += pair
    return _flipped(octant, voxels)
