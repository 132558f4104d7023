"""Cells of cubic, general and a user's own moduli, against the oracle; and what is no material field."""

from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.fem import CubicField, GeneralField, IsotropicField
from tests import example_cells as cells
from tests import reference
from tests.arguments import refuses
from tests.fem.problems import FIELDS, transversely_isotropic
from tests.homogenization.problems import BRICK, EXACT, SOLID
from tests.homogenization.test_symmetry import cubic_octant

MAKE = {**FIELDS, "own": transversely_isotropic}
SHAPE = (4, 4, 4)


def _c(field, **options):
    h = jm.homogenize(field, residual=EXACT, throw=False, **options)
    assert h.result == 0
    return np.asarray(h.stiffness)


@pytest.mark.parametrize(
    ("name", "shape"), [("isotropic", (4, 3, 5)), ("cubic", (4, 3, 5)), ("general", (4, 3, 5)), ("own", (8, 8, 8))]
)
def test_fields_against_the_oracle(name, shape):
    """All 21 constants; the last by multigrid on two grids."""
    field, moduli = MAKE[name](shape)
    expected = reference.homogenize(moduli, spacing=BRICK).stiffness
    np.testing.assert_allclose(_c(field, spacing=BRICK), expected, rtol=0, atol=1e-10)


def test_tensors_and_densities_are_fields():
    """Tensors as an array, also in the other byte order; and the moduli of a density in place of it."""
    field, moduli = MAKE["general"](SHAPE)
    expected = _c(field)
    np.testing.assert_allclose(_c(moduli.astype(">f8")), expected, rtol=0, atol=1e-12)
    density = np.random.default_rng(0).uniform(size=SHAPE)
    by_hand = jm.homogenization.material_field(jnp.asarray(density), SOLID, jm.SIMP(3.0, 0.1), None)
    expected = _c(density, solid=SOLID, interpolation=jm.SIMP(3.0, 0.1))
    np.testing.assert_allclose(_c(by_hand), expected, rtol=0, atol=1e-14)


def test_units_and_precision_are_those_of_the_field():
    field, moduli = MAKE["cubic"](SHAPE)
    scaled = jm.homogenize(field.map(lambda m: (2e11 * m).astype(jnp.float32)), tolerance=1e-6)
    assert scaled.stiffness.dtype == jnp.float32
    expected = reference.homogenize(moduli).stiffness
    np.testing.assert_allclose(scaled.stiffness / 2e11, expected, rtol=0, atol=1e-5)


def test_octant_of_general_moduli():
    """The mirror images of an octant hold the mirror images of its tensors."""
    shape = (3, 4, 2)
    field, moduli = MAKE["general"](shape)
    whole = moduli
    for axis in range(3):
        mirror = np.eye(3)
        mirror[axis, axis] = -1
        whole = np.concatenate([whole, np.flip(reference.rotate(whole, mirror), axis)], axis)
    expected = reference.homogenize(whole, spacing=BRICK).stiffness
    np.testing.assert_allclose(_c(field, symmetry="mirror", spacing=BRICK), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["isotropic", "cubic"])
def test_cubic_octants(kind):
    fields = [0.5 + jnp.asarray(cubic_octant(3, seed)) for seed in range(3)]
    if kind == "isotropic":
        field = IsotropicField(*fields[:2])
        other = CubicField(fields[0] + 2 * fields[1], fields[0], fields[1])
    else:
        field = other = CubicField(fields[0] + fields[1], fields[1], fields[2])
    whole = _c(other.map(jm.symmetry.unfold))
    np.testing.assert_allclose(_c(field, symmetry="cubic"), whole, rtol=0, atol=1e-10)


# --- derivatives -----------------------------------------------------------------------------------------------------

WEIGHTS = np.random.default_rng(0).normal(size=(6, 6))


@cache
def _functional():
    def value(moduli):
        field = GeneralField.from_matrix(0.5 * (moduli + jnp.swapaxes(moduli, -1, -2)))
        h = jm.homogenize(field, spacing=BRICK, residual=EXACT, throw=False, preconditioner="fft")
        return jnp.sum(jnp.asarray(WEIGHTS) * h.stiffness)

    return jax.jit(jax.grad(value)), jax.jit(lambda m, d: jax.jvp(jax.grad(value), (m,), (d,))[1])


