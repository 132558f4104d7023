"""What multigrid runs on a CPU: transfers and nodal blocks; see `fem/_transfer.py` and `fem/_blocks.py`.

The call says which axes are periodic.
"""

from __future__ import annotations

from ._memory import HALF, allocate, compiled, data, free, missing, part, shape, shifted
from ._rows import FAST, add_times, clear

BLOCKS, RESTRICTED, CORRECTED, INVERSES = range(4)
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


@compiled(fastmath=FAST, inline="never")
def _add_moduli(rows, width, lmbda, mu, along_x, along_y, count):
    """Add λ, μ, and λ + μ with the signs of the products of two slopes xy, x, y, of a row of voxels."""
    for z in range(count):
        both = lmbda[z] + mu[z]
        rows[z] += lmbda[z]
        rows[width + z] += mu[z]
        rows[2 * width + z] += along_x * along_y * both
        rows[3 * width + z] += along_x * both
        rows[4 * width + z] += along_y * both


@compiled(fastmath=FAST, inline="never")
def _invert(rows, width, mask, held, spacing, damping, out, size, count, one):
    """Damped inverses of the blocks of a row of nodes, each between the voxels z and z + 1 of the rows."""
    zero = one - one
    third, quarter = one / (one + one + one), one / (one + one + one + one)
    volume = spacing[0] * spacing[1] * spacing[2]
    ax, ay, az = one / spacing[0], one / spacing[1], one / spacing[2]
    ninth, twelfth = volume * third * third, volume * third * quarter
    for z in range(count):
        l = rows[z] + rows[z + 1]
        m = rows[width + z] + rows[width + z + 1]
        xx, yy, zz = ninth * ax * ax, ninth * ay * ay, ninth * az * az
        shear = (xx + yy + zz) * m
        a0, a1, a2 = xx * (l + m) + shear, yy * (l + m) + shear, zz * (l + m) + shear
        o2 = twelfth * ax * ay * (rows[2 * width + z] + rows[2 * width + z + 1])
        o1 = twelfth * ax * az * (rows[3 * width + z] - rows[3 * width + z + 1])
        o0 = twelfth * ay * az * (rows[4 * width + z] - rows[4 * width + z + 1])
        f0 = mask[z] if held else one
        f1 = mask[size + z] if held else one
        f2 = mask[2 * size + z] if held else one
        trace = a0 + a1 + a2
        solid = trace > zero
        scale = one / trace if solid else zero
        a0, a1, a2 = f0 * a0 * scale + (one - f0), f1 * a1 * scale + (one - f1), f2 * a2 * scale + (one - f2)
        o0, o1, o2 = f1 * f2 * o0 * scale, f0 * f2 * o1 * scale, f0 * f1 * o2 * scale
        on0, on1, on2 = a1 * a2 - o0 * o0, a2 * a0 - o1 * o1, a0 * a1 - o2 * o2
        off0, off1, off2 = o1 * o2 - a0 * o0, o2 * o0 - a1 * o1, o0 * o1 - a2 * o2
        determinant = a0 * on0 + o1 * off1 + o2 * off2
        scale = damping * scale / determinant if solid else zero
        out[z], out[size + z], out[2 * size + z] = scale * f0 * on0, scale * f1 * on1, scale * f2 * on2
        out[3 * size + z], out[4 * size + z], out[5 * size + z] = scale * off0, scale * off1, scale * off2


@compiled()
def _inverses(buffers, first, end, one):
    """Damped inverses (cells, 6, x, y, z) of the blocks of the nodes, from λ, μ, the spacing, the free components and
    the damping. The voxel that begins at a node sees its low corner, the one before it the high one."""
    e, n = shape(buffers, 1), shape(buffers, 6)
    voxels, nodes = e[1] * e[2] * e[3], n[2] * n[3] * n[4]
    around_x, around_y, around_z = _ends(buffers)
    free_nodes = shape(buffers, 4)
    held = free_nodes[2] * free_nodes[3] * free_nodes[4] == nodes
    width = e[3] + 2
    rows = allocate(5 * width, one)
    if missing(rows):
        return False
    for unit in range(first, end):
        cell = unit // n[2]
        i = unit - cell * n[2]
        lmbda, mu = part(buffers, 1, voxels, cell, one), part(buffers, 2, voxels, cell, one)
        spacing, mask = part(buffers, 3, 3, cell, one), part(buffers, 4, 3 * nodes if held else 3, cell, one)
        damping = part(buffers, 5, 1, cell, one)[0]
        out = part(buffers, 6, 6 * nodes, cell, one)
        for j in range(n[3]):
            clear(rows, 5 * width)
            for a in range(2):
                x = _within(i - a, e[1], around_x)
                for b in range(2):
                    y = _within(j - b, e[2], around_y)
                    if x >= 0 and y >= 0:
                        at = (x * e[2] + y) * e[3]
                        low_x, low_y = (one if a else -one), (one if b else -one)
                        _add_moduli(shifted(rows, 1), width, shifted(lmbda, at), shifted(mu, at), low_x, low_y, e[3])
            if around_z:
                for k in range(5):
                    rows[k * width] = rows[k * width + e[3]]
            at = (i * n[3] + j) * n[4]
            to = shifted(out, at)
            _invert(rows, width, shifted(mask, at if held else 0), held, spacing, damping, to, nodes, n[4], one)
    free(rows)
    return True


@compiled()
def _ends(buffers):
    """Which axes are periodic."""
    ends = data(buffers, 0, HALF)[4]
    return (ends & 1) != 0, (ends & 2) != 0, (ends & 4) != 0


@compiled()
def _within(k, size, periodic):
    """The plane k, which may be one before the first or after the last; −1 if there is none."""
    if 0 <= k < size:
        return k
    return (k + size) % size if periodic else -1


@compiled(fastmath=FAST)
def _restricted(buffers, first, end, one):
    """Forces on coarse nodes (cells, 3, x, y, z): along each axis that of the fine node and half of its neighbours'."""
    f, g = shape(buffers, 1), shape(buffers, 2)
    around_x, around_y, around_z = _ends(buffers)
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
                    x = _within(2 * i + a, f[2], around_x)
                    for b in range(-1, 2):
                        y = _within(2 * j + b, f[3], around_y)
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
    around_x, around_y, around_z = _ends(buffers)
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
                    x = _within(i // 2 + a, g[2], around_x)
                    for b in range(1 + j % 2):
                        y = _within(j // 2 + b, g[3], around_y)
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
    if what == INVERSES:
        return _inverses(buffers, first, end, one)
    return _corrected(buffers, first, end, one)
