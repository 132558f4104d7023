"""Values that are no sensible number, and forms of a sensible one, shared by the tests of arguments."""

import re
from collections.abc import Callable
from decimal import Decimal

import jax.numpy as jnp
import numpy as np
import pytest

NO_NUMBERS = {
    "nan": float("nan"),
    "infinite": float("inf"),
    "minus infinite": -np.inf,
    "nan of numpy": np.float32("nan"),
    "nan of jax": jnp.asarray(jnp.nan),
    "true": True,
    "true of numpy": np.True_,
    "text": "3.0",
    "bytes": b"3",
    "complex": 1 + 0j,
    "complex of numpy": np.complex64(1),
    "object": object(),
    "decimal": Decimal(1),
    "date": np.datetime64("2024-01-01"),
    "dictionary": {"a": 1.0},
    "set": {1.0},
    "ragged": [[1.0], [1.0, 2.0]],
}
"""What no parameter takes."""

ARRAYS = {
    "one": [0.5],
    "one of numpy": np.array([0.5]),
    "of the voxels": np.full((4, 4, 4), 0.5),
    "along z": jnp.full(4, 0.5),
    "along y": np.full((4, 1), 0.5),
    "in a corner": np.full((1, 1, 1), 0.5),
}
"""What no parameter takes that must be a single number."""


def forms(value: float) -> dict[str, object]:
    """A number in the forms in which users have it."""
    out = {
        "float": value,
        "float32": np.float32(value),
        "float16": np.float16(value),
        "array": np.array(value),
        "jax": jnp.asarray(value),
        "bfloat16": jnp.asarray(value, jnp.bfloat16),
        "big-endian": np.array(value, ">f8"),
    }
    if value == int(value):
        out |= {
            "int": int(value),
            "int64": np.int64(value),
            "uint8": np.uint8(value),
            "big int": np.array(value, ">i4"),
        }
    return out


def refuses(name: str, call: Callable, *arguments) -> None:
    """The call raises one sentence about the argument."""
    with pytest.raises(ValueError, match=r"^Argument `") as error:
        call(*arguments)
    assert re.fullmatch(rf"Argument `{name}` must .*[^.\n]\.", str(error.value)), str(error.value)
