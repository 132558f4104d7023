"""Design runs from several starts at once."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Bool, Float

from .._arguments import real_array
from ..design import Continuation, append, lane, run, stack
from ..elasticity import Isotropic
from ..homogenization import SIMP, Interpolation
from ..optimizers import Optimizer
from ._course import Course
from ._filter import Symmetry
from ._finish import Optimization, finish
from ._info import Info
from ._printable import Making
from ._record import Function
from ._setup import Settings, checked_start
from .constraints import Constraining


def multistart(
    objective: Function,
    starts: Float[ArrayLike, "count nx ny nz"],
    *,
    solid: Isotropic,
    volume_fraction: float,
    symmetry: Symmetry = "cubic",
    constraints: Sequence[Constraining] = (),
    interpolation: Interpolation = SIMP(3.0, 1e-9),
    filter_radius: float = Course.filter_radius,
    projection: Continuation = Continuation(start=1.0, factor=2.0, every=30, final=32.0),
    optimizer: Optimizer | None = None,
    max_steps: int = Course.max_steps,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    passive: tuple[Bool[ArrayLike, "nx ny nz"], Bool[ArrayLike, "nx ny nz"]] | None = None,
    erosion: float = Course.erosion,
    tolerance: float = Course.tolerance,
    stop: float = Course.stop,
    smallest_member: int = Making.smallest_member,
    open_pores: bool = Making.open_pores,
) -> list[Optimization]:
    """Optimise from several starts at once, batched by `vmap`, and return the designs with the best one first.

    Designs that have come to rest stay as they are until the last one has; the order is that of the binary cells'
    objective, designs that fell apart last.

    Args:
        objective: as in `optimize`, and so are all arguments below.
        starts: one start for each design, (count, nx, ny, nz).
        solid: the solid.
        volume_fraction: upper bound of the mean density.
        symmetry: of the cell.
        constraints: functions that must not be positive, or ready-made ones.
        interpolation: from density to modulus.
        filter_radius: in voxels.
        projection: sharpness of the projection, stage by stage.
        optimizer: any `optimizers.Optimizer`.
        max_steps: most outer steps.
        spacing: edges of a voxel.
        passive: two masks, of voxels held void and voxels held solid.
        erosion: robustness against thin members and hinges.
        tolerance: relative error of C in every solve.
        stop: relative change of the objective at which a stage ends.
        smallest_member: of the binary cells, in voxels.
        open_pores: whether closed pores of the binary cells are opened.

    Returns:
        One `Optimization` for each start.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> import jax, jax.numpy as jnp, jaxmeta as jm
        >>> keys = jax.random.split(jax.random.key(0), 2)
        >>> starts = jnp.stack([jm.geometry.trigonometric(key, (4, 4, 4), volume_fraction=0.5) for key in keys])
        >>> designs = jm.topology.multistart(jm.objectives.maximize_bulk(), starts, solid=jm.Isotropic(1.0, 0.3),
        ...                                  volume_fraction=0.5, max_steps=2)
        >>> len(designs), designs[0].report["objective_binary"] <= designs[1].report["objective_binary"]
        (2, True)
    """
    given = real_array("starts", starts)
    if given.ndim != 4 or 0 in given.shape:
        raise ValueError(f"Argument `starts` must have shape (count, nx, ny, nz), but has shape {given.shape}.")
    variables = jnp.stack([checked_start(start, symmetry) for start in given])
    settings = Settings(
        objective, solid, volume_fraction, symmetry, constraints, interpolation, projection, optimizer, spacing,
        passive, Course(filter_radius, max_steps, erosion, tolerance, stop),
        Making(smallest_member, open_pores),
    )  # fmt: skip
    loop, design = settings.problem(variables[0])
    designs = stack([design] * len(variables))
    states = jax.vmap(loop.init)(designs, variables)
    histories: list[dict[str, list]] = [{} for _ in variables]
    for turn in run(loop, designs, states, max_steps):
        states, infos = turn.state, jax.device_get(Info.of(turn.info))
        for k in np.flatnonzero(turn.going):
            append(histories[k], {**lane(infos, int(k))._asdict(), "seconds": turn.seconds})
    found = [
        finish(settings, loop, design, variables[k], lane(states, k), history) for k, history in enumerate(histories)
    ]
    return sorted(found, key=lambda d: (not d.report["connected"], d.report["objective_binary"]))
