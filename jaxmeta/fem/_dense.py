"""Inverses of small operators, by their matrix."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
from jax import Array

from ._blocks import inverse_where_positive
from ._operator import Stiffness


def one_by_one(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function, which closes over no array, and which on a CPU does a batch one after the other.

    jaxlib 0.10 hands a batch of factorisations, but for quite small ones, to the threads that run programs, and waits
    for it on one of them: two programs at the same time, of two threads of Python or two devices, wait for ever when
    there are no more threads.
    """
    sequential = jax.custom_batching.sequential_vmap(function)
    return lambda *operands: jax.lax.platform_dependent(*operands, cpu=sequential, default=function)


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
    """Inverse of a symmetric positive definite matrix, by its Cholesky factor."""
    return one_by_one(_by_cholesky)(matrix)


def _by_cholesky(matrix: Array) -> Array:
    return jsl.cho_solve(jsl.cho_factor(matrix, lower=True), jnp.eye(len(matrix), dtype=matrix.dtype))
