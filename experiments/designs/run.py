"""Design the three cells of the table from trigonometric or random fields, and score them beside hand-made baselines.

    python experiments/designs/run.py                   # all of them, then the table and the pictures
    python experiments/designs/run.py poisson           # one of them
    python experiments/designs/run.py shear --more 60   # go on from the cell that is there, with 60 restarts
    python experiments/designs/run.py poisson --more 1  # go on from the cell that is there, by a walk

Writes `results.json`, `cells/*.npz` (octants, bit-packed), `pictures/*.png` and the README's table beside this file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
from exchange import exchange
from fill import fill
from foam import foam
from heal import heal
from score import SOLID, score
from walk import walk

import jaxmeta as jm
from jaxmeta import geometry
from jaxmeta.elasticity import CubicConstants, poisson_ratio
from jaxmeta.topology import MMA, Continuation

HERE = Path(__file__).parent
OCTANT = (32, 32, 32)
HEALING = 0.0025
"""Volume fraction left for filling hinges."""
LEAST = 0.01
"""C11 that an auxetic cell must have, in the solid's modulus."""


def _shear(c: np.ndarray) -> float:
    return CubicConstants(c[0, 0], c[0, 1], c[3, 3]).shear


def _skew(c: np.ndarray) -> float:
    """How far Zener's ratio is beyond 3 % from one."""
    return abs(CubicConstants(c[0, 0], c[0, 1], c[3, 3]).zener - 1) - 0.0298


@dataclass(frozen=True)
class Configuration:
    """One design.

    Attributes:
        objective: minimised.
        constraints: must not be positive.
        volume_fraction: of the whole cell.
        start: made from the seed.
        seed: of the start, and of what it is shaken with.
        filter_radius: in voxels.
        last_radius: that of the restarts with which a run goes on.
        erosion: of the density that the objective sees.
        move: of MMA.
        max_steps: of the optimiser.
        every: most steps with one sharpness of the projection.
        stop: relative change of the objective at which a sharpness is left.
        channels: radius, in cell edges, of channels through the middle of the cell that are held void.
        to_edges: these channels run to the middles of the cell's edges, instead of along the axes.
        hops: perturbed restarts. To the best density so far a random field is added, and the run begins again.
        amplitudes: standard deviations of these fields, in turn.
        lengths: their correlation lengths in voxels, in turn after all amplitudes.
        share: what the best is told by, a column of the table.
        exchange: most sweeps of `exchange.py` at the end, for the shear modulus.
        fill: finish by opening with a 2×2×2 block, filling up to the volume where the objective minds least, healing
            hinges, and walking on (`walk.py`).
    """

    objective: jm.topology.objectives.Objective
    constraints: tuple
    volume_fraction: float
    start: Callable[[int], jax.Array]
    seed: int
    filter_radius: float
    last_radius: float = 1.2
    erosion: float = 0.0
    move: float = 0.15
    max_steps: int = 150
    every: int = 20
    stop: float = 1e-3
    channels: float = 0.0
    to_edges: bool = False
    hops: int = 0
    amplitudes: tuple[float, ...] = (0.25, 0.4)
    lengths: tuple[float, ...] = (4.0, 8.0, 12.0)
    share: str = "bulk_share"
    exchange: int = 0
    fill: bool = False


def _trigonometric(volume_fraction: float) -> Callable[[int], jax.Array]:
    return lambda seed: geometry.trigonometric(
        jax.random.key(seed), OCTANT, symmetry="cubic", volume_fraction=volume_fraction
    )


def _channels(radius: float, to_edges: bool) -> np.ndarray:
    """Voxels of the octant near lines from the middle of the cell to the middles of its faces, or of its edges."""
    x = 0.5 - (np.arange(OCTANT[0]) + 0.5) / (2 * OCTANT[0])
    x, y, z = np.meshgrid(x, x, x, indexing="ij")
    lines = [(x, y, z), (y, z, x), (z, x, y)]
    square = [a**2 + (b - c) ** 2 / 2 if to_edges else a**2 + b**2 for a, b, c in lines]
    return np.minimum.reduce(square) < radius**2


BULK = Configuration(
    jm.objectives.maximize_bulk(),
    (),
    0.3,
    _trigonometric(0.3),
    1,
    1.2,
    max_steps=120,
    hops=60,
    amplitudes=(0.2, 0.4),
    lengths=(4.0, 8.0),
)
SHEAR = Configuration(
    jm.objectives.maximize_shear(),
    (jm.constraints.isotropic(0.027),),
    0.4,
    lambda seed: foam(seed, OCTANT[0], 0.4),
    422,
    1.2,
    max_steps=120,
    hops=24,
    share="shear_share",
    exchange=6,
)
DESIGNS = {
    "bulk": BULK,
    "bulk_open": replace(BULK, channels=0.07, filter_radius=1.5, max_steps=300, every=40, stop=1e-4, hops=0),
    "shear": SHEAR,
    "shear_open": replace(
        SHEAR, start=_trigonometric(0.4), seed=1, filter_radius=1.5, channels=0.07, to_edges=True, exchange=0
    ),
    "poisson": Configuration(
        jm.objectives.minimize_poisson(),
        (jm.constraints.at_least(lambda c, _: c[0, 0], 0.016),),
        0.3,
        _trigonometric(0.3),
        8,
        2.5,
        erosion=0.08,
        move=0.1,
        fill=True,
    ),
}

