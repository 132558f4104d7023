"""Constraints on the thickness of members, on walls and bars of known thickness."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from jaxmeta.topology import DensityFilter, FeatureSize, Heaviside
from jaxmeta.topology._features import wall_threshold

PROJECTION = Heaviside(32.0)


def wall(thickness, sides=24, shift=0.0, dtype=jnp.float64):
    """A wall in the middle of a cell; a fraction of a voxel is grey."""
    x = np.arange(sides) + 0.5
    line = np.clip(thickness / 2 + 0.5 - np.abs(x - sides / 2 - shift), 0, 1)
    return jnp.asarray(np.broadcast_to(line[:, None, None], (sides, 4, 4)), dtype)


def bar(diameter, sides=24):
    x = np.arange(sides) + 0.5 - sides / 2
    disk = np.clip(diameter / 2 + 0.5 - np.hypot(x[:, None], x[None, :]), 0, 1)
    return jnp.asarray(np.broadcast_to(disk[:, :, None], (sides, sides, 4)))


@partial(jax.jit, static_argnums=0)
def value(constraint, density):
    filtered = DensityFilter(constraint.radius, constraint.symmetry, constraint.spacing)(density)
    return constraint(filtered, PROJECTION(filtered))


@pytest.mark.parametrize("ratio", [0.5, 0.8, 1.0, 1.5, 2.0])
def test_threshold_is_that_of_a_continuous_wall(ratio):
    # Filtered density by integrating the weights over slabs, and the wall whose level 1/2 is at the wanted thickness.
    plane = lambda t: scipy.integrate.quad(lambda r: max(0.0, 1 - np.hypot(r, t)) * 2 * np.pi * r, 0, 1)[0]  # noqa: E731
    t = np.linspace(0, 1, 201)
    integral = scipy.integrate.cumulative_simpson([plane(value) for value in t], x=t, initial=0)
    integral /= 2 * integral[-1]
    odd = lambda t: np.sign(t) * np.interp(abs(t), t_grid, integral)  # noqa: E731
    t_grid = t
    half = ratio / 2
    width = scipy.optimize.brentq(lambda w: odd(w + half) + odd(w - half) - 0.5 + 1e-12, 0, half + 1)
    expected = 1.0 if ratio == 2 else 2 * odd(width)
    np.testing.assert_allclose(wall_threshold(ratio * 3.0, 3.0), expected, atol=1e-4)


@pytest.mark.parametrize("phase", ["solid", "void"])
@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize(("radius", "size"), [(2.0, 2.0), (3.0, 3.0), (4.0, 4.0), (4.0, 6.0)])
def test_walls(radius, size, shift, phase):
    constraint = FeatureSize(size, radius, phase)
    turn = (lambda x: x) if phase == "solid" else (lambda x: 1 - x)
    for ratio in (0.7, 0.75):
        assert value(constraint, turn(wall(ratio * size, shift=shift))) > 5
    for ratio in (1.3, 1.6, 2.0):
        assert value(constraint, turn(wall(ratio * size, shift=shift))) < 0


@pytest.mark.parametrize("size", [4.0, 6.0])
def test_bars(size):
    constraint = FeatureSize(size, radius=4.0)
    for diameter in (0.85 * size, 0.9 * size):
        thin = bar(diameter)
        assert jnp.max(PROJECTION(DensityFilter(4.0)(thin))) < 0.9 or value(constraint, thin) > 0
    assert value(constraint, bar(1.0 * size if size < 5 else 0.85 * size)) > 0
    for diameter in (1.3 * size, 1.6 * size):
        assert value(constraint, bar(diameter)) < 0


def test_phases_are_told_apart():
    # A thin gap in solid: the solid is thick everywhere, the void is not.
    gap = 1 - wall(3.0)
    assert value(FeatureSize(4.0, 4.0, "solid"), gap) < 0
    assert value(FeatureSize(4.0, 4.0, "void"), gap) > 5


def test_thinner_is_worse_and_more_is_worse():
    constraint = FeatureSize(4.0, 4.0)
    values = [float(value(constraint, wall(thickness))) for thickness in (3.0, 3.5, 4.5)]
    assert values[0] > values[1] > values[2]
    twice = jnp.concatenate([wall(3.0), wall(3.0), wall(8.0)])
    once = jnp.concatenate([wall(3.0), wall(8.0), wall(8.0)])
    np.testing.assert_allclose((value(constraint, twice) + 1) / (value(constraint, once) + 1), 2, rtol=1e-2)


def test_octant_and_cell_agree():
    octant = jax.device_put(np.random.default_rng(0).random((6, 7, 5)))
    cell = octant
    for axis in range(3):
        cell = jnp.concatenate([cell, jnp.flip(cell, axis)], axis)
    for phase in ("solid", "void"):
        of_octant = value(FeatureSize(3.0, 2.5, phase, "mirror", spacing=(1.0, 1.5, 1.0)), octant)
        of_cell = value(FeatureSize(3.0, 2.5, phase, "none", spacing=(1.0, 1.5, 1.0)), cell)
        np.testing.assert_allclose(of_octant, of_cell, rtol=1e-10)


def test_uniform_cells_have_no_members():
    for density in (0.0, 1.0):
        np.testing.assert_allclose(value(FeatureSize(3.0, 3.0), jnp.full((4, 4, 4), density)), -1, atol=1e-9)


@pytest.mark.parametrize("phase", ["solid", "void"])
def test_derivatives(phase):
    constraint, rng = FeatureSize(3.0, 2.5, phase, "mirror"), np.random.default_rng(0)
    x, direction = jax.device_put(rng.uniform(0.2, 0.8, (6, 6, 6))), jax.device_put(rng.normal(size=(6, 6, 6)))
    function = jax.jit(lambda t: value(constraint, x + t * direction))
    slope = jax.jit(jax.grad(function))
    errors = [abs((function(h) - function(-h)) / (2 * h) - slope(0.0)) for h in (2e-4, 1e-4)]
    assert errors[0] < 1e-4 * abs(slope(0.0))
    assert 3.5 < errors[0] / errors[1] < 4.5  # second order
    batch = jax.vmap(function)(jnp.array([0.0, 0.01]))
    np.testing.assert_allclose(batch[1], function(0.01), rtol=1e-12)


def test_float32_agrees():
    constraint = FeatureSize(4.0, 4.0)
    single = value(constraint, wall(3.0, dtype=jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, value(constraint, wall(3.0)), rtol=1e-3)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FeatureSize(2.0, 1.0), r"Argument `radius` must be a finite number above 1, but is 1.0\."),
        (lambda: FeatureSize(9.0, 4.0), r"Argument `size` must be between half and twice `radius`, 4.0, but is 9.0\."),
        (lambda: FeatureSize(4.0, 4.0, decay=0.0), r"Argument `decay` must be above 0, but is 0.0\."),
        (lambda: FeatureSize(4.0, 4.0, tolerance=0.0), r"Argument `tolerance` must be above 0, but is 0.0\."),
        (lambda: wall_threshold(0.0, 2.0), r"Argument `size` must be a finite number above 0, but is 0.0\."),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_shapes_are_checked():
    with pytest.raises(Exception, match="projected"):
        FeatureSize(3.0, 3.0)(jnp.zeros((4, 4, 4)), jnp.zeros((4, 4, 5)))
    with pytest.raises(Exception, match="phase"):
        FeatureSize(3.0, 3.0, "grey")  # pyright: ignore[reportArgumentType]
