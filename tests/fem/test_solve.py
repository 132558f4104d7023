"""Blocks against the assembled reference, with first and second derivatives."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from tests import example_cells as cells
from tests import reference
from tests.arguments import ARRAYS, NO_NUMBERS, refuses
from tests.fem.problems import FIELDS, transversely_isotropic
from tests.programs import loops

SPACING = (1.0, 0.7, 1.2)


def _supports_and_loads(shape, seed=0):
    nodal = (*(n + 1 for n in shape), 3)
    supports = np.zeros(nodal, bool)
    supports[0] = True
    supports[-1, :, :, 1] = True
    loads = np.zeros(nodal)
    loads[-1] = np.random.default_rng(seed).standard_normal(nodal[1:])
    return supports, loads


@pytest.mark.parametrize("shape", [(7, 5, 3), (16, 8, 8), (9, 9, 9)])
@pytest.mark.parametrize("void", [1e-3, 1e-9])
def test_density_against_reference(shape, void):
    rho = np.random.default_rng(1).random(shape)
    supports, loads = _supports_and_loads(shape)
    exact = reference.clamped(
        void + (1 - void) * rho**3, supports, loads, reference.isotropic_young(1.0, 0.3), spacing=SPACING
    )
    u, compliance = exact.displacement, exact.compliance
    s = jm.fem.solve(
        rho, supports, loads, solid=jm.Isotropic(1.0, 0.3),
        interpolation=jm.SIMP(3.0, void), spacing=SPACING, residual=1e-12,
    )  # fmt: skip
    assert int(s.result) == 0
    np.testing.assert_allclose(float(s.compliance), compliance, rtol=1e-10)
    np.testing.assert_allclose(s.displacement, u, atol=1e-8 * np.abs(u).max())


def test_field_of_stiffness_tensors():
    shape = (4, 3, 4)
    field = cells.stiffness_field(shape, 3)
    supports, loads = _supports_and_loads(shape)
    u, compliance, *_ = reference.clamped(field, supports, loads, spacing=SPACING)
    s = jm.fem.solve(field, supports, loads, spacing=SPACING, residual=1e-12)
    np.testing.assert_allclose(float(s.compliance), compliance, rtol=1e-10)
    np.testing.assert_allclose(s.displacement, u, atol=1e-8 * np.abs(u).max())


# --- prescribed displacements, mirrors and periods -------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What the faces are, what fills the block, and whether supports are moved."""

    shape: tuple[int, int, int]
    faces: tuple
    field: str = "density"
    moved: bool = True

    @property
    def periodic(self):
        return tuple(face == "periodic" for face in self.faces)

    @property
    def nodal(self):
        return (*(n if p else n + 1 for n, p in zip(self.shape, self.periodic, strict=True)), 3)

    def mirrors(self):
        """Normal components on the mirrors."""
        held = np.zeros(self.nodal, bool)
        for axis, face in enumerate(self.faces):
            for end, name in zip((0, -1), face if isinstance(face, tuple) else (face, face), strict=True):
                if name == "mirror":
                    np.moveaxis(held, axis, 0)[end, ..., axis] = True
        return held

    def conditions(self):
        """Supports at random places, loads everywhere, also on held components, and displacements of the supports."""
        rng = np.random.default_rng(3)
        supports = rng.uniform(size=self.nodal) < 0.15
        loads = rng.normal(size=self.nodal)
        prescribed = np.where(supports & ~self.mirrors(), rng.normal(size=self.nodal), 0.0)
        return supports, loads, prescribed if self.moved else None

    def fields(self):
        """For `solve` and for the reference."""
        if self.field == "density":
            rho = np.random.default_rng(4).uniform(0.2, 1.0, self.shape)
            moduli = (0.1 + 0.9 * rho**3)[..., None, None] * reference.isotropic_young(1.0, 0.3)
            return (rho, {"solid": jm.Isotropic(1.0, 0.3), "interpolation": jm.SIMP(3.0, 0.1)}), moduli
        if self.field == "own":
            field, moduli = transversely_isotropic(self.shape)
        else:
            field, moduli = FIELDS[self.field](self.shape)
        return (field, {}), moduli


CASES = {
    "moved": Case((8, 4, 6), ("free", "free", "free")),
    "mirror": Case((4, 2, 3), ("mirror", ("mirror", "free"), ("free", "mirror")), field="general"),
    "period": Case((8, 8, 8), ("periodic", "periodic", "periodic"), field="own"),
    "all": Case((8, 4, 6), ("periodic", "mirror", "free"), field="cubic"),
    "all of a density": Case((4, 6, 8), ("mirror", "free", "periodic")),
    "at rest": Case((3, 4, 2), (("free", "mirror"), "periodic", "mirror"), field="own", moved=False),
}
"""The larger ones are solved on two or three grids."""


