"""Jacobi-scaled FFT preconditioner, for periodic cells and octants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from ._boundary import Block, Boundary, Kinds, Periodic
from ._fields import IsotropicField
from ._operator import Stiffness


def _inverse_symbol(shape: tuple[int, ...], spacing: Array) -> Array:
    """Symbol of K⁻¹ for a homogeneous solid of unit diagonal, (3, 3, nx, ny, nz//2+1); zero for translations."""
    one = jnp.ones(shape, spacing.dtype)
    operator = Stiffness(IsotropicField(0.6 * one, 0.4 * one), spacing, Periodic())
    impulses = jnp.zeros((3, 3, *shape), spacing.dtype).at[jnp.arange(3), jnp.arange(3), 0, 0, 0].set(1)
    diagonal = operator.diagonal()[:, 0, 0, 0]
    # The response of a homogeneous grid to an impulse is even in space, so that its transform is real.
    columns = [jnp.fft.rfftn(operator(impulses[c]), axes=(1, 2, 3)).real for c in range(3)]
    k = [[columns[c][r] / jnp.sqrt(diagonal[c] * diagonal[r]) for c in range(3)] for r in range(3)]
    cofactor = [
        [
            k[(r + 1) % 3][(c + 1) % 3] * k[(r + 2) % 3][(c + 2) % 3]
            - k[(r + 1) % 3][(c + 2) % 3] * k[(r + 2) % 3][(c + 1) % 3]
            for c in range(3)
        ]
        for r in range(3)
    ]
    terms = [k[0][c] * cofactor[0][c] for c in range(3)]
    determinant = (terms[0] + terms[1] + terms[2]).at[0, 0, 0].set(1)
    return jnp.stack([jnp.stack([entry / determinant for entry in row]) for row in cofactor]).at[:, :, 0, 0, 0].set(0)


def _continued(field: Array, boundary: Boundary) -> Array:
    """A nodal field (3, x, y, z) over the whole period: across the mirrors of an axis by the parity of components."""
    for axis in range(3):
        even = boundary.even[axis] if isinstance(boundary, Block) else None
        if even is not None:
            inner = [slice(None)] * 4
            inner[1 + axis] = slice(1, -1)
            sign = jnp.where(even, 1, -1).astype(field.dtype)[:, None, None, None]
            field = jnp.concatenate([field, sign * jnp.flip(field[tuple(inner)], 1 + axis)], 1 + axis)
    return field


def _copies(shape: tuple[int, ...], kinds: Kinds, dtype: jnp.dtype) -> Array:
    """By how much a nodal force is less than that of the same node in the whole period: 2 on every mirror."""
    factor = jnp.ones((1, *shape), dtype)
    for axis, (n, kind) in enumerate(zip(shape, kinds, strict=True)):
        if kind == "mirror":
            line = jnp.ones(n, dtype).at[jnp.array([0, n - 1])].set(2)
            factor = factor * line.reshape([1] + [n if a == axis else 1 for a in range(3)])
    return factor


@dataclass(frozen=True)
class JacobiFFT:
    """The inverse of a homogeneous cell, scaled on both sides by Jacobi's diagonal.

    With D the diagonal of K and K₀ the operator of a homogeneous cell of unit diagonal, M⁻¹ = D^(−½) K₀⁻¹ D^(−½), where
    K₀⁻¹ is applied by a fast Fourier transform. Along axes that are mirrors a field is continued over the whole period
    by its parities first (the same as sine and cosine transforms).

    References:
        M. Ladecký, R. J. Leute, A. Falsafi, I. Pultarová, L. Pastewka, T. Junge, J. Zeman, "An optimal preconditioned
        FFT-accelerated finite element solver for homogenization", Appl. Math. Comput. 446, 127835 (2023).
    """

    def __call__(self, operator: Stiffness) -> Callable[[Array], Array]:
        """The preconditioner of one operator."""
        boundary = operator.boundary
        if "free" in boundary.kinds or (isinstance(boundary, Block) and boundary.mask is not None):
            raise ValueError("Argument `preconditioner` must be multigrid for a clamped block, but is FFT.")
        diagonal = operator.diagonal()
        copies = _copies(diagonal.shape[1:], boundary.kinds, diagonal.dtype)
        scale = _inverse_root(diagonal * copies)
        period = [n if kind == "periodic" else 2 * n for n, kind in zip(operator.elements, boundary.kinds, strict=True)]
        symbol = _inverse_symbol(tuple(period), operator.spacing)
        nodes = tuple(slice(0, n) for n in operator.nodes)

        def apply(residual: Array) -> Array:
            whole = _continued(boundary.free(scale * copies * residual), boundary)
            return boundary.free(scale * _convolve(symbol, whole)[:, *nodes])

        return apply


def _inverse_root(diagonal: Array) -> Array:
    positive = diagonal > 0
    return jnp.where(positive, 1 / jnp.sqrt(jnp.where(positive, diagonal, 1)), 0)


def _convolve(symbol: Array, field: Array) -> Array:
    transform = jnp.fft.rfftn(field, axes=(1, 2, 3))
    symbol = symbol.astype(transform.dtype)
    product = [sum(symbol[r, c] * transform[c] for c in range(3)) for r in range(3)]
    return jnp.fft.irfftn(jnp.stack(product), s=field.shape[1:], axes=(1, 2, 3)).astype(field.dtype)
