"""Refusal of arguments: shapes always, values only when they are concrete."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike


def require_trailing_shape(name: str, value: ArrayLike, *trailing: int) -> jax.Array:
    """Return `value` as an array, once its last axes are known to be `trailing`."""
    array = jnp.asarray(value)
    if array.shape[max(array.ndim - len(trailing), 0) :] != trailing:
        expected = ", ".join(["...", *map(str, trailing)])
        raise ValueError(f"Argument `{name}` must have shape ({expected}), but has shape {array.shape}.")
    return array


def require_values(name: str, value: object, valid: Callable[[np.ndarray], np.ndarray], requirement: str) -> None:
    """Refuse a concrete number or array with an entry that is not `valid`; let tracers and placeholders pass."""
    if isinstance(value, Tracer) or not isinstance(value, (int, float, np.number, np.ndarray, jax.Array)):
        return
    entries = np.atleast_1d(np.asarray(value))
    refused = entries[~valid(entries)]
    if refused.size:
        raise ValueError(f"Argument `{name}` must {requirement}, but is {refused[0]:g}.")
