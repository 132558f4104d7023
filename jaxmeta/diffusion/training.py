"""Training: a pair of pure functions, `init` and `step`, and the error on cells that are kept back."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from .._numbers import refused
from ._denoiser import Coefficients, denoise
from ._embedding import Conditions
from ._examples import BoxExamples, Examples
from ._model import Model, Weights, apply, new_model
from ._noise import noise_of
from ._schedule import Schedule
from ._settings import BoxNet, Network, Training, Tuning

LEVELS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Noise levels of the validation."""


class TrainingState(NamedTuple):
    """All that the next step follows from.

    Attributes:
        step: steps that led here; all random numbers of a step follow from it and the seed.
        weights: of the network.
        average: of the weights over the last steps, which is what samples are made with.
        moments: of the optimiser.
    """

    step: Array
    weights: Weights
    average: Weights
    moments: Any

    def model(self, network: Network, schedule: Schedule = Schedule(), notes: str = "{}") -> Model:
        """The model of the averaged weights."""
        return Model(network, self.average, schedule, notes)


def init(network: Network, training: Training, start: Weights | None = None) -> TrainingState:
    """The state before the first step.

    Args:
        network: which network.
        training: how it is trained.
        start: weights to go on from; drawn at random by the seed if None.
    """
    drawn = new_model(network, jax.random.key(training.seed)).weights if start is None else start
    weights, average = (jax.tree.map(jnp.copy, drawn) for _ in range(2))  # a step may reuse the memory of each
    return TrainingState(jnp.zeros((), jnp.int32), weights, average, _optimizer(training).init(weights))


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=4)
def step(
    network: Network, training: Training, schedule: Schedule, examples: Examples | BoxExamples, state: TrainingState
) -> tuple[TrainingState, Float[Array, ""]]:
    r"""One step: a batch, its loss and gradient, AdamW, the average.

    The loss is the mean square of what the network gives less what it should,

    .. math:: \mathrm E\, \Big\| F(c_\mathrm{in}(x_0 + \sigma n)) -
        \frac{x_0 - c_\mathrm{skip}(x_0 + \sigma n)}{c_\mathrm{out}} \Big\|^2 ,

    one at every level before anything is learned. Half of the cubic cells are shifted by half a period, which changes
    no stiffness; in half of the steps the network sees an estimate of its own.

    Args:
        network: which network.
        training: how it is trained.
        schedule: the noise levels.
        examples: the cells, or `BoxExamples`.
        state: the state before, whose memory is used anew.

    Returns:
        The state after the step and the loss, a mean over the batch.

    Example:
        >>> from functools import partial
        >>> import jax, numpy as np
        >>> from jaxmeta.diffusion import Examples, Schedule, Training, WedgeNet, training
        >>> octants = np.zeros((2, 8, 8, 8), bool)
        >>> octants[:, :4, :4, :4] = True
        >>> cells = Examples.of(octants, np.full((2, 3), 0.1), octants.mean((1, 2, 3)))
        >>> settings = Training(steps=2, batch=2)
        >>> network = WedgeNet(side=8, block=4, features=(8, 8), depth=(0, 0), embedding=8)
        >>> state = training.init(network, settings)
        >>> step = partial(training.step, network, settings, Schedule())
        >>> after, loss = jax.eval_shape(step, cells, state)  # or step(cells, state), which computes
        >>> loss.shape, jax.tree.structure(after) == jax.tree.structure(state)
        ((), True)
    """
    key = jax.random.fold_in(jax.random.key(training.seed), state.step)
    value, gradient = denoising(network, training, schedule, examples, state.weights, key)
    with jax.numpy_dtype_promotion("standard"):  # optax needs it
        change, moments = _optimizer(training).update(gradient, state.moments, state.weights)
        weights = optax.apply_updates(state.weights, change)
    return TrainingState(state.step + 1, weights, averaged(state, weights, training.average), moments), value


def averaged(state: TrainingState, weights: Weights, share: float) -> Weights:
    """The average with new weights; at the start it is one over few steps."""
    dtype = jax.tree.leaves(weights)[0].dtype
    kept = jnp.minimum(share, (1 + state.step) / (10 + state.step)).astype(dtype)
    return jax.tree.map(lambda mean, new: kept * mean + (1 - kept) * new, state.average, weights)


