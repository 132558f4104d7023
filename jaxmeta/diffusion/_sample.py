"""Cells from a model, or fields on a box."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from .._arguments import real_number, require_kind
from .._numbers import refused, whole_number
from ..geometry import symmetry
from ._denoiser import ClassifierFree, NetworkDenoiser, Smoothed
from ._embedding import Conditions, conditions
from ._field import from_field
from ._guidance import FiniteElements, Guidance
from ._model import Model
from ._noise import noise_of
from ._sampler import Method, descend
from ._settings import BoxNet, require_cubic


def sample(
    model: Model,
    conditions: Conditions | Mapping[str, Any],
    key: Key[Array, ""],
    steps: int = 16,
    guidance: Guidance | None = None,
    resolution: int = 64,
    *,
    scale: float = 1.0,
    method: Method = "dpm",
) -> Bool[Array, "n n n"]:
    """A binary cubic cell, drawn at random under conditions. The same key gives the same cell.

    The cell is as the network made it: it may have another stiffness than was asked for, or several parts. Compute its
    stiffness with `jaxmeta.cells.Scorer`. A pure function: `jax.vmap` over keys makes several.

    Args:
        model: from `load` or a training.
        conditions: made by `conditions`, or a mapping of its arguments.
        key: of JAX.
        steps: evaluations of the network.
        guidance: such as `FiniteElements`.
        resolution: voxels n along an edge of the whole cell, a multiple of that of the network, 64 for the one that
            ships. Finer cells are cut from the same field, interpolated.
        scale: of guidance without a classifier; numbers other than one take a second evaluation at each step.
        method: "dpm" or "ddim", see `descend`.

    Returns:
        (n, n, n), the whole cell, True in the solid. It has the volume fraction that was asked for, to half the images
        of a voxel.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> import jax
        >>> import jaxmeta as jm
        >>> network = jm.diffusion.WedgeNet(side=8, block=4, features=(8, 8), depth=(0, 0), embedding=8)
        >>> model = jm.diffusion.new_model(network, jax.random.key(0))
        >>> wanted = jm.diffusion.conditions(c11=0.2, c12=0.05, c44=0.05, volume_fraction=0.4)
        >>> cell = jm.diffusion.sample(model, wanted, jax.random.key(1), steps=4, resolution=16)
        >>> cell.shape, jm.symmetry.detect(cell), round(float(cell.mean()), 2)
        ((16, 16, 16), 'cubic', 0.4)
    """
    require_kind("model", model, (Model,))
    asked = _asked(conditions)
    whole_number("resolution", resolution, least=1)
    refine, rest = divmod(resolution, 2 * model.side)
    if rest or not refine:
        raise refused("resolution", f"be a multiple of {2 * model.side}", f"is {resolution}")
    scale = real_number("scale", scale, "be a number that is not negative", lambda x: x >= 0)
    field = sample_field(model, asked, key, steps, guidance, scale=scale, method=method)
    volume = asked.values[3].astype(field.dtype)
    octant = jnp.where(asked.given[3], from_field(field, volume, refine), from_field(field, None, refine))
    return symmetry.unfold(octant)


def sample_field(
    model: Model,
    asked: Conditions,
    key: Key[Array, ""],
    steps: int = 16,
    guidance: Guidance | None = None,
    *,
    scale: Any = 1.0,
    method: Method = "dpm",
) -> Float[Array, "a b c"]:
    """The field of a cell, as `to_field` makes them, that `sample` cuts, or a field on a box; differentiable.

    That of a cell is smoothed where nothing guides it; one on a box is as the network made it.

    Args:
        model: from `load` or a training.
        asked: conditions.
        key: of JAX.
        steps: evaluations of the network.
        guidance: such as `FiniteElements`, which is for cells alone.
        scale: of guidance without a classifier.
        method: "dpm" or "ddim".

    Returns:
        (m, m, m) or of the shape of the box, in the dtype of the weights.

    Raises:
        ValueError: finite elements are to guide a field on a box.
    """
    if isinstance(guidance, FiniteElements):
        require_cubic("model", model.network)
    levels = jnp.asarray(model.schedule.levels(steps), model.dtype)
    plain = isinstance(scale, (int, float)) and scale == 1
    return _sampled(model, asked, key, levels, guidance, None if plain else jnp.asarray(scale, model.dtype), method)


@partial(jax.jit, static_argnames="method")
def _sampled(
    model: Model, asked: Conditions, key: Array, levels: Array, guidance: Any, scale: Array | None, method: Method
) -> Array:
    noise = noise_of(model.network, key, model.dtype)
    asked = Conditions(asked.values.astype(model.dtype), asked.given)
    denoiser = NetworkDenoiser(model, asked)
    denoiser = denoiser if scale is None else ClassifierFree(denoiser, scale)
    if guidance is None and not isinstance(model.network, BoxNet):  # guidance takes loose pieces away itself
        denoiser = Smoothed(denoiser, levels[-2])
    return descend(denoiser, noise, levels, method, guidance)


def _asked(given: Conditions | Mapping[str, Any]) -> Conditions:
    if isinstance(given, Conditions):
        if jnp.shape(given.values) != (4,) or jnp.shape(given.given) != (4,):
            raise refused("conditions", "be of one cell, (4,)", f"has shape {jnp.shape(given.values)}")
        return given
    try:
        return conditions(**given)
    except TypeError:
        names = "c11, c12, c44 and volume_fraction"
        raise refused("conditions", f"be Conditions, or a mapping with some of {names}", f"is {given!r}") from None
