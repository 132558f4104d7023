"""A model: which network, its weights, the noise levels that it knows; and what a network makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from ._embedding import Conditions
from ._schedule import Schedule
from ._settings import BoxNet, GridNet, Network, WedgeNet, require_cubic

Weights = Any
"""Nested dictionaries of arrays."""


@partial(jax.tree_util.register_dataclass, data_fields=["weights"], meta_fields=["network", "schedule", "notes"])
@dataclass(frozen=True)
class Model:
    """A network with its weights: a pytree whose leaves are the weights.

    Args:
        network: which network.
        weights: nested dictionaries of arrays.
        schedule: the noise levels that it was trained at.
        notes: what is known of its training, as JSON.
    """

    network: Network
    weights: Weights
    schedule: Schedule = field(default_factory=Schedule)
    notes: str = "{}"

    @property
    def count(self) -> int:
        """Number of weights."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.weights))

    def astype(self, dtype: DTypeLike) -> Model:
        """The model with weights of another dtype, which is that of what it computes."""
        weights = jax.tree.map(lambda leaf: leaf.astype(dtype), self.weights)
        return Model(self.network, weights, self.schedule, self.notes)

    @property
    def side(self) -> int:
        """Voxels along an edge of the octants that it makes.

        Raises:
            ValueError: it makes fields on a box.
        """
        return require_cubic("model", self.network).side

    @property
    def dtype(self) -> jnp.dtype:
        """Of the weights."""
        return jax.tree.leaves(self.weights)[0].dtype


def new_model(network: Network, key: Key[Array, ""], schedule: Schedule = Schedule()) -> Model:
    """A model with random weights.

    Args:
        network: which network, for example `PRESETS["small"]`.
        key: of JAX.
        schedule: noise levels.

    Example:
        >>> import jax
        >>> from jaxmeta.diffusion import WedgeNet, new_model
        >>> new_model(WedgeNet(8, 4, (8, 8), (0, 0), 8), jax.random.key(0)).count
        5000
    """
    return Model(network, _initial(network, key), schedule)


@partial(jax.jit, static_argnums=0)
def _initial(network: Network, key: Array) -> Weights:
    # Numbers of a kind that compiles in a tenth of the time: there is one generator for each of many arrays.
    quick = jax.random.wrap_key_data(jax.random.bits(key, (4,), jnp.uint32), impl="unsafe_rbg")
    return nnx.to_pure_dict(nnx.state(_module(network, nnx.Rngs(quick))))


def apply(
    network: Network,
    weights: Weights,
    x: Float[Array, "a b c"],
    before: Float[Array, "a b c"],
    noise: Float[Array, ""],
    asked: Conditions,
) -> Float[Array, "a b c"]:
    """What the network gives for one field; see `BlockUNet`."""
    structure, state = _structure(network)
    state = jax.tree.map(lambda leaf: leaf, state)  # a copy, for it is filled
    nnx.replace_by_pure_dict(state, weights)
    return nnx.merge(structure, state)(x, before, noise, asked)


@cache
def _structure(network: Network) -> tuple[Any, Any]:
    return nnx.split(nnx.eval_shape(lambda: _module(network, nnx.Rngs(0))))


def shapes(network: Network) -> Weights:
    """Shapes and dtypes of the network's weights, without making them."""
    return nnx.to_pure_dict(_structure(network)[1])


def _module(network: Network, rngs: nnx.Rngs) -> nnx.Module:
    if isinstance(network, (WedgeNet, BoxNet)):
        from ._network import BlockUNet

        return BlockUNet(network, rngs)
    assert isinstance(network, GridNet)
    from ._grid import GridUNet

    return GridUNet(network, rngs)
