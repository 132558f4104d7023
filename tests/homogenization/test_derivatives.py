"""First and second derivatives of C with respect to density and to every parameter, against finite differences.

One pytree holds all that C depends on. A random linear functional of C is differentiated; its derivative along a
direction is compared with the fourth-order central difference (8 (f₁ − f₋₁) − (f₂ − f₋₂))/12h, at the best of several
steps, for each leaf alone.
"""

from dataclasses import dataclass
from functools import cache, partial
from unittest.mock import Mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.homogenization import _in_turn
from tests.homogenization.problems import EXACT
from tests.homogenization.test_symmetry import cubic_octant
from tests.programs import loops

STEPS = (3e-2, 1e-2, 3e-3)
OPTIONS = {"residual": EXACT, "throw": False, "preconditioner": "fft"}
WEIGHTS = jnp.asarray(np.random.default_rng(0).normal(size=(6, 6)))


@dataclass(frozen=True)
class Setting:
    """A symmetry, with void or a second solid."""

    symmetry: str
    background: bool = False


SETTINGS = {
    "none": Setting("none"),
    "mirror": Setting("mirror"),
    "cubic": Setting("cubic"),
    "background": Setting("none", background=True),
}
LEAVES = {
    "none": ["density", "young", "poisson", "void", "penalty", "spacing"],
    "mirror": ["density", "young", "poisson", "void", "penalty", "spacing"],
    "cubic": ["density", "young", "poisson", "void", "penalty"],
    "background": ["density", "young", "poisson", "penalty", "spacing", "young_background", "poisson_background"],
}
ENTRIES = [(name, leaf, 0) for name in SETTINGS for leaf in LEAVES[name]] + [(name, "density", 1) for name in SETTINGS]
"""A seed for each direction; that of a single number is its unit, whatever the seed."""


def point(name):
    """Densities away from 0 and 1, and every parameter away from a special value."""
    rng = np.random.default_rng(1)
    density = cubic_octant(4, 2) if name == "cubic" else rng.uniform(size=(4, 4, 4))
    values = {
        "density": 0.2 + 0.6 * density,
        "young": 1.7,
        "poisson": 0.3,
        "void": 0.05,
        "penalty": 2.6,
        "spacing": [1.0, 0.7, 1.4],
        "young_background": 0.2,
        "poisson_background": 0.1,
    }
    return {leaf: jnp.asarray(values[leaf], jnp.float64) for leaf in LEAVES[name]}


def direction(name, leaf, seed=0):
    """Random in one leaf, zero in the others; of the symmetry of a cubic cell."""
    rng = np.random.default_rng(seed + 10)
    zero = jax.tree.map(jnp.zeros_like, point(name))
    if leaf == "density" and name == "cubic":
        change = 2 * cubic_octant(4, seed + 10) - 1
    else:
        change = rng.uniform(0.5, 1.0, zero[leaf].shape) * rng.choice([-1.0, 1.0], zero[leaf].shape)
    return zero | {leaf: jnp.asarray(0.3 * change, jnp.float64)}


def functional(name, values, weights=WEIGHTS):
    """w : C."""
    h = jm.homogenize(
        values["density"],
        jm.Isotropic(values["young"], values["poisson"]),
        interpolation=jm.SIMP(values["penalty"], values.get("void", 1e-9)),
        spacing=values.get("spacing", jnp.ones(3)),
        symmetry=SETTINGS[name].symmetry,
        background=jm.Isotropic(values["young_background"], values["poisson_background"])
        if SETTINGS[name].background
        else None,
        **OPTIONS,
    )
    return jnp.sum(weights * h.stiffness)


@cache
def compiled(name):
    """The functional and its gradient; functions of (values, weights)."""
    return jax.jit(jax.value_and_grad(partial(functional, name)))


def value(name, values):
    return compiled(name)(values, WEIGHTS)[0]


def gradient(name, values):
    return compiled(name)(values, WEIGHTS)[1]


def along(tree, change):
    return sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(change), strict=True))


def moved(values, change, step):
    return jax.tree.map(lambda v, d: v + step * d, values, change)


