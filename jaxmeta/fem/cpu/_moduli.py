"""Moduli of the voxels of a row, from the operands of a call: the arrays of two, three or twenty-one constants.

The kernels tell materials apart by the number of their constants: λ and μ of isotropic voxels; C11, C12 and C44 of
cubic ones; the upper triangle of C, row by row, of general ones. The first two have a stress of the same form,

    σ_i = l (ε_1 + ε_2 + ε_3) + d ε_i  (i ≤ 3),        σ_i = s ε_i  (i > 3),

with (l, d, s) = (λ, 2μ, μ) or (C12, C11 − C12, C44), and share all loops.
"""

from __future__ import annotations

from ._memory import compiled, part, shifted
from ._modes import STRIDE
from ._rows import FAST

ISOTROPIC, CUBIC, GENERAL = 2, 3, 21
"""Number of constants."""


@compiled(inline="always")
def row_count(constants):
    """Number of rows that moduli take: l, d, s, or the twenty-one constants."""
    return GENERAL if constants == GENERAL else 3


@compiled(inline="always")
def entry(i, j):
    """Place of C_ij in the upper triangle."""
    low, high = min(i, j), max(i, j)
    return low * 6 - low * (low - 1) // 2 + high - low


@compiled(inline="never")
def _copy(row, source, count):
    for z in range(count):
        row[z] = source[z]


@compiled(fastmath=FAST, inline="never")
def _less(row, first, second, count):
    for z in range(count):
        row[z] = first[z] - second[z]


@compiled(fastmath=FAST, inline="never")
def _twice(row, source, count):
    for z in range(count):
        row[z] = source[z] + source[z]


@compiled()
def load_moduli(rows, stride, source, size, begin, count, one):
    """Moduli of `count` voxels from number `begin` of a cell on, into rows a stride apart.

    The source says the buffers, which operands hold the constants, of `size` voxels to a cell: the number of the first
    one and how many there are; and the cell.
    """
    buffers, operand, constants, cell = source
    if constants == GENERAL:
        for k in range(GENERAL):
            constant = shifted(part(buffers, operand + k, size, cell, one), begin)
            _copy(shifted(rows, k * stride), constant, count)
        return
    first = shifted(part(buffers, operand, size, cell, one), begin)
    second = shifted(part(buffers, operand + 1, size, cell, one), begin)
    if constants == ISOTROPIC:
        _copy(rows, first, count)
        _twice(shifted(rows, stride), second, count)
        _copy(shifted(rows, 2 * stride), second, count)
    else:
        _copy(rows, second, count)
        _less(shifted(rows, stride), first, second, count)
        _copy(shifted(rows, 2 * stride), shifted(part(buffers, operand + 2, size, cell, one), begin), count)


@compiled()
def load_from_before(rows, source, voxels, x, y, z0, count, periodic, one):
    """Moduli of `count` voxels from (x, y, z0) on, behind that of the voxel before, into rows `STRIDE` apart.

    There is none before the first voxel unless z is periodic: it is void.
    """
    vx, vy, vz = voxels
    at = (x * vy + y) * vz
    load_moduli(shifted(rows, 1), STRIDE, source, vx * vy * vz, at + z0, count, one)
    load_moduli(rows, STRIDE, source, vx * vy * vz, at + (z0 - 1 if z0 else vz - 1), 1, one)
    if z0 == 0 and not periodic:
        for k in range(row_count(source[2])):
            rows[k * STRIDE] = 0
