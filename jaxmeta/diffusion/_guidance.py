r"""Guidance: transformations of a denoiser.

By finite elements: the estimate is cut to the very cell that would be made of it, homogenization gives C, and the
interface is moved so that C comes nearer to the wanted C*. Let δ be its movement in voxels, w the passage from void to
solid across it, and :math:`q = \partial C / \partial \rho`, the energy densities of the solid. The eigenvalues
:math:`\lambda = (C_{11} + 2 C_{12},\, C_{11} - C_{12},\, C_{44})` change to first order by

.. math:: \Delta \ln \lambda_i = \langle g_i\, \delta \rangle, \qquad
   g_i = \frac{1}{\lambda_i} \frac{\partial \lambda_i}{\partial C} \cdot q \sum w, \qquad
   \langle \cdot \rangle = \frac{\sum w\, \cdot}{\sum w} .

Logarithms, because the stiffness of light cells goes with powers of their density. Where the volume fraction is given
the cut follows, which takes the mean of δ out again; g is taken without its mean then. The movement that minimises

.. math:: \sum_i \Big(\Delta \ln \lambda_i - \ln \frac{\lambda^*_i}{\lambda_i}\Big)^2
   + \tau^2 \langle \delta^2 \rangle

is :math:`\delta = \sum_i a_i g_i` with :math:`(\langle g_i g_j \rangle + \tau^2 \delta_{ij})\, a_j = \ln
\lambda^*_i / \lambda_i`. The energy of a void voxel says nothing of what solid would do there: q is smoothed over the
neighbours that are solid, and so goes on across the interface, and the surface stays smooth. Voxels flip one by
one, and one that is added does less than the first order says, one that is taken away more: what the last correction
did, over what it should have done, divides what the next one asks for.

References:
    G. Allaire, F. Jouve, A.-M. Toader, J. Comput. Phys. 194, 363 (2004), for the derivative by the shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from .._arguments import positive_number, real_array
from .._numbers import refused, whole_number
from ._denoiser import Denoiser, Memory
from ._energies import EIGENVALUES, eigenvalues, gains_of, stiffness
from ._field import DEVIATION, from_field
from ._parts import largest_part

_TOLERANCE = 0.1
"""τ: a movement by one voxel is worth this much of ln λ."""
_FURTHEST = 0.5
"""Largest change of a ln λ that a correction tries."""
_DOUBT = 0.05
"""Change of the ln λ whose response counts as much as that of all corrections before."""
_RESPONSES = 0.2, 2.0
"""Least and largest response that is believed."""
_PASSES = 3
"""Of taking loose parts away; what makes up for their volume may be loose again."""
_LEAST = 1e-3
"""Share of the wanted eigenvalue below which one is as good as none."""


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
    data_fields=["constants", "volume_fraction", "most"],
    meta_fields=["last", "rounds", "steps"],
)
class FiniteElements:
    """Guidance towards a stiffness by the finite elements that also score a cell, for a solid of Poisson's ratio 0.3.

    Its derivative is that between two flips of a voxel: C and the energies are constant there, as the cell is.

    Args:
        constants: wanted C11, C12, C44, in units of the solid's Young's modulus, (3,).
        volume_fraction: at which the field is cut; where it is None it is cut at zero.
        last: number of the last steps of a sampler that are guided; noise is low there.
        rounds: corrections at each of them.
        steps: of the solver, for each correction. They begin with the displacements of the correction before.
        most: largest root mean square of the movement of the interface in a correction, in voxels.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        constants: Float[ArrayLike, "3"] | Sequence[float],
        volume_fraction: float | Float[Array, ""] | None = None,
        last: int = 2,
        rounds: int = 4,
        steps: int = 5,
        most: float | Float[Array, ""] = 0.5,
    ):
        self.constants = real_array("constants", constants)
        if self.constants.shape != (3,):
            raise refused("constants", "be C11, C12 and C44", f"has shape {self.constants.shape}")
        if not isinstance(self.constants, Tracer) and not (np.dot(EIGENVALUES, self.constants) > 0).all():
            raise refused("constants", "be those of a stable solid", f"is {self.constants.tolist()}")
        self.volume_fraction, self.most = volume_fraction, positive_number("most", most)
        self.last, self.rounds = whole_number("last", last, least=1), whole_number("rounds", rounds, least=1)
        self.steps = whole_number("steps", steps, least=1)

    @property
    def solver_steps(self) -> int:
        """Steps of the solver for one pair of loads, an axial and a shear one, that a sample takes in all, at most."""
        return self.last * self.rounds * self.steps

    def __call__(self, denoiser: Denoiser) -> Guided:
        """The denoiser whose estimates are corrected."""
        return _Corrected(denoiser, self)

    def correct(self, field: Array, last: Correction) -> tuple[Float[Array, "m m m"], Correction]:
        """The corrected field, and what the next correction goes on from."""
        dtype = field.dtype
        solid, level = self._cut(field)
        found, energies, displacement = stiffness(solid.astype(dtype), last.displacement, self.steps)
        wanted = eigenvalues(self.constants.astype(dtype))
        now = jnp.maximum(eigenvalues(found), _LEAST * wanted)
        response = last.response_at(jnp.log(now))
        missing = jnp.clip(jnp.log(wanted / now), -_FURTHEST, _FURTHEST) / response

        near, weight, gains = gains_of(field - level, solid, energies, now)
        if self.volume_fraction is not None:
            gains = gains - jnp.tensordot(gains, weight, 3)[:, None, None, None]

        gram = jnp.tensordot(gains * weight[None], gains, ((1, 2, 3), (1, 2, 3)), precision="highest")
        parts = jnp.linalg.solve(gram + _TOLERANCE**2 * jnp.eye(3, dtype=dtype), missing)
        size = jnp.sqrt(jnp.vdot(parts, jnp.dot(gram, parts)) + jnp.finfo(dtype).tiny)
        parts = parts * jnp.minimum(1, jnp.asarray(self.most, dtype) / size)
        field = self.whole(field + near * jnp.tensordot(parts, gains, 1) / DEVIATION)
        return field, Correction(displacement, jnp.log(now), jnp.dot(gram, parts), response)

    def whole(self, field: Array) -> Float[Array, "m m m"]:
        """The field with void in place of all but the largest part, again where the next cut makes new parts."""

        def without(_: Array | int, field: Array) -> Array:
            solid, level = self._cut(field)
            return jnp.where(solid & ~largest_part(solid), 2 * level - field, field)

        return jax.lax.fori_loop(0, _PASSES, without, field)

    def _cut(self, field: Array) -> tuple[Bool[Array, "m m m"], Float[Array, ""]]:
        """The cell that would be made of a field, and the level of its interface."""
        if self.volume_fraction is None:
            return field > 0, jnp.zeros((), field.dtype)
        share = jnp.asarray(self.volume_fraction, field.dtype)
        return from_field(field, share), jnp.quantile(field, 1 - share)


