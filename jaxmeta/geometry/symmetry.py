r"""Mirror and cubic symmetry of a periodic cell, and the octant which represents it.

A periodic cell on [0, 1]³ is mirror-symmetric when its density is even about the planes x = 1/2, y = 1/2 and z = 1/2;
periodicity makes it even about x = 0, y = 0 and z = 0 as well. Its first octant [0, 1/2]³ then holds all there is to
know, and `unfold` gives the cell back,

$$\rho_\mathrm{cell} = \big[\,o,\ \mathrm{flip}(o)\,\big] \quad \text{along each axis in turn.}$$

A cell is *cubic* when, besides, its octant does not change under any of the six permutations of the axes: the 8 mirror
images and 6 permutations are the 48 elements of the point group m-3m. Voxel centres lie at (i + 1/2)/n, so the mirror
planes fall between voxels and no voxel is shared by two octants.
"""

import itertools
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Shaped

from . import _checks

Symmetry = Literal["none", "mirror", "cubic"]

SYMMETRIES: tuple[Symmetry, ...] = ("none", "mirror", "cubic")
_PERMUTATIONS = tuple(itertools.permutations(range(3)))


def unfold(octant: Shaped[ArrayLike, "mx my mz"]) -> Shaped[Array, "2*mx 2*my 2*mz"]:
    """Mirrors the first octant into the whole periodic cell.

    The map is linear; its transpose adds the eight images of a voxel, so a gradient with respect to the octant is the
    sum of the gradient over the eight mirror images.

    Args:
        octant: (mx, my, mz), values in the first octant [0, 1/2]³ of the cell, of any dtype.

    Returns:
        (2 mx, 2 my, 2 mz), the cell, in the dtype of the octant.

    Raises:
        ValueError: The octant does not have three axes.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.geometry import symmetry
        >>> symmetry.unfold(jnp.asarray([[[1, 2]]]))[0, 0].tolist()
        [1, 2, 2, 1]
    """
    field = jnp.asarray(octant)
    _checks.grid_rank(field, "octant", "(mx, my, mz)")
    return _mirrored(field)


@jax.jit
def _mirrored(cell: jax.Array) -> jax.Array:
    for axis in range(3):
        cell = jnp.concatenate([cell, jnp.flip(cell, axis)], axis)
    return cell


