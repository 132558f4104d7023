r"""Triply periodic minimal surfaces by their leading Fourier terms.

Each surface is the zero level of a short trigonometric sum F(X, Y, Z) with X = 2πpx and p periods per cell. The solid
is one side of a level, $F > t$ (*network*), or a shell around the surface, $|F| < t$ (*sheet*), with t chosen for the
volume fraction.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import _checks
from ._starts import squash, threshold


class _Waves:
    """cos and sin of multiples of the phase along each axis, computed on the axes in float64."""

    def __init__(self, sides: tuple[int, int, int], periods: int, octant: bool):
        self._phases = []
        for axis, side in enumerate(sides):
            position = (np.arange(side) + 0.5) / (2 * side if octant else side)
            self._phases.append((2.0 * np.pi * periods * position).reshape([-1 if d == axis else 1 for d in range(3)]))

    def cos(self, multiple: int = 1) -> list[np.ndarray]:
        return [np.cos(multiple * phase) for phase in self._phases]

    def sin(self, multiple: int = 1) -> list[np.ndarray]:
        return [np.sin(multiple * phase) for phase in self._phases]


def _primitive(wave: _Waves) -> np.ndarray:
    x, y, z = wave.cos()
    return x + y + z


def _gyroid(wave: _Waves) -> np.ndarray:
    (cx, cy, cz), (sx, sy, sz) = wave.cos(), wave.sin()
    return sx * cy + sy * cz + sz * cx


def _diamond(wave: _Waves) -> np.ndarray:
    (cx, cy, cz), (sx, sy, sz) = wave.cos(), wave.sin()
    return sx * sy * sz + sx * cy * cz + cx * sy * cz + cx * cy * sz


def _iwp(wave: _Waves) -> np.ndarray:
    (x, y, z), (xx, yy, zz) = wave.cos(), wave.cos(2)
    return 2.0 * (x * y + y * z + z * x) - (xx + yy + zz)


def _neovius(wave: _Waves) -> np.ndarray:
    x, y, z = wave.cos()
    return 3.0 * (x + y + z) + 4.0 * x * y * z


def _frd(wave: _Waves) -> np.ndarray:
    (x, y, z), (xx, yy, zz) = wave.cos(), wave.cos(2)
    return 4.0 * x * y * z - (xx * yy + yy * zz + zz * xx)


def _fischer_koch_s(wave: _Waves) -> np.ndarray:
    (cx, cy, cz), (sx, sy, sz), (xx, yy, zz) = wave.cos(), wave.sin(), wave.cos(2)
    return xx * sy * cz + cx * yy * sz + sx * cy * zz


def _lidinoid(wave: _Waves) -> np.ndarray:
    (cx, cy, cz), (sx, sy, sz) = wave.cos(), wave.sin()
    (xx, yy, zz), (tx, ty, tz) = wave.cos(2), wave.sin(2)
    return 0.5 * (tx * cy * sz + ty * cz * sx + tz * cx * sy) - 0.5 * (xx * yy + yy * zz + zz * xx) + 0.15


_SURFACES: dict[str, Callable[[_Waves], np.ndarray]] = {
    "primitive": _primitive,
    "gyroid": _gyroid,
    "diamond": _diamond,
    "iwp": _iwp,
    "neovius": _neovius,
    "frd": _frd,
    "fischer_koch_s": _fischer_koch_s,
    "lidinoid": _lidinoid,
}

TPMS_NAMES: tuple[str, ...] = tuple(_SURFACES)
"""The names that `tpms` and `tpms_field` know."""

TPMS_MIRROR_NAMES: tuple[str, ...] = ("primitive", "iwp", "neovius", "frd")
"""The surfaces which are mirror-symmetric about the planes of the cell, and cubic: these have octants."""


def tpms_field(
    name: str, shape: Sequence[int], periods: int = 1, octant: bool = False, dtype: object = None
) -> Float[Array, "nx ny nz"]:
    r"""The function F whose zero level approximates a triply periodic minimal surface.

    For example the primitive surface $\cos X + \cos Y + \cos Z$ and the gyroid
    $\sin X \cos Y + \sin Y \cos Z + \sin Z \cos X$.

    Args:
        name: One of `TPMS_NAMES`: "primitive", "gyroid", "diamond", "iwp", "neovius", "frd", "fischer_koch_s",
            "lidinoid".
        shape: (nx, ny, nz) of the result.
        periods: Periods of the surface along each axis of the cell.
        octant: Whether `shape` is the first octant of the cell; only for `TPMS_MIRROR_NAMES`.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), values of F at the voxel centres, dimensionless.

    Raises:
        ValueError: The name is unknown, the surface has no octant, or a number is out of range.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> round(float(geometry.tpms_field("primitive", (2, 2, 2), octant=True)[0, 0, 0]), 4)
        2.1213

    References:
        von Schnering and Nesper, Z. Phys. B 83, 407 (1991), the nodal surfaces of Fourier series; Schoen, NASA
        TN D-5541 (1970), the surfaces.
    """
    sides = _checks.shape_of(shape)
    _checks.one_of(name, TPMS_NAMES, "name")
    if periods < 1:
        raise ValueError(f"Argument `periods` must be at least 1, but is {periods}.")
    if octant and name not in TPMS_MIRROR_NAMES:
        raise ValueError(
            f'Argument `octant` must be False for the surface "{name}", which is not symmetric about the planes of '
            f"the cell, but is True."
        )
    values = np.broadcast_to(_SURFACES[name](_Waves(sides, periods, octant)), sides)
    return jnp.asarray(values, _checks.float_dtype(dtype))


def tpms(
    name: str,
    shape: Sequence[int],
    volume_fraction: float,
    kind: Literal["network", "sheet"] = "network",
    periods: int = 1,
    octant: bool = False,
    sharpness: float | None = None,
    dtype: object = None,
) -> Float[Array, "nx ny nz"]:
    """A cell with a triply periodic minimal surface, binary or grey.

    The level is a quantile of F which never separates voxels that the symmetry of the surface makes equivalent (see
    `threshold`), so the cell keeps the symmetry of the surface and the volume fraction is met to half an orbit. The
    other side of a network is `1 - tpms(name, shape, 1 - volume_fraction)`. Not every level gives one part: light
    networks of "primitive", "neovius" and "frd" are islands, and "lidinoid" consists of separate nets; ask `percolates`
    and `is_connected`.

    Args:
        name: One of `TPMS_NAMES`.
        shape: (nx, ny, nz) of the result.
        volume_fraction: Fraction of solid, between 0 and 1.
        kind: "network" is the side F > t of a level, "sheet" the shell |F| < t around the zero level.
        periods: Periods of the surface along each axis of the cell.
        octant: Whether `shape` is the first octant of the cell; only for `TPMS_MIRROR_NAMES`.
        sharpness: None for a binary cell; else a grey one by `squash` with this sharpness.
        dtype: Floating dtype; JAX's default one when None.

    Returns:
        (nx, ny, nz), the density, between 0 and 1.

    Raises:
        ValueError: An argument is out of range or unknown, or the surface has no octant.

    Example:
        >>> import jaxmeta.geometry as geometry
        >>> cell = geometry.tpms("gyroid", (16, 16, 16), volume_fraction=0.3)
        >>> geometry.percolates(cell)
        (True, True, True)
    """
    _checks.one_of(kind, ("network", "sheet"), "kind")
    field = tpms_field(name, shape, periods, octant, dtype)
    if kind == "sheet":
        field = -jnp.abs(field)
    if sharpness is not None:
        return squash(field, volume_fraction, sharpness)
    return threshold(field, volume_fraction).astype(field.dtype)
