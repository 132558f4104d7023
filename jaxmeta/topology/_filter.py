"""Density filter with linear weights on a periodic cell, or on the octant of a mirror-symmetric one.

A filter that is a convolution on a periodic grid is diagonal in the real Fourier basis of each axis. With an even
kernel, the restriction of the filter of a mirrored cell to its octant is diagonal in the cosine basis (DCT-II), whose
vectors are the even extensions that unfolding produces. Both cases are therefore one formula,

    y = Qᵀ (s ∘ (Q x)),    Q = Qx ⊗ Qy ⊗ Qz,

with small orthonormal matrices Qx, Qy, Qz and eigenvalues s. It is exact for every radius, also one larger than the
cell; it is self-adjoint; and the octant costs an eighth of the cell.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._arguments import real_number, three_numbers

Symmetry = Literal["none", "mirror", "cubic"]


def check_symmetry(symmetry: str) -> None:
    """Refuse a symmetry that does not exist."""
    if not (isinstance(symmetry, str) and symmetry in ("none", "mirror", "cubic")):
        raise ValueError(f'Argument `symmetry` must be "none", "mirror" or "cubic", but is {symmetry!r}.')


def checked_spacing(spacing: Any, symmetry: str) -> tuple[float, float, float]:
    """Voxel edges as three positive numbers, which are equal in a cubic cell."""
    x, y, z = three_numbers("spacing", spacing)
    if symmetry == "cubic" and len({x, y, z}) != 1:
        raise ValueError(f'Argument `spacing` must have equal edges when `symmetry` is "cubic", but is {(x, y, z)}.')
    return x, y, z


def check_field(name: str, field: Array, symmetry: str) -> None:
    """Refuse a field that is not a real (nx, ny, nz) array, or not a cube in a cubic cell."""
    if field.ndim != 3:
        raise ValueError(f"Argument `{name}` must have shape (nx, ny, nz), but has shape {field.shape}.")
    if not jnp.issubdtype(field.dtype, jnp.floating):
        raise ValueError(f"Argument `{name}` must have a floating-point dtype, but has dtype {field.dtype}.")
    if symmetry == "cubic" and len(set(field.shape)) != 1:
        raise ValueError(
            f'Argument `{name}` must have equal sides when `symmetry` is "cubic", but has shape {field.shape}.'
        )


def _cosine_basis(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal DCT-II vectors in rows (size, size), and their frequency in radians a voxel (size,)."""
    frequency = np.pi * np.arange(size) / size
    basis = np.cos(np.outer(frequency, np.arange(size) + 0.5)) * math.sqrt(2 / size)
    basis[0] /= math.sqrt(2)
    return basis, frequency


