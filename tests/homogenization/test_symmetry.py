"""Octants against whole cells, and what moving a cell does to its stiffness."""

from functools import cache
from itertools import permutations

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests import example_cells as cells
from tests import reference
from tests.homogenization.problems import BASE, BRICK, CUBE, EXACT, exact, homogenize, modulus, random_field

PRECONDITIONERS = ["multigrid", "fft"]
MIRROR = [cell.name for cell in cells.select(mirror=True) if cell.name != "uniform"]
VOIDS = [1e-1, 1e-9, 0.0]
SYMMETRIES = ["mirror", "cubic"]


def unfolded(octant):
    """The whole cell of an octant."""
    for axis in range(3):
        octant = np.concatenate([octant, np.flip(octant, axis)], axis)
    return octant


def cubic_octant(n, seed):
    """Independent densities, the same under all permutations of the axes."""
    octant = random_field((n, n, n), seed)
    return sum(octant.transpose(p) for p in permutations(range(3))) / 6


def _octant(name, n):
    return cells.CELLS[name](2 * n)[:n, :n, :n]


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize("void", VOIDS)
@pytest.mark.parametrize("name", MIRROR)
def test_octants_of_8(name, void, symmetry):
    """Octants of 4³ against the oracle on the whole cell; the preconditioners in turn."""
    number = MIRROR.index(name) + VOIDS.index(void) + SYMMETRIES.index(symmetry)
    preconditioner = PRECONDITIONERS[number % 2]
    h = homogenize(_octant(name, 4), void, symmetry=symmetry, preconditioner=preconditioner, residual=EXACT)
    assert h.result == 0
    np.testing.assert_allclose(h.stiffness, exact(name, 8, void), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "void"), [("p_surface", 1e-9), ("truss", 0.0)])
def test_octants_of_16(name, void):
    """Octants of 8³, where multigrid has two levels, against the whole cell."""
    whole = homogenize(cells.CELLS[name](16), void, residual=EXACT)
    for symmetry in ("mirror", "cubic"):
        h = homogenize(_octant(name, 8), void, symmetry=symmetry, residual=EXACT)
        assert h.result == whole.result == 0
        np.testing.assert_allclose(h.stiffness, whole.stiffness, rtol=0, atol=1e-10)


@pytest.mark.parametrize("symmetry", ["mirror", "cubic"])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_octants(seed, symmetry):
    octant = cubic_octant(4, seed) if symmetry == "cubic" else random_field((4, 4, 4), seed)
    h = homogenize(octant, 1e-9, symmetry=symmetry, preconditioner="fft", residual=EXACT)
    expected = reference.homogenize(modulus(unfolded(octant), 1e-9), BASE).stiffness
    assert h.result == 0
    np.testing.assert_allclose(h.stiffness, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("spacing", [CUBE, BRICK])
def test_mirror_octant_of_unequal_sides(spacing):
    octant = random_field((3, 4, 2), 0)
    h = homogenize(octant, 1e-6, symmetry="mirror", spacing=spacing, residual=EXACT)
    expected = reference.homogenize(modulus(unfolded(octant), 1e-6), BASE, spacing=spacing).stiffness
    assert h.result == 0
    np.testing.assert_allclose(h.stiffness, expected, rtol=0, atol=1e-10)


def test_couplings_that_symmetry_forbids_are_zero():
    for symmetry in ("mirror", "cubic"):
        c = np.array(homogenize(_octant("truss", 4), 0.0, symmetry=symmetry, preconditioner="fft", residual=EXACT)[0])
        c[:3, :3] = 0
        assert not np.any(c - np.diag(np.diag(c)))


# --- moving the cell -------------------------------------------------------------------------------------------------

MOVED = ["random_grey", "noise_grey", "gyroid", "bridge"]
VOID = 1e-3


def _c(field, spacing=BRICK):
    h = homogenize(field, VOID, residual=EXACT, preconditioner="fft", spacing=spacing)
    assert h.result == 0
    return np.asarray(h.stiffness)


@cache
def _at_rest(name, spacing=BRICK):
    """C of the cell as it is."""
    return jnp.asarray(_c(cells.CELLS[name](8), spacing))


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:], ids=str)
@pytest.mark.parametrize("name", MOVED)
def test_permuted_axes(name, order):
    """Axes exchanged, edges with them: C'_ijkl = C_abcd with the indices renamed."""
    field = cells.CELLS[name](8)
    actual = _c(field.transpose(order), tuple(BRICK[a] for a in order))
    turn = np.eye(3)[list(order)]  # the old axis `order[i]` is the new axis i
    np.testing.assert_allclose(actual, jm.elasticity.rotate(_at_rest(name), turn), rtol=0, atol=1e-12)


@pytest.mark.parametrize("plane", [(0, 1), (1, 2), (2, 0)], ids=str)
@pytest.mark.parametrize("name", MOVED)
def test_quarter_turns(name, plane):
    """np.rot90 takes a voxel along axis `first` to axis `second`."""
    field = cells.CELLS[name](8)
    first, second = plane
    turn = np.zeros((3, 3))
    turn[second, first], turn[first, second], turn[3 - first - second, 3 - first - second] = 1, -1, 1
    actual = _c(np.rot90(field, axes=plane), CUBE)
    np.testing.assert_allclose(actual, jm.elasticity.rotate(_at_rest(name, CUBE), turn), rtol=0, atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", MOVED)
def test_mirrored(name, axis):
    field = cells.CELLS[name](8)
    mirror = np.eye(3)
    mirror[axis, axis] = -1
    actual = _c(np.flip(field, axis))
    np.testing.assert_allclose(actual, jm.elasticity.rotate(_at_rest(name), mirror), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", MOVED)
def test_turned_inside_out(name):
    np.testing.assert_allclose(_c(cells.CELLS[name](8)[::-1, ::-1, ::-1]), _at_rest(name), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shift", [(1, 0, 0), (3, 5, 2)], ids=str)
@pytest.mark.parametrize("preconditioner", PRECONDITIONERS)
@pytest.mark.parametrize("name", MOVED)
def test_translated(name, preconditioner, shift):
    field = cells.CELLS[name](8)
    h = homogenize(np.roll(field, shift, (0, 1, 2)), VOID, residual=EXACT, spacing=BRICK, preconditioner=preconditioner)
    assert h.result == 0
    np.testing.assert_allclose(h.stiffness, _at_rest(name), rtol=0, atol=1e-12)


def test_a_cell_and_its_repetition_are_one():
    """Two periods of a 4³ cell in an 8³ one, 2 × 2 × 2 times."""
    field = random_field((4, 4, 4), 8)
    expected = reference.homogenize(modulus(field, VOID), BASE, spacing=BRICK).stiffness
    np.testing.assert_allclose(_c(np.tile(field, (2, 2, 2))), expected, rtol=0, atol=1e-12)
