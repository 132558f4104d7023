"""The element kernel for a CPU, row by row of voxels.

The mathematics is that of `fem/_kernel.py`: sums and differences of the corner values (modes), seven polynomials,
thirty strain coefficients. XLA's CPU compiler writes every intermediate field to memory, or computes it anew at every
use. Here a row of voxels along z passes through all steps while it is in the cache, so that a displacement is read and
a force written once.

Rows are those of `_modes.py`. One begins with the voxel before the first one asked for, so that every node sees the
voxels on both of its sides.

**Boundary.** Along a periodic axis, of which the call says so, the last voxels lie before the first nodes.

A function here works at a range of the planes of its result, so that threads share a grid without any exchange; what
they are given are the buffers of an XLA custom call (see `_call.py`).
"""

from __future__ import annotations

from ._general import general_forces
from ._memory import HALF, allocate, compiled, data, free, missing, part, shape, shifted
from ._modes import STRIDE, TILE, modes, put, sums
from ._moduli import GENERAL, load_from_before, row_count
from ._rows import FAST, clear

FORCE, RESIDUAL, SWEEP = range(3)
"""What may be asked for."""
_MODULI = 42
"""The first row of moduli."""


@compiled(fastmath=FAST, inline="never")
def _forces(b, count, ax, ay, az, volume, third, macro):
    """From the rows 0 … 11 to the forces on their low ends, rows 12 … 23, and on their high ends, rows 24 … 35."""
    for z in range(count):
        u001, u010, u011, u100, u101, u110, u111 = modes(b, 0, z)
        v001, v010, v011, v100, v101, v110, v111 = modes(b, 4, z)
        w001, w010, w011, w100, w101, w110, w111 = modes(b, 8, z)
        # Derivatives of first order are scaled here, the others where they are used.
        u001, u010, u100 = az * u001, ay * u010, ax * u100
        v001, v010, v100 = az * v001, ay * v010, ax * v100
        w001, w010, w100 = az * w001, ay * w010, ax * w100

        # Polynomial 1.
        l, d, m = b[42 * STRIDE + z] * volume, b[43 * STRIDE + z] * volume, b[44 * STRIDE + z] * volume
        xx, yy, zz = u100 + macro[0], v010 + macro[1], w001 + macro[2]
        p = l * (xx + yy + zz)
        f_u100, f_v010, f_w001 = ax * (p + d * xx), ay * (p + d * yy), az * (p + d * zz)
        s = m * (v001 + w010 + macro[3])
        f_v001, f_w010 = az * s, ay * s
        s = m * (u001 + w100 + macro[4])
        f_u001, f_w100 = az * s, ax * s
        s = m * (u010 + v100 + macro[5])
        f_u010, f_v100 = ay * s, ax * s
        # ξ
        l, d, m = l * third, d * third, m * third
        yy, zz = ay * v110, az * w101
        p = l * (yy + zz)
        f_v110, f_w101 = ay * (p + d * yy), az * (p + d * zz)
        s = m * (az * v101 + ay * w110)
        f_v101, f_w110 = az * s, ay * s
        f_u101, f_u110 = az * az * m * u101, ay * ay * m * u110
        # η
        xx, zz = ax * u110, az * w011
        p = l * (xx + zz)
        f_u110 += ax * (p + d * xx)
        f_w011 = az * (p + d * zz)
        f_v011 = az * az * m * v011
        s = m * (az * u011 + ax * w110)
        f_u011 = az * s
        f_w110 += ax * s
        f_v110 += ax * ax * m * v110
        # ζ
        xx, yy = ax * u101, ay * v011
        p = l * (xx + yy)
        f_u101 += ax * (p + d * xx)
        f_v011 += ay * (p + d * yy)
        f_w011 += ay * ay * m * w011
        f_w101 += ax * ax * m * w101
        s = m * (ay * u011 + ax * v101)
        f_u011 += ay * s
        f_v101 += ax * s
        # ηζ, ξζ, ξη
        l, d, m = l * third, d * third, m * third
        p = l + d
        f_u111 = (ax * ax * p + (ay * ay + az * az) * m) * u111
        f_v111 = (ay * ay * p + (ax * ax + az * az) * m) * v111
        f_w111 = (az * az * p + (ax * ax + ay * ay) * m) * w111

        put(b, 12, z, f_u001, f_u010, f_u011, f_u100, f_u101, f_u110, f_u111)
        put(b, 16, z, f_v001, f_v010, f_v011, f_v100, f_v101, f_v110, f_v111)
        put(b, 20, z, f_w001, f_w010, f_w011, f_w100, f_w101, f_w110, f_w111)


