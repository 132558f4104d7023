"""Both preconditioners are symmetric, positive, and near the inverse: on every boundary they serve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.fem import Block, IsotropicField, JacobiFFT, Multigrid, Periodic, Stiffness
from jaxmeta.fem._blocks import block_product
from jaxmeta.fem._dense import dense_factor, inverse_of_definite
from jaxmeta.fem._multigrid import block_inverse, largest_jacobi_eigenvalue
from tests import example_cells as cells
from tests.fem.problems import BOUNDARIES, FIELDS, MIXED, SPACING

SHAPE = (6, 5, 4)
MULTIGRID = Multigrid(coarsest=30)
"""Coarsens small grids, too."""
METHODS = {"multigrid": MULTIGRID.cycle, "fft": JacobiFFT()}
DEEP = (10, 5, 4)
"""Coarsened to one voxel; on the last grid but one there are several sweeps."""
OCTANTS = ["octant_0", "octant_3", "octant_4", "octant_5"]
FIELD_NAMES = ["isotropic", "general", "void"]


def _operator(field, boundary, shape=SHAPE):
    if field == "void":
        modulus = jax.device_put(cells.islands(shape))
        material = IsotropicField(0.6 * modulus, 0.4 * modulus)
    else:
        material = FIELDS[field](shape)[0]
    return Stiffness(material, jnp.asarray(SPACING), BOUNDARIES[boundary](shape))


@jax.jit
def _applied(operator, forces):
    """Two forces as they may act on a cell, and what each method makes of them."""
    deep = operator.elements == DEEP
    # Forces never act where there is no stiffness, nor along a translation of the whole cell.
    live = operator.diagonal() > 0
    forces = jnp.where(live[None], jax.vmap(operator.boundary.free)(forces), 0)
    if isinstance(operator.boundary, Periodic):
        count = live.astype(forces.dtype).sum((1, 2, 3), keepdims=True)
        forces = jnp.where(live[None], forces - forces.sum((2, 3, 4), keepdims=True) / count[None], 0)
    clamped = getattr(operator.boundary, "mask", None) is not None
    names = ["multigrid"] if clamped else list(METHODS)
    methods = METHODS | ({"multigrid": Multigrid(coarsest=8).cycle} if deep else {})
    results = {name: jax.vmap(methods[name](operator))(forces) for name in names}
    return forces, results, {name: jax.vmap(operator.boundary.free)(m) for name, m in results.items()}


def _free(operator, seed=1):
    """A random displacement of the free components."""
    u = np.random.default_rng(seed).normal(size=(3, *operator.nodes))
    return u * np.asarray(_ones(operator))


@jax.jit
def _ones(operator):
    return operator.boundary.free(jnp.ones((3, *operator.nodes)))


CASES = [
    *((boundary, field, SHAPE) for boundary in ["periodic", *OCTANTS, "clamped", *MIXED] for field in FIELD_NAMES[::2]),
    ("octant_4", "general", (8, 7, 6)),
    ("octant_3", "isotropic", DEEP),
    ("clamped", "isotropic", DEEP),
]
"""Three levels; two for twenty-one constants, whose programs are large: all levels are made in the same way. Of
periodic cells of these `test_no_eigenvalue_is_negative` has the whole spectrum."""


@pytest.mark.parametrize(("boundary", "field", "shape"), CASES, ids=lambda value: str(value))
def test_symmetric_and_positive(boundary, field, shape):
    operator = _operator(field, boundary, shape)
    forces = np.random.default_rng(3).normal(size=(2, 3, *operator.nodes))
    (x, y), results, freed = jax.device_get(_applied(operator, forces))
    assert set(results) == (set(METHODS) if boundary in ("periodic", *OCTANTS) else {"multigrid"})
    for name, (mx, my) in results.items():
        scale = np.linalg.norm(mx) * np.linalg.norm(y)
        assert abs(np.vdot(mx, y) - np.vdot(x, my)) <= 1e-12 * scale
        assert np.vdot(x, mx) > 1e-4 * np.linalg.norm(x) * np.linalg.norm(mx)
        assert np.isfinite(mx).all()
        np.testing.assert_array_equal(freed[name], results[name])


@pytest.mark.parametrize("field", FIELD_NAMES)
@pytest.mark.parametrize("name", METHODS)
def test_no_eigenvalue_is_negative(name, field):
    """The whole spectrum of M⁻¹, column by column, on a small cell."""
    operator = _operator(field, "periodic", (4, 4, 4))
    size = 3 * 4**3
    columns = jax.jit(lambda op: jax.vmap(METHODS[name](op))(jnp.eye(size).reshape(size, 3, 4, 4, 4)))(operator)
    matrix = np.asarray(columns).reshape(size, size)
    assert np.abs(matrix - matrix.T).max() <= 1e-12 * np.abs(matrix).max()
    eigenvalues = np.linalg.eigvalsh(0.5 * (matrix + matrix.T))
    assert eigenvalues[0] >= -1e-10 * eigenvalues[-1]


@jax.jit
def _inverse_and_blocks(operator):
    return block_inverse(operator), operator.blocks()


@pytest.mark.parametrize("field", FIELD_NAMES)
@pytest.mark.parametrize("boundary", ["periodic", "octant_3", "clamped"])
def test_block_inverse(boundary, field):
    """On the free components of every node that is not in void, the inverse of the assembled block."""
    operator = _operator(field, boundary, (4, 4, 4))
    free = np.asarray(_ones(operator))
    inverse, blocks = (
        np.array([[v[0], v[5], v[4]], [v[5], v[1], v[3]], [v[4], v[3], v[2]]]).reshape(3, 3, -1)
        for v in np.asarray(_inverse_and_blocks(operator))
    )
    for held, block, own in zip(free.reshape(3, -1).T == 0, blocks.T, inverse.T, strict=True):
        expected = np.zeros((3, 3))
        if np.trace(block) > 0:
            expected[np.ix_(~held, ~held)] = np.linalg.inv(block[np.ix_(~held, ~held)])
        np.testing.assert_allclose(own, expected, rtol=0, atol=1e-12 * max(np.abs(expected).max(), 1e-300))


@pytest.mark.parametrize("field", ["isotropic", "cubic", "void"])
def test_bound_of_the_largest_eigenvalue(field):
    """It holds, and is reached by a voxel that hangs on nothing."""
    operator = _operator(field, "free", (3, 3, 3))
    if field == "void":
        alone = jax.device_put(np.pad(np.ones((1, 1, 1)), ((1, 1), (2, 0), (1, 1))))
        operator = Stiffness(IsotropicField(0.6 * alone, 0.4 * alone), operator.spacing, operator.boundary)
    basis = jax.device_put(np.eye(3 * 4**3).reshape(-1, 3, 4, 4, 4))

    @jax.jit
    def columns_and_bound(operator):
        inverse = block_inverse(operator)
        columns = jax.vmap(lambda u: block_product(inverse, operator(u), operator.boundary))(basis)
        return columns, largest_jacobi_eigenvalue(operator)

    product, bound = columns_and_bound(operator)
    largest = np.linalg.eigvals(np.asarray(product).reshape(len(basis), -1)).real.max()
    assert largest <= bound * (1 + 1e-12)
    if field == "void":
        np.testing.assert_allclose(largest, bound, rtol=1e-10)


@pytest.mark.parametrize(
    ("size", "dtype", "bound"),
    [(1, "float64", 1e-15), (50, "float64", 1e-9), (75, "float32", 1e-2), (301, "float64", 1e-9)],
)
def test_inverse_of_a_definite_matrix(size, dtype, bound):
    """Sizes of less than a block, of blocks and a rest, and of uneven halves, one at a time and many; the condition is
    1e4."""
    random = np.random.default_rng(0)
    turned = np.linalg.qr(random.normal(size=(2, size, size)))[0]
    matrices = turned * np.geomspace(1e-4, 1, size) @ turned.swapaxes(1, 2)
    expected = np.linalg.inv(matrices)
    many = jax.jit(jax.vmap(inverse_of_definite))(jnp.asarray(matrices, dtype))
    one = inverse_of_definite(jnp.asarray(matrices[1], dtype))
    assert many.dtype == one.dtype == dtype
    np.testing.assert_allclose(many, expected, rtol=0, atol=bound * abs(expected).max())
    np.testing.assert_allclose(one, expected[1], rtol=0, atol=bound * abs(expected).max())


def test_the_coarsest_inverse_is_definite():
    """Of a loose block in single precision, whose rigid motions the shift alone holds: indefinite, it misleads CG."""
    operator = jax.tree.map(lambda x: x.astype("float32"), _operator("isotropic", "free", (2, 2, 2)))
    factor = np.asarray(dense_factor(operator), float)
    inverse = factor.T @ factor
    scale = np.sqrt(np.diag(np.asarray(operator.matrix(), float)))
    values = np.linalg.eigvalsh(inverse * scale[:, None] * scale[None, :])
    assert values[0] > 0.1 and np.sum(values > 3e4) == 6


@jax.jit
def _there_and_back(operator, displacement):
    return JacobiFFT()(operator)(operator(displacement))


@pytest.mark.parametrize("boundary", ["periodic", "octant_0", "octant_3"])
def test_fft_inverts_a_homogeneous_cell(boundary):
    """With one modulus everywhere M⁻¹ K is the identity, up to translations."""
    shape = (5, 4, 3)
    one = jnp.ones(shape)
    operator = Stiffness(IsotropicField(0.6 * one, 0.4 * one), jnp.asarray(SPACING), BOUNDARIES[boundary](shape))
    u = _free(operator)
    if boundary == "periodic":
        u = u - u.mean((1, 2, 3), keepdims=True)
    back = _there_and_back(operator, u)
    np.testing.assert_allclose(back, u, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(4, 3, 4), (2, 13, 3), (1, 2, 9)])
@pytest.mark.parametrize("boundary", ["octant_3", "clamped", "periodic_mirror_free"])
def test_multigrid_is_exact_on_its_coarsest_grid(boundary, shape):
    """By the whole matrix of a small grid, and plane by plane along a long axis."""
    operator = _operator("isotropic", boundary, shape)
    u = _free(operator)
    back = jax.jit(lambda operator, u: Multigrid().cycle(operator)(operator(u)))(operator, u)
    np.testing.assert_allclose(back, u, rtol=0, atol=1e-6)


@jax.jit
def _single_and_double(operator, displacement, size):
    residual = operator(displacement)
    return MULTIGRID(operator)(size * residual), size * MULTIGRID.cycle(operator)(residual)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-30, 1.0, 1e30])
def test_multigrid_works_in_single_precision(size):
    """Of residuals of any size it gives the cycle in float64 to the rounding of float32, and nothing of nothing."""
    operator = _operator("isotropic", "octant_3")
    found, expected = _single_and_double(operator, _free(operator, 3), size)
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert size == 0 or not np.array_equal(found, expected)


def test_multigrid_moves_no_cell_as_a_whole():
    """Of a periodic cell: the mean of its answer, weighted with the moduli around each node, is zero, also where the
    forces have a resultant. CG would lengthen such a translation without end."""
    shape = (4, 4, 4)
    operator = _operator("void", "periodic", shape)
    forces = jax.device_put(0.5 + np.random.default_rng(3).normal(size=(3, *shape)))
    found = np.asarray(jax.jit(lambda operator, forces: Multigrid()(operator)(forces))(operator, forces))
    weight = cells.islands(shape)
    for axis in range(3):
        weight = weight + np.roll(weight, 1, axis)
    moved = (weight * found).sum((1, 2, 3))
    assert np.abs(found).max() > 0
    assert np.abs(moved).max() <= 1e-12 * (weight * np.abs(found)).sum()


def test_fft_refuses_a_clamped_block():
    operator = _operator("isotropic", "clamped", (4, 4, 4))
    with pytest.raises(ValueError, match="Argument `preconditioner` must be multigrid for a clamped block"):
        JacobiFFT()(operator)


def test_fft_along_mirrors_and_periods():
    """Of a homogeneous grid it is the inverse for any mix of the two; translations along a period are left out."""
    one = jnp.ones((5, 4, 3))
    for kinds in (("mirror", "periodic", "periodic"), ("periodic", "mirror", "mirror")):
        even = tuple(jnp.arange(3) != axis if kind == "mirror" else None for axis, kind in enumerate(kinds))
        operator = Stiffness(IsotropicField(0.6 * one, 0.4 * one), jnp.asarray(SPACING), Block(kinds, even))
        u = _free(operator)
        # Nodes on a mirror belong half to the other side.
        weight = np.ones(operator.nodes)
        for axis, kind in enumerate(kinds):
            if kind == "mirror":
                np.moveaxis(weight, axis, 0)[[0, -1]] *= 0.5
        loose = np.array(kinds) == "periodic"
        u = u - (loose * (u * weight).sum((1, 2, 3)) / weight.sum())[:, None, None, None]
        np.testing.assert_allclose(_there_and_back(operator, u), u, rtol=0, atol=1e-12)