def difference(function, values, change, step):
    """Fourth-order central difference of a tree-valued function."""
    f = {k: function(moved(values, change, k * step)) for k in (-2, -1, 1, 2)}
    return jax.tree.map(lambda a, b, c, d: (8 * (c - b) - (d - a)) / (12 * step), f[-2], f[-1], f[1], f[2])


@pytest.mark.parametrize(("name", "leaf", "seed"), ENTRIES)
def test_gradient(name, leaf, seed):
    """To 1e-8 of the size of the derivative, at one step of the sweep at least."""
    values, change = point(name), direction(name, leaf, seed)
    exact = along(gradient(name, values), change)
    errors = [abs(difference(partial(value, name), values, change, h) - exact) / abs(exact) for h in STEPS]
    assert min(errors) <= 1e-8, errors


def test_differences_are_of_fourth_order():
    """The error of the quotient falls as the fourth power of the step: the derivative is its limit."""
    values, change = point("none"), direction("none", "density")
    exact = along(gradient("none", values), change)
    steps = np.array([0.2, 0.1, 0.05])
    errors = [abs(float(difference(partial(value, "none"), values, change, h) - exact)) for h in steps]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert 3.7 < slope < 4.3


@pytest.mark.parametrize("row", range(3))
def test_every_entry_by_its_formula(row):
    """dC_ij/ds_e of the oracle, s the modulus scale of a voxel, for three rows of C."""
    from tests import reference

    values = point("none")
    scale = np.asarray(0.05 + 0.95 * values["density"] ** 2.6)
    spacing = tuple(np.asarray(values["spacing"]).tolist())
    whole = reference.homogenize(scale, reference.isotropic_young(1.7, 0.3), spacing=spacing)
    slope = np.asarray(0.95 * 2.6 * values["density"] ** 1.6)
    for column in range(row, 6):
        weights = jnp.zeros((6, 6)).at[row, column].set(1.0)
        expected = whole.energy[..., row, column] / scale * slope
        actual = compiled("none")(values, weights)[1]["density"]
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-11)


# --- second derivatives ----------------------------------------------------------------------------------------------


def _forward_over_reverse(function, values, change):
    return jax.jvp(jax.grad(function), (values,), (change,))[1]


def _reverse_over_reverse(function, values, change):
    return jax.grad(lambda v: along(jax.grad(function)(v), change))(values)


def _forward_over_forward(function, values, change):
    """One number: the second derivative along `change` and the gradient's own direction `other`."""
    inner = lambda v: jax.jvp(function, (v,), (change,))[1]  # noqa: E731
    return jax.jvp(inner, (values,), (change,))[1]


MODES = {"forward_over_reverse": _forward_over_reverse, "reverse_over_reverse": _reverse_over_reverse}


@cache
def hessian_product(name, mode):
    return jax.jit(lambda values, change: MODES[mode](partial(functional, name), values, change))


def second_difference(name, change):
    """The Hessian times `change`, by differences of the gradient."""
    return difference(partial(gradient, name), point(name), change, 1e-2)


def mixed(name, seed=0):
    """A random direction in all leaves at once."""
    parts = [direction(name, leaf, seed) for leaf in LEAVES[name]]
    return jax.tree.map(lambda *leaves: 0.3 * sum(leaves[1:], leaves[0]), *parts)


@pytest.mark.parametrize("name", ["cubic", "background"])
def test_hessian_products(name):
    """Every leaf of H v to 1e-6, v random in all leaves."""
    _hessian_products(name, "forward_over_reverse")


def _hessian_products(name, mode):
    change = mixed(name)
    expected = second_difference(name, change)
    actual = hessian_product(name, mode)(point(name), change)
    for leaf in LEAVES[name]:
        scale = np.abs(expected[leaf]).max()
        np.testing.assert_allclose(actual[leaf], expected[leaf], rtol=0, atol=1e-6 * scale, err_msg=leaf)


