"""A training as a run that lasts: checkpoints, validation, curves, and the weights at the end."""

from __future__ import annotations

import csv
import io
import json
import pathlib
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .._numbers import refused
from ..dataset import Library
from ..io import Path, write_bytes, write_json
from ..runs import Checkpoint, Report, digest
from . import training as _training
from ._examples import Examples
from ._model import Model
from ._schedule import Schedule
from ._settings import Network, Training, require_cubic
from ._weights import save

CURVE = ("step", "samples", "seconds", "loss", "validation", *(f"error_{level:g}" for level in _training.LEVELS))
"""Columns of the curve: seconds of training before it, mean loss since the last row, mean loss on cells kept back, and
mean square error at each noise level there."""


def train(
    network: Network,
    library: Library,
    settings: Training,
    folder: Path,
    *,
    start: Model | None = None,
    every: int = 500,
    save_every: float = 60.0,
    report: Report | None = None,
    check: Callable[[], None] = lambda: None,
) -> Model:
    """Train a network on the training cells of a library.

    What is done is kept in the folder: the last two states, and after every validation `curve.csv`, `curve.json` and
    the averaged weights, `weights.h5`. Called again with the same arguments, it goes on from the last state, and comes
    to the same numbers as if it had not been stopped, bit for bit on one device.

    Args:
        network: which network; its side is that of the library's octants.
        library: cells, some of them for training and some for validation.
        settings: how it is trained.
        folder: made if it is not there.
        start: a trained model of the same network, whose weights are trained further; random weights if None.
        every: steps between two validations.
        save_every: seconds between two saves.
        report: called after each step.
        check: called after each step; it may raise, and the state is saved.

    Returns:
        The model of the averaged weights.

    Raises:
        ValueError: the library has octants of another side or too few cells, the model to start from is of another
            network, the folder holds another run, or the loss is not finite any more.
    """
    parts = parts_of(library, network)
    if start is not None and start.network != network:
        raise ValueError(f"Argument `start` must be a model of {network}, but is one of {start.network}.")
    target = pathlib.Path(folder)
    stated = {
        "network": {"kind": type(network).__name__, **asdict(network)},
        "training": asdict(settings),
        "schedule": Schedule()._asdict(),
        "every": every,
        "cells": digest_of_cells(library),
    }
    if start is not None:
        stated["start"] = digest_of_weights(start)
    checkpoint = Checkpoint(target / "checkpoint", stated, every=save_every)
    try:
        state = _training.init(network, settings, None if start is None else start.weights)
        rows: list[dict[str, Any]] = []
        losses: list[float] = []
        seconds = 0.0
        state, kept = restored(checkpoint, state)
        if kept is not None:
            rows, losses, (seconds,) = kept["rows"], kept["losses"], kept["seconds"]
        examples, held = map(examples_of, parts)
        began, done = time.perf_counter() - seconds, int(state.step)

        def history() -> dict[str, list[Any]]:
            return {"rows": rows, "losses": losses, "seconds": [time.perf_counter() - began]}

        while done < settings.steps:
            state, loss = _training.step(network, settings, Schedule(), examples, state)
            losses.append(float(loss))
            done += 1
            if not np.isfinite(losses[-1]):
                found = f"the loss of step {done} is {losses[-1]}"
                raise refused("rate", "be so small that the loss stays finite", found)
            if done % every == 0 or done == settings.steps:
                notes = _notes(settings, done, time.perf_counter() - began, start)
                model = state.model(network, notes=notes)
                rows.append(_row(model, held, losses, done, settings.batch, time.perf_counter() - began))
                losses = []
                _write(target, model, rows)
            if report is not None:
                numbers = {"loss": loss} | ({"validation": rows[-1]["validation"]} if rows else {})
                report("step", done, settings.steps, **{name: float(value) for name, value in numbers.items()})
            try:
                check()
            except KeyboardInterrupt:
                checkpoint.save(state, history(), force=True)
                raise
            checkpoint.save(state, history(), force=done == settings.steps)
        return state.model(network, notes=_notes(settings, done, time.perf_counter() - began, start))
    finally:
        checkpoint.close()


def parts_of(library: Library, network: Network) -> list[Library]:
    """The cells for training and those for validation of a library that a network can be trained on.

    Raises:
        ValueError: the library has octants of another side, no cells of one of these, or the network is not of cells.
    """
    side = require_cubic("network", network).side
    if library.side != side:
        raise ValueError(f"Argument `library` must have octants of side {side}, but has {library.side}.")
    parts = [library.split("training"), library.split("validation")]
    if not all(map(len, parts)):
        raise ValueError("Argument `library` must have cells for training and for validation, but has none.")
    return parts


def digest_of_cells(library: Library) -> str:
    """Of the cells of a library and their parts."""
    return digest([np.asarray(library.column(name)) for name in ("identity", "checksum", "split")])


def digest_of_weights(model: Model) -> str:
    """Of a model's weights."""
    return digest([np.asarray(leaf) for leaf in jax.tree.leaves(model.weights)])


def restored(checkpoint: Checkpoint, state: Any) -> tuple[Any, dict[str, Any] | None]:
    """The state and the history that a checkpoint holds; the given state, and none, where it holds nothing."""
    found = checkpoint.restore(state)
    if found is None:
        return state, None
    # Restored arrays are bound to a device, for which the step would be compiled once more.
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), found[0]), found[1]


def examples_of(cells: Library) -> Examples:
    """The cells of a library as examples."""
    return Examples.of(cells.octants(np.arange(len(cells))), cells.constants, cells.volume_fraction)


def _row(model: Model, held: Examples, losses: list[float], done: int, batch: int, seconds: float) -> dict[str, Any]:
    errors = _training.validate(model, held)
    levels = np.array(_training.LEVELS)
    # (1 + σ²) / σ² is the weight of the training's loss.
    mean = float(np.mean(errors * (1 + levels**2) / levels**2))
    values = [done, done * batch, round(seconds, 1), float(np.mean(losses)), mean, *map(float, errors)]
    return dict(zip(CURVE, values, strict=True))


def _notes(settings: Training, done: int, seconds: float, start: Model | None) -> str:
    known = {"steps": done, "samples": done * settings.batch, "seconds": round(seconds, 1)}
    known |= {} if start is None else {"start": json.loads(start.notes)}
    return json.dumps({**known, "training": asdict(settings), "version": version("jaxmeta")})


def _write(folder: pathlib.Path, model: Model, rows: list[dict[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, CURVE, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_bytes(folder / "curve.csv", text.getvalue().encode(), overwrite=True)
    write_json(folder / "curve.json", {"curve": rows}, overwrite=True)
    save(model, folder / "weights.h5", overwrite=True)
