r"""Start fields for optimisation, and the two maps which give any field a wanted volume fraction.

`squash` bends a field monotonically into [0, 1], `threshold` cuts it at a level. Both keep the order of the values, so
the shapes in the field survive, and both choose the one free number, the shift or the level, such that the mean of the
result is the volume fraction. The random fields are pure functions of an explicit key and static shapes.
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Key, Shaped, UInt32

from . import _checks
from .symmetry import SYMMETRIES, Symmetry, permute_average, unfold

PRNGKey = Key[Array, ""] | UInt32[Array, "2"]

# A bracket halved this often is far below the rounding of float64.
_BISECTIONS = 60


def squash(
    field: Shaped[ArrayLike, "nx ny nz"], volume_fraction: float | Float[ArrayLike, ""], sharpness: float = 2.0
) -> Float[Array, "nx ny nz"]:
    r"""Maps a field monotonically into (0, 1) so that its mean is the volume fraction.

    With $z$ the field shifted and scaled to mean zero and unit variance,

    $$\rho = \frac{1}{1 + e^{-(s z + b)}}, \qquad \langle\rho\rangle = f,$$

    where the shift $b$ is found by bisection: the mean grows with $b$, and the root is bracketed by
    $\mathrm{logit} f \pm s \max|z|$. A constant field becomes the constant $f$. The bisection is not differentiable.

    Args:
        field: (nx, ny, nz), of any unit.
        volume_fraction: Mean of the result, between 0 and 1.
        sharpness: The factor s; large values give fields close to binary.

    Returns:
        (nx, ny, nz), the density, in the dtype of the field.

    Raises:
        ValueError: The field does not have three axes, or a number is out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import jaxmeta.geometry as geometry
        >>> noise = jax.random.normal(jax.random.key(0), (8, 8, 8))
        >>> round(float(geometry.squash(noise, 0.3).mean()), 4)
        0.3
    """
    values = _checks.floating(jnp.asarray(field))
    _checks.grid_rank(values, "field")
    _checks.fraction(volume_fraction)
    _checks.positive(sharpness, "sharpness")
    kind = values.dtype
    return _squash(values, jnp.asarray(volume_fraction, kind), jnp.asarray(sharpness, kind))


@jax.jit
def _squash(values: jax.Array, target: jax.Array, sharpness: jax.Array) -> jax.Array:
    # The mean of a constant may be another number by rounding; less one of its values, a constant is exactly zero.
    shifted = values - values[0, 0, 0]
    centred = shifted - jnp.mean(shifted)
    tiny = jnp.finfo(values.dtype).tiny
    z = sharpness * centred / jnp.sqrt(jnp.maximum(jnp.mean(centred**2), tiny))
    centre, reach = jnp.log(target) - jnp.log1p(-target), jnp.max(jnp.abs(z))

    def halve(_: object, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bracket
        middle = (low + high) / 2
        short = jnp.mean(jax.nn.sigmoid(z + middle)) < target
        return jnp.where(short, middle, low), jnp.where(short, high, middle)

    low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, (centre - reach, centre + reach))
    return jax.nn.sigmoid(z + (low + high) / 2)


def threshold(
    field: Shaped[ArrayLike, "nx ny nz"], volume_fraction: float | Float[ArrayLike, ""]
) -> Bool[Array, "nx ny nz"]:
    """Cuts a field at the level that leaves the volume fraction above it.

    The level lies half-way between two neighbouring values of the sorted field. Values which agree up to rounding are
    never separated, so voxels that a symmetry of the field makes equal stay equal: the fraction is met to half a voxel
    where all values differ, and to half an orbit of equivalent voxels in a symmetric field.

    Args:
        field: (nx, ny, nz), of any unit; large values become solid.
        volume_fraction: Fraction of solid voxels, between 0 and 1.

    Returns:
        (nx, ny, nz), True where solid.

    Raises:
        ValueError: The field does not have three axes, or the volume fraction is out of range.

    Example:
        >>> import jax.numpy as jnp
        >>> import jaxmeta.geometry as geometry
        >>> geometry.threshold(jnp.arange(8.0).reshape(2, 2, 2), 0.25)[1].tolist()
        [[False, False], [True, True]]
    """
    values = _checks.floating(jnp.asarray(field))
    _checks.grid_rank(values, "field")
    _checks.fraction(volume_fraction)
    return _threshold(values, jnp.asarray(volume_fraction, values.dtype))


@jax.jit
def _threshold(values: jax.Array, volume_fraction: jax.Array) -> jax.Array:
    ordered = jnp.sort(values.ravel())
    gaps = ordered[1:] - ordered[:-1]
    rounding = 32 * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(ordered))
    # Entry m stands for m void voxels; an empty and a full cell are always possible cuts.
    possible = jnp.pad(gaps > rounding, 1, constant_values=True)
    wanted = jnp.round((1 - volume_fraction) * values.size).astype(jnp.int32)
    miss = jnp.abs(jnp.arange(values.size + 1, dtype=jnp.int32) - wanted)
    cut = jnp.argmin(jnp.where(possible, miss, values.size + 1))
    infinity = jnp.full((1,), jnp.inf, values.dtype)
    bounded = jnp.concatenate([-infinity, ordered, infinity])
    return values > (bounded[cut] + bounded[cut + 1]) / 2


def _axis_table(side: int, frequencies: int, octant: bool, dtype: np.dtype) -> jax.Array:
    """Values of the basis functions along one axis, (side, modes), the constant one first."""
    position = (np.arange(side) + 0.5) / (2 * side if octant else side)
    phase = 2.0 * np.pi * position[:, None] * np.arange(frequencies + 1)[None, :]
    table = np.cos(phase) if octant else np.concatenate([np.cos(phase), np.sin(phase[:, 1:])], axis=1)
    return jnp.asarray(table, dtype)


def trigonometric(
    key: PRNGKey,
    shape: Sequence[int],
    symmetry: Symmetry = "cubic",
    frequencies: int = 2,
    volume_fraction: float | Float[ArrayLike, ""] = 0.3,
    sharpness: float = 2.0,
    dtype: object = None,
) -> Float[Array, "nx ny nz"]:
    r"""A random combination of the lowest trigonometric functions of the cell.

    $$\psi(\mathbf x) = \sum_{\mathbf k \neq 0} a_{\mathbf k} \prod_{d=1}^{3} \phi_{k_d}(x_d), \qquad
      \phi \in \{1, \cos 2\pi k x, \sin 2\pi k x\}_{0 < k \le n}$$

    with independent standard normal $a_{\mathbf k}$. On an octant only the cosines survive, and for cubic symmetry the
    coefficients are averaged over the permutations of the axes. `squash` then makes a density of ψ.

    Args:
        key: JAX random key.
        shape: (nx, ny, nz) of the result: the cell for "none", its first octant for "mirror" and "cubic".
        symmetry: "none", "mirror" or "cubic".
        frequencies: The highest frequency n along each axis, in periods per cell.
        volume_fraction: Mean of the density, between 0 and 1.
        sharpness: How close to binary; see `squash`.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), the density, between 0 and 1.

    Raises:
        ValueError: An argument is out of range, or the sides differ and the symmetry is "cubic".

    Example:
        >>> import jax
        >>> import jaxmeta.geometry as geometry
        >>> start = geometry.trigonometric(jax.random.key(1), (8, 8, 8), volume_fraction=0.25)
        >>> start.shape, round(float(start.mean()), 4)
        ((8, 8, 8), 0.25)

    References:
        Yang, Wang, Zhang, Liu and others, "Guided diffusion for fast inverse design of density-based mechanical
        metamaterials", 2024: the basis of the start fields of their optimised data.
    """
    sides = _checks.shape_of(shape)
    _check_symmetry(symmetry, sides)
    if frequencies < 1:
        raise ValueError(f"Argument `frequencies` must be at least 1, but is {frequencies}.")
    kind = _checks.float_dtype(dtype)
    tables = [_axis_table(side, frequencies, symmetry != "none", kind) for side in sides]
    modes = tables[0].shape[1]
    weights = jax.random.normal(key, (modes, modes, modes), kind)
    return squash(_combine(weights, *tables, symmetry), volume_fraction, sharpness)


@functools.partial(jax.jit, static_argnums=4)
def _combine(weights: jax.Array, x: jax.Array, y: jax.Array, z: jax.Array, symmetry: Symmetry) -> jax.Array:
    """The sum of products of one function along each axis, without the constant one."""
    weights = weights.at[0, 0, 0].set(0)
    if symmetry == "cubic":
        weights = permute_average(weights)
    return jnp.einsum("abc,ia,jb,kc->ijk", weights, x, y, z, precision="highest")


def random_field(
    key: PRNGKey,
    shape: Sequence[int],
    length: float,
    volume_fraction: float | Float[ArrayLike, ""] = 0.3,
    symmetry: Symmetry = "none",
    sharpness: float = 2.0,
    dtype: object = None,
) -> Float[Array, "nx ny nz"]:
    r"""A density made of a periodic Gaussian random field.

    White noise is filtered in Fourier space with $\exp(-(2\pi |\mathbf f| \ell)^2 / 4)$, f in cycles per voxel, which
    gives the autocorrelation $\exp(-r^2 / 2\ell^2)$ at distances small against the cell. `squash` makes a density of
    it, and `threshold` a binary cell of that. On an octant the noise is mirrored before it is filtered.

    Args:
        key: JAX random key.
        shape: (nx, ny, nz) of the result: the cell for "none", its first octant for "mirror" and "cubic".
        length: Correlation length ℓ in voxels, positive.
        volume_fraction: Mean of the density, between 0 and 1.
        symmetry: "none", "mirror" or "cubic".
        sharpness: How close to binary; see `squash`.
        dtype: Floating dtype, float32 or float64; JAX's default one when None.

    Returns:
        (nx, ny, nz), the density, between 0 and 1.

    Raises:
        ValueError: An argument is out of range, or the sides differ and the symmetry is "cubic".

    Example:
        >>> import jax
        >>> import jaxmeta.geometry as geometry
        >>> start = geometry.random_field(jax.random.key(2), (8, 8, 8), length=2.0, volume_fraction=0.4)
        >>> round(float(start.mean()), 4)
        0.4
    """
    sides = _checks.shape_of(shape)
    _check_symmetry(symmetry, sides)
    _checks.positive(length, "length")
    noise = jax.random.normal(key, sides, _checks.float_dtype(dtype))
    return squash(_smooth(noise, jnp.asarray(length, noise.dtype), symmetry), volume_fraction, sharpness)


@functools.partial(jax.jit, static_argnames="symmetry")
def _smooth(noise: jax.Array, length: jax.Array, symmetry: Symmetry) -> jax.Array:
    """White noise on the cell or its octant, filtered to a correlation length in voxels."""
    sides = noise.shape
    if symmetry == "cubic":
        noise = permute_average(noise)
    if symmetry != "none":
        noise = unfold(noise)
    full = noise.shape
    fx = np.fft.fftfreq(full[0])[:, None, None]
    fy = np.fft.fftfreq(full[1])[None, :, None]
    fz = np.fft.rfftfreq(full[2])[None, None, :]
    squared = jnp.asarray((2.0 * np.pi) ** 2 * (fx**2 + fy**2 + fz**2), noise.dtype)
    gain = jnp.exp(squared * (-(length**2) / 4))
    spectrum = jnp.fft.rfftn(noise)
    return jnp.fft.irfftn(spectrum * gain.astype(spectrum.dtype), s=full)[: sides[0], : sides[1], : sides[2]]


def _check_symmetry(symmetry: str, sides: tuple[int, int, int]) -> None:
    _checks.one_of(symmetry, SYMMETRIES, "symmetry")
    if symmetry == "cubic":
        _checks.equal_sides(sides, "shape")
