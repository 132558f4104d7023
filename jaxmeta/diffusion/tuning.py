r"""Tuning: the weights of a trained network follow the error of the stiffness of what it makes, through the finite
elements and through the last steps of the sampler.

A sample begins at noise and ends in a field, which is cut to a cell at the wanted volume fraction. The cell's
eigenvalues :math:`\lambda = (C_{11} + 2 C_{12},\, C_{11} - C_{12},\, C_{44})` are to be :math:`\lambda^*`:

.. math:: L = \sum_i \Big(\sqrt{\Delta_i^2 + h^2} - h\Big), \qquad \Delta_i = \ln \frac{\lambda_i}{\lambda^*_i} .

A voxel is solid or void, so that L has no derivative by the field; a movement δ of the interface has one, as in
guidance: :math:`\Delta \ln \lambda_i = \langle (g_i - \langle g_i \rangle)\, \delta \rangle`. In thin places g is
larger than any movement can use; where its root mean square is above one, it is divided by it. Far from what is
wanted, where a body falls apart, its energies tell nothing, and the derivative is let go to zero. Voxels of small loose
parts are pushed towards the void. From the field the derivative goes back through the last steps of the sampler to the
weights of the network under conditions; that without conditions, which classifier-free guidance goes away from, stays.
Nine steps of a scale of three amplify it, so at every step it is cut off at the norm that a derivative by a field has.

No cell need be known that has what is wanted: it is drawn between the conditions of neighbouring cells of a library.
The loss of `training` on these cells is added, so that samples stay what cells look like.

References:
    K. Clark and others, "Directly fine-tuning diffusion models on differentiable rewards", 2024.
    G. Allaire, F. Jouve, A.-M. Toader, J. Comput. Phys. 194, 363 (2004), for the derivative by the shape.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from . import training as _training
from ._denoiser import Memory, denoise, smoothed
from ._embedding import Conditions, scaled
from ._energies import eigenvalues, gains_of, stiffness
from ._examples import Examples
from ._field import DEVIATION, from_field
from ._model import Model, Weights
from ._noise import symmetric_noise
from ._parts import largest_part
from ._sampler import Progress, advanced, begun
from ._schedule import Schedule
from ._settings import Network, Training, Tuning, require_cubic
from .training import TrainingState

_NEIGHBOURS = 32
_HUBER = 0.1
"""h: below such errors the loss grows with their square."""
_LEAST = 0.02
"""Share of the wanted eigenvalue below which one is as good as none."""
_FLOOR = 1e-6
"""Of wanted eigenvalues, in units of Young's modulus."""
_FAR = 1.5
"""|Δ| about which the derivative goes to zero: of a body that falls apart it tells nothing."""
_SPECKS = 0.05
"""Share of the solid up to which loose parts are to go; larger ones should hang together."""
_FEW = 60
"""Loose voxels that are pushed as hard together as one eigenvalue pulls."""
_NORM = 0.05
"""Largest norm of the derivative by a noisy field."""
_STRONG = 30.0
"""Norm of the derivative by the weights from which on it counts as one of norm one, as those of training about are."""


class Between(NamedTuple):
    """Conditions that are drawn between those of neighbouring cells.

    Attributes:
        values: conditions of cells, (n, 4).
        near: numbers of the cells next to each, (n, k).
    """

    values: Float[Array, "n 4"]
    near: Int[Array, "n k"]

    @classmethod
    def of(cls, examples: Examples) -> Between:
        """Of some cells, the more the better."""
        from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]

        places = np.asarray(jax.vmap(scaled)(examples.values))
        count = min(_NEIGHBOURS + 1, len(places))
        return cls(examples.values, jnp.asarray(cKDTree(places).query(places, count)[1].reshape(-1, count)[:, 1:]))

    def draw(self, key: Array, count: int) -> Float[Array, "count 4"]:
        """Anywhere on the line from a cell to one of those next to it."""
        first, second, third = jax.random.split(key, 3)
        one = jax.random.randint(first, (count,), 0, len(self.values))
        other = self.near[one, jax.random.randint(second, (count,), 0, self.near.shape[1])]
        share = jax.random.uniform(third, (count, 1), self.values.dtype)
        return (1 - share) * self.values[one] + share * self.values[other]


class Sampled(NamedTuple):
    """What a step saw: means over its samples.

    Attributes:
        loss: L.
        plain: |C − C*| / |C*|.
        loose: share of the solid that is not of the largest part.
        denoising: the loss of training.
    """

    loss: Array
    plain: Array
    loose: Array
    denoising: Array


