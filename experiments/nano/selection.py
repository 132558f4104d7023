"""Which topology is stiff at which thickness: braces and walls of one volume, between free faces or repeated along z.

Guided beams of 24 × 12 × t cells that keep 47 % of their sites, grips of one cell included. `families` scores hand-made
bodies of nearly equal atoms: "brace", an X through the whole thickness; "wall", a plate over the whole side; "box",
closed walls along the free faces. `design` lets the optimiser choose, from all sites or from the optimum of an elastic
solid, found from a uniform or from a random density. Where the beam repeats along z, all layers of a design are the
same by symmetry, so that it is that of 2 cells once more; "layers" are designs without that, whose layers may differ.

    python experiments/nano/selection.py families [thickness ...]
    python experiments/nano/selection.py design FOLDER thickness free|repeats|layers full|continuum|random [patches]
    python experiments/nano/selection.py crossed thickness       designs in beams that they were not made for
    python experiments/nano/selection.py draw | plot

The second goes on from the folder when it is given again. Large beams try changes in patches, others where that is
asked for.

`k_solid` is that of the same body as an elastic solid without surfaces, as in pillars.py. Results go to families.json
and designs.json beside this file. Rows of `families` and `crossed` that are there already are not computed again.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from pillars import A0, POTENTIAL, k_solid, surface

import jaxmeta as jm
from jaxmeta.io import write_json

HERE = Path(__file__).parent
LENGTH, HEIGHT = 24, 12
FRACTION = 0.47
THICKNESSES = (2, 3, 4, 5, 6, 8, 10, 12)
LARGE = 10_000
"""Sites from which on changes are tried in patches."""
FACES = {"free": True, "repeats": True, "layers": "mirrors"}
"""Along z; of designs the last two differ in their symmetry only."""


def beam(thickness, faces):
    return jm.nano.cantilever((LENGTH, HEIGHT, thickness), A0, periodic=faces != "free")


def brace(problem):
    """Two bars from corner to corner of the box, as wide as the atoms allow, through the whole thickness."""
    x, y = offsets(problem)[:2]
    dx, dy = (LENGTH / 2 - 1) * A0, (HEIGHT / 2 - 1) * A0
    return nearest(problem, np.minimum(abs(x * dy - y * dx), abs(x * dy + y * dx)))


def wall(problem):
    """A plate in the middle of the beam; what is left of a plane goes to its upper and lower edges."""
    _, y, z = offsets(problem)
    return nearest(problem, abs(z), -abs(y))


def box(problem):
    """Closed walls along the free faces; what is left of a shell goes to the upper and lower edges."""
    _, y, z = offsets(problem)
    return nearest(problem, -np.maximum(abs(y) - abs(y).max(), abs(z) - abs(z).max()), -abs(y))


def offsets(problem):
    """Of the sites from the middle, in Å, (3, n)."""
    where = problem.lattice.positions
    return (where - (where.min(0) + where.max(0)) / 2).T


def nearest(problem, *keys):
    """Grips, and the sites that come first by the keys: all of those that tie, or none."""
    keys = np.round([np.where(problem.held, -np.inf, key) for key in keys], 6)
    _, tie, counts = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    last = np.flatnonzero(np.cumsum(counts) <= problem.sites_of(FRACTION)).max()
    return tie.ravel() <= last


def score(problem, occupied, s=None):
    """k, stability, surfaces of a body, or why there are none."""
    where, held = problem.lattice.positions[occupied], problem.held[occupied]
    row = {"atoms": int(occupied.sum()), "closed": closed(problem, occupied), "k_solid": k_solid(problem, occupied)}
    try:
        s = s or jm.nano.stiffness(
            POTENTIAL, where, held, problem.direction[occupied], problem.lattice.cell, problem.pbc, tolerance=1e-6
        )
    except (RuntimeError, ValueError) as error:
        return row | {"failed": str(error)}
    return row | {
        "k": s.k, "lowest_eigenvalue": s.lowest_eigenvalue, "saddles_left": s.instabilities,
        "furthest": float(np.linalg.norm(s.positions - where, axis=1).max()),
        **surface(where, held, s.positions, problem.lattice.cell, problem.pbc),
    }  # fmt: skip


def closed(problem, occupied):
    """The share of the columns along z between the grips, as seen from the side, with an atom in them."""
    ticks = np.round(problem.lattice.positions[:, :2] / (A0 / 2)).astype(int)
    columns, number = np.unique(ticks[~problem.held], axis=0, return_inverse=True)
    return float(np.count_nonzero(np.bincount(number.ravel(), occupied[~problem.held])) / len(columns))


def layers(problem, occupied):
    """Atoms between the grips in the layers along z."""
    number = np.unique(np.round(problem.lattice.positions[~problem.held, 2] / (A0 / 2)), return_inverse=True)[1]
    return np.bincount(number, occupied[~problem.held]).astype(int).tolist()


def kept(name, key, row):
    """A row of the results, replaced, by what was computed."""
    path = HERE / f"{name}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    rows = [other for other in rows if {name: other[name] for name in key} != key]
    rows = sorted([*rows, key | row], key=lambda row: (row["thickness"], row["faces"]))
    write_json(path, rows, overwrite=True)
    print(key | row, flush=True)


def done(name, key):
    path = HERE / f"{name}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    return any({name: row[name] for name in key} == key for row in rows)


def families(*thicknesses):
    """Hand-made bodies over thicknesses."""
    for thickness in map(int, thicknesses or THICKNESSES):
        for faces in ("free", "repeats"):
            problem = beam(thickness, faces)
            bodies = {"full": lambda problem: problem.domain, "brace": brace, "wall": wall, "box": box}
            for family, made in bodies.items():
                key = {"thickness": thickness, "faces": faces, "family": family}
                if not (done("families", key) or (family == "box" and faces == "repeats")):
                    kept("families", key, score(problem, made(problem)))


def design(folder, thickness, faces, start, patches=None):
    """What the optimiser chooses."""
    problem, began = beam(int(thickness), faces), time.time()
    run = start if patches is None else f"{start}_{patches}"
    d = jm.nano.optimize(
        POTENTIAL, problem, FRACTION, start=start, trials=16, symmetric=FACES[faces], max_steps=60,
        patches=len(problem.lattice) > LARGE or patches is not None,
        checkpoint=Path(folder) / f"{faces}_{thickness}_{run}",
        callback=lambda step, info: print(step, *info, f"{time.time() - began:.0f} s", flush=True),
    )  # fmt: skip
    told = {"result": d.result.name, "steps": len(d.history["stiffness"]), "seconds": round(d.seconds)}
    row = score(problem, d.occupancy, d.scored) | {"layers": layers(problem, d.occupancy)} | told
    kept("designs", {"thickness": int(thickness), "faces": faces, "start": run}, row)
    write(problem, d.occupancy, HERE / f"selection_{faces}_{thickness}_{run}.xyz")
    draw()


def crossed(thickness):
    """Designs in beams that they were not made for: that of 2 cells which repeats, side by side, with repeats and with
    free faces, and that with free faces where the beam repeats."""
    for faces, of, start in (("repeats", "repeats_2", "2 cells"), ("free", "repeats_2", "2 cells"),
                             ("repeats", f"free_{thickness}", "free")):  # fmt: skip
        key = {"thickness": int(thickness), "faces": faces, "start": start}
        if not done("designs", key):
            problem = beam(int(thickness), faces)
            occupied = taken(of, problem)
            kept("designs", key, score(problem, occupied) | {"layers": layers(problem, occupied)})


def taken(of, problem):
    """Where a design's atoms are in another beam, as often as it fits in."""
    faces, thickness = of.split("_")
    own = beam(int(thickness), faces).lattice
    there = np.zeros(len(own), bool)
    there[jm.nano.read_atoms(HERE / f"selection_{of}_full.xyz").numbers["site"].astype(int)] = True
    known = {tuple(site): there[number] for number, site in enumerate(own.sites.tolist())}
    period = own.sites[:, 2].max() + 1
    return np.array([known[x, y, z % period] for x, y, z in problem.lattice.sites.tolist()])


