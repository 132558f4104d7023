"""Fits starts of the library to the committed targets, and tells how many come how near.

python experiments/fit/run.py                 # all cases, resumable: results.json holds what is done
python experiments/fit/run.py --case nearest --first 20
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

import jaxmeta as jm
from jaxmeta import geometry

HERE = Path(__file__).resolve().parent
CASES = {
    "nearest": ("nearest", {}, 200),
    "volume": ("nearest", {"volume_fraction": True}, 200),
    "10 % away": ("0.1", {}, 200),
    "20 % away": ("0.2", {}, 200),
    "cleaned": ("nearest", {"clean": True}, 200),
    "64³ octants": ("nearest", {"finer": True}, 200),
}
"""Which start, options, and how many of the targets."""


def faces(cell: np.ndarray) -> int:
    """Between solid and void."""
    return sum(int(np.count_nonzero(cell != np.roll(cell, 1, axis))) for axis in range(3))


def one(library: jm.dataset.Library, target: dict, start: str, options: dict) -> dict:
    """Fits one start, and looks at what came out."""
    options = dict(options)
    record = library[target["starts"][start]]
    octant = record.octant
    if options.pop("finer", False):  # a surface may part where voxels touch at an edge
        cell = geometry.symmetry.unfold(jm.cells.filled_surface(record))
        octant = geometry.symmetry.fold(geometry.keep_largest(cell, symmetry="cubic"))
    if options.get("volume_fraction"):
        options["volume_fraction"] = target["volume"]
    wanted = np.asarray(jm.elasticity.CubicConstants(*target["constants"]).stiffness)
    began, work = time.perf_counter(), time.process_time()
    found = jm.fit_stiffness(octant, wanted, **options)
    seconds, work = time.perf_counter() - began, time.process_time() - work
    before, after = np.asarray(geometry.symmetry.unfold(octant)), found.scored.cell
    if options.get("clean"):
        before = after
    thin = [geometry.minimum_member(cell, 2) * np.count_nonzero(cell) for cell in (before, after)]
    hinges = [sum(geometry.count_hinges(cell)) for cell in (before, after)]
    return {
        "start": found.start_error,
        "error": found.error,
        "volume": abs(float(after.mean()) - options["volume_fraction"]) if "volume_fraction" in options else None,
        "solves": found.solves,
        "seconds": seconds,
        "work": work,
        "faces": faces(after) / faces(before) - 1,
        "harm": bool(thin[1] > thin[0] + 0.5 or hinges[1] > hinges[0] or not found.scored.facts.connected),
        "result": found.result.name,
    }


def summary(rows: list[dict]) -> dict:
    """Shares and medians."""
    error, solves, seconds, work, growth = (
        np.array([row[name] for row in rows]) for name in ("error", "solves", "seconds", "work", "faces")
    )
    volume = np.array([row["volume"] or 0.0 for row in rows])
    return {
        "targets": len(rows),
        "start": float(np.median([row["start"] for row in rows])),
        "within 0.05 %": float(((error <= 5e-4) & (volume <= 0.002)).mean()),
        "within 0.1 %": float(((error <= 1e-3) & (volume <= 0.002)).mean()),
        "worst": float(error.max()),
        "median error": float(np.median(error)),
        "median solves": float(np.median(solves)),
        "median seconds": float(np.median(seconds)),
        "median CPU seconds": float(np.median(work)),
        "median growth of the surface": float(np.median(growth)),
        "harmed": int(sum(row["harm"] for row in rows)),
    }


def main() -> None:
    """Run what is asked for and not done yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--first", type=int, help="so many targets only")
    given = parser.parse_args()
    library, targets = jm.dataset.load(), json.loads((HERE / "targets.json").read_text("utf-8"))
    path = HERE / "results.json"
    results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    for case in given.case:
        start, options, most = CASES[case]
        rows = results.setdefault(case, [])
        for number in range(len(rows), min(most, given.first or most)):
            rows.append(one(library, targets[number], start, options))
            path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(case, json.dumps(summary(rows), ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
