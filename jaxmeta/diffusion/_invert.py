r"""From a field back to the noise that leads to it, and between two noises.

A step of DDIM from σ down to σ' is :math:`x' = \frac{\sigma'}{\sigma} x + (1 - \frac{\sigma'}{\sigma}) D(x, \sigma)`.
Its inverse is the solution of

.. math:: x = \frac{\sigma}{\sigma'} x' - \Big(\frac{\sigma}{\sigma'} - 1\Big) D(x, \sigma),

found by iteration from the x of D(x', σ'), the same rule run upward, which alone is of first order. Where the steps
are short enough for it to converge, the sampler leads back to the field exactly. The denoiser must not have a memory:
on the way up it would be that of other steps.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._arguments import real_array
from .._numbers import refused, whole_number
from ._denoiser import Denoiser, Memory


@partial(jax.tree_util.register_dataclass, data_fields=["denoiser"], meta_fields=[])
class Forgetful:
    """A denoiser without the memory of another one: each of its estimates is that of a first step.

    Args:
        denoiser: such as `NetworkDenoiser`, which is trained without a memory half of the time.
    """

    def __init__(self, denoiser: Denoiser):
        self.denoiser = denoiser

    def init(self, x: Float[Array, "a b c"]) -> Memory:
        """Nothing."""
        return ()

    def __call__(self, x: Float[Array, "a b c"], sigma: Float[Array, ""], memory: Memory) -> tuple[Any, Memory]:
        """The estimate."""
        return self.denoiser(x, sigma, self.denoiser.init(x))[0], memory


def ascend(
    denoiser: Denoiser, field: Float[Array, "a b c"], levels: Float[Array, " steps"], rounds: int = 8
) -> Float[Array, "a b c"]:
    """The noise from which `descend(denoiser, noise, levels, "ddim")` leads to a field. A pure function of arrays.

    Args:
        denoiser: without a memory, such as `Forgetful`.
        field: at the last level, as of `to_field`.
        levels: noise levels, falling, the last one above zero; the same as for the way down.
        rounds: iterations at each step.

    Returns:
        (m, m, m), of unit variance where the model knows the field.

    Raises:
        ValueError: there are fewer than two levels, or no rounds.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.diffusion import Schedule, ascend, descend
        >>> class Known:
        ...     def init(self, x):
        ...         return ()
        ...     def __call__(self, x, sigma, memory):
        ...         return x / (1 + sigma**2), memory
        >>> levels = jnp.asarray(Schedule().levels(32)[:-1])
        >>> field = jnp.full((2, 2, 2), 0.7)
        >>> noise = ascend(Known(), field, levels)
        >>> bool(jnp.allclose(descend(Known(), noise, levels, "ddim"), field, rtol=1e-3))
        True

    References:
        J. Song and others, "Denoising diffusion implicit models", 2021, Sec. 4.3.
    """
    whole_number("rounds", rounds, least=1)
    if jnp.ndim(levels) != 1 or len(levels) < 2:
        raise refused("levels", "be two or more", f"has shape {jnp.shape(levels)}")
    x = real_array("field", field)
    up = jnp.asarray(levels, x.dtype)[::-1]

    def step(x: Array, pair: Array) -> tuple[Array, None]:
        low, high = pair
        ratio = high / low

        def above(estimate: Array) -> Array:
            return ratio * x - (ratio - 1) * estimate

        first = above(denoiser(x, low, denoiser.init(x))[0])
        found = jax.lax.fori_loop(0, rounds, lambda _, y: above(denoiser(y, high, denoiser.init(y))[0]), first)
        return found, None

    return jax.lax.scan(step, x, jnp.stack([up[:-1], up[1:]], axis=1))[0] / up[-1]


def slerp(
    first: Float[Array, "*shape"], second: Float[Array, "*shape"], share: float | Float[Array, ""]
) -> Float[Array, "*shape"]:
    r"""Spherical interpolation: :math:`\frac{\sin (1-t)\Omega}{\sin \Omega} a + \frac{\sin t \Omega}{\sin \Omega} b`.

    Ω is the angle between both, nearly a right one for independent noises, where this is cos θ a + sin θ b; a straight
    line would pass through noise of too little variance.

    Args:
        first: a, of any shape.
        second: b, of the same shape; neither the same as a nor its opposite.
        share: t, from 0 to 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.diffusion import slerp
        >>> [round(float(x), 4) for x in slerp(jnp.array([2.0, 0.0]), jnp.array([0.0, 2.0]), 1 / 3)]
        [1.7321, 1.0]

    References:
        K. Shoemake, "Animating rotation with quaternion curves", 1985.
    """
    a, b = real_array("first", first), real_array("second", second)
    if a.shape != b.shape:
        raise refused("second", f"have the shape of `first`, {a.shape}", f"has shape {b.shape}")
    t = jnp.asarray(share, a.dtype)
    cosine = jnp.vdot(a, b) / jnp.sqrt(jnp.vdot(a, a) * jnp.vdot(b, b))
    angle = jnp.arccos(jnp.clip(cosine, -1, 1))
    return (jnp.sin((1 - t) * angle) * a + jnp.sin(t * angle) * b) / jnp.sin(angle)
