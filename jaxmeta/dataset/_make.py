"""The commands that make a library: tasks done by any number of processes, and one file at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..io import FileError, file_error
from ..runs import Report, Run, Workers, digest
from . import _file, _generate, _overlap, _perturb, _records, _refine, _select
from ._settings import Generation, Perturbation, Refinement, Selection

LICENCE = "CC BY 4.0"
_SUFFIX = ".h5"
AnyPath = str | os.PathLike[str]


def generate(
    output: AnyPath, generation: Generation, *, workers: Workers | None = None, report: Report | None = None
) -> int:
    """Make a library of optimised cells.

    Each cell is optimised from a trigonometric start for bulk modulus, shear modulus or Poisson's ratio, on an octant
    of half the resolution first. What is done is kept in a folder beside the output, OUTPUT.run; the same call goes on
    with what is left, and any number of processes on any number of machines that see the folder share the work.

    Args:
        output: file of the library, made when all is done.
        generation: what to generate.
        workers: who does it; this process if None.
        report: called with the progress.

    Returns:
        The number of records; designs that stay grey or fall apart have none.

    Raises:
        FileError: the output exists, or the folder holds a run with other settings.

    Example:
        >>> import jaxmeta as jm
        >>> jm.dataset.generate("designs.h5", jm.dataset.Generation(count=1, side=8, isotropic=0.0))
        1
    """
    output = Path(output)
    _new(output)
    attributes = _attributes(generation.side, {"generate": generation.settings()})
    tasks = _generate.tasks(generation)
    run = _run(run_folder(output), generation.settings(), len(tasks), attributes)
    make = partial(_generate.task, generation, tasks)
    (workers or Workers()).work(run, make, "optimised cells", report)
    columns = joined(run.parts())
    order = np.argsort(columns["identity"]) if columns else ()
    return _finish(output, {name: values[order] for name, values in columns.items()}, attributes)


def perturb(
    source: AnyPath,
    output: AnyPath,
    perturbation: Perturbation,
    *,
    workers: Workers | None = None,
    report: Report | None = None,
) -> int:
    """Make a library of the cells of another one and their children, deformed at random, round after round.

    Parents are drawn with one over the number of records in their box of property space, anew in every round, so that
    regions where records are rare become denser. The run is kept and shared as that of `generate`.

    Args:
        source: file of a library.
        output: file of the library with the children, made when all is done.
        perturbation: how to deform, and how many.
        workers: who does it; this process if None.
        report: called with the progress.

    Returns:
        The number of records.

    Raises:
        FileError: the source is damaged, the output exists, or the folder holds a run with other settings.
    """
    source, output, p = Path(source), Path(output), perturbation
    columns, attributes = _file.read_columns(source), _read_attributes(source)
    side, folder = int(attributes["side"]), run_folder(output)
    _new(output)
    for number in range(p.rounds):
        generation = int(columns["round"].max()) + 1
        settings = {**p.settings(), "round": generation, "source": digest(columns)}
        del settings["rounds"]  # there may be more of them the next time
        chosen = _perturb.parents(p, columns, generation)
        run = _run(folder / f"round-{number + 1}", settings, _perturb.tasks(p), attributes)
        make = partial(_perturb.task, p, columns, side, chosen, generation)
        what = f"children, round {number + 1} of {p.rounds}"
        (workers or Workers()).work(run, make, what, report)
        columns = joined([columns, *run.parts()])
    return _finish(output, columns, _derived(attributes, {"perturb": p.settings()}))


def select(source: AnyPath, output: AnyPath, selection: Selection = Selection()) -> int:
    """Make a library of the cells of another one without near-duplicates, in even order, split by families.

    The records come in such an order that the first k, for any k, lie evenly in property space: one from every slice of
    volume fraction in turn, and in a slice one from every box of Poisson's ratio and bulk modulus over its bound in
    turn. Optimised cells and their children are all in the same part, training, validation or test.

    Args:
        source: file of a library.
        output: file of the new one.
        selection: how many, and what counts as a near-duplicate.

    Returns:
        The number of records.

    Raises:
        FileError: the source is damaged or the output exists.
    """
    source, output, s = Path(source), Path(output), selection
    columns, attributes = _file.read_columns(source), _read_attributes(source)
    _new(output)
    keep = _overlap.distinct(columns, int(attributes["side"]), s.overlap)
    columns = {name: values[keep] for name, values in columns.items()}
    rows = _select.even(columns, s.seed)[: s.count]
    columns = {name: values[rows] for name, values in columns.items()}
    columns["split"] = _select.splits(columns["family"]).astype("i1")
    return _finish(output, columns, _derived(attributes, {"select": {"overlap": s.overlap, "seed": s.seed}}))


def refine(
    source: AnyPath,
    output: AnyPath,
    refinement: Refinement,
    *,
    workers: Workers | None = None,
    report: Report | None = None,
) -> int:
    """Make a library of twice the resolution: every voxel is split in eight, and the surface smoothed.

    Optimised cells take a few steps of their optimisation on the finer grid; children, which have no objective of
    their own, are blurred and cut at their volume. All are labelled anew. The run is kept and shared as that of
    `generate`.

    Args:
        source: file of a library.
        output: file of the finer one, made when all is done.
        refinement: what to refine.
        workers: who does it; this process if None.
        report: called with the progress.

    Returns:
        The number of records.

    Raises:
        FileError: the source is damaged, the output exists, or the folder holds a run with other settings.
    """
    source, output, r = Path(source), Path(output), refinement
    columns, attributes = _file.read_columns(source), _read_attributes(source)
    side = int(attributes["side"])
    _new(output)
    columns = {name: values[: r.count] for name, values in columns.items()}
    settings = {**r.settings(), "source": digest(columns)}
    fine = _derived(attributes, {"refine": r.settings()}) | {"side": 2 * side}
    run = _run(run_folder(output), settings, len(columns["identity"]), fine)
    (workers or Workers()).work(run, partial(_refine.task, r, columns, side), "finer cells", report)
    return _finish(output, joined(run.parts()), fine)


def run_folder(output: AnyPath) -> Path:
    """The folder of the run that makes a library."""
    return Path(f"{os.fspath(output)}.run")


def finished(output: AnyPath) -> list[Path]:
    """Files of the records that are done, of all rounds, in the run that makes a library."""
    return sorted(run_folder(output).glob(f"**/parts/[0-9]*{_SUFFIX}"))


def joined(parts: Sequence[Mapping[str, np.ndarray]]) -> _file.Columns:
    """Rows of several sets of columns, one set after the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _run(folder: Path, settings: Mapping[str, Any], tasks: int, attributes: Mapping[str, Any]) -> Run:
    """A run whose parts are small libraries."""
    write = partial(_file.write, attributes=attributes, overwrite=False)
    return Run(folder, settings, tasks, write, _file.read_columns, _SUFFIX)


def _new(output: Path) -> None:
    if output.exists():
        raise file_error(output, "writing", "a new file name", "the file exists already")


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


def _derived(attributes: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a library that was made from another one."""
    return _attributes(int(attributes["side"]), json.loads(attributes["settings"]) | settings)


def _read_attributes(path: Path) -> dict[str, Any]:
    with _file.open_file(path, damaged=False) as file:
        return dict(file.attrs)


def _finish(output: Path, columns: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> int:
    if not columns or not len(columns["identity"]):
        raise FileError(f"File `{output}`, writing: expected at least one cell that holds together, but there is none.")
    _file.write(output, columns, attributes, overwrite=False)
    return len(columns["identity"])
