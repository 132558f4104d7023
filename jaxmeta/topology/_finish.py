"""From the last state of a design run to what it hands back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .. import geometry
from ..design import DesignResult, Kept, Level, State
from ._binary import binarize, score
from ._design import Design
from ._record import Record
from ._setup import Settings


class Optimization(NamedTuple):
    """An optimised cell.

    Attributes:
        density: physical density as optimised, filtered and projected, of the last step in `history`; the octant if the
            symmetry has one.
        cell: strictly binary, connected, the whole cell, (nx, ny, nz).
        stiffness: of `cell`, (6, 6), from an independent tight solve in float64.
        history: one list for each quantity, one entry for each step.
        result: a `DesignResult`, which has a `text`.
        report: what binarising cost, connectivity and how the score was computed:

            - `objective_grey`: objective of `density`, which is not eroded, with the interpolation, symmetry and
              tolerance of the optimisation;
            - `objective_binary`: objective of `cell`, with `stiffness`;
            - `loss_from_binarising`: the second minus the first, positive where the cell is worse. With erosion the
              entries of `history` are another thing: each is of the eroded density;
            - `volume_fraction`: of `cell`;
            - `islands_removed`: voxels that hung on nothing and are not in `cell`;
            - `held_apart`: voxels of parts that hang on nothing, but have voxels that are held solid. They are in
              `cell`, which is not connected then;
            - `connected`, `percolates`: whether `cell` is in one piece, and spans its period along x, y and z;
            - `scored_in`: dtype of the solve for `stiffness`;
            - `steps`: taken altogether.
    """

    density: Float[Array, "x y z"]
    cell: Float[np.ndarray, "nx ny nz"]
    stiffness: Float[np.ndarray, "6 6"]
    history: dict[str, list]
    result: DesignResult
    report: dict[str, Any]


def finish(settings: Settings, design: Design, state: State, history: dict[str, list]) -> Optimization:
    """The design that a run kept: cut, cleaned and scored.

    Args:
        settings: of the run.
        design: of the run.
        state: its last one.
        history: of its steps.
    """
    kept = state.kept
    density = design.physical(kept.variables, kept.sharpness)
    # The eroded density is another one, so its objective says nothing of this one.
    grey = float(_solved(design, kept, state.memory) if settings.erosion else kept.objective)
    fraction = min(settings.volume_fraction, float(density.mean()))
    void = float(settings.interpolation.void)
    cell, islands, apart = binarize(density, fraction, settings.symmetry, design.held)
    stiffness, dtype = score(cell, settings.solid, void, settings.spacing)
    c, rho = jnp.asarray(stiffness, density.dtype), jnp.asarray(cell, density.dtype)
    binary = float(design.objective(Record(c, rho, rho, rho, None, design.filtering)))
    report = {
        "objective_grey": grey,
        "objective_binary": binary,
        "loss_from_binarising": binary - grey,
        "volume_fraction": float(cell.mean()),
        "islands_removed": islands,
        "held_apart": apart,
        "connected": bool(geometry.is_connected(cell, periodic=True)),
        "percolates": [bool(p) for p in geometry.percolates(cell)],
        "scored_in": dtype,
        "steps": int(state.step),
    }
    return Optimization(density, cell, stiffness, history, DesignResult(int(state.result)), report)


@jax.jit
def _solved(design: Design, kept: Kept, displacement: Array) -> Array:
    """Objective of a design without erosion."""
    whole = replace(design, erosion=jnp.zeros_like(design.erosion))
    return whole.values(kept.variables, Level(kept.sharpness, jnp.ones_like(kept.sharpness)), displacement)[0]
