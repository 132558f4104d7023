"""Argument checks shared by the modules of this package."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def shape_of(shape: Sequence[int], name: str = "shape") -> tuple[int, int, int]:
    """The shape as three plain integers, or a `ValueError`."""
    sides = tuple(int(side) for side in shape)
    if len(sides) != 3 or min(sides) < 1:
        raise ValueError(f"Argument `{name}` must be three positive integers (nx, ny, nz), but is {tuple(shape)}.")
    return sides[0], sides[1], sides[2]


def grid_rank(array: jax.Array | np.ndarray, name: str, axes: str = "(nx, ny, nz)") -> None:
    """Refuses an array which is not a grid of three axes, or has no voxels."""
    if array.ndim != 3 or array.size == 0:
        raise ValueError(f"Argument `{name}` must have shape {axes}, but has shape {array.shape}.")


def equal_sides(shape: Sequence[int], name: str) -> None:
    """Refuses a shape which axis permutations do not map to itself."""
    if len(set(shape)) != 1:
        raise ValueError(
            f"Argument `{name}` must have three equal sides for cubic symmetry, but has shape {tuple(shape)}."
        )


def one_of(value: str, choices: Sequence[str], name: str) -> None:
    """Refuses a string which is not among the choices."""
    if value not in choices:
        names = ", ".join(f'"{choice}"' for choice in choices)
        raise ValueError(f'Argument `{name}` must be one of {names}, but is "{value}".')


def is_traced(value: object) -> bool:
    """Whether the value is known only inside a transformation such as `jax.jit`."""
    return isinstance(value, Tracer)


def positive(value: object, name: str) -> None:
    """Refuses a concrete number which is not positive and finite."""
    if not is_traced(value):
        number = float(value)  # pyright: ignore[reportArgumentType]
        if not (np.isfinite(number) and number > 0.0):
            raise ValueError(f"Argument `{name}` must be positive and finite, but is {number:g}.")


def fraction(value: object, name: str = "volume_fraction") -> None:
    """Refuses a concrete number outside the open interval (0, 1)."""
    if not is_traced(value):
        number = float(value)  # pyright: ignore[reportArgumentType]
        if not 0.0 < number < 1.0:
            raise ValueError(f"Argument `{name}` must lie strictly between 0 and 1, but is {number:g}.")


def concrete(array: object, name: str) -> np.ndarray:
    """The array on the host; a traced one is refused, because the answer depends on its values."""
    if is_traced(array):
        raise ValueError(f"Argument `{name}` must be a concrete array, but is traced by a JAX transformation.")
    return np.asarray(array)


def floating(array: jax.Array) -> jax.Array:
    """The array itself where it is floating; integers and booleans in JAX's default floating dtype."""
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float_dtype())


def float_dtype(dtype: object = None) -> np.dtype:
    """The floating dtype asked for, or JAX's default one."""
    chosen = jnp.zeros((), float if dtype is None else dtype).dtype  # pyright: ignore[reportArgumentType]
    if not jnp.issubdtype(chosen, jnp.floating):
        raise ValueError(f"Argument `dtype` must be a floating dtype, but is {chosen}.")
    return chosen
