"""Sections, the property space, the design of a cloak, cells that fit, and the check with all voxels."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.fem import CubicField
from jaxmeta.geometry import faces_fit
from jaxmeta.multiscale import (
    Catalogue,
    Section,
    Structure,
    _make,
    choose,
    cloak_problem,
    contacts,
    design_cloak,
    distortion,
    fit_tiles,
    is_one_piece,
    make_cloak,
    property_space,
    resolve,
    section_voxels,
)  # fmt: skip
from jaxmeta.multiscale._cloak import CloakProblem, _rounded
from jaxmeta.multiscale._resolved import _weights
from jaxmeta.multiscale._tiles import Tile

PLATES = (0.268, 0.056, 0.053)
SMALL = {"cells": 12, "inner": 2.0, "outer": 4.0}


@pytest.fixture(scope="module")
def library():
    return jm.dataset.load()


@pytest.fixture(scope="module")
def space(library):
    return property_space(library.constants, library.solid, 0.015)


@pytest.fixture(scope="module")
def catalogue(library):
    return Catalogue.of(library)


def test_a_section_is_what_it_says():
    for hole, pull in itertools.product(("cylinder", "square"), ("rollers", "sides")):
        section = Section(hole, pull)
        x = np.arange(40) - 19.5
        far = np.hypot(x[:, None], x) if hole == "cylinder" else np.maximum(abs(x[:, None]), abs(x))
        whole = far < 20 / 3
        ring = (np.hypot(x[:, None], x) < 40 / 3) & ~whole
        part = slice(None) if pull == "rollers" else slice(20, None)
        np.testing.assert_array_equal(section.in_hole, whole[part, 20:])
        np.testing.assert_array_equal(section.in_cloak, ring[part, 20:])
        loads = section.structure(2).loads
        assert float(loads.sum()) == pytest.approx(20.0) and float(loads[0, -1, ..., 0].sum()) == pytest.approx(20.0)
    # Weights of the part are those of the whole section.
    x = np.arange(41) - 20
    assert Section("square", "sides").outside()[..., 0].sum() == pytest.approx(
        (np.hypot(x[:, None], x) > 40 / 3).sum() / 4
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"inner": 6.0}, "`inner` must be below 6, so that the hole lies in the structure"),
        ({"outer": 2.5}, "`outer` must be at least 3, so that the cloak has one cell"),
        ({"outer": 6.0}, "`outer` must be below 6, so that something lies beyond"),
        ({"hole": "square", "inner": 3.0}, "`outer` must be at least 5.243"),
        ({"cells": 11}, "`cells` must be an even number"),
        ({"inner": 0.1}, "`inner` must be so large that the hole has a cell"),
        ({"hole": "round"}, "`hole` must be cylinder or square"),
    ],
)
def test_sections_that_are_none(change, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        Section(**({"hole": "cylinder"} | SMALL | change))


def test_the_space_of_what_cells_can_be(library, space):
    """Held-out cells inside, points that no cell can have outside, the solid at its end; there and back."""
    half = property_space(library.constants[::2], library.solid, 0.015)
    others = library.constants[1::2]
    others = others[others[:, 0] > 0.016]
    share = float((half.membership(others) >= 0).mean())
    assert 0.8 < share < 0.95  # quantiles leave a tenth outside on purpose
    rng = np.random.default_rng(0)
    u = rng.uniform(0.01, 0.97, (4000, 3))
    c = np.asarray(space.constants(u))
    np.testing.assert_allclose(space.coordinates(c), u, atol=1e-8)
    assert (space.membership(c) > 0).all()
    apart = np.array([np.linalg.norm(library.constants - x, axis=1).min() / np.linalg.norm(x) for x in c[:400]])
    assert np.quantile(apart[u[:400, 0] < 0.9], 0.95) < 0.06
    shear = jm.bounds.hashin_shtrikman(1.0, library.solid).shear
    beyond = np.stack([c[:, 0], c[:, 1], np.full(len(c), 1.1 * float(shear))], axis=1)
    assert (space.membership(beyond[c[:, 0] < 1.0]) < 0).all()
    auxetic = c.copy()
    auxetic[:, 1] = -0.49 * c[:, 0]
    assert (space.membership(auxetic) < 0).mean() > 0.99
    np.testing.assert_allclose(space.constants(np.array([1.0, 0.2, 0.9])), [1.346154, 0.576923, 0.384615], atol=1e-6)
    outside = np.array([[0.3, 0.29, 0.02]])
    inside = space.project(outside)
    assert float(space.membership(inside)[0]) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(space.project(c[:5]), c[:5], rtol=1e-9)


def test_refusals_of_the_space(library):
    with pytest.raises(ValueError, match="Argument `constants` must have shape"):
        property_space(np.ones((5, 3)), library.solid, 0.1)
    with pytest.raises(ValueError, match="Argument `softest` must be below"):
        property_space(library.constants, library.solid, 2.0)


@pytest.fixture(scope="module")
def small(space):
    return cloak_problem(Section("cylinder", **SMALL), PLATES, space, 1e-6)


def test_a_cloak_hides_a_hole(small, space):
    found = design_cloak(small, max_steps=60, gap=(1.2, 1.3463))
    assert found.distortion_without > 0.25 and found.distortion < 0.2 * found.distortion_without
    assert found.share_outside == 0 and (space.membership(found.constants) > -1e-3).all()
    c11 = found.constants[:, 0]
    assert not ((c11 > 1.201) & (c11 < 1.346)).any()
    # By hand: the distortion of this field.
    section, field = Section("cylinder", **SMALL), found.problem.field(jnp.asarray(found.constants))
    u = section.structure().solve(field, tolerance=1e-12).displacement[0]
    base = CubicField(*(jnp.full(section.shape, value) for value in PLATES))
    reference = section.structure().solve(base, tolerance=1e-12).displacement[0]
    assert float(distortion(u, reference, section.outside())) == pytest.approx(found.distortion, rel=1e-4)


def test_what_comes_to_lie_in_the_gap(small, space, library):
    """It becomes the nearest cell of the library below it, or the solid, and is held; all else stays."""
    u = np.random.default_rng(0).uniform(0.3, 0.7, (len(small.held), 3))
    u[:3, 0] = np.asarray(space.coordinates(np.array([[1.0, 0.3, 0.3], [1.12, 0.4, 0.3], [1.3, 0.5, 0.35]])))[:, 0]
    problem, rounded = _rounded(small, jnp.asarray(u), (0.95, 1.3463), library.constants)
    c = np.asarray(space.constants(rounded))
    np.testing.assert_array_equal(problem.held, np.arange(len(u)) < 3)
    np.testing.assert_array_equal(rounded[3:], u[3:])
    assert c[2, 0] == pytest.approx(1.346154, rel=1e-6)
    near = library.constants[library.constants[:, 0] <= 0.95]
    near = near[np.asarray(space.membership(near)) >= 0]
    u[:2, 0] = np.asarray(space.coordinates(np.array([[0.95, 0.3, 0.3]])))[0, 0]
    for found, wanted in zip(c[:2], np.asarray(space.constants(u))[:2], strict=True):
        np.testing.assert_allclose(found, near[np.linalg.norm(near - wanted, axis=1).argmin()], atol=1e-7)


@pytest.mark.slow
def test_the_design_takes_what_a_cell_nearly_has(monkeypatch):
    """Where no start leads within the tolerance, but one within 1 %; not further, and nothing else changes."""
    errors = {0: 2e-4, 1: 4e-3, 2: 3e-2}

    def fit(catalogue, constants, *_, **__):
        off = np.array([errors.get(place, 0.0) for place in range(len(constants))])
        solid = np.ones((32, 32, 32), bool)
        return [Tile(solid, c * (1 + e), e, 0, False, 1) for c, e in zip(constants, off, strict=True)]

    monkeypatch.setattr(_make, "fit_tiles", fit)
    section = Section("cylinder", **SMALL)
    asked = make_cloak(section, max_steps=4, cells=False).design
    made = make_cloak(section, max_steps=4)
    assert made.taken == (4e-3,) and [tile.error for tile in made.tiles[:4]] == [2e-4, 0.0, 3e-2, 0.0]
    change = made.design.constants / asked.constants - 1
    np.testing.assert_allclose(change[1], 4e-3, rtol=1e-9)
    np.testing.assert_array_equal(np.delete(change, 1, axis=0), 0)
    with jax.enable_x64(True):
        assert made.design.distortion == pytest.approx(
            float(asked.problem.distortion(jnp.asarray(made.design.constants))), rel=1e-9
        )
    assert made.design.distortion != asked.distortion != made.distortion_cells


def test_layers_change_nothing(small, space):
    """The section is extruded: three layers of cells move as one."""
    deep = cloak_problem(Section("cylinder", depth=3, **SMALL), PLATES, space, 1e-6)
    constants = space.constants(np.random.default_rng(0).uniform(0, 1, (len(small.held), 3)))
    assert float(deep.distortion(constants)) == pytest.approx(float(small.distortion(constants)), rel=1e-6)


def test_the_gradient_of_the_design(small):
    rng = np.random.default_rng(1)
    u = jnp.asarray(rng.uniform(0.2, 0.8, (len(small.held), 3)))
    way = jnp.asarray(rng.normal(size=u.shape))
    objective = jax.jit(CloakProblem._objective)
    slope = float(jnp.vdot(jax.jit(CloakProblem.evaluate)(small, u, None, None).seen.gradient, way))
    d = [(float(objective(small, u + s * way)[0]) - float(objective(small, u - s * way)[0])) / (2 * s)
         for s in (2e-3, 1e-3)]  # fmt: skip
    assert slope == pytest.approx((4 * d[1] - d[0]) / 3, rel=1e-5)


def test_an_interrupted_design_goes_on(small, tmp_path):
    whole = design_cloak(small, max_steps=6)

    def stop(step, numbers):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        design_cloak(small, max_steps=6, checkpoint=tmp_path, callback=stop)
    rest = []
    again = design_cloak(small, max_steps=6, checkpoint=tmp_path, callback=lambda step, _: rest.append(step))
    np.testing.assert_array_equal(again.constants, whole.constants)
    assert rest == [4, 5, 6] and len(again.history["distortion"]) == len(whole.history["distortion"])
    rounded = small._replace(reference=small.reference * (1 + 1e-12))  # as another number of threads computes it
    once_more = design_cloak(rounded, max_steps=6, checkpoint=tmp_path)
    assert once_more.distortion == pytest.approx(again.distortion, rel=1e-9)
    with pytest.raises(ValueError, match="holds one with another"):
        design_cloak(small._replace(smoothness=jnp.asarray(1e-3)), max_steps=6, checkpoint=tmp_path)


def test_faces_of_a_catalogue_are_those_of_the_cells(library, catalogue):
    """As they stand, and moved by half a period along all axes."""
    for record in (405, 6942, len(library)):
        octant = catalogue.octant(record)
        moved = np.roll(jm.symmetry.unfold(octant), len(octant), axis=(0, 1, 2))
        for face, other in zip(catalogue.faces[:, record], (octant, jm.symmetry.fold(moved)), strict=True):
            np.testing.assert_array_equal(face, other[0].ravel())


def test_cells_are_chosen_together(library, catalogue):
    """Neighbours that fit cost a little nearness; a place that wants the solid gets it."""
    records = [6942, 405, 2573, 13365]
    wanted = np.concatenate([library.constants[records], catalogue.constants[-1:]])
    pairs = np.array([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    beside = np.ones(1024, bool)
    choice = choose(catalogue, wanted, pairs, beside)
    faces = np.stack([*catalogue.faces[choice.moved.astype(int), choice.records], beside])
    assert faces_fit(faces[pairs[0]], faces[pairs[1]]).sum() >= 4
    assert choice.records[4] == len(library) and choice.distances[4] < 1e-9 and choice.distances.max() < 0.12
    alone = choose(catalogue, wanted, np.zeros((2, 0), int), beside)
    np.testing.assert_array_equal(alone.records[:4], records)
    with pytest.raises(ValueError, match="Argument `constants` must be near some cell"):
        choose(catalogue, np.array([[1e-5, 0.0, 3.0]]), np.zeros((2, 0), int), beside)
    halves = np.arange(10) < 5
    apart = Catalogue(None, np.array([[1.0, 0.4, 0.3]] * 2), np.stack([[halves, halves]] * 2))
    with pytest.raises(ValueError, match="cells that connect, but leaves 1 of 2 neighbours apart"):
        choose(apart, apart.constants, np.array([[0, 1], [1, 2]]), ~halves)


def test_what_a_start_far_away_costs():
    """Faces that fit are worth 11 % of distance, not 13 %, from where a fit is not to be hoped for."""
    faces = np.zeros((2, 3, 10), bool)
    faces[:, 0, :7], faces[:, 1:, 6:] = True, True
    for distance, best in ((0.11, 1), (0.13, 0)):
        constants = np.outer([1.01, 1 + distance, 2.0], [1.0, 0.4, 0.3])
        choice = choose(Catalogue(None, constants, faces), constants[:1] / 1.01, np.array([[0], [1]]), faces[0, 1])
        assert choice.records[0] == best


def test_tiles_are_exact_and_kept(library, catalogue, tmp_path):
    wanted = np.stack([1.02 * library.constants[6942], catalogue.constants[-1]])
    pairs, beside = np.array([[0, 0], [1, 2]]), catalogue.faces[0, 6942]
    tiles = fit_tiles(catalogue, wanted, pairs, beside, folder=tmp_path)
    assert all(tile.error <= 5e-4 for tile in tiles) and tiles[1].octant.all()
    h = jm.homogenize(tiles[0].octant.astype(float), library.solid, symmetry="cubic", residual=1e-7)
    found = np.array([h.stiffness[0, 0], h.stiffness[0, 1], h.stiffness[3, 3]])
    np.testing.assert_allclose(found, wanted[0], atol=6e-4 * float(np.linalg.norm(wanted[0])))
    made = []
    again = fit_tiles(catalogue, wanted, pairs, beside, folder=tmp_path, callback=lambda *told: made.append(told))
    assert not made and all((one.octant == other.octant).all() for one, other in zip(tiles, again, strict=True))
    meeting = contacts(tiles, pairs, beside)
    assert meeting.pairs == 2 and meeting.apart == 0


def bare(octant):
    return Tile(octant, np.ones(3), 0.0, 0, False, 0)


def test_contacts_are_counted():
    full, none = np.ones((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    corner = none.copy()
    corner[:2, :2, :2] = True
    meeting = contacts([bare(full), bare(corner), bare(none)], np.array([[0, 0, 0], [1, 2, 3]]), np.ones(16, bool))
    assert meeting.pairs == 3 and meeting.fitting == pytest.approx(1 / 3) and meeting.apart == 1


@pytest.mark.parametrize("pull", ["rollers", "sides"])
def test_resolved_cells_of_solid_are_the_structure_itself(pull):
    """One voxel an octant: the voxels are the elements of a structure with two elements a cell."""
    section, solid = Section("square", pull, **SMALL), jm.Isotropic(1.0, 0.3)
    whole = np.ones((*section.shape[:2], 1, 1, 1), bool)
    hole = whole.copy()
    hole[section.in_hole] = False
    found = resolve(section, whole, hole, whole, solid, tolerance=1e-8)
    base = section.structure(2)
    structure = Structure(base.cells, base.supports, base.loads, base.faces, elements=2)
    fields = [np.broadcast_to(solid.stiffness, (*section.shape, 6, 6)) * factor[..., None, None, None]
              for factor in (np.ones(section.shape[:2]), np.where(section.in_hole, 1e-9, 1.0))]  # fmt: skip
    one, other = (structure.solve(jnp.asarray(field), tolerance=1e-12).displacement[0] for field in fields)
    weights = section.outside(2)
    assert found.without == pytest.approx(float(distortion(other, one, weights)), rel=2e-3)
    assert found.with_cloak < 1e-5


def test_weights_of_a_section():
    """Nodes of solid beyond the cloak count; those on a mirror by half."""
    section = Section("cylinder", cells=8, inner=1.0, outer=2.0)
    voxels = section_voxels(section, np.ones((*section.shape[:2], 4, 4, 4), bool))
    weights = _weights(section, voxels)
    assert weights[40, 20].tolist() == [0.5, 1, 1, 1, 0.5] and weights[56, 0].tolist() == [0.25, 0.5, 0.5, 0.5, 0.25]
    assert not weights[32, 0].any()
    voxels[36:, 16:] = False
    weights = _weights(section, voxels)
    assert not weights[40, 20].any() and weights[36, 20, 2] == 1


def test_voxels_of_a_section():
    section = Section("cylinder", **SMALL)
    n, m = section.shape[:2]
    octants = np.random.default_rng(0).random((n, m, 3, 3, 3)) < 0.5
    voxels = section_voxels(section, octants)
    assert voxels.shape == (6 * n, 6 * m, 3)
    cell = np.asarray(jm.symmetry.unfold(octants[3, 2]))
    np.testing.assert_array_equal(voxels[18:24, 12:18], cell[:, :, :3])
    with pytest.raises(ValueError, match="Argument `octants` must be of"):
        section_voxels(section, octants[1:])


def test_one_piece():
    section = Section("cylinder", **SMALL)
    octants = np.zeros((*section.shape[:2], 2, 2, 2), bool)
    octants[..., 0, :, :] = octants[..., :, 0, :] = octants[..., :, :, 0] = True
    assert is_one_piece(section, octants)
    apart = octants.copy()
    apart[5] = False
    assert not is_one_piece(section, apart)
