"""`read_density` and `.raw`: arguments, ranges, files that are not there."""

import os
import subprocess
import sys

import numpy as np
import pytest

from jaxmeta.io import FileError, read_density

CELL = np.random.default_rng(5).random((3, 4, 5))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">f8", "<f2", "g", "?", ">u2", "i1"])
def test_raw_round_trip(tmp_path, order, dtype):
    path = tmp_path / "cell.raw"
    cell = (np.round(CELL) if np.dtype(dtype).kind in "biu" else CELL).astype(dtype)
    path.write_bytes(cell.tobytes(order=order))
    file = read_density(path, shape=(3, 4, 5), dtype=dtype, order=order)
    np.testing.assert_array_equal(file.density, cell.astype(file.density.dtype))


def test_raw_bytes_are_scaled(tmp_path):
    path = tmp_path / "cell.raw"
    np.array([0, 255, 51, 102] * 2, np.uint8).tofile(path)
    with pytest.raises(FileError, match=r"voxel \(0, 0, 1\): expected a density between 0 and 1"):
        read_density(path, shape=(2, 2, 2), dtype="u1")
    density = read_density(path, shape=(2, 2, 2), dtype="u1", scale=1 / 255).density
    np.testing.assert_allclose(density.ravel(), [0, 1, 0.2, 0.4] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "dtype", "error", "text"),
    [
        (None, "u1", ValueError, "`shape` and `dtype`"),
        ((2, 2, 2), None, ValueError, "`shape` and `dtype`"),
        ((2, 2.5, 2), "u1", ValueError, "three whole numbers"),
        (("2", 2, 2), "u1", ValueError, "three whole numbers"),
        (8, "u1", ValueError, "three whole numbers"),
        ((2, 2, 2), "nonsense", ValueError, "`dtype` must name"),
        ((2, 2, 2), "O", FileError, "never loaded"),
        ((2, 2, 2), "c8", FileError, "complex64"),
        ((2, 2), "u1", FileError, r"\(nx, ny, nz\)"),
        ((2, 2, 3), "u1", FileError, "12 bytes for shape"),
        ((2, 2, 1), "u1", FileError, "the file has 8"),
        ((10**4, 10**4, 10**4), "f8", FileError, "1e\\+12"),
        ((-2, -2, 2), "u1", FileError, "at least one voxel"),
    ],
)
def test_bad_raw(tmp_path, shape, dtype, error, text, unchecked):
    path = tmp_path / "cell.raw"
    path.write_bytes(bytes(8))
    with pytest.raises(error, match=text):
        read_density(path, shape=shape, dtype=dtype)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".npy", {"shape": (2, 2, 2)}),
        (".npy", {"name": "a"}),
        (".npz", {"dtype": "f4"}),
        (".vti", {"resolution": 3}),
        (".stl", {"scale": 2.0}),
        (".raw", {"name": "a"}),
        (".h5", {"order": "F"}),
    ],
)
def test_ignored_arguments_raise(suffix, options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be given only for"):
        read_density("cell" + suffix, **options)


def test_range_and_rounding(tmp_path):
    path = tmp_path / "cell.npy"
    np.save(path, np.array([[[-1e-9, 1 + 1e-9]]]))
    np.testing.assert_array_equal(read_density(path).density, [[[0.0, 1.0]]])
    for bad in (1.001, -0.001, np.nan, np.inf):
        np.save(path, np.array([[[0.0, 0.5], [0.5, bad]]]))
        with pytest.raises(FileError, match=r"voxel \(0, 1, 1\)"):
            read_density(path)


def test_files_that_cannot_be_opened(tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    (tmp_path / "folder.npy").mkdir()
    os.mkfifo(tmp_path / "pipe.npy")
    for path, text in (
        (tmp_path / "missing.npy", "no such file"),
        (plain / "below.npy", "not a directory"),
        (tmp_path / "folder.npy", "it is a folder"),
        (tmp_path / "pipe.npy", "a pipe"),
        (tmp_path / "cell.png", "a suffix"),
        (plain, "a suffix"),
    ):
        with pytest.raises(FileError, match=text) as caught:
            read_density(path)
        assert str(path) in str(caught.value)


def test_control_characters_of_a_file_are_not_printed(tmp_path):
    np.savez(tmp_path / "a.npz", **{"\x1b[31mred\n": CELL, "b": CELL})
    with pytest.raises(FileError) as caught:
        read_density(tmp_path / "a.npz")
    assert "\x1b" not in str(caught.value) and "\n" not in str(caught.value)


def test_import_is_light():
    heavy = ("jax", "h5py", "scipy", "skimage", "trimesh", "pyvista")
    code = f"import sys, jaxmeta.io; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
