"""What the functions of a design see, and the one form in which the loop takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ._filter import DensityFilter
from ._held import Held

Function = Callable[[Array, Array], Array]
"""(stiffness (6, 6), density (nx, ny, nz)) → scalar."""


class Record(NamedTuple):
    """A design, as an objective or a constraint may see it.

    Attributes:
        stiffness: (6, 6).
        density: physical density, whose stiffness it is, (nx, ny, nz); eroded if the design is.
        filtered: before the projection.
        projected: at the threshold 1/2, never eroded.
        held: voxels that are held, or None.
        filtering: the filter.
    """

    stiffness: Float[Array, "6 6"]
    density: Float[Array, "nx ny nz"]
    filtered: Float[Array, "nx ny nz"]
    projected: Float[Array, "nx ny nz"]
    held: Held | None
    filtering: DensityFilter


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class Term:
    """An objective or a constraint of any kind.

    A function of stiffness and density is called with these two. One whose attribute `sees_record` is true is called
    with the whole `Record`. One with an attribute `relaxation`, a number p, counts in the eyes of the optimiser as
    share^p (g + 1) − 1, share being the sharpness over its last value: little at first, and in full at the end.

    Args:
        function: a pytree that can be called.
        sees_record: what it is called with.
        relaxation: p.
    """

    function: Callable[..., Array]
    sees_record: bool = False
    relaxation: float | int = 0.0

    @classmethod
    def of(cls, function: Any) -> Term:
        """A function in this form."""
        sees, relaxation = getattr(function, "sees_record", False), getattr(function, "relaxation", 0.0)
        return cls(as_pytree(function), sees, relaxation)

    def __call__(self, record: Record) -> Array:
        """Value, a scalar."""
        return self.function(record) if self.sees_record else self.function(record.stiffness, record.density)

    def weight(self, share: Array) -> Array:
        """Of g + 1."""
        return share**self.relaxation if self.relaxation else jnp.ones_like(share)

    def tree_flatten(self):
        """The function's own numbers are the leaves."""
        return (self.function,), (self.sees_record, self.relaxation)

    @classmethod
    def tree_unflatten(cls, kind, children):
        """Rebuild."""
        return cls(*children, *kind)


def as_pytree(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that can be an argument of a compiled one.

    One that is a pytree already is handed back: its arrays are leaves, so that another one with other arrays compiles
    nothing. Any other is told from others by its identity.
    """
    return jax.tree_util.Partial(function) if jax.tree_util.all_leaves([function]) else function
