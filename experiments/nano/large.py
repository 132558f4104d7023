"""A beam of some 690,000 atoms, from coarse to fine: an elastic solid, then atoms, then more of them.

    python experiments/nano/large.py run FOLDER [STEPS]     up to so many steps at full size; the same command goes on
    python experiments/nano/large.py picture FOLDER         of what there is

Beams have free faces and are twice as long as high and four times as long as thick. Checkpoints, and the designs of the
coarser beams, are in FOLDER: some 30 MB. Results go to large.json and large.npz beside this file, the picture to
large.png.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

import jaxmeta as jm
from jaxmeta.io import write_json

HERE = Path(__file__).parent
POTENTIAL = jm.nano.zhou2004("Al")
SOLID = 24, 12, 6
"""Cells of the box in which the optimum of an elastic solid is looked for."""
LEVELS = (  # cells, share of the sites that the design begins and ends with, of its atoms that a step takes out, steps
    ((48, 24, 12), 0.52, 0.50, 0.01, 6),
    ((144, 72, 36), 0.50, 0.46, 0.01, None),
)
TRIALS, THINNEST = 16, 14.0


def beam(cells):
    return jm.nano.cantilever(cells, jm.nano.crystal(POTENTIAL).lattice_constant, periodic=False)


def run(folder, most="9"):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    before = beam(SOLID), None
    for level, (cells, begin, end, rate, steps) in enumerate(LEVELS):
        problem = beam(cells)
        done = folder / f"design_{level}.npy"
        if steps is not None and done.exists():
            before = problem, np.load(done)
            continue
        coarse, occupied = before
        if occupied is None:
            occupied = jm.nano.continuum_design(POTENTIAL, coarse, begin)
        start = jm.nano.refined(coarse, occupied, problem, begin)
        d = jm.nano.optimize(
            POTENTIAL, problem, end, start=start, rate=rate, trials=TRIALS, patches=True, thinnest=THINNEST,
            max_steps=int(most) if steps is None else steps, checkpoint=folder / f"checkpoint_{level}",
            callback=lambda *told: print(time.strftime("%T"), *told, flush=True),
        )  # fmt: skip
        np.save(done, d.occupancy)
        row = {
            "cells": cells, "sites": len(problem.lattice), "atoms": int(d.occupancy.sum()), "k": d.k,
            "lowest_eigenvalue": d.scored.lowest_eigenvalue, "result": d.result.name,
            "steps": len(d.history["stiffness"]), "seconds": round(d.seconds), "history": d.history,
        }  # fmt: skip
        keep(level, row)
        before = problem, d.occupancy
    np.savez_compressed(HERE / "large.npz", occupied=np.packbits(before[1]))


def keep(level, row):
    path = HERE / "large.json"
    rows = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, rows | {f"level {level}": row}, overwrite=True)
    print({name: value for name, value in row.items() if name != "history"}, flush=True)


def picture(folder):
    """Of the finest design there is: atoms at its surface, on their sites, coloured by their neighbours."""
    from jaxmeta.render import picture_of_atoms

    level = max(level for level in range(len(LEVELS)) if (Path(folder) / f"design_{level}.npy").exists())
    problem, occupied = beam(LEVELS[level][0]), np.load(Path(folder) / f"design_{level}.npy")
    where = problem.lattice.positions[occupied]
    near = jm.nano.neighbors(where, 0.854 * problem.lattice.lattice_constant)
    count = (np.asarray(near.index) < near.count).sum(0)
    outside = count < 12
    picture_of_atoms(
        where[outside], HERE / "large.png", count[outside], title="neighbours", limits=(5, 12), view="corner", size=480,
        overwrite=True,
    )  # fmt: skip


if __name__ == "__main__":
    {"run": run, "picture": picture}[sys.argv[1]](*sys.argv[2:])
