"""Whatever byte of a file is damaged, the answer is a density or one sentence."""

import warnings

import numpy as np
import pytest

from jaxmeta.io import FileError, read_density, surface, write_h5, write_npz, write_stl, write_vti

CELL = np.random.default_rng(0).random((4, 5, 6))


def save_npy(path, cell):
    np.save(path, cell)


def save_stl(path, cell):
    write_stl(path, *surface(cell))


@pytest.mark.parametrize(
    ("suffix", "save"), [("npy", save_npy), ("npz", write_npz), ("h5", write_h5), ("vti", write_vti), ("stl", save_stl)]
)
def test_damaged_anywhere(tmp_path, suffix, save):
    path = tmp_path / f"cell.{suffix}"
    save(path, CELL)
    whole = path.read_bytes()
    random = np.random.default_rng(1)
    refused = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of reading; libraries that write warn of each other
        for _ in range(300):
            damaged = bytearray(whole)
            # Headers are short: half of the damage goes there.
            places = random.integers(0, random.choice([min(len(whole), 400), len(whole)]), random.integers(1, 4))
            for place in places:
                damaged[place] = random.integers(256)
            path.write_bytes(damaged)
            try:
                file = read_density(path, resolution=4 if suffix == "stl" else None)
            except FileError as error:
                refused += 1
                assert str(path) in str(error) and "\n" not in str(error)
            else:
                assert file.density.ndim == 3 and file.density.min() >= 0 and file.density.max() <= 1
    assert refused > 30
