"""FANS (Leuschner and Fritzen, 2018), C++: FFT-preconditioned conjugate gradients on trilinear hexahedra.

It is measured where its executable `FANS` is on the PATH, on as many MPI ranks as there are cores where `mpiexec` is
there too (`conda install -c conda-forge fans`, or CMake from github.com/DataAnalyticsEngineering/FANS with Debian's
libhdf5-dev, libhdf5-openmpi-dev, libfftw3-dev, libfftw3-mpi-dev, libeigen3-dev, libopenmpi-dev and nlohmann-json3-dev;
as root Open MPI wants OMPI_ALLOW_RUN_AS_ROOT=1 and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1). Seconds are those that FANS
states for its solves; set-up is the rest of its run: start, reading, Green's operators, stress averages. Every distinct
density is a phase of its own, of which FANS holds 65,535.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from accuracy import Attempt, loosest
from outcome import NotInstalledError, Outcome
from problems import Problem

MANDEL = np.sqrt([1, 1, 1, 2, 2, 2])
ORDER = [0, 1, 2, 5, 4, 3]  # FANS: 11 22 33 12 13 23; ours: 11 22 33 23 13 12
DATASET = "/cell"
STEPS = 5000


def write_input(problem: Problem, folder: Path, residual: float) -> Path:
    """Write the cell and the settings of six unit Mandel strains; E = 1 and nu = 0.3 in the solid."""
    import h5py

    density, phase = np.unique(problem.field(problem.size).astype(float).round(12), return_inverse=True)
    if len(density) > 65535:
        raise RuntimeError(f"{len(density)} distinct densities, and FANS holds 65535 phases")
    with h5py.File(folder / "cell.h5", "w") as file:
        file[DATASET] = phase.reshape([problem.size] * 3).transpose(2, 1, 0).astype(np.uint16)  # z, y, x
    modulus = problem.stiffened(density)
    settings = {
        "microstructure": {"filepath": str(folder / "cell.h5"), "datasetname": DATASET, "L": [1.0, 1.0, 1.0]},
        "problem_type": "mechanical",
        "strain_type": "small",
        "materials": [
            {
                "phases": list(range(len(density))),
                "matmodel": "LinearElasticIsotropic",
                "material_properties": {
                    "bulk_modulus": (modulus / (3 * (1 - 2 * 0.3))).tolist(),
                    "shear_modulus": (modulus / (2 * (1 + 0.3))).tolist(),
                },
            }
        ],
        "FE_type": "HEX8",
        "method": "cg",
        "error_parameters": {"measure": "L2", "type": "relative", "tolerance": residual},
        "n_it": STEPS,
        "macroscale_loading": [[row] for row in np.eye(6).tolist()],
        "results_prefix": "",
        "results": ["stress_average"],
    }
    path = folder / "input.json"
    path.write_text(json.dumps(settings))
    return path


def read_stiffness(path: Path) -> np.ndarray:
    """Stiffness (6, 6) from the six stress averages in FANS's file of results."""
    import h5py

    with h5py.File(path) as file:
        cases = file[f"{DATASET}_results"]
        stress = np.stack([cases[f"load{i}/time_step0/stress_average"][()] for i in range(6)], axis=1)
    return (stress / np.outer(MANDEL, MANDEL))[np.ix_(ORDER, ORDER)]


def read_log(text: str) -> tuple[float, int]:
    """Seconds of all solves, and the steps of the slowest, from what FANS prints."""
    seconds = [float(value) for value in re.findall(r"# Total Time \.+\s+([\d.]+) sec", text)]
    solves = text.split("# Start FANS")[1:]
    return sum(seconds), max(len(re.findall(r"^it +\d+ ", solve, re.MULTILINE)) for solve in solves)


def _version(executable: str) -> str:
    return subprocess.run([executable, "--version"], capture_output=True, text=True).stdout.split()[-1]


def fans(problem: Problem, tolerance: float, exact: np.ndarray) -> Outcome:
    """Six loads on the whole cell."""
    executable = shutil.which("FANS")
    if executable is None:
        raise NotInstalledError("FANS is not on the PATH")
    launcher = shutil.which("mpiexec")
    ranks = min(len(os.sched_getaffinity(0)), problem.size // 4) if launcher else 1
    command = [launcher, "-n", str(ranks), executable] if launcher else [executable]
    setups = []

    def solve(residual: float) -> Attempt:
        with tempfile.TemporaryDirectory() as name:
            path, output = write_input(problem, Path(name), residual), Path(name) / "output.h5"
            began = time.perf_counter()
            done = subprocess.run([*command, path, output], capture_output=True, text=True)
            elapsed = time.perf_counter() - began
            if done.returncode:
                raise RuntimeError(f"FANS ended with {done.returncode}: {done.stderr.strip()[-200:]}")
            seconds, steps = read_log(done.stdout)
            setups.append(elapsed - seconds)
            return Attempt(read_stiffness(output), seconds, steps)

    residual, best = loosest(solve, tolerance, exact)
    notes = f"float64, FANS {_version(executable)}, FFT, {ranks} ranks, relative residual {residual:g}"
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024 * ranks
    return Outcome(best.stiffness, min(setups), best.seconds, None, best.steps, notes, peak)
