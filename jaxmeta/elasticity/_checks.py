"""Refusal of tensors by their shape."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .._arguments import real_array
from .._numbers import refused


def require_trailing_shape(name: str, value: ArrayLike, *trailing: int) -> jax.Array:
    """Return `value` as a floating-point array, once its last axes are known to be `trailing`."""
    array = real_array(name, value)
    if array.shape[max(array.ndim - len(trailing), 0) :] != trailing:
        expected = ", ".join(["...", *map(str, trailing)])
        raise refused(name, f"have shape ({expected})", f"has shape {array.shape}")
    # A whole number could not take the factor √2 of a shear.
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(jnp.result_type(float))
