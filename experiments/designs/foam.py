"""Start fields with few pores: cellular noise, the distance to the nearest of some random points.

A design of high shear stiffness is a closed foam, plates between pores, and its topology is that of the start. A sum of
waves seldom has the few, well separated minima of a foam. Cellular noise (Worley 1996) has nothing else: one to three
random points in a wedge of cubic symmetry, some of them on mirror planes or on the diagonal, with all their images.
"""

from __future__ import annotations

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np


def foam(seed: int, side: int, volume_fraction: float) -> jax.Array:
    """Density (side, side, side) of a cubic octant, lowest at the points; mean near the volume fraction."""
    random = np.random.default_rng(seed)
    line = (np.arange(side) + 0.5) / side
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"))
    distance = np.full((side,) * 3, np.inf)
    for _ in range(random.integers(1, 4)):
        # Points beyond the octant are drawn to its faces, which are mirror planes.
        point, radius, place = random.uniform(-0.15, 1.15, 3).clip(0, 1), random.uniform(0, 0.1), random.uniform()
        if place < 0.3:
            point[1] = point[0]
        elif place < 0.5:
            point[:] = point[0]
        for image in set(permutations(point)):
            offset = grid - np.array(image)[:, None, None, None]
            distance = np.minimum(distance, np.sqrt((offset**2).sum(0)) - radius)
    waves = (distance - distance.mean()) / distance.std()
    return jnp.asarray((volume_fraction + 0.15 * waves).clip(0, 1), jnp.float32)
