"""Inverses of small operators, by their matrix."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from ._blocks import inverse_where_positive
from ._operator import Stiffness

_BLOCK = 16


@jax.jit
def dense_inverse(operator: Stiffness) -> Array:
    """Inverse of the coarsest operator, scaled to unit diagonal and shifted: rigid and void modes stay finite."""
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
    inverse = inverse_of_definite(dense + held) * scale[:, None] * scale[None, :]
    return 0.5 * (inverse + inverse.T)


def shift(dtype: jnp.dtype) -> float:
    """Share of its diagonal that is added to a matrix, so that rigid and void modes stay finite."""
    return max(float(jnp.finfo(dtype).eps) ** 0.75, 1e-8)


def inverse_of_definite(matrix: Array) -> Array:
    r"""Inverse of a symmetric positive definite matrix A, by Cholesky's factor: :math:`W^T W` with :math:`W = L^{-1}`.

    So the inverse is positive definite whatever rounding does, which it is not by elimination to the end (Gauss and
    Jordan). W is what the elimination of A makes of unity, 16 rows at a time: products of matrices, which take a
    fraction of the time of LAPACK's factorisation with XLA's triangular solves, and keep no thread waiting.
    """
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

    least = jnp.finfo(matrix.dtype).eps * jnp.max(jnp.diagonal(matrix))  # of a pivot that rounding has left
    both = jnp.concatenate([whole.at[:size, :size].set(matrix), whole], axis=1)
    inverse = jax.lax.fori_loop(0, count, eliminate, both)[:, count * block :]
    return _product(inverse.T, inverse)[:size, :size]


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
