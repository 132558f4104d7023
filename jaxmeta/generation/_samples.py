"""Octants that a model draws, several at once by one program."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import jax
from jaxtyping import Array, Bool, Key

if TYPE_CHECKING:
    from ..diffusion import Conditions, Model


@partial(jax.jit, static_argnames=("side", "steps", "scale", "guided", "filled"))
def sample_octants(
    model: Model,
    asked: Conditions,
    keys: Key[Array, " k"],
    side: int,
    steps: int = 16,
    scale: float = 1.0,
    guided: int = 0,
    filled: bool = True,
) -> Bool[Array, "k side side side"]:
    """Octants drawn under conditions.

    Args:
        model: of cells.
        asked: conditions of all of them.
        keys: one for each cell.
        side: voxels along an edge of the octants.
        steps: evaluations of the network.
        scale: of guidance without a classifier.
        guided: the last steps that finite elements guide towards the stiffness that is asked for.
        filled: whether a volume fraction is asked for; guidance keeps to it.
    """
    from ..diffusion import FiniteElements, sample  # Flax takes half a second, which starts of a library need not wait

    volume = asked.values[3] if filled else None
    guidance = FiniteElements(asked.values[:3], volume, last=guided) if guided else None
    cells = jax.vmap(lambda key: sample(model, asked, key, steps, guidance, 2 * side, scale=scale))(keys)
    return cells[:, :side, :side, :side]
