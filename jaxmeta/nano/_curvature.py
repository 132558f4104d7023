"""The Hessian of the energy as products with vectors, from coefficients of the pairs.

With w = u_j − u_i, the unit vector e from i to j, A and B the first and second derivatives of φ + (F'ᵢ + F'ⱼ) f, and
δρᵢ = Σⱼ sⱼ f' e·w,

    (H u)ᵢ = −sᵢ Σⱼ sⱼ { [(B − A/r) e·w + (F''ᵢ δρᵢ + F''ⱼ δρⱼ) f'] e + (A/r) w }.

The coefficients of every pair are e, sⱼ(B − A/r), sⱼ A/r and sⱼ f'. They vanish beyond the cutoff; as the neighbours of
an atom are sorted by their distance, the last rows of the table have none that counts and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from ._eam import EAM, derivatives
from ._energy import Geometry, Pairs, densities, lookup, products
from ._halo import Halo


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Hessian:
    """The second derivative of the energy by the positions, as a linear map. A pytree.

    Args:
        index: numbers of the neighbours, (k, n).
        rows: how many rows of the table count.
        direction: unit vectors to the neighbours, (k, 3, n).
        radial, tangential: sⱼ(B − A/r) and sⱼ A/r, (k, n), in eV/Å².
        density_slope: sⱼ f', (k, n).
        embedding_curvature: F'', (n,).
        occupancy: (n,).
        halo: of atoms that devices share; None if one has all.
    """

    index: Array
    rows: Array
    direction: Array
    radial: Array
    tangential: Array
    density_slope: Array
    embedding_curvature: Array
    occupancy: Array
    halo: Halo | None = None

    def __call__(self, field: Float[Array, "3 n"]) -> Float[Array, "3 n"]:
        """H u in eV/Å, of displacements in Å."""
        moved = lookup(field, self.halo)

        def change(k: Array, total: Array) -> Array:
            w = moved(self.index[k]) - field
            return total + self.density_slope[k] * jnp.sum(self.direction[k] * w, 0)

        rho = lax.fori_loop(0, self.rows, change, jnp.zeros_like(self.occupancy))
        bend = self.embedding_curvature * rho
        bends = lookup(bend, self.halo)

        def add(k: Array, total: Array) -> Array:
            e, j = self.direction[k], self.index[k]
            w = moved(j) - field
            along = self.radial[k] * jnp.sum(e * w, 0) + (bend + bends(j)) * self.density_slope[k]
            return total + along[None] * e + self.tangential[k][None] * w

        return -self.occupancy[None] * lax.fori_loop(0, self.rows, add, jnp.zeros_like(field))

    def blocks(self) -> Float[Array, "6 n"]:
        """The 3×3 blocks of the atoms where occupancies are 0 or 1, entries 11 22 33 23 13 12, in eV/Å²."""
        curvatures = lookup(self.embedding_curvature, self.halo)

        def add(k: Array, sums: tuple[Array, Array]) -> tuple[Array, Array]:
            total, pull = sums
            e, slope = self.direction[k], self.density_slope[k]
            along = self.radial[k] + curvatures(self.index[k]) * slope * slope
            block = along[None] * products(e) + self.tangential[k][None] * unit
            return total + block, pull + slope[None] * e

        zero = jnp.zeros((6, *self.occupancy.shape), self.occupancy.dtype)
        unit = jnp.asarray([[1.0], [1.0], [1.0], [0.0], [0.0], [0.0]], zero.dtype)
        total, pull = lax.fori_loop(0, self.rows, add, (zero, zero[:3]))
        return self.occupancy[None] * (total + self.embedding_curvature[None] * products(pull))


def hessian(potential: EAM, geometry: Geometry) -> Hessian:
    """The Hessian of displaced atoms."""
    _, slope, curvature = derivatives(potential.embedding, densities(potential, geometry), 2)
    slopes = geometry.lookup(slope)

    def coefficients(pairs: Pairs) -> tuple[Array, ...]:
        r, s = pairs.distance, pairs.weight
        _, pair1, pair2 = derivatives(potential.pair, r, 2)
        _, density1, density2 = derivatives(potential.density, r, 2)
        both = slope + slopes(pairs.neighbor)
        tangential = s * (pair1 + both * density1) / r
        radial = s * (pair2 + both * density2) - tangential
        counts = jnp.any(s > 0)
        return pairs.vector / r[None], radial, tangential, s * density1, counts

    direction, radial, tangential, density_slope, counts = geometry.each(potential.cutoff, coefficients)
    rows = jnp.max(jnp.where(counts, jnp.arange(1, len(counts) + 1), 0))
    index = jnp.asarray(geometry.table.index)
    return Hessian(
        index, rows, direction, radial, tangential, density_slope, curvature, geometry.occupancy, geometry.table.halo
    )


compiled_hessian = jax.jit(hessian)
