"""Generators put to the test: the same targets for all, results kept target by target, numbers for a table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Bool, Float

from .._numbers import refused
from ..dataset import Library
from ..io import write_arrays
from ..runs import Run, digest
from ._measures import Measures, held_out_similarity, measure, most_similar
from ._settings import WAYS, Comparison, of_model
from ._targets import KINDS, Targets
from ._ways import Bench, Made

if TYPE_CHECKING:
    from ..diffusion import Model

Part = dict[str, Made]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` returns.

    Args:
        targets: what was wanted, n of them.
        settings: how cells were made.
        training: the cells that novelty is measured against.
        test: cells that novelty is compared with.
        made: for each way, `Made` with a leading axis of targets.
    """

    targets: Targets
    settings: Comparison
    training: Library
    test: Library
    made: Mapping[str, Made]

    @cached_property
    def measures(self) -> dict[str, Measures]:
        """Errors, diversity and novelty of every way; takes a look at all training cells."""
        shape = len(self.targets.constants), len(self.made), self.settings.count
        octants = np.stack([made.octants for made in self.made.values()], axis=1)
        nearest, number = most_similar(octants.reshape(-1, *octants.shape[3:]), self.training)
        theirs = self.training.constants[number].reshape(*shape, 3)
        return {
            way: measure(
                self.targets.constants,
                self.targets.volume_fraction,
                made.octants,
                made.constants,
                nearest.reshape(shape)[:, k],
                theirs[:, k],
            )
            for k, (way, made) in enumerate(self.made.items())
        }

    @cached_property
    def held_out(self) -> Float[np.ndarray, " n"]:
        """For every target, how similar real cells of as much volume that no model saw are to training cells; nan
        without a test split."""
        return held_out_similarity(self.targets.volume_fraction, self.test, self.training)

    def rows(self) -> list[dict[str, Any]]:
        """The numbers of every way, for all targets of a kind and, where there are several kinds, for all inside."""
        kinds = {KINDS[kind]: self.targets.kind == kind for kind in np.unique(self.targets.kind)}
        inside = self.targets.kind < KINDS.index("outside")
        if len({*self.targets.kind[inside]}) > 1:
            kinds = {"inside": inside, **kinds}
        return [
            {"way": way, "targets": name}
            | _numbers(self.made[way], self.measures[way], mask, self.settings.tolerance)
            | {"held_out_similarity": float(np.median(self.held_out[mask]))}
            for way in self.made
            for name, mask in kinds.items()
        ]


def evaluate(
    library: Library,
    targets: Targets,
    ways: Sequence[str],
    settings: Comparison = Comparison(),
    *,
    model: Model | None = None,
    folder: str | Path | None = None,
    callback: Callable[[int, int, Part], None] | None = None,
) -> Evaluation:
    """Make cells for targets in several ways, and score each by an independent solve.

    Neighbours are taken from the training cells of the library, and novelty is measured against them. Cells get C and
    the volume fraction as conditions, neighbours are looked for by both; fits are asked for C alone.

    Args:
        library: of cells of a solid.
        targets: from `draw_targets`, or one's own.
        ways: names in `WAYS`.
        settings: how cells are made.
        model: for the ways "raw", "guided" and "fitted".
        folder: where finished targets are kept, one file each, so that an interrupted run goes on.
        callback: called as callback(done, of, part) with every target that is finished.

    Raises:
        ValueError: a way is unknown or has no model, or the model's or the library's cells cannot be of the resolution
            that is asked for.
        FileError: the folder cannot be written, or holds another run.

    Example:
        >>> import jaxmeta as jm
        >>> library = jm.dataset.load()
        >>> targets = jm.generation.draw_targets(library, 1)
        >>> found = jm.generation.evaluate(library, targets, ["neighbour"], jm.generation.Comparison(count=2))
        >>> made = found.made["neighbour"]
        >>> made.octants.shape, bool(made.connected.all())
        ((1, 2, 32, 32, 32), True)
        >>> bool((jm.generation.eq3_error(targets.constants[:, None], made.constants) < 0.02).all())
        True
    """
    training = library.split("training")
    _check(training, ways, settings, model)
    bench = Bench(training, model, settings)
    stated = {
        "what": "evaluation, unlike samples", "ways": list(ways), "settings": asdict(settings),
        "library": digest([np.asarray(library.column(name)) for name in ("checksum", "split")]),
        "targets": digest([np.asarray(targets.constants), np.asarray(targets.volume_fraction)]),
        "model": None if model is None else digest([np.asarray(leaf) for leaf in jax.tree.leaves(model.weights)]),
    }  # fmt: skip

    def make(number: int) -> Part:
        return {way: bench.make(way, targets, number) for way in ways}

    with tempfile.TemporaryDirectory() as other:
        count = len(targets.constants)
        run: Run[Part] = Run(Path(other if folder is None else folder), stated, count, _write, _read, ".npz")
        for number in run.finish(make):
            if callback is not None:
                callback(len(run.done()), count, run.read(run.file(number)))
        parts = run.parts()
    made = {way: Made(*map(np.stack, zip(*(part[way] for part in parts), strict=True))) for way in ways}
    return Evaluation(targets, settings, training, library.split("test"), made)


