"""The density that an optimisation starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ._errors import UsageError
from ._options import Unset

if TYPE_CHECKING:
    import jax

_FIELDS = ("trigonometric", "random")
_SURFACES = ("primitive", "gyroid", "diamond", "iwp", "neovius", "frd")
_CELLS = 64


@dataclass(frozen=True)
class Start:
    """Where the optimisation starts."""

    start: Annotated[str, tyro.conf.arg(metavar="NAME|FILE")] = "trigonometric"
    """A field (trigonometric, random), surface (primitive, gyroid, diamond, iwp, neovius, frd), or file of a cell."""
    seed: int = 0
    """Seed of a trigonometric or random start."""
    resolution: Unset[int] = None
    """Voxels along an edge of the whole cell (default: 64, or that of the file)."""

    def build(
        self, symmetry: Literal["none", "mirror", "cubic"], volume_fraction: float, length: float, dtype: str
    ) -> tuple[jax.Array, tuple[float, float, float]]:
        """Makes the start.

        Args:
            symmetry: Of the cell.
            volume_fraction: Mean of the density.
            length: Correlation length of a random start, in voxels.
            dtype: Precision.

        Returns:
            The density, the octant where the symmetry has one, and the voxel edges.

        Raises:
            UsageError: If the options do not fit together.
            FileError: If a file cannot be read.
        """
        import jax

        from jaxmeta import geometry

        if self.start not in (*_FIELDS, *_SURFACES):
            return self._from_file(symmetry, dtype)
        cells = _CELLS if self.resolution is None else self.resolution
        octant = symmetry != "none"
        if cells < 4 or (octant and cells % 2):
            least = "an even number from 4 up" if octant else "at least 4"
            raise UsageError(f"Argument `resolution` must be {least}, but is {cells}.")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"Argument `seed` must be a number from 0 to 2**32 - 1, but is {self.seed}.")
        side = cells // 2 if octant else cells
        shape, unit = (side, side, side), (1.0, 1.0, 1.0)
        if self.start in _SURFACES:
            if octant and self.start not in geometry.TPMS_MIRROR_NAMES:
                raise UsageError(f"Argument `start` {self.start} has no mirrors: it needs `symmetry` none.")
            return geometry.tpms(self.start, shape, volume_fraction, octant=octant, sharpness=2.0, dtype=dtype), unit
        key = jax.random.key(self.seed)
        if self.start == "random":
            return geometry.random_field(key, shape, length, volume_fraction, symmetry, dtype=dtype), unit
        return geometry.trigonometric(key, shape, symmetry, volume_fraction=volume_fraction, dtype=dtype), unit

    def _from_file(
        self, symmetry: Literal["none", "mirror", "cubic"], dtype: str
    ) -> tuple[jax.Array, tuple[float, float, float]]:
        import jax.numpy as jnp

        from jaxmeta.geometry import symmetry as symmetries
        from jaxmeta.io import FileError, read_density

        path = Path(self.start)
        if not path.suffix and not path.exists() and self.start != "-":
            names = ", ".join((*_FIELDS, *_SURFACES))
            raise UsageError(f"Argument `start` must be one of {names}, or a file, but is {self.start}.")
        try:
            file = read_density(path, resolution=self.resolution if path.suffix.lower() == ".stl" else None)
        except FileError:
            raise
        except ValueError as error:
            raise UsageError(str(error)) from None
        shape = file.density.shape
        if self.resolution is not None and max(shape) != self.resolution:
            raise UsageError(f"Argument `resolution` must be that of {path}, {max(shape)}, but is {self.resolution}.")
        if symmetry == "none":
            return jnp.asarray(file.density, dtype), file.spacing
        if any(side % 2 for side in shape) or (symmetry == "cubic" and len({*shape}) > 1):
            wanted = "equal and even" if symmetry == "cubic" else "even"
            raise UsageError(f"Argument `start` must have {wanted} sides for {symmetry} symmetry, but has {shape}.")
        # Averaging makes the field symmetric to rounding, so folding it loses nothing.
        return symmetries.fold(symmetries.symmetrize(jnp.asarray(file.density, dtype), symmetry)), file.spacing
