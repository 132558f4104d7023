"""How far cells can go from starts of five kinds, at equal work: Poisson's ratio, isotropic shear and bulk modulus.

    python experiments/generate/extremes.py FOLDER [--problems poisson shear bulk] [--kinds ...] [--count 16]

Starts are samples of the network under conditions of the library's best records; these records; waves; cellular noise;
and smooth random fields. Each is optimised by the same settings and scored as a binary cell of 64³ voxels. For
Poisson's ratio cells walk by small fits (`walk.py` of `experiments/designs`): samples and records as they are, for an
optimiser that begins with them blurred loses what makes them auxetic; the others after the optimiser. A sample is the
most auxetic of eight then, as a record is of the library. FOLDER gets an octant and a row for each run; a run that is
there is not made again. `extremes.json` tells of all runs in it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
from scipy.ndimage import gaussian_filter

sys.path.append(str(Path(__file__).resolve().parents[1] / "designs"))
import run as designs
from foam import foam
from score import score
from walk import walk

import jaxmeta as jm
from jaxmeta import diffusion, geometry
from jaxmeta.elasticity import CubicConstants
from jaxmeta.generation._samples import sample_octants

SIDE = 32
DRAWS = 8
"""Samples of which the most auxetic one is a start for Poisson's ratio."""
KINDS = ("generated", "library", "waves", "cellular", "random")


@dataclass(frozen=True)
class Extreme:
    """What is sought.

    Attributes:
        settings: of the optimiser.
        column: of a row of scores, which is compared.
        sign: 1 where more is better, else -1.
        isotropic: whether Zener's ratio must be within 3 % of one.
        least: C11 of the solid's modulus that a cell must have.
    """

    settings: designs.Configuration
    column: str
    sign: int = 1
    isotropic: bool = False
    least: float = 0.0

    @property
    def volume_fraction(self) -> float:
        return self.settings.volume_fraction

    def merit(self, row: dict) -> float:
        """Of a row; nothing is worse than a cell that is not what was asked for, or has hinges or thin members: single
        voxels are stiffer than the solid that they stand for."""
        sound = row["connected"] and all(row["percolates"]) and not (row["edge_hinges"] or row["corner_hinges"])
        sound = sound and abs(row["volume_fraction"] - self.volume_fraction) <= 0.002
        sound = sound and row["thinner_than_2"] <= (0.01 if self.isotropic else 0)
        sound = sound and (not self.isotropic or abs(row["zener"] - 1) <= 0.03) and row["C11"] >= self.least
        return self.sign * row[self.column] if sound else -np.inf


EXTREMES = {
    "poisson": Extreme(designs.DESIGNS["poisson"], "poisson", sign=-1, least=designs.LEAST),
    "shear": Extreme(replace(designs.SHEAR, filter_radius=1.5), "shear_share", isotropic=True),
    "bulk": Extreme(
        replace(designs.BULK, constraints=designs.SHEAR.constraints, volume_fraction=0.5, filter_radius=2.0),
        "bulk_share",
        isotropic=True,
    ),
}


def best_records(library: jm.Library, problem: Extreme, count: int) -> np.ndarray:
    """Numbers of the library's records that come nearest to what is sought, of different families."""
    cubic = CubicConstants(*library.constants.T)
    volume = library.volume_fraction
    near = abs(volume - problem.volume_fraction) <= 0.03
    if problem.isotropic:
        near &= abs(cubic.zener - 1) <= 0.05
    if problem.column == "poisson":
        value, near = -cubic.poisson, near & (library.constants[:, 0] >= 0.01)
    else:
        bounds = jm.bounds.hashin_shtrikman(volume, jm.Isotropic(1.0, 0.3))
        value = cubic.bulk / bounds.bulk if problem.column == "bulk_share" else cubic.shear / bounds.shear
    order = [k for k in np.argsort(-np.asarray(value)) if near[k]]
    families, chosen = library.column("family"), []
    for k in order:
        if families[k] not in families[chosen]:
            chosen.append(int(k))
        if len(chosen) == count:
            break
    return np.array(chosen)


def softened(octant: np.ndarray) -> jax.Array:
    """A binary octant as a field to start from: blurred, and away from 0 and 1, so that it can change."""
    wide = np.pad(octant.astype(float), 4, mode="symmetric")
    blurred = gaussian_filter(wide, 1.0)[4:-4, 4:-4, 4:-4]
    return jax.numpy.asarray(0.15 + 0.7 * blurred, jax.numpy.float32)


def most_auxetic(octants: np.ndarray, least: float) -> np.ndarray:
    """The octant of the lowest Poisson's ratio whose C11 is large enough, the first one if there is none."""
    cells = jm.cells.Scorer(jm.Isotropic(1.0, 0.3), residual=None, tolerance=1e-4).octants(octants, [{}] * len(octants))
    constants = [None if cell is None else cell.constants for cell in cells]
    return octants[np.argmin([1.0 if c is None or c.c11 < least else c.poisson for c in constants])]


