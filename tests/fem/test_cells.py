"""The kernels of a CPU against the plain expressions of the same operations, their derivatives, and batches."""

import itertools
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxmeta as jm
from jaxmeta.fem import _blocks, _form, _transfer, _voxel_ops
from jaxmeta.fem._cells import of_cells
from jaxmeta.fem._corners import corners
from jaxmeta.fem._kernel import element_strains
from jaxmeta.fem.cpu import _code
from jaxmeta.fem.cpu._code import CODE, KERNELS, MADE, hash_of_sources

SMALL = [(1, 1, 2), (2, 3, 4), (5, 4, 7)]
LARGE = [(20, 16, 18), (3, 2, 150)]
CASES = [(shape, "float64") for shape in SMALL + LARGE] + [(shape, "float32") for shape in LARGE]
ELSEWHERE = [((2, 3, 4), "float64"), ((20, 16, 18), "float64")]
"""Of isotropic voxels around an axis, and in single precision."""
EVEN = [(2, 4, 6), (20, 16, 34), (2, 2, 150)]
TOLERANCE = {"float32": 2e-6, "float64": 5e-15}
MIXED = {
    "around x": (True, False, False),
    "around y and z": (False, True, True),
    "around x and z": (True, False, True),
}
PERIODIC, BLOCK = (True, True, True), (False, False, False)
ENDS = {"periodic": PERIODIC, "block": BLOCK, **MIXED}
"""Which axes are periodic."""
CONSTANTS = {"isotropic": 2, "cubic": 3, "general": 21}
UPPER = [(i, j) for i in range(6) for j in range(i, 6)]
CALLS = re.compile(r"custom_call @([\w.]+)")


@pytest.fixture(autouse=True)
def _matrices(monkeypatch):
    """The plain expressions in the form that compiles sooner; test_operator.py compares the two forms."""
    monkeypatch.setattr(_form, "FEW_VOXELS", 10**9)


def number_of_nodes(elements, periodic):
    """One more than elements, but for an axis that is periodic."""
    return tuple(n if around else n + 1 for n, around in zip(elements, periodic, strict=True))


def random(shape, dtype, seed):
    """By NumPy, as all that is made of it: every shape would be a program of JAX."""
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype)


def moduli(constants, shape, dtype, cells=1):
    """Constants of isotropic, cubic or general voxels, all different, of a stiffness that is positive."""
    values = [random((cells, *shape), dtype, 30 + k) for k in range(constants)]
    if constants == 21:
        return [3 + v if i == j else 0.5 * v for v, (i, j) in zip(values, UPPER, strict=True)]
    return [2.0 * (constants - k) + v for k, v in enumerate(values)]


def elements(shape, nodes, dtype, cells=1, constants=2):
    """Displacement, spacing, macroscopic strain and moduli of some cells that share the spacing."""
    u, macro = random((cells, 3, *nodes), dtype, 0), random((cells, 6), dtype, 3)
    return u, np.array([[1.0, 1.5, 0.7]], dtype), macro, *moduli(constants, shape, dtype, cells)


def inverse_operands(shape, nodes, dtype, held, constants=2):
    """The spacing, the free components, the damping, and moduli with void among them."""
    _, spacing, _, *full = elements(shape, shape, dtype, 1, constants)
    solid = (random((1, *shape), dtype, 6) > -0.5).astype(dtype)
    free = (random((1, 3, *nodes), dtype, 7) > -0.5).astype(dtype) if held else np.ones((1, 3, 1, 1, 1), dtype)
    return spacing, free, np.array([0.6], dtype), *(modulus * solid for modulus in full)


def agree(*cases):
    """Operations with their plain expressions, operands, tolerances and what is said to them: two programs in all."""

    def made(every):
        return [case[0].bind(*operands, **case[4]) for case, operands in zip(cases, every, strict=True)]

    def plain(every):
        return [of_cells(case[1])(*operands, **case[4]) for case, operands in zip(cases, every, strict=True)]

    every = [case[2] for case in cases]
    results = zip(cases, jax.jit(made)(every), jax.jit(plain)(every), strict=True)
    for (_, _, _, tolerance, _), actual, expected in results:
        assert_close(actual, expected, tolerance)


def assert_close(actual, expected, tolerance):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * float(np.abs(expected).max()))
    assert float(np.abs(expected).max()) > 0


