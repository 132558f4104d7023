"""Figures 2b and 3 of Yang and others (2024) with the network that ships, and accuracy against diversity over scales.

    python experiments/generate/figures.py targets        both figures, from raw.json and 200 targets drawn anew
    python experiments/generate/figures.py scales FOLDER  over scales of guidance without a classifier

Of the 200 targets those whose four samples err, on average, as the median and the quartiles do are drawn. The other
command takes runs of `jaxmeta evaluate --ways raw --targets 64 --scale S --output FOLDER/S`. Pictures go to `pictures`,
numbers to `figures.json`.
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import jaxmeta as jm
from jaxmeta import diffusion, generation
from jaxmeta.generation import eq3_error, most_similar, pair_similarity, plain_error
from jaxmeta.generation._samples import sample_octants
from jaxmeta.io import write_json

HERE = Path(__file__).resolve().parent
SIDE, SCALE = 32, 3.0
SCORER = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-4)
NAMES = ("C11", "C12", "C44")
TARGETS = 200


def samples(model, constants, volume, count, key):
    """Octants drawn under conditions, and their C11, C12, C44; zeros where a cell carries nothing."""
    asked = diffusion.conditions(**dict(zip(("c11", "c12", "c44"), map(float, constants), strict=True)),
                                 volume_fraction=float(volume))  # fmt: skip
    octants = np.asarray(sample_octants(model, asked, jax.random.split(jax.random.key(key), count), SIDE, scale=SCALE))
    cells = SCORER.octants(octants > 0.5, [{}] * count)
    return octants > 0.5, np.array([np.zeros(3) if cell is None else cell.constants[:3] for cell in cells])


def told(**numbers):
    """Numbers of a figure, kept beside those of the others."""
    path = HERE / "figures.json"
    write_json(path, (json.loads(path.read_text()) if path.exists() else {}) | numbers, overwrite=True)
    print(json.dumps(numbers), flush=True)


def gallery(octants, path, columns, size=260):
    """Cells side by side; those with closed faces are moved by half a period, so that one sees inside."""
    tiles, single = [], path.with_name("tile.png")
    for octant in octants:
        cell = np.asarray(jm.symmetry.unfold(octant.astype(float)))
        cell = np.roll(cell, SIDE, (0, 1, 2)) if cell[0].mean() > 0.9 else cell
        jm.render.picture_of_cell(cell, single, size=size, overwrite=True)
        tiles.append(Image.open(single).convert("RGB"))
    single.unlink()
    whole = Image.new("RGB", (columns * size, -(-len(tiles) // columns) * size), "white")
    for number, tile in enumerate(tiles):
        whole.paste(tile, (number % columns * size, number // columns * size))
    whole.save(path, optimize=True)


def targets():
    """Both figures."""
    library, model = jm.dataset.load(), diffusion.load()
    asked = generation.draw_targets(library, TARGETS, 0)
    each = zip(asked.constants, asked.volume_fraction, strict=True)
    octants, got = map(np.stack, zip(*(samples(model, *one, 4, key) for key, one in enumerate(each)), strict=True))
    order = np.argsort(plain_error(asked.constants[:, None], got).mean(1))
    quartiles = order[[TARGETS // 4, TARGETS // 2, 3 * TARGETS // 4]]
    one(library, model, asked.constants[quartiles[1]], asked.volume_fraction[quartiles[1]])
    every(library, octants, quartiles)


def one(library, model, wanted, volume):
    """Figure 2b: 16 samples of one condition in property space, and eight of them."""
    octants, got = samples(model, wanted, volume, 16, TARGETS)
    figure = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    for axes, (a, b) in zip(figure.subplots(1, 2), ((0, 1), (0, 2)), strict=True):
        axes.scatter(*library.constants[:, (a, b)].T, s=1, color="#cccccc", label="library")
        axes.scatter(*got[:, (a, b)].T, s=28, marker="^", color="#3a9d5d", label="16 samples")
        axes.scatter(wanted[a], wanted[b], s=110, marker="h", color="#c8553d", label="target")
        axes.set(xlabel=NAMES[a], ylabel=NAMES[b])
        for limit, index in ((axes.set_xlim, a), (axes.set_ylim, b)):
            width = 2.5 * max(abs(got[:, index] - wanted[index]).max(), 0.1 * abs(wanted[index]))
            limit(wanted[index] - width, wanted[index] + width)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(HERE / "pictures" / "one.png")
    gallery(octants[:8], HERE / "pictures" / "one-cells.png", 4)
    error = plain_error(wanted, got)
    told(one={
        "constants": wanted.tolist(), "volume_fraction": float(volume), "eq3": float(eq3_error(wanted, got).mean()),
        "error_median": float(np.median(error)), "error_best": float(error.min()), "error_worst": float(error.max()),
        "volume_error": float(abs(octants.mean((1, 2, 3)) - volume).max()), "pairs_alike": pair_similarity(octants),
    })  # fmt: skip


def every(library, octants, quartiles):
    """Figure 3: property space, errors, similarity to the training cells and of pairs, and three sets of cells."""
    rows = [row for row in json.loads((HERE / "raw.json").read_text())["cells"] if row["kind"] != "outside"]
    training = library.split("training")
    wanted = np.array([row["constants"] for row in rows])
    got = np.array([row["raw"]["constants"] for row in rows], float)
    eq3 = np.array([row["raw"]["eq3"] for row in rows], float)
    alike = np.array([row["raw"]["library_similarity"] for row in rows])
    figure = Figure(figsize=(13, 7.5), dpi=100, layout="constrained")
    (space, first, best), (novel, pairs, finer) = figure.subplots(2, 3)
    for axes, low in ((space, 0.0), (finer, 1e-3)):
        axes.scatter(*training.constants[:, (0, 2)].T, s=2, color="#cccccc", label="training cells")
        axes.scatter(*got[..., (0, 2)].reshape(-1, 2).T, s=2, color="#3a9d5d", label="samples")
        axes.scatter(*wanted[:, (0, 2)].T, s=2, color="#c8553d", label="targets")
        axes.set(xlabel="C11", ylabel="C44", title="a, by logarithms" if low else "a")
        if low:
            axes.set(xscale="log", yscale="log", xlim=(low, 1.5), ylim=(low, 0.5))
    space.legend(frameon=False, markerscale=4, fontsize=8)
    for axes, values, title in ((first, eq3[:, 0], "b  one sample"), (best, eq3.min(1), "c  best of four")):
        axes.hist(100 * values, np.linspace(0, 12, 49), color="#3d6fc8")
        axes.axvline(100 * values.mean(), color="#c8553d", label=f"mean {100 * values.mean():.2f} %")
        axes.set(xlabel="Eq. 3, %", title=title)
        axes.legend(frameon=False)
    between = np.array([pair_similarity(some) for some in octants])
    similar = (
        (novel, alike.ravel(), "to the most similar training cell", "d"),
        (pairs, between, "of a target's four samples", "e"),
    )
    for axes, values, of, title in similar:
        axes.hist(values, np.linspace(0.2, 1, 81), color="#3d6fc8")
        axes.axvline(values.mean(), color="#c8553d", label=f"mean {values.mean():.2f}")
        axes.set(xlabel=f"similarity {of}", title=title)
        axes.legend(frameon=False)
    figure.savefig(HERE / "pictures" / "all.png")
    sets = [(octants[number], most_similar(octants[number], training)[1]) for number in quartiles]
    gallery(np.concatenate([np.concatenate([some, training.octants(near)]) for some, near in sets]),
            HERE / "pictures" / "all-cells.png", 8, 180)  # fmt: skip
    told(all={"pairs_alike": float(between.mean()), "over_0.95": float((alike > 0.95).mean())})


def scales(folder):
    """Errors and similarity of pairs over scales of guidance without a classifier."""
    rows = {}
    for path in sorted(Path(folder).glob("*/*.json"), key=lambda path: float(path.parent.name)):
        facts = json.loads(path.read_text())
        assert facts["settings"]["scale"] == float(path.parent.name)
        (row,) = (row for row in facts["rows"] if row["targets"] == "inside")
        rows[path.parent.name] = {
            "eq3": row["eq3"]["first"], "eq3_best": row["eq3"]["best"], "plain": row["plain"]["first_median"],
            "connected": row["connected"], "pairs_alike": row["pair_similarity"], "training": row["library_similarity"],
        }  # fmt: skip
    figure = Figure(figsize=(6, 4), dpi=110, layout="constrained")
    axes = figure.subplots()
    for name, label in (("eq3", "one sample"), ("eq3_best", "best of four")):
        points = np.array([(row["pairs_alike"], 100 * row[name]) for row in rows.values()])
        axes.plot(*points.T, ".-", label=label)
        for scale, point in zip(rows, points, strict=True):
            axes.annotate(scale, point, xytext=(3, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel="mean similarity of the pairs of a target's four samples", ylabel="Eq. 3, %")
    axes.legend(frameon=False)
    figure.savefig(HERE / "pictures" / "scales.png")
    told(scales=rows)


if __name__ == "__main__":
    {"targets": targets, "scales": scales}[sys.argv[1]](*sys.argv[2:])
