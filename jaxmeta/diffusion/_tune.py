"""A tuning as a run that lasts: checkpoints, validation, a curve, and the weights at the end."""

from __future__ import annotations

import json
import pathlib
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version

import jax.numpy as jnp
import numpy as np

from .._numbers import refused
from ..dataset import Library
from ..io import Path, write_json
from ..runs import Checkpoint, Report
from . import tuning as _tuning
from ._model import Model
from ._run import digest_of_cells, digest_of_weights, examples_of, parts_of, restored
from ._settings import Tuning
from ._weights import save

_HELD = 48
"""Validation cells whose conditions are sampled."""


def tune(
    model: Model,
    library: Library,
    settings: Tuning,
    folder: Path,
    *,
    every: int = 100,
    save_every: float = 60.0,
    report: Report | None = None,
    check: Callable[[], None] = lambda: None,
) -> Model:
    """Tune a trained network through the finite elements: see `jaxmeta.diffusion.tuning`.

    What is done is kept in the folder: the last two states, and after every validation the averaged weights,
    `weights.h5`, and `curve.json`: means over the steps since the last row, and of samples for conditions of
    validation cells that are always the same. Called again with the same arguments, it goes on from the last state.

    Args:
        model: a trained one.
        library: cells like those that it was trained on.
        settings: how it is tuned.
        folder: made if it is not there.
        every: steps between two validations.
        save_every: seconds between two saves.
        report: called after each step.
        check: called after each step; it may raise, and the state is saved.

    Returns:
        The model of the averaged weights.

    Raises:
        ValueError: the library has octants of another side or too few cells, the folder holds another run, or the loss
            is not finite.
    """
    network, schedule = model.network, model.schedule
    parts = parts_of(library, network)
    target = pathlib.Path(folder)
    stated = {
        "tuning": asdict(settings),
        "schedule": schedule._asdict(),
        "every": every,
        "cells": digest_of_cells(library),
        "start": digest_of_weights(model),
    }
    checkpoint = Checkpoint(target / "checkpoint", stated, every=save_every)
    try:
        state, seconds = _tuning.init(model, settings), 0.0
        rows: list[dict[str, float]] = []
        seen: list[list[float]] = []
        state, kept = restored(checkpoint, state)
        if kept is not None:
            rows, seen, (seconds,) = kept["rows"], kept["seen"], kept["seconds"]
        examples = examples_of(parts[0])
        held = np.column_stack([parts[1].constants, parts[1].volume_fraction])
        held = jnp.asarray(held[np.random.default_rng(0).permutation(len(held))[:_HELD]], examples.values.dtype)
        between, done = _tuning.Between.of(examples), int(state.step)
        began = time.perf_counter() - seconds

        def now() -> Model:
            known = {"steps": done, "seconds": round(time.perf_counter() - began, 1), "start": json.loads(model.notes)}
            notes = json.dumps({**known, "tuning": asdict(settings), "version": version("jaxmeta")})
            return Model(network, state.average, schedule, notes)

        while done < settings.steps:
            state, numbers = _tuning.step(network, settings, schedule, examples, between, state)
            seen.append([float(number) for number in numbers])
            done += 1
            if not np.isfinite(seen[-1]).all():
                raise refused("rate", "be so small that the loss stays finite", f"the loss of step {done} is not")
            if done % every == 0 or done == settings.steps:
                row = dict(zip(_tuning.Sampled._fields, map(float, np.mean(seen, axis=0)), strict=True))
                tested = _tuning.validate(now(), held, settings)
                row |= {f"validation_{name}": value for name, value in tested.items()}
                rows.append({"step": done, "seconds": round(time.perf_counter() - began, 1), **row})
                seen = []
                write_json(target / "curve.json", {"curve": rows}, overwrite=True)
                save(now(), target / "weights.h5", overwrite=True)
            if report is not None:
                report("step", done, settings.steps, loss=float(numbers.loss), plain=float(numbers.plain))
            history = {"rows": rows, "seen": seen, "seconds": [time.perf_counter() - began]}
            try:
                check()
            except KeyboardInterrupt:
                checkpoint.save(state, history, force=True)
                raise
            checkpoint.save(state, history, force=done == settings.steps)
        return now()
    finally:
        checkpoint.close()