@pytest.mark.parametrize(
    ("field", "shape", "dtype", "kind"),
    [("isotropic", *case, kind) for kind in ("periodic", "block") for case in CASES if case not in ELSEWHERE]
    + [("isotropic", shape, "float64", kind) for kind, shape in zip(MIXED, SMALL, strict=True)]
    + [("isotropic", (3, 2, 150), "float64", "around y and z")]
    + [(field, (3, 2, 150), dtype, "block") for field in ("cubic", "general") for dtype in TOLERANCE]
    + [("cubic", (2, 3, 4), "float64", kind) for kind in ENDS]
    + [("general", (2, 3, 4), "float64", kind) for kind in ("periodic", "around x and z")],
)
def test_forces_residuals_and_sweeps(field, shape, kind, dtype):
    said = {"periodic": ENDS[kind]}
    nodes = number_of_nodes(shape, ENDS[kind])
    operands = elements(shape, nodes, dtype, 1, CONSTANTS[field])
    given, full = operands[:3], operands[3:]
    load, blocks = random((1, 3, *nodes), dtype, 4), random((1, 6, *nodes), dtype, 5)
    inverses = inverse_operands(shape, nodes, dtype, kind != "periodic", CONSTANTS[field])
    rounding = TOLERANCE[dtype]
    agree(
        (_voxel_ops._FORCE, _voxel_ops._plain_force, operands, rounding, said),
        (_voxel_ops._RESIDUAL, _voxel_ops._plain_residual, (*given, load, *full), rounding, said),
        (_voxel_ops._SWEEP, _voxel_ops._plain_sweep, (*given, load, blocks, *full), rounding, said),
        (_blocks._PRODUCT, _blocks.plain_product, (blocks, load), rounding, {}),
        (_blocks._INVERSES, _blocks._plain_inverses, inverses, 4 * rounding, said),
    )


def test_held_components_of_a_single_node():
    """A period of one voxel: the mask of its only node is no mask of all nodes at once."""
    operands = list(inverse_operands((1, 1, 1), (1, 1, 1), "float64", True))
    operands[1] = np.array([1.0, 0.0, 1.0]).reshape(1, 3, 1, 1, 1)
    said = {"periodic": (True, True, True)}
    agree((_blocks._INVERSES, _blocks._plain_inverses, operands, 1e-14, said))
    assert float(np.abs(_blocks._INVERSES.bind(*operands, **said)[0, 1]).max()) == 0


@pytest.mark.parametrize(
    ("field", "shape", "dtype"),
    [
        ("isotropic", (1, 1, 2), "float64"),
        ("isotropic", (20, 16, 18), "float32"),
    ]
    + [(field, *case) for field in CONSTANTS for case in (((5, 4, 7), "float64"), ((3, 2, 150), "float32"))],
)
def test_energies_and_slopes(field, shape, dtype):
    loads = 4
    _, spacing, _, *full = elements(shape, shape, dtype, 1, CONSTANTS[field])
    u = random((1, loads, 3, *(n + 1 for n in shape)), dtype, 0)
    given = (u, spacing, random((1, loads, 6), dtype, 3))
    weights = random((1, loads, loads), dtype, 4)
    agree(
        (_voxel_ops._ENERGIES, _voxel_ops._plain_energies, (*given, *full), TOLERANCE[dtype], {}),
        (_voxel_ops._SLOPES, _voxel_ops._plain_slopes, (*given, weights, *full), TOLERANCE[dtype], {}),
    )