def starts(kind: str, problem: Extreme, count: int) -> Callable[[int], np.ndarray | jax.Array]:
    """The start of a number, of one kind: an octant of truth values, or a field."""
    fraction, shape = problem.volume_fraction, (SIDE,) * 3
    if kind in ("generated", "library"):
        library = jm.dataset.load()
        records = best_records(library, problem, count)
        octants = library.octants(records)
        if kind == "generated":
            model = diffusion.load()
            asked = np.column_stack([library.constants[records], np.full(len(records), fraction)])

            def generated(number: int) -> np.ndarray:
                c11, c12, c44, volume = map(float, asked[number % len(asked)])
                wanted = diffusion.conditions(c11=c11, c12=c12, c44=c44, volume_fraction=volume)
                keys = jax.random.split(jax.random.key(number), DRAWS if problem.settings.fill else 1)
                drawn = np.asarray(sample_octants(model, wanted, keys, SIDE, scale=3.0, guided=2)) > 0.5
                return most_auxetic(drawn, problem.least) if problem.settings.fill else drawn[0]

            return generated
        return lambda number: np.asarray(octants[number % len(octants)]) > 0.5
    if kind == "waves":
        return lambda number: geometry.trigonometric(
            jax.random.key(number), shape, symmetry="cubic", volume_fraction=fraction
        )
    if kind == "cellular":
        return lambda number: foam(400 + number, SIDE, fraction)
    return lambda number: geometry.random_field(
        jax.random.key(number), shape, 8.0, volume_fraction=fraction, symmetry="cubic", sharpness=1.0
    )


def made(problem: Extreme, start: np.ndarray | jax.Array) -> np.ndarray:
    """The binary cell that a start leads to."""
    c, binary = problem.settings, isinstance(start, np.ndarray)
    if not (c.fill and binary):
        found = designs.optimized(c, softened(start) if binary else start, fresh=True)
        cell = designs.filled(found.cell, c.volume_fraction) if c.fill else found.cell
        start = np.asarray(jm.symmetry.fold(np.asarray(cell)))
    octant = walk(start, c.volume_fraction, problem.least) if c.fill else start
    return np.asarray(jm.symmetry.unfold(np.asarray(octant, float)))


def collected(folder: Path) -> dict[str, dict]:
    """Of every problem and kind of start: merits of the runs, nothing where a cell is not what was asked for, and the
    row of the best."""
    found: dict[str, dict] = {}
    for path in sorted(folder.glob("*.json")):
        name, kind, number = path.stem.split("-")
        row = json.loads(path.read_text())
        merit = -np.inf if "failed" in row else EXTREMES[name].merit(row)
        kinds = found.setdefault(name, {}).setdefault(kind, {"merits": [], "seconds": 0.0, "best": None})
        if np.isfinite(merit) and merit > max((m for m in kinds["merits"] if m is not None), default=-np.inf):
            kinds["best"] = {"start": int(number), **row}
        kinds["merits"].append(round(merit, 5) if np.isfinite(merit) else None)
        kinds["seconds"] = round(kinds["seconds"] + row["seconds"], 1)
    return found


def refine(folder: Path) -> None:
    """Adds Poisson's ratio on voxels split in eight to the best row of every kind of start."""
    for kind, kinds in collected(folder).get("poisson", {}).items():
        if kinds["best"] is not None and "poisson_refined" not in kinds["best"]:
            path = folder / f"poisson-{kind}-{kinds['best']['start']}"
            octant = octant_of(path.with_suffix(".npz"))
            row = json.loads(path.with_suffix(".json").read_text())
            row["poisson_refined"] = score(np.asarray(jm.symmetry.unfold(octant)), refine=True)["poisson_refined"]
            path.with_suffix(".json").write_text(json.dumps(row))


def octant_of(path: Path) -> np.ndarray:
    """The octant of a run, zeros and ones."""
    with np.load(path) as file:
        return np.unpackbits(file["octant"])[: file["shape"].prod()].reshape(file["shape"]).astype(float)


def draw(folder: Path) -> None:
    """The most auxetic cells of all kinds that led to some."""
    best = {kind: kinds["best"] for kind, kinds in collected(folder).get("poisson", {}).items() if kinds["best"]}
    order = sorted(best, key=lambda kind: best[kind]["poisson"])
    paths = [folder / f"poisson-{kind}-{best[kind]['start']}.npz" for kind in order]
    jm.render.contact_sheet(
        Path(__file__).with_name("pictures") / "extremes_poisson.png",
        [np.asarray(jm.symmetry.unfold(octant_of(path))) for path in paths],
        labels=[f"{kind}: {best[kind]['poisson']:.3f}" for kind in order], columns=len(order), overwrite=True,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--problems", nargs="*", default=list(EXTREMES), choices=list(EXTREMES))
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--count", type=int, default=16)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in given.problems:
        problem = EXTREMES[name]
        for kind in given.kinds:
            start = starts(kind, problem, given.count)
            for number in range(given.count):
                path = given.folder / f"{name}-{kind}-{number}"
                if path.with_suffix(".json").exists():
                    continue
                began = time.process_time()
                try:
                    cell = made(problem, start(number))
                    row = score(cell)
                    octant = np.asarray(jm.symmetry.fold(cell)) > 0.5
                    np.savez_compressed(path.with_suffix(".npz"), octant=np.packbits(octant), shape=octant.shape)
                except (ValueError, jm.SolverError) as error:  # nothing is left of the cell, at the cut or on the way
                    row = {"failed": str(error)}
                row["seconds"] = round(time.process_time() - began, 1)
                path.with_suffix(".json").write_text(json.dumps(row))
                merit = -np.inf if "failed" in row else problem.merit(row)
                print(f"{path.name}: {merit:.4f} in {row['seconds']} s", flush=True)
    refine(given.folder)
    text = json.dumps(collected(given.folder), indent=1)
    Path(__file__).with_name("extremes.json").write_text(text + "\n")
    draw(given.folder)


if __name__ == "__main__":
    main()
