"""The preconditioner of atoms: a voxel grid for what is smooth, the 3×3 blocks of the atoms for what is not.

The residual r of the atoms is answered by

    M r = D⁻¹ r + P V Pᵀ r,

with D the diagonal blocks of the Hessian, P trilinear interpolation from the nodes of a grid to the atoms, and V one
cycle of multigrid for the finite elements of the same region. A voxel is about as large as the cubic cell of the
crystal and has its elastic constants (Cauchy–Born), averaged over directions, times the share of its volume that atoms
take. A node is held when no free atom lies in the voxels around it. So steps do not grow with the length of a beam: the
slow modes are those of a beam of elastic solid, and multigrid knows them.

Both parts are symmetric, and positive; their sum costs no product with the Hessian beyond that of a CG step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float

from ..fem import Block, IsotropicField, Multigrid, Stiffness
from ._cells import Cell
from ._crystal import Crystal
from ._curvature import Hessian
from ._energy import lookup
from ._halo import Halo, placed

Linear = Callable[[Array], Array]
_ROWS = 48
"""Least atoms around a node in the tables: a crystal has 32, and one compiled program serves most bodies."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coarse:
    """A voxel grid around atoms. A pytree.

    Args:
        nodes: numbers of the eight nodes around every atom, (8, n).
        weights: by which they make its displacement, (8, n).
        atoms: numbers of the atoms around every node, n where there are no more, (k, m); of atoms that devices share
            None: every device adds up what its own atoms give.
        shares: the same weights, (k, m).
        stiffness: of the voxels, in eV/Å³ and Å.
        halo: of atoms that devices share.
    """

    nodes: Array
    weights: Array
    atoms: Array | None
    shares: Array | None
    stiffness: Stiffness
    halo: Halo | None = None

    def correction(self) -> Linear:
        """P V Pᵀ."""
        cycle = Multigrid()(self.stiffness)
        shape = (3, *self.stiffness.nodes)

        def correct(residual: Array) -> Array:
            coarse = cycle(self._collected(residual).reshape(shape)).reshape(3, -1)

            def spread(k: Array, total: Array) -> Array:
                there = coarse.at[:, self.nodes[k]].get(mode="promise_in_bounds")
                return total + self.weights[k][None] * there

            return lax.fori_loop(0, 8, spread, jnp.zeros_like(residual))

        return correct

    def _collected(self, residual: Float[Array, "3 n"]) -> Float[Array, "3 m"]:
        """Pᵀ r."""
        start = jnp.zeros((3, math.prod(self.stiffness.nodes)), residual.dtype)
        if self.halo is not None:

            def of_block(nodes: Array, weights: Array, residual: Array) -> Array:
                def give(k: Array, total: Array) -> Array:
                    return total.at[:, nodes[k]].add(weights[k][None] * residual)

                return lax.fori_loop(0, 8, give, start)

            return self.halo.summed(of_block, self.nodes, self.weights, residual)
        assert self.atoms is not None and self.shares is not None
        atoms, shares, around = self.atoms, self.shares, lookup(residual, None)

        def collect(k: Array, total: Array) -> Array:
            return total + shares[k][None] * around(atoms[k])

        return lax.fori_loop(0, atoms.shape[0], collect, start)


