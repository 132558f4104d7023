"""Strict JSON: no NaN, no infinity, and NumPy values as plain numbers."""

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ._atomic import write_bytes
from ._errors import Path

NonFinite = Literal["raise", "null"]


def to_json(data: Any, *, non_finite: NonFinite = "raise", indent: int | None = None) -> str:
    """Turns nested mappings, sequences, dataclasses and arrays into JSON text that every parser accepts.

    Args:
        data: The value; arrays of any shape become nested lists.
        non_finite: "raise" refuses NaN and infinity and names their place; "null" writes `null` instead.
        indent: Spaces per level, or None for one line.

    Returns:
        The text.

    Raises:
        ValueError: For a number that is not finite, or a value that JSON has no form for.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import to_json
        >>> to_json({"stiffness": np.eye(2), "steps": np.int64(3)})
        '{"stiffness": [[1.0, 0.0], [0.0, 1.0]], "steps": 3}'
    """
    return json.dumps(_plain(data, "", non_finite), allow_nan=False, ensure_ascii=False, indent=indent)


def write_json(path: Path, data: Any, *, non_finite: NonFinite = "raise", overwrite: bool = False) -> None:
    """Writes strict JSON, indented, in UTF-8.

    Args:
        path: The file, `.json`.
        data: As in `to_json`.
        non_finite: As in `to_json`.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: As in `to_json`.

    Example:
        >>> from jaxmeta.io import write_json
        >>> write_json("report.json", {"young": 1.0})
    """
    write_bytes(path, (to_json(data, non_finite=non_finite, indent=2) + "\n").encode(), overwrite)


def _plain(value: Any, place: str, non_finite: NonFinite) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic | np.ndarray) or hasattr(value, "__array__"):
        value = np.asarray(value).tolist()
        if isinstance(value, list):
            return [_plain(item, f"{place}[{index}]", non_finite) for index, item in enumerate(value)]
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        if non_finite == "null":
            return None
        raise ValueError(f"The value at `{place or '.'}` must be a finite number for JSON, but is {value}.")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_key(key, place): _plain(item, f"{place}.{key}", non_finite) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{index}]", non_finite) for index, item in enumerate(value)]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise ValueError(f"The value at `{place or '.'}` must have a form in JSON, but is of type {type(value).__name__}.")


def _key(key: Any, place: str) -> str:
    if isinstance(key, str):
        return key
    raise ValueError(f"The keys at `{place or '.'}` must be text for JSON, but one is of type {type(key).__name__}.")
