"""Kill generate, perturb and select at random moments, twenty times each, and look whether anything is lost or doubled.

    python experiments/dataset/kill.py

A command is done once without a kill. Then it is begun anew, killed, and started again with what is left, until twenty
kills are done and a last start ends by itself; its records must be those of the run without a kill. Of every four kills
one waits until a file is being written, and one takes the parent alone, so that its workers are still at their tasks
when the command is started again. The moments are drawn so that twenty of them reach from the start to the end of the
work. Where a library is there after all, it is compared, taken away, and the work begun anew.

generate and perturb make octants of 8³ voxels in two processes; select reads the library that comes with the package.
Writes `kills.json` and the table of the README.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import readme

import jaxmeta as jm
from jaxmeta.dataset import _library

HERE = Path(__file__).parent
KILLS = 20
BEAT = 0.02
"""Seconds; time is counted in these, so that it stands still where this process and its commands are stopped."""
DESIGNS = ("--count", "150", "--side", "8", "--frequencies", "1", "--isotropic", "0", "--processes", "2")
CHILDREN = ("--count", "750", "--amplitude", "2", "6", "--rounds", "2", "--processes", "2")


@dataclass(frozen=True)
class Job:
    """A command that writes into a folder of its own."""

    words: tuple[str, ...]
    path: Path

    def start(self) -> subprocess.Popen:
        """Start it as the leader of a group of processes, in the session of this one, whose priority it shares."""
        program = [Path(sys.executable).with_name("jaxmeta"), "dataset", *self.words, self.path]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(program, process_group=0, **quiet)

    def done(self) -> int:
        """Tasks that are done."""
        return sum(1 for _ in self.path.parent.glob(f"{self.path.name}.run/**/parts/[0-9]*.h5"))

    def unfinished(self) -> set[str]:
        """Files that are being written, or never will be whole."""
        return {path.name for path in self.path.parent.glob("**/.*.tmp")}


def plain(job: Job) -> tuple[float, float]:
    """Seconds of a run that is not killed, to its first task and to its end."""
    first = beats = 0
    running = job.start()
    while running.poll() is None:
        time.sleep(BEAT)
        beats += 1
        if not first and job.done():
            first = beats
    _succeeded(running)
    return first * BEAT, beats * BEAT


def compare(path: Path, expected: Path) -> Counter[str]:
    """How a library differs from the one that it should be."""
    found, wanted = jm.dataset.load(path), jm.dataset.load(expected)
    here, there = (
        dict(zip(library.column("identity").tolist(), library.column("checksum").tolist(), strict=True))
        for library in (found, wanted)
    )
    same = np.array_equal(found.column("identity"), wanted.column("identity"))
    return Counter(
        lost=len(there.keys() - here.keys()),
        added=len(here.keys() - there.keys()),
        doubled=len(found) - len(here),
        altered=sum(here[i] != there[i] for i in here.keys() & there.keys()),
        damaged=int((~found.intact()).sum()),
        reordered=int(not same),
    )


def latest(job: Job, first: float, seconds: float) -> float:
    """The latest moment of a kill. A command with tasks goes on with what is left: with moments uniform up to the
    latest one L, and no work before `first`, a start does (L − first)²/(2 L) of it on average. That is to be a little
    more than its share of all, so that the kills reach its end."""
    if not first:
        return seconds
    share = first + 1.2 * (seconds - first) / KILLS
    return share + (share**2 - first**2) ** 0.5


def killed(job: Job, expected: Path, longest: float, random: np.random.Generator) -> dict:
    """Kill a command again and again, then let it end."""
    kills, groups, differences, ended = [], [], Counter(), 0
    while len(kills) < KILLS:
        moment, writing, alone = random.uniform(0, longest), len(kills) % 4 == 1, len(kills) % 4 == 3
        before, beats = job.unfinished(), 0
        running = job.start()
        groups.append(running.pid)
        while running.poll() is None and beats * BEAT < moment:
            time.sleep(BEAT)
            beats += 1
        while writing and running.poll() is None and not job.unfinished() - before:
            pass
        if running.poll() is None:
            (os.kill if alone else os.killpg)(running.pid, signal.SIGKILL)
        if running.wait() == -signal.SIGKILL:
            kill = {
                "process": "parent" if alone else "all",
                "not before second": round(moment, 1),
                "tasks done": job.done(),
            }
            kills.append(kill | {"files half written": len(job.unfinished() - before)})
            print(kills[-1], flush=True)
        else:
            _succeeded(running)
            ended += 1
        if job.path.exists():
            _wait(groups)
            differences += compare(job.path, expected)
            shutil.rmtree(job.path.parent)
            job.path.parent.mkdir()
    _succeeded(job.start())
    _wait(groups)
    differences += compare(job.path, expected)
    return {
        "kills": kills,
        "ended before a kill": ended,
        "records": len(jm.dataset.load(job.path)),
        "differences": {name: differences[name] for name in compare(expected, expected)},
        "half-written files left": len(job.unfinished()),
    }


def _succeeded(running: subprocess.Popen) -> None:
    if running.wait():
        raise RuntimeError(f"{running.args} ended with code {running.returncode}.")


def _wait(groups: list[int]) -> None:
    """Until no process of these groups is left: a worker ends after the task at which its parent was killed."""
    limit = time.perf_counter() + 1200
    while groups:
        try:
            os.killpg(groups[-1], 0)
        except ProcessLookupError:
            groups.pop()
        else:
            if time.perf_counter() > limit:
                raise RuntimeError("A worker outlived its parent.")
            time.sleep(0.05)


def tables(results: dict) -> None:
    """Put what was done and found into the README."""
    lines = [
        "| | kills, of them while a file was half written | tasks done at the kills | ended before a kill | records | "
        "lost, doubled, altered | half-written files left |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in results.items():
        kills, wrong = found["kills"], found["differences"]
        done = ", ".join(str(kill["tasks done"]) for kill in kills) + f" of {found['tasks']}" if found["tasks"] else "–"
        half = sum(kill["files half written"] > 0 for kill in kills)
        worst = ", ".join(str(wrong[kind]) for kind in ("lost", "doubled", "altered"))
        cells = f"{len(kills)}, {half}", done, found["ended before a kill"], found["records"], worst
        cells += (found["half-written files left"],)
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    readme.put(kills="\n".join([*lines, ""]))


def main() -> None:
    random, results = np.random.default_rng(0), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plain").mkdir()
        (folder / "killed").mkdir()
        for *words, output in (
            ("generate", *DESIGNS, "designs.h5"),
            ("perturb", folder / "plain" / "designs.h5", *CHILDREN, "children.h5"),
            ("select", _library.SHIPPED, "library.h5"),
        ):
            without = Job(tuple(map(str, words)), folder / "plain" / output)
            job = Job(without.words, folder / "killed" / output)
            first, seconds = plain(without)
            longest, tasks = latest(job, first, seconds), without.done()
            print(f"{words[0]}: {tasks} tasks, {first:.1f} s to the first, {seconds:.1f} s", flush=True)
            times = {"to its first task": round(first, 1), "to its end": round(seconds, 1)}
            results[words[0]] = {"tasks": tasks, "seconds of a run without a kill": times}
            results[words[0]] |= killed(job, without.path, longest, random)
    (HERE / "kills.json").write_text(json.dumps(results, indent=1) + "\n")
    tables(results)


if __name__ == "__main__":
    main()