class Correction(NamedTuple):
    """What a correction leaves to the next one.

    Attributes:
        displacement: from the solver, as `homogenize` hands it on.
        logarithms: of the eigenvalues before it, (3,).
        change: of them that was to be to first order, (3,).
        response: share of such a change that came about before.
    """

    displacement: Float[Array, "2 x y z 3"]
    logarithms: Float[Array, "3"]
    change: Float[Array, "3"]
    response: Float[Array, ""]

    @classmethod
    def none(cls, field: Float[Array, "m m m"]) -> Correction:
        """Before the first one."""
        nodes, zeros = len(field) + 1, jnp.zeros(3, field.dtype)
        return cls(jnp.zeros((2, nodes, nodes, nodes, 3), field.dtype), zeros, zeros, jnp.ones((), field.dtype))

    def response_at(self, logarithms: Float[Array, "3"]) -> Float[Array, ""]:
        """The response, by least squares, now that the logarithms after it are known; not far from the last one."""
        doubt = jnp.asarray(_DOUBT**2, self.change.dtype)
        came = jnp.sum(self.change * (logarithms - self.logarithms)) + doubt * self.response
        found = came / (jnp.sum(self.change**2) + doubt)
        lowest, highest = _RESPONSES
        return jnp.clip(found, jnp.maximum(lowest, self.response / 2), jnp.minimum(highest, 2 * self.response))


class _Corrected:
    """The estimates of a denoiser, corrected; the memory is that of the denoiser, and what corrections leave."""

    def __init__(self, denoiser: Denoiser, guidance: FiniteElements):
        self._denoiser, self._guidance = denoiser, guidance

    def init(self, x: Array) -> Memory:
        return self.adopt(self._denoiser.init(x), x)

    def adopt(self, memory: Memory, x: Array) -> Memory:
        return memory, Correction.none(x)

    def __call__(self, x: Array, sigma: Array, memory: Memory) -> tuple[Array, Memory]:
        inner, last = memory
        estimate, inner = self._denoiser(x, sigma, inner)
        # What the denoiser did is no response to the last correction.
        state = self._guidance.whole(estimate), last._replace(change=jnp.zeros_like(last.change))

        def correct(state: tuple[Array, Correction], _: None) -> tuple[tuple[Array, Correction], None]:
            return self._guidance.correct(*state), None

        (estimate, last), _ = jax.lax.scan(correct, state, length=self._guidance.rounds)
        return estimate, (inner, last)
