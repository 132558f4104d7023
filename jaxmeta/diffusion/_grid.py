"""The U-Net of Yang and others on the voxels of an octant; it wants a GPU."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..geometry.symmetry import permute_average
from ._embedding import Conditions, Embedding
from ._settings import GridNet

_GROUP = 8
"""Channels that are normalised together."""


def _convolution(inputs: int, outputs: int, rngs: nnx.Rngs, size: int = 3, zero: bool = False) -> nnx.Conv:
    first = nnx.initializers.zeros if zero else nnx.initializers.lecun_normal()
    return nnx.Conv(inputs, outputs, (size,) * 3, kernel_init=first, param_dtype=jnp.float32, rngs=rngs)


class _Norm(nnx.Module):
    """Groups of channels of mean zero and unit variance over all voxels, then scaled and shifted by channel."""

    def __init__(self, features: int):
        self.scale, self.shift = (nnx.Param(start((features,), jnp.float32)) for start in (jnp.ones, jnp.zeros))

    def __call__(self, x: Float[Array, "*n c"]) -> Array:
        rows = x.reshape(-1, x.shape[-1] // _GROUP, _GROUP)
        rows = rows - rows.mean(axis=(0, 2), keepdims=True)
        rows = rows * jax.lax.rsqrt(jnp.mean(rows**2, axis=(0, 2), keepdims=True) + 1e-5)
        return (rows.reshape(-1, x.shape[-1]) * self.scale[...][None] + self.shift[...][None]).reshape(x.shape)


class _Residual(nnx.Module):
    """Two convolutions, with the embedding added between them, added to what there was."""

    def __init__(self, inputs: int, outputs: int, embedding: int, rngs: nnx.Rngs):
        self.norms = nnx.List([_Norm(inputs), _Norm(outputs)])
        self.first = _convolution(inputs, outputs, rngs)
        self.second = _convolution(outputs, outputs, rngs, zero=True)
        self.shift = nnx.Linear(embedding, outputs, param_dtype=jnp.float32, rngs=rngs)
        self.short = _convolution(inputs, outputs, rngs, size=1) if inputs != outputs else None

    def __call__(self, x: Float[Array, "n n n c"], embedded: Float[Array, " e"]) -> Array:
        hidden = self.first(nnx.silu(self.norms[0](x))) + self.shift(embedded)[None, None, None]
        return (x if self.short is None else self.short(x)) + self.second(nnx.silu(self.norms[1](hidden)))


class _Attention(nnx.Module):
    """Every voxel looks at all others, added to what there was."""

    def __init__(self, features: int, heads: int, rngs: nnx.Rngs):
        self.heads, self.norm = heads, _Norm(features)
        self.asked = nnx.Linear(features, 3 * features, param_dtype=jnp.float32, rngs=rngs)
        zeros = nnx.initializers.zeros
        self.last = nnx.Linear(features, features, kernel_init=zeros, param_dtype=jnp.float32, rngs=rngs)

    def __call__(self, x: Float[Array, "n n n c"]) -> Array:
        rows = self.norm(x).reshape(-1, x.shape[-1])
        query, key, value = jnp.split(self.asked(rows).reshape(len(rows), self.heads, -1), 3, axis=-1)
        likeness = jnp.einsum("ihc,jhc->hij", query, key) / query.shape[-1] ** 0.5
        found = jnp.einsum("hij,jhc->ihc", jax.nn.softmax(likeness, axis=-1), value)
        return x + self.last(found.reshape(rows.shape)).reshape(x.shape)


class _Level(nnx.Module):
    """A residual block, and attention where it is wanted."""

    def __init__(self, inputs: int, outputs: int, settings: GridNet, side: int, rngs: nnx.Rngs):
        self.residual = _Residual(inputs, outputs, settings.embedding, rngs)
        self.attention = _Attention(outputs, settings.heads, rngs) if side <= settings.attention else None

    def __call__(self, x: Array, embedded: Array) -> Array:
        hidden = self.residual(x, embedded)
        return hidden if self.attention is None else self.attention(hidden)


def _halved(x: Float[Array, "n n n c"]) -> Array:
    half = x.shape[0] // 2
    return x.reshape(half, 2, half, 2, half, 2, -1).mean(axis=(1, 3, 5))


def _doubled(x: Float[Array, "n n n c"]) -> Array:
    for axis in range(3):
        x = jnp.repeat(x, 2, axis)
    return x


class GridUNet(nnx.Module):
    """A U-Net with 3³ convolutions on each level, upsampling by repetition, and skips on all levels.

    Input and output are averaged over the six permutations of the axes.

    Args:
        settings: sizes.
        rngs: of the weights.

    References:
        Y. Yang and others, "Guided diffusion for fast inverse design of density-based mechanical metamaterials", 2024,
        Methods: levels, features, and blocks on each level.
    """

    def __init__(self, settings: GridNet, rngs: nnx.Rngs):
        widths, sides = settings.features, [settings.side // 2**level for level in range(len(settings.features))]
        self.embedding = Embedding(settings.embedding, rngs)
        self.first = _convolution(2, widths[0], rngs)
        before = (widths[0], *widths[:-1])
        stages = list(zip(before, widths, sides, strict=True))
        self.down = nnx.List([_Level(a, b, settings, side, rngs) for a, b, side in stages])
        self.middle = nnx.List([_Level(widths[-1], widths[-1], settings, sides[-1], rngs) for _ in range(2)])
        after = (*widths[1:], widths[-1])
        stages = list(zip(after, widths, sides, strict=True))
        self.up = nnx.List([_Level(a + b, b, settings, side, rngs) for a, b, side in stages])
        self.doubled = nnx.List([_convolution(a, a, rngs) for a in widths[1:]])
        self.norm = _Norm(widths[0])
        self.last = _convolution(widths[0], 1, rngs, zero=True)

    def __call__(
        self, x: Float[Array, "m m m"], before: Float[Array, "m m m"], noise: Float[Array, ""], asked: Conditions
    ) -> Float[Array, "m m m"]:
        """As that of `BlockUNet`."""
        embedded = self.embedding(noise, asked)
        hidden, skips = self.first(jnp.stack([permute_average(x), permute_average(before)], axis=-1)), []
        for number, level in enumerate(self.down):
            hidden = level(hidden if number == 0 else _halved(hidden), embedded)
            skips.append(hidden)
        for level in self.middle:
            hidden = level(hidden, embedded)
        for number in reversed(range(len(skips))):
            hidden = self.up[number](jnp.concatenate([hidden, skips[number]], axis=-1), embedded)
            if number:
                hidden = self.doubled[number - 1](_doubled(hidden))
        return permute_average(self.last(nnx.silu(self.norm(hidden)))[..., 0])