def write(problem, occupied, path):
    """A design on its lattice sites, with the neighbours of its atoms."""
    where = problem.lattice.positions[occupied]
    near = jm.nano.neighbors(where, 0.854 * A0, problem.lattice.cell, problem.pbc)
    count = (near.index < near.count).sum(0)
    atoms = jm.nano.Atoms(
        where, problem.lattice.cell, problem.pbc, "Al", problem.held[occupied], problem.direction[occupied],
        {"site": np.flatnonzero(occupied), "coordination": count},
    )  # fmt: skip
    jm.nano.write_atoms(path, atoms, overwrite=True)


def draw():
    """Pictures of the designs there are."""
    from jaxmeta.render import picture_of_atoms

    for path in sorted(HERE.glob("selection_*.xyz")):
        atoms = jm.nano.read_atoms(path)
        picture_of_atoms(
            atoms.positions, path.with_suffix(".png"), atoms.numbers["coordination"], title="neighbours",
            limits=(5, 12), view="corner", size=420, overwrite=True,
        )  # fmt: skip


def plot():
    """Stiffness, lowest eigenvalue, and what surfaces cost, over thickness."""
    from matplotlib.figure import Figure

    rows = [row for row in json.loads((HERE / "families.json").read_text()) if "k" in row]
    own = [("free", "full"), ("free", "full_patches"), ("repeats", "full"), ("repeats", "2 cells"), ("layers", "full")]
    designs = json.loads((HERE / "designs.json").read_text())
    rows += [row | {"family": "design"} for row in designs if (row["faces"], row["start"]) in own]
    figure = Figure(figsize=(14, 6), dpi=110, layout="constrained")
    axes = figure.subplots(2, 4)
    colors = {"full": "#777777", "brace": "#c8553d", "wall": "#3d6fc8", "box": "#5aa469", "design": "#111111"}
    shown = {
        "k per cell of thickness, eV/Å²": lambda row: row["k"] / row["thickness"],
        "lowest eigenvalue, eV/Å²": lambda row: row["lowest_eigenvalue"],
        "furthest that an atom went, Å": lambda row: row["furthest"],
        "energy beyond crystal, eV/atom": lambda row: row["excess_energy"],
    }
    for line, faces in zip(axes, ("free", "repeats"), strict=True):
        for plot, (label, value) in zip(line, shown.items(), strict=True):
            for family, color in colors.items():
                chosen = [row for row in rows if (row["family"], row["faces"]) == (family, faces)]
                style = {"color": color, "marker": ".", "label": family}
                if family == "design":
                    style |= {"marker": "o", "linestyle": ""}
                plot.plot([row["thickness"] for row in chosen], [value(row) for row in chosen], **style)
            if faces == "repeats":
                chosen = [row for row in rows if row["faces"] == "layers"]
                plot.plot([row["thickness"] for row in chosen], [value(row) for row in chosen], "x", color="#111111",
                          label="design, layers free")  # fmt: skip
            plot.set(xlabel=f"thickness in cells, {faces} along z", ylabel=label)
        line[1].set_yscale("log")
        line[0].set_ylim(0, None)
    axes[1, 0].legend(fontsize=7, frameon=False, loc="lower right")
    figure.savefig(HERE / "families.png")


if __name__ == "__main__":
    commands = {"families": families, "design": design, "crossed": crossed, "draw": draw, "plot": plot}
    commands[sys.argv[1]](*sys.argv[2:])