def _check(training: Library, ways: Sequence[str], settings: Comparison, model: Model | None) -> None:
    unknown = [way for way in ways if way not in WAYS]
    if not ways or unknown or len({*ways}) < len(ways):
        raise refused("ways", f"name some of {', '.join(WAYS)}, each once", f"is {' '.join(ways) or 'empty'}")
    if model is None and of_model(ways):
        raise refused("model", "be given for the ways raw, guided and fitted", "is missing")
    sides = [training.side] + ([] if model is None else [model.side])
    for side in sides:
        times, rest = divmod(settings.resolution, 2 * side)
        if rest or times not in (1, 2, 4):
            raise refused("resolution", f"be {2 * side} or {4 * side}", f"is {settings.resolution}")
    families = len({*training.column("family").tolist()})
    if any(way.startswith("neighbour") for way in ways) and families < settings.count:
        raise refused("count", f"be at most the number of families, {families}", f"is {settings.count}")


def _write(path: Path, part: Part) -> None:
    arrays: dict[str, Any] = {}
    for way, made in part.items():
        octants = np.packbits(made.octants, axis=-1)
        arrays |= {f"{way}.{name}": value for name, value in made._replace(octants=octants)._asdict().items()}
        arrays["side"] = made.octants.shape[-1]
    write_arrays(path, arrays)


def _read(path: Path) -> Part:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    side, part = int(arrays.pop("side")), {}
    for way in dict.fromkeys(name.partition(".")[0] for name in arrays):
        made = Made(*(arrays[f"{way}.{name}"] for name in Made._fields))
        octants = np.unpackbits(made.octants, axis=-1, count=side).astype(bool)
        part[way] = made._replace(octants=octants, seconds=float(made.seconds), cpu_seconds=float(made.cpu_seconds))
    return part


def _numbers(made: Made, measures: Measures, of: Bool[np.ndarray, " n"], tolerance: float) -> dict[str, Any]:
    """Of the targets of one kind."""
    plain, pairs = measures.plain[of], measures.pairs[of]
    return {
        "cells": int(plain.size),
        "failed": int(np.isnan(plain).sum()),
        "eq3": _errors(measures.eq3[of]),
        "plain": _errors(plain),
        "exact": float((plain <= tolerance).mean()),
        "exact_best": float((plain <= tolerance).any(axis=1).mean()),
        "connected": float(made.connected[of].mean()),
        "volume_error": float(measures.volume[of].mean()),
        "pair_similarity": None if np.isnan(pairs).all() else float(pairs.mean()),
        "library_similarity": float(np.median(measures.nearest[of])),
        "nearer": float(measures.nearer[of].mean()),
        "solves": float(made.solves[of].mean()),
        "solver_steps": float(made.solver_steps[of].mean()),
        "seconds": float(np.median(np.asarray(made.seconds)[of])) / plain.shape[1],
        "cpu_seconds": float(np.median(np.asarray(made.cpu_seconds)[of])) / plain.shape[1],
    }


def _errors(errors: Float[np.ndarray, "n k"]) -> dict[str, float | None]:
    """The mean of the first cell of every target, of all cells, and of the best of every target, with medians.

    A cell without stiffness is as far as can be: means leave it out, for medians and the best it counts as infinite.
    """
    far = np.where(np.isnan(errors), np.inf, errors)
    groups: dict[str, Float[np.ndarray, " some"]] = {"first": far[:, 0], "all": far.ravel(), "best": far.min(axis=1)}
    told: dict[str, float | None] = {}
    for name, values in groups.items():
        known = values[np.isfinite(values)]
        told[name] = float(known.mean()) if known.size else None
        middle = float(np.median(values))
        told[f"{name}_median"] = middle if np.isfinite(middle) else None
    return told
