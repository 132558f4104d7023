"""The oracle and the test cells against exact results and against each other."""

import functools

import numpy as np
import pytest
import scipy.ndimage

from tests import example_cells as cells
from tests import reference

SOLID = reference.isotropic_young(1.0, 0.3)
SPACING = (0.7, 1.1, 1.6)


def _general(count: int, seed: int = 0) -> np.ndarray:
    return cells.stiffness_field((count, 1, 1), seed)[:, 0, 0]


def _repeat(field: np.ndarray, count: int) -> np.ndarray:
    for axis in range(3):
        field = np.repeat(field, count, axis=axis)
    return field


# --- element ---------------------------------------------------------------------------------------------------------


def test_element_matrix_is_a_sum_of_tensor_products():
    """∫ ∂_j N_m ∂_l N_n dV is a product of 1-D integrals of hat functions and their slopes, known in closed form."""
    mass, stiff = np.array([[2.0, 1.0], [1.0, 2.0]]) / 6, np.array([[1.0, -1.0], [-1.0, 1.0]])
    mixed = np.array([[-0.5, -0.5], [0.5, 0.5]])  # ∫ N_m' N_n
    number = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    stiffness = _general(1)[0]
    expected = np.zeros((8, 3, 8, 3))
    for j in range(3):
        for l in range(3):
            factors = []
            for axis, h in enumerate(SPACING):
                one, two = axis == j, axis == l
                factors.append(stiff / h if one and two else mixed if one else mixed.T if two else mass * h)
            gradients = np.kron(np.kron(factors[0], factors[1]), factors[2])
            for i in range(3):
                for k in range(3):
                    expected[:, i, :, k] += stiffness[number[i, j], number[k, l]] * gradients
    matrix, _ = reference.element_matrices(SPACING, stiffness)
    np.testing.assert_allclose(matrix, expected.reshape(24, 24), rtol=0, atol=1e-13 * np.abs(matrix).max())


def test_element_takes_affine_displacements_exactly():
    """K_e χ = f_e and χᵀ f_e = V C for the nodal values χ of the unit strains; only rigid motions are free."""
    stiffness = _general(1)[0]
    corners = np.array(reference._CORNERS) * SPACING
    affine = np.zeros((8, 3, 6))
    for v, (i, j) in enumerate(reference.VOIGT):
        affine[:, i, v] += 0.5 * corners[:, j]
        affine[:, j, v] += 0.5 * corners[:, i]
    affine = affine.reshape(24, 6)
    matrix, load = reference.element_matrices(SPACING, stiffness)
    np.testing.assert_allclose(matrix @ affine, load, atol=1e-13 * np.abs(load).max())
    np.testing.assert_allclose(affine.T @ load, np.prod(SPACING) * stiffness, atol=1e-13 * np.abs(stiffness).max())
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert np.all(np.abs(eigenvalues[:6]) < 1e-13 * eigenvalues[-1])
    assert eigenvalues[6] > 1e-4 * eigenvalues[-1]