def fold(cell: Shaped[ArrayLike, "nx ny nz"], tolerance: float = 1e-6) -> Shaped[Array, "nx//2 ny//2 nz//2"]:
    """Takes the first octant of a mirror-symmetric cell: the inverse of `unfold`.

    A concrete cell which is not mirror-symmetric is refused; apply `symmetrize(cell, "mirror")` first to average its
    mirror images. Inside a trace the values are unknown and nothing is checked.

    Args:
        cell: (nx, ny, nz), even sides, of any dtype.
        tolerance: Largest difference between mirror images which still counts as symmetric, in units of `cell`.

    Returns:
        (nx/2, ny/2, nz/2), the first octant, in the dtype of the cell.

    Raises:
        ValueError: The cell does not have three even sides, or is concrete and not mirror-symmetric.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.geometry import symmetry
        >>> octant = jnp.arange(8.0).reshape(2, 2, 2)
        >>> bool((symmetry.fold(symmetry.unfold(octant)) == octant).all())
        True
    """
    whole = jnp.asarray(cell)
    _checks.grid_rank(whole, "cell")
    if any(side % 2 for side in whole.shape):
        raise ValueError(f"Argument `cell` must have even sides to be folded, but has shape {whole.shape}.")
    mx, my, mz = (side // 2 for side in whole.shape)
    octant = whole[:mx, :my, :mz]
    if not _checks.is_traced(whole):
        distance = _mirror_distance(np.asarray(whole))
        if not distance <= tolerance:
            raise ValueError(
                f"Argument `cell` must be mirror-symmetric to be folded, but mirror images differ by up to "
                f"{distance:.3g}; average them first with `symmetrize`."
            )
    return octant


def _difference(first: np.ndarray, second: np.ndarray) -> float:
    if first.dtype.kind not in "fc":
        first, second = first.astype(np.float64), second.astype(np.float64)
    return float(np.max(np.abs(first - second)))


def _mirror_distance(cell: np.ndarray) -> float:
    return max(_difference(cell, np.flip(cell, axis)) for axis in range(3))


def detect(cell: Shaped[ArrayLike, "nx ny nz"], tolerance: float = 1e-6) -> Symmetry:
    """Finds the symmetry that a cell has, for use as the `symmetry` of a homogenization.

    Args:
        cell: (nx, ny, nz), the whole cell; concrete.
        tolerance: Largest difference between images which still counts as equal, in units of `cell`.

    Returns:
        "cubic", "mirror" or "none". A cell with an odd side has no octant of whole voxels and is reported as "none".

    Raises:
        ValueError: The cell does not have three axes, or is traced.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.geometry import symmetry
        >>> layers = np.zeros((4, 4, 4))
        >>> layers[1:3] = 1.0
        >>> symmetry.detect(layers)
        'mirror'
    """
    whole = _checks.concrete(cell, "cell")
    _checks.grid_rank(whole, "cell")
    if any(side % 2 for side in whole.shape) or not _mirror_distance(whole) <= tolerance:
        return "none"
    if len(set(whole.shape)) != 1:
        return "mirror"
    # Two transpositions generate all six permutations; each is tested against the tolerance by itself.
    distance = max(_difference(whole, whole.transpose(order)) for order in _PERMUTATIONS)
    return "cubic" if distance <= tolerance else "mirror"


def permute_average(octant: Shaped[ArrayLike, "m m m"]) -> Shaped[Array, "m m m"]:
    r"""Averages a field over the six permutations of the axes.

    $$\bar o(x_1, x_2, x_3) = \frac16 \sum_{\pi \in S_3} o(x_{\pi(1)}, x_{\pi(2)}, x_{\pi(3)})$$

    is the orthogonal projection on permutation-invariant fields: it is linear, its own transpose, and changes nothing
    when applied twice. It acts on an octant or on a whole cell alike.

    Args:
        octant: (m, m, m), of any unit; integers and booleans are averaged as floating numbers.

    Returns:
        (m, m, m), the average, symmetric up to rounding.

    Raises:
        ValueError: The field does not have three equal sides.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.geometry import symmetry
        >>> field = jnp.zeros((2, 2, 2)).at[1, 0, 0].set(3.0)
        >>> float(symmetry.permute_average(field)[0, 0, 1])
        1.0
    """
    field = _checks.floating(jnp.asarray(octant))
    _checks.grid_rank(field, "octant", "(m, m, m)")
    _checks.equal_sides(field.shape, "octant")
    return _permutation_mean(field)


@jax.jit
def _permutation_mean(field: jax.Array) -> jax.Array:
    total = field
    for order in _PERMUTATIONS[1:]:
        total = total + jnp.transpose(field, order)
    return total / len(_PERMUTATIONS)


def symmetrize(cell: Shaped[ArrayLike, "nx ny nz"], symmetry: Symmetry) -> Shaped[Array, "nx ny nz"]:
    """Averages a whole cell over the group of the symmetry asked for.

    The result is the nearest field of that symmetry in the sense of least squares, and its mean is that of the cell.

    Args:
        cell: (nx, ny, nz), the whole cell, of any unit; integers and booleans are averaged as floating numbers.
        symmetry: "none" leaves the cell alone, "mirror" averages 8 mirror images, "cubic" all 48 images.

    Returns:
        (nx, ny, nz), the average.

    Raises:
        ValueError: The symmetry is unknown, the cell does not have three axes, or its sides differ and the symmetry
            is "cubic".

    Example:
        >>> import numpy as np
        >>> from jaxmeta.geometry import symmetry
        >>> noise = np.random.default_rng(0).random((4, 4, 4))
        >>> symmetry.detect(noise), symmetry.detect(symmetry.symmetrize(noise, "cubic"))
        ('none', 'cubic')
    """
    _checks.one_of(symmetry, SYMMETRIES, "symmetry")
    field = _checks.floating(jnp.asarray(cell))
    _checks.grid_rank(field, "cell")
    if symmetry == "none":
        return field
    if symmetry == "cubic":
        _checks.equal_sides(field.shape, "cell")
        field = permute_average(field)
    return _mirror_mean(field)


@jax.jit
def _mirror_mean(field: jax.Array) -> jax.Array:
    for axis in range(3):
        field = (field + jnp.flip(field, axis)) / 2
    return field
