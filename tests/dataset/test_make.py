"""A library from start to end, on octants of 8³ voxels: generated, perturbed, selected, read."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.dataset import (
    Generation,
    Perturbation,
    Refinement,
    Selection,
    _generate,
    _overlap,
    _records,
    _select,
    _wedge,
)
from jaxmeta.io import FileError
from jaxmeta.runs import Workers
from tests.dataset.libraries import columns, octant

DESIGNS = Generation(count=2, side=8, isotropic=0.0, frequencies=1)
CHILDREN = Perturbation(6, rounds=2, amplitude=(2.0, 6.0))
pytestmark = pytest.mark.xdist_group("make")  # one process makes the library


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    first, second, third = (folder / f"{name}.h5" for name in ("designs", "children", "even"))
    counts = [jm.dataset.generate(first, DESIGNS)]
    counts.append(jm.dataset.perturb(first, second, CHILDREN))
    counts.append(jm.dataset.select(second, third, Selection(5, overlap=0.999)))
    return counts, [jm.dataset.load(path) for path in (first, second, third)]


@pytest.mark.slow
def test_records_are_sound_and_labelled(made, tmp_path):
    _records_are_sound_and_labelled(made)
    _a_finer_library_is_like_the_coarse_one(made, tmp_path)


def _records_are_sound_and_labelled(made):
    counts, libraries = made
    assert counts == [len(library) for library in libraries]
    assert counts[0] == 2 and counts[1] > 8 and 2 <= counts[2] <= 5
    for record in libraries[1]:
        cell = np.asarray(jm.symmetry.unfold(record.octant.astype(float)))
        assert jm.geometry.is_connected(cell) and all(jm.geometry.percolates(cell))
        assert not jm.geometry.has_hinges(cell)
        assert record.volume_fraction == cell.mean()
        again = jm.homogenize(jnp.asarray(cell), _records.SOLID, interpolation=jm.SIMP(1.0, 1e-9), tolerance=1e-9)
        np.testing.assert_allclose(record.stiffness, again.stiffness, atol=1e-4 * again.stiffness.max())
    # Children know where they come from.
    designs, children, selected = libraries
    identities = children.column("identity").tolist()
    assert len(set(identities)) == len(identities)
    for record in children[len(designs) :]:
        parent = children[identities.index(record.provenance["parent"])].provenance
        assert parent["family"] == record.provenance["family"]
        assert parent["round"] < record.provenance["round"] <= 2
    assert designs.settings["generate"]["count"] == 2 and children.settings["perturb"]["rounds"] == 2
    # Families are not split.
    for family in np.unique(selected.column("family")):
        assert len(set(selected.column("split")[selected.column("family") == family])) == 1
    assert selected.column("split").min() >= 1


@pytest.mark.slow
def test_the_same_call_makes_the_same_library(made, tmp_path):
    """Also when a job of an array does it, and in batches."""
    _a_job_makes_the_same_children(made, tmp_path)
    _a_batch_makes_the_same_designs(made, tmp_path)


def _a_job_makes_the_same_children(made, tmp_path):
    designs, children, _ = made[1]
    jobs = Workers(jobs=1, cluster="local", parameters={"timeout_min": 5})
    jm.dataset.perturb(designs.path, tmp_path / "again.h5", CHILDREN, workers=jobs)
    again = jm.dataset.load(tmp_path / "again.h5")
    for name in ("wedge", "constants", "checksum"):
        np.testing.assert_array_equal(again.column(name), children.column(name))
    with pytest.raises(FileError, match=r"again\.h5`, writing: expected a new file name"):
        jm.dataset.perturb(designs.path, tmp_path / "again.h5", CHILDREN)


def _a_batch_makes_the_same_designs(made, tmp_path):
    """Two designs of one kind, of three at once, and children labelled four at once; what is missing of a batch is made
    up for, and a design that goes wrong beside them changes nothing."""
    designs, children, _ = made[1]
    batch = dataclasses.replace(DESIGNS, batch=3)
    jm.dataset.generate(tmp_path / "designs.h5", batch)
    jm.dataset.perturb(designs.path, tmp_path / "children.h5", dataclasses.replace(CHILDREN, rounds=1, batch=4))
    for name, library in (("designs", designs), ("children", children)):
        found = jm.dataset.load(tmp_path / f"{name}.h5")
        np.testing.assert_array_equal(found.column("wedge"), library.column("wedge")[: len(found)])
        np.testing.assert_allclose(found.constants, library.constants[: len(found)], rtol=1e-4)
        assert len(found) >= 2
    ((first, second),) = _generate.tasks(batch)
    starts = jnp.stack([first.start(batch), jnp.full((4, 4, 4), jnp.nan), second.start(batch)])
    fractions = [first.volume_fraction, 0.5, second.volume_fraction]
    good, wrong, other = _generate.optimized(first.stages, starts, fractions)
    assert wrong is None
    for found, record in zip((good, other), designs, strict=True):
        np.testing.assert_array_equal(_records.sound(found), record.octant)


@pytest.mark.slow
def test_devices_share_the_tasks(made, tmp_path):
    """Each of two devices does some of them, and they make the library that one makes."""
    designs, children, _ = made[1]
    program = [sys.executable, str(Path(__file__).with_name("two_devices.py")), str(designs.path), str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["devices"] == [0, 1]
    found = jm.dataset.load(tmp_path / "children.h5")
    first = len(designs) + (children.column("round") == 1).sum()
    assert len(found) > first  # more children than there, the first of which are the same
    np.testing.assert_array_equal(found.column("wedge")[:first], children.column("wedge")[:first])
    np.testing.assert_allclose(found.constants[:first], children.constants[:first], rtol=1e-4)


def _a_finer_library_is_like_the_coarse_one(made, tmp_path):
    """Designs after a step on the finer grid, and children blurred, have nearly the stiffness they had."""
    _, children, _ = made[1]
    count = jm.dataset.refine(children.path, tmp_path / "fine.h5", Refinement(count=5, steps=1))
    fine = jm.dataset.load(tmp_path / "fine.h5")
    assert (count, fine.side, len(fine)) == (5, 16, 5)
    np.testing.assert_allclose(fine.volume_fraction, children.volume_fraction[:5], atol=0.05)
    np.testing.assert_allclose(fine.constants, children.constants[:5], atol=0.1 * children.constants[:5].max())
    assert not np.array_equal(fine.constants, children.constants[:5])


def test_the_first_of_a_selection_are_spread_evenly():
    """Slices of volume fraction come in turn, and in a slice its boxes, however many records they have."""
    given = columns(60)
    given["volume_fraction"][:] = 0.52
    given["constants"][:] = (0.3, 0.1, 0.1)
    given["volume_fraction"][50:56] = np.repeat([0.12, 0.22, 0.32], 2)
    given["constants"][56:] = (0.3, -0.1, 0.1)
    order = _select.even(given, 0)
    assert sorted(order) == list(range(60))
    turns = given["volume_fraction"][order[:8]].reshape(2, 4)
    assert [sorted(turn) for turn in turns] == 2 * [[0.12, 0.22, 0.32, 0.52]]
    rest = order[given["volume_fraction"][order] == 0.52]
    assert [int((pair >= 56).sum()) for pair in rest[:8].reshape(4, 2)] == [1, 1, 1, 1]


def test_near_duplicates_are_found():
    """The same cell, the same moved by half a period, and one with a voxel changed."""
    given = columns(6)
    octants = _wedge.unpack(given["wedge"], 6)
    moved, changed = octants[0, ::-1, ::-1, ::-1], octants[1].copy()
    changed[0, 0, 0] = not changed[0, 0, 0]
    more = _wedge.pack(np.stack([moved, changed]))
    given = {name: np.concatenate([values, values[:2]]) for name, values in given.items()}
    given["wedge"][6:] = more
    np.testing.assert_array_equal(_overlap.distinct(given, 6, 0.97), [True] * 6 + [False] * 2)
    assert _overlap.distinct(given, 6, 0.9999).sum() == 7


def test_overlap_is_that_of_whole_cells():
    bits = columns(5)["wedge"]
    octants = _wedge.unpack(bits, 6).astype(float)
    ((_, found),) = _overlap.overlaps(bits, 6)
    for a in range(5):
        for b in range(5):
            both = max((octants[a] * octants[b]).sum(), (octants[a] * octants[b, ::-1, ::-1, ::-1]).sum())
            np.testing.assert_allclose(found[a, b], both / np.sqrt(octants[a].sum() * octants[b].sum()), rtol=1e-5)


def test_cells_are_cleaned_or_left_out():
    """Noise: what is kept is cubic, in one piece, spans the cell and has no hinges; where two largest pieces tie, the
    one that is kept may have lost the symmetry, and makes no record."""
    kept, unsymmetric = 0, 0
    for seed in range(40):
        noise = octant(seed)
        cleaned = np.asarray(jm.geometry.clean(np.asarray(jm.symmetry.unfold(noise)), fill_hinges=True).cell)
        found = _records.sound(noise)
        if jm.symmetry.detect(cleaned) != "cubic":
            unsymmetric += 1
            assert found is None
        elif found is not None:
            kept += 1
            np.testing.assert_array_equal(jm.symmetry.unfold(found), cleaned)
            assert jm.geometry.is_connected(cleaned) and all(jm.geometry.percolates(cleaned))
            assert not jm.geometry.has_hinges(cleaned)
    assert kept and unsymmetric


def test_impossible_records_are_refused():
    """A stiffness above the bound by more than is allowed, or not positive definite, is no record."""
    solid = np.ones((4, 4, 4), bool)
    solid[:2, :2, :2] = False
    (cell,) = _records.SCORER.octants([solid], [{"identity": 0}])
    row = _records.record(cell)
    assert row["flags"] == 0 and row["identity"] == 0
    limit = 1 / _records.shares(row["constants"], np.asarray(row["volume_fraction"])).max()
    for factor, flags in ((1.005 * limit, 1), (1.02 * limit, None), (-1.0, None)):
        row = _records.record(dataclasses.replace(cell, stiffness=factor * cell.stiffness))
        assert (row and row["flags"]) == flags
