"""Kill generate, perturb and select at random moments, twenty times each, and look whether anything is lost or doubled.

    python experiments/dataset/kill.py

Octants of 8³ voxels; each command runs in two processes and is started again after every kill. Writes `kills.json`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import jaxmeta as jm

HERE = Path(__file__).parent
KILLS = 20
DESIGNS = ["--count", "300", "--side", "8", "--frequencies", "1", "--isotropic", "0", "--processes", "2"]
CHILDREN = ["--count", "1500", "--amplitude", "2", "6", "--rounds", "2", "--processes", "2"]


def command(folder: Path, words: list[str]) -> subprocess.Popen:
    program = [Path(sys.executable).with_name("jaxmeta"), "dataset", *words]
    return subprocess.Popen(
        program, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def killed(folder: Path, words: list[str], output: str, longest: float, random: np.random.Generator) -> dict:
    """Kill the command, with all its processes, `KILLS` times while it works; then let it end."""
    kills, early = 0, 0
    while kills < KILLS:
        running = command(folder, words)
        time.sleep(random.uniform(0, longest))
        if running.poll() is not None:  # it was quicker: begin anew
            early += 1
            (folder / output).unlink(missing_ok=True)
            continue
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        kills += 1
    last = command(folder, words)
    if (folder / output).exists():
        raise RuntimeError("The output exists, though no command ended.")
    return {"kills": kills, "ended before the kill": early, "exit code at the end": last.wait()}


def main() -> None:
    random, results = np.random.default_rng(0), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for name, words, output, longest in (
            ("generate", ["generate", "designs.h5", *DESIGNS], "designs.h5", 20.0),
            ("perturb", ["perturb", "designs.h5", "children.h5", *CHILDREN], "children.h5", 15.0),
            ("select", ["select", "children.h5", "library.h5"], "library.h5", 6.0),
        ):
            results[name] = killed(folder, words, output, longest, random)
            plain = folder / "plain" / output
            plain.parent.mkdir(exist_ok=True)
            again = [
                str(plain) if word == output else str(folder / word) if word.endswith(".h5") else word for word in words
            ]
            command(folder, again).wait()
            found, expected = jm.dataset.load(folder / output), jm.dataset.load(plain)
            results[name] |= {
                "records": len(found),
                "as of a run that was not killed": bool(
                    np.array_equal(found.column("checksum"), expected.column("checksum")) and found.intact().all()
                ),
                "identities given twice": len(found) - len(np.unique(found.column("identity"))),
                "unfinished files left": len(list(folder.glob("**/.*.tmp"))),
            }
            print(name, results[name], flush=True)
    (HERE / "kills.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
