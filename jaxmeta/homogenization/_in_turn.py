"""Batches of solves: together where a grid is small, one after the other where it is large.

Solves that go on together all wait for the slowest. On a small grid that costs less than it saves, for there the cost
of a step is in its number of operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax

T = TypeVar("T")

TOGETHER = 16**3
"""Most voxels of a grid whose solves go on together: its loads everywhere, cells of a batch (`vmap`) on a CPU. Other
devices solve every batch of cells together."""


def in_turn(function: Callable[..., T], elements: int) -> Callable[..., T]:
    """`function` of a grid of so many elements, of which a CPU computes a batch (`vmap`) one after the other.

    It is not to be differentiated.
    """
    if elements <= TOGETHER:
        return function

    @jax.custom_batching.custom_vmap
    def call(*args: Any) -> T:
        return function(*args)

    @call.def_vmap
    def batch(_: int, batched: Any, *args: Any) -> tuple[T, Any]:
        axes = jax.tree.map(lambda mapped: 0 if mapped else None, tuple(batched))
        in_sequence = jax.vmap(jax.custom_batching.sequential_vmap(function), axes)
        out = jax.lax.platform_dependent(*args, cpu=in_sequence, default=jax.vmap(function, axes))
        return out, jax.tree.map(lambda _: True, out)

    return call
