"""Seconds of single calls: commands from the shell, each a second time, and a first solve.

    python benchmarks/calls.py [REPEATS]

The cell is a binary gyroid of 64³ voxels, of six loads, and a cubic P surface of 64³; float64. "No program" is a first
call with empty folders of compiled programs and kernels: a clamped block of 40³ voxels of cubic stiffness under a load
at its end.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from problems import PROBLEMS
from run import HERE, hardware
from shell import PROGRAM

BLOCK = """
import time
import jax, numpy as np, jaxmeta as jm
from jax import numpy as jnp
began = time.perf_counter()
a, b, c = np.random.default_rng(0).uniform(0.5, 1.5, (3, 40, 40, 40)).astype(np.float32)
field = jm.fem.CubicField(jnp.asarray(2 * a + b), jnp.asarray(b), jnp.asarray(c))
held, loads = np.zeros((41, 41, 41, 3), bool), np.zeros((41, 41, 41, 3), np.float32)
held[0], loads[-1, :, :, 2] = True, 1 / 41**2
jax.block_until_ready(jm.fem.solve(field, held, jnp.asarray(loads)))
print(time.perf_counter() - began)
"""


def seconds(words: list[str], folder: Path, code: int, cache: Path) -> dict[str, float]:
    """Of a command that ends with a code; of a program that prints its own, those."""
    load, began = os.getloadavg()[0], time.perf_counter()
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    done = subprocess.run([sys.executable, "-c", *words], capture_output=True, text=True, cwd=folder, env=environment)
    taken = time.perf_counter() - began
    if done.returncode != code:
        raise RuntimeError(f"{words[1:]} ended with {done.returncode}: {done.stderr}")
    return {"seconds": float(done.stdout) if words[0] == BLOCK else taken, "load": load}


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    calls = {
        "import jax": (["import jax"], 0),
        "64³, general": ([PROGRAM, "homogenize", "general.npy", "--json"], 0),
        "64³, cubic": ([PROGRAM, "homogenize", "cubic.npy", "--json"], 0),
        "64³, general, with pictures": ([PROGRAM, "homogenize", "general.npy", "--output", "out", "--overwrite"], 0),
        "an argument that is wrong": ([PROGRAM, "homogenize", "general.npy", "--void", "-1"], 2),
        "a file that is missing": ([PROGRAM, "homogenize", "missing.npy"], 2),
        "block of cubic stiffness, no program": ([BLOCK], 0),
    }
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        np.save(folder / "general.npy", PROBLEMS["gyroid_64"].field(64))
        x, y, z = np.meshgrid(*[2 * np.pi * (np.arange(64) + 0.5) / 64] * 3, indexing="ij")
        np.save(folder / "cubic.npy", (np.cos(x) + np.cos(y) + np.cos(z) > 0.3).astype(float))
        for name, (words, code) in calls.items():
            kept = name != "block of cubic stiffness, no program"
            if kept:
                seconds(words, folder, code, folder / "cache")
            caches = [folder / ("cache" if kept else f"empty-{number}") for number in range(repeats)]
            found = [seconds(words, folder, code, cache) for cache in caches]
            row = {"call": name, "repeats": repeats}
            rows.append(row | {key: statistics.median([one[key] for one in found]) for key in found[0]})
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    text = json.dumps({"hardware": hardware(), "rows": rows}, indent=1, ensure_ascii=False)
    (HERE / "results" / "calls.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
