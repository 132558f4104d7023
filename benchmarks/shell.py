"""The whole run from the shell: `jaxmeta homogenize` beside FANS, in turn, on the same cells in files.

    PATH=/path/to/FANS:$PATH python benchmarks/shell.py [REPEATS]

Binary gyroids of 32³, 64³ and 100³ voxels, six loads, float64 both. Ours is a later call: programs are kept on disk
from an earlier one. FANS stops at the loosest residual, out of a list, at which its C is right to 1e-5, and runs on as
many ranks as there are cores. Seconds are of the clock, with those of processors and the load of the machine beside
them: whatever else runs on it takes more from FANS, whose ranks wait for each other.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from accuracy import RESIDUALS, error_of
from peer_fans import read_log, read_stiffness, write_input
from problems import PROBLEMS
from run import HERE, TOLERANCE, hardware, reference

CELLS = ("gyroid_32", "gyroid_64", "gyroid_100")
PROGRAM = "import sys; from jaxmeta.cli import main; sys.exit(main())"


def timed(command: list[str]) -> tuple[subprocess.CompletedProcess[str], dict[str, float]]:
    """A command's answer, its seconds of the clock and of processors, and the load before it."""
    load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processors = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done, {"seconds": seconds, "processor_seconds": processors, "load": load}


def ours(folder: Path, exact: np.ndarray) -> dict[str, float]:
    words = ["homogenize", str(folder / "cell.npy"), "--void", "1e-9", "--json"]
    done, row = timed([sys.executable, "-c", PROGRAM, *words])
    answer = json.loads(done.stdout)
    return row | {"solve": answer["solver"]["seconds"], "error": error_of(np.array(answer["stiffness"]), exact)}


def theirs(folder: Path, exact: np.ndarray, ranks: int) -> dict[str, float]:
    command = ["mpiexec", "-n", str(ranks), "FANS"]
    done, row = timed([*command, str(folder / "input.json"), str(folder / "output.h5")])
    error = error_of(read_stiffness(folder / "output.h5"), exact)
    return row | {"solve": read_log(done.stdout)[0], "error": error}


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    ranks, rows = os.cpu_count() or 1, []
    for name in CELLS:
        problem, exact = PROBLEMS[name], reference(name)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            np.save(folder / "cell.npy", problem.field(problem.size))
            ours(folder, exact)
            found: dict[str, list[dict[str, float]]] = {"jaxmeta": [], "fans": []}
            residual = None
            for residual in RESIDUALS if shutil.which("FANS") else ():
                write_input(problem, folder, residual)
                first = theirs(folder, exact, ranks)
                if first["error"] <= TOLERANCE:
                    break
            for _ in range(repeats):
                found["jaxmeta"].append(ours(folder, exact))
                if residual is not None:
                    found["fans"].append(theirs(folder, exact, ranks))
        for who, all_ in found.items():
            if all_:
                medians = {key: statistics.median([row[key] for row in all_]) for key in all_[0]}
                row = {"problem": name, "program": who, "repeats": repeats} | medians
                row |= {"ranks": ranks, "residual": residual} if who == "fans" else {}
                rows.append(row)
                print(json.dumps(row), flush=True)
    text = json.dumps({"hardware": hardware(), "tolerance": TOLERANCE, "rows": rows}, indent=1)
    (HERE / "results" / "shell.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
