"""Inverses of small operators, by their matrix."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from ._blocks import inverse_where_positive
from ._operator import Stiffness

_BLOCK, _SMALL = 16, 128
"""Rows that are eliminated together, and of a matrix that is not taken in halves."""


@jax.jit
def dense_factor(operator: Stiffness) -> Array:
    """V of the inverse VᵀV of the coarsest operator, scaled to unit diagonal and shifted: rigid and void modes stay
    finite."""
    matrix = operator.matrix()
    diagonal = jnp.diagonal(matrix)
    size = len(diagonal)
    scale = jnp.sqrt(inverse_where_positive(diagonal))
    eye = jnp.eye(size, dtype=diagonal.dtype)
    dense = matrix * scale[:, None] * scale[None, :] + shift(diagonal.dtype) * eye
    if "periodic" in operator.boundary.kinds:
        # Translations of which nothing is held are given the stiffness one. Forces are in balance, so that what this
        # adds to the inverse does nothing; taking the mean displacement away would mix the void's into the solid's.
        loose = operator.boundary.free(jnp.ones((3, *operator.nodes), diagonal.dtype)).min((1, 2, 3))
        root = loose[:, None, None] * jnp.sqrt(jnp.maximum(diagonal, 0)).reshape(3, 1, -1)
        rigid = (root * jnp.eye(3, dtype=diagonal.dtype)[:, :, None]).transpose(0, 2, 1).reshape(size, 3)
        total = jnp.sum(rigid**2, 0, keepdims=True)
        rigid = rigid * jnp.sqrt(inverse_where_positive(total))
        dense = dense + rigid @ rigid.T
    held = jnp.diag((scale == 0).astype(diagonal.dtype))
    return inverse_factor(dense + held) * scale[None, :]


def shift(dtype: jnp.dtype) -> float:
    """Share of its diagonal that is added to a matrix, so that rigid and void modes stay finite."""
    return max(float(jnp.finfo(dtype).eps) ** 0.75, 1e-8)


def inverse_of_definite(matrix: Array) -> Array:
    """Inverse of a symmetric positive definite matrix, WᵀW with `inverse_factor` W."""
    factor = inverse_factor(matrix)
    return _product(factor.T, factor)


def inverse_factor(matrix: Array) -> Array:
    r"""W = L⁻¹, lower triangular, of a symmetric positive definite matrix with Cholesky's factor L: its inverse is WᵀW.

    So the inverse is positive definite whatever rounding does, which it is not by elimination to the end (Gauss and
    Jordan). A large matrix is taken in halves,

    .. math:: \begin{pmatrix} A & B^T \\ B & C \end{pmatrix}^{-1} = W^T W, \qquad
        W = \begin{pmatrix} W_A & 0 \\ -W_S M W_A & W_S \end{pmatrix}, \qquad M = B W_A^T,

    with the factors W_A of A and W_S of the Schur complement C − M Mᵀ; a small one is eliminated, 16 rows at a time.
    All are products of matrices, which take half the time of LAPACK's factorisation with XLA's triangular solves, and
    keep no thread waiting.
    """
    return _factor(matrix, jnp.finfo(matrix.dtype).eps * jnp.max(jnp.diagonal(matrix)))


def _factor(matrix: Array, least: Array) -> Array:
    """`inverse_factor` by pivots that are not less than what rounding leaves."""
    size = len(matrix)
    if size <= _SMALL:
        return _eliminated(matrix, least)
    half = -(-size // 2)
    first = _factor(matrix[:half, :half], least)
    middle = _product(matrix[half:, :half], first.T)
    second = _factor(matrix[half:, half:] - _product(middle, middle.T), least)
    low = -_product(_product(second, middle), first)
    return jnp.block([[first, jnp.zeros_like(low.T)], [low, second]])


def _eliminated(matrix: Array, least: Array) -> Array:
    """`inverse_factor`: what the elimination of the matrix makes of unity."""
    size = len(matrix)
    block = min(_BLOCK, size)
    count = -(-size // block)
    whole = jnp.eye(count * block, dtype=matrix.dtype)
    number = jnp.arange(count * block)

    def eliminate(step: Array, both: Array) -> Array:
        """Of A beside unity: rows of a block are divided by the factor of their pivots and taken from those below."""
        first = step * block
        rows = _divided(jax.lax.dynamic_slice_in_dim(both, first, block, 0), first, least)
        below = (number >= first + block).astype(both.dtype)
        both = both - below[:, None] * _product(rows[:, : len(both)].T, rows)
        return jax.lax.dynamic_update_slice_in_dim(both, rows, first, 0)

    both = jnp.concatenate([whole.at[:size, :size].set(matrix), whole], axis=1)
    return jax.lax.fori_loop(0, count, eliminate, both)[:size, count * block :][:, :size]


def _divided(rows: Array, first: Array, least: Array) -> Array:
    """Rows of a block, from whose column `first` on their pivots stand, by the inverse of the pivots' factor."""
    number = jnp.arange(len(rows))

    def eliminate(step: Array, rows: Array) -> Array:
        column, pivot = rows[:, first + step], jnp.sqrt(jnp.maximum(rows[step, first + step], least))
        row = rows[step] / pivot
        below = jnp.where(number > step, column, 0) / pivot
        return (rows - below[:, None] * row[None, :]).at[step].set(row)

    return jax.lax.fori_loop(0, len(rows), eliminate, rows)


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision="highest")
