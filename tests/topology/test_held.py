"""Voxels that are held void or solid: in the density, in its gradient, in the cell, in the volume."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import geometry
from jaxmeta.topology import MMA, DensityFilter, Design, Facts, Heaviside
from jaxmeta.topology._binary import binarize
from jaxmeta.topology._held import Held

SOLID = jm.Isotropic(1.0, 0.3)
SHARP = jm.Continuation(1.0, 4.0, 3, 16.0)
N = 6


def masks(symmetry, kind):
    """A slot of one layer or its planes in a cubic octant, and one voxel far from everything else."""
    void, solid = np.zeros((2, N, N, N), bool)
    if kind != "solid":
        void[2] = True
    if kind != "void":
        solid[4, 4, 4] = True
    if symmetry == "cubic" and kind != "solid":
        void[:, 2] = void[:, :, 2] = True
    return void, solid


def test_held_voxels_are_held_in_all_that_is_handed_back():
    _held_voxels_are_held("none", "solid", 0.0, 2.0)


@pytest.mark.slow
def test_held_voxels_of_octants_are_held_in_all_that_is_handed_back():
    _held_voxels_are_held("mirror", "void", 0.0, 2.0)
    _held_voxels_are_held("cubic", "both", 0.2, 3.0)


def _held_voxels_are_held(symmetry, kind, erosion, radius):
    void, solid = masks(symmetry, kind)
    start = geometry.trigonometric(jax.random.key(1), (N, N, N), symmetry=symmetry, volume_fraction=0.4)
    d = jm.optimize(
        jm.objectives.maximize_bulk(), start, solid=SOLID, volume_fraction=0.4, symmetry=symmetry, erosion=erosion,
        filter_radius=radius, max_steps=6, projection=SHARP, passive=(void, solid),
    )  # fmt: skip
    density = np.asarray(d.density)
    assert (density[void] == 0).all() and (density[solid] == 1).all()
    cell = d.cell if symmetry == "none" else np.asarray(jm.symmetry.fold(d.cell))
    assert (cell[void] == 0).all() and (cell[solid] == 1).all()
    # The optimiser knew: its volume is that of the density with these voxels.
    np.testing.assert_allclose(d.history["volume_fraction"][-1], density.mean(), rtol=1e-12)
    assert density.mean() < 0.401
    # What is told of the cell is told of this one.
    h = jm.homogenize(jnp.asarray(d.cell), SOLID, interpolation=jm.SIMP(1.0, 1e-9), residual=1e-9)
    np.testing.assert_allclose(d.stiffness, h.stiffness, atol=1e-6)
    assert d.report["connected"] == geometry.is_connected(d.cell, periodic=True) == (d.report["held_apart"] == 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("symmetry", ["none", "mirror", "cubic"])
def test_the_cut_is_among_the_free_voxels(symmetry, seed):
    """All held voxels as they are held, and as many solid ones as were asked for, for any fields and masks."""
    rng = np.random.default_rng(seed)
    density, share = rng.uniform(size=(N, N, N)), (0.05, 0.3, 0.45, 0.0)[seed]
    draw = rng.uniform(size=(N, N, N))
    if symmetry == "cubic":
        density, draw = (np.asarray(jm.symmetry.permute_average(jnp.asarray(field))) for field in (density, draw))
    void, solid = draw > 0.8, draw < share
    fraction = max(0.5, solid.mean())
    held = Held.of((void, solid), density.shape, symmetry, fraction)
    found = binarize(held(jnp.asarray(density)), fraction, symmetry, held)
    cell = found.density
    assert (cell[void] == 0).all() and (cell[solid] == 1).all()
    everything, everywhere = cell, solid
    if symmetry != "none":
        everything, everywhere = (np.asarray(jm.symmetry.unfold(part)) for part in (cell, solid))
    removed = found.islands_removed / everything.size
    orbit = 6 if symmetry == "cubic" else 1
    assert abs(cell.mean() + removed - fraction) <= orbit / density.size
    # The free voxels are cut at one level, and what is missing of them hangs on nothing.
    free, whole = ~(void | solid), np.asarray(held(jnp.asarray(density)))
    out = whole[free & (cell == 0)]
    assert removed > 0 or out.max(initial=0) < whole[free & (cell == 1)].min(initial=1)
    parts, count = geometry.label(everything, periodic=True)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    assert all(everywhere[parts == k].any() for k in range(1, count + 1) if sizes[k - 1] < sizes.max())
    assert found.held_apart == sizes[sizes < sizes.max()].sum()


def test_solid_that_hangs_on_nothing_stays_and_is_told():
    void, solid = np.zeros((2, N, N, N), bool)
    solid[0], solid[3, 3, 3] = True, True
    void[1], void[5], void[3, :2] = True, True, True
    void[2:5] |= np.abs(np.indices((3, N, N)) - np.array([1, 3, 3])[:, None, None, None]).sum(0) == 1
    density = jnp.where(jnp.asarray(void), 0.0, 0.1)
    held = Held.of((void, solid), void.shape, "none", 0.5)
    found = binarize(held(density), solid.mean(), "none", held)
    assert (found.islands_removed, found.held_apart, int(found.density.sum())) == (0, 1, 37)


def test_gradients_with_held_voxels():
    """Held voxels do not answer to their neighbours, in values, gradients and what is told."""
    void, solid = masks("mirror", "both")
    held = Held.of((void, solid), void.shape, "mirror", 0.4)
    constraints = jm.constraints.smallest_feature(2.0), jm.constraints.smallest_feature(2.0, "void")
    constraints += (jm.constraints.at_most(lambda c, rho: (rho**2).mean(), 0.5),)
    design = Design.of(
        jm.objectives.maximize_shear(), constraints, solid=SOLID, volume_fraction=0.4,
        filtering=DensityFilter(2.0, "mirror"), erosion=0.1, held=held, tolerance=1e-13,
    )  # fmt: skip
    rng, level = np.random.default_rng(0), SHARP.level(jnp.asarray(4.0))
    x, direction = (jax.device_put(rng.uniform(0.2, 0.8, (N, N, N)) - shift) for shift in (0.0, 0.5))
    lower, upper = design.bounds(x)
    x = jnp.clip(x, lower, upper)

    @jax.jit
    def evaluate(v):
        found = design.evaluate(v, level, None)
        seen = found.seen
        gradients = jnp.concatenate([seen.gradient[None], seen.constraint_gradients])
        return jnp.append(seen.objective, seen.constraints), gradients, found.record

    step = 1e-4
    near = [evaluate(x + k * step * direction)[0] for k in (-2, -1, 1, 2)]
    slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * step)
    values, gradients, facts = evaluate(x)
    np.testing.assert_allclose(slope, (gradients * direction[None]).sum((1, 2, 3)), rtol=1e-6, atol=1e-9)
    assert isinstance(facts, Facts)
    filtered = DensityFilter(2.0, "mirror")(x)
    density = np.where(void, 0, np.where(solid, 1, Heaviside(4.0)(filtered)))
    eroded = np.where(void, 0, np.where(solid, 1, Heaviside(4.0, 0.6)(filtered)))
    np.testing.assert_allclose(facts.volume_fraction, density.mean(), rtol=1e-12)
    np.testing.assert_allclose(values[3], (eroded**2).mean() / 0.5 - 1, rtol=1e-12)
    # What is held is no thin member, solid or void.
    free = ~(void | solid)
    for value, phase in zip(facts.constraints[:2], ("solid", "void"), strict=True):
        feature = jm.topology.FeatureSize(2.0, 2.0, phase, "mirror")
        alone = feature(filtered, jnp.where(free, density, 0.0 if phase == "solid" else 1.0))
        np.testing.assert_allclose(value, alone, rtol=1e-12)


def lopsided():
    mask = np.zeros((N, N, N), bool)
    mask[0, 1, 2] = True
    return mask


NONE = np.zeros((N, N, N), bool)


@pytest.mark.parametrize(
    ("passive", "message"),
    [
        ((~NONE, ~NONE), "Argument `passive` must hold two masks without a voxel in common"),
        ((NONE[:4], NONE[:4]), r"Argument `passive` must hold two masks of shape \(6, 6, 6\), not \(4, 6, 6\)"),
        ((lopsided(), NONE), "Argument `passive` must hold masks that are the same under the six permutations"),
        ((NONE, lopsided()), "Argument `passive` must hold masks that are the same under the six permutations"),
        ((NONE, ~NONE), "Argument `volume_fraction` must have room for the voxels that are held solid, 1 of all"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_refusals(passive, message):
    with pytest.raises(ValueError, match=message):
        jm.optimize(
            jm.objectives.maximize_bulk(), jnp.full((N, N, N), 0.4), solid=SOLID, volume_fraction=0.4, passive=passive
        )


def test_several_starts_hold_them_too():
    void, solid = masks("cubic", "both")
    starts = jnp.stack(
        [geometry.trigonometric(jax.random.key(k), (N, N, N), symmetry="cubic", volume_fraction=0.4) for k in (0, 1)]
    )
    for d in jm.topology.multistart(
        jm.objectives.maximize_bulk(), starts, solid=SOLID, volume_fraction=0.4, passive=(void, solid), max_steps=2,
        optimizer=MMA(),
    ):  # fmt: skip
        cell = np.asarray(jm.symmetry.fold(d.cell))
        assert (cell[void] == 0).all() and (cell[solid] == 1).all()
