"""Forces of a row of voxels with twenty-one constants each: what `_forces.py` has for isotropic and cubic ones.

A polynomial has the strains that are not identically zero: six of the first, five of ξ, η, ζ, three of ηζ, ξζ, ξη. Only
the stresses beside them do work, so that a block of C serves.
"""

from __future__ import annotations

from ._memory import compiled
from ._modes import STRIDE, modes, put
from ._rows import FAST


@compiled(inline="always")
def _three(matrix, column):
    """Product of a symmetric matrix, its upper triangle row by row, with a column."""
    aa, ab, ac, bb, bc, cc = matrix
    a, b, c = column
    return aa * a + ab * b + ac * c, ab * a + bb * b + bc * c, ac * a + bc * b + cc * c


@compiled(inline="always")
def _five(matrix, column):
    aa, ab, ac, ad, ae, bb, bc, bd, be, cc, cd, ce, dd, de, ee = matrix
    a, b, c, d, e = column
    return (
        aa * a + ab * b + ac * c + ad * d + ae * e,
        ab * a + bb * b + bc * c + bd * d + be * e,
        ac * a + bc * b + cc * c + cd * d + ce * e,
        ad * a + bd * b + cd * c + dd * d + de * e,
        ae * a + be * b + ce * c + de * d + ee * e,
    )


@compiled(fastmath=FAST, inline="never")
def general_forces(b, count, ax, ay, az, volume, third, macro):
    """From the rows 0 … 11 to the forces on their low ends, rows 12 … 23, and on their high ends, rows 24 … 35.

    The constants are the rows from 42 on.
    """
    for z in range(count):
        u001, u010, u011, u100, u101, u110, u111 = modes(b, 0, z)
        v001, v010, v011, v100, v101, v110, v111 = modes(b, 4, z)
        w001, w010, w011, w100, w101, w110, w111 = modes(b, 8, z)
        c11, c12, c13 = b[42 * STRIDE + z], b[43 * STRIDE + z], b[44 * STRIDE + z]
        c14, c15, c16 = b[45 * STRIDE + z], b[46 * STRIDE + z], b[47 * STRIDE + z]
        c22, c23, c24 = b[48 * STRIDE + z], b[49 * STRIDE + z], b[50 * STRIDE + z]
        c25, c26, c33 = b[51 * STRIDE + z], b[52 * STRIDE + z], b[53 * STRIDE + z]
        c34, c35, c36 = b[54 * STRIDE + z], b[55 * STRIDE + z], b[56 * STRIDE + z]
        c44, c45, c46 = b[57 * STRIDE + z], b[58 * STRIDE + z], b[59 * STRIDE + z]
        c55, c56, c66 = b[60 * STRIDE + z], b[61 * STRIDE + z], b[62 * STRIDE + z]

        # Polynomial 1.
        p, q, r = volume * ax, volume * ay, volume * az
        xx, yy, zz = ax * u100 + macro[0], ay * v010 + macro[1], az * w001 + macro[2]
        yz = az * v001 + ay * w010 + macro[3]
        xz = az * u001 + ax * w100 + macro[4]
        xy = ay * u010 + ax * v100 + macro[5]
        f_u100 = p * (c11 * xx + c12 * yy + c13 * zz + c14 * yz + c15 * xz + c16 * xy)
        f_v010 = q * (c12 * xx + c22 * yy + c23 * zz + c24 * yz + c25 * xz + c26 * xy)
        f_w001 = r * (c13 * xx + c23 * yy + c33 * zz + c34 * yz + c35 * xz + c36 * xy)
        s = c14 * xx + c24 * yy + c34 * zz + c44 * yz + c45 * xz + c46 * xy
        f_v001, f_w010 = r * s, q * s
        s = c15 * xx + c25 * yy + c35 * zz + c45 * yz + c55 * xz + c56 * xy
        f_u001, f_w100 = r * s, p * s
        s = c16 * xx + c26 * yy + c36 * zz + c46 * yz + c56 * xz + c66 * xy
        f_u010, f_v100 = q * s, p * s
        # ξ
        p, q, r = p * third, q * third, r * third
        yz, xz, xy = az * v101 + ay * w110, az * u101, ay * u110
        yy, zz, yz, xz, xy = _five(
            (c22, c23, c24, c25, c26, c33, c34, c35, c36, c44, c45, c46, c55, c56, c66),
            (ay * v110, az * w101, yz, xz, xy),
        )
        f_v110, f_w101, f_v101, f_w110, f_u101, f_u110 = q * yy, r * zz, r * yz, q * yz, r * xz, q * xy
        # η
        yz, xz, xy = az * v011, az * u011 + ax * w110, ax * v110
        xx, zz, yz, xz, xy = _five(
            (c11, c13, c14, c15, c16, c33, c34, c35, c36, c44, c45, c46, c55, c56, c66),
            (ax * u110, az * w011, yz, xz, xy),
        )
        f_u110 += p * xx
        f_w110 += p * xz
        f_v110 += p * xy
        f_w011, f_v011, f_u011 = r * zz, r * yz, r * xz
        # ζ
        yz, xz, xy = ay * w011, ax * w101, ay * u011 + ax * v101
        xx, yy, yz, xz, xy = _five(
            (c11, c12, c14, c15, c16, c22, c24, c25, c26, c44, c45, c46, c55, c56, c66),
            (ax * u101, ay * v011, yz, xz, xy),
        )
        f_u101 += p * xx
        f_v011 += q * yy
        f_w011 += q * yz
        f_w101 += p * xz
        f_u011 += q * xy
        f_v101 += p * xy
        # ηζ, ξζ, ξη
        p, q, r = p * third, q * third, r * third
        xx, xz, xy = _three((c11, c15, c16, c55, c56, c66), (ax * u111, ax * w111, ax * v111))
        f_u111, f_w111, f_v111 = p * xx, p * xz, p * xy
        yy, yz, xy = _three((c22, c24, c26, c44, c46, c66), (ay * v111, ay * w111, ay * u111))
        f_v111, f_w111, f_u111 = f_v111 + q * yy, f_w111 + q * yz, f_u111 + q * xy
        zz, yz, xz = _three((c33, c34, c35, c44, c45, c55), (az * w111, az * v111, az * u111))
        f_w111, f_v111, f_u111 = f_w111 + r * zz, f_v111 + r * yz, f_u111 + r * xz

        put(b, 12, z, f_u001, f_u010, f_u011, f_u100, f_u101, f_u110, f_u111)
        put(b, 16, z, f_v001, f_v010, f_v011, f_v100, f_v101, f_v110, f_v111)
        put(b, 20, z, f_w001, f_w010, f_w011, f_w100, f_w101, f_w110, f_w111)
