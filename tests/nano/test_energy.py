"""Energies and their derivatives: against plain sums over all pairs, and each other by finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests.arguments import refuses

ZHOU = jm.nano.zhou2004("Al")
CUBE = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
PBC = (True, True, False)


@pytest.fixture(scope="module")
def atoms():
    """Positions, a skewed cell that is thin along its second vector, and occupancies, some of them zero."""
    rng = np.random.default_rng(0)
    sites = CUBE[(CUBE.sum(1) % 2 == 0) & (CUBE[:, 1] < 2)] * 2.025
    cell = np.diag([8.1, 4.05, 8.1]) + np.tril(rng.normal(size=(3, 3)), -1) * 0.3
    occupancy = rng.uniform(0.2, 1, len(sites)) * (np.arange(len(sites)) % 5 > 0)
    return sites + rng.normal(size=sites.shape) * 0.1, cell, occupancy


def plain(positions, cell, occupancy):
    """Energies by sums over all pairs and images."""
    vectors = positions[None] - positions[:, None]
    turns = np.array([[a, b, 0] for a in range(-2, 3) for b in range(-4, 5)]) @ cell
    r = np.linalg.norm(vectors[:, :, None] + turns, axis=-1)
    near = (r > 1e-9) & (r < ZHOU.cutoff)
    distance = jnp.asarray(np.where(near, r, 3.0))
    weight = near * occupancy[None, :, None]
    rho = (weight * np.asarray(ZHOU.density(distance))).sum((1, 2))
    pair = (weight * np.asarray(ZHOU.pair(distance))).sum((1, 2))
    return occupancy * (np.asarray(ZHOU.embedding(jnp.asarray(rho))) + 0.5 * pair)


def slope(function, h=1e-4):
    """By differences of fourth order."""
    return (8 * (function(h) - function(-h)) - (function(2 * h) - function(-2 * h))) / (12 * h)


def test_energies_are_sums_over_pairs(atoms):
    positions, cell, occupancy = atoms
    found = jm.nano.energies(ZHOU, positions, cell, PBC, occupancy)
    np.testing.assert_allclose(found, plain(*atoms), atol=1e-12)
    assert found[0] == 0


def test_forces(atoms):
    positions, cell, occupancy = atoms
    field = np.random.default_rng(1).normal(size=positions.shape)
    expected = slope(lambda t: jm.nano.energy(ZHOU, positions + t * field, cell, PBC, occupancy))
    found = jm.nano.forces(ZHOU, positions, cell, PBC, occupancy)
    assert -(found * field).sum() == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(found.sum(0), 0, atol=1e-12)


def test_stress(atoms):
    positions, cell, occupancy = atoms
    strain = np.array([[0.3, 0.2, -0.5], [0.2, -0.4, 0.1], [-0.5, 0.1, 0.6]])

    def energy(t):
        turned = np.eye(3) + t * strain
        return jm.nano.energy(ZHOU, positions @ turned, cell @ turned, PBC, occupancy)

    voigt = [0.3, -0.4, 0.6, 0.2, -1.0, 0.4]
    found = jm.nano.stress(ZHOU, positions, cell, PBC, occupancy) * abs(np.linalg.det(cell))
    assert found @ voigt == pytest.approx(slope(energy), rel=1e-9)


def test_curvature(atoms):
    positions, cell, occupancy = atoms
    rng = np.random.default_rng(2)
    field, other = rng.normal(size=(2, *positions.shape))
    found = jm.nano.hessian_product(ZHOU, positions, field, cell, PBC, occupancy)
    expected = -slope(lambda t: jm.nano.forces(ZHOU, positions + t * field, cell, PBC, occupancy))
    np.testing.assert_allclose(found, expected, atol=1e-8)
    back = jm.nano.hessian_product(ZHOU, positions, other, cell, PBC, occupancy)
    assert (found * other).sum() == pytest.approx((back * field).sum(), rel=1e-12)


def geometry(atoms, occupancy):
    positions, cell, _ = atoms
    table = jm.nano.neighbors(positions, 6.9, cell, PBC)
    return jm.nano.Geometry(table, jnp.zeros((3, len(positions))), jnp.asarray(occupancy))


def test_potential_of_a_site_is_the_slope_by_its_occupancy(atoms):
    def energy(occupancy):
        return jm.nano.site_energies(ZHOU, geometry(atoms, occupancy)).sum()

    found = jm.nano.site_potentials(ZHOU, geometry(atoms, atoms[2]))
    directions = np.eye(len(atoms[2]))[[0, 1, 7]]  # the first site is empty
    for direction, site in zip(directions, (0, 1, 7), strict=True):
        _, expected = jax.jvp(energy, (jnp.asarray(atoms[2]),), (jnp.asarray(direction),))
        assert float(found[site]) == pytest.approx(float(expected), rel=1e-12)


def test_blocks_are_those_of_the_dense_matrix(atoms):
    occupied = (atoms[2] > 0).astype(float)
    there = geometry(atoms, occupied)._replace(table=jm.nano.neighbors(atoms[0], 6.9))
    operator = jm.nano.hessian(ZHOU, there)
    count = len(occupied)
    dense = jax.vmap(operator)(jnp.eye(3 * count).reshape(-1, 3, count)).reshape(3 * count, 3 * count)
    np.testing.assert_allclose(dense, dense.T, atol=1e-12)
    blocks = np.asarray(dense).reshape(3, count, 3, count)
    expected = [np.diagonal(blocks[i, :, j]) for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
    np.testing.assert_allclose(operator.blocks(), expected, atol=1e-12)


def test_a_table_serves_displaced_atoms(atoms):
    """Also beyond the cutoff of the reference positions, as far as it is certified."""
    positions, cell, occupancy = atoms
    displacement = 0.2 * np.random.default_rng(3).uniform(-1, 1, positions.shape)
    moved = geometry(atoms, occupancy)._replace(displacement=jnp.asarray(displacement.T))
    assert bool(moved.table.certified(moved.displacement, ZHOU.cutoff))
    expected = jm.nano.energies(ZHOU, positions + displacement, cell, PBC, occupancy)
    np.testing.assert_allclose(jm.nano.site_energies(ZHOU, moved), expected, atol=1e-12)
    far = moved.displacement.at[0, 3].add(0.9)
    assert not bool(moved.table.certified(far, ZHOU.cutoff))
    assert bool(moved.table.certified(moved.displacement + 100.0, ZHOU.cutoff))


def test_wrong_arguments(unchecked):
    where = CUBE[:4] * 3.0
    refuses("positions", jm.nano.energy, ZHOU, where[:, :2])
    refuses("positions", jm.nano.energy, ZHOU, np.where(where > 5, np.nan, where))
    refuses("positions", jm.nano.energy, ZHOU, np.concatenate([where, where[:1] + 0.1]))
    refuses("positions", jm.nano.energy, ZHOU, where[:1], np.diag([0.5, 9.0, 9.0]), (True, True, True))
    refuses("positions", jm.nano.energy, ZHOU, [["a", "b", "c"]])
    refuses("positions", jax.grad(lambda x: jm.nano.energy(ZHOU, x)), jnp.asarray(where))
    refuses("cell", jm.nano.energy, ZHOU, where, None, (True, False, False))
    refuses("cell", jm.nano.energy, ZHOU, where, np.ones((3, 3)), (True, True, True))
    refuses("cell", jm.nano.stress, ZHOU, where, None)
    refuses("pbc", jm.nano.energy, ZHOU, where, np.eye(3) * 9, (True, True))
    refuses("potential", jm.nano.energy, "Al", where)
    refuses("occupancy", jm.nano.energy, ZHOU, where, None, (False,) * 3, np.ones(3))
    refuses("occupancy", jm.nano.energy, ZHOU, where, None, (False,) * 3, np.full(4, 1.5))
    refuses("element", jm.nano.zhou2004, "Cu")
    refuses("taper", lambda: jm.nano.zhou2004(taper=(6.2, 5.7)))


def test_axes_that_do_not_repeat_need_no_vector():
    where = CUBE[:6] * 2.9
    bare = jm.nano.energy(ZHOU, where, np.diag([0.0, 0.0, 12.0]), (False, False, True))
    assert bare == jm.nano.energy(ZHOU, where, np.diag([50.0, 60.0, 12.0]), (False, False, True))


def test_no_atoms():
    assert jm.nano.energy(ZHOU, np.zeros((0, 3))) == 0
