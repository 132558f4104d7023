"""The file of a library: what is written is read, and damage is found, named and read around."""

import subprocess
import sys
from multiprocessing import get_context

import h5py
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.dataset import _file, _wedge
from jaxmeta.io import FileError
from tests.dataset.libraries import ATTRIBUTES, columns, octant

COUNT = 40


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "library.h5"
    _file.write(path, columns(COUNT), ATTRIBUTES, overwrite=False)
    return path


@pytest.mark.parametrize("side", [1, 2, 5, 32])
def test_wedge_holds_the_octant(side):
    octants = np.stack([octant(seed, side) for seed in range(3)])
    bits = _wedge.pack(octants)
    assert bits.shape == (3, _wedge.length(side))
    assert _wedge.length(side) == -(-len(_wedge.wedge(side)[0]) // 8)
    np.testing.assert_array_equal(_wedge.unpack(bits, side), octants)
    for order in [(0, 2, 1, 3), (0, 3, 2, 1)]:
        np.testing.assert_array_equal(octants, octants.transpose(order))


def test_records_are_those_that_were_written(path):
    library = jm.dataset.load(path)
    assert len(library) == COUNT and library.side == 6 and library.settings == {"seed": 1}
    given = columns(COUNT)
    for i in (0, 7, -1):
        record = library[i]
        row = i % COUNT
        np.testing.assert_array_equal(record.octant, octant(row))
        c11, c12, c44 = given["constants"][row]
        expected = np.array(jm.elasticity.cubic_stiffness(c11, c12, c44))
        np.testing.assert_array_equal(record.stiffness, expected)
        assert record.volume_fraction == given["volume_fraction"][row]
        assert record.provenance["identity"] == row and record.provenance["family"] == row // 3
        assert record.provenance["objective"] == ("bulk", "shear", "low poisson")[row % 3]
        assert record.provenance["split"] == ("training", "validation", "test")[row % 3]
    np.testing.assert_array_equal(library.stiffness, np.stack([r.stiffness for r in library]))
    with pytest.raises(IndexError, match="must be less than 40, but is 40"):
        library[40]


def test_a_file_without_records(tmp_path):
    """A task whose cells all fall apart writes one."""
    _file.write(tmp_path / "none.h5", columns(0), ATTRIBUTES, overwrite=False)
    library = jm.dataset.load(tmp_path / "none.h5")
    assert len(library) == 0 and library.octants(np.zeros(0, int)).shape == (0, 6, 6, 6)


def test_parts_of_a_library(path):
    library = jm.dataset.load(path)
    some = library[5:20:3]
    assert [r.provenance["identity"] for r in some] == [5, 8, 11, 14, 17]
    assert some[np.array([4, 0])][0].provenance["identity"] == 17
    tests = library.split("test")
    assert {r.provenance["split"] for r in tests} == {"test"} and len(tests) == 13
    np.testing.assert_array_equal(library.octants(np.array([9, 3, 9])), np.stack([octant(i) for i in (9, 3, 9)]))
    with pytest.raises(ValueError, match="must be one of training, validation, test, but is 'tests'"):
        library.split("tests")


def _octant_of(library, i):
    return library[i].octant


def test_other_processes_read_it_as_well(path):
    """Through a pickle, with the handle of this process open."""
    library = jm.dataset.load(path)
    assert library[0].octant.any()
    with get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_octant_of, [(library, i) for i in range(8)])
    np.testing.assert_array_equal(np.stack(found), np.stack([octant(i) for i in range(8)]))


def test_ten_lines_of_h5py_read_it(path):
    """The recipe of the documentation."""
    with h5py.File(path) as file:
        side = int(file.attrs["side"])
        i, j, k = np.indices((side,) * 3)
        wedge = (i <= j) & (j <= k)
        number = np.zeros((side,) * 3, int)
        number[wedge] = np.arange(wedge.sum())
        place = number[tuple(np.sort([i, j, k], axis=0))]
        found = np.unpackbits(file["wedge"][7])[place].astype(bool)
        c11, c12, c44 = file["constants"][7]
    record = jm.dataset.load(path)[7]
    np.testing.assert_array_equal(found, record.octant)
    assert (c11, c12, c44) == tuple(record.stiffness[[0, 0, 3], [0, 1, 3]])


