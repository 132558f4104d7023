"""The 3×3 blocks of the nodes, from which damped block Jacobi sweeps are made.

A symmetric block has the entries 11 22 33 23 13 12. A CPU runs kernels of `cpu` (see `_cells.py`).
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from ._boundary import Block, Boundary, Periodic, nodes
from ._cells import CPUKernel, Shaped, of_one, operation
from ._fields import Known, MaterialField, constants, of_constants
from ._form import form


def inverse_where_positive(diagonal: Array) -> Array:
    """1/x where x is positive, else 0."""
    positive = diagonal > 0
    return jnp.where(positive, 1 / jnp.where(positive, diagonal, 1), 0)


def block_product(
    blocks: Float[Array, "6 x y z"], field: Float[Array, "3 x y z"], boundary: Boundary
) -> Float[Array, "3 x y z"]:
    """Product of the blocks with a nodal field. No derivative."""
    return of_one(_PRODUCT, blocks, field) if boundary.whole else plain_product(blocks, field)


def damped_inverses(
    material: Known, spacing: Float[Array, "3"], boundary: Periodic | Block, damping: Float[Array, ""]
) -> Float[Array, "6 x y z"]:
    """`inverses` of the blocks, times a factor. No derivative."""
    moduli = constants(material)
    nodes = boundary.nodes(moduli[0].shape) if boundary.holds else (1, 1, 1)
    free = boundary.free(jnp.ones((3, *nodes), moduli[0].dtype))
    return of_one(_INVERSES, spacing, free, damping, *moduli, periodic=boundary.periodic)


def inverses(blocks: Float[Array, "6 x y z"], free: Float[Array, "3 x y z"]) -> Float[Array, "6 x y z"]:
    """Inverses of the blocks on the free components of every node; zero in void.

    With the diagonal a and the entries o = (23, 13, 12) of a symmetric block, and i, j, k cyclic, its cofactors are
    a_j a_k − o_i² on the diagonal and o_j o_k − a_i o_i off it.

    Args:
        blocks: held components included.
        free: one on free components and zero on held ones.
    """
    size = blocks[0] + blocks[1] + blocks[2]
    scaled = blocks * inverse_where_positive(size)[None]
    # Held components are cut off with a unit entry, which is taken away again from the inverse.
    a = [free[i] * scaled[i] + (1 - free[i]) for i in range(3)]
    o = [free[i - 2] * free[i - 1] * scaled[3 + i] for i in range(3)]
    on = [a[i - 2] * a[i - 1] - o[i] ** 2 for i in range(3)]
    off = [o[i - 2] * o[i - 1] - a[i] * o[i] for i in range(3)]
    determinant = a[0] * on[0] + o[1] * off[1] + o[2] * off[2]
    scale = jnp.where(size > 0, 1 / jnp.where(size > 0, determinant * size, 1), 0)
    return jnp.stack([scale * free[i] * on[i] for i in range(3)] + [scale * entry for entry in off])


def nodal_blocks(boundary: Periodic | Block, material: MaterialField, spacing: Array) -> Array:
    """Blocks of a grid with a boundary condition, held components included, (6, x, y, z)."""
    ghosted = material.map(boundary.ghost_elements)
    return form(ghosted).nodal_blocks(ghosted, spacing)


def plain_product(blocks: Array, field: Array) -> Array:
    """`block_product` as an expression."""
    xx, yy, zz, yz, xz, xy = blocks
    x, y, z = field
    return jnp.stack([xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z])


def _plain_inverses(spacing: Array, free: Array, damping: Array, *moduli: Array, periodic: tuple[bool, ...]) -> Array:
    blocks = nodal_blocks(Block.of(periodic), of_constants(*moduli), spacing)
    return damping * inverses(blocks, jnp.broadcast_to(free, (3, *blocks.shape[1:])))


def _product_planes(_: Shaped, field: Shaped) -> tuple[int, int]:
    return field.shape[2], field.shape[3] * field.shape[4]


def _inverse_planes(*operands: Shaped, periodic: tuple[bool, ...]) -> tuple[int, int]:
    x, y, z = nodes(operands[-1].shape[1:], periodic)
    return x, y * z


_PRODUCT = operation(
    "block_product", plain_product, lambda _, field: field.shape, CPUKernel("multigrid", 0, _product_planes)
)
_INVERSES = operation(
    "damped_inverses",
    _plain_inverses,
    lambda *operands, periodic: (6, *nodes(operands[-1].shape, periodic)),
    CPUKernel("inverses", 0, _inverse_planes),
)
