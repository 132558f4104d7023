"""The commands that make a library: tasks spread over processes, and one file at the end."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..io._errors import FileError, file_error
from . import _file, _generate, _perturb, _records, _select
from ._run import Run, joined, read_columns

Report = Callable[[str, int, int], None]
"""Called now and then as report(what, tasks done, tasks)."""
LICENCE = "CC BY 4.0"


def generate(output: Path, g: _generate.Generation, *, processes: int = 1, report: Report | None = None) -> int:
    """Optimised cells, by objective, volume fraction and start.

    What is done is kept in a folder beside the output, OUTPUT.run, by any number of processes on any number of machines
    that see it; the same call goes on with what is left. Each process works on its own tasks.

    Args:
        output: file of the library, made when all is done.
        g: what to generate.
        processes: started here.
        report: called with the progress.

    Returns:
        The number of records.

    Raises:
        FileError: the output exists, or the folder holds a run with other settings.
    """
    attributes = _attributes(g.side, {"generate": g.settings()})
    run = Run(_folder(output), g.settings(), g.tasks)
    _work(run, partial(_generate.task, g), attributes, processes, "optimised cells", report)
    return _finish(output, run.columns(), attributes)


def perturb(
    source: Path,
    output: Path,
    p: _perturb.Perturbation,
    *,
    rounds: int = 1,
    processes: int = 1,
    report: Report | None = None,
) -> int:
    """A library and children of its cells, deformed at random, round after round.

    Parents are drawn with one over the number of records in their box of property space, anew in every round.

    Args:
        source: file of a library.
        output: file of the library with the children, made when all is done; the run is kept beside it.
        p: what a round is given.
        rounds: number of rounds.
        processes: started here.
        report: called with the progress.

    Returns:
        The number of records.

    Raises:
        FileError: the source is damaged, the output exists, or the folder holds a run with other settings.
    """
    columns, attributes = read_columns(source), _read_attributes(source)
    side = int(attributes["side"])
    for number in range(rounds):
        generation = int(columns["round"].max()) + 1
        settings = {**p.settings(generation), "source": source.name, "records": len(columns["identity"])}
        run = Run(_folder(output) / f"round-{number + 1}", settings, p.tasks)
        chosen = _perturb.parents(p, columns, generation)
        make = partial(_perturb.task, p, columns, side, chosen, generation)
        _work(run, make, attributes, processes, f"children, round {number + 1} of {rounds}", report)
        columns = joined([columns, run.columns()])
    settings = json.loads(attributes["settings"]) | {"perturb": {**p.settings(0), "rounds": rounds}}
    return _finish(output, columns, _attributes(side, settings))


def select(source: Path, output: Path, *, count: int, overlap: float = 0.95, seed: int = 0) -> int:
    """An even subset of a library, without near-duplicates, with a split by families.

    Args:
        source: file of a library.
        output: file of the subset.
        count: records, or all that are distinct where there are fewer.
        overlap: two cells whose solid (or void, above a volume fraction of a half) overlaps by more are duplicates.
        seed: of the order within a box of property space.

    Returns:
        The number of records.

    Raises:
        FileError: the source is damaged or the output exists.
    """
    if not 0 < overlap <= 1:
        raise ValueError(f"Argument `overlap` must lie in (0, 1], but is {overlap}.")
    if count < 1:
        raise ValueError(f"Argument `count` must be at least 1, but is {count}.")
    columns, attributes = read_columns(source), _read_attributes(source)
    side = int(attributes["side"])
    keep = _select.distinct(columns, side, overlap)
    columns = {name: values[keep] for name, values in columns.items()}
    rows = _select.even(columns, count, seed)
    columns = {name: values[rows] for name, values in columns.items()}
    columns["split"] = _select.splits(columns["family"]).astype("i1")
    chosen = {"select": {"source": source.name, "count": count, "overlap": overlap, "seed": seed}}
    return _finish(output, columns, _attributes(side, json.loads(attributes["settings"]) | chosen))


def _folder(output: Path) -> Path:
    if output.exists():
        raise file_error(output, "writing", "a new file name", "the file exists already")
    return output.with_name(output.name + ".run")


def _attributes(side: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "side": side,
        "young": _records.YOUNG,
        "poisson": _records.POISSON,
        "void": _records.VOID,
        "settings": json.dumps(settings),
        "version": version("jaxmeta"),
        "licence": LICENCE,
    }


def _read_attributes(path: Path) -> dict[str, Any]:
    with _file.open_file(path, damaged=False) as file:
        return dict(file.attrs)


def _finish(output: Path, columns: _file.Columns, attributes: Mapping[str, Any]) -> int:
    if not columns or not len(columns["identity"]):
        raise FileError(f"File `{output}`, writing: expected at least one cell that holds together, but there is none.")
    _file.write(output, columns, attributes, overwrite=False)
    return len(columns["identity"])


def _work(
    run: Run,
    make: Callable[[int], Mapping[str, np.ndarray]],
    attributes: Mapping[str, Any],
    processes: int,
    what: str,
    report: Report | None,
) -> None:
    def tell() -> None:
        if report is not None:
            report(what, run.tasks - len(run.remaining()), run.tasks)

    tell()
    if processes == 1:
        for _ in run.work(make, attributes):
            tell()
        while run.remaining():  # another process is at these
            time.sleep(1)
            tell()
            list(run.work(make, attributes))
        return
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_worker, args=(run, make, attributes), daemon=True) for _ in range(processes)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        time.sleep(1)
        tell()
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    if failed:
        raise RuntimeError(f"A process ended with code {failed[0]}; call again to go on with what is left.")


def _worker(run: Run, make: Callable[[int], Mapping[str, np.ndarray]], attributes: Mapping[str, Any]) -> None:
    for _ in run.work(make, attributes):
        pass
