"""Check every record of a library, solve one in a hundred anew, and draw it as in the paper's Fig. 1.

    python experiments/dataset/check.py [LIBRARY]
    python experiments/dataset/check.py --tables    # of the README, from the results of before

Without a library that of the package. Writes `results.json`, the tables of the README, and `pictures/*.png`.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import readme

import jaxmeta as jm
from jaxmeta import render
from jaxmeta.cells import Facts
from jaxmeta.dataset import _overlap, _records
from jaxmeta.elasticity import CubicConstants

HERE = Path(__file__).parent
EVEN = 5000


def shape(library: jm.dataset.Library, numbers: np.ndarray) -> dict[str, int]:
    """How many records are not what every one must be."""
    found = {"disconnected": 0, "not percolating": 0, "with hinges": 0, "other volume": 0}
    for number, octant in zip(numbers, library.octants(numbers), strict=True):
        facts = Facts(np.asarray(jm.symmetry.unfold(octant)))
        found["disconnected"] += not facts.connected
        found["not percolating"] += not all(facts.percolates)
        found["with hinges"] += any(facts.hinges)
        found["other volume"] += octant.mean() != library.volume_fraction[number]
    return found


def anew(library: jm.dataset.Library, numbers: np.ndarray) -> list[float]:
    """Difference of the stored constants from those of the whole periodic cell in float64, relative to the largest."""
    differences = []
    with jax.enable_x64(True):
        for number in numbers:
            cell = jnp.asarray(np.asarray(jm.symmetry.unfold(library[int(number)].octant)), jnp.float64)
            h = jm.homogenize(cell, _records.SOLID, interpolation=jm.SIMP(1.0, _records.VOID), residual=1e-9)
            exact, stored = np.asarray(h.stiffness), library.stiffness[number]
            differences.append(float(np.abs(exact - stored).max() / np.abs(exact).max()))
    return differences


def alike(library: jm.dataset.Library) -> float:
    """The largest overlap of two records, of their void where both are more than half full."""
    bits = library.column("wedge").copy()
    dense = library.volume_fraction > 0.5
    bits[dense] = ~bits[dense]
    largest = 0.0
    for block, overlap in _overlap.overlaps(bits, library.side):
        overlap[dense[block, None] != dense[: block.stop]] = 0
        overlap[np.arange(len(overlap)), np.arange(block.start, block.stop)] = 0
        largest = max(largest, float(overlap.max()))
    return largest


def stiffness(library: jm.dataset.Library) -> dict[str, float | int]:
    """What can be said of C without solving."""
    excess = _records.shares(library.constants, library.volume_fraction) - 1
    return {
        "not positive definite": int((~CubicConstants(*library.constants.T).positive).sum()),
        "more than 1 % above a bound": int((excess.max(axis=1) > _records.ALLOWED).sum()),
        "flagged": int((library.column("flags") > 0).sum()),
        "above a bound": int((excess.max(axis=1) > 0).sum()),
        "largest K over its bound": float(1 + excess[:, 0].max()),
        "largest Voigt shear over its bound": float(1 + excess[:, 1].max()),
        "largest estimated error of C": float(library.column("error").max()),
    }


def auxetic(library: jm.dataset.Library) -> dict[str, float]:
    """The lowest Poisson's ratio of the cells with C11 of at least a hundredth of E, and the highest."""
    cubic = CubicConstants(*library.constants.T)
    c11, ratio = cubic.c11, cubic.poisson
    stiff = np.where(c11 >= 0.01, ratio, np.inf)
    low = int(stiff.argmin())
    return {
        "lowest": float(ratio[low]),
        "its C11": float(c11[low]),
        "its volume fraction": float(library.volume_fraction[low]),
        "at or below -0.45": int((stiff <= -0.45).sum()),
        "highest": float(ratio.max()),
        "at or above 0.45": int((ratio >= 0.45).sum()),
    }


def counted(library: jm.dataset.Library) -> dict[str, dict[str, list]]:
    """Numbers of records in slices of volume fraction and of K over its bound, all and the first `EVEN`."""
    share = _records.shares(library.constants, library.volume_fraction)[:, 0]
    tables = {}
    slices = ("volume fraction", library.volume_fraction, 0.05 * np.arange(2, 20)), ("K", share, 0.1 * np.arange(11))
    for name, values, edges in slices:
        clipped = np.minimum(values, edges[-1] - 1e-9)  # cells that are flagged lie just above the last edge
        counts = [np.histogram(part, edges)[0].tolist() for part in (clipped, clipped[:EVEN])]
        tables[name] = {"edges": edges.round(2).tolist(), "all": counts[0], "even": counts[1]}
    return tables


