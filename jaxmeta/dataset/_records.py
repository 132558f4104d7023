"""From an octant to a record: cleaned, labelled and checked against the bounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from .. import geometry
from ..elasticity import Isotropic, bounds
from ..homogenization import SIMP, homogenize
from . import _file, _wedge

YOUNG, POISSON = 1.0, 0.3
SOLID = Isotropic(YOUNG, POISSON)
VOID = 1e-9
TOLERANCE = 1e-5
ALLOWED = 0.01
"""Share of a bound by which a record may lie above it: voxels that touch are stiffer than what they stand for."""
ABOVE_A_BOUND = 1
"""Flag of such a record."""


@jax.jit
@jax.vmap
def _solved(octant: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    h = homogenize(octant, SOLID, interpolation=SIMP(1.0, VOID), symmetry="cubic", tolerance=TOLERANCE, throw=False)
    return h.stiffness[jnp.array([0, 0, 3]), jnp.array([0, 1, 3])], h.stats.error.max(), h.result


def sound(octant: Bool[np.ndarray, "m m m"]) -> Bool[np.ndarray, "m m m"] | None:
    """The octant with exact symmetry, without parts that hang on nothing, and with every contact through an edge or a
    corner filled; None where that does not span the cell along every axis."""
    symmetric = _wedge.unpack(_wedge.pack(octant), octant.shape[0])
    cell = np.asarray(geometry.clean(np.asarray(geometry.symmetry.unfold(symmetric)), fill_hinges=True).cell)
    kept = cell[tuple(slice(length) for length in octant.shape)] > 0.5
    # Of two parts of one size the one that is kept may lack the symmetry.
    whole = np.array_equal(np.asarray(geometry.symmetry.unfold(kept)), cell > 0.5)
    return kept if whole and all(geometry.percolates(cell)) else None


def limits(volume_fraction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hashin–Shtrikman bounds on bulk and shear modulus, in float64 whatever the precision of the caller, so that all
    see the same flags and boxes."""
    with jax.enable_x64(True):
        most = bounds.hashin_shtrikman(jnp.asarray(volume_fraction, jnp.float64), SOLID)
        return np.asarray(most.bulk), np.asarray(most.shear)


def excess(constants: np.ndarray, volume_fraction: np.ndarray) -> np.ndarray:
    """By which share bulk modulus and Voigt-average shear modulus exceed their Hashin–Shtrikman bounds, (…, 2)."""
    c11, c12, c44 = (constants[..., i] for i in range(3))
    bulk, shear = (c11 + 2 * c12) / 3, (c11 - c12 + 3 * c44) / 5
    most_bulk, most_shear = limits(volume_fraction)
    return np.stack([bulk / most_bulk, shear / most_shear], axis=-1) - 1


def positive(constants: np.ndarray) -> np.ndarray:
    """Whether cubic constants are positive definite, (…)."""
    c11, c12, c44 = (constants[..., i] for i in range(3))
    return (c11 > c12) & (c11 + 2 * c12 > 0) & (c44 > 0)


def records(
    found: Sequence[tuple[Bool[np.ndarray, "m m m"], dict[str, Any]]], count: int
) -> list[dict[str, Any] | None]:
    """Rows of the file; None for a cell whose solve does not converge or whose stiffness is beyond what is possible.

    Args:
        found: octants, solid or void, as `sound` returns them, and the columns that say how each was made.
        count: octants whose stiffness is computed at once.
    """
    rows = []
    for first in range(0, len(found), count):
        some = found[first : first + count]
        octants = [octant for octant, _ in some]
        octants += octants[:1] * (count - len(some))
        labels = (np.asarray(values) for values in _solved(jnp.asarray(np.stack(octants), jnp.float32)))
        rows += [_record(*cell, *label) for cell, *label in zip(some, *labels, strict=False)]
    return rows


def _record(
    octant: np.ndarray, provenance: dict[str, Any], constants: np.ndarray, error: np.ndarray, result: np.ndarray
) -> dict[str, Any] | None:
    constants, fraction = constants.astype(float), float(octant.mean())
    above = excess(constants, np.asarray(fraction)).max()
    if result or not positive(constants) or above > ALLOWED:
        return None
    row = {"wedge": _wedge.pack(octant), "constants": constants, "volume_fraction": fraction, "error": float(error)}
    return row | {"split": 0, "flags": ABOVE_A_BOUND if above > 0 else 0} | provenance


def columns(rows: Iterable[dict[str, Any] | None], side: int) -> _file.Columns:
    """Rows as columns of the file, without those that are None."""
    made, kept = {}, [row for row in rows if row is not None]
    for name, (kind, _) in _file.COLUMNS.items():
        if name != "checksum":
            width = {"wedge": (_wedge.length(side),), "constants": (3,)}.get(name, ())
            made[name] = np.array([row[name] for row in kept], kind).reshape(len(kept), *width)
    return made