def test_a_flipped_bit_is_found(path):
    """Wherever it is: in a record it is that record that is damaged, elsewhere the file is refused or unaffected."""
    whole = path.read_bytes()
    with h5py.File(path) as file:
        starts = [file[name].id.get_offset() for name in _file.COLUMNS]
    random, given = np.random.default_rng(0), columns(COUNT)
    octants = np.stack([octant(i) for i in range(COUNT)])
    for place in [start + 3 for start in starts] + random.integers(0, len(whole), 40).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            library = jm.dataset.load(path, damaged=True)
        except FileError as error:
            assert str(path) in str(error) and place < min(starts)
            continue
        kept = [r.provenance["identity"] for r in library]
        assert len(kept) >= COUNT - 1
        np.testing.assert_array_equal(library.octants(np.arange(len(kept))), octants[kept])
        for name, values in given.items():
            np.testing.assert_array_equal(library.column(name), values[kept])
        if len(kept) < COUNT:
            lost = next(i for i in range(COUNT) if i not in kept)
            with pytest.raises(FileError, match=f"record {lost}: expected the checksum .* the record is damaged"):
                jm.dataset.load(path).octants(np.arange(COUNT))


def test_a_file_that_was_cut_short(path):
    whole = path.read_bytes()
    with h5py.File(path) as file:
        first, last = file["wedge"].id.get_offset(), file["checksum"].id.get_offset()
    for size in (len(whole) - 1, len(whole) - 50, last + 4 * 10):
        path.write_bytes(whole[:size])
        with pytest.raises(FileError, match=r"expected a whole HDF5 file, but .*truncated.*`damaged=True` reads"):
            jm.dataset.load(path)
        library = jm.dataset.load(path, damaged=True)
        kept = min(COUNT, (size - last) // 4)
        assert [r.provenance["identity"] for r in library] == list(range(kept))
        np.testing.assert_array_equal(library.octants(np.arange(kept)), np.stack([octant(i) for i in range(kept)]))
        for name, values in columns(COUNT).items():
            np.testing.assert_array_equal(library.column(name), values[:kept])
    path.write_bytes(whole[: first // 2])
    with pytest.raises(FileError, match=r"library\.h5`, .*: expected"):
        jm.dataset.load(path, damaged=True)


def test_a_newer_schema_is_refused(path):
    """Also where damage is allowed, for its columns may mean something else; h5py still reads them."""
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 2
    for damaged in (False, True):
        with pytest.raises(FileError, match="attribute `schema`: expected at most 1, but it is 2: update jaxmeta"):
            jm.dataset.load(path, damaged=damaged)
    with h5py.File(path) as file:
        for name, values in columns(COUNT).items():
            np.testing.assert_array_equal(file[name], values)


def test_other_files_are_refused(path, tmp_path):
    with pytest.raises(FileError, match="opening: expected a dataset file, but there is no such file"):
        jm.dataset.load(tmp_path / "none.h5")
    with h5py.File(path, "r+") as file:
        del file["seed"]
    with pytest.raises(FileError, match="column `seed`: expected rows of one <i8, but it is not so"):
        jm.dataset.load(path)
    other = tmp_path / "other.h5"
    jm.io.write_h5(other, jnp.ones((2, 2, 2)))
    with pytest.raises(FileError, match='attribute `format`: expected "jaxmeta dataset"'):
        jm.dataset.load(other)
    other.write_text("no HDF5 at all")
    for damaged in (False, True):
        with pytest.raises(FileError, match="HDF5"):
            jm.dataset.load(other, damaged=damaged)


FULL = """
import resource, sys
from pathlib import Path
from jaxmeta.dataset import _file
from jaxmeta.dataset._make import _run, joined
from jaxmeta.io import FileError
from tests.dataset.libraries import ATTRIBUTES, columns

def limited(size, work):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        work()
        message = "written"
    except FileError as error:
        message = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(message)

path, size = Path(sys.argv[1]), int(sys.argv[2])
for room in (0, 4000, 20000, size - 1, size):
    limited(room, lambda: _file.write(path, columns(500), ATTRIBUTES, overwrite=room < size))
run = _run(path.parent / "run", {}, 3, ATTRIBUTES)
make = lambda task: columns(500 if task == 1 else 4, first=4 * task)
limited(20000, lambda: list(run.work(make)))
print(sorted({0, 1, 2} - set(run.done())), joined(run.parts())["identity"].tolist())
print(list(run.work(make)), len(joined(run.parts())["identity"]))
"""


def test_a_full_disk_leaves_what_was_there(path, tmp_path):
    """A library that was to be replaced, and the tasks of a run that were done before; the process lives on, and with
    room again the run goes on. There is room up to a byte less than is needed; a new name is asked for last."""
    _file.write(tmp_path / "large.h5", columns(500), ATTRIBUTES, overwrite=False)
    before, size = path.read_bytes(), (tmp_path / "large.h5").stat().st_size
    done = subprocess.run([sys.executable, "-c", FULL, path, str(size)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    wanted = "writing: expected room and permission for the file, but file too large."
    assert lines[:4] == 4 * [f"File `{path}`, {wanted}"]
    assert (
        lines[4] == f"File `{path}`, writing: expected a new file name or overwrite=True, but the file exists already."
    )
    assert lines[5] == f"File `{tmp_path / 'run' / 'parts' / '000001.h5'}`, {wanted}"
    assert lines[6] == "[1, 2] [0, 1, 2, 3]" and lines[7] == "[1, 2] 508"
    assert path.read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_batches_are_in_random_order_and_resume(path):
    library = jm.dataset.load(path)
    batches = jm.dataset.Batches(library, size=12, seed=3)
    seen = [next(batches) for _ in range(7)]
    first = np.concatenate([batch.numbers for batch in seen[:3]])
    assert len(set(first.tolist())) == 36 and first.tolist() != sorted(first)
    assert set(seen[3].numbers.tolist()) != set(seen[0].numbers.tolist())
    for batch in seen[:2]:
        np.testing.assert_array_equal(batch.octants, np.stack([octant(i) for i in batch.numbers]))
        np.testing.assert_array_equal(batch.constants, library.constants[batch.numbers])
    again = jm.dataset.Batches(library, size=12, seed=3, position=5)
    np.testing.assert_array_equal(next(again).numbers, seen[5].numbers)
    with pytest.raises(ValueError, match="`size` must be from 1 to 40, but is 41"):
        jm.dataset.Batches(library, size=41)


def test_nearest(path):
    library = jm.dataset.load(path)
    found = jm.dataset.nearest(library, library[11].stiffness, library[11].volume_fraction, count=3)
    assert found.numbers[0] == 11 and found.error[0] == found.relative_error[0] == found.volume_error[0] == 0
    wanted = np.array([0.5, 0.2, 0.3])
    off = np.abs(library.constants - wanted)
    ranges = np.array([1.3425703 - 0.0118019, 0.5749314 + 0.0924240, 0.3837908 - 0.0004335])
    relative = np.linalg.norm(off, axis=1) / np.linalg.norm(wanted)
    found = jm.dataset.nearest(library, wanted, count=40)
    np.testing.assert_array_equal(found.numbers, np.argsort(relative))
    np.testing.assert_allclose(found.relative_error, np.sort(relative), rtol=1e-14)
    np.testing.assert_allclose(found.error, (off / ranges).mean(1)[found.numbers], rtol=1e-14)
    assert np.isnan(found.volume_error).all()
    distance = relative + np.abs(library.volume_fraction - 0.3)
    np.testing.assert_array_equal(jm.dataset.nearest(library, wanted, 0.3, 40).numbers, np.argsort(distance))
    families = library.column("family")
    once = jm.dataset.nearest(library, wanted, count=40, per_family=1).numbers
    assert sorted(families[once]) == sorted(set(families))
    assert all(
        number == min(np.flatnonzero(families == families[number]), key=lambda n: relative[n]) for number in once
    )
    whole = jm.dataset.nearest(library, wanted, count=40, printable=True).numbers
    clean = [
        n for n in np.argsort(relative) if not library[int(n)].facts.thin and not any(library[int(n)].facts.hinges)
    ]
    assert whole.tolist() == clean
    with pytest.raises(ValueError, match=r"or C11, C12 and C44, not all zero, but has shape \(2,\)"):
        jm.dataset.nearest(library, [1.0, 2.0])
    with pytest.raises(ValueError, match=r"`volume_fraction` must be from 0 to 1, but is 1\.5"):
        jm.dataset.nearest(library, wanted, 1.5)
