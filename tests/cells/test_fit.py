"""A cell fitted to a stiffness: first-order effects, allowed flips, the choice among them, and the whole."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import geometry
from jaxmeta.cells import FitResult
from jaxmeta.cells._cell import unfolded
from jaxmeta.cells._effects import _condensed, _element, effects
from jaxmeta.cells._moves import COUNT, SHAPES, candidates
from jaxmeta.cells._orbits import Orbits
from jaxmeta.cells._rules import MOST, Rules, _lines
from jaxmeta.cells._selection import select
from jaxmeta.cells._target import ENTRIES, checked_target
from jaxmeta.geometry._members import _opened

SOLID = jm.Isotropic(1.0, 0.3)
SYMMETRIES = ("cubic", "mirror", "none")


def start(symmetry, side=12, level=0.4, other=0.0):
    """A binary cell of a symmetry, with curved faces; `other` bends them."""
    lengths = (side,) * 3 if symmetry == "cubic" else (side, side + 2, side - 2)
    axes = [(np.arange(n) + 0.5) / (n if symmetry == "none" else 2 * n) for n in lengths]
    x, y, z = (wave[sel] for wave, sel in zip(
        [np.cos(2 * np.pi * axis) + other * np.cos(4 * np.pi * axis) for axis in axes],
        [(slice(None), None, None), (None, slice(None), None), (None, None, slice(None))], strict=True))  # fmt: skip
    if symmetry == "cubic":
        return x + y + z + level > 0
    tilt = 0.0
    if symmetry == "none":
        tilt = 0.4 * np.sin(2 * np.pi * axes[0])[:, None, None] * np.sin(2 * np.pi * axes[1])[:, None]
    return x + 0.8 * y + 1.1 * z + tilt + level > 0


def whole(density, symmetry):
    return density if symmetry == "none" else unfolded(density)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_effect_of_a_removal_is_the_derivative(symmetry):
    """With a modulus linear in the density, −dC/dρ at a solid voxel, summed over its images."""
    density = start(symmetry)
    orbits = Orbits(density.shape, symmetry)
    with jax.enable_x64(True):
        field = jnp.asarray(density, float)
        entries = tuple(np.array(ENTRIES[symmetry]).T)

        def free(rho):
            h = jm.homogenize(rho, SOLID, interpolation=jm.SIMP(1.0, 1e-9), symmetry=symmetry, residual=1e-8)
            return h.stiffness[entries], h.displacement

        slope, displacement = jax.jacrev(free, has_aux=True)(field)
    found = effects(density, np.asarray(displacement), orbits, SOLID, (1.0, 1.0, 1.0))
    removed = orbits.bits(density) & (found != 0).any(axis=0)
    assert removed.sum() > 20
    expected = -orbits.sums(np.asarray(slope))
    np.testing.assert_allclose(found[:, removed], expected[:, removed], atol=1e-8 * np.abs(expected).max())


def test_a_condensed_voxel_is_softer_than_a_whole_one_and_floats():
    """Its free corners follow: 0 ≤ K ≤ K_e, no force for a rigid motion, none on free corners."""
    _element.cache_clear()
    _condensed.cache_clear()
    with jax.enable_x64(False):  # in double precision whoever asks first
        full, table = _element(SOLID, (1.0, 1.0, 1.0)), _condensed(SOLID, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(table[255], full, atol=1e-14)
    assert not table[0].any()
    corners = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
    rigid = np.stack([np.repeat(np.eye(3)[:, i], 8) for i in range(3)] + [
        np.cross(np.eye(3)[i], corners).T.ravel() for i in range(3)])  # fmt: skip
    assert np.abs(table @ rigid.T).max() < 1e-12
    assert np.linalg.eigvalsh(table).min() > -1e-12
    assert np.linalg.eigvalsh(full - table).min() > -1e-12
    face = sum(1 << corner for corner in range(8) if corners[corner][0] == 0)
    pulled = np.zeros(24)
    pulled[:8][corners[:, 0] == 0] = 1.0  # a face moved as a whole carries nothing
    assert np.abs(table[face] @ pulled).max() < 1e-12


@pytest.mark.parametrize("symmetry", SYMMETRIES)
@pytest.mark.parametrize(("member", "gap"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_a_move_is_allowed_when_the_whole_cell_shows_no_harm(symmetry, member, gap):
    """Members, gaps and hinges exactly as in the whole cell; and what is allowed changes no number of parts."""
    rng = np.random.default_rng(3)
    density = start(symmetry)
    orbits = Orbits(density.shape, symmetry)
    bits = orbits.bits(density)
    # Rough, so that all cases come.
    for k in rng.permutation(len(bits))[: len(bits) // 12]:
        bits[k] ^= True
    moves = candidates(orbits, bits)
    assert set(moves.shape) >= {0, 1, 2, 3} and moves.solid.any() and not moves.solid.all()
    rules = Rules(orbits, member, gap)
    allowed = rules.allowed(bits, moves)
    flipped = np.zeros(len(bits), bool)
    flipped[moves.orbits[rng.permutation(np.flatnonzero(allowed))[:2], 0]] = True
    met = rules.reached(flipped, moves)
    after = rules.allowed(bits ^ flipped, moves)
    assert (after != allowed).any() and not met.all()
    assert not (after != allowed)[~met].any()

    def facts(bits):
        solid = whole(orbits.density(bits), symmetry)
        thin = solid & ~_opened(solid, member, True), ~solid & ~_opened(~solid, gap, True)
        parts = geometry.label(solid)[1], len(geometry.parts(~solid).sizes)
        return solid, *thin, geometry._members._corner_hinges(solid), np.stack(
            [geometry._members._edge_hinges(solid, normal) for normal in range(3)]), parts  # fmt: skip

    _, thin, narrow, corner, edge, parts = facts(bits)
    seen = {True: 0, False: 0}
    some = [k for state in (True, False) for k in rng.permutation(np.flatnonzero(allowed == state))[:25]]
    for k in some:
        changed = bits.copy()
        changed[moves.orbits[k]] ^= True
        _, thin_, narrow_, corner_, edge_, parts_ = facts(changed)
        harm = (thin_ & ~thin).any() or (narrow_ & ~narrow).any() or (edge_ & ~edge).any() or (corner_ > corner).any()
        if allowed[k]:
            assert not harm
            assert parts_[0] == parts[0]
        elif not harm:
            seen[parts_ == parts] += 1
    # What is forbidden without such harm would change the topology; few of these leave both numbers of parts.
    assert seen[True] <= 12


@pytest.mark.parametrize("width", [7, 31, 32, 35, 63])
def test_windows_of_any_width_are_numbers(width):
    """Those of members of up to 16 voxels; a number of 32 bits holds no more than 8."""
    windows = np.random.default_rng(0).random((3, 2, 2, width)) < 0.5
    found = _lines(windows)
    for k, x, y in np.ndindex(3, 2, 2):
        assert int(found[x, y, k]) == sum(1 << z for z in range(width) if windows[k, x, y, z])


def test_members_that_no_window_holds_are_refused():
    assert 1 + 2 * (1 + 2 * (MOST - 1)) <= 63
    with pytest.raises(ValueError, match="`smallest_member` must be at most 16"):
        jm.fit_stiffness(start("cubic"), 0.1 * np.eye(6), smallest_member=MOST + 1)


def test_faces_made():
    orbits = Orbits((8, 8, 8), "none")
    density = np.zeros((8, 8, 8), bool)
    density[:, :, :4] = True
    bits = orbits.bits(density)
    moves = candidates(orbits, bits)
    for k in np.random.default_rng(0).permutation(len(moves.shape))[:40]:
        changed = bits.copy()
        changed[moves.orbits[k]] ^= True
        after = orbits.density(changed)
        count = lambda cell: sum(np.count_nonzero(cell != np.roll(cell, 1, axis)) for axis in range(3))  # noqa: E731
        assert moves.faces(orbits, bits)[k] == count(after) - count(density)
    assert all(len(set(map(tuple, SHAPES[s]))) == COUNT[s] for s in range(7))


def test_select_meets_what_is_wanted():
    rng = np.random.default_rng(0)
    change = rng.normal(size=(3, 200))
    for _ in range(5):
        wanted = 4 * rng.normal(size=3)
        chosen = select(change, wanted, np.ones(200), rng)
        assert np.linalg.norm(change @ chosen - wanted) < 0.1
        assert chosen.sum() < 20


def scored(density, symmetry):
    return jm.cells.Scorer(SOLID, residual=None, tolerance=1e-7)(density, symmetry).stiffness


@pytest.mark.parametrize(("symmetry", "side", "tolerance"), [("cubic", 12, 4e-3), ("none", 10, 3e-2)])
def test_a_fit_reaches_its_target(symmetry, side, tolerance):
    """The stiffness of another cell; the error is that of an independent score."""
    first, other = start(symmetry, side), start(symmetry, side, 0.45, 0.05)
    aim = scored(other, symmetry)
    found = jm.fit_stiffness(first, aim, symmetry=symmetry, tolerance=tolerance)
    assert found.result == FitResult.converged, found.text
    assert found.cell.shape == first.shape and found.cell.dtype == first.dtype
    again = scored(found.cell, symmetry)
    target = checked_target(aim, None, SOLID, symmetry)
    assert found.error == pytest.approx(target.error(again), abs=1e-6)
    assert found.error < tolerance < found.start_error
    solid = whole(found.cell, symmetry)
    assert geometry.is_connected(solid) and not geometry.has_hinges(solid)
    assert geometry.minimum_member(solid, 2) <= geometry.minimum_member(whole(first, symmetry), 2)


def test_the_norms():
    c = np.asarray(jm.elasticity.CubicConstants(0.3, 0.1, 0.05).stiffness)
    other = np.asarray(jm.elasticity.CubicConstants(0.33, 0.1, 0.01).stiffness)
    cubic = checked_target(c, None, SOLID).error(other)
    assert cubic == pytest.approx(np.hypot(0.03, 0.04) / np.sqrt(0.3**2 + 0.1**2 + 0.05**2))
    kelvin = np.outer(*[np.where(np.arange(6) < 3, 1, np.sqrt(2))] * 2)
    norm = np.linalg.norm(kelvin * (other - c)) / np.linalg.norm(kelvin * c)
    for symmetry in ("mirror", "none"):
        assert checked_target(c, None, SOLID, symmetry).error(other) == pytest.approx(norm)


def test_volume_fraction_and_the_same_again():
    first = start("cubic")
    aim = 1.015 * scored(first, "cubic")
    wanted = float(first.mean()) + 0.01
    found = jm.fit_stiffness(first, aim, volume_fraction=wanted, tolerance=2e-3)
    assert found.result == FitResult.converged, found.text
    assert abs(found.cell.mean() - wanted) < 0.002 and found.error < 2e-3
    again = jm.fit_stiffness(first, aim, volume_fraction=wanted, tolerance=2e-3)
    np.testing.assert_array_equal(again.cell, found.cell)


def test_a_target_at_the_start_is_a_fit():
    first = start("cubic")
    found = jm.fit_stiffness(first.astype(np.float32), scored(first, "cubic"))
    assert found.result == FitResult.converged and found.solves == 1
    assert found.cell.dtype == np.float32 and np.array_equal(found.cell, first)


def test_kept_voxels_stay():
    density = start("cubic")
    target = 1.04 * scored(density, "cubic")
    face = np.indices(density.shape).min(axis=0) == 0
    free, kept = (jm.fit_stiffness(density, target, solid=SOLID, tolerance=0.004, keep=keep) for keep in (None, face))
    assert kept.error < 0.004 and (kept.cell == density)[face].all()
    assert (kept.cell != density).any() and (free.cell != density)[face].any()


def test_what_cannot_be_reached_says_how_near_it_came():
    first = start("cubic")
    c = scored(first, "cubic")
    aim = c.copy()
    aim[:3, :3] *= 0.8
    aim[3:, 3:] *= 1.4
    found = jm.fit_stiffness(first, aim, max_solves=3)
    assert found.result == FitResult.max_solves_reached and "max_solves" in found.text
    assert found.error < found.start_error and f"{100 * found.error:.3g} %" in found.text


def test_thin_members_and_closed_pores_go_first_when_asked():
    first = np.ones((12, 12, 12), bool)
    first[2:, 2:, 2:] = False  # a closed foam, walls of four voxels
    first[6:, :, :2] = first[:, 6:, :2] = True
    first[2:5, 2:5, 4] = first[4, 2:5, 2:5] = first[2:5, 4, 2:5] = True  # fins of one voxel
    c = scored(first, "cubic")
    kept = jm.fit_stiffness(first, 0.98 * c, tolerance=2e-2)
    assert kept.thin > 0
    found = jm.fit_stiffness(first, 0.98 * c, tolerance=2e-3, clean=True, open_pores=True, max_solves=12)
    assert found.thin == 0
    assert jm.cells.Facts(unfolded(found.cell)).open_pores


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cell": np.zeros((4, 4))}, "shape (nx, ny, nz)"),
        ({"cell": np.full((4, 4, 4), 0.5)}, "zeros and ones"),
        ({"cell": np.full((4, 4, 4), np.nan)}, "zeros and ones"),
        ({"cell": np.zeros((4, 4, 4))}, "one connected part"),
        ({"cell": np.arange(64).reshape(4, 4, 4) < 20}, "axes are exchanged"),
        ({"stiffness": np.full((6, 6), np.nan)}, "finite"),
        ({"stiffness": np.eye(3)}, "(6, 6)"),
        ({"stiffness": np.diag([1.0, 1, 1, 0.1, 0.1, 0.2]) * 0.1}, "cubic symmetry"),
        ({"stiffness": -np.eye(6)}, "positive definite"),
        ({"stiffness": 5 * np.eye(6)}, "bound"),
        ({"stiffness": 0.2 * np.eye(6), "volume_fraction": 0.1}, "at the volume fraction 0.1"),
        ({"volume_fraction": 1.5}, "(0, 1]"),
        ({"symmetry": "full"}, "one of none, mirror, cubic"),
        ({"tolerance": 0.0}, "positive"),
        ({"smallest_member": 0}, "at least 1"),
        ({"solid": 1.0}, "solid"),
        ({"keep": np.ones((4, 4, 4), bool)}, "truth values in the shape (12, 12, 12)"),
    ],
)
def test_refusals(change, said):
    given = {"cell": start("cubic"), "stiffness": 0.1 * np.eye(6)} | change
    with pytest.raises(ValueError, match="Argument") as caught:
        jm.fit_stiffness(given.pop("cell"), given.pop("stiffness"), **given)
    assert said in str(caught.value)