@pytest.mark.parametrize("name", CASES)
def test_against_reference(name):
    case = CASES[name]
    supports, loads, prescribed = case.conditions()
    (field, options), moduli = case.fields()
    exact = reference.clamped(
        moduli, supports | case.mirrors(), loads, spacing=SPACING, prescribed=prescribed, periodic=case.periodic
    )
    found = jm.fem.solve(
        field, supports, loads, spacing=SPACING, faces=case.faces, prescribed=prescribed, residual=1e-12, **options
    )
    assert int(found.result) == 0
    np.testing.assert_allclose(found.displacement, exact.displacement, atol=1e-9 * np.abs(exact.displacement).max())
    np.testing.assert_allclose(found.reactions, exact.reactions, atol=1e-9 * np.abs(exact.reactions).max())
    np.testing.assert_allclose([found.energy, found.compliance], [exact.energy, exact.compliance], rtol=1e-10)
    assert np.shape(found.stats.steps) == ((2,) if case.moved else ())


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_tolerance_is_that_of_the_energies(tolerance):
    """Relative to what is left: a thin block is sheared by its two ends, whose displacement alone would store much."""
    shape = (32, 4, 4)
    supports, prescribed = np.zeros((33, 5, 5, 3), bool), np.zeros((33, 5, 5, 3))
    supports[[0, -1]] = True
    prescribed[-1, ..., 2] = 1.0
    loads = np.zeros_like(prescribed)
    loads[16, ..., 1] = 1e-3
    exact = reference.clamped(
        np.ones(shape), supports, loads, reference.isotropic_young(1.0, 0.3), prescribed=prescribed
    )
    options = {"solid": jm.Isotropic(1.0, 0.3), "prescribed": prescribed, "tolerance": tolerance}
    found = jm.fem.solve(np.ones(shape), supports, loads, **options)
    np.testing.assert_allclose(found.energy, exact.energy, rtol=tolerance)
    np.testing.assert_allclose(found.compliance, exact.compliance, rtol=tolerance)
    assert float(found.energy) >= exact.energy * (1 - 1e-10)
    assert int(found.stats.steps[1]) < 25


SLOPES = [np.where(np.arange(3) == axis, 1.0, 1e300) for axis in range(3)]
GRADIENTS = jax.device_put(np.array([reference.strain_matrices(h) for h in SLOPES]))
"""Strain matrices of slopes along one axis each, of a voxel with unit edges."""


def moved(case, values):
    """What is prescribed, of the components that may be moved."""
    supports, *_ = case.conditions()
    may = jnp.asarray(supports & ~case.mirrors() & case.moved)
    return jnp.where(may, values["prescribed"], 0)


def dense(case, values):
    """Displacement, reactions, energy and compliance by a dense matrix, differentiable by JAX's own rules."""
    supports, *_ = case.conditions()
    held = (supports | case.mirrors()).ravel()
    free, fixed = np.flatnonzero(~held), np.flatnonzero(held)
    dofs = reference._dofs(np.argwhere(np.ones(case.shape, bool)), case.shape, case.periodic)
    h = values["spacing"]
    strain = jnp.einsum("agpi,a->gpi", GRADIENTS, 1 / h)
    base = jnp.asarray(reference.isotropic_young(1.0, 0.3))
    element = jnp.prod(h) / 8 * jnp.einsum("gpi,pq,gqj->ij", strain, base, strain)
    modulus = values["young"] * (0.1 + 0.9 * values["density"] ** 3).reshape(-1, 1, 1)
    k = jnp.zeros((len(held), len(held))).at[dofs[:, :, None], dofs[:, None, :]].add(modulus * element[None])
    force, given = values["loads"].ravel(), moved(case, values).ravel()
    found = jnp.linalg.solve(k[free][:, free], force[free] - k[free][:, fixed] @ given[fixed])
    u = jnp.zeros(len(held)).at[fixed].set(given[fixed]).at[free].set(found)
    reactions = jnp.zeros(len(held)).at[fixed].set((k @ u - force)[fixed])
    return u.reshape(case.nodal), reactions.reshape(case.nodal), 0.5 * u @ k @ u - force @ u, force @ u


def ours(case, values):
    supports, *_ = case.conditions()
    s = jm.fem.solve(
        values["density"],
        supports,
        values["loads"],
        solid=jm.Isotropic(values["young"], 0.3),
        interpolation=jm.SIMP(3.0, 0.1),
        spacing=values["spacing"],
        faces=case.faces,
        prescribed=values["prescribed"] if case.moved else None,  # in a trace what cannot be moved is left out
        residual=1e-13,
        throw=False,
    )
    return s.displacement, s.reactions, s.energy, s.compliance