@pytest.mark.slow
def test_reverse_over_reverse_and_forward_over_forward():
    """The latter is vᵀ H v without any transpose."""
    _hessian_products("none", "reverse_over_reverse")
    change = mixed("none")
    expected = along(second_difference("none", change), change)
    actual = jax.jit(partial(_forward_over_forward, partial(functional, "none")))(point("none"), change)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_hessian_is_symmetric():
    """vᵀ H w = wᵀ H v; that of a frozen fluctuation is symmetric as well, which `test_hessian_products` tells apart."""
    product, values = hessian_product("background", "forward_over_reverse"), point("background")
    one, two = mixed("background", 0), mixed("background", 5)
    np.testing.assert_allclose(along(product(values, one), two), along(product(values, two), one), rtol=1e-9)


# --- transformations -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preconditioner", ["multigrid", "fft"])
def test_a_first_derivative_needs_no_further_solve(preconditioner):
    """The CG loops in a program: as many with the gradient as without, one more in each second derivative."""
    base = partial(functional, "none")

    def function(values):
        before = OPTIONS["preconditioner"]
        OPTIONS["preconditioner"] = preconditioner
        try:
            return base(values)
        finally:
            OPTIONS["preconditioner"] = before

    values, change = point("none"), mixed("none")
    assert loops(function, values) == 1
    assert loops(jax.value_and_grad(function), values) == 1
    assert loops(lambda v, d: jax.jvp(function, (v,), (d,)), values, change) == 1
    assert loops(partial(_forward_over_reverse, function), values, change) > 1


@pytest.mark.parametrize(
    ("side", "together", "second"),
    [(4, True, False), (6, False, False), pytest.param(6, False, True, marks=pytest.mark.slow)],
)
def test_batches_of_densities(side, together, second, monkeypatch):
    """vmap of the value and the gradient, or of a second derivative, are those of each cell alone."""
    if not together:  # the grids of this test are too small for a CPU to solve them in turn
        monkeypatch.setattr(_in_turn, "TOGETHER", 0)
    in_turn = Mock(wraps=jax.custom_batching.sequential_vmap)
    monkeypatch.setattr(jax.custom_batching, "sequential_vmap", in_turn)
    values = point("cubic")
    densities = jnp.stack([jnp.asarray(0.2 + 0.6 * cubic_octant(side, seed)) for seed in (3, 4, 5)])

    def one(density):
        function = lambda rho: functional("cubic", values | {"density": rho})  # noqa: E731
        if not second:
            return jax.value_and_grad(function)(density)
        return jax.jvp(jax.value_and_grad(function), (density,), (densities[0],))[1]

    batch = jax.jit(jax.vmap(one))(densities)
    assert in_turn.called != together
    alone = [jax.jit(one)(density) for density in densities]
    for together_, apart in zip(batch, map(jnp.stack, zip(*alone, strict=True)), strict=True):
        np.testing.assert_allclose(together_, apart, rtol=0, atol=1e-9 * jnp.abs(apart).max())


def test_cubic_gradient_is_cubic():
    """The octant is averaged over the permutations inside, so its gradient has their symmetry."""
    slope = gradient("cubic", point("cubic"))["density"]
    for order in [(1, 0, 2), (0, 2, 1), (1, 2, 0)]:
        np.testing.assert_allclose(slope, slope.transpose(order), rtol=0, atol=1e-14)


def test_gradient_of_an_eager_call():
    """jax.grad without jit, of density alone, with the defaults of the call."""
    values = point("none")
    slope = jax.grad(lambda density: functional("none", values | {"density": density}))(values["density"])
    np.testing.assert_allclose(slope, gradient("none", values)["density"], rtol=0, atol=1e-11)


def test_gradient_is_finite_at_the_ends():
    """Densities of zero and one, where ρ³ is flat; the void carries a gradient of its own with penalty one."""
    values = point("none") | {"density": jnp.asarray(np.random.default_rng(0).integers(0, 2, (4, 4, 4)), float)}
    slopes = gradient("none", values)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    linear = gradient("none", values | {"penalty": jnp.ones(())})["density"]
    assert jnp.all(linear[values["density"] == 0] != 0)
