"""Trilinear prolongation between the nodes of a grid and of the next coarser one, and its exact transpose.

Along one axis n voxels become N = ⌈n/2⌉, of equal widths over the same length: the fine nodes 2K and 2K + 1 lie between
the coarse nodes K and K + 1, at the shares

    a_K = 0 and b_K = ½ for n = 2N;        a_K = K/n and b_K = ½ + (2K + 1)/2n for n = 2N − 1

of the way. Prolongation interpolates, restriction adds to each coarse node what it gave. Held components are set to
zero on both sides, so that restriction stays the transpose of prolongation.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ._boundary import Block, Boundary, Grids, Periodic, Shared, by_blocks
from ._cells import CPUKernel, Shaped, of_one, operation


@partial(jax.jit, static_argnums=2)
def restrict(fine: Array, boundary: Boundary, grids: Grids) -> Array:
    """Coarse nodal forces from fine ones, (3, …); `boundary` is the fine grid's."""
    if isinstance(boundary, Shared):
        return boundary.on_coarse(by_blocks(boundary, partial(_restricted, grids), fine))
    if grids.halve:
        return boundary.coarse(grids).free(of_one(_RESTRICT, boundary.free(fine), periodic=boundary.periodic))
    return boundary.coarse(grids).free(_restricted(grids, boundary, boundary.free(fine)))


def _restricted(grids: Grids, boundary: Periodic | Block, fine: Array) -> Array:
    for axis, periodic in enumerate(boundary.periodic, 1):
        if (shares := _shares(grids, axis)) is None:
            continue
        size = fine.shape[axis]
        count = (size + 1) // 2 if periodic else size // 2
        pairs = _padded(fine, axis, 0, max(2 * count - size, 0))
        even, odd = (lax.slice_in_dim(pairs, k, 2 * count, 2, axis) for k in (0, 1))
        high = _share(shares[0], even, axis) + _share(shares[1], odd, axis)
        low = even + odd - high
        if periodic:
            before = boundary.before(high, axis - 4)
            fine = low + lax.concatenate([before, lax.slice_in_dim(high, 0, count - 1, axis=axis)], axis)
            continue
        fine = _padded(low, axis, 0, 1) + _padded(high, axis, 1, 0)
        if size % 2:
            fine = fine + _padded(lax.slice_in_dim(pairs, size - 1, size, axis=axis), axis, count, 0)
    return fine


@partial(jax.jit, static_argnums=3)
def corrected(value: Array, coarse: Array, boundary: Boundary, grids: Grids) -> Array:
    """Fine nodal displacements, (3, …), with the prolongation of coarse ones added; `boundary` is the fine grid's."""
    if isinstance(boundary, Shared):
        return value + by_blocks(boundary, partial(_prolonged, grids), boundary.on_coarse(coarse))
    coarse = boundary.coarse(grids).free(coarse)
    if grids.halve:
        return boundary.free(of_one(_CORRECT, coarse, value, periodic=boundary.periodic))
    return boundary.free(value + _prolonged(grids, boundary, coarse))


def _prolonged(grids: Grids, boundary: Periodic | Block, coarse: Array) -> Array:
    for axis, periodic in reversed(list(enumerate(boundary.periodic, 1))):
        if (shares := _shares(grids, axis)) is None:
            continue
        size = coarse.shape[axis]
        odd = grids.fine[axis - 1] % 2
        if periodic:
            coarse = lax.concatenate([coarse, boundary.after(coarse, axis - 4)], axis)
            size += 1
        low, high = (lax.slice_in_dim(coarse, k, size - 1 + k, axis=axis) for k in (0, 1))
        steps = [low + _share(share, high - low, axis) for share in shares]
        fine = jnp.stack(steps, axis + 1).reshape(*coarse.shape[:axis], 2 * size - 2, *coarse.shape[axis + 1 :])
        if periodic and odd:
            fine = lax.slice_in_dim(fine, 0, 2 * size - 3, axis=axis)
        elif not periodic and not odd:
            fine = lax.concatenate([fine, lax.slice_in_dim(coarse, size - 1, size, axis=axis)], axis)
        coarse = fine
    return coarse


def _shares(grids: Grids, axis: int) -> tuple[np.ndarray, np.ndarray] | None:
    """a and b of an axis counted from one; None where the grids have the same nodes."""
    fine, coarse = grids.fine[axis - 1], grids.coarse[axis - 1]
    if fine == coarse:
        return None
    if fine % 2 == 0:
        return np.array([0.0]), np.array([0.5])
    number = np.arange(coarse)
    return number / fine, 0.5 + (2 * number + 1) / (2 * fine)


def _share(share: np.ndarray, field: Array, axis: int) -> Array:
    return jnp.asarray(share.reshape([-1 if a == axis else 1 for a in range(4)]), field.dtype) * field


def _padded(field: Array, axis: int, before: int, after: int) -> Array:
    pads = [(before, after, 0) if a == axis else (0, 0, 0) for a in range(4)]
    return lax.pad(field, jnp.zeros((), field.dtype), pads)


_HALVED = Grids((2, 2, 2), (1, 1, 1))


def _plain_restrict(fine: Array, *, periodic: tuple[bool, ...]) -> Array:
    return _restricted(_HALVED, Block.of(periodic), fine)


def _plain_correct(coarse: Array, value: Array, *, periodic: tuple[bool, ...]) -> Array:
    return value + _prolonged(_HALVED, Block.of(periodic), coarse)


def _coarse_nodes(fine: tuple[int, ...], periodic: tuple[bool, ...]) -> tuple[int, ...]:
    return tuple(n // 2 if p else (n + 1) // 2 for n, p in zip(fine, periodic, strict=True))


def _coarse_planes(fine: Shaped, *, periodic: tuple[bool, ...]) -> tuple[int, int]:
    return _coarse_nodes(fine.shape[2:], periodic)[0], fine.shape[3] * fine.shape[4]


def _fine_planes(_: Shaped, value: Shaped, **__: Any) -> tuple[int, int]:
    return value.shape[2], value.shape[3] * value.shape[4]


_RESTRICT = operation(
    "restrict",
    _plain_restrict,
    lambda fine, periodic: (3, *_coarse_nodes(fine.shape[1:], periodic)),
    CPUKernel("multigrid", 1, _coarse_planes),
)
_CORRECT = operation(
    "correct", _plain_correct, lambda _, value, **__: value.shape, CPUKernel("multigrid", 2, _fine_planes)
)
