"""Stiffness of cells from solves that share nothing with those they were made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Shaped

from .._arguments import real_number, require_kind, require_scalars, three_numbers
from ..elasticity import Isotropic
from ..geometry import symmetry as symmetries
from ..geometry.symmetry import Symmetry
from ..homogenization import SIMP, Homogenization, homogenize
from ._cell import Cell, unfolded


@dataclass(frozen=True)
class Scorer:
    """Scores cells: computes their stiffness, in float64 and tightly if not told otherwise.

    Args:
        solid: the solid.
        void: modulus of void relative to the solid.
        spacing: edges of a voxel.
        residual: relative residual of every load at which a solve stops; or, where it is None,
        tolerance: relative error of the stiffness.
        dtype: in which the cells are solved.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> cell = jm.cells.Scorer(jm.Isotropic(1.0, 0.3))(np.ones((4, 4, 4)))
        >>> cell.symmetry, cell.solver["dtype"], round(float(cell.stiffness[0, 0]), 6)
        ('none', 'float64', 1.346154)
    """

    solid: Isotropic
    void: float = 1e-9
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    residual: float | None = 1e-6
    tolerance: float = 1e-5
    dtype: str = "float64"

    def __post_init__(self) -> None:
        require_kind("solid", self.solid, (Isotropic,))
        require_scalars("solid", self.solid)
        object.__setattr__(self, "solid", jax.tree.map(float, self.solid))
        real_number("void", self.void, "lie in [0, 1)", lambda void: 0 <= void < 1)
        object.__setattr__(self, "spacing", three_numbers("spacing", self.spacing))

    def __call__(
        self,
        density: Shaped[np.ndarray, "x y z"],
        symmetry: Symmetry = "none",
        provenance: Mapping[str, Any] | None = None,
    ) -> Cell:
        """Score one cell.

        The whole cell is solved under six loads unless it is mirror-symmetric, when its octant is, whatever the
        symmetry that is said.

        Args:
            density: (nx, ny, nz), or (mx, my, mz) of the first octant where the symmetry is "mirror" or "cubic".
            symmetry: "none", "mirror" or "cubic".
            provenance: how the cell was made.

        Raises:
            SolverError: the solve did not converge.
        """
        whole = density if symmetry == "none" else unfolded(density)
        found = symmetries.detect(whole)
        if found == "cubic" and len(set(self.spacing)) != 1:
            found = "mirror"
        part = whole if found == "none" else whole[tuple(slice(side // 2) for side in whole.shape)]
        with self._precision():
            h = self._solve(jnp.asarray(part, self.dtype), found, throw=True)
            return self._cell(density, symmetry, h.stiffness, h.stats.error.max(), provenance)

    def octants(
        self, octants: Sequence[Bool[np.ndarray, "m m m"]], provenances: Sequence[Mapping[str, Any]], count: int = 1
    ) -> list[Cell | None]:
        """Score octants of cubic cells in batches of one size, so that all are solved by one program.

        Args:
            octants: of one shape.
            provenances: how each was made.
            count: octants that are solved at once.

        Returns:
            A cell for each octant; None where its solve did not converge.
        """
        cells: list[Cell | None] = []
        for first in range(0, len(octants), count):
            some = list(octants[first : first + count])
            padded = some + some[:1] * (count - len(some))
            with self._precision():
                labels = _solved(self, jnp.asarray(np.stack(padded), self.dtype))
            for octant, provenance, *label in zip(some, provenances[first:], *map(np.asarray, labels), strict=False):
                stiffness, error, result = label
                cells.append(None if result else self._cell(octant, "cubic", stiffness, error, provenance))
        return cells

    def _precision(self) -> AbstractContextManager:
        return jax.enable_x64(True) if self.dtype == "float64" else nullcontext()

    def _solve(self, part: jax.Array, symmetry: Symmetry, throw: bool) -> Homogenization:
        return homogenize(
            part,
            self.solid,
            interpolation=SIMP(1.0, self.void),
            spacing=self.spacing,
            symmetry=symmetry,
            tolerance=self.tolerance,
            residual=self.residual,
            throw=throw,
        )

    def _cell(
        self,
        density: np.ndarray,
        symmetry: Symmetry,
        stiffness: ArrayLike,
        error: ArrayLike,
        provenance: Mapping[str, Any] | None,
    ) -> Cell:
        matrix = np.asarray(stiffness)
        solver = {"dtype": str(matrix.dtype), "error": float(np.asarray(error))}
        return Cell(
            density, symmetry, matrix.astype(np.float64), self.solid,
            spacing=self.spacing, solver=solver, provenance=provenance or {},
        )  # fmt: skip


@partial(jax.jit, static_argnums=0)
def _solved(scorer: Scorer, octants: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    h = jax.vmap(lambda octant: scorer._solve(octant, "cubic", throw=False))(octants)
    return h.stiffness, h.stats.error.max(axis=-1), h.result
