"""A library from start to end, on octants of 8³ voxels: generated, perturbed, selected, read."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.dataset import _make, _records, _select, _wedge
from jaxmeta.dataset._generate import Generation
from jaxmeta.dataset._perturb import Perturbation
from jaxmeta.io import FileError
from tests.dataset.libraries import columns


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    first, second, third = (folder / f"{name}.h5" for name in ("designs", "children", "even"))
    counts = [_make.generate(first, Generation(count=2, side=8, isotropic=0.0))]
    counts.append(_make.perturb(first, second, Perturbation(6, amplitude=(2.0, 4.0)), rounds=2))
    counts.append(_make.select(second, third, count=5, overlap=0.999))
    return counts, [jm.dataset.load(path) for path in (first, second, third)]


def test_records_are_sound_and_labelled(made):
    counts, libraries = made
    assert counts == [len(library) for library in libraries]
    assert counts[0] == 2 and counts[1] > 8 and 2 <= counts[2] <= 5
    for record in libraries[1]:
        cell = np.asarray(jm.symmetry.unfold(record.octant.astype(float)))
        assert jm.geometry.is_connected(cell) and all(jm.geometry.percolates(cell))
        assert record.volume_fraction == cell.mean()
        again = jm.homogenize(jnp.asarray(cell), _records.SOLID, interpolation=jm.SIMP(1.0, 1e-9), tolerance=1e-9)
        np.testing.assert_allclose(record.stiffness, again.stiffness, atol=1e-4 * again.stiffness.max())


def test_children_know_where_they_come_from(made):
    designs, children, _ = made[1]
    identities = children.column("identity").tolist()
    assert len(set(identities)) == len(identities)
    for record in children[len(designs) :]:
        parent = children[identities.index(record.provenance["parent"])].provenance
        assert parent["family"] == record.provenance["family"]
        assert parent["round"] < record.provenance["round"] <= 2
    assert designs.settings["generate"]["count"] == 2 and children.settings["perturb"]["rounds"] == 2


def test_families_are_not_split(made):
    selected = made[1][2]
    for family in np.unique(selected.column("family")):
        assert len(set(selected.column("split")[selected.column("family") == family])) == 1
    assert selected.column("split").min() >= 1


def test_the_same_call_makes_the_same_library(made, tmp_path):
    designs = made[1][0]
    _make.generate(tmp_path / "again.h5", Generation(count=2, side=8, isotropic=0.0))
    again = jm.dataset.load(tmp_path / "again.h5")
    for name in ("wedge", "constants", "checksum"):
        np.testing.assert_array_equal(again.column(name), designs.column(name))
    with pytest.raises(FileError, match=r"again\.h5`, writing: expected a new file name"):
        _make.generate(tmp_path / "again.h5", Generation(count=2, side=8))


def test_near_duplicates_are_found():
    """The same cell, the same moved by half a period, and one with a voxel changed."""
    given = columns(6)
    octants = _wedge.unpack(given["wedge"], 6)
    moved, changed = octants[0, ::-1, ::-1, ::-1], octants[1].copy()
    changed[0, 0, 0] = not changed[0, 0, 0]
    more = _wedge.pack(np.stack([moved, changed]))
    given = {name: np.concatenate([values, values[:2]]) for name, values in given.items()}
    given["wedge"][6:] = more
    np.testing.assert_array_equal(_select.distinct(given, 6, 0.97), [True] * 6 + [False] * 2)
    assert _select.distinct(given, 6, 0.9999).sum() == 7


def test_overlap_is_that_of_whole_cells():
    bits = columns(5)["wedge"]
    octants = _wedge.unpack(bits, 6).astype(float)
    ((_, found),) = _select.overlaps(bits, 6)
    for a in range(5):
        for b in range(5):
            both = max((octants[a] * octants[b]).sum(), (octants[a] * octants[b, ::-1, ::-1, ::-1]).sum())
            np.testing.assert_allclose(found[a, b], both / np.sqrt(octants[a].sum() * octants[b].sum()), rtol=1e-5)


def test_impossible_records_are_refused(monkeypatch):
    """A stiffness above the bound by more than is allowed, or not positive definite, is no record."""
    octant = np.ones((4, 4, 4), bool)
    octant[:2, :2, :2] = False
    provenance = {"identity": 0}
    row = _records.record(octant, provenance)
    assert row is not None and row["flags"] == 0
    exact = row["constants"]
    fraction = row["volume_fraction"]
    limit = 1 / (1 + _records.excess(exact, np.asarray(fraction)).max())
    for factor, flags in ((1.005 * limit, 1), (1.02 * limit, None), (-1.0, None)):
        solved = (factor * exact, np.array(0.0), np.array(0))
        monkeypatch.setattr(_records, "_solved", lambda _, solved=solved: solved)
        row = _records.record(octant, provenance)
        assert (row and row["flags"]) == flags
