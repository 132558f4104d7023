"""Targets that the binary cell misses, met by aiming beside them.

Cutting a density, and making thin members thicker, changes its moduli by some per cent, in much the same way for
designs that are much the same. So the bounds are shifted by what the binary cell missed, a few steps are taken at the
last sharpness, and the new design is cut.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..design import DesignResult, Loop, State, run
from ._design import Design
from ._setup import Settings
from .constraints import Constraint

STEPS = 15
"""Steps after each shift."""


def has_targets(settings: Settings) -> bool:
    """Whether some constraint is a target that is to be met from both sides."""
    return any(isinstance(function, Constraint) and function.two_sided for function in settings.constraints)


def shifted(
    settings: Settings, aimed: Settings, stiffness: Float[np.ndarray, "6 6"], density: Float[Array, "x y z"]
) -> Settings:
    """The bounds of `aimed`, moved by what a cell misses those of `settings` by."""
    c = jnp.asarray(stiffness, density.dtype)

    def moved(asked: object, now: object) -> object:
        if not (isinstance(asked, Constraint) and isinstance(now, Constraint)) or asked.quantity is None:
            return now
        if asked.is_deviation or asked.bound is None or now.bound is None:
            return now
        return replace(now, bound=float(now.bound) + float(asked.bound) - float(asked.quantity(c, density)))

    return aimed._replace(constraints=tuple(map(moved, settings.constraints, aimed.constraints)))


def gone_on(loop: Loop, design: Design, state: State, phase: Callable[..., None]) -> State:
    """A few more steps of a design from the one that was kept."""
    kept = state.kept
    state = state._replace(
        variables=kept.variables,
        sharpness=kept.sharpness,
        stage=state.step,
        kept=kept._replace(step=jnp.zeros_like(kept.step)),
        others=state.others._replace(step=jnp.zeros_like(state.others.step)),
        least=state.least._replace(step=jnp.zeros_like(kept.step)),
        result=jnp.full_like(state.result, DesignResult.max_steps_reached.value),
    )
    phase("Correcting", "what the cut missed")
    for turn in run(loop, design, state, int(state.step) + STEPS):
        state = turn.state
        phase("Correcting")
    return state
