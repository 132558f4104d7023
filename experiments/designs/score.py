"""What is reported of a binary cell: stiffness against bounds, connectivity, members, and what refinement changes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import jaxmeta as jm
from jaxmeta import geometry

SOLID = jm.Isotropic(1.0, 0.3)
VOID = 1e-9


def stiffness(cell: np.ndarray) -> np.ndarray:
    """C of a binary cell with cubic symmetry, in float64, to a relative residual of 1e-6."""
    with jax.enable_x64(True):
        octant = jm.symmetry.fold(jnp.asarray(cell, jnp.float64))
        h = jm.homogenize(
            octant, jm.Isotropic(1.0, 0.3), interpolation=jm.SIMP(1.0, VOID), symmetry="cubic", residual=1e-6
        )
        return np.asarray(h.stiffness)


def poisson(c: np.ndarray) -> float:
    """C12/(C11 + C12)."""
    return float(c[0, 1] / (c[0, 0] + c[0, 1]))


def score(cell: np.ndarray, refine: bool = False) -> dict:
    """All figures of the table.

    Args:
        cell: binary, (n, n, n), cubic symmetry.
        refine: solve again with every voxel split in eight.
    """
    c = stiffness(cell)
    fraction = float(cell.mean())
    bounds = jm.bounds.hashin_shtrikman(fraction, SOLID)
    hinges = geometry.count_hinges(cell)
    row = {
        "volume_fraction": fraction,
        "C11": float(c[0, 0]),
        "C12": float(c[0, 1]),
        "C44": float(c[3, 3]),
        "bulk_share": float((c[0, 0] + 2 * c[0, 1]) / 3 / bounds.bulk),
        "shear_share": float((c[0, 0] - c[0, 1] + 3 * c[3, 3]) / 5 / bounds.shear),
        "zener": float(2 * c[3, 3] / (c[0, 0] - c[0, 1])),
        "poisson": poisson(c),
        "connected": bool(geometry.is_connected(cell)),
        "percolates": [bool(p) for p in geometry.percolates(cell)],
        "edge_hinges": int(hinges.edge),
        "corner_hinges": int(hinges.corner),
        "thinner_than_2": float(geometry.minimum_member(cell)),
        "open_pores": bool(geometry.is_connected(1 - cell)) and all(geometry.percolates(1 - cell)),
    }
    if refine:
        row["poisson_refined"] = poisson(stiffness(np.kron(cell, np.ones((2, 2, 2)))))
    return row
