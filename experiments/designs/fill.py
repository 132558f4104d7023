"""Add material to a binary cell where it changes an objective least, until a volume fraction is met.

A void voxel that moves with the solid beside it carries no strain, so filling it costs nothing; one in a gap that opens
or closes carries much. Layer by layer, the void voxels that share a face with the solid are ranked by the size of the
objective's derivative, and the lowest are filled. Voxels that a symmetry makes equal are filled together.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import maximum_filter

import jaxmeta as jm
from jaxmeta import geometry


def fill(
    octant: np.ndarray, volume_fraction: float, objective: Callable[[jax.Array], jax.Array], layers: int = 8
) -> np.ndarray:
    """Fill a binary octant of a cubic cell up to a volume fraction.

    Args:
        octant: 0 and 1, (n, n, n).
        volume_fraction: wanted.
        objective: function of the stiffness (6, 6).
        layers: number of steps.

    Returns:
        The filled octant.
    """
    solid = jm.Isotropic(1.0, 0.3)

    @jax.jit
    def slope(density: jax.Array) -> jax.Array:
        def value(rho: jax.Array) -> jax.Array:
            h = jm.homogenize(rho, solid, interpolation=jm.SIMP(1.0, 1e-6), symmetry="cubic", throw=False)
            return objective(h.stiffness)

        return jax.grad(value)(density)

    octant = np.asarray(octant, np.float32)
    start = octant.mean()
    cross = np.zeros((3, 3, 3), bool)
    cross[1, 1, :] = cross[1, :, 1] = cross[:, 1, 1] = True
    for layer in range(layers):
        target = start + (volume_fraction - start) * (layer + 1) / layers
        cost = np.abs(np.asarray(slope(jnp.asarray(octant))))
        beside = (maximum_filter(octant, footprint=cross, mode="reflect") > 0.5) & (octant < 0.5)
        rank = np.where(octant > 0.5, 1.0, np.where(beside, -cost / cost.max(), -2.0)).astype(np.float32)
        octant = np.asarray(geometry.threshold(rank, float(target)), np.float32)
    return octant
