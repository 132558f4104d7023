"""SIMP and RAMP: ends, slopes, and derivatives with respect to their parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests.arguments import NO_NUMBERS, forms, refuses

LAWS = [jm.SIMP(3.0, 1e-9), jm.SIMP(1.0, 0.0), jm.SIMP(2.5, 0.1), jm.RAMP(3.0, 1e-9), jm.RAMP(0.0, 0.2)]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_ends_and_monotone(law):
    rho = jnp.linspace(0.0, 1.0, 101)
    modulus = law(rho)
    assert modulus[0] == law.void and modulus[-1] == 1
    assert jnp.all(jnp.diff(modulus) > 0)
    np.testing.assert_allclose(modulus, law.void + (1 - law.void) * law.weight(rho), rtol=1e-15)


def test_values():
    assert jnp.isnan(jm.SIMP(2.5, 0.0)(jnp.array(jnp.nan))) and jm.SIMP(2.5, 0.0)(jnp.array(-1e-17)) == 0
    np.testing.assert_allclose(jm.SIMP(3.0, 0.1)(jnp.array([0.5])), [0.1 + 0.9 * 0.125], rtol=1e-15)
    np.testing.assert_allclose(jm.RAMP(3.0, 0.1)(jnp.array([0.5])), [0.1 + 0.9 * 0.2], rtol=1e-15)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_derivatives_are_finite_at_both_ends(law):
    """With respect to density, void and penalty; a design starts with voxels at 0 and 1."""
    rho = jnp.array([0.0, 1.0])
    of_density = jax.vmap(jax.grad(law))(rho)
    assert jnp.all(jnp.isfinite(of_density))
    pulled = jax.grad(lambda p: p(rho).sum())(jax.tree.map(jnp.asarray, law))
    assert all(jnp.isfinite(leaf) for leaf in jax.tree.leaves(pulled))
    np.testing.assert_allclose(pulled.void, 1.0, rtol=1e-15)
    np.testing.assert_allclose(pulled.penalty, 0.0, atol=1e-15)


def second_derivatives(p):
    """Of a modulus by the density, whichever way they are taken, and in a loop."""

    def modulus(x):
        return jm.SIMP(p, 0.0)(x)

    def looped(x):
        return jax.lax.map(lambda y: modulus(y * x), jnp.ones(1))[0]

    twice = [jax.jacfwd(jax.grad(f)) for f in (modulus, looped)]
    return [*twice, jax.grad(jax.grad(modulus)), jax.jacfwd(jax.jacfwd(modulus))]


@jax.jit
def higher_derivatives(p, rho):
    """The second ones, the third ones, and the slope's derivative by the penalty."""
    twice = second_derivatives(p)
    by_penalty = jax.grad(lambda p: jax.grad(jm.SIMP(p, 0.0))(jnp.ones(())))(p)
    return [d(rho) for d in twice], [jax.grad(d)(rho) for d in twice], by_penalty


@pytest.mark.parametrize("penalty", [1.0, 2.0, 3.0])
def test_higher_derivatives_at_the_ends(penalty):
    """In the void, too: p (p − 1) ρᵖ⁻² and p (p − 1) (p − 2) ρᵖ⁻³, in a trace and without."""
    p = penalty
    second, third = p * (p - 1), p * (p - 1) * (p - 2)
    for rho, expected in ((0.0, ((p == 2) * second, (p == 3) * third)), (1.0, (second, third))):
        *found, by_penalty = higher_derivatives(p, rho)
        for derivatives, value in zip(found, expected, strict=True):
            np.testing.assert_allclose(derivatives, value, atol=1e-15)
        assert float(jax.grad(second_derivatives(jnp.asarray(p))[0])(jnp.asarray(rho))) == pytest.approx(
            expected[1], abs=1e-15
        )
        assert float(by_penalty) == pytest.approx(1.0)  # of p ρᵖ⁻¹ at ρ = 1


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_dtype_follows_the_density(dtype):
    for law in LAWS:
        assert law(jnp.ones((2,), dtype)).dtype == dtype


MAKE = {
    "SIMP penalty": lambda x: jm.SIMP(x, 0.1),
    "SIMP void": lambda x: jm.SIMP(3.0, x),
    "RAMP penalty": lambda x: jm.RAMP(x, 0.1),
    "RAMP void": lambda x: jm.RAMP(3.0, x),
}
OUT_OF_RANGE = [
    ("SIMP penalty", -1.0), ("SIMP penalty", 0), ("SIMP penalty", np.array([3.0, -1.0])), ("SIMP void", 2.0),
    ("SIMP void", 1), ("SIMP void", -1e-9), ("RAMP penalty", -0.9), ("RAMP void", 1.0), ("RAMP void", jnp.array(-0.5)),
]  # fmt: skip


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("what", "value"), OUT_OF_RANGE, ids=str)
def test_parameters_out_of_range(what, value):
    refuses(what.split()[1], MAKE[what], value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", [*NO_NUMBERS.values(), None], ids=[*NO_NUMBERS, "none"])
@pytest.mark.parametrize("what", MAKE)
def test_parameters_that_are_no_numbers(what, value):
    refuses(what.split()[1], MAKE[what], value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("form", forms(0.5))
@pytest.mark.parametrize("what", MAKE)
def test_parameters_in_any_form(what, form):
    """They keep their value, and laws of batches can be made."""
    np.testing.assert_array_equal(getattr(MAKE[what](forms(0.5)[form]), what.split()[1]), 0.5)
    made = MAKE[what](np.array([0.25, 0.5], ">f8"))
    mapped = jax.vmap(lambda x: MAKE[what](x)(jnp.array(0.3)))(getattr(made, what.split()[1]))
    np.testing.assert_allclose(mapped[1], MAKE[what](0.5)(jnp.array(0.3)), rtol=1e-15)


def test_traced_parameters_are_not_looked_at():
    assert float(jax.jit(lambda p: jm.SIMP(p, 0.0)(jnp.array(0.5)))(-1.0)) == 2.0
    gradient = jax.grad(lambda law: law(jnp.array(0.5)))(jm.SIMP(3.0, 0.1))
    assert gradient.penalty < 0
    assert jax.tree.map(lambda leaf: None, jm.RAMP(2.0, 0.0)).void is None
