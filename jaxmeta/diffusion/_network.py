"""A U-Net on the blocks of a wedge or of a box, small enough to be trained on a processor."""

from __future__ import annotations

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from ..geometry.symmetry import permute_average
from . import _blocks
from ._embedding import Conditions, Embedding
from ._noise import images
from ._settings import BoxNet, WedgeNet


def linear(inputs: int, outputs: int, rngs: nnx.Rngs, zero: bool = False) -> nnx.Linear:
    """A linear map, at the start perhaps zero."""
    first = nnx.initializers.zeros if zero else nnx.initializers.lecun_normal()
    return nnx.Linear(inputs, outputs, kernel_init=first, param_dtype=jnp.float32, rngs=rngs)


def normed(x: Float[Array, "n c"]) -> Float[Array, "n c"]:
    """Rows of unit mean square."""
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-5)


class Residual(nnx.Module):
    """Two mixtures of every block with its neighbours, scaled and shifted by the embedding, added to what there was."""

    def __init__(self, features: int, embedding: int, rngs: nnx.Rngs):
        self.first = linear(7 * features, features, rngs)
        self.second = linear(7 * features, features, rngs, zero=True)
        self.modulation = linear(embedding, 2 * features, rngs, zero=True)

    def __call__(self, x: Float[Array, "n c"], embedded: Float[Array, " e"], beside: _blocks.Table) -> Array:
        scale, shift = jnp.split(self.modulation(embedded), 2)
        hidden = normed(self.first(_blocks.look(beside, nnx.silu(normed(x)))))
        hidden = nnx.silu(hidden * (1 + scale)[None] + shift[None])
        return x + self.second(_blocks.look(beside, hidden))


class Whole(nnx.Module):
    """All blocks of the coarsest level with each other."""

    def __init__(self, blocks: int, features: int, embedding: int, rngs: nnx.Rngs):
        width = blocks * features
        self.first, self.second = linear(width, width, rngs), linear(width, width, rngs, zero=True)
        self.modulation = linear(embedding, width, rngs)

    def __call__(self, x: Float[Array, "n c"], embedded: Float[Array, " e"]) -> Array:
        hidden = nnx.silu(self.first(normed(x).ravel()) + self.modulation(embedded))
        return x + self.second(hidden).reshape(x.shape)


class BlockUNet(nnx.Module):
    """A U-Net whose voxels are the blocks of the wedge of a cubic cell, or of a box.

    The voxels of a block are its channels, so the finest level of a 32³ octant in blocks of 4³ has 120 places of 64
    channels in place of 32,768 of one. A block mixes with itself and the six blocks that share a face with it, images
    beyond a mirror or in another wedge among them; a learned vector tells it where it is. For cubic cells the output is
    averaged over the six permutations of the axes, each block weighted by the number of its images, so that it is
    symmetric to rounding.

    Args:
        settings: sizes.
        rngs: of the weights.
    """

    def __init__(self, settings: WedgeNet | BoxNet, rngs: nnx.Rngs):
        if isinstance(settings, WedgeNet):
            self.size = (settings.block, settings.block, settings.block)
            levels = [_blocks.wedge(settings.side // settings.block)]
        else:
            self.size = settings.block
            levels = [_blocks.Blocks(settings.blocks)]
        channels, widths, embedding = math.prod(self.size), settings.features, settings.embedding
        for _ in widths[1:]:
            levels.append(levels[-1].halved())
        self.levels = tuple(levels)
        self.embedding = Embedding(embedding, rngs, of_cells=isinstance(settings, WedgeNet))
        self.first = linear(2 * channels, widths[0], rngs)
        counts = [len(_blocks.places(level)) for level in self.levels]
        self.places = nnx.List(
            [
                nnx.Param(0.1 * jax.random.normal(rngs.params(), (count, width), jnp.float32))
                for count, width in zip(counts, widths, strict=True)
            ]
        )
        stages = list(zip(widths, settings.depth, strict=True))
        self.down = nnx.List([nnx.List([Residual(c, embedding, rngs) for _ in range(n)]) for c, n in stages])
        self.up = nnx.List([nnx.List([Residual(c, embedding, rngs) for _ in range(n)]) for c, n in stages[:-1]])
        steps = list(pairwise(widths))
        self.coarser = nnx.List([linear(8 * fine, coarse, rngs) for fine, coarse in steps])
        self.finer = nnx.List([linear(coarse, 8 * fine, rngs) for fine, coarse in steps])
        self.joined = nnx.List([linear(2 * fine, fine, rngs) for fine, _ in steps])
        self.whole = Whole(counts[-1], widths[-1], embedding, rngs)
        self.last = linear(widths[0], channels, rngs, zero=True)

    def __call__(
        self, x: Float[Array, "a b c"], before: Float[Array, "a b c"], noise: Float[Array, ""], asked: Conditions
    ) -> Float[Array, "a b c"]:
        """The output for a noisy field.

        Args:
            x: the field, scaled to unit variance.
            before: an earlier estimate of the field without noise, or zeros.
            noise: the level's code.
            asked: conditions.
        """
        embedded = self.embedding(noise, asked)
        rows = [_blocks.split(field, self.levels[0], self.size) for field in (x, before)]
        hidden, skips = self.first(jnp.concatenate(rows, axis=-1)), []
        for level, blocks in enumerate(self.levels):
            if level:
                hidden = self.coarser[level - 1](_blocks.look(_blocks.children(self.levels[level - 1]), hidden))
            hidden = hidden + self.places[level][...]
            for residual in self.down[level]:
                hidden = residual(hidden, embedded, _blocks.neighbours(blocks))
            skips.append(hidden)
        hidden = self.whole(skips.pop(), embedded)
        for level in reversed(range(len(skips))):
            blocks = self.levels[level]
            finer = self.finer[level](hidden).reshape(8 * len(hidden), -1)
            hidden = _blocks.look(_blocks.parents(blocks), finer)
            hidden = self.joined[level](jnp.concatenate([hidden, skips[level]], axis=-1))
            for residual in self.up[level]:
                hidden = residual(hidden, embedded, _blocks.neighbours(blocks))
        rows, blocks = self.last(nnx.silu(normed(hidden))), self.levels[0]
        if not blocks.wedge:
            return _blocks.join(rows, blocks, self.size)
        i, j, k = _blocks.places(blocks).T
        rows = rows * images(blocks.shape[0])[i, j, k][:, None].astype(hidden.dtype)
        return permute_average(_blocks.join(rows, blocks, self.size))
