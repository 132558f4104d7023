"""A cloak from the question to the voxels: reference, design, cells, and what they do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from .._numbers import plain_number
from ..dataset import Library, load
from ..elasticity import Isotropic
from ._choice import Catalogue
from ._cloak import CloakDesign, cloak_problem, design_cloak
from ._reference import Reference, ReferenceCell, reference_cell
from ._resolved import Resolved, is_one_piece, resolve
from ._section import Section
from ._space import property_space
from ._tiles import Contacts, Tile, contacts, fit_tiles

_SOFTEST = 0.015  # least C11 relative to Young's modulus
_DENSEST = 0.95  # share of the C11 of the densest cell of the library, beyond which there is only the solid itself
_TAKEN = 0.01  # error of a cell up to which the design takes its stiffness where no start leads to what was asked for
_DEFAULTS = {"plates": (1e-6, False), "isotropic": (3e-5, True)}
"""Smoothness, and whether cells at −x and x are the same: around plates the stiffness that there is decides, and all
cells are needed; in a softer structure there is enough to spare for cells that fit each other."""


@dataclasses.dataclass(frozen=True)
class Cloak:
    """A cloak made of cells.

    Attributes:
        section: hole, cloak, supports, load.
        solid: of which all cells are made.
        reference: the cell of the undisturbed structure.
        design: stiffnesses, distortions, history.
        tiles: the voxels of the distinct cells, in the order of `design.constants`; None where they were not made.
        distortion_cells: distortion with the stiffness that the cells themselves have; None likewise.
        contacts: how the faces of neighbours meet; None likewise.
        one_piece: whether the whole structure is one connected solid; None likewise.
        taken: errors of the cells that no start brought within the tolerance, but within 1 %: the design has the
            stiffness of these cells in place of what it asked for first, and its distortion is with them.
    """

    section: Section
    solid: Isotropic
    reference: ReferenceCell
    design: CloakDesign
    tiles: list[Tile] | None = None
    distortion_cells: float | None = None
    contacts: Contacts | None = None
    one_piece: bool | None = None
    taken: tuple[float, ...] = ()

    def octants(self, hole: bool = True, cloak: bool = True) -> Bool[np.ndarray, "n m k k k"]:
        """The octants of all cells of the part that is computed.

        Args:
            hole: whether the hole is there.
            cloak: whether the cloak is.

        Raises:
            ValueError: there are no cells of voxels.
        """
        if self.tiles is None:
            raise ValueError("Argument `self` must have cells of voxels, but has none: make it with `cells`.")
        made = np.tile(self.reference.octant, (*self.section.shape[:2], 1, 1, 1))
        if cloak:
            octants = np.stack([tile.octant for tile in self.tiles])
            made[tuple(self.design.places.T)] = octants[self.design.classes]
        if hole:
            made[self.section.in_hole] = False
        return made

    def resolve(self, tolerance: float = 1e-6) -> Resolved:
        """Distortions with all voxels, without homogenization: see `multiscale.resolve`, and what memory it takes."""
        one, other = self.octants(hole=False, cloak=False), self.octants(cloak=False)
        return resolve(self.section, one, other, self.octants(), self.solid, tolerance=tolerance)


def make_cloak(
    section: Section,
    reference: Reference = "plates",
    *,
    library: Library | None = None,
    smoothness: float | None = None,
    mirrored: bool | None = None,
    cells: bool = True,
    tolerance: float = 5e-4,
    max_steps: int = 200,
    folder: str | Path | None = None,
    callback: Callable[[str, int, int, dict[str, float]], None] | None = None,
) -> Cloak:
    """Design a cloak, and cells of voxels for it.

    Args:
        section: hole, cloak, supports, load.
        reference: the cell of the undisturbed structure, "plates" or "isotropic".
        library: of cells to start from; the one that comes with the package if None.
        smoothness: α of the design; by the reference if None.
        mirrored: whether cells at −x and x are the same; by the reference if None.
        cells: whether to make voxels.
        tolerance: of the cells' stiffness.
        max_steps: of the design.
        folder: where states and finished cells are kept; the same call goes on from there.
        callback: called as callback(what, done, of, numbers).

    Raises:
        ValueError: an argument is not as described.
        SolverError: a solve did not converge.
    """
    given = load() if library is None else library
    catalogue = Catalogue.of(given)
    base = reference_cell(catalogue, reference)
    usual = _DEFAULTS[reference]
    alpha = usual[0] if smoothness is None else plain_number("smoothness", smoothness, "not be negative")
    young = float(np.asarray(given.solid.young))
    whole = float(catalogue.constants[-1, 0])
    tell = callback or (lambda *_: None)
    with jax.enable_x64(True):
        space = property_space(given.constants, given.solid, _SOFTEST * young)
        problem = cloak_problem(section, base.constants, space, alpha, usual[1] if mirrored is None else mirrored)
        design = design_cloak(
            problem,
            gap=(_DENSEST * float(catalogue.constants[:-1, 0].max()), 1.0001 * whole),
            cells=catalogue.constants[:-1],
            max_steps=max_steps,
            checkpoint=None if folder is None else Path(folder) / "design",
            callback=lambda step, numbers: tell("Design", step, max_steps + max_steps // 2, numbers),
        )
    made = Cloak(section, given.solid, base, design)
    if not cells:
        return made
    pairs = design.pairs
    tiles = fit_tiles(
        catalogue, design.constants, pairs, base.face, tolerance=tolerance,
        folder=None if folder is None else Path(folder) / "cells",
        callback=lambda done, of, tile: tell("Cells", done, of, {"error": tile.error}),
    )  # fmt: skip
    near = [tolerance < tile.error <= _TAKEN for tile in tiles]
    achieved = np.stack([tile.constants for tile in tiles])
    constants = np.where(np.array(near)[:, None], achieved, design.constants)
    with jax.enable_x64(True):
        asked, found = (float(problem.distortion(jnp.asarray(c))) for c in (constants, achieved))
    return dataclasses.replace(
        made,
        design=design._replace(constants=constants, distortion=asked),
        tiles=[tile._replace(error=0.0) if taken else tile for tile, taken in zip(tiles, near, strict=True)],
        distortion_cells=found,
        contacts=contacts(tiles, pairs, base.face),
        one_piece=is_one_piece(section, dataclasses.replace(made, tiles=tiles).octants()),
        taken=tuple(tile.error for tile, taken in zip(tiles, near, strict=True) if taken),
    )
