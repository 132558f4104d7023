"""Structures of cells: against the block solver, exact bars, refinement, energies, distortion and its gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.elasticity import cubic_stiffness
from jaxmeta.multiscale import Structure, distortion


def pulled(cells, elements=1, faces=("free", "free", "free"), loads=1):
    """Held at x = 0, pulled along each axis in turn at the other end."""
    nodes = tuple(elements * n + 1 for n in cells)
    held = np.zeros((*nodes, 3), bool)
    held[0] = True
    force = np.zeros((loads, *nodes, 3))
    for load in range(loads):
        force[load, -1, ..., load] = 1.0
    return Structure(cells, jnp.asarray(held), jnp.asarray(force), faces, elements=elements)


def stiffnesses(cells, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.uniform(0.2, 1.0, cells)
    return jnp.asarray(factors[..., None, None] * np.asarray(cubic_stiffness(1.0, 0.3, 0.25)))


@pytest.mark.parametrize("elements", [1, 2])
def test_against_the_block_solver(elements):
    cells = (3, 2, 2)
    structure, stiffness = pulled(cells, elements, loads=3), stiffnesses(cells)
    found = structure.solve(stiffness, tolerance=1e-12)
    fine = stiffness
    for axis in range(3):
        fine = jnp.repeat(fine, elements, axis=axis)
    for load in range(3):
        block = jm.fem.solve(fine, structure.supports, structure.loads[load], spacing=(1 / elements,) * 3,
                             tolerance=1e-12)  # fmt: skip
        scale = float(abs(block.displacement).max())
        np.testing.assert_allclose(found.displacement[load], block.displacement, atol=1e-7 * scale)
        np.testing.assert_allclose(found.compliance[load], block.compliance, rtol=1e-10)
        np.testing.assert_allclose(found.reactions[load], block.reactions, atol=1e-5)
    np.testing.assert_allclose(2 * found.energies.sum((1, 2, 3)), found.compliance, rtol=1e-9)


def test_energies_are_those_of_each_cell():
    """Against the sum over a cell's element: u·K u of its own eight corners."""
    cells = (3, 2, 2)
    structure, stiffness = pulled(cells), stiffnesses(cells)
    found = structure.solve(stiffness, tolerance=1e-12)
    field = jm.fem.GeneralField.from_matrix(stiffness)
    matrices = np.moveaxis(np.asarray(jm.fem.element_matrices(field, (1.0, 1.0, 1.0))), (0, 1), (-2, -1))
    u = np.asarray(found.displacement[0])
    for place in np.ndindex(*cells):
        corners = np.stack(
            [u[place[0] + a, place[1] + b, place[2] + c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
        )
        own = corners.T.ravel()
        np.testing.assert_allclose(found.energies[0][place], 0.5 * own @ matrices[place] @ own, rtol=1e-8)


def test_a_periodic_axis():
    """A layer that is periodic along y, stretched: C22-free answer of an infinite plate, and its energies."""
    held = jnp.zeros((4, 2, 2, 3), bool).at[0].set(True).at[-1].set(True)
    moved = jnp.zeros((1, 4, 2, 2, 3)).at[:, -1, ..., 0].set(0.03)
    solid = jm.Isotropic(1.0, 0.3)
    structure = Structure((3, 2, 1), held, 0 * moved, ("free", "periodic", "mirror"), moved)
    found = structure.solve(jnp.broadcast_to(solid.stiffness, (3, 2, 1, 6, 6)))
    np.testing.assert_allclose(found.energies, 0.5 * 0.01**2 * float(solid.stiffness[0, 0]), rtol=1e-6)


@pytest.mark.slow
def test_gradients_by_stiffness_and_by_the_voxels_of_a_cell():
    """Of the distortion, through homogenization too, against central differences."""
    cells = (4, 3, 1)
    structure = pulled(cells, faces=("free", ("mirror", "free"), "mirror"))
    reference = structure.solve(stiffnesses(cells, 1), tolerance=1e-14).displacement[0]
    outside, base = jnp.ones(structure.nodes).at[:, 0].set(0.5), stiffnesses(cells)

    def of_stiffness(stiffness):
        found = structure.solve(stiffness, tolerance=1e-14, throw=False)
        return distortion(found.displacement[0], reference, outside)

    def of_voxels(density):
        h = jm.homogenize(density, jm.Isotropic(1.0, 0.3), symmetry="cubic", residual=1e-10, throw=False)
        return of_stiffness(base.at[1, 1, 0].set(h.stiffness))

    x, y, z = np.indices((6, 6, 6)) / 5
    density = jnp.asarray(0.5 + 0.4 * np.cos(np.pi * x) * np.cos(np.pi * y) * np.cos(np.pi * z))
    rng = np.random.default_rng(2)
    for f, at in ((of_stiffness, base), (of_voxels, density)):
        value_and_grad = jax.jit(jax.value_and_grad(f))
        way = rng.normal(size=at.shape)
        if at.ndim == 3:
            way = sum(way.transpose(p) for p in ((0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)))
        else:
            way = (way + way.swapaxes(-1, -2)) / 2
        way = jnp.asarray(0.1 * way / np.abs(way).max()) * (at if at.ndim == 5 else 1)
        slope = float(jnp.vdot(value_and_grad(at)[1], way))
        differences = [(float(value_and_grad(at + s * way)[0]) - float(value_and_grad(at - s * way)[0])) / (2 * s)
                       for s in (2e-3, 1e-3)]  # fmt: skip
        extrapolated = (4 * differences[1] - differences[0]) / 3
        assert slope == pytest.approx(extrapolated, rel=1e-6)


def test_distortion():
    u = np.random.default_rng(0).normal(size=(3, 2, 4, 3))
    weights = np.random.default_rng(1).uniform(0, 1, (3, 2, 4))
    other = u + np.array([0.1, 0.0, 0.0])
    by_hand = np.sqrt((weights * 0.01).sum() / (weights[..., None] * u**2).sum())
    assert float(distortion(other, u, weights)) == pytest.approx(by_hand)
    assert float(distortion(u, u, weights > 0.5)) == 0
    with pytest.raises(ValueError, match="Argument `displacement` must have three components"):
        distortion(u[:2], u, weights)
    with pytest.raises(ValueError, match="Argument `reference` must move"):
        distortion(u, 0 * u, weights)


def test_refusals():
    structure = pulled((2, 2, 1))
    with pytest.raises(ValueError, match="Argument `stiffness` must have shape"):
        structure.solve(stiffnesses((2, 2, 2)))
    with pytest.raises(ValueError, match="Argument `supports` must have shape"):
        Structure((2, 2, 1), jnp.zeros((2, 2, 1, 3), bool), structure.loads)
    with pytest.raises(ValueError, match="Argument `cells` must be three"):
        Structure((2, 2), structure.supports, structure.loads)  # pyright: ignore[reportArgumentType]
    free = Structure((2, 2, 1), jnp.zeros_like(structure.supports), structure.loads)
    with pytest.raises(jm.SolverError):
        free.solve(stiffnesses((2, 2, 1)))
