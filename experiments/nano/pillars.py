"""Pillars: designs of atoms against the optimum of the same body as an elastic solid, at equal atoms, over sizes.

A pillar of w × w cells is 2 w cells long, with a grip of one cell at either end. It keeps 60 % of the sites between
them, or another share in the name of the case. `continuum` is `jm.nano.continuum_design`, cut at the number of atoms;
`atoms` is `jm.nano.optimize`; its start "thicker" is a continuum optimum of a tenth more atoms, which is thinned out.
All bodies are relaxed from their lattice sites and scored by the same stiffness. `k_solid` is that of the same body as
an elastic solid of the crystal's moduli, without surfaces, by finite elements of a quarter of the lattice constant.

    python experiments/nano/pillars.py run bending-square-5[-75] [start] [trials] [steps] [folder]   a design of atoms
    python experiments/nano/pillars.py run bending-square-5[-75]                                     full, and continuum
    python experiments/nano/pillars.py members                                                       thin bars

Results go to pillars.json and members.json beside this file.
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
LARGE = 5_000
"""Sites from which on changes are tried in patches."""


def pillar(case):
    """The problem of a case such as "bending-square-5-75", and its volume fraction, grips included."""
    load, envelope, width, *kept = case.split("-")
    share = int(kept[0]) / 100 if kept else 0.6
    cells = (2 * int(width), int(width), int(width))
    problem = jm.nano.pillar(cells, A0, load=load, envelope=envelope)
    grips = problem.held.sum() / problem.domain.sum()
    return problem, grips + share * (1 - grips)


def score(problem, occupied, s=None):
    """k, stability and surfaces of a body, or why there is none."""
    where, held = problem.lattice.positions[occupied], problem.held[occupied]
    row = {"atoms": int(occupied.sum()), "k_solid": k_solid(problem, occupied)}
    try:
        s = s or jm.nano.stiffness(POTENTIAL, where, held, problem.direction[occupied], tolerance=1e-6)
    except (RuntimeError, ValueError) as error:
        return row | {"failed": str(error)} | surface(where, held)
    hop = np.linalg.norm(s.positions - where, axis=1).max()
    return row | {
        "k": s.k, "lowest_eigenvalue": s.lowest_eigenvalue, "saddles_left": s.instabilities, "furthest": float(hop),
        **surface(where, held, s.positions),
    }  # fmt: skip


def surface(where, held, relaxed=None, cell=None, pbc=(False,) * 3):
    """Neighbours of the free atoms on the lattice, and what more than in the crystal they cost, in eV."""
    near = jm.nano.neighbors(where, 0.854 * A0, cell, pbc)
    count = (near.index < near.count).sum(0)[~held]
    row = {
        "at_surface": float((count < 12).mean()), "neighbors": float(count.mean()), "at_most_6": int((count <= 6).sum())
    }  # fmt: skip
    if relaxed is not None:
        row["excess_energy"] = float(jm.nano.energies(POTENTIAL, relaxed, cell, pbc)[~held].mean() - CRYSTAL.energy)
    return row


def k_solid(problem, occupied):
    """k in eV/Å² of the elastic solid of the same shape, free or repeating along z.

    Half the points of the grid of half a lattice constant are sites, the other half have the share of occupied sites
    among their nearest; so an atom has the volume a³/4.
    """
    sites = problem.lattice.sites
    shape, repeats = sites.max(0) + 1, problem.pbc[2]
    there, known = np.zeros(shape), np.zeros(shape)
    there[tuple(sites.T)], known[tuple(sites.T)] = occupied, 1

    def around_each(field):
        padded = np.pad(
            np.pad(field, [(1, 1), (1, 1), (0, 0)]), [(0, 0), (0, 0), (1, 1)], "wrap" if repeats else "constant"
        )
        return sum(np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1] for axis in range(3) for step in (1, -1))

    around, known_around = around_each(there), around_each(known)
    density = np.where(known > 0, there, around / np.maximum(known_around, 1)).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    c11, c12, c44 = CRYSTAL.c11, CRYSTAL.c12, CRYSTAL.c44
    moduli = np.diag([c11 - c12] * 3 + [c44] * 3)
    moduli[:3, :3] += c12
    nodes = np.array(density.shape) + np.array([1, 1, not repeats])
    held, moved = np.zeros((*nodes, 3), bool), np.zeros((*nodes, 3))
    held[:5] = held[-5:] = True
    moved[-5:] = problem.direction.max(0)
    with jax.enable_x64(True):
        field = np.maximum(density, 1e-6)[..., None, None] * moduli
        found = jm.fem.solve(
            field, held, np.zeros((*nodes, 3)), spacing=(A0 / 4,) * 3, prescribed=moved, tolerance=1e-3,
            faces=("free", "free", "periodic" if repeats else "free"),
        )  # fmt: skip
        return float(2 * found.energy)


def kept(key, row):
    """A row of the results, replaced, by what was computed and how."""
    path = HERE / "pillars.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    rows = [other for other in rows if {name: other[name] for name in key} != key]
    rows = sorted([*rows, key | row], key=lambda row: (row["case"], row["body"]))
    write_json(path, rows, overwrite=True)
    print(key | row, flush=True)


def draw(problem, occupied, name):
    """The atoms and a picture of them, coloured by neighbours; of a collapsed body on its lattice sites."""
    from jaxmeta.render import picture_of_atoms

    where = problem.lattice.positions[occupied]
    near = jm.nano.neighbors(where, 0.854 * A0)
    count = (near.index < near.count).sum(0)
    atoms = jm.nano.Atoms(
        where, None, (False,) * 3, "Al", problem.held[occupied], problem.direction[occupied],
        {"site": np.flatnonzero(occupied), "coordination": count},
    )  # fmt: skip
    jm.nano.write_atoms(HERE / f"pillar_{name}.xyz", atoms, overwrite=True)
    picture_of_atoms(
        where, HERE / f"pillar_{name}.png", count, title="neighbours", limits=(5, 12), size=420,
        overwrite=True,
    )  # fmt: skip


def run(case, start=None, trials="16", steps="60", folder=None):
    """The full pillar and the continuum optimum; or a design of atoms from a start, which goes on from a folder."""
    problem, fraction = pillar(case)
    if start is None:
        kept({"case": case, "body": "full"}, score(problem, problem.domain))
        occupied = jm.nano.continuum_design(POTENTIAL, problem, fraction)
        kept({"case": case, "body": "continuum"}, score(problem, occupied))
        draw(problem, occupied, f"{case}_continuum")
        return
    began = time.time()
    first = jm.nano.continuum_design(POTENTIAL, problem, 1.1 * fraction) if start == "thicker" else start
    d = jm.nano.optimize(
        POTENTIAL, problem, fraction, start=first, trials=int(trials), rate=0.05, max_steps=int(steps),
        patches=len(problem.lattice) > LARGE, checkpoint=folder,
        callback=lambda step, info: print(step, *info, f"{time.time() - began:.0f} s", flush=True),
    )  # fmt: skip
    told = {"result": d.result.name, "steps": len(d.history["stiffness"]), "trials": int(trials),
            "seconds": round(d.seconds)}  # fmt: skip
    kept({"case": case, "body": f"atoms from {start}"}, score(problem, d.occupancy, d.scored) | told)
    draw(problem, d.occupancy, f"{case}_atoms_{start}")


def members():
    """Square bars ten cells long and w cells wide, pulled and bent."""
    rows = []
    for width in (1, 2, 3, 4, 6):
        for load in ("axial", "bending"):
            problem = jm.nano.pillar((10, width, width), A0, load=load)
            rows.append({"width": width, "load": load} | score(problem, problem.domain))
            print(rows[-1], flush=True)
            write_json(HERE / "members.json", rows, overwrite=True)


if __name__ == "__main__":
    {"run": run, "members": members}[sys.argv[1]](*sys.argv[2:])
