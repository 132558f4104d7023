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
    """Inverse of a symmetric positive definite matrix.

    By Gauss and Jordan, 16 columns at a time: a definite matrix needs no pivots, and products of matrices take a tenth
    of the time that LAPACK's factorisation and XLA's triangular solves take, are no less exact, and keep no thread
    waiting.
    """
    size = len(matrix)
    block = min(_BLOCK, size)
    count = -(-size // block)
    whole = jnp.eye(count * block, dtype=matrix.dtype).at[:size, :size].set(matrix)

    def eliminate(step: Array, a: Array) -> Array:
        first = step * block
        rows = jax.lax.dynamic_slice_in_dim(a, first, block, 0)
        columns = jax.lax.dynamic_slice_in_dim(a, first, block, 1)
        pivot = _column_by_column(jax.lax.dynamic_slice_in_dim(rows, first, block, 1))
        rows = _product(pivot, rows)
        others = jax.lax.dynamic_update_slice_in_dim(-_product(columns, pivot), pivot, first, 0)
        a = jax.lax.dynamic_update_slice_in_dim(a - _product(columns, rows), rows, first, 0)
        return jax.lax.dynamic_update_slice_in_dim(a, others, first, 1)

    return jax.lax.fori_loop(0, count, eliminate, whole)[:size, :size]


def _column_by_column(matrix: Array) -> Array:
    number = jnp.arange(len(matrix))

    def eliminate(step: Array, a: Array) -> Array:
        here, pivot = number == step, a[step, step]
        row, column = a[step] / pivot, jnp.where(here, 0, a[:, step])
        a = jnp.where(here[:, None], row[None, :], a - column[:, None] * row[None, :])
        return jnp.where(here[None, :], jnp.where(here, 1, -column)[:, None] / pivot, a)

    return jax.lax.fori_loop(0, len(matrix), eliminate, matrix)


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision="highest")
