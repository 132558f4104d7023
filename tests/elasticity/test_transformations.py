"""Every function of a stiffness under `jit`, `vmap`, `jvp`, `grad`, second derivatives and float32."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta import elasticity as el

TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
FUNCTIONS = {
    "to_mandel": el.to_mandel,
    "from_mandel": el.from_mandel,
    "full": lambda c: el.from_full(el.to_full(c)),
    "kelvin_norm": el.kelvin_norm,
    "rotate": lambda c: el.rotate(c, jnp.asarray(TURN, c.dtype)),
    "compliance": el.compliance,
    "directional_young": lambda c: el.directional_young(c, jnp.array([1.0, -2.0, 0.5], c.dtype)),
    "engineering_constants": el.engineering_constants,
    "voigt_average": el.voigt_average,
    "reuss_average": el.reuss_average,
    "hill_average": el.hill_average,
    "zener": el.zener,
    "universal_anisotropy": el.universal_anisotropy,
    "poisson_ratio": el.poisson_ratio,
    "cubic_constants": el.cubic_constants,
    "nearest_cubic": el.nearest_cubic,
    "nearest_isotropic": el.nearest_isotropic,
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def scalar(name):
    """A sum with unequal weights over all outputs, so that no output can hide."""

    def weighted(stiffness):
        flat = jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(FUNCTIONS[name](stiffness))])
        return jnp.sum(flat * jnp.cos(jnp.arange(flat.size, dtype=flat.dtype)))

    return weighted


@every_function
def test_batch_axes_equal_vmap_and_float32_is_kept(name, random_stiffness):
    stiffness = random_stiffness(0, 2, 3)
    batched = jax.jit(FUNCTIONS[name])(jnp.asarray(stiffness))
    mapped = jax.jit(jax.vmap(jax.vmap(FUNCTIONS[name])))(jnp.asarray(stiffness, jnp.float32))
    for left, right in zip(jax.tree.leaves(mapped), jax.tree.leaves(batched), strict=True):
        assert left.dtype == jnp.float32
        assert right.dtype == jnp.float64
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-4)


@functools.partial(jax.jit, static_argnums=0)
def derivatives(name, point, direction):
    """Value and gradient, and the slopes of both along a direction (forward over reverse)."""
    return jax.jvp(jax.value_and_grad(scalar(name)), (point,), (direction,))


@every_function
def test_derivatives_against_finite_differences(name, random_stiffness):
    point = jnp.asarray(random_stiffness(1))
    for direction in jnp.asarray(np.random.default_rng(2).normal(size=(2, 6, 6))):
        (_, gradient), slopes = derivatives(name, point, direction)
        np.testing.assert_allclose(np.sum(gradient * direction), slopes[0], rtol=1e-9, atol=1e-11)

        def errors(step, direction=direction, slopes=slopes):
            up = derivatives(name, point + step * direction, direction)[0]
            down = derivatives(name, point - step * direction, direction)[0]
            return np.array(
                [np.max(np.abs((u - d) / (2 * step) - s)) for u, d, s in zip(up, down, slopes, strict=True)]
            )

        # The error of a central difference falls as the square of the step, down to rounding.
        scale = 1 + np.array([np.max(np.abs(slope)) for slope in slopes])
        coarse, fine, finest = errors(1e-3), errors(1e-4), errors(1e-5)
        assert np.all(fine < 0.02 * coarse + 1e-10 * scale)
        assert np.all(finest < 1e-7 * scale)


@every_function
def test_derivatives_are_finite_at_an_isotropic_point(name):
    results = derivatives(name, el.Isotropic(1.0, 0.3).stiffness, jnp.diag(jnp.arange(6.0)))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(results))


def test_every_public_function_of_a_stiffness_is_in_the_table():
    built_from_moduli = {"isotropic_stiffness", "cubic_stiffness", "to_full", "from_full"}
    on_the_host = {"host_constants"}
    public = {n for n, f in vars(el).items() if callable(f) and not isinstance(f, type) and not n.startswith("_")}
    assert public - built_from_moduli - on_the_host == set(FUNCTIONS) - {"full"}
