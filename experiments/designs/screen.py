"""Rank start fields by how far from all mirror planes their lowest value lies.

    python experiments/designs/screen.py

A cubic cell is cut by nine families of mirror planes into 48 wedges, and the optimiser makes a pore where a start is
lowest. A pore on a mirror plane is shared by several wedges; one inside a wedge comes 48 times and leaves material for
plates along the mirror planes, {100} and {110}, which are stiff in shear. Few random fields are lowest there.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxmeta import geometry

SIDE = 32
SEEDS = 1000
FREQUENCIES = (2, 3, 4)


def distances() -> np.ndarray:
    """Distance in voxels from the nearest mirror plane, in the wedge x ≤ y ≤ z of the octant; −1 elsewhere."""
    x, y, z = np.meshgrid(*[np.arange(SIDE) + 0.5] * 3, indexing="ij")
    inside = (x <= y) & (y <= z)
    return np.where(inside, np.minimum.reduce([x, (y - x) / 2**0.5, (z - y) / 2**0.5, SIDE - z]), -1.0)


def main() -> None:
    distance = distances().ravel()
    found = []
    for frequencies in FREQUENCIES:

        @jax.jit
        def fields(keys: jax.Array, frequencies: int = frequencies) -> jax.Array:
            return jax.vmap(
                lambda key: geometry.trigonometric(
                    key, (SIDE,) * 3, symmetry="cubic", volume_fraction=0.4, frequencies=frequencies, sharpness=0.3
                )
            )(keys)

        for seeds in np.arange(SEEDS).reshape(-1, 50):
            values = np.asarray(fields(jax.vmap(jax.random.key)(jnp.asarray(seeds)))).reshape(len(seeds), -1)
            lowest = np.where(distance >= 0, values, np.inf).argmin(1)
            found += [(distance[i], frequencies, int(seed)) for i, seed in zip(lowest, seeds, strict=True)]
    for d, frequencies, seed in sorted(found, reverse=True)[:8]:
        print(f"{d:.2f} voxels: frequencies {frequencies}, seed {seed}")


if __name__ == "__main__":
    main()
