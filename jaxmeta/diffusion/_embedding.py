"""Conditions and the noise level as one vector."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from .._arguments import real_array
from .._numbers import refused

NAMES = ("c11", "c12", "c44", "volume_fraction")
_FREQUENCIES = 16


class Conditions(NamedTuple):
    """What a cell is to have, or a field on a box.

    Attributes:
        values: C11, C12, C44 in units of the solid's Young's modulus, and the volume fraction, (..., 4); any four
            numbers for a `BoxNet`.
        given: which of them are asked for, (..., 4); the others may have any value.
    """

    values: Float[Array, "*batch 4"]
    given: Bool[Array, "*batch 4"]


def conditions(
    *,
    c11: Float[ArrayLike, ""] | None = None,
    c12: Float[ArrayLike, ""] | None = None,
    c44: Float[ArrayLike, ""] | None = None,
    volume_fraction: Float[ArrayLike, ""] | None = None,
) -> Conditions:
    """Conditions of a cell, each of which may be left out.

    Args:
        c11: relative to the solid's Young's modulus, between 0 and 2.
        c12: between -1 and 1.
        c44: between 0 and 1.
        volume_fraction: between 0 and 1.

    Returns:
        The conditions, in JAX's default dtype.

    Raises:
        ValueError: a number is out of range, NaN, or no number.

    Example:
        >>> from jaxmeta.diffusion import conditions
        >>> conditions(c11=0.2, c12=0.05, c44=0.05).given.tolist()
        [True, True, True, False]
    """
    given = dict(zip(NAMES, (c11, c12, c44, volume_fraction), strict=True))
    ranges = {"c11": (0.0, 2.0), "c12": (-1.0, 1.0), "c44": (0.0, 1.0), "volume_fraction": (0.0, 1.0)}
    values = []
    for name, value in given.items():
        low, high = ranges[name]
        number = real_array(name, 0.5 if value is None else value)
        if number.ndim:
            raise refused(name, "be a number", f"has shape {number.shape}")
        if not isinstance(number, Tracer) and not low < float(number) < high:
            raise refused(name, f"lie between {low:g} and {high:g}", f"is {float(number):g}")
        values.append(number.astype(jnp.zeros(()).dtype))
    return Conditions(jnp.stack(values), jnp.array([value is not None for value in given.values()]))


def scaled(values: Float[Array, "4"]) -> Float[Array, "4"]:
    """Conditions on scales on which the cells of the library lie evenly, about between -1 and 1.

    Moduli go over two decades and count by their ratios, so their logarithm is taken, and of C12, which may be
    negative, the inverse hyperbolic sine.
    """
    c11, c12, c44, volume = values
    return jnp.stack(
        [jnp.log(c11 / 0.15) / 2, jnp.arcsinh(c12 / 0.02) / 2 - 0.5, jnp.log(c44 / 0.04) / 2, 4 * volume - 1.6]
    )


class _Number(nnx.Module):
    """A learned sinusoidal embedding of one number."""

    def __init__(self, features: int, rngs: nnx.Rngs):
        self.frequencies = nnx.Param(jax.random.normal(rngs.params(), (_FREQUENCIES,), jnp.float32))
        self.first = nnx.Linear(2 * _FREQUENCIES + 1, features, param_dtype=jnp.float32, rngs=rngs)
        self.second = nnx.Linear(features, features, param_dtype=jnp.float32, rngs=rngs)

    def __call__(self, number: Float[Array, ""]) -> Float[Array, " c"]:
        phase = jnp.pi * self.frequencies[...] * number
        waves = jnp.concatenate([number[None], jnp.cos(phase), jnp.sin(phase)])
        return self.second(nnx.silu(self.first(waves)))


class Embedding(nnx.Module):
    """The sum of the embeddings of the noise level and of each condition, or of what stands for its absence.

    Args:
        features: c.
        rngs: of the weights.
        of_cells: whether conditions are those of cells, which are put on their scales; others are taken as they are.
    """

    def __init__(self, features: int, rngs: nnx.Rngs, of_cells: bool = True):
        self.of_cells = of_cells
        self.noise = _Number(features, rngs)
        self.numbers = nnx.List([_Number(features, rngs) for _ in NAMES])
        self.absent = nnx.Param(jnp.zeros((len(NAMES), features), jnp.float32))
        self.last = nnx.Linear(features, features, param_dtype=jnp.float32, rngs=rngs)

    def __call__(self, noise: Float[Array, ""], asked: Conditions) -> Float[Array, " c"]:
        values = scaled(asked.values) if self.of_cells else asked.values
        each = jnp.stack([number(value) for number, value in zip(self.numbers, values, strict=True)])
        shown = jnp.where(asked.given[:, None], each, self.absent[...])
        return nnx.silu(self.last(nnx.silu(self.noise(noise) + shown.sum(axis=0))))