def pictures(library: jm.dataset.Library) -> None:
    """Property space, as the paper's Fig. 1 d–f, and cells, as its Fig. 1 b and c."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    optimised = library.column("round") == 0
    for name, part in (("all", library), ("even", library[:EVEN])):
        made = part.column("round") == 0
        render.property_space(
            folder / f"{name}.png", part.constants, part.volume_fraction, optimised=made, overwrite=True
        )
    for name, chosen in (("optimised", optimised), ("perturbed", ~optimised)):
        some = library[np.flatnonzero(chosen)[:32]]
        cells = [np.asarray(jm.symmetry.unfold(octant)) for octant in some.octants(np.arange(len(some)))]
        ratio = some.constants[:, 1] / (some.constants[:, 0] + some.constants[:, 1])
        labels = [f"f {f:.2f}  ν {v:.2f}" for f, v in zip(some.volume_fraction, ratio, strict=True)]
        render.contact_sheet(folder / f"{name}.png", cells, labels=labels, overwrite=True)


def findings(results: dict) -> str:
    """What was checked and found, for the README."""
    shape, stiffness, anew = (results[name] for name in ("shape", "stiffness", "solved anew"))
    rows = (
        ("not connected through voxel faces", shape["disconnected"]),
        ("not spanning the cell along every axis", shape["not percolating"]),
        ("with a contact through an edge or a corner alone", shape["with hinges"]),
        ("volume fraction not that of the voxels", shape["other volume"]),
        ("C not positive definite", stiffness["not positive definite"]),
        ("K or Voigt-average shear modulus more than 1 % above its bound", stiffness["more than 1 % above a bound"]),
        ("above a bound by up to 1 %", stiffness["above a bound"] - stiffness["more than 1 % above a bound"]),
        ("flagged as being so", stiffness["flagged"]),
    )
    lines = [f"| of {results['records']:,} records | |", "|---|---|", *(f"| {name} | {n} |" for name, n in rows), ""]
    rows = (
        ("K over its bound", f"{stiffness['largest K over its bound']:.4f}"),
        ("Voigt-average shear modulus over its bound", f"{stiffness['largest Voigt shear over its bound']:.4f}"),
        ("estimated relative error of C", f"{stiffness['largest estimated error of C']:.1e}"),
        (
            f"difference of C, relative to its largest entry, of {anew['records']} records drawn at random and solved "
            "anew",
            f"{anew['largest difference of C']:.1e}",
        ),
        ("overlap of two records", f"{results['largest overlap']:.4f}"),
    )
    return "\n".join([*lines, "| the largest | |", "|---|---|", *(f"| {name} | {n} |" for name, n in rows), ""])


def counts(results: dict) -> str:
    """Counts in slices, for the README."""
    lines = []
    for name, title in (("volume fraction", "volume fraction"), ("K", "K / K_HS")):
        t = results["counts"][name]
        lines += [f"| {title} | all | first {EVEN} |", "|---|---|---|"]
        for low, high, every, even in zip(t["edges"][:-1], t["edges"][1:], t["all"], t["even"], strict=True):
            lines.append(f"| {low:.2f}–{high:.2f} | {every} | {even} |")
        lines.append("")
    return "\n".join(lines)


def tables(results: dict) -> None:
    """Put the tables into the README."""
    readme.put(findings=findings(results), counts=counts(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--one-in", type=int, default=100, help="one record in so many is solved anew")
    parser.add_argument("--tables", action="store_true", help="make nothing but the tables of the README anew")
    given = parser.parse_args()
    if given.tables:
        tables(json.loads((HERE / "results.json").read_text("utf-8")))
        return
    library = jm.dataset.load(given.file)
    made = library.column("round")
    results = {
        "records": len(library),
        "optimised": int((made == 0).sum()),
        "perturbed": int((made > 0).sum()),
        "ranges": {
            "volume fraction": [float(f(library.volume_fraction)) for f in (np.min, np.max)],
            **{
                n: [float(c.min()), float(c.max())]
                for n, c in zip(("C11", "C12", "C44"), library.constants.T, strict=True)
            },
        },
        "Poisson's ratio": auxetic(library),
        "stiffness": stiffness(library),
        "largest overlap": alike(library),
        "counts": counted(library),
    }
    shares = np.array_split(np.arange(len(library)), 4 * given.processes)
    sample = np.random.default_rng(1).choice(len(library), -(-len(library) // given.one_in), replace=False)
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        wrong = list(pool.map(shape, [library] * len(shares), shares))
        again = list(pool.map(anew, [library] * given.processes, np.array_split(sample, given.processes)))
    results["shape"] = {name: int(sum(part[name] for part in wrong)) for name in wrong[0]}
    differences = [difference for part in again for difference in part]
    results["solved anew"] = {"records": len(differences), "largest difference of C": max(differences)}
    pictures(library)
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    tables(results)
    json.dump({name: value for name, value in results.items() if name != "counts"}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
