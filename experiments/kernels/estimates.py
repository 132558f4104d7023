"""How often a solve ends above its tolerance, and after how many steps: python experiments/kernels/estimates.py

The test cells that carry load, at 8³, beside a solve to a residual of 1e-12; and every other one of them in nearly
incompressible solids, where a solve takes hundreds of steps and an estimate has to see slow modes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import numpy as np

import jaxmeta as jm

sys.path.append(str(Path(__file__).resolve().parents[2]))
from tests import example_cells

TOLERANCES = [10.0**-k for k in range(2, 8)]
NAMES = [cell.name for cell in example_cells.select(percolates=True)]
SETS = {
    "Poisson's ratio 0.3": [
        (name, 0.3, void, kind) for name in NAMES for void in (1e-9, 1e-3) for kind in ("multigrid", "fft")
    ],
    "0.4999 and 0.499999": [(name, nu, 1e-9, "multigrid") for name in NAMES[::2] for nu in (0.4999, 0.499999)],
}


def solved(name: str, nu: float, void: float, kind: str, **when: float) -> jm.homogenization.Homogenization:
    """A cell, solved until told to stop."""
    density = jax.numpy.asarray(example_cells.CELLS[name](8))
    options = {"interpolation": jm.SIMP(3.0, void), "preconditioner": kind, "max_steps": 3000, "throw": False}
    return jm.homogenize(density, jm.Isotropic(1.0, nu), **options, **when)


def main() -> None:
    """Print a row for each set."""
    jax.config.update("jax_enable_x64", True)
    print("| solids | solves | steps, mean | above the tolerance | the worst, in tolerances |\n|---|---|---|---|---|")
    for title, cases in SETS.items():
        ratios, steps = [], []
        for case in cases:
            exact = np.diag(solved(*case, residual=1e-12).stiffness)
            for tolerance in TOLERANCES:
                found = solved(*case, tolerance=tolerance)
                ratios += list((np.diag(found.stiffness) / exact - 1) / tolerance)
                steps += list(np.asarray(found.stats.steps))
        above = np.count_nonzero(np.array(ratios) > 1)
        print(f"| {title} | {len(ratios):,} | {np.mean(steps):.1f} | {above} | {max(ratios):.2g} |", flush=True)


if __name__ == "__main__":
    main()
