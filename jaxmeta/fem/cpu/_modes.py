"""Modes and strains of a voxel, in the rows that forces and energies are computed in.

The mathematics is that of `fem/_kernel.py`: sums and differences of the corner values (modes), seven polynomials,
thirty strain coefficients.

**Rows.** A scratch array holds rows of `STRIDE` numbers. For a row of voxels between the four rows of nodes A (x, y),
B (x, y+1), D (x+1, y), E (x+1, y+1) the rows 4c … 4c+3 hold sums and differences of component c along x and y, named
by the exponents p, q of the mode m_pq·: 00, 01, 10, 11. The sums and differences along z follow in the loops over z.
"""

from __future__ import annotations

from ._memory import compiled
from ._rows import FAST

TILE = 128
"""Most voxels of a row that are worked at together."""
STRIDE = TILE + 32


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


@compiled(inline="always")
def modes(b, first, z):
    """The modes 001, 010, 011, 100, 101, 110, 111 of one component, whose four rows begin at `first`."""
    low, high = first * STRIDE + z, first * STRIDE + z + 1
    m001 = b[high] - b[low]
    m010, m011 = b[STRIDE + low] + b[STRIDE + high], b[STRIDE + high] - b[STRIDE + low]
    m100, m101 = b[2 * STRIDE + low] + b[2 * STRIDE + high], b[2 * STRIDE + high] - b[2 * STRIDE + low]
    m110, m111 = b[3 * STRIDE + low] + b[3 * STRIDE + high], b[3 * STRIDE + high] - b[3 * STRIDE + low]
    return m001, m010, m011, m100, m101, m110, m111


@compiled(inline="always")
def put(b, first, z, f001, f010, f011, f100, f101, f110, f111):
    """Forces on the modes of one component: on the low ends of the rows along z and, twelve rows on, the high ones."""
    low, high = first * STRIDE + z, (first + 12) * STRIDE + z
    b[low], b[high] = -f001, f001
    b[STRIDE + low], b[STRIDE + high] = f010 - f011, f010 + f011
    b[2 * STRIDE + low], b[2 * STRIDE + high] = f100 - f101, f100 + f101
    b[3 * STRIDE + low], b[3 * STRIDE + high] = f110 - f111, f110 + f111
