"""Which topology is stiff at which thickness: braces and walls of one volume, between free faces or repeated along z.

`families` scores hand-made bodies of both kinds, of equal atoms, on a beam of 24 × 12 × t cells; `designs` lets the
optimiser choose on a smaller one. Results go to families.json and designs.json beside this file; `plot` draws them.

    python experiments/nano/selection.py families [thickness ...] | designs [periodic | finite] | draw | plot

Rows that are there already, and did not fail, are not computed again.
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
A0 = jm.nano.crystal(POTENTIAL).lattice_constant
FRACTION = 0.47
THICKNESSES = (2, 3, 4, 6)
DESIGNED = ((12, 6, 2, True), (12, 6, 2, False))


def brace(problem, fraction=FRACTION):
    """Two bars from corner to corner of the box, as wide as the atoms allow, through the whole thickness."""
    x, y, _ = problem.lattice.positions.T
    left, right = x.max() / problem.lattice.cells[0], x.max() * (1 - 1 / problem.lattice.cells[0])
    dx, dy = right - left, y.max() - 2 * A0
    cx, cy = (left + right) / 2, y.max() / 2
    distance = np.minimum(abs((x - cx) * dy - (y - cy) * dx), abs((x - cx) * dy + (y - cy) * dx))
    return nearest(problem, distance, fraction)


def wall(problem, fraction=FRACTION):
    """A plate over the whole side of the beam."""
    return nearest(problem, problem.lattice.positions[:, 2], fraction)


def nearest(problem, distance, fraction):
    """Grips, and whole planes of sites at the least distances, as many as make no more atoms than allowed."""
    order = np.round(np.where(problem.held, -1, distance), 6)
    levels, counts = np.unique(order, return_counts=True)
    most = levels[np.cumsum(counts) <= problem.sites_of(fraction)]
    return order <= most[-1]


def score(problem, occupied):
    """k and stability of a body, or why there is none."""
    began = time.time()
    try:
        s = jm.nano.stiffness(
            POTENTIAL, problem.lattice.positions, problem.held, problem.direction, problem.lattice.cell, problem.pbc,
            occupancy=occupied.astype(float), tolerance=1e-6,
        )  # fmt: skip
    except (RuntimeError, ValueError) as error:
        return {"atoms": int(occupied.sum()), "failed": str(error)}
    hop = np.linalg.norm(s.positions - problem.lattice.positions, axis=1)[occupied].max()
    return {
        "atoms": int(occupied.sum()), "fraction": float(occupied.mean()), "k": s.k,
        "lowest_eigenvalue": s.lowest_eigenvalue, "saddles_left": s.instabilities, "furthest": float(hop),
        "seconds": time.time() - began,
    }  # fmt: skip


def closed(problem, occupied):
    """The share of the columns along z between the grips, as seen from the side, with an atom in them."""
    ticks = np.round(problem.lattice.positions[:, :2] / (A0 / 2)).astype(int)
    columns, number = np.unique(ticks[~problem.held], axis=0, return_inverse=True)
    return float(np.count_nonzero(np.bincount(number.ravel(), occupied[~problem.held])) / len(columns))


def families(*thicknesses):
    """Braces and walls over thicknesses."""
    rows = json.loads((HERE / "families.json").read_text()) if (HERE / "families.json").exists() else []
    rows = [row for row in rows if "failed" not in row]
    done = {(row["thickness"], row["periodic"], row["family"]) for row in rows}
    for thickness in map(int, thicknesses or THICKNESSES):
        for periodic in (True, False):
            problem = jm.nano.cantilever((24, 12, thickness), A0, periodic=periodic)
            plate = wall(problem)
            bodies = {"full": problem.domain, "wall": plate, "brace": brace(problem, plate.mean())}
            for family, occupied in bodies.items():
                if (thickness, periodic, family) in done:
                    continue
                row = {"thickness": thickness, "periodic": periodic, "family": family, **score(problem, occupied)}
                rows.append(row | {"closed": closed(problem, occupied)})
                print(row, flush=True)
                rows.sort(key=lambda row: (row["thickness"], not row["periodic"]))
                write_json(HERE / "families.json", rows, overwrite=True)


def designs(which=None):
    """What the optimiser chooses."""
    path = HERE / "designs.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    for *cells, periodic in DESIGNED:
        if which not in (None, "periodic" if periodic else "finite"):
            continue
        rows = [row for row in rows if (row["cells"], row["periodic"]) != (cells, periodic)]
        problem = jm.nano.cantilever(tuple(cells), A0, periodic=periodic)
        began = time.time()
        d = jm.nano.optimize(POTENTIAL, problem, FRACTION, start="full", trials=12, max_steps=45)
        name = f"{'x'.join(map(str, cells))}_{'periodic' if periodic else 'finite'}"
        row = {
            "cells": cells, "periodic": periodic, "atoms": int(d.occupancy.sum()), "k": d.k,
            "lowest_eigenvalue": d.scored.lowest_eigenvalue, "closed": closed(problem, d.occupancy),
            "result": d.result.name, "steps": len(d.history["stiffness"]), "seconds": time.time() - began,
            "brace": score(problem, brace(problem, wall(problem).mean())), "wall": score(problem, wall(problem)),
        }  # fmt: skip
        rows.append(row)
        print(row, flush=True)
        write_json(path, rows, overwrite=True)
        jm.nano.write_atoms(HERE / f"design_{name}.xyz", d.atoms(POTENTIAL), overwrite=True)
    draw()


def draw():
    """Pictures of the designs there are."""
    from jaxmeta.render import picture_of_atoms

    for path in HERE.glob("design_*.xyz"):
        atoms = jm.nano.read_atoms(path)
        near = jm.nano.neighbors(atoms.positions, 0.854 * A0, atoms.cell, atoms.pbc)
        count = (near.index < near.count).sum(0)
        picture_of_atoms(
            atoms.positions, path.with_suffix(".png"), count, title="neighbours", limits=(5, 12), view="corner",
            size=420, overwrite=True,
        )  # fmt: skip


def plot():
    """Stiffness a cell of thickness and lowest eigenvalues over thickness."""
    from matplotlib.figure import Figure

    rows = [row for row in json.loads((HERE / "families.json").read_text()) if "k" in row]
    figure = Figure(figsize=(9, 3.6), dpi=150, layout="constrained")
    axes = figure.subplots(1, 2)
    for periodic, line in ((True, "--"), (False, "-")):
        for family, color in {"full": "#777777", "brace": "#c8553d", "wall": "#3d6fc8"}.items():
            chosen = [row for row in rows if row["family"] == family and row["periodic"] == periodic]
            t = [row["thickness"] for row in chosen]
            label = f"{family}, {'periodic' if periodic else 'finite'}"
            axes[0].plot(t, [row["k"] / row["thickness"] for row in chosen], line, color=color, marker="o", label=label)
            axes[1].semilogy(t, [row["lowest_eigenvalue"] for row in chosen], line, color=color, marker="o")
    axes[0].set(xlabel="thickness in cells", ylabel="k per cell of thickness in eV/Å²", ylim=(0, None))
    axes[1].set(xlabel="thickness in cells", ylabel="lowest eigenvalue in eV/Å²")
    axes[0].legend(fontsize=7, frameon=False)
    figure.savefig(HERE / "families.png")


if __name__ == "__main__":
    {"families": families, "designs": designs, "draw": draw, "plot": plot}[sys.argv[1]](*sys.argv[2:])