@pytest.mark.parametrize(
    ("shape", "dtype", "kind"),
    [(*case, kind) for kind in ("periodic", "block") for case in itertools.product(EVEN, ["float32", "float64"])]
    + [((2, 4, 6), "float64", kind) for kind in MIXED],
)
def test_transfers(shape, kind, dtype):
    fine = random((1, 3, *number_of_nodes(shape, ENDS[kind])), dtype, 0)
    coarse = random((1, 3, *number_of_nodes([n // 2 for n in shape], ENDS[kind])), dtype, 1)
    said = {"periodic": ENDS[kind]}
    agree(
        (_transfer._RESTRICT, _transfer._plain_restrict, (fine,), TOLERANCE[dtype], said),
        (_transfer._CORRECT, _transfer._plain_correct, (coarse, fine), TOLERANCE[dtype], said),
    )


def stiffness(*full):
    """C of every voxel, (6, 6, voxels)."""
    full = [modulus.reshape(1, 1, -1) for modulus in full]
    if len(full) == 21:
        upper = jnp.zeros((6, 6, full[0].size)).at[tuple(np.transpose(UPPER))].set(jnp.concatenate(full)[:, 0])
        return jnp.where(jnp.tri(6, dtype=bool).T[:, :, None], upper, upper.transpose(1, 0, 2))
    c11, c12, c44 = full if len(full) == 3 else (full[0] + 2 * full[1], full[0], full[1])
    bulk = jnp.zeros((6, 6, 1)).at[:3, :3].set(1)
    normal, shear = (jnp.diag(jnp.array(on))[:, :, None] for on in ([1.0] * 3 + [0.0] * 3, [0.0] * 3 + [1.0] * 3))
    return bulk * c12 + normal * (c11 - c12) + shear * c44


def by_matrices(u, spacing, macros, *full):
    """Energies G by the strain matrices of a voxel, of loads on all corners: short, and quickly compiled."""
    weights, strains = element_strains(spacing)
    values = jnp.stack([corners(load).reshape(24, -1) for load in u])  # (loads, 24, voxels)
    e = jnp.einsum("kia,lav->lkiv", strains, values).at[:, 0].add(macros[:, :, None])
    return jnp.einsum("k,lkiv,ijv,mkjv->lm", jnp.asarray(weights), e, stiffness(*full), e)


def scalars():
    """Functions of (u, spacing, macro, weights, moduli) by name: with the operations, and by matrices."""
    test = random((3, 5, 4, 6), "float64", 9)
    loads = random((2, 3, 5, 4, 6), "float64", 8)

    def force(f):
        return lambda u, h, e, w, full: (test * f(u, h, e, *full)).sum()

    def plain_force(u, h, e, *full):
        energy = lambda u: by_matrices(u[None], h, e[None], *full)[0, 0]  # noqa: E731
        return 0.5 * h.prod() * jax.grad(energy)(u)

    def energies(g):
        return lambda u, h, e, w, full: (w * g(loads * u.sum(), h, jnp.stack([e, 2 * e]), *full)).sum()

    def slopes(s):
        return lambda u, h, e, w, full: (s(loads * u.sum(), h, jnp.stack([e, e**2]), w, *full) * jnp.stack(full)).sum()

    def plain_slopes(u, h, e, w, *full):
        return jnp.stack(jax.grad(lambda m: (w * by_matrices(u, h, e, *m)).sum())(full))

    def one(made, **said):
        return lambda *operands: made.bind(*(o[None] for o in operands), **said)[0]

    i = _voxel_ops
    return {
        "force": (force(one(i._FORCE, periodic=BLOCK)), force(plain_force)),
        "energies": (energies(one(i._ENERGIES)), energies(by_matrices)),
        "slopes": (slopes(one(i._SLOPES)), slopes(plain_slopes)),
    }


@pytest.mark.parametrize("constants", CONSTANTS.values(), ids=CONSTANTS)
@pytest.mark.parametrize("name", ["force", "energies", "slopes"])
def test_derivatives_are_those_of_sums_over_matrices(name, constants):
    """Gradients by every operand, and gradients of a derivative by displacement, moduli and weights."""
    ours, plain = scalars()[name]
    u, spacing, macro, *full = (o[0] for o in elements((4, 3, 5), (5, 4, 6), "float64", 1, constants))
    point = (u, spacing, macro, random((2, 2), "float64", 4), tuple(full))
    direction = jax.tree.map(lambda x: random(x.shape, "float64", 20 + x.size), point)

    # With spacing and strain of forces alone: of energies and slopes their second derivatives are large programs.
    along = range(5) if name == "force" else (0, 3, 4)

    def slope(f):
        def of(*point):
            moved = lambda *some: f(*(dict(enumerate(point)) | dict(zip(along, some, strict=True))).values())  # noqa: E731
            return jax.jvp(moved, [point[k] for k in along], [direction[k] for k in along])[1]

        return of

    # By the spacing and the like the derivative is that of the plain expressions, which are the same for all moduli.
    first = range(5) if constants == 2 else (0, 3, 4) if name == "force" else (3, 4)
    for make, operands in ((lambda f: f, first), (slope, (0, 3, 4)))[: 2 if constants == 2 else 1]:
        actual, expected = (jax.jit(jax.grad(make(f), tuple(operands)))(*point) for f in (ours, plain))
        for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * (1 + float(np.abs(b).max())))
        assert sum(float(np.abs(x).max()) > 0 for x in jax.tree.leaves(expected)) >= 2


@pytest.mark.parametrize("kind", ["periodic", "around y and z"])
def test_derivatives_of_forces_around_an_axis(kind):
    """By displacement, moduli, spacing and strain: those of the plain expression."""
    said = {"periodic": ENDS[kind]}
    point = elements((2, 3, 4), number_of_nodes((2, 3, 4), ENDS[kind]), "float64")
    test = random(point[0].shape, "float64", 9)
    actual, expected = (
        jax.jit(jax.grad(lambda *o, f=f: (test * f(*o, **said)).sum(), argnums=tuple(range(len(point)))))(*point)
        for f in (_voxel_ops._FORCE.bind, of_cells(_voxel_ops._plain_force))
    )
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 * float(np.abs(b).max()))
        assert float(np.abs(b).max()) > 0.1


@pytest.mark.parametrize(
    ("axes", "constants"),
    [(axes, 2) for axes in itertools.product([0, None], repeat=2)] + [((None, 0), 3), ((0, None), 21)],
    ids=str,
)
def test_a_batch_is_one_call_of_more_cells(axes, constants):
    """Nested batches in which displacement and moduli vary along one, both or none of the axes."""
    outer, inner = axes
    u = random((*(2 for a in axes if a == 0), 3, 4, 3, 5), "float64", 0)
    mu = 1 + random((3, 2, 4, 3, 5), "float64", 1)
    macro = random((6,), "float64", 2)
    spacing = jnp.ones(3)

    def force(f, u, mu):
        one = lambda u, mu: f(u, spacing, macro, *(k * mu for k in range(constants)))  # noqa: E731
        if outer == 0 and inner == 0:
            return jax.vmap(jax.vmap(one, (0, 0)), (None, 0))(u[0], mu)
        if outer == 0:
            return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(u, mu[0])
        if inner == 0:
            return jax.vmap(jax.vmap(one, (0, 0)), (None, 0))(u, mu)
        return jax.vmap(jax.vmap(one, (None, 0)), (None, 0))(u, mu)

    made = lambda *operands: _voxel_ops._FORCE.bind(*(o[None] for o in operands), periodic=PERIODIC)[0]  # noqa: E731
    plain = partial(_voxel_ops._plain_force, periodic=PERIODIC)
    actual, expected = jax.jit(lambda u, mu: (force(made, u, mu), force(plain, u, mu)))(u, mu)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-13)


def test_inverses_of_several_boundaries_and_cells():
    """Cells with a damping of their own, and in each of them loads with held components of their own."""
    full = moduli(2, (4, 3, 5), "float64", cells=2)
    free = (random((3, 3, 5, 4, 6), "float64", 3) > -0.5).astype("float64")
    spacing, damping = jnp.array([1.0, 1.5, 0.7]), jnp.array([0.5, 0.6])

    def inverses(f, free, damping, *full):
        of_loads = jax.vmap(lambda free, w, *full: f(spacing, free, w, *full), (0, None, None, None))
        return jax.vmap(of_loads, (None, 0, 0, 0))(free, damping, *full)

    made = lambda *operands: _blocks._INVERSES.bind(*(o[None] for o in operands), periodic=BLOCK)[0]  # noqa: E731
    plain = partial(_blocks._plain_inverses, periodic=BLOCK)
    actual, expected = jax.jit(lambda *given: (inverses(made, *given), inverses(plain, *given)))(free, damping, *full)
    assert actual.shape == (2, 3, 6, 5, 4, 6)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-13)


