"""The density filter: against sums written out, exactness, adjointness, derivatives, octants."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.topology._filter import DensityFilter

DTYPES = (jnp.float32, jnp.float64)
ROUNDING = {jnp.float32: 3e-6, jnp.float64: 1e-13}


def jitted(*given, **options):
    """A filter that compiles as a whole."""
    return jax.jit(DensityFilter(*given, **options))


def random_density(shape, dtype=jnp.float64, seed=0):
    return jnp.asarray(np.random.default_rng(seed).random(shape), dtype)


def written_out(density, radius, spacing):
    """The definition: a sum over all voxels and all periodic images within the radius."""
    edges = np.asarray(spacing) / min(spacing)
    reach = [int(radius / edge) + 1 for edge in edges]
    total, weights = np.zeros_like(density), 0.0
    for offset in itertools.product(*(range(-r, r + 1) for r in reach)):
        weight = max(0.0, radius - np.linalg.norm(np.array(offset) * edges))
        total += weight * np.roll(density, offset, (0, 1, 2))
        weights += weight
    return total / weights


def unfold(octant):
    for axis in range(3):
        octant = np.concatenate([octant, np.flip(octant, axis)], axis)
    return octant


CASES = [
    ((6, 6, 6), 1.5, (1.0, 1.0, 1.0)),
    ((6, 5, 8), 2.0, (1.0, 1.0, 1.0)),
    ((7, 4, 6), 2.7, (1.0, 2.0, 1.5)),
    ((4, 3, 5), 8.0, (0.5, 0.5, 0.5)),  # larger than the cell
    ((1, 2, 9), 3.0, (1.0, 1.0, 1.0)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "radius", "spacing"), CASES)
def test_definition_on_the_cell(shape, radius, spacing, dtype):
    density = random_density(shape, dtype)
    filtered = jitted(radius, spacing=spacing)(density)
    assert filtered.dtype == dtype
    np.testing.assert_allclose(filtered, written_out(np.asarray(density, float), radius, spacing), atol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "radius", "spacing"), CASES)
def test_definition_on_the_octant(shape, radius, spacing, dtype):
    density = random_density(shape, dtype)
    filtered = jitted(radius, "mirror", spacing)(density)
    cell = written_out(unfold(np.asarray(density, float)), radius, spacing)
    np.testing.assert_allclose(filtered, cell[: shape[0], : shape[1], : shape[2]], atol=ROUNDING[dtype])


def test_cubic_octant_keeps_its_permutations():
    density = random_density((5, 5, 5))
    density = sum(jnp.transpose(density, axes) for axes in itertools.permutations(range(3))) / 6
    filtered = DensityFilter(2.5, "cubic")(density)
    np.testing.assert_array_equal(filtered, DensityFilter(2.5, "mirror")(density))
    for axes in itertools.permutations(range(3)):
        np.testing.assert_allclose(jnp.transpose(filtered, axes), filtered, atol=1e-14)


@pytest.mark.parametrize("radius", [0, 0.5, 1, 1.0])
def test_small_radius_is_the_identity(radius):
    density = random_density((3, 4, 5))
    np.testing.assert_array_equal(DensityFilter(radius, spacing=(2.0, 1.0, 1.0))(density), density)


@pytest.mark.parametrize("symmetry", ["none", "mirror"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_never_leaves_the_range(symmetry, dtype):
    sieve = jitted(1.6, symmetry)
    for seed in range(5):
        binary = (random_density((16, 16, 16), seed=seed) < 0.1 + 0.2 * seed).astype(dtype)
        filtered = sieve(binary)
        assert jnp.min(filtered) >= 0 and jnp.max(filtered) <= 1
    # Blocks have zeros and ones inside, where rounding would show.
    block = jnp.zeros((16, 16, 16), dtype).at[:8].set(1)
    filtered = sieve(block)
    assert 0 <= jnp.min(filtered) <= ROUNDING[dtype] and 1 - ROUNDING[dtype] <= jnp.max(filtered) <= 1
    np.testing.assert_array_equal(sieve(jnp.full((4, 4, 4), 0.3, dtype)), jnp.full((4, 4, 4), 0.3, dtype))


@pytest.mark.parametrize("symmetry", ["none", "mirror"])
def test_self_adjoint_and_volume_preserving(symmetry):
    sieve = jitted(2.3, symmetry, (1.0, 1.5, 1.0))
    x, y = random_density((6, 7, 4)), random_density((6, 7, 4), seed=1)
    np.testing.assert_allclose(jnp.vdot(sieve(x), y), jnp.vdot(x, sieve(y)), rtol=1e-13)
    np.testing.assert_allclose(jnp.mean(sieve(x)), jnp.mean(x), rtol=1e-13)


@pytest.mark.parametrize("symmetry", ["none", "mirror"])
def test_derivatives(symmetry):
    sieve = jitted(2.3, symmetry)
    # Zeros and ones, so that the range is enforced where derivatives are taken.
    x = (random_density((6, 5, 4)) < 0.5).astype(float)
    v, w = random_density(x.shape, seed=1), random_density(x.shape, seed=2) - 0.5
    out, tangent = jax.jit(lambda x, w: jax.jvp(sieve, (x,), (w,)))(x, w)
    cotangent = jax.jit(lambda x, v: jax.vjp(sieve, x)[1](v)[0])(x, v)
    expected = written_out(np.asarray(w), 2.3, (1, 1, 1)) if symmetry == "none" else None
    if symmetry == "mirror":
        expected = written_out(unfold(np.asarray(w)), 2.3, (1, 1, 1))[:6, :5, :4]
    np.testing.assert_allclose(tangent, expected, atol=1e-14)
    np.testing.assert_allclose(jnp.vdot(cotangent, w), jnp.vdot(v, tangent), rtol=1e-12)
    # Second derivative of Σ v (Fx)³ along w and u: 6 Σ v Fx Fw Fu.
    cube = lambda x: jnp.sum(v * sieve(x) ** 3)  # noqa: E731
    hessian_w = jax.jit(lambda x, w: jax.jvp(jax.grad(cube), (x,), (w,))[1])(x, w)
    np.testing.assert_allclose(jnp.vdot(hessian_w, v), 6 * jnp.sum(v * out * tangent * sieve(v)), rtol=1e-12)


def test_jit_and_vmap():
    sieve = DensityFilter(2.0, "mirror")
    batch = random_density((3, 4, 5, 6))
    mapped = jax.jit(jax.vmap(sieve))(batch)
    for one, many in zip(batch, mapped, strict=True):
        np.testing.assert_allclose(many, sieve(one), atol=1e-14)
    gradient = jax.jit(jax.vmap(jax.grad(lambda x: jnp.sum(sieve(x) ** 2))))(batch)
    np.testing.assert_allclose(gradient[1], 2 * sieve(sieve(batch[1])), atol=1e-13)


def test_cone_of_a_point():
    filtered = DensityFilter(3.0)(jnp.zeros((9, 9, 9)).at[4, 4, 4].set(1.0))
    line = filtered[:, 4, 4] / filtered[4, 4, 4]
    np.testing.assert_allclose(line[1:8], [0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3, 0], atol=1e-13)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (functools.partial(DensityFilter, -1.0), r"Argument `radius` must be a finite number of at least 0, but is -1"),
        (functools.partial(DensityFilter, float("inf")), r"Argument `radius` must be a finite number .* but is inf"),
        (lambda: DensityFilter(2.0, "cubic", (1.0, 2.0, 1.0)), r"Argument `spacing` must have equal edges"),
        (lambda: DensityFilter(2.0, spacing=(1.0, 0.0, 1.0)), r"Argument `spacing` must be three positive lengths"),
        (lambda: DensityFilter(2.0)(jnp.zeros((4, 4))), r"must have shape \(nx, ny, nz\), but has shape \(4, 4\)"),
        (lambda: DensityFilter(2.0)(jnp.zeros((4, 4, 4), int)), r"floating-point dtype, but has dtype int"),
        (lambda: DensityFilter(2.0, "cubic")(jnp.zeros((4, 4, 5))), r"must have equal sides"),
    ],
)
def test_refusals(build, message):
    # Type checks of the test run may refuse the same arguments first.
    with pytest.raises((ValueError, TypeError)) as caught:
        build()
    if isinstance(caught.value, ValueError):
        caught.match(message)


def test_unknown_symmetry_is_refused():
    with pytest.raises(Exception, match="symmetry"):
        DensityFilter(2.0, "octahedral")  # pyright: ignore[reportArgumentType]
