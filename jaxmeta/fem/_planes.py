"""The inverse of a long or flat block, plane of nodes by plane of nodes along its longest axis.

Only neighbouring planes are coupled: with D_p the block of plane p and E_p that between p and p + 1, elimination from
one end to the other gives the Schur complements

    S_0 = D_0,        S_{p+1} = D_{p+1} − E_pᵀ S_p⁻¹ E_p.

With G_p = S_p⁻¹ E_p a solve is y_{p+1} = r_{p+1} − G_pᵀ y_p forwards and x_p = S_p⁻¹ y_p − G_p x_{p+1} backwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from . import _corners
from ._blocks import inverse_where_positive
from ._boundary import Block
from ._dense import inverse_of_definite, shift
from ._operator import Stiffness

MOST = 70
"""Nodes of a plane up to which this is quick."""


def longest(elements: tuple[int, ...], periodic: tuple[bool, ...]) -> int | None:
    """The axis of a block that is four times as long as another and has small planes; None if there is none."""
    axis = int(np.argmax(elements))
    plane = np.prod([n + (not p) for a, (n, p) in enumerate(zip(elements, periodic, strict=True)) if a != axis])
    slender = max(elements) >= 4 * min(elements) and plane <= MOST
    return axis if slender and not periodic[axis] else None


class Planes(NamedTuple):
    """Factors along an axis, (planes, m, m) each but for the scale (planes, m)."""

    scale: Array
    inverses: Array
    couplings: Array


def factored(operator: Stiffness, axis: int) -> Planes:
    """Elimination, of the matrix scaled to unit diagonal and shifted: rigid and void modes stay finite."""
    diagonal, couplings = _blocks(operator, axis)
    size = diagonal.shape[1]
    scale = jnp.sqrt(inverse_where_positive(jnp.diagonal(diagonal, axis1=1, axis2=2)))
    alone = jnp.eye(size, dtype=scale.dtype)[None] * (shift(scale.dtype) + (scale == 0).astype(scale.dtype))[:, None, :]
    diagonal = diagonal * scale[:, :, None] * scale[:, None, :] + alone
    couplings = couplings * scale[:-1, :, None] * scale[1:, None, :]

    def next_plane(schur: Array, blocks: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
        following, coupling = blocks
        inverse = inverse_of_definite(schur)
        towards = _product(inverse, coupling)
        return following - _product(coupling.T, towards), (inverse, towards)

    last, (inverses, towards) = lax.scan(next_plane, diagonal[0], (diagonal[1:], couplings))
    return Planes(scale, jnp.concatenate([inverses, inverse_of_definite(last)[None]]), towards)


def solver(planes: Planes, axis: int) -> Callable[[Array], Array]:
    """The inverse, applied to a nodal field (3, x, y, z)."""

    def solve(field: Array) -> Array:
        along = jnp.moveaxis(field, 1 + axis, 0)
        right = planes.scale * along.reshape(len(along), -1)

        def forwards(before: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            coupling, own = step
            return (here := own - _product(coupling.T, before)), here

        def backwards(after: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            coupling, own = step
            return (here := own - _product(coupling, after)), here

        _, following = lax.scan(forwards, right[0], (planes.couplings, right[1:]))
        own = jnp.einsum("pab,pb->pa", planes.inverses, jnp.concatenate([right[:1], following]), precision="highest")
        _, before = lax.scan(backwards, own[-1], (planes.couplings, own[:-1]), reverse=True)
        solution = planes.scale * jnp.concatenate([before, own[-1:]])
        return jnp.moveaxis(solution.reshape(along.shape), 0, 1 + axis)

    return solve


def _product(left: Array, right: Array) -> Array:
    return jnp.dot(left, right, precision="highest")


def _blocks(operator: Stiffness, axis: int) -> tuple[Array, Array]:
    """D (planes, m, m) and E (planes − 1, m, m), with the rows and columns of held components zero."""
    nodes = list(operator.nodes)
    nodes[axis] = 2
    size = 3 * math.prod(nodes) // 2
    # The unknowns of one layer of voxels, those of its low plane first.
    of_plane = np.arange(size).reshape(3, *(1 if a == axis else n for a, n in enumerate(nodes)))
    with jax.ensure_compile_time_eval():
        of_layer = jnp.asarray(np.concatenate([of_plane, of_plane + size], 1 + axis))
        of_corners = _corners.corners(Block.of(operator.boundary.periodic).corners(of_layer))
        rows = np.asarray(of_corners.reshape(24, -1))
    matrices = _corners.element_matrices(operator.material, operator.spacing)
    matrices = jnp.moveaxis(matrices, 2 + axis, -1).reshape(24, 24, rows.shape[1], -1)
    layers = jnp.zeros((2 * size, 2 * size, matrices.shape[-1]), matrices.dtype)
    layers = layers.at[rows[:, None], rows[None]].add(matrices).transpose(2, 0, 1)
    free = operator.boundary.free(jnp.ones((3, *operator.nodes), matrices.dtype))
    free = jnp.moveaxis(free, 1 + axis, 0).reshape(-1, size)
    low, high, between = layers[:, :size, :size], layers[:, size:, size:], layers[:, :size, size:]
    own = jnp.pad(low, [(0, 1), (0, 0), (0, 0)]) + jnp.pad(high, [(1, 0), (0, 0), (0, 0)])
    return own * free[:, :, None] * free[:, None, :], between * free[:-1, :, None] * free[1:, None, :]
