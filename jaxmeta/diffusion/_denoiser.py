r"""Denoisers: estimates of a field from a noisy one, with a memory that goes from step to step.

With the noisy field :math:`x = x_0 + \sigma n` and data of unit deviation the network F is wrapped as

.. math:: D(x, \sigma) = c_\mathrm{skip}\, x + c_\mathrm{out}\, F(c_\mathrm{in}\, x, c_\mathrm{noise}), \qquad
   c_\mathrm{skip} = \frac{1}{1 + \sigma^2}, \; c_\mathrm{out} = \frac{\sigma}{\sqrt{1 + \sigma^2}}, \;
   c_\mathrm{in} = \frac{1}{\sqrt{1 + \sigma^2}}, \; c_\mathrm{noise} = \tfrac14 \ln \sigma,

so that F sees, and is to give, numbers of unit variance at every level (Karras and others, 2022, Table 1).
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ._embedding import Conditions
from ._model import Model, Weights, apply
from ._settings import Network

Memory = Any
"""A pytree of arrays."""
SMOOTHING = 0.2
"""Weight of either neighbour where a field is smoothed."""


@runtime_checkable
class Denoiser(Protocol):
    """An estimate of the field without noise, and what it remembers."""

    def init(self, x: Float[Array, "a b c"]) -> Memory:
        """The memory before the first step."""
        ...

    def __call__(
        self, x: Float[Array, "a b c"], sigma: Float[Array, ""], memory: Memory
    ) -> tuple[Float[Array, "a b c"], Memory]:
        """The estimate and the memory after it."""
        ...


class Coefficients(NamedTuple):
    """Of the preconditioning at a noise level; see the head of the module."""

    skip: Array
    out: Array
    into: Array
    noise: Array

    @classmethod
    def at(cls, sigma: Float[Array, "..."]) -> Coefficients:
        """Those at a level."""
        root = jnp.sqrt(1 + sigma**2)
        return cls(1 / root**2, sigma / root, 1 / root, jnp.log(sigma) / 4)


def denoise(
    network: Network, weights: Weights, x: Array, sigma: Array, before: Array, asked: Conditions
) -> Float[Array, "a b c"]:
    """The estimate D(x, σ) of the field without noise."""
    c = Coefficients.at(sigma)
    return c.skip * x + c.out * apply(network, weights, c.into * x, before, c.noise, asked)


@partial(jax.tree_util.register_dataclass, data_fields=["model", "asked"], meta_fields=[])
class NetworkDenoiser:
    """A model under conditions; its memory is its last estimate, which the network sees (self-conditioning).

    Args:
        model: the network.
        asked: conditions.
    """

    def __init__(self, model: Model, asked: Conditions):
        self.model, self.asked = model, asked

    def init(self, x: Float[Array, "a b c"]) -> Float[Array, "a b c"]:
        """No estimate yet."""
        return jnp.zeros_like(x)

    def __call__(
        self, x: Float[Array, "a b c"], sigma: Float[Array, ""], memory: Float[Array, "a b c"]
    ) -> tuple[Float[Array, "a b c"], Float[Array, "a b c"]]:
        """The estimate, twice."""
        estimate = denoise(self.model.network, self.model.weights, x, sigma, memory, self.asked)
        return estimate, estimate

    def unconditional(self) -> NetworkDenoiser:
        """The same model with no condition."""
        nothing: Bool[Array, "4"] = jnp.zeros_like(self.asked.given)
        return NetworkDenoiser(self.model, Conditions(self.asked.values, nothing))


@partial(jax.tree_util.register_dataclass, data_fields=["denoiser", "scale"], meta_fields=[])
class ClassifierFree:
    r"""Guidance without a classifier: :math:`D = D_\varnothing + w\, (D_c - D_\varnothing)`.

    Each estimate takes two evaluations of the network, so leave it away where w = 1.

    Args:
        denoiser: under conditions c.
        scale: w.

    References:
        J. Ho, T. Salimans, "Classifier-free diffusion guidance", 2022, Eq. 6, with w one less there.
    """

    def __init__(self, denoiser: NetworkDenoiser, scale: float | Float[Array, ""]):
        self.denoiser, self.scale = denoiser, scale

    def init(self, x: Float[Array, "a b c"]) -> Float[Array, "a b c"]:
        """That of the denoiser."""
        return self.denoiser.init(x)

    def __call__(
        self, x: Float[Array, "a b c"], sigma: Float[Array, ""], memory: Float[Array, "a b c"]
    ) -> tuple[Float[Array, "a b c"], Float[Array, "a b c"]]:
        """The estimate, twice."""
        with_, _ = self.denoiser(x, sigma, memory)
        without, _ = self.denoiser.unconditional()(x, sigma, memory)
        estimate = without + jnp.asarray(self.scale, x.dtype) * (with_ - without)
        return estimate, estimate


@partial(jax.tree_util.register_dataclass, data_fields=["denoiser", "lowest"], meta_fields=[])
class Smoothed:
    """A denoiser whose estimate at the lowest noise level, the field of the cell, is smoothed along every axis.

    A network's field is rough at the scale of a voxel, and the cell that is cut out of it has specks that hang on
    nothing. A filter with weights w, 1 − 2w, w along each axis, across the mirrors of the octant, takes waves along it
    two voxels long down to 1 − 4w of their height, and those of eight voxels to 1 − 0.6w. It knows nothing of what
    hangs together.

    Args:
        denoiser: whose estimates they are.
        lowest: level from which on down they are smoothed.
    """

    def __init__(self, denoiser: Denoiser, lowest: float | Float[Array, ""]):
        self.denoiser, self.lowest = denoiser, lowest

    def init(self, x: Float[Array, "a b c"]) -> Memory:
        """That of the denoiser."""
        return self.denoiser.init(x)

    def __call__(
        self, x: Float[Array, "a b c"], sigma: Float[Array, ""], memory: Memory
    ) -> tuple[Float[Array, "a b c"], Memory]:
        """The estimate, smoothed or not, and the memory of the denoiser."""
        estimate, memory = self.denoiser(x, sigma, memory)
        return jnp.where(sigma <= jnp.asarray(self.lowest, sigma.dtype), smoothed(estimate), estimate), memory


def smoothed(field: Float[Array, "a b c"]) -> Float[Array, "a b c"]:
    """A field after the filter of `Smoothed`."""
    for axis in range(3):
        wide = jnp.pad(field, [(1, 1) if other == axis else (0, 0) for other in range(3)], mode="symmetric")
        sides = [jax.lax.slice_in_dim(wide, k, k + field.shape[axis], axis=axis) for k in (0, 2)]
        field = (1 - 2 * SMOOTHING) * field + SMOOTHING * (sides[0] + sides[1])
    return field
