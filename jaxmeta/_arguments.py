"""What the arguments of public functions may be: real numbers of the common types, looked at where they are concrete.

Every refusal is a `ValueError` that begins with "Argument `name` must". Tracers have a shape and a dtype, which are
checked like any other's, but no values. What needs no JAX is in `_numbers.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from ._numbers import plain_number, refused, told

_FLOATS = ("float16", "bfloat16", "float32", "float64")


@jax.transfer_guard("allow")  # what a function is given goes to the device on purpose
def real_array(name: str, value: Any) -> Array:
    """The argument as a JAX array, whatever its byte order.

    Raises:
        ValueError: it is not made of real numbers that JAX can hold.
    """
    array = _native(name, value)
    if isinstance(array, np.ndarray):
        # `jnp.asarray` would compile a program for every shape. Without a copy the array would be the caller's memory,
        # which may be changed before the work is done.
        return jax.device_put(array.copy())
    try:
        return jnp.asarray(array)
    except OverflowError as error:
        raise refused(name, "be a number that JAX can hold", f"is {value}") from error


def _native(name: str, value: Any) -> Any:
    """Python numbers and JAX arrays as they are, anything else as a NumPy array in the machine's byte order."""
    if isinstance(value, (int, float, jax.Array)):
        array = value  # a Python number takes the dtype of the arrays that it meets
    elif hasattr(value, "__jax_array__"):
        array = jnp.asarray(value)
    elif np.ma.is_masked(value):
        raise refused(name, "hold a number everywhere", "is masked at some places")
    else:
        try:
            array = np.asarray(value)
            array = array.astype(array.dtype.newbyteorder("="), copy=False)
        except jax.errors.TracerArrayConversionError:  # a list of traced numbers
            array = jnp.asarray(value)
        except (TypeError, ValueError) as error:
            raise refused(
                name, "be an array of real numbers", f"cannot be made one: {str(error).rstrip(chr(46))}"
            ) from error
    if not isinstance(array, (int, float)) and not _is_real(array.dtype):
        found = f"is {array.dtype}" if array.ndim else told(value)
        raise refused(name, "be an array of real numbers", found)
    return array


def _is_real(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.integer) or dtype == jnp.bool_ or dtype.name in _FLOATS


def require_values(name: str, value: Any, valid: Callable[[np.ndarray], np.ndarray], requirement: str) -> Any:
    """A parameter that may be an array, in the machine's byte order.

    Raises:
        ValueError: it is not a real number or an array of them, or a concrete entry is not `valid` or not finite.
    """
    value = _native(name, value)  # Python's numbers are left alone: a solid may be made before JAX has its devices
    if isinstance(value, bool) or (hasattr(value, "dtype") and value.dtype == np.bool_):
        raise refused(name, requirement, "is a truth value")
    if isinstance(value, Tracer):
        return value
    try:
        entries = np.atleast_1d(np.asarray(value)).astype(np.float64)
    except OverflowError as error:
        raise refused(name, "be a number that JAX can hold", f"is {value}") from error
    for good, what in ((valid(entries), requirement), (np.isfinite(entries), "be finite")):
        if not good.all():
            raise refused(name, what, f"is {entries[~good][0]:g}")
    return value


def truth_values(name: str, value: Any) -> Array:
    """The argument as a JAX array of truth values; it may hold the numbers 0 and 1 in their place.

    Raises:
        ValueError: it does not, or holds others.
    """
    array = real_array(name, value)
    if array.dtype != bool and not isinstance(array, Tracer):
        values = np.asarray(array)
        if ((values != 0) & (values != 1)).any():
            raise refused(name, "hold truth values, or 0 and 1", f"ranges from {values.min()} to {values.max()}")
    return array.astype(bool)


def real_arrays(**values: Any) -> list[Array]:
    """The arguments as JAX arrays: scalars, or arrays of one shape.

    Raises:
        ValueError: one is not made of real numbers, or has another shape than one before it.
    """
    arrays = {name: real_array(name, value) for name, value in values.items()}
    require_one_shape(**arrays)
    return list(arrays.values())


def require_one_shape(**values: Any) -> None:
    """Refuse numbers and arrays among which two arrays have different shapes."""
    shaped = [(name, np.shape(value)) for name, value in values.items() if np.shape(value) != ()]
    for name, shape in shaped[1:]:
        if shape != shaped[0][1]:
            raise refused(name, f"be a scalar or have shape {shaped[0][1]}, as `{shaped[0][0]}`", f"has shape {shape}")


def real_number(name: str, value: Any, requirement: str, valid: Callable[[float], bool] = lambda _: True) -> Any:
    """`plain_number`, or the argument as it is where it is traced and has no dimension."""
    if not isinstance(value, Tracer):
        return plain_number(name, value, requirement, valid)
    if value.shape != () or value.dtype == bool:
        raise refused(name, requirement, f"has shape {value.shape} and dtype {value.dtype}")
    return value


def positive_number(name: str, value: Any) -> Any:
    """`real_number` that is positive and finite."""
    number = real_number(name, value, "be positive", lambda x: x > 0)
    return real_number(name, number, "be finite", math.isfinite)


def require_finite(name: str, field: Array) -> None:
    """Refuse a concrete field with a number that is not finite, by its place.

    Fields that are shared with other processes pass.
    """
    if not isinstance(field, Tracer) and field.is_fully_addressable:
        values = np.asarray(field)
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            place = tuple(int(i) for i in wrong[0])
            at = f"voxel {place}" if len(place) == 3 else f"entry {place}"
            raise refused(name, "be finite", f"is {values[place]} at {at}")


def require_kind(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    """Refuse what is not an object of one of the kinds."""
    if not isinstance(value, kinds):
        raise refused(name, f"be of type {' or '.join(kind.__name__ for kind in kinds)}", told(value))


def require_scalars(name: str, parameters: Any) -> None:
    """Refuse parameters of one thing that are arrays: they would be spread along the last axes of a grid."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(parameters):
        if np.shape(leaf) != ():
            found = f"its `{jax.tree_util.keystr(path, simple=True)}` has shape {np.shape(leaf)}"
            raise refused(name, "hold single numbers (`jax.vmap` makes a batch)", found)


def three_lengths(name: str, value: Any, dtype: jnp.dtype) -> Array:
    """The argument as three positive voxel edges, (3,).

    Raises:
        ValueError: it is not three real numbers, or a concrete one is not positive and finite.
    """
    lengths = [jnp.asarray(edge, dtype) for edge in _three(name, value)]
    _require_lengths(name, tuple(float(length) for length in lengths if not isinstance(length, Tracer)))
    return jnp.stack(lengths)


def three_numbers(name: str, value: Any) -> tuple[float, float, float]:
    """`three_lengths` as Python numbers."""
    x, y, z = _three(name, value)
    _require_lengths(name, (x, y, z))
    return x, y, z


def _three(name: str, value: Any) -> list[Any]:
    edges = value if isinstance(value, (tuple, list)) else real_array(name, value)
    shape = (len(edges),) if isinstance(edges, (tuple, list)) else edges.shape
    if shape != (3,):
        raise refused(name, "be three voxel edges", f"has shape {shape}")
    return [real_number(name, edge, "be three positive lengths") for edge in edges]


def _require_lengths(name: str, lengths: tuple[float, ...]) -> None:
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        raise refused(name, "be three positive lengths", f"is {lengths}")
