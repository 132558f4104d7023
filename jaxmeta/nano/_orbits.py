"""Sites that the symmetry of a problem makes alike, their neighbours by shell, and filters and rules on them.

The stiffness is a quadratic form of the grips' motion d, and does not change when both grips move as one. So a mirror,
or a product of mirrors and shifts along periodic axes, is a symmetry if it takes sites to sites, grips to grips,
and d to ±d up to a common translation. It takes a design to one of the same stiffness.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from ._neighbors import table_of
from ._problem import Problem

SHELLS = (1.0, 1.0, 0.5, 0.5, 0.25)
"""Weights of a site and of its first four shells of neighbours in the filter."""
_NEAREST = 12
"""Rows that hold all neighbours of the first shell."""
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Sites:
    """Relations between the sites of a problem.

    Args:
        index: numbers of the neighbours up to the fourth shell, nearest first, (k, n); any where there is none.
        shell: which shell they are of, from 1; 0 where there is none, (k, n).
        orbit: which orbit of the symmetry group a site is of, (n,).
        size: sites of every orbit, (m,).
        first: the first of them, (m,).
        order: of the group.
    """

    index: Int[np.ndarray, "k n"]
    shell: Int[np.ndarray, "k n"]
    orbit: Int[np.ndarray, "n"]
    size: Int[np.ndarray, "m"]
    first: Int[np.ndarray, "m"]
    order: int

    def neighbors(self, occupied: Bool[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
        """How many of its twelve nearest sites of every site are occupied."""
        return (occupied[self.index[:_NEAREST]] & (self.shell[:_NEAREST] == 1)).sum(0)

    def around(self, field: Float[np.ndarray, "n 3"], occupied: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n 3"]:
        """The mean of a field over the atoms next to every site; zero where there is none."""
        total = np.zeros_like(field)
        for near, shell in zip(self.index[:_NEAREST], self.shell[:_NEAREST], strict=True):
            total += (occupied[near] & (shell == 1))[:, None] * field[near]
        return total / np.maximum(self.neighbors(occupied), 1)[:, None]

    def filtered(self, values: Float[np.ndarray, "n"], allowed: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """Σⱼ w(shell of j) vⱼ / Σⱼ w(shell of j), over a site and its allowed neighbours; alike on an orbit.

        Shells follow the crystal whichever way it lies in the box. Empty sites take values from occupied ones.
        """
        weights = np.append(SHELLS[1:], 0.0)
        total, share = SHELLS[0] * values, np.full(len(values), SHELLS[0])
        for near, shell in zip(self.index, self.shell, strict=True):
            weight = weights[shell - 1] * allowed[near]
            total += weight * values[near]
            share += weight
        return self.alike(total / share)

    def alike(self, values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        """The mean over every orbit."""
        return (np.bincount(self.orbit, values) / self.size)[self.orbit]

    def cleaned(self, occupied: np.ndarray, problem: Problem, least: int, full: int) -> np.ndarray:
        """Drop atoms with fewer neighbours than `least`, then fill sites with `full` or more; grips stay.

        Once, not until nothing changes: on surfaces whose atoms have few neighbours that would go on.
        """
        occupied = occupied & ((self.neighbors(occupied) >= least) | problem.held)
        return occupied | (problem.domain & (self.neighbors(occupied) >= full))

    def opened(self, occupied: np.ndarray, problem: Problem, thinnest: float) -> Bool[np.ndarray, "n"]:
        """The opening of a body by a ball `thinnest` Å wide: its atoms within the radius of an atom from which every
        empty site is farther. Thinner members go, edges are rounded, and a vacancy inside is a hole as any other.

        Beyond free faces of the box there is nothing. Grips stay.
        """
        radius, lattice, pbc = thinnest / 2 + _SAME, problem.lattice, np.array(problem.pbc)
        size = np.where(pbc, np.diag(lattice.cell), 0.0)
        where = np.where(pbc, (lattice.positions + _SAME) % np.where(pbc, size, 1.0), lattice.positions)
        apart = np.full(len(where), np.inf)
        for axis in np.flatnonzero(~pbc):
            layers = np.unique(np.round(where[:, axis], 6))
            outside = np.diff(layers).min(initial=np.inf) if len(layers) > 1 else 0.0
            apart = np.minimum(apart, np.minimum(where[:, axis] - layers[0], layers[-1] - where[:, axis]) + outside)
        if not occupied.all():
            empty = cKDTree(where[~occupied], boxsize=size)
            apart = np.minimum(apart, empty.query(where, distance_upper_bound=radius, workers=-1)[0])
        inner = where[occupied & (apart > radius)]
        if not len(inner):
            return problem.held & occupied
        reach = cKDTree(inner, boxsize=size).query(where, distance_upper_bound=radius, workers=-1)[0]
        inside = self.alike((occupied & np.isfinite(reach)).astype(float)) > 0.5
        return occupied & (inside | problem.held)

    def highest(self, values: Float[np.ndarray, "n"], problem: Problem, count: int) -> Bool[np.ndarray, "n"]:
        """Whole orbits of the highest values, grips first, as many as make no more than `count` atoms."""
        of_orbit = np.where(problem.held, np.inf, np.where(problem.domain, values, -np.inf))[self.first]
        order = np.argsort(-of_orbit, kind="stable")
        taken = (np.cumsum(self.size[order]) <= count) & (of_orbit[order] > -np.inf)
        chosen = np.zeros(len(self.size), bool)
        chosen[order[taken]] = True
        return chosen[self.orbit]


def sites_of(problem: Problem, symmetric: bool | str = True) -> Sites:
    """The relations of a problem.

    Args:
        problem: whose sites they are.
        symmetric: False for orbits of one site each, "mirrors" for mirrors alone, across periodic axes at the origin.
    """
    where, a = problem.lattice.positions, problem.lattice.lattice_constant
    table = table_of(where, 1.45 * a, problem.box)
    none = np.asarray(table.index) == len(where)
    rows = int((~none).any(1).sum())
    index, shell = np.where(none, 0, table.index)[:rows], np.zeros((rows, len(where)), np.int8)
    for k in range(rows):
        squares = (np.asarray(table.offset[k]) ** 2).sum(0)
        shell[k] = np.where(none[k], 0, np.rint(2 * squares / a**2))
    least, order = np.arange(len(where)), 0
    for image in _symmetries(problem, symmetric != "mirrors") if symmetric else [least]:
        least, order = np.minimum(least, image), order + 1
    _, first, orbit = np.unique(least, return_index=True, return_inverse=True)
    return Sites(index, shell, orbit, np.bincount(orbit), first, order)


def _symmetries(problem: Problem, shifted: bool = True) -> Iterator[Int[np.ndarray, "n"]]:
    """Permutations of the sites, in whole numbers along the axes of the box; without shifts along them if asked."""
    lattice = problem.lattice
    axes = np.array(lattice.axes)
    place = lattice.sites @ axes.T
    size = (lattice.periods * axes).sum(1) * np.array(lattice.cells)
    steps = np.gcd.reduce(place - place[0], axis=0)
    shifts = [range(0, size[k], steps[k]) if problem.pbc[k] and steps[k] and shifted else range(1) for k in range(3)]
    ends = np.where(problem.pbc, 0, place.min(0) + place.max(0))
    keys = np.asarray(np.ravel_multi_index(tuple(place.T), tuple(size)))
    sort = np.argsort(keys)
    for signs in product((1, -1), repeat=3):
        mirrored = np.where(np.array(signs) == 1, place, ends - place)
        for shift in product(*shifts):
            moved = np.where(np.array(problem.pbc), (mirrored + np.array(shift)) % size, mirrored)
            key = np.ravel_multi_index(tuple(moved.T), tuple(size))
            image = sort[np.minimum(np.searchsorted(keys, key, sorter=sort), len(keys) - 1)]
            if (keys[image] == key).all() and _keeps(problem, image, np.array(signs)):
                yield image


def _keeps(problem: Problem, image: np.ndarray, signs: np.ndarray) -> bool:
    held = problem.held
    if (held[image] != held).any() or (problem.domain[image] != problem.domain).any():
        return False
    turned = signs * problem.direction[held]
    there = problem.direction[image][held]
    return any(np.ptp(there - sign * turned, axis=0).max() < _SAME for sign in (1, -1))
