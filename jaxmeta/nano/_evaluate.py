"""Energy, forces and stress of atoms anywhere: host functions, in float64 whatever JAX's switch says."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float

from .._arguments import require_kind
from .._numbers import refused
from ._cells import Cell, checked_cell, checked_positions
from ._curvature import compiled_hessian
from ._eam import EAM
from ._energy import Geometry, compiled_energies, compiled_gradient, compiled_virial
from ._neighbors import table_of

Flags = tuple[bool, bool, bool]
_FREE: Flags = (False, False, False)


def energies(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    occupancy: Float[ArrayLike, "n"] | None = None,
) -> Float[np.ndarray, "n"]:
    """The energy of every atom, eᵢ = sᵢ (F(ρᵢ) + ½ Σⱼ sⱼ φ(rᵢⱼ)), in eV.

    Args:
        potential: of the atoms.
        positions: in Å.
        cell: its rows are the lattice vectors, in Å; those of axes that are not periodic do not matter. It may be
            thinner than the cutoff.
        pbc: along which of them the atoms repeat.
        occupancy: s, from 0 for a site without an atom to 1; 1 everywhere if omitted.

    Raises:
        ValueError: an argument is not as described, or two atoms are less than 1 Å apart.

    Example:
        >>> import numpy as np, jaxmeta as jm
        >>> cell = 4.05 / 2 * (1 - np.eye(3))
        >>> jm.nano.energies(jm.nano.mishin1999(), np.zeros((1, 3)), cell, (True, True, True)).round(4)
        array([-3.36])
    """
    with jax.enable_x64(True):
        return np.asarray(compiled_energies(potential, _geometry(potential, positions, cell, pbc, occupancy)[0]))


def energy(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    occupancy: Float[ArrayLike, "n"] | None = None,
) -> float:
    """The energy of all atoms, or of a cell of them, in eV. Arguments and errors are those of `energies`.

    Example:
        >>> import jaxmeta as jm
        >>> round(jm.nano.energy(jm.nano.zhou2004("Al"), [[0.0, 0.0, 0.0], [2.6, 0.0, 0.0]]), 3)
        -1.273
    """
    return float(energies(potential, positions, cell, pbc, occupancy).sum())


def forces(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    occupancy: Float[ArrayLike, "n"] | None = None,
) -> Float[np.ndarray, "n 3"]:
    """The forces −∂E/∂x in eV/Å. Arguments and errors are those of `energies`."""
    with jax.enable_x64(True):
        return -np.asarray(compiled_gradient(potential, _geometry(potential, positions, cell, pbc, occupancy)[0])).T


def stress(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    cell: Float[ArrayLike, "3 3"],
    pbc: Flags = (True, True, True),
    occupancy: Float[ArrayLike, "n"] | None = None,
) -> Float[np.ndarray, "6"]:
    """The stress (∂E/∂ε)/V in eV/Å³, positive under tension, Voigt order 11 22 33 23 13 12.

    Arguments and errors are those of `energies`. V is the volume of the cell, which is needed for that; 1 eV/Å³ is
    160.2177 GPa.
    """
    if cell is None:
        raise refused("cell", "be given, for its volume", "is None")
    with jax.enable_x64(True):
        geometry, box = _geometry(potential, positions, cell, pbc, occupancy)
        return np.asarray(compiled_virial(potential, geometry)) / abs(np.linalg.det(box.vectors))


def hessian_product(
    potential: EAM,
    positions: Float[ArrayLike, "n 3"],
    field: Float[ArrayLike, "n 3"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    occupancy: Float[ArrayLike, "n"] | None = None,
) -> Float[np.ndarray, "n 3"]:
    """H u, the second derivative of the energy by the positions times a field u in Å; in eV/Å.

    Other arguments and errors are those of `energies`.
    """
    vector = checked_positions("field", field)
    with jax.enable_x64(True):
        geometry = _geometry(potential, positions, cell, pbc, occupancy)[0]
        if vector.shape != (geometry.occupancy.shape[0], 3):
            raise refused("field", "have the shape of `positions`", f"has shape {vector.shape}")
        return np.asarray(_product(compiled_hessian(potential, geometry), jnp.asarray(vector.T))).T


@jax.jit
def _product(operator: Any, field: jax.Array) -> jax.Array:
    return operator(field)


def _geometry(potential: EAM, positions: Any, cell: Any, pbc: Any, occupancy: Any) -> tuple[Geometry, Cell]:
    require_kind("potential", potential, (EAM,))
    where = checked_positions("positions", positions)
    box = checked_cell(cell, pbc)
    table = table_of(where, potential.cutoff, box)
    return Geometry(table, jnp.zeros((3, len(where))), jnp.asarray(checked_occupancy(occupancy, len(where)))), box


def checked_occupancy(occupancy: Any, count: int) -> Float[np.ndarray, "n"]:
    """An argument of occupancies.

    Raises:
        ValueError: it has another shape than (n,), or a number beyond [0, 1].
    """
    if occupancy is None:
        return np.ones(count)
    values = np.asarray(occupancy)
    if values.shape != (count,):
        raise refused("occupancy", f"have shape ({count},)", f"has shape {values.shape}")
    if values.dtype.kind not in "biuf":
        raise refused("occupancy", "be an array of real numbers", f"is {values.dtype}")
    values = values.astype(np.float64)
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        raise refused("occupancy", "lie in [0, 1]", f"is {values[wrong][0]:g}")
    return values
