"""Geometric multigrid by rediscretization, as a preconditioner: the element kernel itself serves every level."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
from jax import Array

from ._blocks import block_product, inverse_where_positive, inverses, isotropic_inverses
from ._boundary import Shared
from ._fields import IsotropicField
from ._kernel import element_strains
from ._operator import Stiffness
from ._transfer import corrected, restrict

_DENSE_NODES = 360
_SWEEPS_WITHOUT_DENSE = 20
_LARGEST_STEP = 1.9
"""Damping times the largest eigenvalue of D⁻¹ K; a sweep contracts below 2."""


def _one_by_one(function: Callable[..., Array]) -> Callable[..., Array]:
    """The function, which closes over no array, and which on a CPU does a batch one after the other.

    jaxlib 0.10 hands a batch of factorisations, but for quite small ones, to the threads that run programs, and waits
    for it on one of them: two programs at the same time, of two threads of Python or two devices, wait for ever when
    there are no more threads.
    """
    sequential = jax.custom_batching.sequential_vmap(function)
    return lambda *operands: jax.lax.platform_dependent(*operands, cpu=sequential, default=function)


@jax.jit
def _dense_inverse(operator: Stiffness) -> Array:
    """Inverse of the coarsest operator, scaled to unit diagonal and shifted: rigid and void modes stay finite."""
    matrix = operator.matrix()
    diagonal = jnp.diagonal(matrix)
    size = len(diagonal)
    scale = jnp.sqrt(inverse_where_positive(diagonal))
    eye = jnp.eye(size, dtype=diagonal.dtype)
    dense = matrix * scale[:, None] * scale[None, :] + max(float(jnp.finfo(diagonal.dtype).eps) ** 0.75, 1e-8) * eye
    if "periodic" in operator.boundary.kinds:
        # Translations of which nothing is held are given the stiffness one. Forces are in balance, so that what this
        # adds to the inverse does nothing; taking the mean displacement away would mix the void's into the solid's.
        loose = operator.boundary.free(jnp.ones((3, *operator.nodes), diagonal.dtype)).min((1, 2, 3))
        root = loose[:, None, None] * jnp.sqrt(jnp.maximum(diagonal, 0)).reshape(3, 1, -1)
        rigid = (root * jnp.eye(3, dtype=diagonal.dtype)[:, :, None]).transpose(0, 2, 1).reshape(size, 3)
        total = jnp.sum(rigid**2, 0, keepdims=True)
        rigid = rigid * jnp.sqrt(inverse_where_positive(total))
        dense = dense + rigid @ rigid.T
    held = jnp.diag((scale == 0).astype(diagonal.dtype))
    inverse = _one_by_one(_inverse_of_definite)(dense + held) * scale[:, None] * scale[None, :]
    return 0.5 * (inverse + inverse.T)


def _inverse_of_definite(matrix: Array) -> Array:
    return jsl.cho_solve(jsl.cho_factor(matrix, lower=True), jnp.eye(len(matrix), dtype=matrix.dtype))


def _times(matrix: Array, field: Array) -> Array:
    return jnp.dot(matrix, field.reshape(-1), precision="highest").reshape(field.shape)


@jax.jit
def block_inverse(operator: Stiffness, factor: Array | float = 1.0) -> Array:
    """Inverses of the 3×3 blocks on the free components of every node, times a factor, (6, x, y, z); zero in void."""
    boundary, material = operator.boundary, operator.material
    factor = jnp.asarray(factor, operator.spacing.dtype)
    if isinstance(material, IsotropicField) and not isinstance(boundary, Shared) and boundary.whole:
        return isotropic_inverses(material, operator.spacing, boundary, factor)
    blocks = operator.blocks()
    return factor * inverses(blocks, boundary.free(jnp.ones((3, *operator.nodes), blocks.dtype)))


@jax.jit
def largest_jacobi_eigenvalue(operator: Stiffness) -> Array:
    """An upper bound of λ_max(D⁻¹ K), D being the 3×3 blocks, by elements: the largest of the pencils (K_e, D_e).

    For an isotropic field the pencil depends on the ratio λ/μ only, and a quotient of functions linear in it is largest
    at one of its two ends. Coarser grids have means of the moduli, so that the bound holds for them too. For other
    fields the eigenvalue is estimated by power iteration.
    """
    field = operator.material
    if not isinstance(field, IsotropicField):
        return _power_iteration(operator)
    positive = field.mu > 0
    ratio = jnp.where(positive, field.lmbda / jnp.where(positive, field.mu, 1), jnp.nan)
    ends = jnp.nan_to_num(jnp.stack([jnp.nanmin(ratio), jnp.nanmax(ratio)]), nan=1.0)
    return jax.vmap(_one_by_one(_largest_of_pencil), (0, None))(ends, operator.spacing).max()


def _largest_of_pencil(ratio: Array, spacing: Array) -> Array:
    weights, strains = element_strains(spacing)
    weights = jnp.asarray(weights, strains.dtype)
    bulk = jnp.asarray(np.outer([1.0] * 3 + [0.0] * 3, [1.0] * 3 + [0.0] * 3), strains.dtype)
    shear = jnp.asarray(np.diag([2.0] * 3 + [1.0] * 3), strains.dtype)
    corner = jnp.asarray(np.tile(np.eye(8), (3, 3)), strains.dtype)
    moduli = ratio * bulk + shear
    matrix = jnp.einsum("k,kia,ij,kjb->ab", weights, strains, moduli, strains, precision="highest")
    root = jnp.linalg.cholesky(matrix * corner)
    half = jsl.solve_triangular(root, matrix, lower=True)
    return jnp.linalg.eigvalsh(jsl.solve_triangular(root, half.T, lower=True))[-1]


def _power_iteration(operator: Stiffness) -> Array:
    inverse = block_inverse(operator)
    start = jax.random.normal(jax.random.key(0), (3, *operator.nodes), inverse.dtype)

    def step(_: int, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        vector = pair[0]
        image = block_product(inverse, operator(vector), operator.boundary)
        norm = jnp.sqrt(jnp.vdot(image, image) / jnp.maximum(jnp.vdot(vector, vector), jnp.finfo(image.dtype).tiny))
        return image / jnp.maximum(jnp.max(jnp.abs(image)), jnp.finfo(image.dtype).tiny), norm

    return 1.1 * jax.lax.fori_loop(0, 20, step, (start, jnp.ones((), inverse.dtype)))[1]


def _centred(operator: Stiffness) -> Callable[[Array], Array]:
    """Displacements without their translation, P u = u − Σwu/Σw with w the moduli around each node.

    K P = K, but for rounding: CG would lengthen the translations with which a cycle answers rounding, without end, for
    K sees only rounding of them. The weight leaves the solid where it is, however the void moves.
    """
    if operator.boundary.holds or set(operator.boundary.kinds) != {"periodic"}:
        return lambda displacement: displacement
    weight = sum(operator.material.diagonal)[None]
    for axis in (1, 2, 3):
        weight = weight + jnp.roll(weight, 1, axis)
    inverse = inverse_where_positive(weight.sum())
    return lambda displacement: displacement - inverse * (weight * displacement).sum((1, 2, 3), keepdims=True)


@dataclass(frozen=True)
class Multigrid:
    """One V-cycle: damped block Jacobi before and after, trilinear transfer, a dense inverse on the coarsest grid.

    A coarse voxel's modulus is the mean of its eight children's, so the element kernel itself is the operator of every
    level and no matrix is stored.

    Args:
        damping: largest ω of the sweeps; it is lowered where they would not contract.
        sweeps: sweeps before and after each coarse correction.
        coarsest: no grid with so few elements along an axis is halved again.
    """

    damping: float = 0.6
    sweeps: int = 1
    coarsest: int = 4

    def suits(self, shape: tuple[int, ...]) -> bool:
        """Whether halving reaches a grid that is small enough for a dense inverse."""
        while self._halves(shape):
            shape = tuple(n // 2 for n in shape)
        return math.prod(n + 1 for n in shape) <= _DENSE_NODES

    def _halves(self, shape: tuple[int, ...]) -> bool:
        return all(n % 2 == 0 for n in shape) and min(shape) > self.coarsest

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
        levels = [operator]
        while self._halves(levels[-1].elements):
            levels.append(levels[-1].coarse())
        damping = jnp.minimum(self.damping, _LARGEST_STEP / largest_jacobi_eigenvalue(operator))
        smoothers = [block_inverse(level, damping) for level in levels]
        last = len(levels) - 1
        if math.prod(levels[-1].nodes) <= _DENSE_NODES:
            solve_coarsest = partial(_times, _dense_inverse(levels[-1]))
        else:
            solve_coarsest = partial(self._smoothed, levels[-1], smoothers[-1], _SWEEPS_WITHOUT_DENSE)

        def descend(depth: int, residual: Array) -> Array:
            if depth == last:
                return solve_coarsest(residual)
            level, weight = levels[depth], smoothers[depth]
            value = self._smoothed(level, weight, self.sweeps, residual)
            coarse = descend(depth + 1, restrict(level.residual(value, residual), level.boundary))
            value = corrected(value, coarse, level.boundary)
            for _ in range(self.sweeps):
                value = level.swept(value, residual, weight)
            return value

        return partial(descend, 0)

    @staticmethod
    def _smoothed(level: Stiffness, weight: Array, sweeps: int, residual: Array) -> Array:
        """Sweeps from zero; the first needs no operator."""
        value = block_product(weight, residual, level.boundary)
        for _ in range(sweeps - 1):
            value = level.swept(value, residual, weight)
        return value
