"""Isotropic shear modulus at a volume fraction of 0.4, seen on voxels split in eight, from plates {100} and {111}.

    python experiments/designs/split.py

Walls of two or three voxels are stiffer than the solid they stand for, so what is designed on 64³ voxels loses on finer
ones. Here the optimiser moves 64³ voxels and sees each of them split in eight; then it moves and sees 128³ voxels.
Four minutes on one core. Writes `split.json`, `cells/shear_split_*.npz` and `pictures/shear_split.png`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import gaussian_filter
from score import SOLID, score

import jaxmeta as jm
from jaxmeta import design, geometry
from jaxmeta.elasticity import zener
from jaxmeta.topology import MMA, Continuation, DensityFilter
from jaxmeta.topology._design import Design

HERE = Path(__file__).parent
FRACTION = 0.4


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Split(Design):
    """A design whose every voxel is solved as eight."""

    def solve(self, density, displacement):
        return super().solve(split(density), displacement)


def split(density):
    """Every voxel as eight."""
    for axis in range(3):
        density = jnp.repeat(density, 2, axis)
    return density


def designed(kind: type[Design], side: int, radius: float) -> np.ndarray:
    """The binary octant that plates lead to."""
    plates = geometry.plates((2 * side,) * 3, ("100", "111"), thickness=(0.065, 0.05))
    wide = np.pad(np.asarray(jm.symmetry.fold(np.asarray(plates, float))), 4, mode="symmetric")
    start = jnp.asarray(0.15 + 0.7 * gaussian_filter(wide, 1.0)[4:-4, 4:-4, 4:-4], jnp.float32)
    isotropic = jm.constraints.near(lambda c, _: zener(c), 0.985, 0.012, "zener")
    problem = kind.of(
        jm.objectives.maximize_shear(), [isotropic], solid=SOLID, volume_fraction=FRACTION,
        filtering=DensityFilter(radius, "cubic"), dtype=jnp.float32,
    )  # fmt: skip
    loop = design.Loop(MMA(move=0.15), Continuation(1.0, 2.0, 24, 64.0), 1e-3)
    state = loop.init(problem, start)
    for turn in design.run(loop, problem, state, 130):
        state = turn.state
    density = problem.physical(state.kept.variables, state.kept.sharpness)
    return np.asarray(geometry.threshold(jm.symmetry.permute_average(density), FRACTION), float)


def main() -> None:
    rows = {}
    for name, kind, side, radius in (("64", Split, 32, 1.5), ("128", Design, 64, 2.0)):
        began = time.perf_counter()
        octant = designed(kind, side, radius)
        cell = np.asarray(jm.symmetry.unfold(octant))
        row, finer = score(cell), score(np.asarray(split(jnp.asarray(cell))))
        rows[name] = row | {f"{key}_refined": finer[key] for key in ("shear_share", "zener")}
        rows[name]["seconds"] = round(time.perf_counter() - began, 1)
        print(name, json.dumps(rows[name]), flush=True)
        packed = np.packbits(octant > 0.5)
        np.savez_compressed(HERE / "cells" / f"shear_split_{name}.npz", octant=packed, shape=np.array(octant.shape))
    (HERE / "split.json").write_text(json.dumps(rows, indent=1))
    opened = np.roll(cell, 64, (0, 1, 2))
    opened[64:, :64, 64:] = 0
    jm.render.picture_of_cell(opened, HERE / "pictures" / "shear_split.png", size=500, overwrite=True)


if __name__ == "__main__":
    main()
