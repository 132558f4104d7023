"""`.npy` and `.npz`: round trips, and files that lie."""

import io
import pickle
import struct
import zipfile

import numpy as np
import pytest

from jaxmeta.io import FileError, read_density, read_stiffness, write_npz

CELL = np.random.default_rng(0).random((3, 4, 5))


class Bomb:
    """Pickled, it would make a folder when loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.path),)


def npy_bytes(header: str, data: bytes = b"", version=(1, 0)) -> bytes:
    text = header.encode() + b"\n"
    width = "<H" if version[0] == 1 else "<I"
    return b"\x93NUMPY" + bytes(version) + struct.pack(width, len(text)) + text + data


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8", "f2", ">f2", "g", ">g", "?", "u1", ">u2", "i8", ">i8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("axes", [(), (0,), (3,), (0, 4)])
def test_npy_round_trip(tmp_path, dtype, order, axes):
    whole = np.dtype(dtype).kind in "biu"
    cell = np.asarray(np.round(CELL) if whole else CELL, order=order).astype(dtype)
    np.save(tmp_path / "cell.npy", np.expand_dims(cell, axes))
    file = read_density(tmp_path / "cell.npy")
    np.testing.assert_array_equal(file.density, cell.astype(float).astype(file.density.dtype))
    assert file.density.dtype == (np.float64 if cell.itemsize >= 8 else np.float32)
    assert file.density.dtype.isnative and file.density.flags.c_contiguous
    assert file.spacing == (1.0, 1.0, 1.0)
    assert file.source["format"] == "npy" and file.source["bytes"] == (tmp_path / "cell.npy").stat().st_size


def test_npz_round_trip(tmp_path):
    stiffness = np.arange(36.0).reshape(6, 6)
    stiffness = stiffness + stiffness.T
    path = tmp_path / "cell.npz"
    write_npz(path, CELL, stiffness, spacing=(0.1, 0.2, 0.3), units={"stiffness": "GPa"}, settings={"steps": 3})
    file = read_density(path)
    np.testing.assert_array_equal(file.density, CELL)
    assert file.spacing == (0.1, 0.2, 0.3) and file.source["name"] == "density"
    np.testing.assert_array_equal(read_stiffness(path), stiffness)
    with np.load(path, allow_pickle=False) as archive:
        assert archive["settings"].item() == '{"steps": 3}'


def test_npz_by_name(tmp_path):
    np.savez(tmp_path / "a.npz", first=CELL, second=1 - CELL)
    np.testing.assert_array_equal(read_density(tmp_path / "a.npz", name="second").density, 1 - CELL)
    with pytest.raises(FileError, match="'first', 'second'"):
        read_density(tmp_path / "a.npz")
    with pytest.raises(FileError, match="named 'third', but there are 'first', 'second'"):
        read_density(tmp_path / "a.npz", name="third")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_ways_to_zip(tmp_path, method, before):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        with archive.open("folder/cell.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, CELL, allow_pickle=False)
        archive.writestr("README", "no array")
        archive.comment = b"made by hand"
    (tmp_path / "a.npz").write_bytes(before + buffer.getvalue())
    for name in (None, "folder/cell"):
        np.testing.assert_array_equal(read_density(tmp_path / "a.npz", name=name).density, CELL)


@pytest.mark.parametrize("spacing", [[0.1, 0.2, 0.3], [[0.1, 0.2, 0.3]], [[0.1], [0.2], [0.3]]])
def test_spacing_in_a_row_or_a_column(tmp_path, spacing):
    np.savez(tmp_path / "a.npz", density=CELL, spacing=spacing)
    assert read_density(tmp_path / "a.npz").spacing == (0.1, 0.2, 0.3)


@pytest.mark.parametrize("spacing", [1.0, [1.0, 2.0], [1.0, 1.0, 0.0], [1.0, np.nan, 1.0], ["1", "2", "3"]])
def test_spacing_that_is_no_lengths(tmp_path, spacing):
    np.savez(tmp_path / "a.npz", density=CELL, spacing=spacing)
    with pytest.raises(FileError, match="spacing"):
        read_density(tmp_path / "a.npz")


def test_archives_with_nothing_to_read(tmp_path):
    path = tmp_path / "a.npz"
    for names, text in (((), "there are none"), (("density", "a.txt"), "there are none"), (("density.npy",), "byte 0")):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"")
        with pytest.raises(FileError, match=text):
            read_density(path)
    np.savez(path, density=CELL)
    locked = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1
    path.write_bytes(locked)
    with pytest.raises(FileError, match="encrypted"):
        read_density(path)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_pickles_are_never_loaded(tmp_path, suffix):
    objects = np.empty((2, 2, 2), object)
    objects[...] = Bomb(tmp_path / "exploded")
    save = np.save if suffix == "npy" else np.savez
    save(tmp_path / f"a.{suffix}", objects, allow_pickle=True)
    with pytest.raises(FileError, match="pickled Python objects"):
        read_density(tmp_path / f"a.{suffix}")
    # A bare pickle under the suffix, which `numpy.load` would also try.
    (tmp_path / f"b.{suffix}").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(FileError):
        read_density(tmp_path / f"b.{suffix}")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "byte 0"),
        (b"solid what", "start of a .npy file"),
        (b"\x93NUMPY\x09\x00\x00\x00", "version 9"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (10000, 10000, 10000)}"), "1e\\+12"),
        (npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (1000, 1000, 1000)}"), "1000000000 bytes"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2, 2)}"), "whole numbers"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2, 2)}"), "whole numbers"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2, 2)}"), "at least one voxel"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 4)}", bytes(128)), r"\(nx, ny, nz\)"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': ()}", bytes(8)), r"\(nx, ny, nz\)"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 2, 1)}", bytes(32)), r"\(nx, ny, nz\)"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2, 2, 2)}", bytes(128)), r"\(nx, ny, nz\)"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1, 2, 2)}", bytes(64)), r"\(nx, ny, nz\)"),
        (npy_bytes("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1, 1, 1)}", bytes(8)), "datetime64"),
        (npy_bytes("{'descr': '|V2', 'fortran_order': False, 'shape': (1, 1, 1)}", bytes(2)), "real numbers"),
        (npy_bytes("{'descr': '|S2', 'fortran_order': False, 'shape': (1, 1, 1)}", bytes(2)), "real numbers"),
        (npy_bytes("{'descr': '<c16', 'fortran_order': False, 'shape': (1, 1, 1)}", bytes(16)), "complex128"),
        (npy_bytes("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1, 1, 1)}", bytes(8)), "real numbers"),
        (npy_bytes("__import__('os').getcwd()"), "dictionary"),
        (npy_bytes("(" * 5000), "dictionary"),
        (npy_bytes("{" + " " * 100_000, version=(2, 0)), "at most 10000"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "length is 4294967295"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1)}", bytes(7)), "8 bytes"),
        (npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1)}", bytes(9)), "8 bytes"),
    ],
)
def test_bad_npy(tmp_path, content, text):
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    with pytest.raises(FileError, match=text) as caught:
        read_density(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_sparse_file_of_a_terabyte(tmp_path):
    """The size on disk agrees with the header, so only the cap stands in the way."""
    path = tmp_path / "huge.npy"
    header = npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (10000, 10000, 10000)}")
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + 10**12)
    with pytest.raises(FileError, match="at most 2147483648 voxels"):
        read_density(path)


def test_memory_is_a_limit_too(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((8, 8, 8)))
    monkeypatch.setattr("jaxmeta.io._limits.physical_memory", lambda: 4095)
    with pytest.raises(FileError, match="fit into memory"):
        read_density(tmp_path / "a.npy")
    monkeypatch.setattr("jaxmeta.io._limits.physical_memory", lambda: 4096)
    assert read_density(tmp_path / "a.npy").density.shape == (8, 8, 8)


def test_zip_bomb(tmp_path):
    """A member of a few kB that would grow to 3 GB of bytes."""
    path = tmp_path / "bomb.npz"
    header = npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 1024, 1048576)}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("density.npy", "w") as member:
        member.write(header)
        member.write(bytes(1 << 20))
    with pytest.raises(FileError, match="at most 2147483648 voxels"):
        read_density(path)


def test_member_larger_than_its_header(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = npy_bytes("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2)}")
        archive.writestr("density.npy", header + bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(FileError, match="8 bytes for shape"):
        read_density(path)


def test_truncated_and_damaged_npz(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, density=CELL)
    whole = buffer.getvalue()
    path = tmp_path / "cut.npz"
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError, match=r"a whole \.npz archive"):
            read_density(path)
    damaged = bytearray(whole)
    damaged[len(whole) // 3] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(FileError):
        read_density(path)


def test_stiffness_is_checked(tmp_path):
    path = tmp_path / "c.npy"
    for matrix, text in (
        (np.eye(5), r"shape \(6, 6\)"),
        (np.triu(np.ones((6, 6))), "symmetric"),
        (np.full((6, 6), np.nan), "finite"),
    ):
        np.save(path, matrix)
        with pytest.raises(FileError, match=text):
            read_stiffness(path)
    with pytest.raises(ValueError, match="`name`"):
        read_stiffness(path, name="C")
