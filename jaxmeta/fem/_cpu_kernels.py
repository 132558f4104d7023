"""The element kernel of isotropic voxels for a CPU, row by row of voxels, compiled by Numba.

The mathematics is that of `_kernel.py`: sums and differences of the corner values (modes), seven polynomials, thirty
strain coefficients. XLA's CPU compiler writes every intermediate field to memory, or computes it anew at every use.
Here a row of voxels along z passes through all steps while it is in the cache, so that a displacement is read and a
force written once.

**Rows.** A scratch array holds rows of `STRIDE` numbers. For a row of voxels between the four rows of nodes A (x, y),
B (x, y+1), D (x+1, y), E (x+1, y+1) the rows 4c … 4c+3 hold sums and differences of component c along x and y, named
by the exponents p, q of the mode m_pq·: 00, 01, 10, 11. The sums and differences along z follow in the loops over z.
A row begins with the voxel before the first one asked for, so that every node sees the voxels on both of its sides.

**Boundary.** A grid with as many nodes as voxels along z is periodic, one with one more node is a block.

A function here works at a range of the planes of its result, so that threads share a grid without any exchange; what
they are given are the buffers of an XLA custom call (see `_cpu_call.py`).
"""

from __future__ import annotations

from functools import partial

from ._cpu_call import (
    FLOAT32,
    FLOAT64,
    HALF,
    allocate,
    compiled,
    custom_call,
    data,
    execute,
    free,
    named,
    part,
    shape,
    shifted,
    worker,
)

TILE = 128
"""Most voxels of a row that are worked at together."""
STRIDE = TILE + 32
_TILE = 64
"""The same for energies, of which a row takes sixty numbers for each load and voxel."""
FORCE, RESIDUAL, SWEEP, ENERGIES, SLOPES = range(5)
"""What may be asked for."""
_FAST = {"contract", "nsz", "arcp"}
"""Multiply and add in one, no signed zeros, reciprocals; sums stay in their order."""


@compiled(fastmath=_FAST, inline="never")
def _sums(rows, first, u, a, b, d, e, count):
    """Sums and differences along x and y of four rows of nodes, which begin at a, b, d, e in `u`."""
    for z in range(count):
        low, low_y, high, high_y = u[a + z], u[b + z], u[d + z], u[e + z]
        s0, d0, s1, d1 = low + low_y, low_y - low, high + high_y, high_y - high
        rows[first + z] = s0 + s1
        rows[first + STRIDE + z] = d0 + d1
        rows[first + 2 * STRIDE + z] = s1 - s0
        rows[first + 3 * STRIDE + z] = d1 - d0


@compiled(fastmath=_FAST, inline="never")
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