# --- exact cells -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 3), (1, 2, 2), (4, 3, 4)])
def test_uniform_cell_is_its_material(shape):
    stiffness = _general(1)[0]
    result = reference.homogenize(np.ones(shape), stiffness, spacing=SPACING)
    np.testing.assert_allclose(result.stiffness, stiffness, atol=1e-13 * np.abs(stiffness).max())
    np.testing.assert_allclose(result.strain, np.broadcast_to(np.eye(6), result.strain.shape), atol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_laminate_of_general_layers(axis, width):
    """A laminate's fields are constant in each layer, so the elements hold them exactly; also in one voxel's width."""
    layers, counts = _general(3, seed=axis), (1, 2, 1)
    column = np.repeat(layers, counts, axis=0)
    shape = [width, width + 1, width]
    shape[axis] = len(column)
    field = np.zeros((*shape, 6, 6))
    np.moveaxis(field, axis, 2)[...] = column
    exact = reference.laminate(layers, counts, axis)
    result = reference.homogenize(field, spacing=SPACING)
    np.testing.assert_allclose(result.stiffness, exact, rtol=0, atol=1e-12 * np.abs(exact).max())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_laminate_of_isotropic_layers_in_closed_form(axis):
    """Backus 1962: 1/⟨1/C_nn⟩ across, 1/⟨1/μ⟩ for shear across, ⟨μ⟩ for shear along."""
    moduli = ((3.0, 1.0), (0.2, 0.7), (1.0, 5.0))
    exact = reference.laminate([reference.isotropic(*m) for m in moduli], (1, 1, 1), axis)
    lam, mu = np.array(moduli).T
    across = 1 / np.mean(1 / (lam + 2 * mu))
    inplane = np.mean(4 * mu * (lam + mu) / (lam + 2 * mu)) + across * np.mean(lam / (lam + 2 * mu)) ** 2
    other = [a for a in range(3) if a != axis]
    shear = [1 / np.mean(1 / mu)] * 3
    shear[axis] = np.mean(mu)
    np.testing.assert_allclose(exact[axis, axis], across, rtol=1e-14)
    np.testing.assert_allclose(exact[other[0], other[0]], inplane, rtol=1e-14)
    np.testing.assert_allclose(exact[axis, other[1]], across * np.mean(lam / (lam + 2 * mu)), rtol=1e-14)
    np.testing.assert_allclose(np.diag(exact)[3:], shear, rtol=1e-14)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_laminate_cells(axis):
    field = cells.CELLS["laminate_" + "xyz"[axis]]((4, 8, 4))
    exact = reference.laminate([s * SOLID for s in cells.LAYERS], (1, 1, 1, 1), axis)
    np.testing.assert_allclose(reference.homogenize(field, SOLID).stiffness, exact, rtol=0, atol=1e-13)


def test_void_layer_leaves_plane_stress():
    solid = _general(1)[0]
    exact = reference.laminate([solid, 0 * solid], (7, 1), axis=2)
    result = reference.homogenize(cells.slab(8), solid)
    np.testing.assert_allclose(result.stiffness, exact, rtol=0, atol=1e-12 * np.abs(solid).max())
    almost = reference.laminate([solid, 1e-9 * solid], (7, 1), axis=2)
    np.testing.assert_allclose(exact, almost, rtol=0, atol=1e-7 * np.abs(solid).max())


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), SPACING])
@pytest.mark.parametrize("name", ["hole", "gyroid", "noise_binary", "checkerboard", "random_grey"])
def test_equal_shear_moduli(name, spacing):
    """Hill 1963: isotropic phases of one μ make an isotropic cell of that μ, whatever the microgeometry.

    For a trace-free ε⁰ the stress 2 μ ε⁰ is the same in all phases, so f = ∫ Bᵀ (2 μ ε⁰) dV vanishes after assembly
    and ũ = 0: on any grid C is 2 μ on trace-free strains, hence exactly isotropic. Only K* carries a discretisation
    error, and it lies above Hill's value and below the Voigt mean.
    """
    mu, stiff, soft = 0.4, 2.0, 0.1
    phases = [reference.isotropic(bulk - 2 * mu / 3, mu) for bulk in (stiff, soft)]
    field = cells.CELLS[name]((8, 6, 4))
    result = reference.homogenize(field, *phases, spacing=spacing)
    bulk = result.stiffness[:3, :3].sum() / 9
    np.testing.assert_allclose(result.stiffness, reference.isotropic(bulk - 2 * mu / 3, mu), rtol=0, atol=1e-13)
    np.testing.assert_allclose(result.displacement[..., 3:], 0.0, atol=1e-13)
    bulks = soft + (stiff - soft) * field.ravel()
    hill = reference.hill_bulk(np.ones_like(bulks), bulks, mu)
    assert 1.005 * hill < bulk < bulks.mean()


def test_equal_shear_moduli_converge_to_hill():
    """K* goes down to Hill's value as the grid of a fixed geometry is refined: 42, 14, 7 % above it at 4³, 8³, 12³."""
    mu, stiff, soft = 0.4, 2.0, 0.1
    phases = [reference.isotropic(bulk - 2 * mu / 3, mu) for bulk in (stiff, soft)]
    hill = reference.hill_bulk((1, 1), (stiff, soft), mu)
    sizes = np.array([4, 8, 12])
    excess = []
    for n in sizes:
        stiffness = reference.homogenize(cells.checkerboard(int(n)), *phases, loads=(0, 1, 2)).stiffness
        excess.append(stiffness.sum() / 9 / hill - 1)
    slope = np.polyfit(np.log(sizes), np.log(excess), 1)[0]
    assert -1.9 < slope < -1.4
    assert excess[-1] < 0.08


