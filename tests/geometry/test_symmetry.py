"""Mirror and cubic symmetry: exact inverses, adjoints, transformations, and detection of small faults."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.geometry import symmetry

DTYPES = [jnp.float32, jnp.float64, jnp.int32, jnp.bool_]


def noise(shape, dtype=np.float64, seed=0):
    return jax.device_put(np.random.default_rng(seed).random(shape) * 3 - 1).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 2, 1)])
def test_unfold_mirrors_every_voxel(shape, dtype):
    octant = noise(shape, dtype)
    cell = np.asarray(symmetry.unfold(octant))
    assert cell.dtype == dtype
    assert cell.shape == tuple(2 * side for side in shape)
    for index in np.ndindex(cell.shape):
        source = tuple(min(i, 2 * side - 1 - i) for i, side in zip(index, shape, strict=True))
        assert cell[index] == np.asarray(octant)[source]


@pytest.mark.parametrize("dtype", DTYPES)
def test_fold_inverts_unfold(dtype):
    octant = noise((3, 4, 5), dtype)
    folded = symmetry.fold(symmetry.unfold(octant))
    assert folded.dtype == dtype
    np.testing.assert_array_equal(folded, octant)


def test_fold_refuses_an_asymmetric_cell_and_says_how_far_off():
    cell = symmetry.unfold(noise((2, 2, 2))).at[3, 0, 0].add(0.25)
    with pytest.raises(ValueError, match=r"Argument `cell` must be mirror-symmetric .* by up to 0\.25;"):
        symmetry.fold(cell)
    np.testing.assert_array_equal(symmetry.fold(cell, tolerance=0.3), cell[:2, :2, :2])
    np.testing.assert_array_equal(jax.jit(symmetry.fold)(cell), cell[:2, :2, :2])


def test_fold_refuses_nan():
    with pytest.raises(ValueError, match="mirror-symmetric"):
        symmetry.fold(jnp.full((2, 2, 2), jnp.nan))


@pytest.mark.parametrize("function", [symmetry.unfold, symmetry.fold, symmetry.detect, symmetry.permute_average])
def test_wrong_rank(function, unchecked):
    with pytest.raises(ValueError, match=r"must have shape \(.*\), but has shape \(4, 4\)\."):
        function(jnp.ones((4, 4)))


def test_wrong_sides(unchecked):
    with pytest.raises(ValueError, match=r"even sides to be folded, but has shape \(2, 3, 2\)"):
        symmetry.fold(jnp.ones((2, 3, 2)))
    with pytest.raises(ValueError, match=r"`octant` must have three equal sides .* \(2, 3, 2\)"):
        symmetry.permute_average(jnp.ones((2, 3, 2)))
    with pytest.raises(ValueError, match="`cell` must have three equal sides"):
        symmetry.symmetrize(jnp.ones((2, 4, 2)), "cubic")
    with pytest.raises(ValueError, match='`symmetry` must be one of "none", "mirror", "cubic", but is "full"'):
        symmetry.symmetrize(jnp.ones((2, 2, 2)), "full")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_permute_average_is_the_projection_on_invariant_fields(dtype):
    field = noise((4, 4, 4), dtype)
    average = symmetry.permute_average(field)
    eps = jnp.finfo(dtype).eps
    original = np.asarray(field)
    assert average.dtype == dtype
    for index in itertools.combinations_with_replacement(range(4), 3):
        images = [original[order] for order in itertools.permutations(index)]
        for order in itertools.permutations(index):
            np.testing.assert_allclose(np.asarray(average)[order], np.mean(images), rtol=0, atol=8 * eps)
    np.testing.assert_allclose(symmetry.permute_average(average), average, rtol=0, atol=8 * eps)


def test_permute_average_of_integers_does_not_truncate():
    field = jnp.zeros((2, 2, 2), jnp.int32).at[1, 0, 0].set(1)
    np.testing.assert_allclose(symmetry.permute_average(field)[0, 0, 1], 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("kind", ["none", "mirror", "cubic"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64, jnp.int32])
def test_symmetrize_gives_what_detect_finds(kind, dtype):
    cell = noise((6, 6, 6), jnp.float64).astype(dtype) if dtype != jnp.int32 else noise((6, 6, 6)).round().astype(dtype)
    result = symmetry.symmetrize(cell, kind)
    assert symmetry.detect(result) == kind
    np.testing.assert_allclose(np.mean(result), np.mean(cell), atol=1e-6)
    again = symmetry.symmetrize(result, kind)
    np.testing.assert_allclose(again, result, atol=1e-6)


@pytest.mark.parametrize("kind", ["mirror", "cubic"])
def test_detect_tolerance(kind):
    cell = symmetry.symmetrize(noise((4, 4, 4)), kind)
    assert symmetry.detect(cell.at[1, 0, 0].add(5e-7)) == kind
    assert symmetry.detect(cell.at[1, 0, 0].add(5e-6)) == "none"
    assert symmetry.detect(cell.at[1, 0, 0].add(5e-6), tolerance=1e-5) == kind


def test_detect_needs_every_mirror_plane_and_every_permutation():
    for axis in range(3):
        octant = jnp.asarray(np.arange(8.0).reshape(2, 2, 2))
        cell = symmetry.unfold(octant)
        half = jax.lax.slice_in_dim(cell, 0, 2, axis=axis)
        assert symmetry.detect(jnp.concatenate([half, half], axis)) == "none"
    # Symmetric under the three cyclic permutations only.
    cyclic = np.zeros((3, 3, 3))
    cyclic[0, 1, 2] = cyclic[1, 2, 0] = cyclic[2, 0, 1] = 1.0
    assert symmetry.detect(symmetry.unfold(cyclic)) == "mirror"
    assert symmetry.detect(symmetry.unfold(np.zeros((2, 2, 3)))) == "mirror"
    assert symmetry.detect(np.zeros((3, 3, 3))) == "none"


def test_detect_refuses_a_traced_cell():
    with pytest.raises(ValueError, match="`cell` must be a concrete array"):
        jax.jit(lambda cell: jnp.zeros(len(symmetry.detect(cell))))(jnp.ones((2, 2, 2)))


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (symmetry.unfold, (2, 3, 4)),
        (symmetry.fold, (4, 2, 6)),
        (symmetry.permute_average, (3, 3, 3)),
        (lambda cell: symmetry.symmetrize(cell, "cubic"), (4, 4, 4)),
    ],
    ids=["unfold", "fold", "permute_average", "symmetrize"],
)
def test_linear_maps_under_transformations(function, shape):
    x, dx = noise(shape), noise(shape, seed=1)
    traced = jax.jit(function)
    # A linear map is its own derivative, and its vjp is the transpose.
    _, tangent = jax.jvp(traced, (x,), (dx,))
    np.testing.assert_allclose(tangent, traced(dx), rtol=1e-14)
    y = noise(tangent.shape, seed=2)
    (pulled,) = jax.vjp(traced, x)[1](y)
    np.testing.assert_allclose(jnp.vdot(pulled, dx), jnp.vdot(y, traced(dx)), rtol=1e-12)
    batch = jnp.stack([x, dx])
    np.testing.assert_allclose(jax.vmap(function)(batch), jnp.stack([traced(x), traced(dx)]), rtol=1e-14)


def test_a_gradient_through_permute_average_is_symmetric():
    weights = noise((4, 4, 4))
    gradient = jax.grad(lambda o: jnp.sum(weights * symmetry.unfold(symmetry.permute_average(o))[:4, :4, :4] ** 2))
    got = gradient(noise((4, 4, 4), seed=3))
    for order in itertools.permutations(range(3)):
        np.testing.assert_allclose(got, np.transpose(got, order), rtol=1e-12, atol=1e-14)