def denoising(
    network: Network,
    training: Training,
    schedule: Schedule,
    examples: Examples | BoxExamples,
    weights: Weights,
    key: Array,
) -> tuple[Float[Array, ""], Weights]:
    """The loss of `step` and its gradient, of a batch that the key draws."""
    chosen, level, noise, again, dropped, turned = jax.random.split(key, 6)
    dtype, count = examples.values.dtype, training.batch
    numbers = jax.random.randint(chosen, (count,), 0, len(examples.values))
    fields = examples.fields(numbers, _shape(network, examples))
    if not isinstance(network, BoxNet):
        shifted = jax.random.bernoulli(turned, shape=(count, 1, 1, 1))
        fields = jnp.where(shifted, fields[:, ::-1, ::-1, ::-1], fields)
    sigma = schedule.draw(level, count, dtype)
    noises = jax.vmap(lambda key: noise_of(network, key, dtype))(jax.random.split(noise, count))
    asked = Conditions(examples.values[numbers], _shown(dropped, count, training.dropped))
    c = jax.tree.map(lambda x: x[:, None, None, None], Coefficients.at(sigma))
    noisy = fields + sigma[:, None, None, None] * noises
    goal = (fields - c.skip * noisy) / c.out
    code = Coefficients.at(sigma).noise

    def estimate(weights: Weights) -> Array:
        found = jax.vmap(partial(denoise, network, weights))(noisy, sigma, jnp.zeros_like(noisy), asked)
        return jax.lax.stop_gradient(found)

    def loss(weights: Weights) -> Array:
        own = jax.random.bernoulli(again)
        before = jax.lax.cond(own, estimate, lambda _: jnp.zeros_like(noisy), weights)
        given = jax.vmap(partial(apply, network, weights))(c.into * noisy, before, code, asked)
        return jnp.mean((given - goal) ** 2)

    return jax.value_and_grad(loss)(weights)


def _shape(network: Network, examples: Examples | BoxExamples) -> tuple[int, int, int]:
    """Of the fields of a network, which the examples must be for."""
    if isinstance(network, BoxNet) != isinstance(examples, BoxExamples):
        raise refused("examples", f"be for {type(network).__name__}", f"are {type(examples).__name__}")
    return network.shape


def _shown(key: Array, count: int, share: float) -> Array:
    """Which conditions of each cell are shown: all, none, the volume fraction alone, or stiffness alone."""
    place = jax.random.uniform(key, (count,))
    nothing, volume, stiffness = (place < share * (k + 1) for k in range(3))
    shows_stiffness = ~volume
    shows_volume = ~nothing & ~(stiffness & ~volume)
    return jnp.stack([shows_stiffness] * 3 + [shows_volume], axis=1)


def _optimizer(training: Training) -> optax.GradientTransformation:
    adamw = optax.adamw(partial(rate_at, training), b2=0.99, weight_decay=training.decay)
    return optax.chain(optax.clip_by_global_norm(training.clip), adamw)


def rate_at(settings: Training | Tuning, step: Any) -> Array:
    """The rate of a step: it grows over the warm-up, and falls to zero over the last steps."""
    grown = jnp.minimum((step + 1) / settings.warmup, 1)
    left = (settings.steps - step) / max(settings.cooldown * settings.steps, 1)
    return (settings.rate * grown * jnp.clip(left, 0, 1)).astype(jnp.float32)


def validate(
    model: Model, examples: Examples | BoxExamples, count: int = 64, seed: int = 0
) -> Float[np.ndarray, " levels"]:
    """Mean square error of the estimate at each of `LEVELS`, all conditions shown; of data of about unit variance.

    Args:
        model: the model.
        examples: cells or fields that it was not trained on.
        count: of them, the first ones.
        seed: of the noise.
    """
    numbers = jnp.arange(min(count, len(examples.values)))
    return np.asarray(_errors(model, examples, numbers, jax.random.key(seed)))


@jax.jit
def _errors(model: Model, examples: Examples | BoxExamples, numbers: Array, key: Array) -> Array:
    asked = examples.conditions()

    def error(number: Array) -> Array:
        field = examples.fields(number[None], _shape(model.network, examples))[0]
        noise = noise_of(model.network, jax.random.fold_in(key, number), field.dtype)

        def at(sigma: Array) -> Array:
            condition = Conditions(asked.values[number], asked.given[number])
            before = jnp.zeros_like(field)
            found = denoise(model.network, model.weights, field + sigma * noise, sigma, before, condition)
            return jnp.mean((found - field) ** 2)

        return jax.vmap(at)(jnp.asarray(LEVELS, field.dtype))

    return jax.lax.map(error, numbers, batch_size=8).mean(axis=0)