def test_equal_shear_moduli_in_layers_are_exact():
    mu, bulks = 0.4, np.array([2.0, 0.1, 0.9])
    exact = reference.laminate([reference.isotropic(bulk - 2 * mu / 3, mu) for bulk in bulks], (2, 1, 1), axis=1)
    bulk = reference.hill_bulk((2, 1, 1), bulks, mu)
    np.testing.assert_allclose(exact, reference.isotropic(bulk - 2 * mu / 3, mu), rtol=0, atol=1e-14)


# --- laws ------------------------------------------------------------------------------------------------------------


def test_stiffness_is_the_mean_stress_and_the_sum_of_energies():
    """Equilibrium makes the energy form of C equal to the mean stress, and is needed for it."""
    field = cells.stiffness_field((4, 3, 5))
    result = reference.homogenize(field, spacing=SPACING)
    stress = np.einsum("xyzpq,xyzgqk->pk", field, result.strain) / (60 * 8)
    np.testing.assert_allclose(result.stiffness, stress, rtol=0, atol=1e-12 * np.abs(stress).max())
    np.testing.assert_allclose(result.energy.sum(axis=(0, 1, 2)), result.stiffness, rtol=1e-14)
    np.testing.assert_allclose(result.stiffness, result.stiffness.T, atol=1e-14 * np.abs(stress).max())


def test_stiffness_lies_between_reuss_and_voigt():
    field = cells.stiffness_field((4, 3, 5))
    stiffness = reference.homogenize(field).stiffness
    voigt, reuss = field.mean(axis=(0, 1, 2)), np.linalg.inv(np.linalg.inv(field).mean(axis=(0, 1, 2)))
    assert np.linalg.eigvalsh(voigt - stiffness)[0] > 1e-2
    assert np.linalg.eigvalsh(stiffness - reuss)[0] > 1e-2


@pytest.mark.parametrize("name", ["gyroid", "slab", "bridge", "random_grey"])
def test_translation_leaves_the_stiffness(name):
    field = cells.CELLS[name](8)
    moved = np.roll(field, (3, 1, 5), axis=(0, 1, 2))
    expected = reference.homogenize(field, SOLID).stiffness
    np.testing.assert_allclose(reference.homogenize(moved, SOLID).stiffness, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (2, 0)])
def test_quarter_turn_rotates_the_stiffness(axes):
    """Turning a cell without symmetry from axis a to axis b, with its voxels' edges and its materials, turns C."""
    a, b = axes
    rotation = np.eye(3)
    rotation[[a, b], :] = 0.0
    rotation[b, a], rotation[a, b] = 1.0, -1.0
    field = cells.stiffness_field((3, 4, 5))
    turned = reference.rotate(np.rot90(field, axes=axes), rotation)
    edges = np.array(SPACING)
    edges[[a, b]] = edges[[b, a]]
    expected = reference.rotate(reference.homogenize(field, spacing=SPACING).stiffness, rotation)
    assert np.abs(expected - reference.homogenize(field, spacing=SPACING).stiffness).max() > 0.01
    np.testing.assert_allclose(reference.homogenize(turned, spacing=edges).stiffness, expected, rtol=0, atol=1e-12)


def test_rotation_of_tensors():
    """An isotropic solid has no orientation; a turn about z by an angle acts on C66 and C44 as in closed form."""
    angle = 0.3
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(reference.rotate(SOLID, rotation), SOLID, atol=1e-15)
    cubic = np.diag([3.0, 3.0, 3.0, 0.5, 0.5, 0.5])
    turned = reference.rotate(cubic, rotation)
    np.testing.assert_allclose(turned[3, 3], 0.5, rtol=1e-14)
    np.testing.assert_allclose(turned[5, 5], 0.5 * np.cos(2 * angle) ** 2 + 1.5 * np.sin(2 * angle) ** 2, rtol=1e-14)


