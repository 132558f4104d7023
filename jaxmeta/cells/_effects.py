r"""What a flip of one voxel does to the effective stiffness, to first order, from one solve.

With total displacements :math:`u_i` under unit strains, taking voxel e away changes :math:`C_{ij}` by about
:math:`-u_i^T K_e u_j / N`; the exact change is larger, since the solid around it loses a support. Where solid is added,
the nodes that touch none so far follow: with s the nodes that touch solid and v those that do not, the voxel adds
:math:`K_{ss} - K_{sv} K_{vv}^+ K_{vs}`, and the exact change is smaller. Both are close to a fixed multiple of what is
computed here; `cells.fit_stiffness` learns it as it goes.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from ..elasticity import Isotropic
from ..fem import IsotropicField, element_matrices
from ..geometry.symmetry import Symmetry
from ._orbits import Orbits
from ._target import ENTRIES

_CORNERS = np.array(list(itertools.product((0, 1), repeat=3)))
_TENSORS = {0: [(0, 0)], 1: [(1, 1)], 2: [(2, 2)], 3: [(1, 2), (2, 1)], 4: [(0, 2), (2, 0)], 5: [(0, 1), (1, 0)]}
"""Entries of the strain tensor that a Voigt component is made of."""


@lru_cache(maxsize=8)
def _element(solid: Isotropic, spacing: tuple[float, float, float]) -> Float[np.ndarray, "24 24"]:
    with jax.enable_x64(True):  # so that what is kept does not depend on who asked first
        lmbda, mu = (jnp.full((1, 1, 1), constant, jnp.float64) for constant in solid.lame)
        return np.asarray(element_matrices(IsotropicField(lmbda, mu), spacing))[..., 0, 0, 0]


@lru_cache(maxsize=8)
def _condensed(solid: Isotropic, spacing: tuple[float, float, float]) -> Float[np.ndarray, "256 24 24"]:
    """Stiffness of a voxel by which of its corners touch solid (bit c of the number: corner c), the others free."""
    full = _element(solid, spacing)
    table = np.zeros((256, 24, 24))
    for pattern in range(256):
        held = np.array([pattern >> corner & 1 for corner in range(8)], bool)
        s, v = (np.flatnonzero(np.tile(which, 3)) for which in (held, ~held))
        inner = full[np.ix_(s, v)] @ np.linalg.pinv(full[np.ix_(v, v)], rcond=1e-8, hermitian=True)
        table[pattern][np.ix_(s, s)] = full[np.ix_(s, s)] - inner @ full[np.ix_(v, s)]
    return table


def _corner_values(
    fluctuation: Float[np.ndarray, "X Y Z 3"], strain: int, voxels: Int[np.ndarray, "k 3"], spacing: np.ndarray
) -> Float[np.ndarray, "24 k"]:
    """Total displacements ε⁰ x + ũ of the corners of voxels, x from the first corner: by component, then by corner."""
    tensor = np.zeros((3, 3))
    for a, b in _TENSORS[strain]:
        tensor[a, b] = 1.0 if a == b else 0.5
    nodes = (voxels[None] + _CORNERS[:, None]) % np.array(fluctuation.shape[:3])
    values = fluctuation[tuple(np.moveaxis(nodes, -1, 0))] + ((_CORNERS * spacing) @ tensor)[:, None]
    return np.moveaxis(values, -1, 0).reshape(24, -1)


def effects(
    density: Bool[np.ndarray, "x y z"],
    displacement: Float[np.ndarray, "loads X Y Z 3"],
    orbits: Orbits,
    solid: Isotropic,
    spacing: tuple[float, float, float],
) -> Float[np.ndarray, "entries orbits"]:
    """First-order changes of the free entries of C where each orbit is flipped; zero away from the interface.

    Args:
        density: where there is solid.
        displacement: fluctuations, from `homogenize`.
        orbits: of the density.
        solid: of which it is made.
        spacing: edges of a voxel.
    """
    around = orbits.around(density, 1)
    faces = sum(np.roll(around, step, axis)[1:-1, 1:-1, 1:-1].astype(np.int8) for axis in range(3) for step in (1, -1))
    x, y, z = density.shape
    node = np.zeros((x + 1, y + 1, z + 1), bool)
    for a, b, c in _CORNERS:
        node |= around[a : a + x + 1, b : b + y + 1, c : c + z + 1]
    removed, added = np.argwhere(density & (faces < 6)), np.argwhere(~density & (faces > 0))
    lengths = np.asarray(spacing)
    changes = np.zeros((len(ENTRIES[orbits.symmetry]), *density.shape))
    for voxels, sign in ((removed, -1.0), (added, 1.0)):
        loads = _loads(displacement, orbits.symmetry, voxels, lengths)
        if sign < 0:
            forces = {i: _element(solid, spacing) @ u for i, u in loads.items()}
        else:
            touch = [node[tuple((voxels + corner).T)] for corner in _CORNERS]
            pattern = sum(t.astype(int) << c for c, t in enumerate(touch))
            table = _condensed(solid, spacing)
            forces = {i: np.zeros_like(u) for i, u in loads.items()}
            for code in np.unique(pattern):
                some = pattern == code
                for i, u in loads.items():
                    forces[i][:, some] = table[code] @ u[:, some]
        for number, (i, j) in enumerate(ENTRIES[orbits.symmetry]):
            value = np.einsum("ak,ak->k", loads[i], forces[j])
            if orbits.symmetry == "cubic" and (i, j) == (0, 0):
                value = 0.5 * (value + np.einsum("ak,ak->k", loads[1], forces[1]))
            changes[number][tuple(voxels.T)] = sign * value
    return orbits.sums(changes) / (density.size * np.prod(lengths))


def _loads(
    displacement: np.ndarray, symmetry: Symmetry, voxels: np.ndarray, spacing: np.ndarray
) -> dict[int, Float[np.ndarray, "24 k"]]:
    if symmetry != "cubic":
        return {i: _corner_values(u, i, voxels, spacing) for i, u in enumerate(displacement)}
    xx, yz = displacement
    yy = xx.transpose(1, 0, 2, 3)[..., [1, 0, 2]]  # the same with the axes x and y exchanged
    return {i: _corner_values(u, i, voxels, spacing) for i, u in ((0, xx), (1, yy), (3, yz))}