BASELINES = {
    "superellipsoid hole, p = 8": lambda: geometry.superellipsoid_hole((64, 64, 64), 8.0, 0.3),
    "plates {100} and {111}": lambda: geometry.plates((64, 64, 64), ("100", "111"), thickness=(0.05, 0.035)),
    "plates {100} and {110}": lambda: geometry.plates((64, 64, 64), ("100", "110"), volume_fraction=0.331),
}


def optimized(c: Configuration, start: jax.Array, fresh: bool) -> jm.topology.Optimization:
    """One run of the optimiser, from a start field or, in fewer steps, from a shaken design."""
    return jm.optimize(
        c.objective,
        start,
        solid=SOLID,
        volume_fraction=c.volume_fraction,
        constraints=c.constraints,
        filter_radius=c.filter_radius,
        erosion=c.erosion,
        optimizer=MMA(move=c.move),
        projection=Continuation(1.0, 2.0, c.every if fresh else 12, 64.0),
        max_steps=c.max_steps if fresh else 90,
        stop=c.stop if fresh else 1e-3,
        passive=(_channels(c.channels, c.to_edges), np.zeros(OCTANT, bool)) if c.channels else None,
    )


def merit(c: Configuration, d: jm.topology.Optimization) -> float:
    """The share of the bound that a binary cell reaches; none where it misses what the table asks for."""
    row = score(d.cell)
    if c.channels and not row["open_pores"]:
        return 0.0
    sound = row["connected"] and all(row["percolates"]) and abs(row["volume_fraction"] - c.volume_fraction) < 0.002
    return row[c.share] if sound and (not c.constraints or abs(row["zener"] - 1) <= 0.03) else 0.0