def init(model: Model, tuning: Tuning) -> TrainingState:
    """The state before the first step.

    Args:
        model: a trained one.
        tuning: how it is tuned.
    """
    weights, average = (jax.tree.map(jnp.copy, model.weights) for _ in range(2))  # a step may reuse the memory of each
    return TrainingState(jnp.zeros((), jnp.int32), weights, average, _optimizer(tuning).init(weights))


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=5)
def step(
    network: Network, tuning: Tuning, schedule: Schedule, examples: Examples, between: Between, state: TrainingState
) -> tuple[TrainingState, Sampled]:
    """One step: samples, their stiffness, the gradient, Adam, the average.

    Args:
        network: which network.
        tuning: how it is tuned.
        schedule: the noise levels.
        examples: cells that it was trained on.
        between: where wanted conditions are drawn.
        state: the state before, whose memory is used anew.

    Returns:
        The state after the step, and what it saw.

    Example:
        >>> from functools import partial
        >>> import jax, numpy as np
        >>> from jaxmeta.diffusion import Examples, Schedule, Tuning, WedgeNet, new_model, tuning
        >>> octants = np.zeros((2, 8, 8, 8), bool)
        >>> octants[:, :4, :4, :4] = True
        >>> cells = Examples.of(octants, np.full((2, 3), 0.1), octants.mean((1, 2, 3)))
        >>> model = new_model(WedgeNet(8, 4, (8, 8), (0, 0), 8), jax.random.key(0))
        >>> settings = Tuning(steps=2, batch=2)
        >>> state = tuning.init(model, settings)
        >>> step = partial(tuning.step, model.network, settings, Schedule())
        >>> after, seen = jax.eval_shape(step, cells, tuning.Between.of(cells), state)  # or step(…), which computes
        >>> seen.loss.shape, jax.tree.structure(after) == jax.tree.structure(state)
        ((), True)
    """
    key = jax.random.fold_in(jax.random.key(tuning.seed), state.step)
    wanted, noise, example = jax.random.split(key, 3)
    values = between.draw(wanted, tuning.batch)
    keys = jax.random.split(noise, tuning.batch)

    def pulled(weights: Weights) -> tuple[Array, Sampled]:
        fields = jax.vmap(partial(_sampled, network, tuning, schedule, weights))(values, keys)
        pulls, seen = jax.lax.map(
            lambda one: pull(one[0], one[1], tuning.solver_steps), (jax.lax.stop_gradient(fields), values)
        )  # fmt: skip
        return jnp.vdot(pulls, fields) / tuning.batch, jax.tree.map(lambda x: jnp.mean(x, 0), seen)

    gradient, seen = jax.grad(pulled, has_aux=True)(state.weights)
    denoising, other = _training.denoising(
        network, Training(seed=tuning.seed), schedule, examples, state.weights, example
    )
    size = jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradient)))
    share = jnp.minimum(size / _STRONG, 1) / jnp.maximum(size, 1e-12)
    gradient = jax.tree.map(lambda one, two: share * one + two, gradient, other)
    with jax.numpy_dtype_promotion("standard"):  # optax needs it
        change, moments = _optimizer(tuning).update(gradient, state.moments, state.weights)
        weights = optax.apply_updates(state.weights, change)
    average = _training.averaged(state, weights, tuning.average)
    return TrainingState(state.step + 1, weights, average, moments), seen._replace(denoising=denoising)


def validate(model: Model, wanted: Float[Array, "n 4"], tuning: Tuning, seed: int = 0) -> dict[str, float]:
    """Loss, means and median of the plain error, and share of the cells in one part, of a sample for each of some
    conditions; by as many steps of the solver as in tuning.

    Args:
        model: of which samples are made.
        wanted: conditions.
        tuning: steps and scale of the sampler.
        seed: of the noise.
    """
    keys = jax.random.split(jax.random.key(seed), len(wanted))
    seen = _scored(model.network, tuning, model.schedule, model.weights, wanted, keys)
    plain, loose = np.asarray(seen.plain), np.asarray(seen.loose)
    return {
        "loss": float(np.mean(seen.loss)),
        "plain": float(plain.mean()),
        "plain_median": float(np.median(plain)),
        "connected": float((loose == 0).mean()),
    }


@partial(jax.jit, static_argnums=(0, 1, 2))
def _scored(
    network: Network, tuning: Tuning, schedule: Schedule, weights: Weights, wanted: Array, keys: Array
) -> Sampled:
    def one(values: Array, key: Array) -> Sampled:
        return pull(_sampled(network, tuning, schedule, weights, values, key), values, tuning.solver_steps)[1]

    return jax.lax.map(lambda args: one(*args), (wanted, keys))


