"""Mutual energies of voxels for a CPU, and what they change by with the moduli, row by row of voxels.

The mathematics is that of `fem/_kernel.py`: the thirty strain coefficients of every load, and their stresses.
"""

from __future__ import annotations

from ._memory import FLOAT64, HALF, allocate, compiled, data, free, missing, part, shape, shifted
from ._modes import STRIDE, modes, sums
from ._moduli import GENERAL, ISOTROPIC, entry, load_moduli, row_count
from ._rows import FAST, add_times, clear

ENERGIES, SLOPES = range(2)
"""What may be asked for."""
_TILE = 64
"""Most voxels of a row that are worked at together: a row takes sixty numbers for each load and voxel."""

# The polynomials 1, ξ, η, ζ, ηζ, ξζ, ξη: the first of their strain coefficients, how many of these are normal and how
# many shear strains, and, of every coefficient, on which component it acts (Voigt).
_FIRST = (0, 6, 11, 16, 21, 24, 27)
_NORMAL = (3, 2, 2, 2, 1, 1, 1)
_SHEAR = (3, 3, 3, 3, 2, 2, 2)
_COMPONENT = (0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 0, 2, 3, 4, 5, 0, 1, 3, 4, 5, 0, 4, 5, 1, 3, 5, 2, 3, 4)
_STRAINS = 30


@compiled(fastmath=FAST, inline="never")
def _strains(b, e, first, count, ax, ay, az, macro):
    """The thirty strain coefficients of the voxels of a row, from the rows 0 … 11 of `b` into rows of `e`."""
    for z in range(count):
        u001, u010, u011, u100, u101, u110, u111 = modes(b, 0, z)
        v001, v010, v011, v100, v101, v110, v111 = modes(b, 4, z)
        w001, w010, w011, w100, w101, w110, w111 = modes(b, 8, z)
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


@compiled(inline="always")
def _weight(k, third):
    """Mean square of a polynomial."""
    return third / third if k == 0 else third if k < 4 else third * third


@compiled(fastmath=FAST, inline="never")
def _stresses(e, s, first, moduli, trace, third):
    """w C ε of every strain coefficient ε, with w the mean square of its polynomial, from rows of l, d and s."""
    for k in range(7):
        weight = _weight(k, third)
        row, shear = first + _FIRST[k] * _TILE, first + (_FIRST[k] + _NORMAL[k]) * _TILE
        _trace(e, row, _NORMAL[k], trace)
        for i in range(_NORMAL[k]):
            for z in range(_TILE):
                s[row + i * _TILE + z] = weight * (moduli[z] * trace[z] + moduli[_TILE + z] * e[row + i * _TILE + z])
        for i in range(_SHEAR[k]):
            for z in range(_TILE):
                s[shear + i * _TILE + z] = weight * moduli[2 * _TILE + z] * e[shear + i * _TILE + z]


@compiled(fastmath=FAST, inline="never")
def _slopes(e, f, first, trace, other, out, third):
    """Add e·(∂C/∂l) f, e·(∂C/∂d) f and e·(∂C/∂s) f of a row of voxels, e from `first` on and f from 0 on."""
    for k in range(7):
        weight = _weight(k, third)
        row, second = first + _FIRST[k] * _TILE, _FIRST[k] * _TILE
        _trace(e, row, _NORMAL[k], trace)
        _trace(f, second, _NORMAL[k], other)
        for z in range(_TILE):
            out[z] += weight * trace[z] * other[z]
        for i in range(_NORMAL[k] + _SHEAR[k]):
            to = _TILE if i < _NORMAL[k] else 2 * _TILE
            for z in range(_TILE):
                out[to + z] += weight * e[row + i * _TILE + z] * f[second + i * _TILE + z]


@compiled(fastmath=FAST, inline="never")
def _add_product(row, weight, a, b):
    for z in range(_TILE):
        row[z] += weight * a[z] * b[z]


@compiled()
def _general_stresses(e, s, moduli, third):
    """w C ε of every strain coefficient, from rows of twenty-one constants."""
    clear(s, _STRAINS * _TILE)
    for k in range(7):
        for i in range(_FIRST[k], _FIRST[k] + _NORMAL[k] + _SHEAR[k]):
            for j in range(_FIRST[k], _FIRST[k] + _NORMAL[k] + _SHEAR[k]):
                constant = shifted(moduli, entry(_COMPONENT[i], _COMPONENT[j]) * _TILE)
                _add_product(shifted(s, i * _TILE), _weight(k, third), constant, shifted(e, j * _TILE))


