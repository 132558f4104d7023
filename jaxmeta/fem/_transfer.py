"""Trilinear prolongation between a nodal grid and the one of half as many elements, and its exact transpose.

With P̂ the trilinear interpolation along one axis, fine node 2I takes the coarse value I and fine node 2I+1 the mean of
I and I+1; restriction adds to coarse node I its own fine value and half of both neighbours'. Held components are set to
zero on both sides, so that restriction stays the transpose of prolongation.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from ._boundary import Block, Boundary, Periodic, Shared, by_blocks
from ._cells import CPUKernel, Shaped, of_one, operation


def _shifted(field: Array, axis: int, start: int, count: int, stride: int) -> Array:
    return lax.slice_in_dim(field, start, start + (count - 1) * stride + 1, stride, axis)


@jax.jit
def restrict(fine: Array, boundary: Boundary) -> Array:
    """Coarse nodal forces from fine ones, (3, …); `boundary` is the fine grid's."""
    if isinstance(boundary, Shared):
        return boundary.on_coarse(by_blocks(boundary, _restricted, fine))
    return boundary.coarse().free(of_one(_RESTRICT, boundary.free(fine), periodic=boundary.periodic))


def _restricted(boundary: Periodic | Block, fine: Array) -> Array:
    fine = boundary.free(fine)
    for axis, periodic in zip((-3, -2, -1), boundary.periodic, strict=True):
        size = fine.shape[axis]
        if periodic:
            fine = lax.concatenate([boundary.before(fine, axis), fine], 4 + axis)
            count = size // 2
        else:
            pads = [(0, 0, 0)] * 4
            pads[axis] = (1, 1, 0)
            fine = lax.pad(fine, jnp.zeros((), fine.dtype), pads)
            count = (size + 1) // 2
        before, at, after = (_shifted(fine, 4 + axis, start, count, 2) for start in (0, 1, 2))
        fine = at + 0.5 * (before + after)
    return boundary.coarse().free(fine)


@jax.jit
def corrected(value: Array, coarse: Array, boundary: Boundary) -> Array:
    """Fine nodal displacements, (3, …), with the prolongation of coarse ones added; `boundary` is the fine grid's."""
    if isinstance(boundary, Shared):
        return value + by_blocks(boundary, _prolonged, boundary.on_coarse(coarse))
    return boundary.free(of_one(_CORRECT, boundary.coarse().free(coarse), value, periodic=boundary.periodic))


def _prolonged(boundary: Periodic | Block, coarse: Array) -> Array:
    coarse = boundary.coarse().free(coarse)
    for axis, periodic in zip((3, 2, 1), reversed(boundary.periodic), strict=True):
        size = coarse.shape[axis]
        next_plane = boundary.after(coarse, axis - 4) if periodic else _last(coarse, axis)
        following = lax.concatenate([lax.slice_in_dim(coarse, 1, size, axis=axis), next_plane], axis)
        pair = jnp.stack([coarse, 0.5 * (coarse + following)], axis + 1)
        coarse = pair.reshape(*coarse.shape[:axis], 2 * size, *coarse.shape[axis + 1 :])
        if not periodic:
            coarse = lax.slice_in_dim(coarse, 0, 2 * size - 1, axis=axis)
    return boundary.free(coarse)


def _last(field: Array, axis: int) -> Array:
    return lax.slice_in_dim(field, field.shape[axis] - 1, field.shape[axis], axis=axis)


def _plain_restrict(fine: Array, *, periodic: tuple[bool, ...]) -> Array:
    return _restricted(Block.of(periodic), fine)


def _plain_correct(coarse: Array, value: Array, *, periodic: tuple[bool, ...]) -> Array:
    return value + _prolonged(Block.of(periodic), coarse)


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
