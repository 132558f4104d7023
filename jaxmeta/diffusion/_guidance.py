r"""Guidance: transformations of a denoiser.

By finite elements: the estimate is made a density ρ, homogenization gives its C = (C11, C12, C44) and the derivatives
J, (3, voxels), and the estimate is corrected by the least change that leads to the wanted C* to first order,

.. math:: \hat x \leftarrow \hat x + s\, J^T (J J^T + \epsilon\, \mathrm{tr}(J J^T) / 3)^{-1} (C^* - C) .

C and its derivatives come from a fixed number of steps of the solver, which begin with the displacements of the step
before; they are part of the memory. A first derivative needs no further solve.
"""

from __future__ import annotations

from functools import partial
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._arguments import positive_number, real_array
from .._numbers import refused, whole_number
from ..elasticity import Isotropic
from ..homogenization import SIMP, homogenize
from ._denoiser import Denoiser, Memory
from ._field import DEVIATION

_RIDGE = 1e-5


@runtime_checkable
class Guided(Denoiser, Protocol):
    """A denoiser that goes on from the memory of the one that it is made of."""

    def adopt(self, memory: Memory, x: Float[Array, "m m m"]) -> Memory:
        """Its memory, from that of the other."""
        ...


@runtime_checkable
class Guidance(Protocol):
    """A transformation of a denoiser, for the last steps of a sampler; a pytree, so that `sample` can compile it."""

    @property
    def last(self) -> int:
        """Number of the last steps that are guided."""
        ...

    def __call__(self, denoiser: Denoiser) -> Guided:
        """The guided denoiser."""
        ...


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["constants", "volume_fraction", "strength", "sharpness", "most"],
    meta_fields=["last", "steps"],
)
class FiniteElements:
    """Guidance towards a stiffness by the finite elements that also score a cell, for a solid of Poisson's ratio 0.3.

    Args:
        constants: wanted C11, C12, C44, in units of the solid's Young's modulus, (3,).
        volume_fraction: at which the field is cut; where it is None it is cut at zero.
        last: number of the last steps of a sampler that are guided; noise is low there.
        steps: of the solver, at each of them.
        strength: share s of the correction.
        sharpness: of the passage from void to solid, per voxel.
        most: largest root mean square of a correction, in units of the field's deviation.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        constants: Float[Array, "3"],
        volume_fraction: float | Float[Array, ""] | None = None,
        last: int = 5,
        steps: int = 8,
        strength: float | Float[Array, ""] = 1.0,
        sharpness: float = 4.0,
        most: float = 0.3,
    ):
        self.constants = real_array("constants", constants)
        if self.constants.shape != (3,):
            raise refused("constants", "be C11, C12 and C44", f"has shape {self.constants.shape}")
        self.volume_fraction, self.strength = volume_fraction, strength
        self.last, self.steps = whole_number("last", last, least=1), whole_number("steps", steps, least=1)
        self.sharpness, self.most = positive_number("sharpness", sharpness), positive_number("most", most)

    def __call__(self, denoiser: Denoiser) -> Guided:
        """The denoiser whose estimates are corrected."""
        return _Corrected(denoiser, self)

    def density(self, field: Float[Array, "m m m"]) -> Float[Array, "m m m"]:
        """The field as a density between 0 and 1, of the wanted volume fraction as far as a cut at a level has it."""
        level = 0.0
        if self.volume_fraction is not None:
            level = jax.lax.stop_gradient(jnp.quantile(field, 1 - jnp.asarray(self.volume_fraction, field.dtype)))
        return jax.nn.sigmoid(jnp.asarray(self.sharpness * DEVIATION, field.dtype) * (field - level))

    def stiffness(self, field: Array, start: Array) -> tuple[Float[Array, "3"], Array]:
        """C11, C12, C44 of a field after the steps of the solver, and the displacements."""
        solid = Isotropic(1.0, 0.3)
        h = homogenize(
            self.density(field),
            solid,
            interpolation=SIMP(1.0, 1e-9),
            symmetry="cubic",
            start=start,
            steps=self.steps,
        )
        return h.stiffness[jnp.array([0, 0, 3]), jnp.array([0, 1, 3])], h.displacement

    def correct(self, field: Array, start: Array) -> tuple[Float[Array, "m m m"], Array]:
        """The corrected field, and the displacements."""
        found, back, displacement = jax.vjp(partial(self.stiffness, start=start), field, has_aux=True)
        rows = jax.vmap(lambda unit: back(unit)[0])(jnp.eye(3, dtype=field.dtype))
        flat = rows.reshape(3, -1)
        gram = jnp.matmul(flat, flat.T, precision="highest")
        ridge = _RIDGE * jnp.trace(gram) / 3 + jnp.finfo(field.dtype).tiny
        missing = self.constants.astype(field.dtype) - found
        change = jnp.tensordot(jnp.linalg.solve(gram + ridge * jnp.eye(3, dtype=field.dtype), missing), rows, 1)
        size = jnp.sqrt(jnp.mean(change**2) + jnp.finfo(field.dtype).tiny)
        share = jnp.asarray(self.strength, field.dtype) * jnp.minimum(1, jnp.asarray(self.most, field.dtype) / size)
        return field + share * change, displacement


class _Corrected:
    """The estimates of a denoiser, corrected; the memory is that of the denoiser, and displacements."""

    def __init__(self, denoiser: Denoiser, guidance: FiniteElements):
        self._denoiser, self._guidance = denoiser, guidance

    def init(self, x: Array) -> Memory:
        return self.adopt(self._denoiser.init(x), x)

    def adopt(self, memory: Memory, x: Array) -> Memory:
        nodes = x.shape[0] + 1
        return memory, jnp.zeros((2, nodes, nodes, nodes, 3), x.dtype)

    def __call__(self, x: Array, sigma: Array, memory: Memory) -> tuple[Array, Memory]:
        inner, displacement = memory
        estimate, inner = self._denoiser(x, sigma, inner)
        estimate, displacement = self._guidance.correct(estimate, displacement)
        return estimate, (inner, displacement)
