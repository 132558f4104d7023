"""The element kernel of isotropic voxels for a CPU, row by row of voxels.

The mathematics is that of `fem/_kernel.py`: sums and differences of the corner values (modes), seven polynomials,
thirty strain coefficients. XLA's CPU compiler writes every intermediate field to memory, or computes it anew at every
use. Here a row of voxels along z passes through all steps while it is in the cache, so that a displacement is read and
a force written once.

**Rows.** A scratch array holds rows of `STRIDE` numbers. For a row of voxels between the four rows of nodes A (x, y),
B (x, y+1), D (x+1, y), E (x+1, y+1) the rows 4c … 4c+3 hold sums and differences of component c along x and y, named
by the exponents p, q of the mode m_pq·: 00, 01, 10, 11. The sums and differences along z follow in the loops over z.
A row begins with the voxel before the first one asked for, so that every node sees the voxels on both of its sides.

**Boundary.** Along a periodic axis, of which the call says so, the last voxels lie before the first nodes.

A function here works at a range of the planes of its result, so that threads share a grid without any exchange; what
they are given are the buffers of an XLA custom call (see `_call.py`).
"""

from __future__ import annotations

from ._memory import HALF, allocate, compiled, data, free, missing, part, shape, shifted
from ._rows import FAST, clear

TILE = 128
"""Most voxels of a row that are worked at together."""
STRIDE = TILE + 32
FORCE, RESIDUAL, SWEEP = range(3)
"""What may be asked for."""


@compiled(fastmath=FAST, inline="never")
def sums(rows, first, u, a, b, d, e, count):
    """Sums and differences along x and y of four rows of nodes, which begin at a, b, d, e in `u`."""
    for z in range(count):
        low, low_y, high, high_y = u[a + z], u[b + z], u[d + z], u[e + z]
        s0, d0, s1, d1 = low + low_y, low_y - low, high + high_y, high_y - high
        rows[first + z] = s0 + s1
        rows[first + STRIDE + z] = d0 + d1
        rows[first + 2 * STRIDE + z] = s1 - s0
        rows[first + 3 * STRIDE + z] = d1 - d0