def test_threads_share_a_grid_without_a_seam():
    """So many planes that every thread has several shares, again and again: the same numbers each time."""
    operands = elements((64, 16, 16), (64, 16, 16), "float64", cells=3)
    force = partial(_voxel_ops._FORCE.bind, periodic=PERIODIC)
    first = force(*operands)
    expected = jax.jit(partial(of_cells(_voxel_ops._plain_force), periodic=PERIODIC))(*operands)
    np.testing.assert_allclose(first, expected, rtol=0, atol=1e-13)
    for _ in range(50):
        np.testing.assert_array_equal(force(*operands), first)


@pytest.mark.parametrize("symmetry", ["none", "cubic"])
def test_other_devices_run_the_plain_expressions(symmetry):
    """C with its gradient, lowered for a GPU that need not be there, calls nothing of the CPU's."""

    def trace_of_stiffness(density):
        return jnp.trace(jm.homogenize(density, jm.Isotropic(1.0, 0.3), symmetry=symmetry, throw=False).stiffness)

    density = jax.ShapeDtypeStruct((16, 16, 16), jnp.float32)
    function = jax.jit(jax.value_and_grad(trace_of_stiffness))
    here = set(CALLS.findall(function.lower(density).as_text()))
    there = set(CALLS.findall(export.export(function, platforms=["cuda"])(density).mlir_module()))
    assert {call for call in here if call.startswith("jaxmeta_")}
    assert not there


def test_code_is_that_of_the_sources():
    """Otherwise: python -m jaxmeta.fem.cpu._build"""
    assert (CODE / MADE).read_text().splitlines()[0] == hash_of_sources()
    assert {file.stem for file in CODE.glob("*.bc")} == {f"{k}_{d}" for k in KERNELS for d in ("float32", "float64")}


def test_machine_code_is_kept(tmp_path, monkeypatch):
    """It is made once; made again if the file is damaged; and made each time where no file can be written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, machine = (CODE / "multigrid_float32.bc").read_bytes(), _code._machine()
    made = _code._object(code, machine)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    kept = file.read_bytes()
    assert kept.endswith(made)
    written = file.stat().st_mtime_ns
    assert _code._object(code, machine) == made
    assert file.stat().st_mtime_ns == written
    file.write_bytes(kept[:-1] + b"?")
    assert _code._object(code, machine) == made
    assert file.read_bytes() == kept
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert _code._object(code, machine) == made
