"""The file of a model: HDF5, weights in half precision.

Schema 1. Attributes: `format` ("jaxmeta diffusion"), `schema` (1), `network` and `schedule` (JSON), `notes` (JSON: what
is known of the training), `version` (of jaxmeta), `licence`, `digest` (SHA-256 of the bytes of the weights). One
dataset at the top, `weights`: all arrays one after the other, in the order of JAX's leaves (names in alphabetical
order), each in C order, float16, little-endian.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pathlib
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from ..io import FileError, Path, brief, file_error, system_text, write_bytes
from ._model import Model, shapes
from ._schedule import Schedule
from ._settings import BoxNet, GridNet, Network, WedgeNet

FORMAT = "jaxmeta diffusion"
SCHEMA = 1
LICENCE = "CC-BY-4.0"
SHIPPED = pathlib.Path(__file__).with_name("weights.h5")
"""The weights that come with the package."""
_KINDS: dict[str, type] = {"wedge": WedgeNet, "grid": GridNet, "box": BoxNet}
_MOST = 2048
"""Largest number among the sizes of a network in a file."""


def save(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Write a model whole or not at all.

    Args:
        model: any model; its weights are rounded to half precision.
        path: the file, .h5.
        overwrite: whether an existing file may be replaced.

    Raises:
        FileError: the file exists or cannot be written.
        ValueError: a weight is not finite, or too large for half precision.

    Example:
        >>> import jax
        >>> from jaxmeta.diffusion import WedgeNet, load, new_model, save
        >>> model = new_model(WedgeNet(8, 4, (8, 8), (0, 0), 8), jax.random.key(0))
        >>> save(model, "weights.h5", overwrite=True)
        >>> load("weights.h5").count == model.count
        True
    """
    import h5py

    with np.errstate(over="ignore"):
        flat = np.concatenate([np.asarray(leaf).ravel().astype("<f2") for leaf in jax.tree.leaves(model.weights)])
    if not np.isfinite(flat).all():
        raise ValueError("Argument `model` must have finite weights below 65,504, but has others.")
    kind = next(name for name, kind in _KINDS.items() if isinstance(model.network, kind))
    attributes = {
        "format": FORMAT,
        "schema": SCHEMA,
        "network": json.dumps({"kind": kind, **asdict(model.network)}),
        "schedule": json.dumps(model.schedule._asdict()),
        "notes": model.notes,
        "version": version("jaxmeta"),
        "licence": LICENCE,
        "digest": hashlib.sha256(flat.tobytes()).hexdigest(),
    }
    content = io.BytesIO()
    with h5py.File(content, "w", libver="v110") as file:
        file.attrs.update(attributes)
        file["weights"] = flat
    write_bytes(path, content.getvalue(), overwrite)


def load(path: Path | None = None) -> Model:
    """Read a model.

    Args:
        path: the file; None reads the one that comes with the package.

    Returns:
        The model, in float32. `notes` say what is known of its training.

    Raises:
        FileError: the file is missing, damaged, something else, or of a newer schema.

    Example:
        >>> import jaxmeta as jm
        >>> jm.diffusion.load().count
        7187728
    """
    import h5py

    path = SHIPPED if path is None else path
    if not os.path.isfile(path):
        found = "it is a folder" if os.path.isdir(path) else "there is no such file"
        raise file_error(path, "opening", "a file of weights", found)
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except FileError:
        raise
    except (OSError, KeyError, RuntimeError) as error:
        raise file_error(path, "contents", "a whole HDF5 file", system_text(error)) from None


def _read(path: Path, file: Any) -> Model:
    found = {name: file.attrs.get(name) for name in ("format", "schema", "network", "schedule", "notes", "digest")}
    if found["format"] != FORMAT:
        raise file_error(path, "attribute `format`", f'"{FORMAT}"', f"it is {brief(found['format'])}")
    if not isinstance(found["schema"], (int, np.integer)) or found["schema"] > SCHEMA:
        raise file_error(
            path, "attribute `schema`", f"at most {SCHEMA}", f"it is {brief(found['schema'])}: update jaxmeta"
        )
    try:
        network = _network(json.loads(found["network"]))
        schedule = Schedule(**{name: float(value) for name, value in json.loads(found["schedule"]).items()})
        json.loads(found["notes"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise file_error(path, "attributes", "the settings of a network", system_text(error)) from None
    like = shapes(network)
    leaves, structure = jax.tree.flatten(like)
    count = sum(leaf.size for leaf in leaves)
    import h5py

    # Before memory is taken: the numbers must be as many as the network has, and really in the file.
    data = file.get("weights")
    if not isinstance(data, h5py.Dataset) or data.shape != (count,) or data.dtype != "<f2":
        raise file_error(path, "dataset `weights`", f"{count} numbers in half precision", "it is not so")
    if data.id.get_storage_size() != 2 * count or data.chunks is not None:
        raise file_error(path, "dataset `weights`", "numbers one after the other, none left out", "it is not so")
    flat = data[()]
    if hashlib.sha256(flat.tobytes()).hexdigest() != found["digest"]:
        raise file_error(path, "dataset `weights`", "the weights as they were written", "their digest differs")
    if not np.isfinite(flat).all():
        raise file_error(path, "dataset `weights`", "finite numbers", "some are not")
    parts = np.split(flat, np.cumsum([leaf.size for leaf in leaves])[:-1])
    arrays = [jax.numpy.asarray(part.reshape(leaf.shape), leaf.dtype) for part, leaf in zip(parts, leaves, strict=True)]
    return Model(network, jax.tree.unflatten(structure, arrays), schedule, str(found["notes"]))


def _network(stated: dict[str, Any]) -> Network:
    """A network from a file that is not trusted: all of its sizes are small numbers."""
    kind = _KINDS[stated.pop("kind")]
    sizes: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()}
    for name, value in sizes.items():
        many = name in ("features", "depth", "shape") or (name == "block" and kind is BoxNet)
        numbers = value if many else (value,)
        least = 0 if name == "depth" else 1
        if not isinstance(numbers, tuple) or len(numbers) > 8 or not all(_is_size(size, least) for size in numbers):
            raise ValueError(f"`{name}` is {brief(value)}")
    network = kind(**sizes)
    deepest = 0 if isinstance(network, GridNet) else max(network.depth)
    if max(network.shape) > 128 or deepest > 16:
        raise ValueError("a size is out of range")
    return network


def _is_size(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= _MOST