def _exact_gradient(moduli):
    """w_ij dC_ij = w_ij ⟨ε_iᵀ dC ε_j⟩ with the oracle's strains at the Gauss points, symmetric in the tensor."""
    strain = reference.homogenize(moduli, spacing=BRICK).strain
    slope = np.einsum("ij,xyzgpi,xyzgqj->xyzpq", WEIGHTS, strain, strain) / (8 * np.prod(moduli.shape[:3]))
    return 0.5 * (slope + np.swapaxes(slope, -1, -2))


def test_first_and_second_derivatives_by_every_tensor():
    moduli = cells.stiffness_field(SHAPE, 3)
    change = cells.stiffness_field(SHAPE, 4) - moduli
    gradient, product = _functional()
    np.testing.assert_allclose(gradient(moduli), _exact_gradient(moduli), rtol=0, atol=1e-11)
    f = [_exact_gradient(moduli + k * 4e-3 * change) for k in (-2, -1, 1, 2)]
    difference = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * 4e-3)
    np.testing.assert_allclose(product(moduli, change), difference, rtol=0, atol=1e-7 * np.abs(difference).max())


def test_gradients_by_a_users_own_field():
    """By moduli of every voxel, and by a factor that all voxels share, of which C is a multiple."""
    field, _ = MAKE["own"](SHAPE)
    value, pulled = jax.value_and_grad(lambda f: jm.homogenize(f, tolerance=1e-9).stiffness[0, 2])(field)
    np.testing.assert_allclose(pulled.factor, value / field.factor, rtol=1e-6)
    along = sum(jnp.vdot(m, g) for m, g in zip(field.moduli, pulled.moduli, strict=True))
    np.testing.assert_allclose(along, value, rtol=1e-6)


# --- what is no material field ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unregistered:
    """All that is asked of a field but for the pytree."""

    field: IsotropicField

    def map(self, function):
        return Unregistered(self.field.map(function))

    def stress(self, strain):
        return self.field.stress(strain)

    @property
    def diagonal(self):
        return self.field.diagonal


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ByRatio(Unregistered):
    """Young's modulus and Poisson's ratio in every voxel: their mean is not the mean of the stiffness."""

    young: jax.Array
    poisson: jax.Array

    def map(self, function):
        return ByRatio(self.field, function(self.young), function(self.poisson))

    @property
    def diagonal(self):
        lmbda, mu = jm.Isotropic.from_lame(1.0, 1.0).lame
        modulus = self.young * (1 - self.poisson)
        return (modulus * lmbda,) * 3 + (modulus * mu,) * 3


ONE = jnp.ones(SHAPE)
SOUND = IsotropicField(ONE, ONE)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "field",
    [
        Unregistered(SOUND),
        ByRatio(SOUND, ONE, 0.3 * ONE),
        IsotropicField(ONE, jnp.ones((4, 4, 1))),
        IsotropicField(ONE, 1.0),
        IsotropicField(ONE[0], ONE[0]),
        IsotropicField(ONE, -ONE),
        IsotropicField(-0.7 * ONE, ONE),
        CubicField(ONE, 1.1 * ONE, ONE),
        CubicField(ONE, -0.6 * ONE, ONE),
        IsotropicField(ONE.at[1, 2, 3].set(jnp.nan), ONE),
        IsotropicField(ONE, ONE.astype(jnp.float16)),
        IsotropicField(ONE, np.ones(SHAPE, complex)),
        IsotropicField(ONE, np.ones(SHAPE, object)),
        np.triu(np.ones((*SHAPE, 6, 6))),
        -np.eye(6) * np.ones((*SHAPE, 1, 1)),
        np.full((*SHAPE, 6, 6), np.inf),
        np.ones((*SHAPE, 3, 3)),
    ],
    ids=lambda field: type(field).__name__,
)
def test_no_material_field(field):
    refuses("density", jm.homogenize, field)


@pytest.mark.usefixtures("unchecked")
def test_what_a_field_leaves_no_room_for():
    refuses("solid", jm.homogenize, SOUND, SOLID)
    refuses("interpolation", lambda: jm.homogenize(SOUND, interpolation=jm.SIMP()))
    refuses("background", lambda: jm.homogenize(SOUND, background=SOLID))
    refuses("density", lambda: jm.homogenize(MAKE["general"](SHAPE)[0], symmetry="cubic"))
    refuses("density", lambda: jm.homogenize(IsotropicField(ONE, ONE.at[0, 0, 1].set(2.0)), symmetry="cubic"))
    refuses("density", lambda: jm.homogenize(IsotropicField(ONE[:2], ONE[:2]), symmetry="cubic"))
