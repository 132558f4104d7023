"""The perfect FCC crystal of a potential: lattice constant, cohesive energy, elastic constants.

A uniform strain moves the neighbours of an atom from r to (1 + ε) r; there is one atom to a site, so that nothing
relaxes inside. With the energy e(ε) of an atom and its volume Ω = a³/4,

    C_ijkl = (1/Ω) ∂²e/∂ε_ij ∂ε_kl        where the crystal is free of stress.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .._arguments import require_kind
from .._numbers import refused
from ._cells import Cell
from ._eam import EAM
from ._energy import Geometry, site_energies
from ._neighbors import Neighbors, table_of

_STRAY = 0.02
"""A lattice may differ so much from the crystal of a potential."""


class Crystal(NamedTuple):
    """The FCC crystal free of stress.

    Attributes:
        lattice_constant: in Å.
        energy: of an atom in eV; its negative is the cohesive energy.
        c11, c12, c44: elastic constants in eV/Å³, of which one is 160.2177 GPa.
    """

    lattice_constant: float
    energy: float
    c11: float
    c12: float
    c44: float


def crystal(potential: EAM) -> Crystal:
    """The FCC crystal of a potential.

    Example:
        >>> import jaxmeta as jm
        >>> al = jm.nano.crystal(jm.nano.mishin1999())
        >>> print(f"{al.lattice_constant:.4f} {al.energy:.4f} {160.2177 * al.c11:.1f}")
        4.0500 -3.3600 113.8
    """
    require_kind("potential", potential, (EAM,))
    a = np.float64(potential.lattice_constant)  # a Python number would be another program
    with jax.enable_x64(True):
        primitive = Cell(a / 2 * (1 - np.eye(3)), (True, True, True))
        table = table_of(np.zeros((1, 3)), 1.1 * potential.cutoff, primitive)
        moduli: np.ndarray
        for _ in range(5):
            energy, slope, moduli = (np.asarray(x) for x in _at(potential, table.index, table.offset, a))
            a *= 1 - slope / (3 * (moduli[0] + 2 * moduli[1]))  # Newton's step, by a stretch of all axes
        energy, slope, moduli = (np.asarray(x) for x in _at(potential, table.index, table.offset, a))
    c11, c12, c44 = moduli / (a**3 / 4)
    return Crystal(float(a), float(energy), float(c11), float(c12), float(c44))


def require_lattice(potential: EAM, lattice_constant: float) -> None:
    """Refuse the lattice constant of a problem that is none of this potential.

    Raises:
        ValueError: it differs from the crystal's.
    """
    own = crystal(potential).lattice_constant
    if abs(lattice_constant / own - 1) > _STRAY:
        must = f"have a lattice constant near {own:.4f} Å, the crystal's"
        raise refused("problem", must, f"has {lattice_constant:g}")


@jax.jit
def _at(potential: EAM, index: Array, offset: Array, a: Array) -> tuple[Array, Array, Array]:
    """Energy of an atom, its derivative by a stretch, and its second ones by strains, 11 11, 11 22 and 23 23."""
    scale = a / potential.lattice_constant

    def energy(strain: Array) -> Array:
        xx, yy, zz, yz, xz, xy = strain
        turn = jnp.stack([1 + xx, xy / 2, xz / 2, xy / 2, 1 + yy, yz / 2, xz / 2, yz / 2, 1 + zz]).reshape(3, 3)
        moved = scale * jnp.einsum("ij,kjn->kin", turn, offset, precision="highest")
        geometry = Geometry(Neighbors(index, moved, 0.0), jnp.zeros((3, 1)), jnp.ones(1))
        return site_energies(potential, geometry)[0]

    zero, unit = jnp.zeros(6), jnp.eye(6)

    def slope(along: Array) -> Array:
        return jax.jvp(energy, (zero,), (along,))[1]

    def second(first: Array, other: Array) -> Array:
        return jax.jvp(lambda strain: jax.jvp(energy, (strain,), (first,))[1], (zero,), (other,))[1]

    pairs = ((unit[0], unit[0]), (unit[0], unit[1]), (unit[3], unit[3]))
    return energy(zero), slope(unit[0] + unit[1] + unit[2]), jnp.stack([second(x, y) for x, y in pairs])
