"""What is reported of a binary cell: stiffness against bounds, connectivity, members, and what refinement changes."""

from __future__ import annotations

import numpy as np

import jaxmeta as jm

SOLID = jm.Isotropic(1.0, 0.3)
VOID = 1e-9
SCORER = jm.cells.Scorer(SOLID, VOID)


def score(cell: np.ndarray, refine: bool = False) -> dict:
    """All figures of the table.

    Args:
        cell: binary, (n, n, n), cubic symmetry.
        refine: solve again with every voxel split in eight.
    """
    scored = SCORER(cell)
    cubic, shares, facts = scored.constants, scored.shares, scored.facts
    assert shares is not None
    row = {
        "volume_fraction": scored.volume_fraction,
        "C11": float(cubic.c11),
        "C12": float(cubic.c12),
        "C44": float(cubic.c44),
        "bulk_share": shares.bulk,
        "shear_share": shares.shear,
        "zener": float(cubic.zener),
        "poisson": float(cubic.poisson),
        "connected": facts.connected,
        "percolates": list(facts.percolates),
        "edge_hinges": facts.hinges.edge,
        "corner_hinges": facts.hinges.corner,
        "thinner_than_2": facts.thin,
        "open_pores": facts.open_pores,
    }
    if refine:
        row["poisson_refined"] = float(SCORER(np.kron(cell, np.ones((2, 2, 2)))).constants.poisson)
    return row
