"""Voxels that are held void or solid, whatever filter and projection make of their neighbours."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from .._arguments import truth_values
from ._filter import Symmetry


class Held(NamedTuple):
    """Two masks without a voxel in common, of the shape of the density.

    Attributes:
        void: held at 0.
        solid: held at 1.
    """

    void: Bool[Array, "nx ny nz"]
    solid: Bool[Array, "nx ny nz"]

    @classmethod
    def of(
        cls,
        passive: tuple[ArrayLike, ArrayLike],
        shape: tuple[int, ...],
        symmetry: Symmetry,
        volume_fraction: float,
    ) -> Held:
        """The masks, looked at.

        Args:
            passive: masks of the voxels held void and of those held solid.
            shape: of the density.
            symmetry: of the cell.
            volume_fraction: upper bound of the mean density.

        Raises:
            ValueError: the masks do not fit the density, each other, the symmetry or the volume.
        """
        if not (isinstance(passive, (tuple, list)) and len(passive) == 2):
            raise ValueError(f"Argument `passive` must hold two masks, but is of type {type(passive).__name__}.")
        void, solid = (np.asarray(truth_values("passive", mask)) for mask in passive)
        for mask in (void, solid):
            if mask.shape != shape:
                raise ValueError(f"Argument `passive` must hold two masks of shape {shape}, not {mask.shape}.")
            if symmetry == "cubic" and any((mask != mask.transpose(p)).any() for p in ((1, 0, 2), (0, 2, 1))):
                raise ValueError(
                    "Argument `passive` must hold masks that are the same under the six permutations of the axes when "
                    '`symmetry` is "cubic".'
                )
        if (void & solid).any():
            raise ValueError("Argument `passive` must hold two masks without a voxel in common, but they overlap.")
        if solid.mean() > volume_fraction:
            raise ValueError(
                f"Argument `volume_fraction` must have room for the voxels that are held solid, {solid.mean():.4g} of "
                f"all, but is {volume_fraction}."
            )
        return cls(jnp.asarray(void), jnp.asarray(solid))

    def __call__(self, density: Float[Array, "nx ny nz"]) -> Float[Array, "nx ny nz"]:
        """A density with 0 and 1 where it is held."""
        return jnp.where(self.void, 0, jnp.where(self.solid, 1, density)).astype(density.dtype)