@compiled()
def _general_slopes(e, f, out, third):
    """Add e·(∂C/∂C_ij) f of a row of voxels, for twenty-one constants."""
    for k in range(7):
        for i in range(_FIRST[k], _FIRST[k] + _NORMAL[k] + _SHEAR[k]):
            for j in range(_FIRST[k], _FIRST[k] + _NORMAL[k] + _SHEAR[k]):
                to = shifted(out, entry(_COMPONENT[i], _COMPONENT[j]) * _TILE)
                _add_product(to, _weight(k, third), shifted(e, i * _TILE), shifted(f, j * _TILE))


@compiled(fastmath=FAST)
def _give_slopes(rows, out, constants, size, at, count):
    """The slopes by the constants, fields of `size` voxels, of `count` voxels, from rows of those by l, d and s."""
    if constants == GENERAL:
        for k in range(GENERAL):
            for z in range(count):
                out[k * size + at + z] = rows[k * _TILE + z]
    elif constants == ISOTROPIC:
        for z in range(count):
            out[at + z] = rows[z]
            out[size + at + z] = rows[_TILE + z] + rows[_TILE + z] + rows[2 * _TILE + z]
    else:
        for z in range(count):
            out[at + z] = rows[_TILE + z]
            out[size + at + z] = rows[z] - rows[_TILE + z]
            out[2 * size + at + z] = rows[2 * _TILE + z]


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
    what a weighted sum of the mean energies changes by with the constants of every voxel, (cells, constants, x, y, z).

    Operands are displacements on all corners (cells, loads, 3, x + 1, y + 1, z + 1), spacing, macroscopic strains
    (cells, loads, 6), the weights (cells, loads, loads) of the slopes, and the moduli.
    """
    slopes = data(buffers, 0, HALF)[0] == SLOPES
    operand = 5 if slopes else 4
    result = data(buffers, 0, HALF)[5] + 1
    constants = result - operand
    loads, m = shape(buffers, 1)[1], shape(buffers, operand)
    vx, vy, vz = m[1], m[2], m[3]
    field, size = (vx + 1) * (vy + 1) * (vz + 1), vx * vy * vz
    length = _STRAINS * _TILE
    count_of_rows = row_count(constants)
    rows = allocate(12 * STRIDE + (2 * loads * _STRAINS + 2 + 2 * count_of_rows) * _TILE, one)
    sums = allocate(loads * loads, FLOAT64)  # over a plane
    if missing(rows) or missing(sums):
        free(rows)
        free(sums)
        return False
    e = shifted(rows, 12 * STRIDE)
    s = shifted(e, loads * length)
    trace = shifted(s, loads * length)
    other, moduli = shifted(trace, _TILE), shifted(trace, 2 * _TILE)
    by_moduli = shifted(moduli, count_of_rows * _TILE)
    third = one / (one + one + one)
    for unit in range(first, end):
        cell = unit // vx
        i = unit - cell * vx
        u = part(buffers, 1, 3 * loads * field, cell, one)
        spacing, macros = part(buffers, 2, 3, cell, one), part(buffers, 3, 6 * loads, cell, one)
        weights = part(buffers, 4, loads * loads, cell, one)  # of energies this is no such thing
        out = part(buffers, result, constants * size if slopes else vx * loads * loads, cell, one)
        for k in range(loads * loads):
            sums[k] = 0
        for j in range(vy):
            for z0 in range(0, vz, _TILE):
                count = min(_TILE, vz - z0)
                at = (i * vy + j) * vz + z0
                clear(moduli, count_of_rows * _TILE)
                load_moduli(moduli, _TILE, (buffers, operand, constants, cell), size, at, count, one)
                _strains_of_loads(u, loads, spacing, macros, (vx, vy, vz), i, j, z0, count, rows, e, one)
                if slopes:
                    clear(by_moduli, count_of_rows * _TILE)
                    for load in range(loads):  # of a pair of loads both orders at once
                        clear(s, length)
                        for second in range(load + 1):
                            weight = weights[load * loads + second]
                            if second < load:
                                weight += weights[second * loads + load]
                            if weight != 0:
                                add_times(s, weight, shifted(e, second * length), length)
                        if constants == GENERAL:
                            _general_slopes(shifted(e, load * length), s, by_moduli, third)
                        else:
                            _slopes(e, s, load * length, trace, other, by_moduli, third)
                    _give_slopes(by_moduli, out, constants, size, at, count)
                else:
                    for load in range(loads):
                        if constants == GENERAL:
                            _general_stresses(shifted(e, load * length), shifted(s, load * length), moduli, third)
                        else:
                            _stresses(e, s, load * length, moduli, trace, third)
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
