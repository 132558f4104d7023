r"""Samplers: from noise to a field, down the levels of a schedule.

A field without noise follows from noise along

.. math:: \frac{\mathrm d x}{\mathrm d \sigma} = \frac{x - D(x, \sigma)}{\sigma},

the ordinary differential equation of Karras and others (2022, Eq. 3). With D constant over a step from σ to σ' it gives

.. math:: x' = \frac{\sigma'}{\sigma} x + \Big(1 - \frac{\sigma'}{\sigma}\Big) D,

which is DDIM with η = 0 and of first order. DPM-Solver++(2M) takes for D the line through the estimates of this step
and the one before, in :math:`\lambda = -\ln \sigma`, half-way over the step: with :math:`h = \ln(\sigma / \sigma')`
and :math:`h_-` of the step before, :math:`D + \frac{h}{2 h_-} (D - D_-)`, which is of second order. The first step has
none before it, and the last one, to σ' = 0, gives D.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from .._numbers import refused
from ._denoiser import Denoiser, Memory
from ._guidance import Guidance

Method = Literal["ddim", "dpm"]


class Progress(NamedTuple):
    """Between two steps.

    Attributes:
        x: the noisy field.
        estimate: of the step before.
        memory: of the denoiser.
    """

    x: Float[Array, "a b c"]
    estimate: Float[Array, "a b c"]
    memory: Memory


def descend(
    denoiser: Denoiser,
    noise: Float[Array, "a b c"],
    levels: Float[ArrayLike, " levels"],
    method: Method = "dpm",
    guidance: Guidance | None = None,
) -> Float[Array, "a b c"]:
    """The field that noise leads to. A pure function of arrays, for `jax.jit`, `jax.vmap` and `jax.grad`.

    Args:
        denoiser: estimates of the field.
        noise: of unit variance; it is scaled to the first level here.
        levels: noise levels, falling; the last one may be zero.
        method: "ddim", of first order, or "dpm", DPM-Solver++(2M), of second order.
        guidance: a transformation of the denoiser for the last `guidance.last` steps.

    Returns:
        (m, m, m), the field.

    Raises:
        ValueError: the method is unknown.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxmeta.diffusion import Schedule, descend
        >>> class Known:
        ...     def init(self, x):
        ...         return ()
        ...     def __call__(self, x, sigma, memory):
        ...         return jnp.full_like(x, 3.0), memory
        >>> float(descend(Known(), jnp.ones((2, 2, 2)), jnp.asarray(Schedule().levels(4)))[0, 0, 0])
        3.0

    References:
        J. Song and others, "Denoising diffusion implicit models", 2021, Eq. 12. C. Lu and others, "DPM-Solver++", 2022,
        Algorithm 2.
    """
    if method not in ("ddim", "dpm"):
        raise refused("method", 'be "ddim" or "dpm"', f"is {method!r}")
    sigma = jnp.asarray(levels, noise.dtype)
    progress, steps = begun(denoiser, noise, sigma)
    guided = 0 if guidance is None else min(guidance.last, len(steps))
    progress = _scan(denoiser, progress, steps[: len(steps) - guided], method)
    if guidance is not None and guided:
        other = guidance(denoiser)
        memory = other.adopt(progress.memory, progress.x)
        progress = _scan(other, progress._replace(memory=memory), steps[len(steps) - guided :], method)
    return progress.x


def _scan(denoiser: Denoiser, progress: Progress, steps: Float[Array, "n 3"], method: Method) -> Progress:
    def step(progress: Progress, levels: Array) -> tuple[Progress, None]:
        return advanced(denoiser, progress, levels, method), None

    return jax.lax.scan(step, progress, steps)[0]


def begun(denoiser: Denoiser, noise: Float[Array, "a b c"], sigma: Float[Array, " levels"]) -> tuple[Progress, Array]:
    """Before the first step; and the levels before, at and after every step, (steps, 3)."""
    before = jnp.concatenate([sigma[:1], sigma[:-2]])  # of the first step, one of no length
    steps = jnp.stack([before, sigma[:-1], sigma[1:]], axis=1)
    x = sigma[0] * noise
    return Progress(x, jnp.zeros_like(x), denoiser.init(x)), steps


def advanced(denoiser: Denoiser, progress: Progress, levels: Float[Array, "3"], method: Method = "dpm") -> Progress:
    """After one step, whose levels are those before, at and after it."""
    before, sigma, after = levels
    estimate, memory = denoiser(progress.x, sigma, progress.memory)
    towards = estimate
    if method == "dpm":
        straight = (before <= sigma) | (after <= 0)  # the first step, and the last one
        h, h_before = (jnp.log(jnp.where(straight, 2, first / second)) for first, second in _pairs(levels))
        towards = estimate + jnp.where(straight, 0, h / (2 * h_before)) * (estimate - progress.estimate)
    share = after / sigma
    return Progress(share * progress.x + (1 - share) * towards, estimate, memory)


def _pairs(levels: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    before, sigma, after = levels
    return (sigma, jnp.where(after > 0, after, sigma)), (before, sigma)
