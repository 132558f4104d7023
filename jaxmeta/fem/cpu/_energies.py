"""Mutual energies of isotropic voxels for a CPU, and what they change by with the moduli, row by row of voxels.

The mathematics is that of `fem/_kernel.py`: the thirty strain coefficients of every load, and their stresses.
"""

from __future__ import annotations

from ._forces import STRIDE, sums
from ._memory import FLOAT64, HALF, allocate, compiled, data, free, missing, part, shape, shifted
from ._rows import FAST, add_times, clear

ENERGIES, SLOPES = range(2)
"""What may be asked for."""
_TILE = 64
"""Most voxels of a row that are worked at together: a row takes sixty numbers for each load and voxel."""

# The polynomials 1, ξ, η, ζ, ηζ, ξζ, ξη: the first of their strain coefficients, how many of these are normal and how
# many shear strains, and on which components they act (Voigt).
_FIRST = (0, 6, 11, 16, 21, 24, 27)
_NORMAL = (3, 2, 2, 2, 1, 1, 1)
_SHEAR = (3, 3, 3, 3, 2, 2, 2)
_STRAINS = 30


@compiled(fastmath=FAST, inline="never")
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


@compiled(fastmath=FAST, inline="never")
def _trace(e, row, count, trace):
    """Sum of `count` normal strains of a polynomial, from `row` on."""
    for z in range(_TILE):
        trace[z] = e[row + z]
    for i in range(1, count):
        for z in range(_TILE):
            trace[z] += e[row + i * _TILE + z]


@compiled(fastmath=FAST, inline="never")
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


@compiled(fastmath=FAST, inline="never")
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


@compiled(fastmath={*FAST, "reassoc"}, inline="never")
def _dot(a, b, count):
    total = a[0] * b[0]
    for k in range(1, count):
        total += a[k] * b[k]
    return total


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
            sums(rows, 4 * c * STRIDE, u, a, a + nz, a + ny * nz, a + ny * nz + nz, count + 1)
        first, macro = load * _STRAINS * _TILE, shifted(macros, 6 * load)
        _strains(rows, e, first, count, quarter / spacing[0], quarter / spacing[1], quarter / spacing[2], macro)


@compiled(inline="always")
def compute(buffers, first, end, one):
    """Sums over planes of voxels of the mutual energies of all pairs of loads, (cells, x, loads, loads), or `slopes`:
    what a weighted sum of the mean energies changes by with λ and μ of every voxel, (cells, 2, x, y, z).

    Operands are displacements on all corners (cells, loads, 3, x + 1, y + 1, z + 1), λ, μ, spacing, macroscopic strains
    (cells, loads, 6), and the weights (cells, loads, loads) of the slopes.
    """
    slopes = data(buffers, 0, HALF)[0] == SLOPES
    loads, m = shape(buffers, 1)[1], shape(buffers, 2)
    vx, vy, vz = m[1], m[2], m[3]
    field = (vx + 1) * (vy + 1) * (vz + 1)
    length = _STRAINS * _TILE
    rows = allocate(12 * STRIDE + (2 * loads * _STRAINS + 6) * _TILE, one)
    sums = allocate(loads * loads, FLOAT64)  # over a plane
    if missing(rows) or missing(sums):
        free(rows)
        free(sums)
        return False
    e = shifted(rows, 12 * STRIDE)
    s = shifted(e, loads * length)
    lmbda = shifted(s, loads * length)
    mu, trace, other = shifted(lmbda, _TILE), shifted(lmbda, 2 * _TILE), shifted(lmbda, 3 * _TILE)
    by_lmbda, by_mu = shifted(lmbda, 4 * _TILE), shifted(lmbda, 5 * _TILE)
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
                        clear(s, length)
                        for second in range(load + 1):
                            weight = weights[load * loads + second]
                            if second < load:
                                weight += weights[second * loads + load]
                            if weight != 0:
                                add_times(s, weight, shifted(e, second * length), length)
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
    return True
