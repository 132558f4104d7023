"""Jacobi-scaled FFT preconditioner: for grids of any size, where multigrid cannot halve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from ._boundary import Block, Periodic
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


def _signs(boundary: Block, axis: int) -> Array:
    """Parity of each component under the mirror `axis`: −1 where it is held on the face, else +1."""
    mask = boundary.masks[axis]
    return jnp.where(jnp.take(mask, 0, axis=1 + axis)[:, 0, 0], 1, -1)


def _reflected(field: Array, boundary: Block) -> Array:
    """The octant's nodal field (3, n+1, …) continued over the whole cell (3, 2n, …) by its parities."""
    for axis in range(3):
        inner = [slice(None)] * 4
        inner[1 + axis] = slice(1, -1)
        sign = _signs(boundary, axis).astype(field.dtype)[:, None, None, None]
        field = jnp.concatenate([field, sign * jnp.flip(field[tuple(inner)], 1 + axis)], 1 + axis)
    return field


def _copies(shape: tuple[int, ...], dtype: jnp.dtype) -> Array:
    """By how much an octant's nodal force is less than that of the same node in the whole cell: 2 on every face."""
    factor = jnp.ones((1, *shape), dtype)
    for axis, n in enumerate(shape):
        line = jnp.ones(n, dtype).at[jnp.array([0, n - 1])].set(2)
        factor = factor * line.reshape([1] + [n if a == axis else 1 for a in range(3)])
    return factor


@dataclass(frozen=True)
class JacobiFFT:
    """The inverse of a homogeneous cell, scaled on both sides by Jacobi's diagonal.

    With D the diagonal of K and K₀ the operator of a homogeneous cell of unit diagonal, M⁻¹ = D^(−½) K₀⁻¹ D^(−½), where
    K₀⁻¹ is applied by a fast Fourier transform. An octant is continued over the whole cell by its parities first (the
    same as sine and cosine transforms).

    References:
        M. Ladecký, R. J. Leute, A. Falsafi, I. Pultarová, L. Pastewka, T. Junge, J. Zeman, "An optimal preconditioned
        FFT-accelerated finite element solver for homogenization", Appl. Math. Comput. 446, 127835 (2023).
    """

    def __call__(self, operator: Stiffness) -> Callable[[Array], Array]:
        """The preconditioner of one operator."""
        boundary = operator.boundary
        diagonal = operator.diagonal()
        if not isinstance(boundary, Block):
            scale = _inverse_root(diagonal)
            symbol = _inverse_symbol(diagonal.shape[1:], operator.spacing)
            return lambda residual: scale * _convolve(symbol, scale * residual)
        if len(boundary.masks) != 3:
            raise ValueError("Argument `preconditioner` must be multigrid for a clamped block, but is FFT.")
        copies = _copies(diagonal.shape[1:], diagonal.dtype)
        scale = _inverse_root(diagonal * copies)
        symbol = _inverse_symbol(tuple(2 * n for n in operator.elements), operator.spacing)
        nodes = tuple(slice(0, n) for n in operator.nodes)

        def apply(residual: Array) -> Array:
            whole = _reflected(boundary.free(scale * copies * residual), boundary)
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
