"""Gaussian noise, with the symmetry of a cubic cell where fields are those of cells."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from ..geometry.symmetry import permute_average
from ._settings import BoxNet, Network


def symmetric_noise(key: Key[Array, ""], side: int, dtype: DTypeLike | None = None) -> Float[Array, "m m m"]:
    r"""Noise on the octant of a cubic cell: the same under all 48 images, of unit variance on every voxel.

    The mean over the six permutations of the axes of white noise has the variance 1/k on a voxel that they take to k
    places, k = 1, 3 or 6. Times :math:`\sqrt k` the variance is one everywhere, and voxels that are no images of each
    other stay independent. Without that factor the noise would be weaker than it is said to be, 0.42 on average, and
    the network would be trained at other levels than those that it is told.

    Args:
        key: of JAX.
        side: voxels m along an edge of the octant.
        dtype: of the noise; JAX's default one where it is None.

    Returns:
        (m, m, m), no unit.

    Example:
        >>> import jax
        >>> from jaxmeta.diffusion import symmetric_noise
        >>> noise = symmetric_noise(jax.random.key(0), 16)
        >>> bool(abs(noise - noise.transpose(2, 0, 1)).max() < 1e-6), round(float(noise.std()), 1)
        (True, 1.0)
    """
    white = jax.random.normal(key, (side,) * 3, dtype)
    return permute_average(white) * jnp.asarray(np.sqrt(images(side)), white.dtype)


def noise_of(network: Network, key: Key[Array, ""], dtype: DTypeLike | None = None) -> Float[Array, "a b c"]:
    """Noise on the fields of a network, with the symmetry of cubic cells where they are these."""
    if isinstance(network, BoxNet):
        return jax.random.normal(key, network.shape, dtype)
    return symmetric_noise(key, network.side, dtype)


@cache
def images(side: int) -> np.ndarray:
    """At how many places each voxel of an octant is under permutations of the axes: 1, 3 or 6."""
    i, j, k = np.indices((side,) * 3)
    alike = (i == j).astype(int) + (j == k) + (i == k)
    return np.choose(np.minimum(alike, 2), [6, 3, 1])