def pull(
    field: Float[Array, "m m m"], wanted: Float[Array, "4"], solver_steps: int
) -> tuple[Float[Array, "m m m"], Sampled]:
    """The derivative of the loss L by a field, that of the shape; and what was seen."""
    dtype = field.dtype
    constants, share = wanted[:3], wanted[3]
    solid, level = from_field(field, share), jnp.quantile(field, 1 - share)
    whole = largest_part(solid)
    rest = jnp.zeros((2, *(side + 1 for side in field.shape), 3), dtype)
    found, energies, _ = stiffness(whole.astype(dtype), rest, solver_steps)
    aim = jnp.maximum(eigenvalues(constants), _FLOOR)
    now = jnp.maximum(eigenvalues(found), _LEAST * aim)
    off = jnp.log(now / aim)
    root = jnp.sqrt(off**2 + _HUBER**2)
    _, weight, gains = gains_of(field - level, whole, energies, now)
    gains = gains - jnp.tensordot(gains, weight, 3)[:, None, None, None]
    size = jnp.sqrt(jnp.tensordot(gains**2, weight, 3))
    gains = gains / jnp.maximum(size, 1)[:, None, None, None]
    loose = (solid & ~whole).astype(dtype)
    near = 1 / (1 + (off / _FAR) ** 4)
    change = DEVIATION * weight * jnp.tensordot(near * off / root, gains, 1)
    apart = loose.sum() / solid.sum().astype(dtype)
    change = change + jnp.where(apart < _SPECKS, loose / jnp.maximum(loose.sum(), _FEW), 0)
    error = jnp.linalg.norm(found - constants) / jnp.linalg.norm(constants)
    return change, Sampled(jnp.sum(root - _HUBER), error, apart, jnp.zeros((), dtype))


def _sampled(
    network: Network, tuning: Tuning, schedule: Schedule, weights: Weights, values: Array, key: Array
) -> Float[Array, "m m m"]:
    """The field of a sample, as `Smoothed` has it; its derivative by the weights is that of the last steps, cut off."""
    asked = Conditions(values, jnp.ones(4, bool))
    sigma = jnp.asarray(schedule.levels(tuning.levels), values.dtype)
    frozen = _Guided(network, jax.lax.stop_gradient(weights), asked, tuning.scale)
    progress, steps = begun(frozen, symmetric_noise(key, require_cubic("network", network).side, values.dtype), sigma)
    first = tuning.levels - tuning.last
    progress, _ = jax.lax.scan(lambda at, levels: (advanced(frozen, at, levels), None), progress, steps[:first])

    @jax.checkpoint
    def on(progress: Progress, levels: Array) -> tuple[Progress, None]:
        bounded = jax.tree.map(_bounded, progress)
        return advanced(_Guided(network, weights, asked, tuning.scale), bounded, levels), None

    return smoothed(jax.lax.scan(on, progress, steps[first:])[0].x)


class _Guided:
    """`ClassifierFree`, whose estimate without conditions carries no derivative."""

    def __init__(self, network: Network, weights: Weights, asked: Conditions, scale: float):
        self._network, self._weights, self._asked, self._scale = network, weights, asked, scale

    def init(self, x: Array) -> Memory:
        return jnp.zeros_like(x)

    def __call__(self, x: Array, sigma: Array, memory: Memory) -> tuple[Array, Memory]:
        with_ = denoise(self._network, self._weights, x, sigma, memory, self._asked)
        nothing = Conditions(self._asked.values, jnp.zeros_like(self._asked.given))
        still = jax.lax.stop_gradient((self._weights, x, memory))
        without = denoise(self._network, still[0], still[1], sigma, still[2], nothing)
        estimate = without + self._scale * (with_ - without)
        return estimate, estimate


@jax.custom_vjp
def _bounded(x: Array) -> Array:
    """x; the norm of the derivative by it is cut off."""
    return x


def _forth(x: Array) -> tuple[Array, None]:
    return x, None


def _back(_: None, change: Array) -> tuple[Array]:
    return (change * jnp.minimum(1, _NORM / jnp.sqrt(jnp.sum(change**2) + jnp.finfo(change.dtype).tiny)),)


_bounded.defvjp(_forth, _back)


def _optimizer(tuning: Tuning) -> optax.GradientTransformation:
    return optax.adam(partial(_training.rate_at, tuning), b2=0.99)
