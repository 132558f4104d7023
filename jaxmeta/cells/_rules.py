"""Which moves spoil nothing.

A move is *allowed* when no topology changes, no member becomes thinner than asked, and no hinge appears. All of that is
seen in a window around its voxels, of which thousands are looked at together: a line of voxels along z is the bits of
one number.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

from ._moves import Moves
from ._orbits import Orbits

MOST = 16
"""Voxels of a member, at most."""
_TOGETHER = 500
"""Windows that are looked at together."""


class Rules:
    """What a move must not spoil.

    Args:
        orbits: of the cell.
        member: least thickness of a member that a move leaves or makes, in voxels; at most `MOST`, for whose windows a
            number has bits enough.
        gap: least width of void that a move leaves or makes, in voxels.
    """

    def __init__(self, orbits: Orbits, member: int, gap: int):
        self._orbits, self._member, self._gap = orbits, member, gap
        self._reach = 1 + 2 * max(member - 1, gap - 1, 1)
        self._number = orbits.around(orbits.number, self._reach)
        self._offsets = np.arange(2 * self._reach + 1)

    def allowed(self, bits: Bool[np.ndarray, " orbits"], moves: Moves) -> Bool[np.ndarray, " k"]:
        """Which moves may be made, each alone; none whose voxels were flipped since.

        Args:
            bits: whether each orbit is solid.
            moves: to look at.
        """
        good = np.zeros(len(moves.first), bool)
        for start in range(0, len(good), _TOGETHER):
            some = np.arange(start, min(start + _TOGETHER, len(good)))
            good[some] = self._allowed(bits, moves.some(some))
        return good

    def reached(self, flipped: Bool[np.ndarray, " orbits"], moves: Moves) -> Bool[np.ndarray, " k"]:
        """Which moves may be seen otherwise once some orbits are flipped: those with one in their window."""
        seen = np.zeros(len(moves.first), bool)
        for start in range(0, len(seen), _TOGETHER):
            some = slice(start, start + _TOGETHER)
            seen[some] = flipped[self._windows(moves.first[some])].any(axis=(1, 2, 3))
        return seen

    def _windows(self, first: np.ndarray) -> np.ndarray:
        """Numbers of the orbits around voxels, (k, w, w, w)."""
        x, y, z = (first[:, axis, None] + self._offsets for axis in range(3))
        return self._number[x[:, :, None, None], y[:, None, :, None], z[:, None, None, :]]

    def _allowed(self, bits: np.ndarray, moves: Moves) -> np.ndarray:
        d, number = self._offsets, self._windows(moves.first)
        flipped = number == moves.orbits[:, 0, None, None, None]
        for column in range(1, 4):
            flipped |= number == moves.orbits[:, column, None, None, None]
        before = bits[number]
        after = before ^ flipped
        b, a = _lines(before), _lines(after)
        whole = (1 << len(d)) - 1
        good = (bits[moves.orbits] == moves.solid[:, None]).all(axis=1)
        good &= ~self._thinner(b, a, whole, self._member)
        good &= ~self._thinner(whole & ~b, whole & ~a, whole, self._gap)
        good &= ~_hinged(b, a, self._reach)
        rest = np.flatnonzero(good)
        good[rest] = _simple(before[rest], flipped[rest])
        return good

    def _thinner(self, before: np.ndarray, after: np.ndarray, whole: int, size: int) -> np.ndarray:
        """Whether voxels of the inner window lie in no cube that did before, or are new and lie in none."""
        if size == 1:
            return np.zeros(before.shape[-1], bool)
        thin = after & ~_opened(after, size) & ~(before & ~_opened(before, size))
        inner = slice(self._reach - (size - 1), self._reach + size + 1)
        mask = sum(1 << d for d in range(inner.start, inner.stop))
        return ((thin[inner, inner] & mask) != 0).any(axis=(0, 1))


def _lines(windows: np.ndarray) -> np.ndarray:
    """Windows (k, w, w, w) as (w, w, k) numbers, whose bits are the voxels along z."""
    packed = np.packbits(windows, axis=-1, bitorder="little")
    kind = np.int32 if windows.shape[-1] < 32 else np.int64
    bits = packed.astype(kind) @ (kind(1) << 8 * np.arange(packed.shape[-1], dtype=kind))
    return np.ascontiguousarray(np.moveaxis(bits, 0, -1))


def _opened(lines: np.ndarray, size: int) -> np.ndarray:
    """Voxels in solid cubes, of windows (x, y, k) with bits along z; near the ends of the window too few."""
    full = lines
    for _ in range(size - 1):
        full = full & (full >> 1)
    for _ in range(size - 1):  # cubes by their first voxel
        full = full[:-1] & full[1:]
    for _ in range(size - 1):
        full = full[:, :-1] & full[:, 1:]
    for _ in range(size - 1):
        full = full | (full << 1)
    for axis in (0, 1):
        for _ in range(size - 1):
            pad = np.zeros_like(np.take(full, [0], axis))
            full = np.concatenate([full, pad], axis) | np.concatenate([pad, full], axis)
    return full


def _hinged(before: np.ndarray, after: np.ndarray, reach: int) -> np.ndarray:
    """Whether there is a contact through an edge or a corner only that there was not before."""
    inner = slice(reach - 1, reach + 3)
    mask = 0b111 << (reach - 1)  # a square or block begins before the last voxel
    kinds = zip(_hinges(before[inner, inner]), _hinges(after[inner, inner]), strict=True)
    found = np.zeros(before.shape[-1], bool)
    for was, there in kinds:
        found |= ((there & ~was & mask) != 0).any(axis=(0, 1))
    return found


def _hinges(w: np.ndarray) -> list[np.ndarray]:
    """Edge and corner hinges of windows, by the first voxel of their square or block, kind by kind."""
    z = lambda lines: lines >> 1  # noqa: E731  the next voxel along z
    a, b, c, d = w[:-1, :-1], w[1:, :-1], w[:-1, 1:], w[1:, 1:]
    found = [_diagonal(a, b, c, d), _diagonal(w[:-1], w[1:], z(w[:-1]), z(w[1:])),
             _diagonal(w[:, :-1], w[:, 1:], z(w[:, :-1]), z(w[:, 1:]))]  # fmt: skip
    corner = {(0, 0): a, (1, 0): b, (0, 1): c, (1, 1): d}
    block: dict[tuple[int, ...], np.ndarray] = {
        (i, j, k): (z(lines) if k else lines) for (i, j), lines in corner.items() for k in (0, 1)
    }
    for i, j in ((0, 0), (1, 0), (0, 1), (1, 1)):
        p = (i, j, 0)
        q = tuple(1 - s for s in p)
        joined = np.zeros_like(a)
        for first in range(3):
            for second in range(3):
                if first != second:
                    near = tuple(1 - s if axis == first else s for axis, s in enumerate(p))
                    far = tuple(1 - s if axis in (first, second) else s for axis, s in enumerate(p))
                    joined |= block[near] & block[far]
        found.append(block[p] & block[q] & ~joined)
    return found


def _diagonal(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    return (a & d & ~b & ~c) | (b & c & ~a & ~d)


_CUBE = np.indices((3, 3, 3)).reshape(3, -1)
_CENTRE = 1 << 13
_ALL = (1 << 27) - 1
_FACES = sum(1 << int(bit) for bit in np.flatnonzero(np.abs(_CUBE - 1).sum(0) == 1))
_EDGES = sum(1 << int(bit) for bit in np.flatnonzero(np.abs(_CUBE - 1).sum(0) == 2))


def _layer(axis: int, index: int) -> int:
    return sum(1 << int(bit) for bit in np.flatnonzero(_CUBE[axis] == index))


_STEPS = (9, 3, 1)
_NOT_LAST = [_ALL & ~_layer(axis, 2) for axis in range(3)]
_NOT_FIRST = [_ALL & ~_layer(axis, 0) for axis in range(3)]


def _grown(codes: np.ndarray, axis: int) -> np.ndarray:
    step = _STEPS[axis]
    return codes | ((codes & _NOT_LAST[axis]) << step) | ((codes & _NOT_FIRST[axis]) >> step)


def _flooded(seed: np.ndarray, inside: np.ndarray, corners: bool) -> np.ndarray:
    """The connected part of a set that a seed is in, through faces, or through edges and corners, too."""
    while True:
        if corners:
            wider = _grown(_grown(_grown(seed, 0), 1), 2)
        else:
            wider = _grown(seed, 0) | _grown(seed, 1) | _grown(seed, 2)
        wider = wider & inside
        if np.array_equal(wider, seed):
            return seed
        seed = wider


def _is_simple(codes: np.ndarray) -> np.ndarray:
    """Whether the centre of 3 × 3 × 3 voxels can be flipped with solid joined through faces and void through corners.

    That is so when the solid at its faces is one part within the faces and edges, and the void around it is one part
    (Bertrand and Malandain, 1994).
    """
    solid = codes & (_FACES | _EDGES)
    faces = solid & _FACES
    void = ~codes & (_ALL & ~_CENTRE)
    one_solid = _flooded(faces & -faces, solid, False) & _FACES == faces
    one_void = _flooded(void & -void, void, True) == void
    return (faces != 0) & (void != 0) & one_solid & one_void


def _simple(before: np.ndarray, flipped: np.ndarray) -> np.ndarray:
    """Whether the voxels of a window can be flipped one after the other, each leaving the topology as it is.

    Args:
        before: windows (k, w, w, w).
        flipped: voxels that a move flips; those whose neighbours the window shows are looked at.
    """
    state, good = before.copy(), np.ones(len(before), bool)
    inner = np.zeros_like(flipped)
    inner[:, 1:-1, 1:-1, 1:-1] = flipped[:, 1:-1, 1:-1, 1:-1]
    move, *place = np.nonzero(inner)
    rank = np.arange(len(move)) - np.searchsorted(move, move)
    powers = 1 << np.arange(27)
    for turn in range(rank.max(initial=-1) + 1):
        now = rank == turn
        k, x, y, z = (index[now] for index in (move, *place))
        around = state[k[:, None], x[:, None] + _CUBE[0] - 1, y[:, None] + _CUBE[1] - 1, z[:, None] + _CUBE[2] - 1]
        good[k] &= _is_simple(around @ powers)
        state[k, x, y, z] ^= True
    return good
