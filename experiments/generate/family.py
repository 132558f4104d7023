"""Families of cells near the bound on the bulk modulus, of every volume fraction, whose neighbours connect.

    python experiments/generate/family.py closed FOLDER | open FOLDER     members; the same command goes on
    python experiments/generate/family.py holes                           cells with superellipsoid holes, beside them
    python experiments/generate/family.py graded                          a row of members, resolved
    python experiments/generate/family.py draw

A family goes by `jm.generation.interpolate` from anchor to anchor: cells of the library, and cells with superellipsoid
holes at the low end of the closed one. Members of the open one begin at their neighbours only, so that pores stay open.
Results go to families.json, members to family_closed.npz and family_open.npz, octants packed in bits, pictures to
pictures/families.png and the like.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

import jaxmeta as jm
from jaxmeta.cells import Scorer
from jaxmeta.elasticity import bounds
from jaxmeta.io import write_json

HERE = Path(__file__).parent
SOLID = jm.Isotropic(1.0, 0.3)
SIDE = 32
STEP = 0.01
EXPONENT = 16.0
ANCHORS = {
    "closed": (
        *((EXPONENT, round(fraction, 4)) for fraction in np.arange(0.1, 0.165, 0.0088).tolist()),
        (12.0, 0.1704),
        *((EXPONENT, round(fraction, 4)) for fraction in np.arange(0.1792, 0.2501, 0.0088).tolist()),
        7321, 10841, 11949, 12241, 11716, 10514, 10923, 7851, 3604, 1393,
    ),
    "open": (2814, 2904, 4165, 3945, 12093, 7496, 2033, 3218),
}  # fmt: skip
"""Numbers of records, or exponents and volume fractions of superellipsoid holes, from light to dense."""


def anchor(name, library):
    octant = library[name].octant if isinstance(name, int) else hole(*name)
    return Scorer(SOLID)(octant, "cubic", {"start": str(name)})


def hole(exponent, volume_fraction):
    """|x|ᵖ + |y|ᵖ + |z|ᵖ < rᵖ around the far corner of the octant is empty."""
    place = 1 - (np.arange(SIDE) + 0.5) / SIDE
    x, y, z = np.meshgrid(place, place, place, indexing="ij")
    radius = np.round((x**exponent + y**exponent + z**exponent) ** (1 / exponent), 9)
    return radius >= np.quantile(radius, 1 - volume_fraction)


def share(cell):
    """K over its upper bound."""
    c = np.asarray(cell.stiffness)
    return float((c[0, 0] + 2 * c[0, 1]) / 3 / bounds.hashin_shtrikman(cell.volume_fraction, SOLID)[0])


def topology(octant):
    """Pores of the periodic cell, and the Euler characteristic of its solid."""
    cell = np.pad(octant, [(0, SIDE)] * 3, mode="symmetric")

    def around(*axes):
        """Points, edges or faces of voxels that touch solid, counted."""
        near = np.zeros_like(cell)
        for step in np.ndindex((2,) * len(axes)):
            near |= np.roll(cell, step, axes)
        return int(near.sum())

    euler = around(0, 1, 2) - around(0, 1) - around(1, 2) - around(0, 2) + around(0) + around(1) + around(2)
    return int(jm.geometry.label(~cell)[1]), euler - int(cell.sum())


def kept(name, rows):
    path = HERE / "families.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, found | {name: rows}, overwrite=True)


def told(cell, **more):
    octant = np.asarray(cell.octant) > 0.5
    pores, euler = topology(octant)
    return {
        "volume_fraction": float(cell.volume_fraction), "bulk_over_bound": share(cell), "pores": pores,
        "euler": euler, "open_pores": cell.facts.open_pores, "parts": cell.facts.parts,
        "thinnest": cell.facts.thinnest, **more,
    }  # fmt: skip


def family(name, folder):
    library, cells, rows, fits = jm.dataset.load(), [], [], []
    for number, (first, second) in enumerate(pairwise(ANCHORS[name])):
        begin = cells[-1] if cells else anchor(first, library)  # it may have been moved by half a period
        end = anchor(second, library)
        members = 2 + int((end.volume_fraction - begin.volume_fraction) / (0.9 * STEP))
        found = jm.generation.interpolate(
            begin, end, members, STEP, library=library if name == "closed" else None, max_attempts=256,
            folder=Path(folder) / f"{number}",
            callback=lambda tried, place, exact, ends=(first, second): print(*ends, tried, place, exact, flush=True),
        )  # fmt: skip
        own = list(found.members)
        rows += [told(cell, start=str(cell.provenance["start"])) for cell in own[bool(cells) :]]
        fits += found.connects.tolist()
        cells += own[bool(cells) :]
        print({"ends": [first, second], "attempts": found.attempts, "open_gaps": len(found.open_gaps)}, flush=True)
    kept(name, {"anchors": list(ANCHORS[name]), "members": rows, "connects": fits})
    packed = np.packbits(np.stack([np.asarray(cell.octant) > 0.5 for cell in cells]))
    np.savez_compressed(HERE / f"family_{name}.npz", octants=packed)


def holes():
    """Superellipsoid holes of one exponent."""
    rows, score = [], Scorer(SOLID)
    for fraction in np.arange(0.1, 0.9001, STEP):
        rows.append(told(score(hole(EXPONENT, fraction), "cubic", {"start": "hole"}), asked=float(fraction)))
    kept("holes", {"exponent": EXPONENT, "members": rows})


def octants(name):
    packed = np.load(HERE / f"family_{name}.npz")["octants"]
    return np.unpackbits(packed)[: packed.size * 8 // SIDE**3 * SIDE**3].reshape(-1, SIDE, SIDE, SIDE).astype(bool)


def graded(name="closed", count=8):
    """Members in a row from light to dense, pressed along it between mirrors: C11, and that of cells in series."""
    chosen, rows = octants(name), json.loads((HERE / "families.json").read_text())[name]["members"]
    places = np.linspace(0, len(chosen) - 1, int(count)).round().astype(int)
    row = np.concatenate([part for k in places for part in (chosen[k], chosen[k][::-1])])
    score = Scorer(SOLID)
    alone = [float(np.asarray(score(chosen[k], "cubic", {"start": name}).stiffness)[0, 0]) for k in places]
    nodes = (row.shape[0] + 1, SIDE + 1, SIDE + 1, 3)
    held, moved = np.zeros(nodes, bool), np.zeros(nodes)
    held[[0, -1], :, :, 0] = True
    moved[-1, :, :, 0] = row.shape[0]
    found = jm.fem.solve(
        row.astype(np.float32), held, np.zeros(nodes), solid=SOLID, interpolation=jm.SIMP(3.0, 1e-9), prescribed=moved,
        faces=("free", "mirror", "mirror"), tolerance=1e-4,
    )  # fmt: skip
    stiffness = 2 * float(found.energy) / row.size
    kept("graded", {
        "family": name, "volume_fractions": [rows[k]["volume_fraction"] for k in places], "c11_of_cells": alone,
        "c11_in_series": 1 / float(np.mean(1 / np.array(alone))), "c11_of_row": stiffness,
    })  # fmt: skip
    print(1 / np.mean(1 / np.array(alone)), stiffness)


def draw():
    from matplotlib.figure import Figure

    from jaxmeta.render import contact_sheet, picture_of_cell

    found = json.loads((HERE / "families.json").read_text())
    figure = Figure(figsize=(8, 4), dpi=130, layout="constrained")
    axes = figure.subplots()
    for name, color in {"holes": "#999999", "open": "#3d6fc8", "closed": "#c8553d"}.items():
        if name in found:
            members = found[name]["members"]
            x, y = ([row[what] for row in members] for what in ("volume_fraction", "bulk_over_bound"))
            axes.plot(x, y, "." if name != "holes" else "-", color=color, label=name)
    axes.plot([0.1, 0.22, 0.22, 0.9], [0.88, 0.88, 0.95, 0.95], color="#333333", linewidth=0.8, label="asked")
    axes.set(xlabel="volume fraction", ylabel="bulk modulus over its upper bound", ylim=(0.6, 1.0))
    axes.legend(frameon=False)
    figure.savefig(HERE / "pictures" / "families.png")
    for name in ("closed", "open"):
        if name in found:
            chosen, rows = octants(name), found[name]["members"]
            places = np.linspace(0, len(chosen) - 1, 16).round().astype(int)
            cells = [np.pad(chosen[k], [(0, SIDE)] * 3, mode="symmetric") for k in places]
            labels = [f"{rows[k]['volume_fraction']:.2f}, {rows[k]['bulk_over_bound']:.3f}" for k in places]
            contact_sheet(HERE / "pictures" / f"family_{name}.png", cells, labels=labels, overwrite=True)
    places = np.linspace(0, len(octants("closed")) - 1, 8).round().astype(int)
    half = [np.pad(octants("closed")[k], [(0, SIDE), (0, SIDE), (0, 0)], mode="symmetric") for k in places]
    picture_of_cell(np.concatenate(half), HERE / "pictures" / "family_graded.png", size=1000, overwrite=True)


if __name__ == "__main__":
    made = {"closed": lambda folder: family("closed", folder), "open": lambda folder: family("open", folder)}
    (made | {"holes": holes, "graded": graded, "draw": draw})[sys.argv[1]](*sys.argv[2:])