def _number(outputs, share):
    """Depends on energy and compliance, and in a share on displacement and reactions."""
    u, r, energy, compliance = outputs
    weights = jax.device_put(np.random.default_rng(8).normal(size=(2, *u.shape)))
    nodal = jnp.sin(jnp.vdot(weights[0], u)) + jnp.vdot(weights[1], r) + compliance * energy
    return 0.3 * energy + 0.7 * compliance + share * nodal


@pytest.mark.parametrize("still", [pytest.param(False, marks=pytest.mark.slow), True])
def test_derivatives_against_a_dense_solve(still):
    """By field, loads, prescribed displacements, spacing and modulus: the gradient forward and back, of the energies
    alone and of everything that a solution holds; and its own derivative, where the solution has both its parts."""
    case = Case((3, 2, 2), ("free", "periodic", ("mirror", "free")), moved=not still)
    _, loads, _ = case.conditions()
    rng = np.random.default_rng(5)
    point = {
        "density": rng.uniform(0.3, 0.9, case.shape),
        "loads": loads,
        "prescribed": rng.normal(size=case.nodal),
        "spacing": np.array([1.0, 0.7, 1.2]),
        "young": np.array(1.7),
    }
    point = jax.device_put(point)
    change = {name: jax.device_put(rng.normal(size=value.shape)) for name, value in point.items()}

    def derivatives(solve):
        @jax.jit
        def of(point, change, share):
            function = lambda values: _number(solve(case, values), share)  # noqa: E731
            if still:
                return jax.jvp(function, (point,), (change,))[1], jax.grad(function)(point)
            (_, gradient), (slope, product) = jax.jvp(jax.value_and_grad(function), (point,), (change,))
            return slope, gradient, product

        return of

    ours_of, dense_of = derivatives(ours), derivatives(dense)
    for share in (0.0, 1.0):
        found, expected = ours_of(point, change, share), dense_of(point, change, share)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-9)
        for one, other in zip(found[1:], expected[1:], strict=True):
            for name in point:
                np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-8 * jnp.abs(other[name]).max())


def test_energies_have_gradients_without_a_further_solve():
    """As many loops of the solver for energy and compliance with their gradients as without."""
    case = CASES["all of a density"]
    supports, loads, prescribed = case.conditions()

    def energies(rho, loads, prescribed):
        s = jm.fem.solve(
            rho, supports, loads, solid=jm.Isotropic(1.0, 0.3), faces=case.faces, prescribed=prescribed, throw=False
        )
        return s.energy + s.compliance

    arguments = (jnp.ones(case.shape), loads, prescribed)
    assert loops(jax.value_and_grad(energies, (0, 1, 2)), *arguments) == loops(energies, *arguments) == 2


def test_a_batch_of_prescribed_displacements():
    """`vmap` over what is prescribed and over the field, each as on its own."""
    case = CASES["moved"]
    supports, loads, prescribed = case.conditions()
    fields = np.random.default_rng(0).uniform(0.2, 1.0, (2, *case.shape))

    def compliance(rho, prescribed):
        solid = jm.Isotropic(1.0, 0.3)
        return jm.fem.solve(rho, supports, loads, solid=solid, prescribed=prescribed, residual=1e-12).compliance

    moved = jax.device_put(np.stack([prescribed, -2 * prescribed]))
    batch = jax.jit(jax.vmap(compliance))(fields, moved)
    for k in range(2):
        np.testing.assert_allclose(batch[k], compliance(fields[k], moved[k]), rtol=1e-9)