@compiled(fastmath=_FAST, inline="never")
def _collect(b, count):
    """Forces on the nodes between the voxels and behind the last one: on those at x in the rows 4c, at x + 1 in 4c + 1.

    Along z, then y, then x a node collects first what the voxels before and after it have in common. So the forces of
    a uniform strain in a uniform solid cancel to the last bit, as those of `_kernel.py` do. What a row of voxels gives
    to the nodes at y + 1 waits for the next row in the rows 36 + 2c and 37 + 2c.
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


@compiled(inline="never")
def _clear(rows, first, count):
    for k in range(count):
        rows[first + k] = 0


@compiled()
def _load_row(rows, u, lmbda, mu, nodes, voxels, x0, x1, y0, y1, z0, count):
    """Sums and moduli of `count` voxels from z0 on and of the one before, whose place is the first of a row.

    There is none before the first voxel of a block: it is void.
    """
    nx, ny, nz = nodes
    vx, vy, vz = voxels
    periodic = vz == nz
    before = z0 - 1 if z0 else vz - 1
    after = 0 if periodic and z0 + count == nz else z0 + count
    for c in range(3):
        a, b = ((c * nx + x0) * ny + y0) * nz, ((c * nx + x0) * ny + y1) * nz
        d, e = ((c * nx + x1) * ny + y0) * nz, ((c * nx + x1) * ny + y1) * nz
        row = 4 * c * STRIDE
        _sums(rows, row, u, a + before, b + before, d + before, e + before, 1)
        _sums(rows, row + 1, u, a + z0, b + z0, d + z0, e + z0, count)
        _sums(rows, row + count + 1, u, a + after, b + after, d + after, e + after, 1)
    at = (x0 * vy + y0) * vz
    for z in range(count):
        rows[42 * STRIDE + 1 + z] = lmbda[at + z0 + z]
        rows[43 * STRIDE + 1 + z] = mu[at + z0 + z]
    there = periodic or z0 > 0
    rows[42 * STRIDE] = lmbda[at + before] if there else 0
    rows[43 * STRIDE] = mu[at + before] if there else 0


@compiled()
def _force_planes(u, lmbda, mu, spacing, macro, out, nodes, voxels, low, high, rows, one):
    """Forces of one grid on its planes of nodes low … high − 1."""
    nx, ny, nz = nodes
    vx, vy, vz = voxels
    third, quarter = one / (one + one + one), one / (one + one + one + one)
    ax, ay, az = quarter / spacing[0], quarter / spacing[1], quarter / spacing[2]
    volume = spacing[0] * spacing[1] * spacing[2]
    periodic = vz == nz
    for c in range(3):
        _clear(out, (c * nx + low) * ny * nz, (high - low) * ny * nz)
    for i in range(low - 1, high):  # planes of voxels that touch these nodes
        if not periodic and (i < 0 or i >= vx):
            continue
        x0 = i if i >= 0 else nx - 1
        x1 = i + 1 if i + 1 < nx else 0
        for z0 in range(0, vz, TILE):
            count = min(TILE, vz - z0)
            asked = count + (z0 + count == vz and not periodic)  # nodes from z0 on
            _clear(rows, 12 * STRIDE, 30 * STRIDE)
            for j in range(-1 if periodic else 0, vy if periodic else vy + 1):
                if j < vy:
                    y0, y1 = j if j >= 0 else ny - 1, j + 1 if j + 1 < ny else 0
                    _load_row(rows, u, lmbda, mu, nodes, voxels, x0, x1, y0, y1, z0, count)
                    _forces(rows, count + 1, ax, ay, az, volume, third, macro)
                else:  # the last nodes of a block have no voxel behind them
                    _clear(rows, 12 * STRIDE, 24 * STRIDE)
                _collect(rows, count + 1)
                for side in range(2):
                    if low <= i + side < high and j >= 0:
                        for c in range(3):
                            first = ((c * nx + i + side) * ny + j) * nz + z0
                            _add(out, first, rows, (4 * c + side) * STRIDE + 1, asked)


@compiled(fastmath=_FAST, inline="never")
def _less(out, load, count):
    for k in range(count):
        out[k] = load[k] - out[k]


@compiled(fastmath=_FAST, inline="never")
def _swept(value, blocks, load, out, size, count):
    """value + blocks (load − out), out being the forces of the value."""
    for k in range(count):
        x, y, z = load[k] - out[k], load[size + k] - out[size + k], load[2 * size + k] - out[2 * size + k]
        xz, yz, xy = blocks[4 * size + k], blocks[3 * size + k], blocks[5 * size + k]
        out[k] = value[k] + blocks[k] * x + xy * y + xz * z
        out[size + k] = value[size + k] + xy * x + blocks[size + k] * y + yz * z
        out[2 * size + k] = value[2 * size + k] + xz * x + yz * y + blocks[2 * size + k] * z


@compiled()
def _force(buffers, first, end, one, what):
    """Nodal forces (cells, 3, x, y, z) from displacement, λ, μ, spacing and macroscopic strain; or what a load, the
    next operand, exceeds them by; or the displacement after a sweep with the blocks that are the operand after that.
    """
    u, m = shape(buffers, 1), shape(buffers, 2)
    result = 6 if what == FORCE else 7 if what == RESIDUAL else 8
    nodes, voxels = (u[2], u[3], u[4]), (m[1], m[2], m[3])
    size, moduli = nodes[0] * nodes[1] * nodes[2], voxels[0] * voxels[1] * voxels[2]
    rows = allocate(44 * STRIDE, one)
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


# The polynomials 1, ξ, η, ζ, ηζ, ξζ, ξη: the first of their strain coefficients, how many of these are normal and how
# many shear strains, and on which components they act (Voigt).
_FIRST = (0, 6, 11, 16, 21, 24, 27)
_NORMAL = (3, 2, 2, 2, 1, 1, 1)
_SHEAR = (3, 3, 3, 3, 2, 2, 2)
_STRAINS = 30


@compiled(fastmath=_FAST, inline="never")
def _strains(b, e, first, count, ax, ay, az, macro):
    """The thirty strain coefficients of the voxels of a row, from the rows 0 … 11 of `b` into rows of `e`."""
    for z in range(count):
        y = z + 1
        u001, u010, u011 = b[y] - b[z], b[STRIDE + z] + b[STRIDE + y], b[STRIDE + y] - b[STRIDE + z]
        u100, u101 = b[2 * STRIDE + z] + b[2 * STRIDE + y], b[2 * STRIDE + y] - b[2 * STRIDE + z]
        u110, u111 = b[3 * STRIDE + z] + b[3 * STRIDE + y], b[3 * STRIDE + y] - b[3 * STRIDE + z]
        v001, v010 = b[4 * STRIDE + y] - b[4 * STRIDE + z], b[5 * STRIDE + z] + b[5 * STRIDE + y]
        v011, v100 = b[5 * STRIDE + y] - b[5 * STRIDE + z], b[6 * STRIDE + z] + b[6 * STRIDE + y]
        v101, v110 = b[6 * STRIDE + y] - b[6 * STRIDE + z], b[7 * STRIDE + z] + b[7 * STRIDE + y]
        v111, w001 = b[7 * STRIDE + y] - b[7 * STRIDE + z], b[8 * STRIDE + y] - b[8 * STRIDE + z]
        w010, w011 = b[9 * STRIDE + z] + b[9 * STRIDE + y], b[9 * STRIDE + y] - b[9 * STRIDE + z]
        w100, w101 = b[10 * STRIDE + z] + b[10 * STRIDE + y], b[10 * STRIDE + y] - b[10 * STRIDE + z]
        w110, w111 = b[11 * STRIDE + z] + b[11 * STRIDE + y], b[11 * STRIDE + y] - b[11 * STRIDE + z]
        at = first + z
        e[at], e[at + _TILE], e[at + 2 * _TILE] = ax * u100 + macro[0], ay * v010 + macro[1], az * w001 + macro[2]
        e[at + 3 * _TILE] = az * v001 + ay * w010 + macro[3]
        e[at + 4 * _TILE] = az * u001 + ax * w100 + macro[4]
        e[at + 5 * _TILE] = ay * u010 + ax * v100 + macro[5]
        e[at + 6 * _TILE], e[at + 7 * _TILE] = ay * v110, az * w101
        e[at + 8 * _TILE], e[at + 9 * _TILE], e[at + 10 * _TILE] = az * v101 + ay * w110, az * u101, ay * u110
        e[at + 11 * _TILE], e[at + 12 * _TILE] = ax * u110, az * w011
        e[at + 13 * _TILE], e[at + 14 * _TILE], e[at + 15 * _TILE] = az * v011, az * u011 + ax * w110, ax * v110
        e[at + 16 * _TILE], e[at + 17 * _TILE] = ax * u101, ay * v011
        e[at + 18 * _TILE], e[at + 19 * _TILE], e[at + 20 * _TILE] = ay * w011, ax * w101, ay * u011 + ax * v101
        e[at + 21 * _TILE], e[at + 22 * _TILE], e[at + 23 * _TILE] = ax * u111, ax * w111, ax * v111
        e[at + 24 * _TILE], e[at + 25 * _TILE], e[at + 26 * _TILE] = ay * v111, ay * w111, ay * u111
        e[at + 27 * _TILE], e[at + 28 * _TILE], e[at + 29 * _TILE] = az * w111, az * v111, az * u111


@compiled(fastmath=_FAST, inline="never")
def _trace(e, row, count, trace):
    """Sum of `count` normal strains of a polynomial, from `row` on."""
    for z in range(_TILE):
        trace[z] = e[row + z]
    for i in range(1, count):
        for z in range(_TILE):
            trace[z] += e[row + i * _TILE + z]


@compiled(fastmath=_FAST, inline="never")
def _stresses(e, s, first, lmbda, mu, trace, third):
    """w C ε of every strain coefficient ε, with w the mean square of its polynomial."""
    for k in range(7):
        weight = third / third if k == 0 else third if k < 4 else third * third
        row, shear = first + _FIRST[k] * _TILE, first + (_FIRST[k] + _NORMAL[k]) * _TILE
        _trace(e, row, _NORMAL[k], trace)
        for i in range(_NORMAL[k]):
            for z in range(_TILE):
                s[row + i * _TILE + z] = weight * (lmbda[z] * trace[z] + (mu[z] + mu[z]) * e[row + i * _TILE + z])
        for i in range(_SHEAR[k]):
            for z in range(_TILE):
                s[shear + i * _TILE + z] = weight * mu[z] * e[shear + i * _TILE + z]


@compiled(fastmath=_FAST, inline="never")
def _slopes(e, f, first, trace, other, out_lmbda, out_mu, third):
    """Add e·(∂C/∂λ) f and e·(∂C/∂μ) f of a row of voxels, e from `first` on and f from 0 on."""
    for k in range(7):
        weight = third / third if k == 0 else third if k < 4 else third * third
        row, second = first + _FIRST[k] * _TILE, _FIRST[k] * _TILE
        _trace(e, row, _NORMAL[k], trace)
        _trace(f, second, _NORMAL[k], other)
        for z in range(_TILE):
            out_lmbda[z] += weight * trace[z] * other[z]
        for i in range(_NORMAL[k] + _SHEAR[k]):
            double = weight + weight if i < _NORMAL[k] else weight
            for z in range(_TILE):
                out_mu[z] += double * e[row + i * _TILE + z] * f[second + i * _TILE + z]


@compiled(fastmath={*_FAST, "reassoc"}, inline="never")
def _dot(a, b, count):
    total = a[0] * b[0]
    for k in range(1, count):
        total += a[k] * b[k]
    return total


@compiled(fastmath=_FAST, inline="never")
def _add_times(out, factor, e, count):
    for k in range(count):
        out[k] += factor * e[k]


@compiled()
def _strains_of_loads(u, loads, spacing, macros, voxels, i, j, z0, count, rows, e, one):
    """Strain coefficients of `count` voxels from (i, j, z0) on, (load, 30, _TILE); zero behind the last voxel."""
    quarter = one / (one + one + one + one)
    ny, nz = voxels[1] + 1, voxels[2] + 1
    size = (voxels[0] + 1) * ny * nz
    if count < _TILE:
        for k in range(loads * _STRAINS * _TILE):
            e[k] = 0
    for load in range(loads):
        for c in range(3):
            a = (3 * load + c) * size + (i * ny + j) * nz + z0
            _sums(rows, 4 * c * STRIDE, u, a, a + nz, a + ny * nz, a + ny * nz + nz, count + 1)
        first, macro = load * _STRAINS * _TILE, shifted(macros, 6 * load)
        _strains(rows, e, first, count, quarter / spacing[0], quarter / spacing[1], quarter / spacing[2], macro)


@compiled()
def _energies(buffers, first, end, one, slopes):
    """Sums over planes of voxels of the mutual energies of all pairs of loads, (cells, x, loads, loads), or `slopes`:
    what a weighted sum of the mean energies changes by with λ and μ of every voxel, (cells, 2, x, y, z).

    Operands are displacements on all corners (cells, loads, 3, x + 1, y + 1, z + 1), λ, μ, spacing, macroscopic strains
    (cells, loads, 6), and the weights (cells, loads, loads) of the slopes.
    """
    loads, m = shape(buffers, 1)[1], shape(buffers, 2)
    vx, vy, vz = m[1], m[2], m[3]
    field = (vx + 1) * (vy + 1) * (vz + 1)
    length = _STRAINS * _TILE
    rows = allocate(12 * STRIDE + (2 * loads * _STRAINS + 6) * _TILE, one)
    e = shifted(rows, 12 * STRIDE)
    s = shifted(e, loads * length)
    lmbda = shifted(s, loads * length)
    mu, trace, other = shifted(lmbda, _TILE), shifted(lmbda, 2 * _TILE), shifted(lmbda, 3 * _TILE)
    by_lmbda, by_mu = shifted(lmbda, 4 * _TILE), shifted(lmbda, 5 * _TILE)
    sums = allocate(loads * loads, FLOAT64)  # over a plane
    for unit in range(first, end):
        cell = unit // vx
        i = unit - cell * vx
        u = part(buffers, 1, 3 * loads * field, cell, one)
        moduli = part(buffers, 2, vx * vy * vz, cell, one), part(buffers, 3, vx * vy * vz, cell, one)
        spacing, macros = part(buffers, 4, 3, cell, one), part(buffers, 5, 6 * loads, cell, one)
        weights = part(buffers, 6, loads * loads, cell, one)  # of energies this is the result
        out = part(buffers, 7, 2 * vx * vy * vz, cell, one) if slopes else weights
        if not slopes:
            out = part(buffers, 6, vx * loads * loads, cell, one)
        third = one / (one + one + one)
        for k in range(loads * loads):
            sums[k] = 0
        for j in range(vy):
            for z0 in range(0, vz, _TILE):
                count = min(_TILE, vz - z0)
                at = (i * vy + j) * vz + z0
                for z in range(_TILE):
                    lmbda[z] = moduli[0][at + min(z, count - 1)]
                    mu[z] = moduli[1][at + min(z, count - 1)]
                _strains_of_loads(u, loads, spacing, macros, (vx, vy, vz), i, j, z0, count, rows, e, one)
                if slopes:
                    for z in range(_TILE):
                        by_lmbda[z] = 0
                        by_mu[z] = 0
                    for load in range(loads):  # of a pair of loads both orders at once
                        _clear(s, 0, length)
                        for second in range(load + 1):
                            weight = weights[load * loads + second]
                            if second < load:
                                weight += weights[second * loads + load]
                            if weight != 0:
                                _add_times(s, weight, shifted(e, second * length), length)
                        _slopes(e, s, load * length, trace, other, by_lmbda, by_mu, third)
                    for z in range(count):
                        out[at + z] = by_lmbda[z]
                        out[vx * vy * vz + at + z] = by_mu[z]
                else:
                    for load in range(loads):
                        _stresses(e, s, load * length, lmbda, mu, trace, third)
                    for load in range(loads):
                        for second in range(load + 1):
                            energy = _dot(shifted(e, load * length), shifted(s, second * length), length)
                            sums[load * loads + second] += energy
        if not slopes:
            for load in range(loads):
                for second in range(load + 1):
                    out[(i * loads + load) * loads + second] = sums[load * loads + second]
                    out[(i * loads + second) * loads + load] = sums[load * loads + second]
    free(rows)
    free(sums)


@compiled(inline="always")
def _compute(buffers, first, end, one):
    what = data(buffers, 0, HALF)[0]
    if what <= SWEEP:
        _force(buffers, first, end, one, what)
    else:
        _energies(buffers, first, end, one, what == SLOPES)


_work = worker(_compute)
_float32, _float64 = named("jaxmeta_elements_float32"), named("jaxmeta_elements_float64")


def _task_float32(job):
    _work(job, FLOAT32)


def _task_float64(job):
    _work(job, FLOAT64)


def _target_float32(frame):
    return execute(frame, _float32())


def _target_float64(frame):
    return execute(frame, _float64())


TARGETS = {
    "float32": partial(custom_call, "jaxmeta_elements_float32", _task_float32, _target_float32),
    "float64": partial(custom_call, "jaxmeta_elements_float64", _task_float64, _target_float64),
}
"""Compiles the custom call of a type of number."""