def test_a_cell_and_its_repetition_have_one_stiffness():
    """Also where the cell is one voxel thick and both faces of a voxel hold the same nodes."""
    field = cells.stiffness_field((4, 1, 2))
    expected = reference.homogenize(field, spacing=SPACING).stiffness
    tiled = np.tile(field, (1, 3, 2, 1, 1))
    np.testing.assert_allclose(reference.homogenize(tiled, spacing=SPACING).stiffness, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["sphere", "noise_grey", "noise_binary"])
def test_refinement_lowers_the_energy(name):
    """The coarse space is contained in the fine one, so C decreases in the order of quadratic forms."""
    field = cells.CELLS[name](4)
    stiffness = [reference.homogenize(_repeat(field, m), SOLID).stiffness for m in (1, 2)]
    assert np.linalg.eigvalsh(stiffness[0] - stiffness[1])[0] > 1e-4


def test_energy_is_the_derivative():
    """dC/ds = energy / s, against central differences over a sweep of steps: their error is of second order."""
    field = cells.noise_grey(3) + 0.1
    direction = field * np.random.default_rng(0).normal(size=field.shape)
    energy = reference.homogenize(field, SOLID).energy
    exact = np.einsum("xyz,xyzkl->kl", direction / field, energy)
    errors = []
    for step in (4e-2, 2e-2, 1e-2):
        plus, minus = (reference.homogenize(field + sign * step * direction, SOLID).stiffness for sign in (1, -1))
        errors.append(np.abs((plus - minus) / (2 * step) - exact).max())
    np.testing.assert_allclose(np.array(errors[:-1]) / errors[1:], 4.0, rtol=0.05)
    assert errors[-1] < 1e-3 * np.abs(exact).max()


def test_chosen_loads_and_forms_of_the_field():
    field = cells.random_grey((3, 4, 2))
    whole = reference.homogenize(field, SOLID, 0.2 * np.eye(6))
    part = reference.homogenize(reference.stiffness_field(field, SOLID, 0.2 * np.eye(6)), loads=(5, 1))
    np.testing.assert_allclose(part.stiffness, whole.stiffness[np.ix_((5, 1), (5, 1))], atol=1e-14)
    np.testing.assert_allclose(part.displacement, whole.displacement[..., [5, 1]], atol=1e-12)
    mixed = reference.homogenize(field + 0.2 * (1 - field), SOLID).stiffness
    np.testing.assert_allclose(reference.homogenize(field, SOLID, 0.2 * SOLID).stiffness, mixed, atol=1e-14)
    with pytest.raises(ValueError, match="needs the stiffness"):
        reference.homogenize(field)
    with pytest.raises(ValueError, match="neither"):
        reference.homogenize(cells.stiffness_field(2), SOLID)


# --- singular systems ------------------------------------------------------------------------------------------------


