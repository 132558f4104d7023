"""One sentence for each bad argument: which, what it must be, and what it is."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests.homogenization.problems import SOLID

CELL = np.full((4, 4, 4), 0.5)


def _with(value, *place):
    out = CELL.copy()
    out[place] = value
    return out


CASES = {
    "nan": (_with(np.nan, 1, 2, 3), {}, r"`density` must be finite, but is nan at voxel \(1, 2, 3\)\."),
    "infinite": (_with(np.inf, 0, 0, 2), {}, r"`density` must be finite, but is inf at voxel \(0, 0, 2\)\."),
    "negative": (_with(-0.1, 0, 0, 0), {}, r"`density` must lie in \[0, 1\], but ranges from -0\.1 to 0\.5\."),
    "above_one": (_with(1.5, 0, 0, 0), {}, r"`density` must lie in \[0, 1\], but ranges from 0\.5 to 1\.5\."),
    "plane": (CELL[0], {}, r"`density` must have shape \(nx, ny, nz\), but has shape \(4, 4\)\."),
    "batch": (CELL[None], {}, r"`density` must have shape \(nx, ny, nz\), but has shape \(1, 4, 4, 4\)\."),
    "empty": (np.ones((4, 0, 4)), {}, r"`density` must have shape \(nx, ny, nz\), but has shape \(4, 0, 4\)\."),
    "half": (CELL.astype(np.float16), {}, r"`density` must be float32 or float64, but is float16\."),
    "complex": (CELL + 0j, {}, r"`density` must be .*, but is complex128\."),
    "not_a_cube": (
        np.ones((4, 4, 2)),
        {"symmetry": "cubic"},
        r"`density` must be a cube for cubic symmetry, but has shape \(4, 4, 2\)\.",
    ),
    "not_cubic": (
        _with(0.6, 0, 1, 2),
        {"symmetry": "cubic"},
        r"`density` must be the same under the six permutations of its axes .*, but is off by 0\.1\.",
    ),
    "symmetry": (
        CELL,
        {"symmetry": "hexagonal"},
        r'`symmetry` must be "none", "mirror" or "cubic", but is \'hexagonal\'',
    ),
    "preconditioner": (
        CELL,
        {"preconditioner": "lu"},
        r'`preconditioner` must be "multigrid", "fft" or None, but is \'lu\'',
    ),
    "spacing_zero": (
        CELL,
        {"spacing": (1.0, 0.0, 1.0)},
        r"`spacing` must be three positive lengths, but is \(1\.0, 0\.0, 1\.0\)",
    ),
    "spacing_negative": (CELL, {"spacing": (1.0, 1.0, -2.0)}, r"`spacing` must be three positive lengths"),
    "spacing_nan": (CELL, {"spacing": (1.0, np.nan, 1.0)}, r"`spacing` must be three positive lengths"),
    "spacing_two": (CELL, {"spacing": (1.0, 1.0)}, r"`spacing` must be three voxel edges, but has shape \(2,\)\."),
    "spacing_one": (CELL, {"spacing": 1.0}, r"`spacing` must be three voxel edges, but has shape \(\)\."),
    "spacing_matrix": (
        CELL,
        {"spacing": jnp.ones((3, 3))},
        r"`spacing` must be three voxel edges, but has shape \(3, 3\)\.",
    ),
    "spacing_cubic": (
        CELL,
        {"symmetry": "cubic", "spacing": (1.0, 1.0, 1.1)},
        r"`spacing` must be three equal lengths for cubic symmetry, but is \(1\.0, 1\.0, 1\.1\)\.",
    ),
    "start_shape": (
        CELL,
        {"start": jnp.zeros((6, 4, 4, 4))},
        r"`start` must have shape \(6, 4, 4, 4, 3\), but has shape \(6, 4, 4, 4\)\.",
    ),
    "start_loads": (
        CELL,
        {"symmetry": "cubic", "start": jnp.zeros((6, 5, 5, 5, 3))},
        r"`start` must have shape \(2, 5, 5, 5, 3\), but has shape \(6, 5, 5, 5, 3\)\.",
    ),
    "start_octant": (
        CELL,
        {"symmetry": "mirror", "start": jnp.zeros((6, 4, 4, 4, 3))},
        r"`start` must have shape \(6, 5, 5, 5, 3\), but has shape \(6, 4, 4, 4, 3\)\.",
    ),
    "tolerance_zero": (CELL, {"tolerance": 0.0}, r"`tolerance` must be positive, but is 0\.0\."),
    "tolerance_negative": (CELL, {"tolerance": -1e-3}, r"`tolerance` must be positive, but is -0\.001\."),
    "tolerance_nan": (CELL, {"tolerance": np.nan}, r"`tolerance` must be positive, but is nan\."),
    "residual": (CELL, {"residual": 0.0}, r"`residual` must be positive, but is 0\.0\."),
    "steps": (CELL, {"steps": -1}, r"`steps` must not be negative, but is -1\."),
    "max_steps": (CELL, {"max_steps": -1}, r"`max_steps` must .*, but is -1\."),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("case", CASES)
def test_bad_arguments(case):
    density, options, message = CASES[case]
    with pytest.raises(ValueError, match=message) as error:
        jm.homogenize(jnp.asarray(density), SOLID, **options)
    text = str(error.value)
    assert text.startswith("Argument `") and text.endswith(".") and "\n" not in text


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("density", [-1e-7, 1 + 1e-7])
def test_rounding_is_not_an_error(density):
    """What is outside [0, 1] by rounding is taken as its end."""
    h = jm.homogenize(jnp.full((4, 4, 4), density), SOLID, interpolation=jm.SIMP(3.0, 1e-9))
    inside = jm.homogenize(jnp.full((4, 4, 4), round(density)).astype(float), SOLID)
    np.testing.assert_array_equal(h.stiffness, inside.stiffness)


@pytest.mark.parametrize("kind", [bool, np.int32, np.uint8])
def test_whole_numbers_are_densities(kind):
    """Zeros and ones of any integer kind, as a binary file holds them."""
    h = jm.homogenize(jnp.asarray(np.ones((4, 4, 4), kind)), SOLID)
    np.testing.assert_allclose(h.stiffness, SOLID.stiffness, rtol=1e-13)
