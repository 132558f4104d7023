"""The matrix-free operator against the assembled matrix of the oracle, entry by entry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.fem import Block, GeneralField, IsotropicField, Periodic, Stiffness, _corners, _kernel, mutual_energies
from jaxmeta.fem._form import form
from tests.fem.problems import BOUNDARIES, FIELDS, SPACING, assemble, held, to_vector

SHAPE = (3, 4, 2)
FORMS = {"matrices": _corners, "sums": _kernel}
"""The element kernel of small grids, and that of large ones."""


def _random(shape, seed=7):
    return jax.device_put(np.random.default_rng(seed).normal(size=shape))


def _operator(field, boundary, shape=SHAPE):
    material, matrices = FIELDS[field](shape)
    return Stiffness(material, jnp.asarray(SPACING), BOUNDARIES[boundary](shape)), matrices


@jax.jit
def _apply(operator, displacement, macro=None):
    return operator(displacement, macro)


def _forces(form, operator, displacement, macro):
    ghosted = operator.material.map(operator.boundary.ghost_elements)
    ghosts = operator.boundary.ghosts(displacement)
    return operator.boundary.free(FORMS[form].internal_force(ghosts, ghosted, operator.spacing, macro))


@jax.jit
def _forces_of_both(operator, displacement, macro):
    return [_forces(form, operator, displacement, macro) for form in FORMS]


@jax.jit
def _blocks_of_both(operator):
    ghosted = operator.material.map(operator.boundary.ghost_elements)
    return [form.nodal_blocks(ghosted, operator.spacing) for form in FORMS.values()]


@jax.jit
def _blocks(operator):
    return operator.blocks(), operator.diagonal(), operator.boundary.free(jnp.ones((3, *operator.nodes)))


BOTH = ["periodic", "free", "periodic_mirror_free"]
"""On which both forms are tried: with ghosts around no axis, around all and around one. A form knows no boundary."""
PAIRS = [("general", boundary) for boundary in BOUNDARIES]
PAIRS += [(field, boundary) for field in ("isotropic", "cubic") for boundary in (*BOTH, "clamped", "octant_3")]
"""All constants on every boundary; the others on one of each kind."""


@pytest.mark.parametrize(("shape", "other"), [((8, 8, 8), "sums"), ((9, 9, 9), "matrices")], ids=["small", "large"])
def test_form_by_size(shape, other):
    """On both sides of the size at which the operator changes its form it gives the forces and blocks of the other."""
    material, _ = FIELDS["general"](shape)
    operator = Stiffness(material, jnp.asarray(SPACING), BOUNDARIES["clamped"](shape))
    assert form(material.map(operator.boundary.ghost_elements)) is not FORMS[other]
    u, macro = _random((3, *operator.nodes)), _random((6,), 8)

    @jax.jit
    def of_the_other(operator):
        ghosted = operator.material.map(operator.boundary.ghost_elements)
        return _forces(other, operator, u, macro), FORMS[other].nodal_blocks(ghosted, operator.spacing)

    forces, blocks = of_the_other(operator)
    np.testing.assert_allclose(_apply(operator, u, macro), forces, rtol=0, atol=1e-13 * jnp.abs(forces).max())
    np.testing.assert_allclose(_blocks(operator)[0], blocks, rtol=0, atol=1e-13 * jnp.abs(blocks).max())


@pytest.mark.parametrize(("field", "boundary"), PAIRS)
def test_forces_are_those_of_the_assembled_matrix(field, boundary):
    """K u, with and without a uniform strain."""
    operator, matrices = _operator(field, boundary)
    exact = assemble(matrices, boundary)
    u, macro = _random((3, *operator.nodes)), _random((6,), 8)
    scale = np.abs(exact.matrix).max()
    alone = exact.matrix @ to_vector(u)
    np.testing.assert_allclose(to_vector(_apply(operator, u)), alone, rtol=0, atol=1e-12 * scale)
    if boundary in BOTH:
        expected = alone + exact.loads @ np.asarray(macro)
        for forces in (_apply(operator, u, macro), *_forces_of_both(operator, u, macro)):
            np.testing.assert_allclose(to_vector(forces), expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize(("field", "boundary"), PAIRS)
def test_operator_is_its_own_adjoint(field, boundary):
    """⟨K x, y⟩ = ⟨x, K y⟩."""
    operator, _ = _operator(field, boundary)
    x, y = _random((2, 3, *operator.nodes))
    left, right = jnp.vdot(_apply(operator, x), y), jnp.vdot(x, _apply(operator, y))
    size = jnp.linalg.norm(_apply(operator, x)) * jnp.linalg.norm(y)
    assert abs(left - right) <= 1e-12 * size
    assert jnp.vdot(x, _apply(operator, x)) > 0


@pytest.mark.parametrize(("field", "boundary"), PAIRS)
def test_blocks_are_those_of_the_assembled_matrix(field, boundary):
    """The 3×3 block of every node; nothing is left out where a voxel couples normal and shear strains."""
    operator, matrices = _operator(field, boundary)
    exact = assemble(matrices, boundary).matrix
    own, diagonal, free = _blocks(operator)
    np.testing.assert_allclose(to_vector(diagonal), np.diag(exact), rtol=0, atol=1e-13 * exact.max())
    by_node = exact.reshape(len(exact) // 3, 3, len(exact) // 3, 3)
    free = to_vector(free).reshape(-1, 3)
    for blocks in (own, *(_blocks_of_both(operator) if boundary in BOTH else [])):
        blocks = np.moveaxis(np.asarray(blocks), 0, -1).reshape(-1, 6)
        for k, (r, c) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
            expected = np.array([by_node[n, r, n, c] for n in range(len(blocks))])
            found = blocks[:, k] * free[:, r] * free[:, c]
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * exact.max())


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_coarse_operator_is_that_of_mean_moduli(boundary):
    """Half the elements, twice the edges, the mean of eight children, and held where the fine node is held."""
    shape = (4, 2, 6)
    operator, matrices = _operator("general", boundary, shape)
    coarse = jax.jit(lambda operator: operator.coarse((2, 1, 3)))(operator)
    mean = matrices.reshape(2, 2, 1, 2, 3, 2, 6, 6).mean((1, 3, 5))
    fine = np.moveaxis(held(boundary, shape).reshape(*operator.nodes, 3), -1, 0)
    exact = assemble(mean, boundary, tuple(2 * h for h in SPACING), to_vector(fine[:, ::2, ::2, ::2])).matrix
    u = _random((3, *coarse.nodes))
    np.testing.assert_allclose(
        to_vector(_apply(coarse, u)), exact @ to_vector(u), rtol=0, atol=1e-12 * np.abs(exact).max()
    )


@pytest.mark.parametrize("field", FIELDS)
def test_one_kernel_for_equal_materials(field):
    """An isotropic solid is the same as a cubic or as a general field."""
    operator, matrices = _operator("isotropic", "periodic")
    other = GeneralField.from_matrix(jax.device_put(matrices))
    if field == "cubic":
        c = [jax.device_put(matrices[..., i, j]) for i, j in ((0, 0), (0, 1), (3, 3))]
        other = type(FIELDS["cubic"](SHAPE)[0])(*c)
    u = _random((3, *operator.nodes))
    expected = _apply(operator, u)
    actual = _apply(Stiffness(other, operator.spacing, Periodic()), u)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-13 * jnp.abs(expected).max())


@pytest.mark.parametrize("shape", [(1, 4, 3), (1, 1, 5), (1, 1, 1), (2, 1, 2)])
def test_thin_periodic_cells(shape):
    """A voxel that is its own neighbour."""
    material, matrices = FIELDS["general"](shape)
    exact = assemble(matrices, "periodic")
    operator = Stiffness(material, jnp.asarray(SPACING), Periodic())
    u, macro = _random((3, *shape)), _random((6,), 8)
    expected = exact.matrix @ to_vector(u) + exact.loads @ np.asarray(macro)
    scale = np.abs(matrices).max()  # one voxel alone is its own neighbour on all sides: K is zero
    np.testing.assert_allclose(to_vector(_apply(operator, u, macro)), expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("field", FIELDS)
def test_mutual_energies_are_the_quadratic_form(field):
    """Volume times the energies is uᵢᵀ K uⱼ + uᵢᵀ f eⱼ + eᵢᵀ fᵀ uⱼ + eᵢᵀ ⟨C⟩ eⱼ V."""
    operator, matrices = _operator(field, "free")
    exact = assemble(matrices, "free")
    u, e = _random((4, 3, *operator.nodes)), _random((4, 6), 8)
    vectors, strains = np.stack([to_vector(v) for v in u]), np.asarray(e)
    volume = np.prod(SPACING)
    cross = vectors @ exact.loads @ strains.T
    expected = vectors @ exact.matrix @ vectors.T + cross + cross.T
    expected = (expected + volume * strains @ matrices.sum((0, 1, 2)) @ strains.T) / (volume * np.prod(SHAPE))
    actual = jax.jit(mutual_energies)(operator.material, operator.spacing, u, e)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_rigid_motions_of_a_free_block_cost_nothing():
    operator, _ = _operator("general", "free")
    grid = np.meshgrid(*(np.arange(n) * h for n, h in zip(operator.nodes, SPACING, strict=True)), indexing="ij")
    x, y, z = (jax.device_put(g) for g in grid)
    zero = jnp.zeros_like(x)
    for rotation in ((zero, -z, y), (z, zero, -x), (-y, x, zero), (zero + 1, zero, zero)):
        assert jnp.abs(_apply(operator, jnp.stack(rotation))).max() < 1e-13 * _blocks(operator)[1].max()


def test_void_has_no_force():
    zero = jnp.zeros(SHAPE)
    operator = Stiffness(IsotropicField(zero, zero), jnp.asarray(SPACING), Block())
    assert not jnp.any(_apply(operator, _random((3, *operator.nodes))))
    assert not jnp.any(_blocks(operator)[1])


@pytest.mark.parametrize("form", FORMS)
def test_stiffness_of_elements_moves_forward_and_back_under_differentiation(form):
    """K u is linear in the moduli and in u: jvp and vjp agree with the assembled matrix."""
    operator, _ = _operator("general", "clamped")
    change, changed = FIELDS["general"](SHAPE)[0].map(lambda c: c**2), None
    u, w = _random((2, 3, *operator.nodes))

    @jax.jit
    def forces(material):
        return _forces(form, Stiffness(material, operator.spacing, operator.boundary), u, jnp.zeros(6))

    _, forward = jax.jvp(forces, (operator.material,), (change,))
    entries = [(i, j) for i in range(6) for j in range(i, 6)]
    changed = np.zeros((*SHAPE, 6, 6))
    for (i, j), field in zip(entries, change.upper, strict=True):
        changed[..., i, j] = changed[..., j, i] = np.asarray(field)
    exact = assemble(changed, "clamped").matrix
    np.testing.assert_allclose(to_vector(forward), exact @ to_vector(u), rtol=0, atol=1e-12 * np.abs(exact).max())
    _, pull = jax.vjp(forces, operator.material)
    (back,) = pull(w)
    paired = sum(jnp.vdot(b, c) for b, c in zip(back.upper, change.upper, strict=True))
    np.testing.assert_allclose(paired, jnp.vdot(w, forward), rtol=1e-12)
