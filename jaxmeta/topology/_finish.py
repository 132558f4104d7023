"""From the last state of a design run to what it hands back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..cells import Cell, Scorer
from ..design import DesignResult, Kept, Level, State
from ._binary import binarize
from ._design import Design
from ._printable import Making, printable
from ._record import Record
from ._setup import Settings


class Optimization(NamedTuple):
    """An optimised cell.

    Attributes:
        density: physical density as optimised, filtered and projected, of the last step in `history`; the octant if the
            symmetry has one.
        scored: the strictly binary `Cell`, with its stiffness from an independent tight solve in float64; `cell` is the
            whole of it, (nx, ny, nz), and `stiffness` its C, (6, 6).
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
            - `drilled`, `filled`: voxels that were made void or solid to open closed pores, of the whole cell;
            - `connected`, `percolates`: whether `cell` is in one piece, and spans its period along x, y and z;
            - `scored_in`: dtype of the solve for `stiffness`;
            - `steps`: taken altogether.
    """

    density: Float[Array, "x y z"]
    scored: Cell
    history: dict[str, list]
    result: DesignResult
    report: dict[str, Any]

    @property
    def cell(self) -> Float[np.ndarray, "nx ny nz"]:
        """Strictly binary, connected, the whole cell."""
        return self.scored.cell

    @property
    def stiffness(self) -> Float[np.ndarray, "6 6"]:
        """C of `cell`, Voigt."""
        return self.scored.stiffness


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
    grey = float(_solved(design, kept, state.memory) if settings.course.erosion else kept.objective)
    fraction = min(settings.volume_fraction, float(density.mean()))
    if settings.making != Making():
        asked = settings.symmetry, design.held, settings.making
        binary, drilled, filled = printable(design.filtered(kept.variables), fraction, *asked)
    else:
        binary, drilled, filled = binarize(density, fraction, settings.symmetry, design.held), 0, 0
    scorer = Scorer(settings.solid, float(np.asarray(settings.interpolation.void)), settings.spacing)
    scored = scorer(binary.density, settings.symmetry, {"islands_removed": binary.islands_removed})
    stiffness, cell = (jnp.asarray(array, density.dtype) for array in (scored.stiffness, scored.cell))
    value = float(design.objective(Record(stiffness, cell, cell, cell, None, design.filtering)))
    report = {
        "objective_grey": grey,
        "objective_binary": value,
        "loss_from_binarising": value - grey,
        "volume_fraction": scored.volume_fraction,
        "islands_removed": binary.islands_removed,
        "held_apart": binary.held_apart,
        "drilled": drilled,
        "filled": filled,
        "connected": scored.facts.connected,
        "percolates": list(scored.facts.percolates),
        "scored_in": scored.solver["dtype"],
        "steps": int(state.step),
    }
    return Optimization(density, scored, history, DesignResult(int(state.result)), report)


@jax.jit
def _solved(design: Design, kept: Kept, displacement: Array) -> Array:
    """Objective of a design without erosion."""
    whole = replace(design, erosion=jnp.zeros_like(design.erosion))
    return whole.values(kept.variables, Level(kept.sharpness, jnp.ones_like(kept.sharpness)), displacement)[0]
