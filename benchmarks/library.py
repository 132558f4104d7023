"""How many records of a library are made in a second.

    python benchmarks/library.py

Two processes of one thread each. The first tasks, in which most programs are compiled, are not counted. Writes
`results/library_cpu.json`.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jaxmeta as jm

HERE = Path(__file__).parent
PROCESSES = 2


def rate(make: Callable[[Callable[[str, int, int], None]], int], each: int, begin: int) -> dict:
    """Cells tried in a second, between the moments at which `begin` tasks and all tasks were done.

    Args:
        make: makes a library, with the report to call, and returns the number of its new records.
        each: cells tried in a task.
        begin: tasks that are not counted, in which programs are compiled.
    """
    moments: dict[int, float] = {}

    def report(_: str, done: int, tasks: int) -> None:
        moments.setdefault(done, time.perf_counter())

    made = make(report)
    first, last = min(done for done in moments if done >= begin), max(moments)
    if first == last:
        raise ValueError(f"All tasks were done at once after task {begin}: take more of them.")
    timed = each * (last - first)
    seconds = moments[last] - moments[first]
    return {"tried": each * last, "records": made, "timed": timed, "per_second": timed / seconds}


def measure(folder: Path, side: int, designs: int, children: int, finer: int) -> dict:
    """Rates at one resolution: optimised, deformed, and made of cells of half the resolution."""
    workers = jm.runs.Workers(PROCESSES)
    first, second, third = (folder / f"{name}-{side}.h5" for name in ("designs", "children", "finer"))
    found = {
        "optimised": rate(
            lambda report: jm.dataset.generate(
                first, jm.dataset.Generation(designs, seed=1, side=side), workers=workers, report=report
            ),
            1,
            designs // 2,
        ),
        "deformed": rate(
            lambda report: (
                jm.dataset.perturb(first, second, jm.dataset.Perturbation(children), workers=workers, report=report)
                - len(jm.dataset.load(first))
            ),
            25,
            2,
        ),
    }
    if finer:
        found["refined"] = rate(
            lambda report: jm.dataset.refine(
                jm.dataset._library.SHIPPED, third, jm.dataset.Refinement(finer), workers=workers, report=report
            ),
            1,
            finer // 5,
        )
    return found


def main() -> None:
    from run import hardware  # not at the top, which every process reads

    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", tempfile.mkdtemp(prefix="jaxmeta-benchmark-"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    results: dict = {
        "hardware": {**hardware(), "jaxmeta": version("jaxmeta")},
        "processes": PROCESSES,
    }
    with tempfile.TemporaryDirectory() as name:
        results["64^3"] = measure(Path(name), 32, 100, 400, 0)
        results["128^3"] = measure(Path(name), 64, 30, 400, 50)
    (HERE / "results" / "library_cpu.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