def _dense(field: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K, f and the volume mean of C, assembled by loops."""
    shape = field.shape
    matrix, load = reference.element_matrices((1.0, 1.0, 1.0), SOLID)
    stiffness, force = np.zeros((*shape, 3, *shape, 3)), np.zeros((*shape, 3, 6))
    for voxel in np.ndindex(shape):
        nodes = [
            tuple((v + c) % s for v, c, s in zip(voxel, corner, shape, strict=True)) for corner in np.ndindex(2, 2, 2)
        ]
        for m, node in enumerate(nodes):
            force[node] += field[voxel] * load[3 * m : 3 * m + 3]
            for n, other in enumerate(nodes):
                block = field[voxel] * matrix[3 * m : 3 * m + 3, 3 * n : 3 * n + 3]
                stiffness[(*node, slice(None), *other)] += block
    size = 3 * field.size
    return stiffness.reshape(size, size), force.reshape(size, 6), field.mean() * SOLID


@pytest.mark.parametrize("void", [0.0, 1e-9])
@pytest.mark.parametrize("name", ["islands", "checkerboard", "rotating_squares", "slab", "bridge", "noise_binary"])
def test_against_the_pseudo_inverse(name, void):
    field = np.maximum(cells.CELLS[name](4), void)
    stiffness, force, voigt = _dense(field)
    eigenvalues, vectors = np.linalg.eigh(stiffness)
    keep = eigenvalues > 1e-13
    amplitude = vectors[:, keep].T @ force
    expected = voigt - (amplitude.T / eigenvalues[keep]) @ amplitude / field.size
    result = reference.homogenize(field, SOLID)
    np.testing.assert_allclose(result.stiffness, expected, rtol=0, atol=1e-14)


def test_rotating_squares_have_one_mechanism():
    """Three translations and the columns' counter-rotation: four null vectors, and C is regular all the same."""
    field = cells.rotating_squares((4, 4, 1))
    stiffness, _, _ = _dense(field)
    touched = np.diag(stiffness) > 0
    eigenvalues = np.linalg.eigvalsh(stiffness[np.ix_(touched, touched)])
    assert np.count_nonzero(eigenvalues < 1e-13) == 4
    assert np.linalg.eigvalsh(reference.homogenize(field, SOLID).stiffness)[0] > 0.05


def test_islands_carry_nothing_and_nearly_nothing():
    """In true void C is zero to the square of rounding; in a soft background it is of that background's order."""
    field = cells.islands(8)
    assert np.abs(reference.homogenize(field, SOLID).stiffness).max() < 1e-28
    soft = reference.homogenize(np.maximum(field, 1e-9), SOLID).stiffness
    reuss = 1e-9 / np.mean(1 / np.maximum(field / 1e-9, 1.0)) * SOLID
    assert np.linalg.eigvalsh(soft - reuss)[0] > 0
    assert np.abs(soft).max() < 1e-8
    np.testing.assert_allclose(
        soft, 1e-3 * reference.homogenize(np.maximum(field, 1e-6), SOLID).stiffness, rtol=1e-4, atol=1e-13
    )


def test_empty_cell():
    result = reference.homogenize(np.zeros((2, 3, 2)), SOLID)
    np.testing.assert_array_equal(result.stiffness, np.zeros((6, 6)))


# --- clamped block ---------------------------------------------------------------------------------------------------


def _nodes(shape: tuple[int, int, int]) -> np.ndarray:
    return np.stack(
        np.meshgrid(*(np.arange(n + 1) * h for n, h in zip(shape, SPACING, strict=True)), indexing="ij"), -1
    )


def _pull(shape: tuple[int, int, int], stress: float) -> tuple[np.ndarray, np.ndarray]:
    """Sliding supports on the three faces at zero; nodal forces of a uniform traction on the face at the end of x."""
    supports, loads = np.zeros((*(n + 1 for n in shape), 3), bool), np.zeros((*(n + 1 for n in shape), 3))
    supports[0, :, :, 0] = supports[:, 0, :, 1] = supports[:, :, 0, 2] = True
    weights = [np.full(n + 1, h) for n, h in zip(shape[1:], SPACING[1:], strict=True)]
    for w in weights:
        w[[0, -1]] /= 2
    loads[-1, :, :, 0] = stress * np.outer(*weights)
    return supports, loads


def test_clamped_bar_stretches_uniformly():
    """Uniaxial stress σ: u = σ (x, −ν y, −ν z) / E, and fᵀ u = σ² V / E."""
    shape, stress, young, poisson = (4, 3, 2), 0.3, 2.0, 0.25
    supports, loads = _pull(shape, stress)
    found = reference.clamped(
        np.ones(shape), supports, loads, reference.isotropic_young(young, poisson), spacing=SPACING
    )
    expected = _nodes(shape) * np.array([1.0, -poisson, -poisson]) * stress / young
    np.testing.assert_allclose(found.displacement, expected, atol=1e-13)
    np.testing.assert_allclose(found.compliance, stress**2 / young * np.prod(np.array(shape) * SPACING), rtol=1e-12)
    np.testing.assert_allclose(found.energy, -0.5 * found.compliance, rtol=1e-14)
    np.testing.assert_allclose(found.reactions.sum((0, 1, 2)), -loads.sum((0, 1, 2)), atol=1e-13)
    # The same motion of the end, prescribed, takes the same forces, and its energy is that of the stretched bar.
    held, given = supports.copy(), np.zeros_like(loads)
    held[-1, :, :, 0] = True
    given[-1] = expected[-1]
    solid = reference.isotropic_young(young, poisson)
    pulled = reference.clamped(np.ones(shape), held, 0 * loads, solid, spacing=SPACING, prescribed=given)
    np.testing.assert_allclose(pulled.displacement, expected, atol=1e-13)
    np.testing.assert_allclose(pulled.reactions[-1, ..., 0], loads[-1, ..., 0], atol=1e-13)
    np.testing.assert_allclose([pulled.compliance, pulled.energy], [0.0, 0.5 * found.compliance], rtol=1e-12)


def test_clamped_bar_of_one_period():
    """Periodic across, a bar cannot contract: a strain along x takes λ + 2 μ; unlike slices are in series."""
    shape, strain = (4, 3, 2), 0.1
    young, solid = np.array([1.0, 0.2, 1.0, 0.5]), reference.isotropic_young(1.0, 0.3)
    field = np.broadcast_to(young[:, None, None], shape)
    held, given = np.zeros((5, 3, 2, 3), bool), np.zeros((5, 3, 2, 3))
    held[[0, -1], :, :, 0] = held[0] = True
    given[-1, :, :, 0] = strain * shape[0] * SPACING[0]
    found = reference.clamped(
        field, held, 0 * given, solid, spacing=SPACING, prescribed=given, periodic=(False, True, True)
    )
    stress = solid[0, 0] / np.mean(1 / young) * strain
    area = np.prod(np.array(shape[1:]) * SPACING[1:])
    np.testing.assert_allclose(found.reactions[[0, -1], :, :, 0].sum((1, 2)), [-stress * area, stress * area])
    np.testing.assert_allclose(found.energy, 0.5 * stress * strain * area * shape[0] * SPACING[0])


def test_clamped_bars_in_series():
    """Without lateral strain (ν = 0) the compliances σ² V / E of unlike parts add, also at a contrast of 1e8."""
    shape, young = (4, 3, 2), np.array([1.0, 1.0, 1e-8, 0.5])
    supports, loads = _pull(shape, 1.0)
    field = np.broadcast_to(young[:, None, None], shape)
    found = reference.clamped(field, supports, loads, reference.isotropic_young(1.0, 0.0), spacing=SPACING)
    np.testing.assert_allclose(found.compliance, np.sum(1 / young) * 6 * np.prod(SPACING), rtol=1e-10)


def test_clamped_block_with_general_materials():
    """Two loads are reciprocal, f₁ᵀ u₂ = f₂ᵀ u₁; what is held does not move; compliance is positive."""
    shape = (3, 2, 4)
    field, rng = cells.stiffness_field(shape), np.random.default_rng(0)
    supports = np.zeros((4, 3, 5, 3), bool)
    supports[0] = True
    loads = rng.normal(size=(2, 4, 3, 5, 3))
    one, two = (reference.clamped(field, supports, f, spacing=SPACING) for f in loads)
    free = ~supports
    there, back = (loads[0] * two.displacement)[free].sum(), (loads[1] * one.displacement)[free].sum()
    np.testing.assert_allclose(there, back, rtol=1e-11)
    np.testing.assert_array_equal(one.displacement[supports], 0.0)
    assert one.compliance > 0


def test_clamped_block_between_loads_and_prescribed_displacements():
    """Solutions add; the energy is least: along any other displacement that keeps what is prescribed it is larger."""
    shape = (3, 2, 4)
    field, rng = cells.stiffness_field(shape), np.random.default_rng(0)
    supports = rng.uniform(size=(4, 3, 5, 3)) < 0.3
    given = np.where(supports, rng.normal(size=supports.shape), 0.0)
    loads = rng.normal(size=supports.shape)
    solve = functools.partial(reference.clamped, field, supports, spacing=SPACING)
    both, loaded, moved = solve(loads, prescribed=given), solve(loads), solve(0 * loads, prescribed=given)
    np.testing.assert_allclose(both.displacement, loaded.displacement + moved.displacement, atol=1e-12)
    np.testing.assert_allclose(both.reactions, loaded.reactions + moved.reactions, atol=1e-12)
    np.testing.assert_array_equal(both.displacement[supports], given[supports])
    # With f on the free components only, the parts are coupled by the work of f along what is moved alone.
    force = np.where(supports, 0.0, loads)
    alone = solve(force, prescribed=given)
    coupling = (force * moved.displacement).sum()
    np.testing.assert_allclose(alone.energy, solve(force).energy + moved.energy - coupling, rtol=1e-12)
    np.testing.assert_allclose(alone.compliance, solve(force).compliance + (force * moved.displacement).sum())
    # Clapeyron: the work of loads and reactions is twice the stored energy.
    work = (loads * both.displacement).sum() + (both.reactions * given).sum()
    np.testing.assert_allclose(work, 2 * (both.energy + both.compliance), rtol=1e-12)


def test_clamped_block_refuses_what_it_cannot_carry():
    shape = (3, 2, 2)
    supports, loads = _pull(shape, 1.0)
    with pytest.raises(ArithmeticError):
        reference.clamped(np.ones(shape), np.zeros_like(supports), loads, SOLID)
    cut = np.ones(shape)
    cut[1] = 0.0
    with pytest.raises(ArithmeticError):
        reference.clamped(cut, supports, loads, SOLID)
    cut[2] = 0.0
    with pytest.raises(ArithmeticError, match="without stiffness"):
        reference.clamped(cut, supports, loads, SOLID)


# --- a published cell and the table ----------------------------------------------------------------------------------


def test_dong_lattice():
    """Dong, Tang and Zhao 2019, 40³ voxels; C has cubic symmetry and no other entries."""
    field, solid = reference.dong_lattice()
    assert field.mean() == 0.0855
    stiffness = reference.homogenize(field, solid).stiffness
    expected = reference.isotropic(0.387491, 0.148853)
    expected[[0, 1, 2], [0, 1, 2]] = 7.187609
    np.testing.assert_allclose(stiffness, expected, rtol=0, atol=6e-7)


@pytest.mark.parametrize("name", cells.CELLS)
@pytest.mark.parametrize("n", [8, 12])
def test_flags_of_cells(name, n):
    cell = cells.CELLS[name]
    field = cell(n)
    assert field.shape == (n, n, n)
    assert field.dtype == np.float64
    assert field.min() >= 0.0
    assert field.max() <= 1.0
    np.testing.assert_array_equal(field, cell(n))
    assert cell.binary == bool(np.all((field == 0.0) | (field == 1.0)))
    assert cell.mirror == all(np.array_equal(field, np.flip(field, a)) for a in range(3))
    assert cell.cubic == all(np.array_equal(field, field.transpose(p)) for p in ((1, 0, 2), (0, 2, 1)))
    assert cell.percolates == _percolates(field > 0.0)


def _percolates(solid: np.ndarray) -> bool:
    """Some face-connected part of the tripled cell reaches all of it: three copies along each axis, seen as one."""
    n = solid.shape[0]
    labels, count = scipy.ndimage.label(np.tile(solid, (3, 3, 3)))
    return any(
        all(np.ptp(np.nonzero(labels == k)[axis]) == 3 * n - 1 for axis in range(3)) for k in range(1, count + 1)
    )


@pytest.mark.parametrize("cell", cells.select(binary=True), ids=lambda cell: cell.name)
def test_stiffness_of_cells_is_regular_where_they_percolate(cell):
    smallest = np.linalg.eigvalsh(reference.homogenize(cell(8), SOLID).stiffness)[0]
    if cell.name in ("slab", "islands"):
        assert abs(smallest) < 1e-15
    else:
        assert smallest > 1e-3


def test_cells_take_unequal_sides():
    for cell in cells.CELLS.values():
        assert cell((4, 8, 12)).shape == (4, 8, 12)
    assert cells.stiffness_field((2, 3, 4)).shape == (2, 3, 4, 6, 6)
    with pytest.raises(ValueError, match="multiple of four"):
        cells.laminate_x(6)
