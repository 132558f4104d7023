"""The optimum of the same body as an elastic solid, by finite elements.

Every orbit of sites has a density z in [0, 1]; a voxel, of half a lattice constant, has the mean of the sites around
it, weighted by a cone. Optimality criteria minimise −k(z) at the mean density that is asked for, with the moduli of the
crystal averaged over directions, times ρᵖ, with p from 1 to 3.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float
from scipy.spatial import KDTree

from .. import optimizers
from .._arguments import require_kind
from .._numbers import plain_number
from ..elasticity import Isotropic
from ..fem import SIMP, Face, solve
from ._crystal import Crystal, crystal, require_lattice
from ._eam import EAM
from ._orbits import Sites, sites_of
from ._problem import Problem

_RADIUS = 1.2
"""Of the cone, in lattice constants."""
_STEPS, _MOVE, _VOID = 45, 0.15, 1e-4


def continuum_design(
    potential: EAM, problem: Problem, volume_fraction: float, *, symmetric: bool = True
) -> Bool[np.ndarray, "n"]:
    """Where atoms are in the optimum of the same body as an elastic solid, which knows no surfaces.

    From a uniform density, by finite elements; the sites of highest density are occupied. It is what `optimize` starts
    from with "continuum", and what a design of atoms may be compared with.

    Args:
        potential: of the atoms; only the elastic constants of its crystal count.
        problem: what is designed.
        volume_fraction: atoms over sites of the domain, grips included, at most.
        symmetric: keep the design symmetric, as the problem is.

    Returns:
        Truth for every site of the lattice that has an atom.

    Raises:
        ValueError: an argument is not as described.

    Example:
        >>> import jaxmeta as jm
        >>> pillar = jm.nano.pillar((6, 3, 3), 4.05, load="bending")
        >>> there = jm.nano.continuum_design(jm.nano.zhou2004("Al"), pillar, 0.7)
        >>> bool(there.sum() <= 0.7 * len(pillar.lattice)), bool(there[pillar.held].all())
        (True, True)
    """
    require_kind("potential", potential, (EAM,))
    require_kind("problem", problem, (Problem,))
    fraction = plain_number("volume_fraction", volume_fraction, "lie in (0, 1]", lambda x: 0 < x <= 1)
    count = problem.sites_of(fraction)
    with jax.enable_x64(True):
        require_lattice(potential, problem.lattice.lattice_constant)
        sites = sites_of(problem, symmetric)
        density = continuum(problem, sites, crystal(potential), fraction, np.full(len(sites.size), fraction))
        return sites.highest(density, problem, count)


def continuum(
    problem: Problem, sites: Sites, solid: Crystal, fraction: float, start: Float[np.ndarray, "m"]
) -> Float[np.ndarray, "n"]:
    """Densities of the sites, of a mean near `fraction` over the domain.

    Args:
        problem: what is designed.
        sites: of it.
        solid: its crystal.
        fraction: mean density.
        start: densities of the orbits to start from.
    """
    grid = _Grid(problem, sites, solid)
    share = sites.size * problem.domain[sites.first] / np.count_nonzero(problem.domain)
    held, void = problem.held[sites.first], ~problem.domain[sites.first]
    lower, upper = jnp.asarray(held.astype(float)), jnp.asarray(1.0 - void)
    weights = jnp.asarray(share)

    def volume(z: Array) -> Array:
        return jnp.sum(weights * z) / fraction - 1

    method = optimizers.OC(move=_MOVE)
    asked = optimizers.Problem(lower, upper, 1, cheap=volume)
    z = jnp.clip(jnp.asarray(start), lower, upper)
    state = method.init(z, asked)
    update = jax.jit(lambda state, z, seen: method.update(state, z, seen, asked))
    for step in range(_STEPS):
        penalty = 1.0 + 2.0 * min(1.0, step / (0.6 * _STEPS))
        value, slope = grid.compliance(z, jnp.asarray(penalty))
        seen = optimizers.Seen(value, slope, volume(z)[None], (weights / fraction)[None])
        z, state = update(state, z, seen)
    return sites.filtered(np.asarray(z)[sites.orbit], problem.domain)


class _Grid:
    """Voxels around sites, and −k as a function of the orbits' densities."""

    def __init__(self, problem: Problem, sites: Sites, solid: Crystal) -> None:
        lattice, a = problem.lattice, problem.lattice.lattice_constant
        where, periodic = lattice.positions, np.array(problem.pbc)
        count = np.maximum(1, np.rint(lattice.lengths / (a / 2)).astype(int))
        spacing = lattice.lengths / count
        middles = np.stack(np.meshgrid(*[np.arange(n) for n in count], indexing="ij"), -1).reshape(-1, 3) * spacing
        inside, _ = problem.box.wrapped(where)
        images, source = problem.box.images(inside, 2 * a)
        tree, number = KDTree(np.concatenate([inside, images])), np.concatenate([np.arange(len(where)), source])
        distance, near = tree.query(middles, k=32, distance_upper_bound=_RADIUS * a)
        weight = np.maximum(_RADIUS * a - distance, 0.0, where=np.isfinite(distance), out=np.zeros(distance.shape))
        near = np.where(np.isfinite(distance), number[np.minimum(near, len(number) - 1)], 0)
        weight *= problem.domain[near]
        self.weight = jnp.asarray(weight / np.maximum(weight.sum(1, keepdims=True), 1e-12))
        self.orbit = jnp.asarray(sites.orbit[near])
        nearest = number[tree.query(middles)[1]]
        grip = problem.held[nearest]
        self.fixed = jnp.asarray(np.where(grip, 1.0, np.where(problem.domain[nearest], -1.0, 0.0)))
        self.shape, self.spacing = tuple(int(n) for n in count), tuple(spacing.tolist())
        nodal = tuple(int(n) for n in count + ~periodic)
        held, moved = np.zeros((*nodal, 3), bool), np.zeros((*nodal, 3))
        voxels = np.argwhere(grip.reshape(self.shape))
        motion = problem.direction[nearest][grip]
        for corner in np.ndindex(2, 2, 2):
            x, y, z = ((voxels + corner) % np.where(periodic, count, count + 1)).T
            held[x, y, z] = True
            moved[x, y, z] = motion
        self.held, self.moved = jnp.asarray(held), jnp.asarray(moved)
        self.faces: list[Face | tuple[Face, Face]] = ["periodic" if p else "free" for p in problem.pbc]
        shear, bulk = (solid.c11 - solid.c12 + 3 * solid.c44) / 5, (solid.c11 + 2 * solid.c12) / 3
        self.solid = Isotropic(9 * bulk * shear / (3 * bulk + shear), (1.5 * bulk - shear) / (3 * bulk + shear))

    @partial(jax.jit, static_argnums=0)
    def compliance(self, z: Array, penalty: Array) -> tuple[Array, Array]:
        """−k in eV/Å² and its gradient."""

        def value(z: Array) -> Array:
            density = jnp.sum(self.weight * z[self.orbit], 1)
            density = jnp.where(self.fixed < 0, density, self.fixed).reshape(self.shape)
            found = solve(
                density, self.held, jnp.zeros_like(self.moved), solid=self.solid, interpolation=SIMP(penalty, _VOID),
                spacing=self.spacing, faces=self.faces, prescribed=self.moved, tolerance=1e-4, throw=False,
            )  # fmt: skip
            return -2 * found.energy

        return jax.value_and_grad(value)(z)
