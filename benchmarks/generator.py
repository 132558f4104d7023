"""Seconds and memory of the generator: samples, fits, training, and `jaxmeta generate` from the shell.

    python benchmarks/generator.py [CASE ...]

Every case has a process of its own. Samples: batches of 16 with the network that ships, in 16 steps, the median of
three calls after the first; guided ones by 40 solver steps for a pair of loads. Fit: a cell of the library to another
one's stiffness, 2 % away. Training: twenty steps after the first of the network that ships. From the shell: four cells
of a Young's modulus of 0.1 and a Poisson's ratio of 0.2, with pictures and reports, the second call; "first" is when
the first cell is in its folder. Writes `results/generator.json`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from run import HERE, hardware
from shell import PROGRAM

BATCH = 16
WANTED = {"c11": 0.2, "c12": 0.05, "c44": 0.06, "volume_fraction": 0.4}
TARGET = ["--target-young", "0.1", "--target-poisson", "0.2"]


def _timed(call: Callable[[], object], repeats: int = 3) -> dict[str, float]:
    """The first call, and the median of some more."""
    import jax

    taken = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        jax.block_until_ready(call())
        taken.append(time.perf_counter() - began)
    return {"first": taken[0], "seconds": sorted(taken[1:])[repeats // 2]}


def samples(resolution: int, guided: bool) -> dict[str, float]:
    """Of one cell of a batch."""
    import jax

    import jaxmeta as jm

    model, asked = jm.diffusion.load(), jm.diffusion.conditions(**WANTED)
    guidance = jm.diffusion.FiniteElements(asked.values[:3], asked.values[3]) if guided else None

    @jax.jit
    def draw(keys: jax.Array) -> jax.Array:
        return jax.vmap(lambda key: jm.diffusion.sample(model, asked, key, 16, guidance, resolution))(keys)

    keys = jax.random.split(jax.random.key(0), BATCH)
    row = _timed(lambda: draw(keys))
    return row | {"seconds": row["seconds"] / BATCH}


def fit() -> dict[str, float]:
    """A fit of two cells of the library, one to the other's C."""
    import jaxmeta as jm

    library = jm.dataset.load()
    wanted = 1.02 * library[7526].stiffness
    return _timed(lambda: jm.fit_stiffness(library[7526].octant, wanted).cell)


def train() -> dict[str, float]:
    """A step of training."""
    import jaxmeta as jm
    from jaxmeta.diffusion import PRESETS, Examples, Schedule, Training, training

    library = jm.dataset.load().split("training")
    examples = Examples.of(library.octants(np.arange(len(library))), library.constants, library.volume_fraction)
    network, settings = PRESETS["small"], Training()
    state = [training.init(network, settings)]

    def steps(count: int) -> None:
        for _ in range(count):
            state[0], loss = training.step(network, settings, Schedule(), examples, state[0])
            loss.block_until_ready()

    began = time.perf_counter()
    steps(1)
    first = time.perf_counter() - began
    began = time.perf_counter()
    steps(20)
    return {"first": first, "seconds": (time.perf_counter() - began) / 20}


CASES = {
    "sample, 64³": lambda: samples(64, False),
    "sample, 128³": lambda: samples(128, False),
    "guided sample, 64³": lambda: samples(64, True),
    "fit, 64³": fit,
    "step of training": train,
}
SHELL = {
    "four cells, 64³": ["generate", *TARGET],
    "four cells, 128³": ["generate", *TARGET, "--resolution", "128"],
    "four cells from the model, 64³": ["generate", *TARGET, "--source", "model"],
}


def apart(name: str) -> dict[str, float]:
    """A case in a process of its own, with the most memory that it held."""
    load = os.getloadavg()[0]
    done = subprocess.run([sys.executable, __file__, "--case", name], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]) | {"load": load}


def shell(words: list[str]) -> dict[str, float]:
    """A command's second call: until the first cell is written, and all of it."""
    with tempfile.TemporaryDirectory() as place:
        environment = os.environ | {"XDG_CACHE_HOME": str(Path(place) / "cache")}
        for number in range(2):
            folder, load = Path(place) / f"out-{number}", os.getloadavg()[0]
            command = [sys.executable, "-c", PROGRAM, *words, "--output", str(folder), "--json"]
            began, first = time.perf_counter(), None
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            while process.poll() is None:
                if first is None and (folder / "cell-1" / "cell.stl").exists():
                    first = time.perf_counter() - began
                time.sleep(0.02)
                if first is not None:
                    break
            answer, _ = process.communicate()
            seconds = time.perf_counter() - began
        cells = json.loads(answer)["cells"]
        worst = max(cell["error"] for cell in cells)
        return {"first": first, "seconds": seconds, "cells": len(cells), "error": worst, "load": load}


def main() -> None:
    if sys.argv[1:2] == ["--case"]:
        row = CASES[sys.argv[2]]()
        print(json.dumps(row | {"gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}))
        return
    path = HERE / "results" / "generator.json"
    rows = json.loads(path.read_text("utf-8"))["rows"] if path.exists() else {}
    for name in sys.argv[1:] or [*CASES, *SHELL]:
        rows[name] = apart(name) if name in CASES else shell(SHELL[name])
        print(name, rows[name], flush=True)
        text = json.dumps({"hardware": hardware(), "rows": rows}, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
