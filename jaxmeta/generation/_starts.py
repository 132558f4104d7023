"""Where cells of a wanted stiffness begin: the nearest cells of a library, or samples of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool

from .. import geometry
from ..cells import Cell, Scorer, Target, clean, filled_surface
from ..dataset import Library, nearest
from ..elasticity import Isotropic
from ._samples import sample_octants
from ._settings import Comparison

if TYPE_CHECKING:
    from ..diffusion import Model

FAR = 0.5
"""Error of a start that is not worth a fit."""
_LOOSE = 1e-4  # relative error of C that orders starts


class Start(NamedTuple):
    """A cell to fit.

    Attributes:
        octant: binary, without thin members, islands and hinges.
        error: |ΔC| / |C| to what is wanted, after that.
        provenance: where it comes from.
    """

    octant: Bool[np.ndarray, "m m m"]
    error: float
    provenance: dict[str, Any]


class Preparation(NamedTuple):
    """What starts are to become.

    Attributes:
        target: what is wanted.
        solid: of which the cells will be.
        side: voxels along an edge of the octants.
        member: least thickness of a member, in voxels.
        open_pores: whether closed pores are opened.
    """

    target: Target
    solid: Isotropic
    side: int
    member: int
    open_pores: bool

    def starts(self, octants: Sequence[np.ndarray], provenances: Sequence[Mapping[str, Any]]) -> list[Start]:
        """Octants cleaned and scored, the nearest first; those of which nothing is left that hangs together are not.

        The order is that of the cleaned cells: what is thin in a cell may carry much of its stiffness, and labels of a
        library are those of its own solid.
        """
        prepared = zip(map(self._prepared, octants), provenances, strict=True)
        whole = [(octant, provenance) for octant, provenance in prepared if octant is not None]
        score = Scorer(self.solid, residual=None, tolerance=_LOOSE, dtype="float32")
        cells = score.octants([octant for octant, _ in whole], [provenance for _, provenance in whole])
        starts = [
            Start(cell.density, self.target.error(cell.stiffness), dict(cell.provenance))
            for cell in cells
            if cell is not None
        ]
        return sorted(starts, key=lambda start: start.error)

    def _prepared(self, octant: Bool[np.ndarray, "m m m"]) -> Bool[np.ndarray, "m m m"] | None:
        if self.open_pores:
            whole = geometry.open_pores(geometry.symmetry.unfold(octant), "cubic").cell
            octant = whole[: self.side, : self.side, : self.side]
        octant = clean(octant, "cubic", smallest_member=self.member, fill_hinges=True).density.astype(bool)
        return octant if octant.any() and geometry.is_connected(geometry.symmetry.unfold(octant)) else None


def library_starts(library: Library, preparation: Preparation, count: int) -> Iterator[Start]:
    """The nearest cells of a library, one of each family, in groups that are scored together.

    Args:
        library: of cells.
        preparation: what they are to become.
        count: starts in a group.
    """
    target, seen = preparation.target, 0
    wanted = target.stiffness / float(np.asarray(preparation.solid.young))
    while seen < len(library):
        most = min(len(library), seen + count)
        numbers = nearest(library, wanted, target.volume_fraction, most, per_family=1).numbers[seen:]
        if not len(numbers):
            return
        records = [library[int(number)] for number in numbers]
        provenances = [{"start": "library", **record.provenance} for record in records]
        yield from preparation.starts([finer(record, preparation.side) for record in records], provenances)
        seen += count


def finer(record: Cell, side: int) -> Bool[np.ndarray, "m m m"]:
    """The octant at another resolution: the surface, filled with finer voxels."""
    octant = record.density
    while octant.shape[0] < side:
        octant = filled_surface(replace(record, density=octant))
    return octant


def model_starts(model: Model, preparation: Preparation, count: int, seed: int) -> Iterator[Start]:
    """Samples of a model, guided by finite elements, in groups that are drawn and scored together, without end.

    Args:
        model: of cells of a solid with Young's modulus one.
        preparation: what they are to become.
        count: starts in a group.
        seed: of the noise.
    """
    from ..diffusion import conditions  # Flax takes half a second, which starts of a library need not wait for

    c = preparation.target.stiffness / float(np.asarray(preparation.solid.young))
    volume = preparation.target.volume_fraction
    asked = conditions(c11=c[0, 0], c12=c[0, 1], c44=c[3, 3], volume_fraction=volume)
    how = {"scale": Comparison.scale, "guided": Comparison.guided, "filled": volume is not None}
    for key in (jax.random.fold_in(jax.random.key(seed), group) for group in range(2**31)):
        octants = sample_octants(model, asked, jax.random.split(key, count), preparation.side, **how)
        provenance = {"start": "model", "seed": seed, "family": None}
        yield from preparation.starts(list(np.asarray(octants)), [provenance] * count)
