"""The largest part of a cubic cell, inside a compiled program; `geometry.keep_largest` does it outside of one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool


@jax.jit
def largest_part(octant: Bool[Array, "m m m"]) -> Bool[Array, "m m m"]:
    """The voxels of the octant's largest part; parts that permutations of the axes take to each other count as one.

    Each voxel has a number, which its images share. The largest number of all neighbours at a face goes from voxel to
    voxel until nothing changes, so that a part ends with one number.

    Args:
        octant: (m, m, m), of a cubic cell, solid or void.

    Returns:
        (m, m, m); nothing where there is nothing solid.
    """
    side = octant.shape[0]
    i, j, k = np.sort(np.indices((side,) * 3), axis=0)
    numbers = jnp.where(octant, jnp.asarray(1 + (i * side + j) * side + k, jnp.int32), 0)

    def spread(state: tuple[Array, Array]) -> tuple[Array, Array]:
        largest = state[0]
        for axis in range(3):
            wide = jnp.pad(largest, [(1, 1) if other == axis else (0, 0) for other in range(3)])
            ends = (jax.lax.slice_in_dim(wide, first, first + side, axis=axis) for first in (0, 2))
            largest = jnp.where(octant, jnp.maximum(largest, jnp.maximum(*ends)), 0)
        return largest, (largest != state[0]).any()

    numbers, _ = jax.lax.while_loop(lambda state: state[1], spread, (numbers, jnp.array(True)))
    sizes = jnp.zeros(side**3 + 1, jnp.int32).at[numbers.ravel()].add(octant.ravel().astype(jnp.int32))
    return octant & (numbers == sizes.argmax().astype(jnp.int32))
