"""The softest mode of the free atoms by locally optimal preconditioned conjugate gradients.

The lowest eigenvalue of H_ff is the least Rayleigh quotient. Every step minimises it over the span of a few vectors, of
their preconditioned residuals and of their last moves.

References:
    A. V. Knyazev, SIAM J. Sci. Comput. 23, 517 (2001), algorithm 5.1.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from ._body import Body

_BLOCK = 3
"""Vectors that are followed: soft modes of beams come in pairs."""
_STEPS = 200
_SMALL = 1e-5
"""An eigenvalue in eV/Å² that is small: those of a body that can move as a whole are zero."""


class Mode(NamedTuple):
    """The lowest eigenvalue of H_ff in eV/Å², its vector (3, n) of length one, and how it was found.

    Attributes:
        value: Rayleigh quotient of the vector.
        vector: of length one.
        residual: norm of H v − λ v, a bound of the error of the eigenvalue, in eV/Å².
        steps: that were taken.
    """

    value: Array
    vector: Array
    residual: Array
    steps: Array


class _State(NamedTuple):
    vectors: Array
    images: Array
    moves: Array
    moved: Array
    values: Array
    residual: Array
    steps: Array


@jax.jit
def softest_mode(body: Body, displacement: Array, tolerance: Array) -> Mode:
    """The softest mode at a displacement.

    Args:
        body: with at least three free components.
        displacement: (3, n).
        tolerance: error of the eigenvalue relative to it, estimated by the residual squared over the gap.
    """
    operator = body.hessian(displacement)
    approximate = body.preconditioner(operator, body.corrections())

    def image(fields: Array) -> Array:
        return lax.map(lambda field: body.free[None] * operator(field), fields)

    def closer(fields: Array) -> Array:
        return lax.map(lambda field: body.free[None] * approximate(field), fields)

    def step(state: _State) -> _State:
        residuals = closer(state.images - state.values[:, None, None] * state.vectors)
        basis = jnp.concatenate([state.vectors, residuals, state.moves])
        images = jnp.concatenate([state.images, image(residuals), state.moved])
        scale = 1 / jnp.sqrt(jnp.maximum(jnp.sum(basis**2, (1, 2)), 1e-300))[:, None, None]
        basis, images = scale * basis, scale * images
        values, mix = _pencil(_products(basis, images), _products(basis, basis))
        moves = mix.at[:, :_BLOCK].set(0)
        vectors, there = _mixed(mix, basis), _mixed(mix, images)
        residual = jnp.sqrt(jnp.sum((there[0] - values[0] * vectors[0]) ** 2))
        return _State(vectors, there, _mixed(moves, basis), _mixed(moves, images), values, residual, state.steps + 1)

    def going(state: _State) -> Array:
        gap = jnp.maximum(state.values[-1] - state.values[0], 1e-3 * jnp.abs(state.values[0]) + 1e-9)
        close = tolerance * (jnp.abs(state.values[0]) + _SMALL)
        return (state.steps < _STEPS) & (state.residual**2 / gap > close)

    vectors = closer(jax.random.normal(jax.random.key(0), (_BLOCK, *displacement.shape), displacement.dtype))
    images = image(vectors)
    values, mix = _pencil(_products(vectors, images), _products(vectors, vectors))
    vectors, images = _mixed(mix, vectors), _mixed(mix, images)
    zero, largest = jnp.zeros_like(vectors), jnp.asarray(jnp.inf, vectors.dtype)
    state = _State(vectors, images, zero, zero, values, largest, jnp.zeros((), jnp.int32))
    state = lax.while_loop(going, step, state)
    return Mode(state.values[0], state.vectors[0], state.residual, state.steps)


def _products(left: Float[Array, "a 3 n"], right: Float[Array, "b 3 n"]) -> Float[Array, "a b"]:
    """Inner products of fields, which keep the axis along which devices may share them."""
    return jnp.einsum("acn,bcn->ab", left, right, precision="highest")


def _mixed(mix: Float[Array, "a b"], fields: Float[Array, "b 3 n"]) -> Float[Array, "a 3 n"]:
    return jnp.einsum("ab,bcn->acn", mix, fields, precision="highest")


def _times(left: Array, right: Array) -> Array:
    return jnp.matmul(left, right, precision="highest")


def _pencil(energy: Array, gram: Array) -> tuple[Array, Array]:
    """The least eigenvalues of a small pencil and their vectors, in rows; what the basis has twice is left out."""
    weights, turn = jnp.linalg.eigh(0.5 * (gram + gram.T))
    good = weights > 1e-12 * weights[-1]
    half = turn * jnp.where(good, 1 / jnp.sqrt(jnp.where(good, weights, 1)), 0)[None]
    reduced = _times(half.T, _times(0.5 * (energy + energy.T), half))
    far = 10 * jnp.max(jnp.abs(reduced)) + 1
    values, vectors = jnp.linalg.eigh(reduced + jnp.diag(jnp.where(good, 0, far)))
    return values[:_BLOCK], _times(half, vectors[:, :_BLOCK]).T
