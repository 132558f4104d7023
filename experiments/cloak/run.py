"""Designs the four cloaks, makes their cells, and checks two structures with all their voxels.

python experiments/cloak/run.py                         # design and cells; resumable: what is done is kept in --work
python experiments/cloak/run.py --case square-plates
python experiments/cloak/run.py --resolve cylinder-plates-sides cylinder-isotropic-sides    # 10 GB, half an hour each
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

from jaxmeta import multiscale

HERE = Path(__file__).resolve().parent
CASES: dict[str, tuple[multiscale.Hole, multiscale.Reference, multiscale.Pull]] = {
    f"{hole}-{reference}{'' if pull == 'rollers' else '-sides'}": (hole, reference, pull)
    for pull in ("rollers", "sides")
    for reference in ("plates", "isotropic")
    for hole in ("cylinder", "square")
}
FOUR = [name for name in CASES if not name.endswith("sides")]


def design(name: str, work: Path) -> tuple[multiscale.Cloak, dict]:
    """A cloak with its cells, and its figures."""
    hole, reference, pull = CASES[name]
    began, cpu = time.perf_counter(), time.process_time()
    marks: list[float] = []

    def told(what: str, done: int, of: int, numbers: dict[str, float]) -> None:
        if what == "Cells":
            marks.append(time.perf_counter())
            print(f"{name}: cell {done} of {of}, error {numbers['error']:.2e}", flush=True)

    made = multiscale.make_cloak(multiscale.Section(hole, pull), reference, folder=work / name, callback=told)
    assert made.tiles is not None and made.contacts is not None
    errors = np.array([tile.error for tile in made.tiles])
    solid = np.array([tile.octant.all() for tile in made.tiles])
    return made, {
        "reference": made.reference.constants.tolist(),
        "distortion_without": made.design.distortion_without,
        "distortion": made.design.distortion,
        "distortion_cells": made.distortion_cells,
        "share_outside": float((errors > 5e-4).mean()),
        "steps": len(made.design.history["distortion"]),
        "cells": len(errors),
        "solid": int(solid.sum()),
        "largest error": float(errors.max()),
        "taken": list(made.taken),
        "solves": int(sum(tile.solves for tile in made.tiles)),
        "contacts": made.contacts._asdict(),
        "one_piece": made.one_piece,
        "seconds of the last part": time.perf_counter() - began,
        "CPU seconds of the last part": time.process_time() - cpu,
    }


def main() -> None:
    """Run what is asked for, and write results.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="*", default=FOUR, choices=list(CASES))
    parser.add_argument("--resolve", nargs="*", default=[], choices=list(CASES))
    parser.add_argument("--work", type=Path, default=Path("cloaks"), help="folder of the runs")
    given = parser.parse_args()
    path = HERE / "results.json"
    for name in given.resolve or given.case:
        made, row = design(name, given.work)
        if name in given.resolve:
            began = time.perf_counter()
            found = made.resolve()
            row["resolved"] = found._asdict() | {
                "seconds": time.perf_counter() - began,
                "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            }
        results = json.loads(path.read_text("utf-8")) if path.exists() else {}
        results[name] = results.get(name, {}) | row
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(name, json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