def test_a_mirror_stands_for_the_other_half():
    """A block between mirrors, and the same unfolded along two axes, loaded by the mirrored loads."""
    shape = (4, 3, 3)
    rho = np.random.default_rng(0).uniform(0.3, 1.0, shape)
    loads = np.zeros((5, 4, 4, 3))
    loads[-1] = np.random.default_rng(1).normal(size=(4, 4, 3))
    supports = np.zeros((5, 4, 4, 3), bool)
    supports[0] = True
    solid = jm.Isotropic(1.0, 0.3)
    half = jm.fem.solve(rho, supports, loads, solid=solid, faces=("free", ("mirror", "free"), "free"), residual=1e-12)
    whole = np.concatenate([rho[:, ::-1], rho], 1)
    other = loads[:, :0:-1] * [1, -1, 1]
    middle = loads[:, :1] * [2, 0, 2]
    both = np.concatenate([other, middle, loads[:, 1:]], 1)
    held = np.concatenate([supports[:, :0:-1], supports], 1)
    exact = reference.clamped(0 * whole + 1e-9 + (1 - 1e-9) * whole**3, held, both, reference.isotropic_young(1.0, 0.3))
    np.testing.assert_allclose(half.displacement, exact.displacement[:, 3:], atol=1e-8)
    np.testing.assert_allclose(2 * half.compliance, exact.compliance, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": jnp.ones((4, 4))}, "Argument `field` must have shape"),
        ({"field": 2 * jnp.ones((4, 4, 4))}, "Argument `field` must lie in"),
        ({"solid": None}, "Argument `solid` must be given"),
        ({"supports": jnp.zeros((4, 4, 4, 3), bool)}, "Argument `supports` must have shape"),
        ({"loads": jnp.zeros((5, 5, 5))}, "Argument `loads` must have shape"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        _solve(**change)


def _at_the_origin(value):
    """Of the first component of the first node, which is held."""
    out = np.zeros((5, 5, 5, 3))
    out[0, 0, 0, 0] = value
    return out


def _solve(**change):
    supports, loads = _supports_and_loads((4, 4, 4))
    arguments = {"field": jnp.ones((4, 4, 4)), "supports": supports, "loads": loads, "solid": jm.Isotropic(1.0, 0.3)}
    arguments |= change
    return jm.fem.solve(arguments.pop("field"), arguments.pop("supports"), arguments.pop("loads"), **arguments)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("value", (NO_NUMBERS | ARRAYS).values(), ids=NO_NUMBERS | ARRAYS)
@pytest.mark.parametrize("name", ["tolerance", "residual", "max_steps", "spacing"])
def test_no_numbers(name, value):
    refuses(name, lambda: _solve(**{name: (1.0, value, 1.0) if name == "spacing" else value}))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("solid", {"solid": jm.Isotropic(np.array([1.0]), 0.3)}),
        ("solid", {"solid": jm.Isotropic(1.0, np.full((4, 4, 4), 0.3))}),
        ("solid", {"solid": 1.0}),
        ("interpolation", {"interpolation": jm.SIMP(np.full(4, 3.0), 1e-9)}),
        ("interpolation", {"interpolation": "SIMP"}),
        ("solid", {"field": np.ones((4, 4, 4, 6, 6))}),
        ("interpolation", {"field": np.ones((4, 4, 4, 6, 6)), "solid": None, "interpolation": jm.SIMP()}),
        ("field", {"field": np.ones((4, 4, 4), object)}),
        ("field", {"field": np.full((4, 4, 4), np.nan)}),
        ("supports", {"supports": np.full((5, 5, 5, 3), 0.5)}),
        ("supports", {"supports": None}),
        ("loads", {"loads": np.full((5, 5, 5, 3), np.nan)}),
        ("loads", {"loads": np.full((5, 5, 5, 3), 1j)}),
        ("spacing", {"spacing": (1.0, -1.0, 1.0)}),
        ("spacing", {"spacing": 1.0}),
        ("faces", {"faces": "free"}),
        ("faces", {"faces": ("free", "free")}),
        ("faces", {"faces": ("free", "free", "clamped")}),
        ("faces", {"faces": ("free", "free", ("periodic", "free"))}),
        ("faces", {"faces": ("free", "free", ("free", "free", "free"))}),
        ("faces", {"faces": ("free", "free", None)}),
        ("faces", {"faces": ("free", "free", 1)}),
        ("supports", {"faces": ("free", "free", "periodic")}),
        ("prescribed", {"prescribed": np.zeros((5, 5, 5))}),
        ("prescribed", {"prescribed": np.ones((5, 5, 5, 3))}),
        ("prescribed", {"prescribed": np.full((5, 5, 5, 3), np.inf)}),
        ("prescribed", {"prescribed": 1.0}),
        ("prescribed", {"prescribed": _at_the_origin(1.0), "faces": ("mirror", "free", "free")}),
    ],
)
def test_arguments_of_another_kind(name, change):
    refuses(name, lambda: _solve(**change))


@pytest.mark.usefixtures("unchecked")
def test_arguments_in_other_forms():
    """Truth values as 0 and 1, either byte order, whole numbers."""
    supports, loads = _supports_and_loads((4, 4, 4))
    expected = _solve(residual=1e-12)
    given = {"field": np.ones((4, 4, 4), ">i2"), "supports": supports.astype(np.uint8), "loads": loads.astype(">f8")}
    found = _solve(**given, residual=np.float32(1e-12), spacing=np.ones(3, int))
    np.testing.assert_allclose(found.displacement, expected.displacement, rtol=0, atol=1e-9)