@compiled(fastmath=FAST, inline="never")
def _collect(b, count):
    """Forces on the nodes between the voxels and behind the last one: on those at x in the rows 4c, at x + 1 in 4c + 1.

    Along z, then y, then x a node collects first what the voxels before and after it have in common. So the forces of
    a uniform strain in a uniform solid cancel to the last bit, as those of `fem/_kernel.py` do. What a row of voxels
    gives to the nodes at y + 1 waits for the next row in the rows 36 + 2c and 37 + 2c.
    """
    for c in range(3):
        low, high, wait = (12 + 4 * c) * STRIDE, (24 + 4 * c) * STRIDE, (36 + 2 * c) * STRIDE
        for k in range(4):
            b[low + k * STRIDE + count] = 0
        for z in range(1, count + 1):
            f00 = b[low + z] + b[high + z - 1]
            f01 = b[low + STRIDE + z] + b[high + STRIDE + z - 1]
            f10 = b[low + 2 * STRIDE + z] + b[high + 2 * STRIDE + z - 1]
            f11 = b[low + 3 * STRIDE + z] + b[high + 3 * STRIDE + z - 1]
            total, difference = b[wait + z] + (f00 - f01), b[wait + STRIDE + z] + (f10 - f11)
            b[wait + z] = f00 + f01
            b[wait + STRIDE + z] = f10 + f11
            b[4 * c * STRIDE + z] = total - difference
            b[(4 * c + 1) * STRIDE + z] = total + difference


@compiled(inline="never")
def _add(out, first, rows, row, count):
    for z in range(count):
        out[first + z] += rows[row + z]


@compiled()
def _load_row(rows, u, source, nodes, voxels, periodic, between, z0, count, one):
    """Sums and moduli of `count` voxels from z0 on and of the one before, whose place is the first of a row."""
    x0, x1, y0, y1 = between
    nx, ny, nz = nodes
    before = z0 - 1 if z0 else voxels[2] - 1
    after = 0 if periodic and z0 + count == nz else z0 + count
    for c in range(3):
        a, b = ((c * nx + x0) * ny + y0) * nz, ((c * nx + x0) * ny + y1) * nz
        d, e = ((c * nx + x1) * ny + y0) * nz, ((c * nx + x1) * ny + y1) * nz
        row = 4 * c * STRIDE
        sums(rows, row, u, a + before, b + before, d + before, e + before, 1)
        sums(rows, row + 1, u, a + z0, b + z0, d + z0, e + z0, count)
        sums(rows, row + count + 1, u, a + after, b + after, d + after, e + after, 1)
    load_from_before(shifted(rows, _MODULI * STRIDE), source, voxels, x0, y0, z0, count, periodic, one)


