"""Parameters that are checked where they are made, as pytrees."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeVar

import jax

Kind = TypeVar("Kind")


def parameters(kind: type[Kind]) -> type[Kind]:
    """Decorator of a frozen dataclass: a pytree whose leaves are its fields.

    A tree is put together again past `__init__` and its checks: leaves may be placeholders, or gradients, which have a
    right to be negative.
    """
    names = tuple(field.name for field in dataclasses.fields(kind))  # pyright: ignore[reportArgumentType]

    def flatten(made: Kind) -> tuple[tuple[tuple[Any, Any], ...], None]:
        return tuple((jax.tree_util.GetAttrKey(name), getattr(made, name)) for name in names), None

    def unflatten(_: None, leaves: Iterable[Any]) -> Kind:
        made = object.__new__(kind)
        for name, leaf in zip(names, leaves, strict=True):
            object.__setattr__(made, name, leaf)
        return made

    jax.tree_util.register_pytree_with_keys(kind, flatten, unflatten)
    return kind
