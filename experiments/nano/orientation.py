"""The same beam cut out of the crystal along [100], [110] and [111]: its stiffness, and what becomes of its design.

A guided beam of about 57 × 32 Å between grips 7 to 9 Å long, about 8 to 10 Å thick and repeating along z; the right
grip moves along y and does not turn. Half the sites between the grips are kept. `k_solid` is the full beam as an
elastic solid of the crystal's moduli, turned as the crystal is, without surfaces, by finite elements.

    python experiments/nano/orientation.py run 100|110|111                              the full beam
    python experiments/nano/orientation.py run 100|110|111 full|random [trials] [steps]    a design, from a start

Results go to orientation.json beside this file.
"""

import json
import sys
import time
from pathlib import Path

import jax
import numpy as np

import jaxmeta as jm
from jaxmeta.io import write_json

HERE = Path(__file__).parent
POTENTIAL = jm.nano.zhou2004("Al")
CRYSTAL = jm.nano.crystal(POTENTIAL)
A0 = CRYSTAL.lattice_constant
KEPT = 0.5
BEAMS = {
    "100": (((1, 0, 0), (0, 1, 0), (0, 0, 1)), (18, 8, 2), 2),
    "110": (((1, 1, 0), (-1, 1, 0), (0, 0, 1)), (26, 11, 2), 3),
    "111": (((1, 1, 1), (1, -1, 0), (1, 1, -2)), (10, 11, 2), 1),
}
"""Crystal directions of the axes, periods along them, and how many of these a grip has."""


def beam(name):
    axes, cells, grip = BEAMS[name]
    lattice = jm.nano.Lattice(cells, A0, axes)
    x = lattice.positions[:, 0] / lattice.lengths[0] * cells[0]
    low, high = x < grip - 1e-6, x > cells[0] - grip - 1e-6
    return jm.nano.Problem(lattice, low | high, np.outer(high, [0.0, 1.0, 0.0]), (False, False, True))


def score(problem, occupied, s=None):
    where = problem.lattice.positions[occupied]
    s = s or jm.nano.stiffness(
        POTENTIAL, where, problem.held[occupied], problem.direction[occupied], problem.lattice.cell, problem.pbc,
        tolerance=1e-6,
    )  # fmt: skip
    row = {"atoms": int(occupied.sum()), "k": s.k, "k_over_thickness": float(s.k / problem.lattice.lengths[2])}
    return row | {"lowest_eigenvalue": s.lowest_eigenvalue}, s.positions


def k_solid(name):
    """k in eV/Å² of the full beam as an elastic solid."""
    axes, cells, grip = BEAMS[name]
    lattice = jm.nano.Lattice(cells, A0, axes)
    count = (112, 64, 2)
    free = lattice.lengths[0] * (1 - 2 * grip / cells[0])
    nodes = (count[0] + 1, count[1] + 1, count[2])
    held, moved = np.zeros((*nodes, 3), bool), np.zeros((*nodes, 3))
    held[0] = held[-1] = True
    moved[-1, ..., 1] = 1
    moduli = np.diag([CRYSTAL.c11 - CRYSTAL.c12] * 3 + [CRYSTAL.c44] * 3)
    moduli[:3, :3] += CRYSTAL.c12
    with jax.enable_x64(True):
        turned = jm.elasticity.rotate(moduli, lattice.rotation)
        found = jm.fem.solve(
            np.broadcast_to(turned, (*count, 6, 6)), held, np.zeros((*nodes, 3)), prescribed=moved, tolerance=1e-4,
            spacing=tuple(np.array([free, *lattice.lengths[1:]]) / count), faces=("free", "free", "periodic"),
        )  # fmt: skip
    return float(2 * found.energy)


def measures(problem, occupied):
    """What a design is made of: how much of the side is closed, and where the material is along y."""
    side = np.round(problem.lattice.positions[:, :2], 3)
    columns, number = np.unique(side[~problem.held], axis=0, return_inverse=True)
    filled = np.bincount(number.ravel(), occupied[~problem.held]) / np.bincount(number.ravel())
    x, y = (columns - columns.min(0)).T / np.ptp(columns, axis=0)[:, None]
    edges = (y < 0.2) | (y > 0.8)
    middle = abs(x - 0.5) < 0.15
    core = middle & (abs(y - 0.5) < 0.2)
    return {
        "closed": float((filled > 0).mean()), "whole_columns": float((filled == 1).mean()),
        "edges": float(filled[edges].mean()), "core": float(filled[core].mean()),
        "edges_in_the_middle": float(filled[edges & middle].mean()),
    }  # fmt: skip


def kept(key, row):
    path = HERE / "orientation.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    rows = [other for other in rows if {name: other[name] for name in key} != key]
    write_json(path, sorted([*rows, key | row], key=lambda r: (r["axis"], r["body"])), overwrite=True)
    print(key | row, flush=True)


def run(name, start=None, trials="8", steps="60"):
    from jaxmeta.render import picture_of_atoms

    problem = beam(name)
    full, _ = score(problem, problem.domain)
    kept({"axis": name, "body": "full"}, full | {"k_solid": k_solid(name)})
    if start is None:
        return
    grips, began = problem.held.mean(), time.time()
    d = jm.nano.optimize(
        POTENTIAL, problem, float(grips + KEPT * (1 - grips)), start=start, trials=int(trials), rate=0.05,
        max_steps=int(steps),
        callback=lambda step, info: print(step, *info, f"{time.time() - began:.0f} s", flush=True),
    )  # fmt: skip
    row, positions = score(problem, d.occupancy, d.scored)
    told = {"result": d.result.name, "steps": len(d.history["stiffness"]), "trials": int(trials),
            "seconds": round(d.seconds)}  # fmt: skip
    row |= {"over_full": row["k"] / full["k"]} | measures(problem, d.occupancy) | told
    kept({"axis": name, "body": f"design from {start}"}, row)
    near = jm.nano.neighbors(positions, 0.854 * A0, problem.lattice.cell, problem.pbc)
    count = (near.index < near.count).sum(0)
    jm.nano.write_atoms(HERE / f"orientation_{name}_{start}.xyz", d.atoms(POTENTIAL), overwrite=True)
    picture_of_atoms(
        positions, HERE / f"orientation_{name}_{start}.png", count, title="neighbours", size=420, limits=(5, 12),
        overwrite=True,
    )  # fmt: skip


if __name__ == "__main__":
    {"run": run}[sys.argv[1]](*sys.argv[2:])