@compiled()
def _force_planes(source, out, nodes, voxels, low, high, rows, one):
    """Forces of one grid on its planes of nodes low … high − 1."""
    buffers, _, constants, cell = source
    nx, ny, nz = nodes
    vx, vy, vz = voxels
    u = part(buffers, 1, 3 * nx * ny * nz, cell, one)
    spacing, macro = part(buffers, 2, 3, cell, one), part(buffers, 3, 6, cell, one)
    ends = data(buffers, 0, HALF)[4]
    third, quarter = one / (one + one + one), one / (one + one + one + one)
    ax, ay, az = quarter / spacing[0], quarter / spacing[1], quarter / spacing[2]
    volume = spacing[0] * spacing[1] * spacing[2]
    around_x, around_y, around_z = (ends & 1) != 0, (ends & 2) != 0, (ends & 4) != 0
    for c in range(3):
        clear(shifted(out, (c * nx + low) * ny * nz), (high - low) * ny * nz)
    for i in range(low - 1, high):  # planes of voxels that touch these nodes
        if not around_x and (i < 0 or i >= vx):
            continue
        x0 = i if i >= 0 else nx - 1
        x1 = i + 1 if i + 1 < nx else 0
        for z0 in range(0, vz, TILE):
            count = min(TILE, vz - z0)
            asked = count + (z0 + count == vz and not around_z)  # nodes from z0 on
            clear(shifted(rows, 12 * STRIDE), 30 * STRIDE)
            for j in range(-1 if around_y else 0, vy if around_y else vy + 1):
                if j < vy:
                    y0, y1 = j if j >= 0 else ny - 1, j + 1 if j + 1 < ny else 0
                    _load_row(rows, u, source, nodes, voxels, around_z, (x0, x1, y0, y1), z0, count, one)
                    if constants == GENERAL:
                        general_forces(rows, count + 1, ax, ay, az, volume, third, macro)
                    else:
                        _forces(rows, count + 1, ax, ay, az, volume, third, macro)
                else:  # the last nodes of a block have no voxel behind them
                    clear(shifted(rows, 12 * STRIDE), 24 * STRIDE)
                _collect(rows, count + 1)
                for side in range(2):
                    if low <= i + side < high and j >= 0:
                        for c in range(3):
                            first = ((c * nx + i + side) * ny + j) * nz + z0
                            _add(out, first, rows, (4 * c + side) * STRIDE + 1, asked)


@compiled(fastmath=FAST, inline="never")
def _less(out, load, count):
    for k in range(count):
        out[k] = load[k] - out[k]


@compiled(fastmath=FAST, inline="never")
def _swept(value, blocks, load, out, size, count):
    """value + blocks (load − out), out being the forces of the value."""
    for k in range(count):
        x, y, z = load[k] - out[k], load[size + k] - out[size + k], load[2 * size + k] - out[2 * size + k]
        xz, yz, xy = blocks[4 * size + k], blocks[3 * size + k], blocks[5 * size + k]
        out[k] = value[k] + blocks[k] * x + xy * y + xz * z
        out[size + k] = value[size + k] + xy * x + blocks[size + k] * y + yz * z
        out[2 * size + k] = value[2 * size + k] + xz * x + yz * y + blocks[2 * size + k] * z


@compiled(inline="always")
def compute(buffers, first, end, one):
    """Nodal forces (cells, 3, x, y, z) from displacement, spacing and macroscopic strain; or what a load, the next
    operand, exceeds them by; or the displacement after a sweep with the blocks that are the operand after that. Moduli
    are the last operands.
    """
    what = data(buffers, 0, HALF)[0]
    operand = 4 if what == FORCE else 5 if what == RESIDUAL else 6
    result = data(buffers, 0, HALF)[5] + 1
    constants = result - operand
    u, m = shape(buffers, 1), shape(buffers, operand)
    nodes, voxels = (u[2], u[3], u[4]), (m[1], m[2], m[3])
    size = nodes[0] * nodes[1] * nodes[2]
    rows = allocate((_MODULI + row_count(constants)) * STRIDE, one)
    if missing(rows):
        return False
    while first < end:
        cell = first // nodes[0]
        low = first - cell * nodes[0]
        high = min(nodes[0], low + end - first)
        out = part(buffers, result, 3 * size, cell, one)
        _force_planes((buffers, operand, constants, cell), out, nodes, voxels, low, high, rows, one)
        if what != FORCE:
            begin, count = low * nodes[1] * nodes[2], (high - low) * nodes[1] * nodes[2]
            load = part(buffers, 4, 3 * size, cell, one)
            if what == RESIDUAL:
                for c in range(3):
                    _less(shifted(out, c * size + begin), shifted(load, c * size + begin), count)
            else:
                value = shifted(part(buffers, 1, 3 * size, cell, one), begin)
                blocks = shifted(part(buffers, 5, 6 * size, cell, one), begin)
                _swept(value, blocks, shifted(load, begin), shifted(out, begin), size, count)
        first += high - low
    free(rows)
    return True