def coarse_grid(
    where: Float[np.ndarray, "n 3"],
    there: np.ndarray,
    free: np.ndarray,
    box: Cell,
    solid: Crystal,
    total: int,
    frame: np.ndarray | None = None,
    halo: Halo | None = None,
) -> Coarse:
    """The grid of some atoms.

    Args:
        where: their positions, in Å.
        there: which of them are there, (n,).
        free: one for those that move, else zero, (n,).
        box: their cell, whose periodic vectors lie along the axes.
        solid: their crystal.
        total: number of atoms in the arrays, the last of which are not there.
        frame: lowest and highest positions, (2, 3); those of the atoms if omitted.
        halo: of atoms that devices share.
    """
    a = solid.lattice_constant
    periodic = np.array(box.pbc)
    inside, _ = box.wrapped(where)
    first, last = (inside.min(0), inside.max(0)) if frame is None else frame
    low = np.where(periodic, 0.0, first - a / 4)
    high = np.where(periodic, np.diag(box.vectors), last + a / 4)
    count = np.maximum(1, np.rint((high - low) / a).astype(int))
    spacing = (high - low) / count
    place = (inside - low) / spacing
    voxel = np.clip(np.floor(place).astype(int), 0, count - 1)
    rest = place - voxel
    filled = np.bincount(np.ravel_multi_index(tuple(voxel[there].T), tuple(count)), minlength=count.prod())
    density = np.minimum(filled.reshape(count) * (a**3 / 4 / spacing.prod()), 1.0)

    shape = tuple(count + ~periodic)
    nodes, weights = np.zeros((8, total), np.int32), np.zeros((8, total))
    for k, corner in enumerate(np.ndindex(2, 2, 2)):
        there = (voxel + corner) % np.where(periodic, count, count + 1)
        nodes[k, : len(where)] = np.ravel_multi_index(tuple(there.T), shape)
        weights[k, : len(where)] = np.where(corner, rest, 1 - rest).prod(1) * free
    size = int(np.prod(shape))
    loose = np.bincount(nodes.ravel(), weights.ravel(), size) > 0
    mask = jnp.asarray(np.broadcast_to(loose.reshape(shape), (3, *shape)))
    shear = (solid.c11 - solid.c12 + 3 * solid.c44) / 5
    bulk = (solid.c11 + 2 * solid.c12) / 3
    modulus = jnp.asarray(density)
    field = IsotropicField((bulk - 2 * shear / 3) * modulus, shear * modulus)
    kinds = Block.of(box.pbc).kinds
    stiffness = Stiffness(field, jnp.asarray(spacing), Block(kinds, mask=mask))
    if halo is not None:
        return Coarse(placed(nodes, halo.mesh), placed(weights, halo.mesh), None, None, stiffness, halo)
    return Coarse(jnp.asarray(nodes), jnp.asarray(weights), *_transposed(nodes, weights, size), stiffness)


def _transposed(nodes: np.ndarray, weights: np.ndarray, size: int) -> tuple[Array, Array]:
    """For every node the atoms around it and their weights."""
    total = nodes.shape[1]
    entries = np.flatnonzero(weights.ravel())
    entries = entries[np.argsort(nodes.ravel()[entries], kind="stable")]
    node = nodes.ravel()[entries]
    counts = np.bincount(node, minlength=size)
    slot = np.arange(len(node)) - (np.cumsum(counts) - counts)[node]
    rows = max(_ROWS, -(-int(counts.max(initial=0)) // 8) * 8)
    atoms, shares = np.full((rows, size), total, np.int32), np.zeros((rows, size))
    atoms[slot, node] = entries % total
    shares[slot, node] = weights.ravel()[entries]
    return jnp.asarray(atoms), jnp.asarray(shares)


def block_inverses(operator: Hessian, free: Float[Array, "n"]) -> Linear:
    """D⁻¹ on the free atoms. A block that is not positive definite gives way to a number of its size."""
    xx, yy, zz, yz, xz, xy = operator.blocks()
    on = jnp.stack([yy * zz - yz * yz, xx * zz - xz * xz, xx * yy - xy * xy])
    off = jnp.stack([xz * xy - xx * yz, yz * xy - yy * xz, yz * xz - zz * xy])
    determinant = xx * on[0] + xy * off[2] + xz * off[1]
    size = (jnp.abs(xx) + jnp.abs(yy) + jnp.abs(zz)) / 3
    good = (xx > 0) & (on[2] > 0) & (determinant > 1e-3 * size**3)
    usual = jnp.max(size)
    one = free / jnp.where(size > 1e-3 * usual, size, usual)
    scale = jnp.where(good, free / jnp.where(good, determinant, 1), 0)
    diagonal = jnp.where(good[None], scale[None] * on, one[None])
    a, b, c = off * scale[None]

    def apply(residual: Array) -> Array:
        x, y, z = residual
        return jnp.stack([
            diagonal[0] * x + c * y + b * z, c * x + diagonal[1] * y + a * z, b * x + a * y + diagonal[2] * z
        ])  # fmt: skip

    return apply
