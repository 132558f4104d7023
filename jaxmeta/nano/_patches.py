"""What removing or adding a whole atom does to the stiffness, by relaxing a patch around it anew.

A derivative is a weak guide to so large a change. Here the atoms of a patch around the site are free and all others
stay on the path x(δ) = x + δ u + ½ δ² u₂ that they follow in the whole body. With E(z, δ) the energy of a patch at
positions z whose surroundings are at δ, its least value has the curvature

    W'' = E_δδ − E_δz E_zz⁻¹ E_zδ        at the z where E_z = 0,

before and after the change; their difference estimates that of k. The share that u₂ has of the forces on surroundings
which are no longer in equilibrium is in E_δδ.

Only pairs with an atom of the patch are needed, and what atoms around the patch have of ρ from elsewhere. All patches
have the same number of atoms, the last of which may not be there, and are solved together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import ArrayLike, Bool, Float, Int
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

from .._arguments import require_kind
from .._numbers import plain_number, refused
from ..solvers import PCG, inner
from ._body import checked_held, rounded
from ._cells import Cell, checked_cell, checked_positions
from ._coarse import block_inverses
from ._curvature import hessian
from ._eam import EAM
from ._energy import Geometry, densities, gradient, site_energies
from ._evaluate import Flags
from ._neighbors import Neighbors, table_of
from ._sensitivity import Sensitivities, second_derivative
from ._stiffness import Stiffness

_FREE: Flags = (False, False, False)
_NEWTON, _CG, _LAST = 10, 12, 40
"""Newton steps of a patch, CG steps of each, and those for its response."""
_LONGEST = 0.25
"""Of a step, in Å: H is shifted by the largest force over it, which also makes it positive far from rest."""
_ROOM = 0.5
"""How far an atom of a patch may go, in Å; tables of patches reach so much further than the cutoff, twice."""
_PATCH = 8.2
"""Radius in Å."""
_TOGETHER = 16
"""Patches that are solved at once; of fewer changes the next power of two."""


class Changes(NamedTuple):
    """What single changes do.

    Attributes:
        k: change of the stiffness, in eV/Å².
        energy: change of the energy, in eV, that of the atom itself included.
        force: largest force that is left in the patch, in eV/Å: a change is trusted where it is small.
    """

    k: Float[np.ndarray, "m"]
    energy: Float[np.ndarray, "m"]
    force: Float[np.ndarray, "m"]


class _Patch(NamedTuple):
    """One patch with its surroundings: arrays of local atoms, the last of which are not there."""

    table: Neighbors
    before: Array
    after: Array
    free: Array
    path: Array
    background: Array


def removals(
    potential: EAM,
    solved: Stiffness,
    derivatives: Sensitivities,
    held: Bool[ArrayLike, "n"],
    atoms: Int[ArrayLike, "m"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    *,
    radius: float = _PATCH,
) -> Changes:
    """What the removal of each of some atoms does to the stiffness, everything else staying there.

    Args:
        potential: of the atoms.
        solved: their stiffness.
        derivatives: of the same; they have u₂.
        held: atoms of both grips.
        atoms: numbers of those that are removed, each by itself.
        cell, pbc: as for the stiffness.
        radius: of the patches that relax, in Å.

    Raises:
        ValueError: an argument is not as described.
    """
    numbers = np.asarray(atoms)
    flags = checked_held(held, len(solved.positions))
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise refused("atoms", "be a list of numbers of atoms", f"has shape {numbers.shape} and dtype {numbers.dtype}")
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= len(flags)):
        raise refused("atoms", f"be from 0 to {len(flags) - 1}", f"ranges from {numbers.min()} to {numbers.max()}")
    if flags[numbers].any():
        raise refused("atoms", "be free", f"names atom {int(numbers[flags[numbers]][0])}, which is held")
    none = np.zeros((0, 3))
    return _checked_changes(potential, solved, derivatives, flags, none, numbers, checked_cell(cell, pbc), radius)


def additions(
    potential: EAM,
    solved: Stiffness,
    derivatives: Sensitivities,
    held: Bool[ArrayLike, "n"],
    sites: Float[ArrayLike, "m 3"],
    cell: Float[ArrayLike, "3 3"] | None = None,
    pbc: Flags = _FREE,
    *,
    radius: float = _PATCH,
) -> Changes:
    """What an atom at each of some empty sites does to the stiffness, each by itself.

    Args:
        sites: where the atoms are put; they relax from there, (m, 3), in Å.
        potential, solved, derivatives, held, cell, pbc, radius: as for `removals`.

    Raises:
        ValueError: an argument is not as described.
    """
    places = checked_positions("sites", sites)
    flags = checked_held(held, len(solved.positions))
    numbers = np.arange(len(flags), len(flags) + len(places))
    return _checked_changes(potential, solved, derivatives, flags, places, numbers, checked_cell(cell, pbc), radius)


def _checked_changes(
    potential: EAM,
    solved: Stiffness,
    derivatives: Sensitivities,
    held: np.ndarray,
    sites: np.ndarray,
    numbers: np.ndarray,
    box: Cell,
    radius: float,
) -> Changes:
    require_kind("potential", potential, (EAM,))
    radius = plain_number("radius", radius, "be positive", lambda x: x > 0)
    path = Path(solved.positions, solved.displacement, derivatives.second)
    with jax.enable_x64(True):
        return changes_of(potential, path, held, sites, numbers, box, radius)


class Path(NamedTuple):
    """The path x + δ u + ½ δ² u₂ of some atoms.

    Attributes:
        positions: x, relaxed, (n, 3).
        displacement: u, (n, 3).
        second: u₂, (n, 3).
    """

    positions: np.ndarray
    displacement: np.ndarray
    second: np.ndarray


def changes_of(
    potential: EAM, path: Path, held: np.ndarray, sites: np.ndarray, numbers: np.ndarray, box: Cell,
    radius: float = _PATCH,
) -> Changes:  # fmt: skip
    """What single changes do, of checked arguments, in a context of float64.

    Args:
        potential: of the atoms.
        path: of the n atoms.
        held: atoms of both grips, (n,).
        sites: where atoms may come, (m, 3).
        numbers: of what is changed: atoms below n go, from n on those at the sites come.
        box: the cell of the atoms.
        radius: of the patches, in Å.
    """
    if not len(numbers):
        return Changes(np.zeros(0), np.zeros(0), np.zeros(0))
    changed = np.concatenate([path.positions, sites])[numbers]
    kept = _within(path.positions, changed, radius + 2 * _reach(potential), box)
    goes = numbers < len(held)
    numbers = np.where(goes, np.searchsorted(kept, numbers), numbers - len(held) + len(kept))
    whole = _Whole(potential, Path(*(field[kept] for field in path)), held[kept], sites, box)
    found = [np.asarray(_curvatures(potential, patches))[:count] for patches, count in whole.patches(numbers, radius)]
    return Changes(*np.concatenate(found).T)


def _within(where: np.ndarray, places: np.ndarray, radius: float, box: Cell) -> np.ndarray:
    """Numbers of the atoms that are within a radius of some places or their images."""
    inside, (places, _) = box.wrapped(where)[0], box.wrapped(places)
    tree = cKDTree(np.concatenate([places, box.images(places, radius)[0]]))
    return np.flatnonzero(np.isfinite(tree.query(inside, distance_upper_bound=radius, workers=-1)[0]))


def _reach(potential: EAM) -> float:
    """How far the table of a patch reaches, in Å."""
    return potential.cutoff + 2 * _ROOM


class _Whole:
    """The body, or what of it is around the changes, from which patches are cut."""

    def __init__(self, potential: EAM, path: Path, held: np.ndarray, sites: np.ndarray, box: Cell) -> None:
        count, filled = len(held), len(held) + len(sites)
        total = rounded(filled)
        self.where = np.concatenate([path.positions, sites])
        self.free = np.append(~held, np.ones(len(sites), bool))
        self.there = np.repeat([1.0, 0.0], [count, total - count])
        self.table = table_of(self.where, _reach(potential), box, total, least=0.0)
        self.index, self.offset = np.asarray(self.table.index), np.asarray(self.table.offset)
        motions = np.zeros((2, 3, total))
        motions[0, :, :count], motions[1, :, :count] = path.displacement.T, path.second.T
        self._follow(motions, count)
        self.path = motions
        geometry = Geometry(self.table, jnp.zeros_like(motions[0]), jnp.asarray(self.there))
        self.rho = np.asarray(_compiled_density_path(potential, geometry, *jnp.asarray(motions)))

    def _follow(self, motions: np.ndarray, count: int) -> None:
        """Give empty sites the mean motion of the atoms nearest to them."""
        for site in range(count, len(self.where)):
            near = self.index[:, site]
            near = near[near < count][:6]
            motions[:, :, site] = motions[:, :, near].mean(2) if len(near) else 0

    def patches(self, numbers: np.ndarray, radius: float) -> Iterator[tuple[_Patch, int]]:
        """Patches of as many changes as are solved together, and how many of them count."""
        together = min(_TOGETHER, 1 << (len(numbers) - 1).bit_length())
        cut = [(int(site), *self._cut(int(site), radius)) for site in numbers]
        size = -(-max(len(local) for _, local, _ in cut) // 128) * 128
        for first in range(0, len(numbers), together):
            made = [self._patch(*part, size) for part in cut[first : first + together]]
            some = len(made)
            made += [made[0]] * (together - some)
            yield jax.tree.map(lambda *leaves: jnp.stack(leaves), *made), some

    def _near(self, site: int, radius: float) -> np.ndarray:
        """Atoms nearer to a site than the radius, found by steps from neighbour to neighbour."""
        reached = edge = np.array([site])
        place = np.zeros((1, 3))
        while len(edge):
            known = self.index[:, edge] < len(self.where)
            there = (place.T + self.offset[:, :, edge]).transpose(0, 2, 1)[known]
            near = (there**2).sum(1) < radius**2
            edge, first = np.unique(self.index[:, edge][known][near], return_index=True)
            new = ~np.isin(edge, reached)
            edge, place = edge[new], there[near][first[new]]
            reached = np.concatenate([reached, edge])
        return np.sort(reached)

    def _cut(self, site: int, radius: float) -> tuple[np.ndarray, np.ndarray]:
        """The atoms of a patch and, after them, those around it; and which rows of the table belong to the patch."""
        patch = self._near(site, radius)
        patch = patch[(self.there[patch] > 0) & self.free[patch] | (patch == site)]
        around = np.unique(self.index[:, patch])
        around = around[around < len(self.where)]
        around = around[(self.there[around] > 0) & ~np.isin(around, patch)]
        return np.concatenate([patch, around]), np.arange(len(patch) + len(around)) < len(patch)

    def _patch(self, site: int, local: np.ndarray, inside: np.ndarray, size: int) -> _Patch:
        number = np.full(self.table.count + 1, size, np.int32)
        number[local] = np.arange(len(local))
        index = number[self.index[:, local]]
        # Pairs count that have an atom of the patch at one end.
        touch = inside[None] | np.append(inside, np.zeros(size + 1 - len(inside), bool))[index]
        index = np.where(touch, index, size)
        pad = ((0, 0), (0, size - len(local)))
        table = Neighbors(
            np.pad(index, pad, constant_values=size),
            np.pad(self.offset[:, :, local], ((0, 0), *pad)),
            self.table.radius,
        )
        before = np.pad(self.there[local], pad[1])
        after = before.copy()
        after[number[site]] = 1 - before[number[site]]
        free = np.pad((inside & self.free[local]).astype(float), pad[1])
        path = np.pad(self.path[:, :, local], ((0, 0), *pad))
        rho = np.pad(self.rho[:, local], pad)
        return _Patch(table, *(jnp.asarray(field) for field in (before, after, free * after, path, rho)))


@jax.jit
def _curvatures(potential: EAM, patches: _Patch) -> Array:
    return jax.vmap(lambda patch: _change(potential, patch))(patches)


def _change(potential: EAM, patch: _Patch) -> Array:
    """Change of k and of the energy, and the largest force that is left."""
    u, second = patch.path
    still = jnp.zeros_like(u)
    own = _density_path(potential, Geometry(patch.table, still, patch.before), u, second)
    elsewhere = patch.background - own

    def at(occupancy: Array, x: Array, t: Array) -> Geometry:
        background = elsewhere[0] + t * elsewhere[1] + 0.5 * t**2 * elsewhere[2]
        return Geometry(patch.table, x + t * u + 0.5 * t**2 * second, occupancy, background)

    def energies(occupancy: Array, x: Array, t: Array) -> Array:
        return site_energies(potential, at(occupancy, x, t))

    def slope(x: Array, t: Array) -> Array:
        return patch.free[None] * gradient(potential, at(patch.after, x, t))

    def bend(occupancy: Array, x: Array) -> Array:
        zero, one = jnp.zeros(()), jnp.ones(())
        along = lambda t: jax.jvp(lambda t: energies(occupancy, x, t), (t,), (one,))[1]  # noqa: E731
        return jax.jvp(along, (zero,), (one,))[1]

    def solve(x: Array, load: Array, shift: Array, steps: int) -> Array:
        operator = hessian(potential, at(patch.after, x, jnp.zeros(())))
        method = PCG(steps=steps)
        local = block_inverses(operator, patch.free)
        return method(lambda p: patch.free[None] * operator(p) + shift * p, load, local).value

    def nearer(_: int, x: Array) -> Array:
        force = slope(x, jnp.zeros(()))
        move = solve(x, -force, jnp.max(jnp.abs(force)) / _LONGEST, _CG)
        longest = jnp.sqrt(jnp.max(jnp.sum(move**2, 0)))
        moved = x + jnp.minimum(1, _LONGEST / jnp.maximum(longest, 1e-300)) * move
        return jnp.clip(moved, -_ROOM, _ROOM)

    x = lax.fori_loop(0, _NEWTON, nearer, still)
    zero, one = jnp.zeros(()), jnp.ones(())
    force = slope(x, zero)
    pull = jax.jvp(lambda t: slope(x, t), (zero,), (one,))[1]
    follows = solve(x, pull, zero, _LAST)
    change = jnp.sum(bend(patch.after, x) - bend(patch.before, still)) - inner(pull, follows)
    energy = jnp.sum(energies(patch.after, x, zero) - energies(patch.before, still, zero))
    return jnp.stack([change, energy, jnp.max(jnp.abs(force))])


def _density_path(potential: EAM, geometry: Geometry, u: Array, second: Array) -> Array:
    """ρ and its first and second derivative along the path, (3, n)."""

    def at(x: Array) -> Array:
        return densities(potential, geometry._replace(displacement=x))

    still = geometry.displacement
    slope = jax.jvp(at, (still,), (u,))[1]
    return jnp.stack([at(still), slope, second_derivative(at, still, u, second)])


_compiled_density_path = jax.jit(_density_path)