def _fourier_basis(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal real Fourier vectors in rows (size, size), and their frequency in radians a voxel (size,)."""
    index = np.arange(size)
    wave = (index + 1) // 2  # 0, 1, 1, 2, 2, …: a cosine and a sine for each
    frequency = 2 * np.pi * wave / size
    phase = np.where(index % 2 == 1, 0.0, np.pi / 2)
    basis = np.cos(np.outer(frequency, index) - phase[:, None])
    basis[0] = 1.0
    return basis / np.linalg.norm(basis, axis=1, keepdims=True), frequency


@dataclasses.dataclass(frozen=True)
class DensityFilter:
    r"""Density filter with linear weights.

    $$ \tilde\rho_i = \frac{\sum_j w_{ij} \rho_j}{\sum_j w_{ij}}, \qquad
       w_{ij} = \max(0, R - |x_i - x_j|), $$

    where the sum runs over all periodic images. The weights depend on the difference of two positions only, so the
    denominator is one constant and the filter is self-adjoint. With `symmetry` "mirror" or "cubic" the density is the
    first octant of the cell, and the result is the octant of the filtered cell.

    The result never leaves the range of the input: what rounding adds beyond it is taken off, and derivatives do not
    see this. The dtype follows the input.

    Args:
        radius: R, in multiples of the smallest voxel edge. One or less changes nothing. It may exceed the cell.
        symmetry: "none", "mirror" or "cubic".
        spacing: Edges of a voxel; only their ratios matter.

    Raises:
        ValueError: If the radius is negative or not finite, or another argument is not as described.

    Example:
        >>> import jax.numpy as jnp
        >>> density = jnp.zeros((8, 8, 8)).at[4, 4, 4].set(1.0)
        >>> filtered = DensityFilter(radius=2.0)(density)
        >>> print(f"{filtered[4, 4, 4]:.3f} {filtered[3, 4, 4]:.3f} {filtered.sum():.3f}")
        0.116 0.058 1.000

    References:
        Bourdin, B. (2001), "Filters in topology optimization", Int. J. Numer. Methods Eng. 50, eq. 3.
        Bruns, T. E. and Tortorelli, D. A. (2001), "Topology optimization of non-linear elastic structures and
        compliant mechanisms", Comput. Methods Appl. Mech. Eng. 190, section 3.
    """

    radius: float | int
    symmetry: Symmetry = "none"
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self):
        def valid(radius: float) -> bool:
            return math.isfinite(radius) and radius >= 0

        radius = real_number("radius", self.radius, "be a finite number of at least 0", valid)
        check_symmetry(self.symmetry)
        object.__setattr__(self, "radius", radius)
        object.__setattr__(self, "spacing", checked_spacing(self.spacing, self.symmetry))

    def _weights(self) -> np.ndarray:
        """Normalised weights of the offsets 0, 1, …, r along each axis; an offset stands for its mirror images too."""
        edges = np.asarray(self.spacing) / min(self.spacing)
        # Offsets with |o| edge >= R have no weight.
        axes = [np.arange(math.ceil(self.radius / edge)) for edge in edges]
        squares = [(axis * edge) ** 2 for axis, edge in zip(axes, edges, strict=True)]
        distance = np.sqrt(squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :])
        weights = np.maximum(0.0, self.radius - distance)
        for k, axis in enumerate(axes):
            images = np.where(axis == 0, 1.0, 2.0)
            weights = weights * np.expand_dims(images, tuple(a for a in range(3) if a != k))
        return weights / weights.sum()

    def __call__(self, density: Float[Array, "nx ny nz"]) -> Float[Array, "nx ny nz"]:
        """Filter a density.

        Args:
            density: (nx, ny, nz), dimensionless. The cell, or its first octant.

        Returns:
            Filtered density (nx, ny, nz).

        Raises:
            ValueError: If the density is not a real (nx, ny, nz) array, or not a cube in a cubic cell.
        """
        check_field("density", density, self.symmetry)
        if self.radius <= 1:
            return density
        dtype = density.dtype
        basis_of = _fourier_basis if self.symmetry == "none" else _cosine_basis
        bases, eigenvalues = [], jnp.asarray(self._weights(), dtype)
        for size in density.shape:
            basis, frequency = basis_of(size)
            bases.append(jnp.asarray(basis, dtype))
            # An even kernel w has the eigenvalue Σ_o w(o) cos(θ o); the axes are contracted one after the other,
            # each moving to the end, so that three of them restore the order.
            cosines = np.cos(np.outer(np.arange(eigenvalues.shape[0]), frequency))
            eigenvalues = jnp.tensordot(eigenvalues, jnp.asarray(cosines, dtype), axes=(0, 0), precision="highest")
        coefficients = density
        for basis in bases:
            coefficients = jnp.tensordot(coefficients, basis, axes=(0, 1), precision="highest")
        filtered = eigenvalues * coefficients
        for basis in bases:
            filtered = jnp.tensordot(filtered, basis, axes=(0, 0), precision="highest")
        # An average stays within the range of its terms. The correction is of the size of rounding and has no slope.
        clipped = jnp.clip(filtered, jnp.min(density), jnp.max(density))
        return filtered + jax.lax.stop_gradient(clipped - filtered)