@compiled(fastmath=FAST, inline="never")
def _forces(b, count, ax, ay, az, volume, third, macro):
    """From the rows 0 … 11 to the forces on their low ends, rows 12 … 23, and on their high ends, rows 24 … 35."""
    for z in range(count):
        y = z + 1
        # Derivatives of first order are scaled here, the others where they are used.
        u001 = az * (b[y] - b[z])
        u010 = ay * (b[STRIDE + z] + b[STRIDE + y])
        u011 = b[STRIDE + y] - b[STRIDE + z]
        u100 = ax * (b[2 * STRIDE + z] + b[2 * STRIDE + y])
        u101 = b[2 * STRIDE + y] - b[2 * STRIDE + z]
        u110 = b[3 * STRIDE + z] + b[3 * STRIDE + y]
        u111 = b[3 * STRIDE + y] - b[3 * STRIDE + z]
        v001 = az * (b[4 * STRIDE + y] - b[4 * STRIDE + z])
        v010 = ay * (b[5 * STRIDE + z] + b[5 * STRIDE + y])
        v011 = b[5 * STRIDE + y] - b[5 * STRIDE + z]
        v100 = ax * (b[6 * STRIDE + z] + b[6 * STRIDE + y])
        v101 = b[6 * STRIDE + y] - b[6 * STRIDE + z]
        v110 = b[7 * STRIDE + z] + b[7 * STRIDE + y]
        v111 = b[7 * STRIDE + y] - b[7 * STRIDE + z]
        w001 = az * (b[8 * STRIDE + y] - b[8 * STRIDE + z])
        w010 = ay * (b[9 * STRIDE + z] + b[9 * STRIDE + y])
        w011 = b[9 * STRIDE + y] - b[9 * STRIDE + z]
        w100 = ax * (b[10 * STRIDE + z] + b[10 * STRIDE + y])
        w101 = b[10 * STRIDE + y] - b[10 * STRIDE + z]
        w110 = b[11 * STRIDE + z] + b[11 * STRIDE + y]
        w111 = b[11 * STRIDE + y] - b[11 * STRIDE + z]

        # Polynomial 1.
        m = b[43 * STRIDE + z] * volume
        l = b[42 * STRIDE + z] * volume
        xx, yy, zz = u100 + macro[0], v010 + macro[1], w001 + macro[2]
        p = l * (xx + yy + zz)
        m2 = m + m
        f_u100, f_v010, f_w001 = ax * (p + m2 * xx), ay * (p + m2 * yy), az * (p + m2 * zz)
        s = m * (v001 + w010 + macro[3])
        f_v001, f_w010 = az * s, ay * s
        s = m * (u001 + w100 + macro[4])
        f_u001, f_w100 = az * s, ax * s
        s = m * (u010 + v100 + macro[5])
        f_u010, f_v100 = ay * s, ax * s
        # ξ
        m, m2, l = m * third, m2 * third, l * third
        yy, zz = ay * v110, az * w101
        p = l * (yy + zz)
        f_v110, f_w101 = ay * (p + m2 * yy), az * (p + m2 * zz)
        s = m * (az * v101 + ay * w110)
        f_v101, f_w110 = az * s, ay * s
        f_u101, f_u110 = az * az * m * u101, ay * ay * m * u110
        # η
        xx, zz = ax * u110, az * w011
        p = l * (xx + zz)
        f_u110 += ax * (p + m2 * xx)
        f_w011 = az * (p + m2 * zz)
        f_v011 = az * az * m * v011
        s = m * (az * u011 + ax * w110)
        f_u011 = az * s
        f_w110 += ax * s
        f_v110 += ax * ax * m * v110
        # ζ
        xx, yy = ax * u101, ay * v011
        p = l * (xx + yy)
        f_u101 += ax * (p + m2 * xx)
        f_v011 += ay * (p + m2 * yy)
        f_w011 += ay * ay * m * w011
        f_w101 += ax * ax * m * w101
        s = m * (ay * u011 + ax * v101)
        f_u011 += ay * s
        f_v101 += ax * s
        # ηζ, ξζ, ξη
        m, m2, l = m * third, m2 * third, l * third
        p = l + m2
        f_u111 = (ax * ax * p + (ay * ay + az * az) * m) * u111
        f_v111 = (ay * ay * p + (ax * ax + az * az) * m) * v111
        f_w111 = (az * az * p + (ax * ax + ay * ay) * m) * w111

        b[12 * STRIDE + z], b[24 * STRIDE + z] = -f_u001, f_u001
        b[13 * STRIDE + z], b[25 * STRIDE + z] = f_u010 - f_u011, f_u010 + f_u011
        b[14 * STRIDE + z], b[26 * STRIDE + z] = f_u100 - f_u101, f_u100 + f_u101
        b[15 * STRIDE + z], b[27 * STRIDE + z] = f_u110 - f_u111, f_u110 + f_u111
        b[16 * STRIDE + z], b[28 * STRIDE + z] = -f_v001, f_v001
        b[17 * STRIDE + z], b[29 * STRIDE + z] = f_v010 - f_v011, f_v010 + f_v011
        b[18 * STRIDE + z], b[30 * STRIDE + z] = f_v100 - f_v101, f_v100 + f_v101
        b[19 * STRIDE + z], b[31 * STRIDE + z] = f_v110 - f_v111, f_v110 + f_v111
        b[20 * STRIDE + z], b[32 * STRIDE + z] = -f_w001, f_w001
        b[21 * STRIDE + z], b[33 * STRIDE + z] = f_w010 - f_w011, f_w010 + f_w011
        b[22 * STRIDE + z], b[34 * STRIDE + z] = f_w100 - f_w101, f_w100 + f_w101
        b[23 * STRIDE + z], b[35 * STRIDE + z] = f_w110 - f_w111, f_w110 + f_w111


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
def _load_row(rows, u, lmbda, mu, nodes, voxels, periodic, x0, x1, y0, y1, z0, count):
    """Sums and moduli of `count` voxels from z0 on and of the one before, whose place is the first of a row.

    There is none before the first voxel unless z is periodic: it is void.
    """
    nx, ny, nz = nodes
    vx, vy, vz = voxels
    before = z0 - 1 if z0 else vz - 1
    after = 0 if periodic and z0 + count == nz else z0 + count
    for c in range(3):
        a, b = ((c * nx + x0) * ny + y0) * nz, ((c * nx + x0) * ny + y1) * nz
        d, e = ((c * nx + x1) * ny + y0) * nz, ((c * nx + x1) * ny + y1) * nz
        row = 4 * c * STRIDE
        sums(rows, row, u, a + before, b + before, d + before, e + before, 1)
        sums(rows, row + 1, u, a + z0, b + z0, d + z0, e + z0, count)
        sums(rows, row + count + 1, u, a + after, b + after, d + after, e + after, 1)
    at = (x0 * vy + y0) * vz
    for z in range(count):
        rows[42 * STRIDE + 1 + z] = lmbda[at + z0 + z]
        rows[43 * STRIDE + 1 + z] = mu[at + z0 + z]
    there = periodic or z0 > 0
    rows[42 * STRIDE] = lmbda[at + before] if there else 0
    rows[43 * STRIDE] = mu[at + before] if there else 0


