"""What multigrid runs on a CPU: transfers, and products with nodal blocks; see `fem/_transfer.py` and `fem/_blocks.py`.

The call says which axes are periodic.
"""

from __future__ import annotations

from ._ends import ends, within
from ._memory import HALF, allocate, compiled, data, free, missing, part, shape, shifted
from ._rows import FAST, add_times, clear

BLOCKS, RESTRICTED, CORRECTED = range(3)
"""What may be asked for."""


@compiled(fastmath=FAST, inline="never")
def _times_blocks(blocks, field, out, size, count):
    """Product of symmetric 3×3 blocks 11 22 33 23 13 12 with a field of nodes, whose components are `size` apart."""
    for k in range(count):
        x, y, z = field[k], field[size + k], field[2 * size + k]
        yz, xz, xy = blocks[3 * size + k], blocks[4 * size + k], blocks[5 * size + k]
        out[k] = blocks[k] * x + xy * y + xz * z
        out[size + k] = xy * x + blocks[size + k] * y + yz * z
        out[2 * size + k] = xz * x + yz * y + blocks[2 * size + k] * z


@compiled()
def _blocks(buffers, first, end, one):
    """Products (cells, 3, x, y, z) of the blocks (cells, 6, x, y, z) with a field."""
    nodes = shape(buffers, 2)
    plane = nodes[3] * nodes[4]
    size = nodes[2] * plane
    for unit in range(first, end):
        cell = unit // nodes[2]
        begin = (unit - cell * nodes[2]) * plane
        blocks = shifted(part(buffers, 1, 6 * size, cell, one), begin)
        field = shifted(part(buffers, 2, 3 * size, cell, one), begin)
        _times_blocks(blocks, field, shifted(part(buffers, 3, 3 * size, cell, one), begin), size, plane)
    return True


@compiled(fastmath=FAST)
def _restricted(buffers, first, end, one):
    """Forces on coarse nodes (cells, 3, x, y, z): along each axis that of the fine node and half of its neighbours'."""
    f, g = shape(buffers, 1), shape(buffers, 2)
    around_x, around_y, around_z = ends(buffers)
    fine, coarse = f[2] * f[3] * f[4], g[2] * g[3] * g[4]
    half = one / (one + one)
    place = allocate(f[4] + 2, one)
    if missing(place):
        return False
    row = shifted(place, 1)
    for unit in range(first, end):
        cell = unit // g[2]
        i = unit - cell * g[2]
        source, out = part(buffers, 1, 3 * fine, cell, one), part(buffers, 2, 3 * coarse, cell, one)
        for c in range(3):
            for j in range(g[3]):
                clear(shifted(row, -1), f[4] + 2)
                for a in range(-1, 2):
                    x = within(2 * i + a, f[2], around_x)
                    for b in range(-1, 2):
                        y = within(2 * j + b, f[3], around_y)
                        if x >= 0 and y >= 0:
                            share = (one if a == 0 else half) * (one if b == 0 else half)
                            add_times(row, share, shifted(source, ((c * f[2] + x) * f[3] + y) * f[4]), f[4])
                if around_z:
                    row[-1] = row[f[4] - 1]
                to = ((c * g[2] + i) * g[3] + j) * g[4]
                for z in range(g[4]):
                    out[to + z] = row[2 * z] + half * (row[2 * z - 1] + row[2 * z + 1])
    free(place)
    return True


@compiled(fastmath=FAST)
def _corrected(buffers, first, end, one):
    """A displacement (cells, 3, x, y, z) with that of the coarse grid added, trilinear between its nodes."""
    g, f = shape(buffers, 1), shape(buffers, 2)
    around_x, around_y, around_z = ends(buffers)
    fine, coarse = f[2] * f[3] * f[4], g[2] * g[3] * g[4]
    half = one / (one + one)
    row = allocate(g[4] + 1, one)
    if missing(row):
        return False
    for unit in range(first, end):
        cell = unit // f[2]
        i = unit - cell * f[2]
        source = part(buffers, 1, 3 * coarse, cell, one)
        value, out = part(buffers, 2, 3 * fine, cell, one), part(buffers, 3, 3 * fine, cell, one)
        for c in range(3):
            for j in range(f[3]):
                clear(row, g[4] + 1)
                for a in range(1 + i % 2):
                    x = within(i // 2 + a, g[2], around_x)
                    for b in range(1 + j % 2):
                        y = within(j // 2 + b, g[3], around_y)
                        share = (half if i % 2 else one) * (half if j % 2 else one)
                        add_times(row, share, shifted(source, ((c * g[2] + x) * g[3] + y) * g[4]), g[4])
                if around_z:
                    row[g[4]] = row[0]
                to = ((c * f[2] + i) * f[3] + j) * f[4]
                for z in range(f[4] - f[4] // 2):
                    out[to + 2 * z] = value[to + 2 * z] + row[z]
                for z in range(f[4] // 2):
                    out[to + 2 * z + 1] = value[to + 2 * z + 1] + half * (row[z] + row[z + 1])
    free(row)
    return True


@compiled(inline="always")
def compute(buffers, first, end, one):
    """What is asked for, of a range of planes; false if there was no room."""
    what = data(buffers, 0, HALF)[0]
    if what == BLOCKS:
        return _blocks(buffers, first, end, one)
    if what == RESTRICTED:
        return _restricted(buffers, first, end, one)
    return _corrected(buffers, first, end, one)