def _hopped(c: Configuration, d: jm.topology.Optimization, hops: range) -> jm.topology.Optimization:
    """The best of some runs, each from the best design before it with a random field added."""
    best, top = d, merit(c, d)
    for hop in hops:
        count = len(c.amplitudes)
        amplitude, length = c.amplitudes[hop % count], c.lengths[hop // count % len(c.lengths)]
        key = jax.random.key(1000 * c.seed + hop)
        field = geometry.random_field(key, OCTANT, length, volume_fraction=0.5, symmetry="cubic", sharpness=1.0)
        shaken = best.density + amplitude * (field - field.mean()) / field.std()
        new = optimized(c, jax.numpy.clip(shaken, 0, 1), fresh=False)
        found = merit(c, new)
        print(f"hop {hop}: {found:.4f}, best {max(found, top):.4f}", flush=True)
        if found > top:
            best, top = new, found
    return best


def filled(cell: np.ndarray, volume_fraction: float) -> np.ndarray:
    """The cell opened with a 2×2×2 block, filled up where Poisson's ratio minds least, and its hinges healed."""
    opened = np.asarray(geometry.clean(cell, size=2).cell)
    octant = fill(np.asarray(jm.symmetry.fold(opened)), volume_fraction - HEALING, poisson_ratio)
    return heal(np.asarray(geometry.clean(np.asarray(jm.symmetry.unfold(octant)), size=2).cell))


def walked(octant: np.ndarray, volume_fraction: float) -> np.ndarray:
    """The most auxetic cell on a walk from an octant."""
    return np.asarray(jm.symmetry.unfold(np.asarray(walk(octant, volume_fraction, LEAST), float)))


def design(name: str, before: dict | None, more: int) -> tuple[np.ndarray, dict]:
    """Run one configuration, or go on from its cell; the binary cell and its row of the table."""
    c = DESIGNS[name]
    began = time.perf_counter()
    if before is not None and c.fill:
        cell = walked(stored(name), c.volume_fraction)
        seconds = round(before["seconds"] + time.perf_counter() - began, 1)
        return cell, before | score(cell, refine=True) | {"seconds": seconds}
    if before is None:
        hops, spent = c.hops, 0.0
        d = _hopped(c, optimized(c, c.start(c.seed), fresh=True), range(hops))
    else:
        done = before.get("hops", 0)
        hops, spent = done + more, before["seconds"]
        c = replace(c, filter_radius=c.last_radius)
        octant = jax.numpy.asarray(stored(name), jax.numpy.float32)
        d = _hopped(c, optimized(c, octant, fresh=False), range(done, hops))
    cell = d.cell
    if c.exchange:
        cell = np.asarray(jm.symmetry.unfold(exchange(np.asarray(jm.symmetry.fold(cell)), _shear, _skew, c.exchange)))
    if c.fill:
        cell = walked(np.asarray(jm.symmetry.fold(filled(cell, c.volume_fraction))), c.volume_fraction)
    seconds = spent + time.perf_counter() - began
    row = {"seed": c.seed, "hops": hops, "steps": d.report["steps"], "result": d.result.text}
    row |= {"seconds": round(seconds, 1), "loss_from_binarising": d.report["loss_from_binarising"]}
    return cell, {**row, **score(cell, refine=c.fill)}


def stored(name: str) -> np.ndarray:
    """The octant of a design, from `cells`."""
    with np.load(HERE / "cells" / f"{name}.npz") as file:
        shape = tuple(file["shape"])
        return np.unpackbits(file["octant"])[: np.prod(shape)].reshape(shape).astype(float)


def _shown(cell: np.ndarray) -> np.ndarray:
    """The cell as it is drawn: one whose faces are closed walls is moved by half a period, so that one sees inside."""
    return np.roll(cell, cell.shape[0] // 2, (0, 1, 2)) if cell[0].mean() > 0.9 else cell


TITLES = {
    "bulk": "**bulk modulus**, f = 0.3",
    "bulk_open": "the same, open pores",
    "shear": "**isotropic shear modulus**, f = 0.4",
    "shear_open": "the same, open pores",
    "poisson": "**Poisson's ratio**, f = 0.3",
}
HEAD = (
    "| cell | volume fraction | C11 / C12 / C44 | bulk, of the Hashin–Shtrikman bound "
    "| Voigt-average shear, of the bound | Zener | C12/(C11 + C12) "
    "| connected, percolates x y z | edge / corner hinges | thinner than 2 voxels "
    "| open pores |\n" + "|---" * 11 + "|"
)


def table(results: dict) -> str:
    """The rows of the README."""
    lines = [HEAD]
    for name in [*DESIGNS, *BASELINES]:
        r = results[name]
        whole = "yes" if r["connected"] and all(r["percolates"]) else "no"
        lines.append(
            f"| {TITLES.get(name, name)} | {r['volume_fraction']:.4f} "
            f"| {r['C11']:.4f} / {r['C12']:.4f} / {r['C44']:.4f} "
            f"| {r['bulk_share']:.2%} | {r['shear_share']:.2%} | {r['zener']:.3f} | {r['poisson']:.3f} | {whole} "
            f"| {r['edge_hinges']} / {r['corner_hinges']} | {r['thinner_than_2']:.2%} "
            f"| {'yes' if r['open_pores'] else 'no'} |"
        )
    return "\n".join(lines)


def montage() -> None:
    """The picture at the top of the README: bulk modulus, shear modulus, Poisson's ratio."""
    from PIL import Image

    picture = Image.new("RGB", (1200, 400), "white")
    for i, name in enumerate(("bulk", "shear", "poisson")):
        cell = Image.open(HERE / "pictures" / f"{name}.png").convert("RGB")
        picture.paste(cell.resize((400, 400), Image.Resampling.LANCZOS), (400 * i, 0))
    picture.save(HERE.parents[1] / "docs" / "images" / "designs.png", optimize=True)


def main(names: list[str], more: int) -> None:
    path = HERE / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for folder in ("cells", "pictures"):
        (HERE / folder).mkdir(exist_ok=True)
    for name in names:
        cell, row = design(name, results[name] if more else None, more)
        results[name] = row
        print(name, json.dumps(row), flush=True)
        octant = np.asarray(jm.symmetry.fold(cell)) > 0.5
        np.savez_compressed(HERE / "cells" / f"{name}.npz", octant=np.packbits(octant), shape=np.array(octant.shape))
        jm.render.picture_of_cell(_shown(cell), HERE / "pictures" / f"{name}.png", overwrite=True)
        jm.render.picture_of_cell(_shown(cell), HERE / "pictures" / f"{name}_tile.png", tile=2, overwrite=True)
    montage()
    for name, make in BASELINES.items():
        results[name] = score(np.asarray(make(), float))
        print(name, json.dumps(results[name]), flush=True)
    path.write_text(json.dumps(results, indent=1))
    readme = (HERE / "README.md").read_text("utf-8")
    before, after = readme[: readme.index("| cell |")], readme[readme.index("\nBounds are those") :]
    (HERE / "README.md").write_text(before + table(results) + "\n" + after, "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DESIGNS)}")
    parser.add_argument("--more", type=int, default=0, metavar="N", help="go on with N restarts")
    options = parser.parse_args()
    main(options.names or list(DESIGNS), options.more)
