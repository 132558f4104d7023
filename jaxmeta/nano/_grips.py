"""Checks of what is held and how it is moved: bodies that hang on nothing, grips that touch."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .._numbers import refused
from ._cells import checked_positions
from ._neighbors import Neighbors

_NEAREST = 18
"""Neighbours of an atom by which it hangs on others."""
_RIGID = 1e-6
"""Largest part of a grip's motion that is none of a rigid body."""


def checked_direction(direction: Any, held: np.ndarray) -> np.ndarray:
    """An argument that says how held atoms move.

    Raises:
        ValueError: it is no array (n, 3) of finite numbers, is zero, or is not zero at atoms that are free.
    """
    moved = checked_positions("direction", direction)
    if moved.shape != (len(held), 3):
        raise refused("direction", f"have shape ({len(held)}, 3)", f"has shape {moved.shape}")
    if not held.any():
        raise refused("held", "hold some atoms", "holds none")
    if moved[~held].any():
        atom = int(np.flatnonzero(~held & moved.any(1))[0])
        raise refused("direction", "be zero at atoms that are not held", f"is {moved[atom].tolist()} at atom {atom}")
    if not moved.any():
        raise refused("direction", "move some atoms", "is zero everywhere")
    return moved


def require_held(table: Neighbors, cutoff: float, held: np.ndarray) -> None:
    """Refuse atoms that hang on nothing that is held.

    Raises:
        ValueError: there are some.
    """
    labels = _parts(table, cutoff, np.ones(len(held), bool), _NEAREST)
    loose = ~np.isin(labels, labels[held])
    if loose.any():
        first = int(np.flatnonzero(loose)[0])
        raise refused(
            "held", "hold every body", f"{np.count_nonzero(loose)} atoms hang on nothing, atom {first} among them"
        )


def require_apart(table: Neighbors, cutoff: float, held: np.ndarray, where: np.ndarray, moved: np.ndarray) -> None:
    """Refuse grips that reach each other.

    Atoms of a grip move as a rigid body. Held atoms that reach each other belong to one grip.

    Raises:
        ValueError: held atoms reach each other and do not move as a rigid body.
    """
    labels = _parts(table, cutoff, held, None)
    for label in np.unique(labels[held]):
        grip = np.flatnonzero((labels == label) & held)
        if np.ptp(moved[grip], axis=0).max() == 0:
            continue
        x, y, z = (where[grip] - where[grip].mean(0)).T
        zero, one = np.zeros_like(x), np.ones_like(x)
        turns = [(zero, -z, y), (z, zero, -x), (-y, x, zero)]
        shifts = [(one, zero, zero), (zero, one, zero), (zero, zero, one)]
        rigid = np.array([np.stack(motion, 1).ravel() for motion in turns + shifts]).T
        rest = moved[grip].ravel() - rigid @ np.linalg.lstsq(rigid, moved[grip].ravel(), rcond=None)[0]
        if abs(rest).max() > _RIGID * abs(moved[grip]).max():
            raise refused(
                "held",
                "keep grips further apart than the cutoff, each moved as a rigid body",
                f"the {len(grip)} atoms with atom {int(grip[0])} reach each other and are moved otherwise",
            )


def _parts(table: Neighbors, cutoff: float, chosen: np.ndarray, nearest: int | None) -> np.ndarray:
    """Numbers of the parts into which chosen atoms fall."""
    count = len(chosen)
    index = table.numbers(nearest)[:, :count]
    offset = np.asarray(table.offset)[: len(index), :, :count]
    known = np.append(chosen, np.zeros(table.count + 1 - count, bool))
    near = (np.sum(offset**2, 1) < cutoff**2) & known[index] & chosen
    neighbor, atom = index[near], np.broadcast_to(np.arange(count), index.shape)[near]
    graph = coo_array((np.ones(len(atom), np.int8), (atom, neighbor)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def padded(field: np.ndarray, total: int) -> Any:
    """A field (n, 3) of the atoms as an array (3, total), zero for those that fill up."""
    out = np.zeros((3, total))
    out[:, : len(field)] = field.T
    return jnp.asarray(out)
