"""The guided beam of 24 × 12 × 2 cells, repeating along z, at 46 % of its atoms: designs against hand-made X braces.

    python experiments/nano/beam.py braces                      braces of several corners and widths
    python experiments/nano/beam.py run full 0 [zhou|mishin] [FOLDER]
                                                                a design, from a start and a seed; with a folder for
                                                                checkpoints the same command goes on
    python experiments/nano/beam.py score                       every design with both potentials
    python experiments/nano/beam.py draw                        the pictures anew, from the atoms

Results go to beam.json beside this file, with the atoms and a picture of each design.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

import jaxmeta as jm
from jaxmeta.io import write_json

HERE = Path(__file__).parent
MADE = {"zhou": lambda: jm.nano.zhou2004("Al"), "mishin": jm.nano.mishin1999}
BRACE = {"zhou": 0.1387, "mishin": 0.1411}
"""Stiffness in eV/Å² of the X brace of 1064 atoms that earlier trials compared with."""
ATOMS = 1064
CORNERS = {
    "of the box": (0.0, 23.5, 0.0, 11.5),
    "of the grips": (1.0, 22.5, 0.0, 11.5),
    "a cell in": (1.0, 22.5, 1.0, 10.5),
    "1.5 cells in": (1.0, 22.5, 1.5, 10.0),
}


def beam(potential):
    return jm.nano.cantilever((24, 12, 2), jm.nano.crystal(potential).lattice_constant)


def kept(name, rows):
    """Rows of a kind in the results replaced."""
    path = HERE / "beam.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, found | {name: rows}, overwrite=True)


def score(potential, problem, occupied):
    return jm.nano.stiffness(
        potential, problem.lattice.positions[occupied], problem.held[occupied], problem.direction[occupied],
        problem.lattice.cell, problem.pbc, tolerance=1e-8,
    )  # fmt: skip


def braces():
    potential, rows = MADE["zhou"](), []
    problem = beam(potential)
    x, y, _ = (problem.lattice.positions / problem.lattice.lattice_constant).T
    for name, (left, right, low, high) in CORNERS.items():
        cx, cy, dx, dy = (left + right) / 2, (low + high) / 2, right - left, high - low
        first, second = ((x - cx) * dy - (y - cy) * dx, (x - cx) * dy + (y - cy) * dx)
        distance = np.minimum(abs(first), abs(second)) / np.hypot(dx, dy)
        for width in np.arange(1.0, 1.5, 0.02):
            occupied = (distance <= width) | problem.held
            if np.count_nonzero(occupied) == ATOMS:
                s = score(potential, problem, occupied)
                rows.append({"corners": name, "half_width": width, "k": s.k, "lowest_eigenvalue": s.lowest_eigenvalue})
                print(rows[-1], flush=True)
                break
    kept("braces", rows)


def run(start, seed, name="zhou", folder=None):
    potential = MADE[name]()
    problem, began = beam(potential), time.process_time()
    d = jm.nano.optimize(
        potential, problem, ATOMS / 2304, start=start, seed=int(seed), checkpoint=folder,
        callback=lambda *told: print(*told, flush=True),
    )  # fmt: skip
    save(potential, name, start, int(seed), d.occupancy, {"steps": len(d.history["stiffness"]), "result": d.result.name,
         "seconds": round(d.seconds), "cpu_seconds": round(time.process_time() - began)})  # fmt: skip


def save(potential, name, start, seed, occupied, more):
    """The row, the atoms and the picture of a design."""
    problem = beam(potential)
    s = score(potential, problem, occupied)
    path = HERE / "beam.json"
    rows = json.loads(path.read_text()).get("designs", []) if path.exists() else []
    key = {"potential": name, "start": start, "seed": seed}
    rows = [row for row in rows if {k: row[k] for k in key} != key]
    row = key | {"atoms": int(occupied.sum()), "k": s.k, "over_brace": s.k / BRACE[name],
                 "lowest_eigenvalue": s.lowest_eigenvalue} | more  # fmt: skip
    print(row)
    kept("designs", [*rows, row])
    near = jm.nano.neighbors(s.positions, 0.854 * problem.lattice.lattice_constant, problem.lattice.cell, problem.pbc)
    count = (near.index < near.count).sum(0)
    atoms = jm.nano.Atoms(
        s.positions, problem.lattice.cell, problem.pbc, "Al", problem.held[occupied], problem.direction[occupied],
        {"site": np.flatnonzero(occupied), "coordination": count},
    )  # fmt: skip
    jm.nano.write_atoms(HERE / f"beam_{name}_{start}_{seed}.xyz", atoms, overwrite=True)
    picture(HERE / f"beam_{name}_{start}_{seed}.xyz")


def picture(path):
    from jaxmeta.render import picture_of_atoms

    atoms = jm.nano.read_atoms(path)
    picture_of_atoms(
        atoms.positions, path.with_suffix(".png"), atoms.numbers["coordination"], title="neighbours", limits=(5, 12),
        size=420, overwrite=True,
    )  # fmt: skip


def draw():
    for path in sorted(HERE.glob("beam_*.xyz")):
        picture(path)


def cross():
    """Every design, scored with both potentials."""
    rows = []
    for path in sorted(HERE.glob("beam_*.xyz")):
        for name, make in MADE.items():
            potential = make()
            problem = beam(potential)
            occupied = np.zeros(len(problem.lattice), bool)
            occupied[jm.nano.read_atoms(path).numbers["site"]] = True
            s = score(potential, problem, occupied)
            rows.append({"design": path.stem, "scored_with": name, "k": s.k, "over_brace": s.k / BRACE[name],
                         "lowest_eigenvalue": s.lowest_eigenvalue})  # fmt: skip
            print(rows[-1], flush=True)
    kept("scores", rows)


if __name__ == "__main__":
    {"braces": braces, "run": run, "score": cross, "draw": draw}[sys.argv[1]](*sys.argv[2:])
