"""Grid transfers and nodal blocks for a CPU, compiled by Numba; see `_transfer.py` and `_multigrid.py`.

A coarse grid is periodic if it has half as many nodes as the fine one, and a block if twice as many less one.
"""

from __future__ import annotations

import numba

from ._cpu_call import (
    FLOAT32,
    FLOAT64,
    HALF,
    TARGET,
    TASK,
    allocate,
    data,
    execute,
    export,
    free,
    kept,
    part,
    pointer,
    shape,
    shifted,
    worker,
)

BLOCKS, RESTRICTED, CORRECTED = range(3)
"""What may be asked for."""
_FAST = {"contract", "nsz", "arcp"}


@numba.njit(nogil=True, fastmath=_FAST, inline="never")
def _times_blocks(blocks, field, out, size, count):
    """Product of symmetric 3×3 blocks 11 22 33 23 13 12 with a field of nodes, whose components are `size` apart."""
    for k in range(count):
        x, y, z = field[k], field[size + k], field[2 * size + k]
        yz, xz, xy = blocks[3 * size + k], blocks[4 * size + k], blocks[5 * size + k]
        out[k] = blocks[k] * x + xy * y + xz * z
        out[size + k] = xy * x + blocks[size + k] * y + yz * z
        out[2 * size + k] = xz * x + yz * y + blocks[2 * size + k] * z


@numba.njit(nogil=True)
def _blocks(buffers, first, end, like):
    """Products (cells, 3, x, y, z) of the blocks (cells, 6, x, y, z) with a field."""
    nodes = shape(buffers, 2)
    plane = nodes[3] * nodes[4]
    size = nodes[2] * plane
    for unit in range(first, end):
        cell = unit // nodes[2]
        begin = (unit - cell * nodes[2]) * plane
        blocks = shifted(part(buffers, 1, 6 * size, cell, like), begin)
        field = shifted(part(buffers, 2, 3 * size, cell, like), begin)
        _times_blocks(blocks, field, shifted(part(buffers, 3, 3 * size, cell, like), begin), size, plane)


@numba.njit(nogil=True, fastmath=_FAST, inline="never")
def _add_times(row, factor, other, count):
    for z in range(count):
        row[z] += factor * other[z]


@numba.njit(nogil=True)
def _clear(row, count):
    for z in range(count):
        row[z] = 0


@numba.njit(nogil=True)
def _within(k, size, periodic):
    """The plane k, which may be one before the first or after the last; −1 if there is none."""
    if 0 <= k < size:
        return k
    return (k + size) % size if periodic else -1


@numba.njit(nogil=True, fastmath=_FAST)
def _restricted(buffers, first, end, like):
    """Forces on coarse nodes (cells, 3, x, y, z): along each axis that of the fine node and half of its neighbours'."""
    f, g = shape(buffers, 1), shape(buffers, 2)
    periodic = f[2] == 2 * g[2]
    fine, coarse = f[2] * f[3] * f[4], g[2] * g[3] * g[4]
    one = like.dtype.type(1)
    half = one / (one + one)
    place = allocate((f[4] + 2) * like.itemsize)
    row = shifted(pointer(place, like), 1)
    for unit in range(first, end):
        cell = unit // g[2]
        i = unit - cell * g[2]
        source, out = part(buffers, 1, 3 * fine, cell, like), part(buffers, 2, 3 * coarse, cell, like)
        for c in range(3):
            for j in range(g[3]):
                _clear(shifted(row, -1), f[4] + 2)
                for a in range(-1, 2):
                    x = _within(2 * i + a, f[2], periodic)
                    for b in range(-1, 2):
                        y = _within(2 * j + b, f[3], periodic)
                        if x >= 0 and y >= 0:
                            share = (one if a == 0 else half) * (one if b == 0 else half)
                            _add_times(row, share, shifted(source, ((c * f[2] + x) * f[3] + y) * f[4]), f[4])
                if periodic:
                    row[-1] = row[f[4] - 1]
                to = ((c * g[2] + i) * g[3] + j) * g[4]
                for z in range(g[4]):
                    out[to + z] = row[2 * z] + half * (row[2 * z - 1] + row[2 * z + 1])
    free(place)


@numba.njit(nogil=True, fastmath=_FAST)
def _corrected(buffers, first, end, like):
    """A displacement (cells, 3, x, y, z) with that of the coarse grid added, trilinear between its nodes."""
    g, f = shape(buffers, 1), shape(buffers, 2)
    periodic = f[2] == 2 * g[2]
    fine, coarse = f[2] * f[3] * f[4], g[2] * g[3] * g[4]
    one = like.dtype.type(1)
    half = one / (one + one)
    place = allocate((g[4] + 1) * like.itemsize)
    row = pointer(place, like)
    for unit in range(first, end):
        cell = unit // f[2]
        i = unit - cell * f[2]
        source = part(buffers, 1, 3 * coarse, cell, like)
        value, out = part(buffers, 2, 3 * fine, cell, like), part(buffers, 3, 3 * fine, cell, like)
        for c in range(3):
            for j in range(f[3]):
                _clear(row, g[4] + 1)
                for a in range(1 + i % 2):
                    x = _within(i // 2 + a, g[2], periodic)
                    for b in range(1 + j % 2):
                        y = _within(j // 2 + b, g[3], periodic)
                        share = (half if i % 2 else one) * (half if j % 2 else one)
                        _add_times(row, share, shifted(source, ((c * g[2] + x) * g[3] + y) * g[4]), g[4])
                if periodic:
                    row[g[4]] = row[0]
                to = ((c * f[2] + i) * f[3] + j) * f[4]
                for z in range(f[4] - f[4] // 2):
                    out[to + 2 * z] = value[to + 2 * z] + row[z]
                for z in range(f[4] // 2):
                    out[to + 2 * z + 1] = value[to + 2 * z + 1] + half * (row[z] + row[z + 1])
    free(place)


@numba.njit(nogil=True, inline="always")
def _compute(buffers, first, end, like):
    what = data(buffers, 0, HALF)[0]
    if what == BLOCKS:
        _blocks(buffers, first, end, like)
    elif what == RESTRICTED:
        _restricted(buffers, first, end, like)
    else:
        _corrected(buffers, first, end, like)


# Written out for each type of number: Numba keeps on disk only functions that close over nothing.
_work = worker(_compute)


def _float32():
    """The custom call of float32, compiled."""

    @kept(TASK)
    def transfer_task_float32(job):
        _work(job, FLOAT32)

    address = export("jaxmeta_transfer_task_float32", transfer_task_float32)

    @kept(TARGET)
    def transfer_float32(frame):
        return execute(frame, address())

    return transfer_float32


def _float64():
    """The custom call of float64, compiled."""

    @kept(TASK)
    def transfer_task_float64(job):
        _work(job, FLOAT64)

    address = export("jaxmeta_transfer_task_float64", transfer_task_float64)

    @kept(TARGET)
    def transfer_float64(frame):
        return execute(frame, address())

    return transfer_float64


TARGETS = {"float32": _float32, "float64": _float64}
