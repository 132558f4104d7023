"""Energies, gradients and stresses of atoms with occupancies, from a table of neighbours. Pure functions.

With the occupancy s_i of every site, 1 for an atom and 0 for none,

    E = Σᵢ sᵢ F(ρᵢ) + ½ Σᵢⱼ sᵢ sⱼ φ(rᵢⱼ),        ρᵢ = Σⱼ sⱼ f(rᵢⱼ),

and with the slope Aᵢⱼ = φ'(rᵢⱼ) + (F'(ρᵢ) + F'(ρⱼ)) f'(rᵢⱼ) and the unit vector eᵢⱼ from i to j,

    ∂E/∂xᵢ = −sᵢ Σⱼ sⱼ Aᵢⱼ eᵢⱼ,        σ = (1/2V) Σᵢⱼ sᵢ sⱼ Aᵢⱼ rᵢⱼ eᵢⱼ⊗eᵢⱼ,
    μᵢ = ∂E/∂sᵢ = F(ρᵢ) + Σⱼ sⱼ [F'(ρⱼ) f(rᵢⱼ) + φ(rᵢⱼ)].

Every sum over neighbours is a loop over the rows of the table: all atoms take their k-th neighbour at once. Nothing of
the size atoms × neighbours is stored, which on a CPU is eight times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from ._eam import EAM, derivatives
from ._halo import Halo, Lookup
from ._neighbors import FAR, Neighbors


class Pairs(NamedTuple):
    """All atoms with their k-th neighbours.

    Attributes:
        neighbor: numbers of the neighbours, (n,).
        vector: from the atoms to them, (3, n).
        distance: (n,).
        weight: occupancy of the neighbours; zero beyond the cutoff, (n,).
    """

    neighbor: Array
    vector: Array
    distance: Array
    weight: Array


def lookup(field: Float[Array, "*c n"], halo: Halo | None, value: float = 0.0) -> Lookup:
    """Values of a field of the atoms by their numbers in a table; `value` at the atom that is not there."""
    if halo is not None:
        return halo.lookup(field, value)
    pads = [(0, 0, 0)] * (field.ndim - 1) + [(0, 1, 0)]
    padded = lax.pad(field, jnp.asarray(value, field.dtype), pads)
    return lambda index: padded.at[..., index].get(mode="promise_in_bounds")


class Geometry(NamedTuple):
    """Atoms that are displaced from the reference positions of a table.

    Attributes:
        table: of their neighbours.
        displacement: (3, n), in Å.
        occupancy: (n,).
        background: part of ρ that comes from atoms which are not in the table, (n,).
    """

    table: Neighbors
    displacement: Array
    occupancy: Array
    background: Array | float = 0.0

    def lookup(self, field: Float[Array, "*c n"], value: float = 0.0) -> Lookup:
        """Values of a field at neighbours."""
        return lookup(field, self.table.halo, value)

    def over(self, cutoff: float, function: Callable[[Pairs, Any], Any], start: Any) -> Any:
        """A loop over the rows of the table: function(pairs, sums) gives the next sums."""
        moved, weights = self.lookup(self.displacement, FAR), self.lookup(self.occupancy)

        def step(k: Array, sums: Any) -> Any:
            return function(self._pairs(k, cutoff, moved, weights), sums)

        return lax.fori_loop(0, self.table.rows(self.displacement, cutoff), step, start)

    def each(self, cutoff: float, function: Callable[[Pairs], Any]) -> Any:
        """What a function gives for the pairs of every row, stacked."""
        moved, weights = self.lookup(self.displacement, FAR), self.lookup(self.occupancy)
        rows = jnp.arange(self.table.index.shape[0])
        return lax.scan(lambda _, k: (None, function(self._pairs(k, cutoff, moved, weights))), None, rows)[1]

    def _pairs(self, k: Array, cutoff: float, moved: Lookup, weights: Lookup) -> Pairs:
        index = jnp.asarray(self.table.index)[k]
        vector = jnp.asarray(self.table.offset)[k] + moved(index) - self.displacement
        distance = jnp.sqrt(jnp.sum(vector * vector, 0))
        return Pairs(index, vector, distance, jnp.where(distance < cutoff, weights(index), 0))


def _sums(potential: EAM, geometry: Geometry) -> tuple[Array, Array]:
    """ρ and Σⱼ sⱼ φ of every site."""

    def add(pairs: Pairs, sums: tuple[Array, Array]) -> tuple[Array, Array]:
        rho, energy = sums
        r, s = pairs.distance, pairs.weight
        return rho + s * potential.density(r), energy + s * potential.pair(r)

    zero = jnp.zeros_like(geometry.occupancy)
    return geometry.over(potential.cutoff, add, (zero + geometry.background, zero))


def site_energies(potential: EAM, geometry: Geometry) -> Float[Array, "n"]:
    """eᵢ = sᵢ (F(ρᵢ) + ½ Σⱼ sⱼ φᵢⱼ), in eV; their sum is E."""
    rho, pair = _sums(potential, geometry)
    return geometry.occupancy * (potential.embedding(rho) + 0.5 * pair)


def site_potentials(potential: EAM, geometry: Geometry) -> Float[Array, "n"]:
    """μᵢ = ∂E/∂sᵢ in eV, of occupied and empty sites."""
    rho, _ = _sums(potential, geometry)
    embedding, slope = derivatives(potential.embedding, rho, 1)
    slopes = geometry.lookup(slope)

    def add(pairs: Pairs, total: Array) -> Array:
        r = pairs.distance
        return total + pairs.weight * (slopes(pairs.neighbor) * potential.density(r) + potential.pair(r))

    return embedding + geometry.over(potential.cutoff, add, jnp.zeros_like(rho))


def _pulls(potential: EAM, geometry: Geometry, add: Callable[[Pairs, Array, Any], Any], start: Any) -> Any:
    """A loop that is given sⱼ Aᵢⱼ of the pairs."""
    slope = derivatives(potential.embedding, densities(potential, geometry), 1)[1]
    slopes = geometry.lookup(slope)

    def step(pairs: Pairs, sums: Any) -> Any:
        r = pairs.distance
        pair, density = (derivatives(f, r, 1)[1] for f in (potential.pair, potential.density))
        return add(pairs, pairs.weight * (pair + (slope + slopes(pairs.neighbor)) * density), sums)

    return geometry.over(potential.cutoff, step, start)


def densities(potential: EAM, geometry: Geometry) -> Float[Array, "n"]:
    """ρ of every site."""

    def add(pairs: Pairs, rho: Array) -> Array:
        return rho + pairs.weight * potential.density(pairs.distance)

    return geometry.over(potential.cutoff, add, jnp.zeros_like(geometry.occupancy) + geometry.background)


def gradient(potential: EAM, geometry: Geometry) -> Float[Array, "3 n"]:
    """∂E/∂x in eV/Å, minus the forces."""

    def add(pairs: Pairs, slope: Array, total: Array) -> Array:
        return total - (slope / pairs.distance)[None] * pairs.vector

    return geometry.occupancy[None] * _pulls(potential, geometry, add, jnp.zeros_like(geometry.displacement))


def virial(potential: EAM, geometry: Geometry) -> Float[Array, "6"]:
    """∂E/∂ε by a uniform strain of atoms and cell in eV, 11 22 33 23 13 12: the stress times the volume."""

    def add(pairs: Pairs, slope: Array, total: Array) -> Array:
        return total + (slope / pairs.distance)[None] * products(pairs.vector)

    sums = _pulls(potential, geometry, add, jnp.zeros((6, geometry.occupancy.shape[0]), geometry.displacement.dtype))
    return 0.5 * jnp.sum(geometry.occupancy[None] * sums, 1)


def products(v: Float[Array, "3 n"]) -> Float[Array, "6 n"]:
    """Products of the components of vectors, 11 22 33 23 13 12."""
    x, y, z = v
    return jnp.stack([x * x, y * y, z * z, y * z, x * z, x * y])


compiled_energies = jax.jit(site_energies)
compiled_gradient = jax.jit(gradient)
compiled_virial = jax.jit(virial)
