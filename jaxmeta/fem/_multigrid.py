"""Geometric multigrid by rediscretization, as a preconditioner: the element kernel itself serves every level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ._blocks import block_product, damped_inverses, inverse_where_positive, inverses
from ._boundary import Boundary, Grids, Shared
from ._dense import dense_factor, inverse_of_definite
from ._fields import CubicField, IsotropicField, is_known
from ._kernel import element_strains
from ._operator import Stiffness
from ._planes import factored, longest, solver
from ._transfer import corrected, restrict

_LONGEST = 1.5
"""An axis is coarsened where its voxels are no longer than this multiple of the shortest edge, in finest voxels."""
_NEARLY = 1.3
"""Ratio of edges up to which an estimated eigenvalue serves voxels of another shape."""
_LARGEST_STEP = 1.9
"""Damping times the largest eigenvalue of D⁻¹ K; a sweep contracts below 2."""
_DOUBLINGS = 10
_COARSE, _MANY = 2, 4
"""Number of the first grid, from 0 for the finest, on which sweeps cost next to nothing, and the least of the last one
for which they gain something there."""


@jax.jit
def block_inverse(operator: Stiffness, factor: Array | float = 1.0) -> Array:
    """Inverses of the 3×3 blocks on the free components of every node, times a factor, (6, x, y, z); zero in void."""
    boundary, material = operator.boundary, operator.material
    factor = jnp.asarray(factor, operator.spacing.dtype)
    if is_known(material) and not isinstance(boundary, Shared) and boundary.whole:
        return damped_inverses(material, operator.spacing, boundary, factor)
    blocks = operator.blocks()
    return factor * inverses(blocks, boundary.free(jnp.ones((3, *operator.nodes), blocks.dtype)))


@jax.jit
def largest_jacobi_eigenvalue(operator: Stiffness) -> Array:
    """An upper bound of λ_max(D⁻¹ K), D being the 3×3 blocks, by elements: the largest of the pencils (K_e, D_e).

    A pencil depends on ratios of the moduli only, λ/μ of an isotropic voxel, C12/C11 and C44/C11 of a cubic one; and a
    largest quotient of functions linear in them is greatest at a corner of their range. For other fields the
    eigenvalue is estimated by power iteration.
    """
    field = operator.material
    if isinstance(field, IsotropicField):
        corners = [_isotropic(ratio) for ratio in _range(field.lmbda, field.mu)]
    elif isinstance(field, CubicField):
        ends = product(_range(field.c12, field.c11), _range(field.c44, field.c11))
        corners = [_cubic(c12, c44) for c12, c44 in ends]
    else:
        return _power_iteration(operator)
    return jax.vmap(_largest_of_pencil, (0, None))(jnp.stack(corners), operator.spacing).max()


def _range(numerator: Array, denominator: Array) -> tuple[Array, Array]:
    """Least and largest quotient where the denominator is positive; one if it is nowhere."""
    positive = denominator > 0
    ratio = jnp.where(positive, numerator / jnp.where(positive, denominator, 1), 0)
    least, largest = jnp.where(positive, ratio, jnp.inf).min(), jnp.where(positive, ratio, -jnp.inf).max()
    return jnp.where(least <= largest, least, 1), jnp.where(least <= largest, largest, 1)


def _isotropic(ratio: Array) -> Array:
    """C / μ."""
    bulk = jnp.asarray(np.outer([1.0] * 3 + [0.0] * 3, [1.0] * 3 + [0.0] * 3), ratio.dtype)
    return ratio * bulk + jnp.asarray(np.diag([2.0] * 3 + [1.0] * 3), ratio.dtype)


def _cubic(c12: Array, c44: Array) -> Array:
    """C / C11."""
    others = jnp.asarray(np.pad(np.ones((3, 3)) - np.eye(3), (0, 3)), c12.dtype)
    normal, shear = (jnp.asarray(np.diag(np.repeat(entries, 3)), c12.dtype) for entries in ([1.0, 0.0], [0.0, 1.0]))
    return normal + c12 * others + c44 * shear


def _largest_of_pencil(moduli: Array, spacing: Array) -> Array:
    weights, strains = element_strains(spacing)
    weights = jnp.asarray(weights, strains.dtype)
    corner = jnp.asarray(np.tile(np.eye(8), (3, 3)), strains.dtype)
    matrix = jnp.einsum("k,kia,ij,kjb->ab", weights, strains, moduli, strains, precision="highest")
    quotient = jnp.dot(inverse_of_definite(matrix * corner), matrix, precision="highest")

    # λ_max ≤ (Σ λⁿ)^(1/n) = (tr (D⁻¹K)ⁿ)^(1/n) ≤ 24^(1/n) λ_max: for n = 2¹⁰ too large by three thousandths at most.
    def squared(doubling: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        power, logarithm = state
        size = jnp.trace(power)
        power = power / size
        weight = jnp.exp2(-jnp.asarray(doubling, size.dtype))
        return jnp.dot(power, power, precision="highest"), logarithm + weight * jnp.log(size)

    power, logarithm = jax.lax.fori_loop(0, _DOUBLINGS, squared, (quotient, jnp.zeros((), matrix.dtype)))
    return jnp.exp(logarithm + jnp.log(jnp.trace(power)) / 2**_DOUBLINGS)


def _power_iteration(operator: Stiffness) -> Array:
    inverse = block_inverse(operator)
    start = jax.random.normal(jax.random.key(0), (3, *operator.nodes), inverse.dtype)

    def step(_: int, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        vector = pair[0]
        image = block_product(inverse, operator(vector), operator.boundary)
        norm = jnp.sqrt(jnp.vdot(image, image) / jnp.maximum(jnp.vdot(vector, vector), jnp.finfo(image.dtype).tiny))
        return image / jnp.maximum(jnp.max(jnp.abs(image)), jnp.finfo(image.dtype).tiny), norm

    return 1.1 * jax.lax.fori_loop(0, 20, step, (start, jnp.ones((), inverse.dtype)))[1]


def _solved(factor: Array, field: Array) -> Array:
    """VᵀV times a nodal field."""
    half = jnp.dot(factor, field.reshape(-1), precision="highest")
    return jnp.dot(half, factor, precision="highest").reshape(field.shape)


def _centred(operator: Stiffness) -> Callable[[Array], Array]:
    """Displacements without their translation, P u = u − Σwu/Σw with w the moduli around each node.

    K P = K, but for rounding: CG would lengthen the translations with which a cycle answers rounding, without end, for
    K sees only rounding of them. The weight leaves the solid where it is, however the void moves.
    """
    if operator.boundary.holds or set(operator.boundary.kinds) != {"periodic"}:
        return lambda displacement: displacement
    weight = reduce(jnp.add, operator.material.diagonal)
    for axis in range(3):
        weight = weight + jnp.roll(weight, 1, axis)
    weight = weight * inverse_where_positive(weight.sum())

    def centred(displacement: Array) -> Array:
        # A product with a vector, which a CPU does ten times as fast as a sum of products; it need not be accurate.
        return displacement - jnp.tensordot(displacement, weight, 3)[:, None, None, None]

    return centred


def _nodes(elements: tuple[int, ...], periodic: tuple[bool, ...]) -> int:
    return math.prod(n + (not p) for n, p in zip(elements, periodic, strict=True))


def _widening(boundary: Boundary, elements: tuple[int, ...], finer: tuple[int, ...]) -> list[int]:
    """By how much the voxels of a grid are made wider: where a single one has become the period of an axis.

    Nothing varies along such an axis, so that K is the same for a wider voxel of softer material; but the nodal blocks,
    which are put together voxel by voxel, do not know that the two ends of the voxel move alike, unless it is wide.
    """
    alone = [p and n == 1 and f > 1 for p, n, f in zip(boundary.periodic, elements, finer, strict=True)]
    return [max(elements) if a and boundary.whole else 1 for a in alone]


def _widened(level: Stiffness, factors: list[int]) -> Stiffness:
    """The same operator of wider voxels of softer material."""
    if max(factors) == 1:
        return level
    material = level.material.map(lambda modulus: modulus / math.prod(factors))
    return Stiffness(material, level.spacing * jnp.asarray(factors, level.spacing.dtype), level.boundary)


@dataclass(frozen=True)
class Multigrid:
    """One V-cycle: damped block Jacobi before and after, trilinear transfer, an exact inverse on the coarsest grid.

    A coarse voxel's modulus is the mean over its volume, so the element kernel itself is the operator of every level
    and no matrix is stored.

    Any grid is coarsened: along an axis n voxels become ⌈n/2⌉. An axis along which the voxels have become longer than
    along others waits for them, so that flat grids keep voxels that are no needles.

    Args:
        damping: largest ω of the sweeps; it is lowered where they would not contract.
        sweeps: sweeps before and after each coarse correction.
        coarse_sweeps: the same on the second coarser grid, which has a 64th of the voxels, and on those below it, where
            there are at least five grids.
        coarsest: a grid with no more nodes is not coarsened again.
    """

    damping: float = 0.6
    sweeps: int = 1
    coarse_sweeps: int = 3
    coarsest: int = 200

    def grids(self, elements: tuple[int, int, int], periodic: tuple[bool, ...]) -> list[Grids]:
        """From each grid to the next coarser one."""
        out: list[Grids] = []
        grid = elements
        while _nodes(grid, periodic) > self.coarsest and max(grid) > 1 and longest(grid, periodic) is None:
            lengths = [whole / n for whole, n in zip(elements, grid, strict=True)]
            least = min(length for length, n in zip(lengths, grid, strict=True) if n > 1)
            halve = [n > 1 and length <= _LONGEST * least for length, n in zip(lengths, grid, strict=True)]
            x, y, z = (-(-n // 2) if shorter else n for n, shorter in zip(grid, halve, strict=True))
            out.append(Grids(grid, (x, y, z)))
            grid = (x, y, z)
        return out

    def __call__(self, operator: Stiffness) -> Callable[[Array], Array]:
        """The preconditioner of one operator: in float32, whatever the precision of the solve, for it need not be
        accurate. Results have the dtype of the residual."""
        dtype = operator.spacing.dtype
        centred = _centred(operator)
        if dtype == jnp.float32:
            single = self.cycle(operator)
            return lambda residual: centred(single(residual))
        cycle = self.cycle(jax.tree.map(lambda x: x.astype(jnp.float32) if x.dtype == dtype else x, operator))

        def scaled(residual: Array) -> Array:
            # Of size one: late residuals would come near the least number of float32.
            largest = jnp.max(jnp.abs(residual))
            size = jnp.where(largest > 0, largest, 1)
            return size * centred(cycle((residual / size).astype(jnp.float32)).astype(dtype))

        return scaled

    def cycle(self, operator: Stiffness) -> Callable[[Array], Array]:
        """The V-cycle of one operator, in the operator's precision."""
        nx, ny, nz = operator.elements
        grids = self.grids((nx, ny, nz), operator.boundary.periodic)
        widening = _widening(operator.boundary, operator.elements, (2, 2, 2))
        levels, widths = [_widened(operator, widening)], [[float(factor) for factor in widening]]
        for finer, coarse in grids:
            level = levels[-1].coarse(coarse)
            widening = _widening(level.boundary, coarse, finer)
            levels.append(_widened(level, widening))
            widths.append([w * k * f / c for w, k, f, c in zip(widths[-1], widening, finer, coarse, strict=True)])
        dampings = self._dampings(levels, widths)
        smoothers = [block_inverse(level, damping) for level, damping in zip(levels, dampings, strict=True)]
        last = len(levels) - 1
        axis = longest(levels[-1].elements, levels[-1].boundary.periodic)
        if axis is None:
            solve_coarsest = partial(_solved, dense_factor(levels[-1]))
        else:
            solve_coarsest = solver(factored(levels[-1], axis), axis)

        def descend(depth: int, residual: Array) -> Array:
            if depth == last:
                return solve_coarsest(residual)
            level, weight = levels[depth], smoothers[depth]
            sweeps = self.coarse_sweeps if last >= _MANY and depth >= _COARSE else self.sweeps
            value = self._smoothed(level, weight, sweeps, residual)
            coarse = descend(depth + 1, restrict(level.residual(value, residual), level.boundary, grids[depth]))
            value = corrected(value, coarse, level.boundary, grids[depth])
            for _ in range(sweeps):
                value = level.swept(value, residual, weight)
            return value

        return partial(descend, 0)

    def _dampings(self, levels: list[Stiffness], widths: list[list[float]]) -> list[Array]:
        """ω of every level. One bound serves all whose voxels have its shape, or nearly so where it is an estimate.

        Args:
            levels: from fine to coarse.
            widths: edges of their voxels, relative to the finest.
        """
        near = 1.0001 if isinstance(levels[0].material, (IsotropicField, CubicField)) else _NEARLY
        out: list[Array] = []
        bounded = widths[0]
        for level, width in zip(levels, widths, strict=True):
            ratios = [new / old for new, old in zip(width, bounded, strict=True)]
            if not out or max(ratios) > near * min(ratios):
                out.append(jnp.minimum(self.damping, _LARGEST_STEP / largest_jacobi_eigenvalue(level)))
                bounded = width
            else:
                out.append(out[-1])
        return out

    @staticmethod
    def _smoothed(level: Stiffness, weight: Array, sweeps: int, residual: Array) -> Array:
        """Sweeps from zero; the first needs no operator."""
        value = block_product(weight, residual, level.boundary)
        for _ in range(sweeps - 1):
            value = level.swept(value, residual, weight)
        return value
