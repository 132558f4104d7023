"""Inverses of the 3×3 blocks of the nodes for a CPU; see `fem/_blocks.py`.

The entry ij of a block is Σ C_(ia)(jb) ∫ ∂_a N ∂_b N over a, b and the eight voxels of the node, with ∫ ∂_a N ∂_a N =
V/(9 h_a²) and ∫ ∂_a N ∂_b N = ± V/(12 h_a h_b) otherwise, which changes sign across the planes a and b (see
`fem/_kernel.py`). So of the voxels z and z + 1 beside a node the terms that do not have z for just one of a and b are
added, and the others are subtracted. Their sums over the four rows of voxels of a row of nodes are the rows 0 … 5, of
the former and for the entries 11 22 33 23 13 12, and 6 … 11 of the latter.
"""

from __future__ import annotations

from ._ends import ends, within
from ._memory import HALF, allocate, compiled, data, free, missing, part, shape, shifted
from ._modes import STRIDE, TILE
from ._moduli import GENERAL, entry, load_from_before, row_count
from ._rows import FAST, add_times, clear

_ROW, _COLUMN = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
"""Of the six entries of a block."""


@compiled(inline="always")
def _voigt(i, j):
    """Voigt index of a pair of axes."""
    return i if i == j else 6 - i - j


@compiled(fastmath=FAST, inline="never")
def _add_entries(rows, moduli, sign_x, sign_y, spacing, count, one):
    """Add the shares of a row of voxels, from rows of l, d and s. The nodes are its high corners along x (1) or its low
    ones (−1), and likewise along y."""
    third, quarter = one / (one + one + one), one / (one + one + one + one)
    volume = spacing[0] * spacing[1] * spacing[2]
    ax, ay, az = one / spacing[0], one / spacing[1], one / spacing[2]
    ninth, twelfth = volume * third * third, volume * third * quarter
    xx, yy, zz = ninth * ax * ax, ninth * ay * ay, ninth * az * az
    yz, xz, xy = twelfth * sign_y * ay * az, twelfth * sign_x * ax * az, twelfth * sign_x * sign_y * ax * ay
    for z in range(count):
        normal, shear = moduli[z] + moduli[STRIDE + z], moduli[2 * STRIDE + z]
        both = moduli[z] + shear
        rows[z] += xx * normal + (yy + zz) * shear
        rows[STRIDE + z] += yy * normal + (xx + zz) * shear
        rows[2 * STRIDE + z] += zz * normal + (xx + yy) * shear
        rows[5 * STRIDE + z] += xy * both
        rows[9 * STRIDE + z] += yz * both
        rows[10 * STRIDE + z] += xz * both


@compiled()
def _add_general_entries(rows, moduli, sign_x, sign_y, spacing, count, one):
    """Add the shares of a row of voxels, from rows of twenty-one constants."""
    third, quarter = one / (one + one + one), one / (one + one + one + one)
    volume = spacing[0] * spacing[1] * spacing[2]
    for k in range(6):
        i, j = _ROW[k], _COLUMN[k]
        for a in range(3):
            for b in range(3):
                factor = volume * third * (third if a == b else quarter) / (spacing[a] * spacing[b])
                if a != b:
                    factor *= (sign_x if a == 0 or b == 0 else one) * (sign_y if a == 1 or b == 1 else one)
                to = shifted(rows, (k + 6 if a != b and (a == 2 or b == 2) else k) * STRIDE)
                add_times(to, factor, shifted(moduli, entry(_voigt(i, a), _voigt(j, b)) * STRIDE), count)


@compiled(fastmath=FAST, inline="never")
def _invert(rows, mask, held, damping, out, size, count, one):
    """Damped inverses of the blocks of a row of nodes, each between the voxels z and z + 1 of the rows."""
    zero = one - one
    for z in range(count):
        a0 = rows[z] + rows[z + 1] + rows[6 * STRIDE + z] - rows[6 * STRIDE + z + 1]
        a1 = rows[STRIDE + z] + rows[STRIDE + z + 1] + rows[7 * STRIDE + z] - rows[7 * STRIDE + z + 1]
        a2 = rows[2 * STRIDE + z] + rows[2 * STRIDE + z + 1] + rows[8 * STRIDE + z] - rows[8 * STRIDE + z + 1]
        o0 = rows[3 * STRIDE + z] + rows[3 * STRIDE + z + 1] + rows[9 * STRIDE + z] - rows[9 * STRIDE + z + 1]
        o1 = rows[4 * STRIDE + z] + rows[4 * STRIDE + z + 1] + rows[10 * STRIDE + z] - rows[10 * STRIDE + z + 1]
        o2 = rows[5 * STRIDE + z] + rows[5 * STRIDE + z + 1] + rows[11 * STRIDE + z] - rows[11 * STRIDE + z + 1]
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


@compiled(inline="always")
def compute(buffers, first, end, one):
    """Damped inverses (cells, 6, x, y, z) of the blocks of the nodes, from the spacing, the free components, the
    damping and the moduli. The voxel that begins at a node sees its low corner, the one before it the high one.
    """
    result = data(buffers, 0, HALF)[5] + 1
    constants = result - 4
    e, n, free_nodes = shape(buffers, 4), shape(buffers, result), shape(buffers, 2)
    nodes = n[2] * n[3] * n[4]
    around_x, around_y, around_z = ends(buffers)
    held = free_nodes[2] * free_nodes[3] * free_nodes[4] == nodes
    rows = allocate((12 + row_count(constants)) * STRIDE, one)
    if missing(rows):
        return False
    moduli = shifted(rows, 12 * STRIDE)
    for unit in range(first, end):
        cell = unit // n[2]
        i = unit - cell * n[2]
        source = buffers, 4, constants, cell
        spacing, mask = part(buffers, 1, 3, cell, one), part(buffers, 2, 3 * nodes if held else 3, cell, one)
        damping = part(buffers, 3, 1, cell, one)[0]
        out = part(buffers, result, 6 * nodes, cell, one)
        for j in range(n[3]):
            for z0 in range(0, n[4], TILE):
                count = min(TILE, n[4] - z0)
                inside = min(count, e[3] - z0)  # a block has one node more than voxels
                clear(rows, 12 * STRIDE)
                for a in range(2):
                    x = within(i - a, e[1], around_x)
                    for b in range(2):
                        y = within(j - b, e[2], around_y)
                        if x >= 0 and y >= 0:
                            sign_x, sign_y = (one if a else -one), (one if b else -one)
                            load_from_before(moduli, source, (e[1], e[2], e[3]), x, y, z0, inside, around_z, one)
                            if constants == GENERAL:
                                _add_general_entries(rows, moduli, sign_x, sign_y, spacing, inside + 1, one)
                            else:
                                _add_entries(rows, moduli, sign_x, sign_y, spacing, inside + 1, one)
                at = (i * n[3] + j) * n[4] + z0
                to, free_here = shifted(out, at), shifted(mask, at if held else 0)
                _invert(rows, free_here, held, damping, to, nodes, count, one)
    free(rows)
    return True