@compiled()
def _force_planes(u, lmbda, mu, spacing, macro, out, nodes, voxels, ends, low, high, rows, one):
    """Forces of one grid on its planes of nodes low … high − 1."""
    nx, ny, nz = nodes
    vx, vy, vz = voxels
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
                    _load_row(rows, u, lmbda, mu, nodes, voxels, around_z, x0, x1, y0, y1, z0, count)
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
    """Nodal forces (cells, 3, x, y, z) from displacement, λ, μ, spacing and macroscopic strain; or what a load, the
    next operand, exceeds them by; or the displacement after a sweep with the blocks that are the operand after that.
    """
    what, ends = data(buffers, 0, HALF)[0], data(buffers, 0, HALF)[4]
    u, m = shape(buffers, 1), shape(buffers, 2)
    result = 6 if what == FORCE else 7 if what == RESIDUAL else 8
    nodes, voxels = (u[2], u[3], u[4]), (m[1], m[2], m[3])
    size, moduli = nodes[0] * nodes[1] * nodes[2], voxels[0] * voxels[1] * voxels[2]
    rows = allocate(44 * STRIDE, one)
    if missing(rows):
        return False
    while first < end:
        cell = first // nodes[0]
        low = first - cell * nodes[0]
        high = min(nodes[0], low + end - first)
        value, out = part(buffers, 1, 3 * size, cell, one), part(buffers, result, 3 * size, cell, one)
        _force_planes(
            value,
            part(buffers, 2, moduli, cell, one),
            part(buffers, 3, moduli, cell, one),
            part(buffers, 4, 3, cell, one),
            part(buffers, 5, 6, cell, one),
            out,
            nodes,
            voxels,
            ends,
            low,
            high,
            rows,
            one,
        )
        if what != FORCE:
            begin, count = low * nodes[1] * nodes[2], (high - low) * nodes[1] * nodes[2]
            load = part(buffers, 6, 3 * size, cell, one)
            if what == RESIDUAL:
                for c in range(3):
                    _less(shifted(out, c * size + begin), shifted(load, c * size + begin), count)
            else:
                blocks = shifted(part(buffers, 7, 6 * size, cell, one), begin)
                _swept(shifted(value, begin), blocks, shifted(load, begin), shifted(out, begin), size, count)
        first += high - low
    free(rows)
    return True
