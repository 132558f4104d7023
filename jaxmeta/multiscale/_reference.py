"""The cell of the undisturbed structure: plates, or an isotropic cell of the library."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from .._numbers import refused
from ..cells import Scorer
from ..elasticity import cubic_constants
from ..geometry import faces_fit
from ._choice import Catalogue

Reference = Literal["plates", "isotropic"]
_THICK = 1 / 16  # of the plates at each face, in edges of the cell
_ZENER, _POISSON, _C11 = 0.02, (0.25, 0.33), (0.1, 0.2)  # |Z − 1|, ν, and C11 relative to Young's modulus


class ReferenceCell(NamedTuple):
    """The cell that the structure is made of outside of the cloak.

    Attributes:
        octant: as it stands: the first plane along each axis is the cell's face.
        constants: C11, C12, C44 by an independent float64 solve, in the library's unit.
        record: number in the catalogue, or None for plates.
    """

    octant: Bool[np.ndarray, "n n n"]
    constants: Float[np.ndarray, "3"]
    record: int | None

    @property
    def face(self) -> Bool[np.ndarray, " pixels"]:
        """Solid on its face."""
        return self.octant[0].ravel()


def reference_cell(catalogue: Catalogue, kind: Reference) -> ReferenceCell:
    """Plates of 8 in 128 voxels at each face of the cell; or the isotropic cell that fits most others.

    An isotropic cell is one whose Zener ratio is within 2 % of 1, with Poisson's ratio from 0.25 to 0.33 and C11 from
    0.1 to 0.2 of Young's modulus, so that stiffer and softer cells are left for a cloak.

    Args:
        catalogue: cells of a library.
        kind: "plates" or "isotropic".

    Raises:
        ValueError: the kind is another, or the library has no such cell.
    """
    if kind == "plates":
        side = catalogue.library.side
        octant = np.zeros((side,) * 3, bool)
        thick = round(2 * side * _THICK)
        octant[:thick] = octant[:, :thick] = octant[:, :, :thick] = True
        return _scored(catalogue, octant, None)
    if kind != "isotropic":
        raise refused("reference", "be plates or isotropic", f"is {kind!r}")
    constants = cubic_constants(np.asarray(catalogue.library.stiffness))
    c11 = catalogue.constants[:-1, 0] / float(np.asarray(catalogue.library.solid.young))
    nu, zener = np.asarray(constants.poisson), np.asarray(constants.zener)
    alike = np.abs(zener - 1) < _ZENER
    alike &= (nu > _POISSON[0]) & (nu < _POISSON[1]) & (c11 > _C11[0]) & (c11 < _C11[1])
    if not alike.any():
        raise refused("library", "have an isotropic cell", "has none")
    either = catalogue.faces[:, :-1]

    def company(choice: tuple[int, int]) -> int:
        face = either[choice[1], choice[0]]
        return int((faces_fit(either[0], face) | faces_fit(either[1], face)).sum())

    record, moved = max(((int(k), moved) for k in np.flatnonzero(alike) for moved in (0, 1)), key=company)
    octant = catalogue.octant(record)
    return _scored(catalogue, octant[::-1, ::-1, ::-1] if moved else octant, record)


def _scored(catalogue: Catalogue, octant: np.ndarray, record: int | None) -> ReferenceCell:
    cell = Scorer(catalogue.library.solid)(octant, "cubic")
    return ReferenceCell(octant, np.array(cubic_constants(cell.stiffness), float), record)
