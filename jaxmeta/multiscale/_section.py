"""Where a structure with a hole has its hole, its cloak and its outside, and how it is held and loaded."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float

from .._numbers import plain_number, refused, whole_number

if TYPE_CHECKING:  # the command line looks at a section before it loads JAX
    from ..fem import Faces
    from ._structure import Structure

Hole = Literal["cylinder", "square"]
Pull = Literal["rollers", "sides"]


@dataclasses.dataclass(frozen=True)
class Section:
    """A block of cells with a hole along z, under tension along x; lengths in cells, from the middle of the section.

    The block is extruded along z between two mirrors, so that one layer of cells has the displacement of any number of
    them. It is symmetric about y = 0, and what is computed is the half with y > 0; with the pull "sides", which is
    symmetric about x = 0 too, the quarter with x > 0.

    Args:
        hole: "cylinder" of radius `inner`, or "square", a column of the width 2 `inner`.
        pull: "rollers": uniform traction on one face along x, the opposite one slides on rollers; "sides": uniform
            traction on both.
        cells: of the block along x and y, an even number.
        inner: half of the hole's width.
        outer: radius of the cloak; displacements are compared beyond it.
        depth: layers of cells.

    Raises:
        ValueError: the hole does not lie in the block, the cloak is thinner than a cell, or nothing lies beyond it.

    Example:
        >>> import jaxmeta as jm
        >>> section = jm.multiscale.Section("cylinder")
        >>> section.shape, int(section.in_hole.sum()), int(section.in_cloak.sum())
        ((40, 20, 1), 70, 208)
    """

    hole: Hole = "cylinder"
    pull: Pull = "rollers"
    cells: int = 40
    inner: float = 20 / 3
    outer: float = 40 / 3
    depth: int = 1

    def __post_init__(self):
        if self.hole not in ("cylinder", "square"):
            raise refused("hole", "be cylinder or square", f"is {self.hole!r}")
        if self.pull not in ("rollers", "sides"):
            raise refused("pull", "be rollers or sides", f"is {self.pull!r}")
        whole_number("depth", self.depth, 1)
        if whole_number("cells", self.cells, 4) % 2:
            raise refused("cells", "be an even number", f"is {self.cells}")
        half = self.cells / 2
        inner = plain_number("inner", self.inner, "be above 0", lambda value: value > 0)
        outer = plain_number("outer", self.outer, "be above 0", lambda value: value > 0)
        if inner >= half:
            raise refused("inner", f"be below {half:g}, so that the hole lies in the structure", f"is {inner:g}")
        corner = inner * (np.sqrt(2) if self.hole == "square" else 1)
        if outer < corner + 1:
            raise refused("outer", f"be at least {corner + 1:.4g}, so that the cloak has one cell", f"is {outer:g}")
        if outer >= half:
            raise refused("outer", f"be below {half:g}, so that something lies beyond the cloak", f"is {outer:g}")
        if not self.in_hole.any():
            raise refused("inner", "be so large that the hole has a cell", f"is {inner:g}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Cells that are computed."""
        half = self.cells // 2
        return self.cells if self.pull == "rollers" else half, half, self.depth

    @property
    def faces(self) -> Faces:
        """What the faces are."""
        return "free" if self.pull == "rollers" else ("mirror", "free"), ("mirror", "free"), "mirror"

    def places(self, ends: int) -> tuple[np.ndarray, np.ndarray]:
        """x (n, 1) and y (1, m) of the cells' middles (ends 0), or of their corners (ends 1)."""
        start = -self.cells / 2 if self.pull == "rollers" else 0.0
        x, y = (np.arange(count + ends) + (1 - ends) / 2 for count in self.shape[:2])
        return (x + start)[:, None], y[None]

    @property
    def in_hole(self) -> Bool[np.ndarray, "n m"]:
        """Cells whose middle lies in the hole."""
        x, y = self.places(0)
        far = np.hypot(x, y) if self.hole == "cylinder" else np.maximum(np.abs(x), np.abs(y))
        return far < self.inner

    @property
    def in_cloak(self) -> Bool[np.ndarray, "n m"]:
        """Cells whose middle lies between hole and outer radius."""
        x, y = self.places(0)
        return (np.hypot(x, y) < self.outer) & ~self.in_hole

    def structure(self, elements: int = 1) -> Structure:
        """The block, held and loaded by a traction of 1 on its face."""
        import jax.numpy as jnp

        from ._structure import Structure

        counts = [elements * count for count in self.shape]
        nodal = (*(count + 1 for count in counts), 3)
        supports = np.zeros(nodal, bool)
        if self.pull == "rollers":
            supports[0, ..., 0] = True
        loads = np.zeros((1, *nodal))
        loads[0, -1, ..., 0] = _shares(counts[1])[:, None] * _shares(counts[2]) / elements**2
        return Structure(self.shape, jnp.asarray(supports), jnp.asarray(loads), self.faces, elements=elements)

    def outside(self, elements: int = 1) -> Float[np.ndarray, "x y z"]:
        """Weights of the nodes beyond the cloak in the whole section: 0, or 1 and on mirrors one half of it."""
        start = -self.cells / 2 if self.pull == "rollers" else 0.0
        x, y = (np.arange(elements * count + 1) / elements for count in self.shape[:2])
        weights = 1.0 * (np.hypot((x + start)[:, None], y[None]) > self.outer)
        weights[:, 0] /= 2
        if self.pull == "sides":
            weights[0] /= 2
        return np.repeat(weights[..., None], elements * self.depth + 1, axis=2)


def _shares(count: int) -> np.ndarray:
    """Of a line's length, what falls to each of its nodes, in edges."""
    shares = np.ones(count + 1)
    shares[[0, -1]] = 0.5
    return shares
