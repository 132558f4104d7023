"""Random elastic deformation of a cubic octant that keeps its symmetry.

The density is read at x + u(x), where u is a smooth random field (Simard 2003). A cell keeps its mirrors if u_x is odd
in x and even in y and z, and the permutations of its axes if u_y(x, y, z) = u_x(y, x, z), u_z(x, y, z) = u_x(z, y, x)
and u_x stays the same when y and z are exchanged. So one scalar field makes all three components.

References:
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003, section 2.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter, map_coordinates

_BLUR = 0.7
"""Gaussian by which a binary octant becomes a field that can be cut at any level, in voxels."""


def displacement(
    random: np.random.Generator, side: int, amplitude: float, length: float
) -> Float[np.ndarray, "3 m m m"]:
    """A smooth random displacement of the octant with cubic symmetry.

    Args:
        random: generator.
        side: voxels along an edge.
        amplitude: root mean square of a component, in voxels.
        length: standard deviation of the Gaussian that smooths it, in voxels.

    Returns:
        The three components at the voxel centres, in voxels.
    """
    noise = random.standard_normal((side,) * 3)
    noise = noise + noise.transpose(0, 2, 1)
    # Odd continuation along x, even ones (`reflect`) along y and z.
    odd = np.concatenate([-noise[::-1], noise, -noise[::-1]])
    smooth = gaussian_filter(odd, length, mode="reflect")[side : 2 * side]
    x = amplitude * smooth / np.sqrt(np.mean(smooth**2))
    return np.stack([x, x.transpose(1, 0, 2), x.transpose(2, 1, 0)])


def deform(
    octant: Bool[np.ndarray, "m m m"], displaced: Float[np.ndarray, "3 m m m"], level: float = 0.5
) -> Bool[np.ndarray, "m m m"]:
    """The octant read at x + u(x).

    Args:
        octant: solid or void.
        displaced: u, in voxels.
        level: of the blurred octant at which the result is cut; below a half walls grow thicker.

    Returns:
        Solid or void.
    """
    side = octant.shape[0]
    blurred = gaussian_filter(octant.astype(float), _BLUR, mode="reflect")
    places = np.indices((side,) * 3) + displaced
    return map_coordinates(blurred, places, order=1, mode="reflect") > level
