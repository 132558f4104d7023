"""What `info` counts, against counts and bounds written out anew."""

from itertools import pairwise

import h5py
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.dataset import _file, info
from jaxmeta.io import FileError, to_json
from tests.dataset.libraries import ATTRIBUTES, columns

COUNT = 60


@pytest.fixture
def given():
    """Columns with positive definite constants, some children, and some flags."""
    given = columns(COUNT)
    random = np.random.default_rng(0)
    c11, ratio = random.uniform(0.01, 0.6, COUNT), random.uniform(-0.45, 0.9, COUNT)
    given["constants"] = np.column_stack([c11, ratio * c11, random.uniform(0.01, 0.3, COUNT)])
    given["volume_fraction"] = random.uniform(0.05, 1.0, COUNT)
    given["volume_fraction"][:3] = 0.25, 0.75, 1.0
    given["round"][20:] = 1 + np.arange(40) // 30
    given["flags"][[4, 7]] = 1
    given["split"][5] = 0
    return given


@pytest.fixture
def path(given, tmp_path):
    path = tmp_path / "library.h5"
    _file.write(path, given, ATTRIBUTES, overwrite=False)
    return path


def shares(given):
    """K and Voigt's G over the bounds for voids in a solid with E = 1 and ν = 0.3."""
    (c11, c12, c44), f = given["constants"].T, given["volume_fraction"]
    bulk, shear = 1 / 1.2, 1 / 2.6
    bulk_bound = 4 * bulk * shear * f / (4 * shear + 3 * bulk * (1 - f))
    full = 6 * f * (bulk + 2 * shear) / (5 * shear * (3 * bulk + 4 * shear))
    shear_bound = np.where(f < 1, shear + (1 - f) / (full - 1 / shear), shear)
    return (c11 + 2 * c12) / 3 / bulk_bound, (c11 - c12 + 3 * c44) / 5 / shear_bound


def test_counts(given, path):
    found = info(jm.dataset.load(path))
    rounds = given["round"].tolist()
    names = ("bulk", "shear", "low poisson", "high poisson")
    assert found["records"] == COUNT and found["families"] == 20 and found["flagged"] == 2
    objective = given["objective"].tolist()
    for number, name in enumerate(names):
        pairs = zip(objective, rounds, strict=True)
        assert found["optimised"][name] == sum(o == number and r == 0 for o, r in pairs)
    assert found["isotropic"] == 10
    assert found["children"] == {"1": 30, "2": 10}
    split = given["split"].tolist()
    assert found["splits"] == {
        "none": 1, "training": split.count(1), "validation": split.count(2), "test": split.count(3)
    }  # fmt: skip
    assert found["solid"] == {"young": 1.0, "poisson": 0.3, "void": 1e-9}
    assert found["side"] == 6 and found["settings"] == {"seed": 1}
    assert found["version"] == "0" and found["licence"] == "CC BY 4.0" and "lost" not in found
    assert to_json(found)  # plain and finite


def test_ranges(given, path):
    c11, c12, c44 = given["constants"].T
    bulk, shear = shares(given)
    expected = {
        "volume_fraction": given["volume_fraction"], "c11": c11, "c12": c12, "c44": c44, "poisson": c12 / (c11 + c12),
        "zener": 2 * c44 / (c11 - c12), "bulk": bulk, "shear": shear,
    }  # fmt: skip
    found = info(jm.dataset.load(path))["ranges"]
    assert set(found) == set(expected)
    for name, values in expected.items():
        three = [found[name][place] for place in ("lowest", "median", "highest")]
        np.testing.assert_allclose(three, [min(values), np.median(values), max(values)], rtol=1e-9)


@pytest.mark.parametrize("even", [None, 1, 17, COUNT])
def test_coverage(given, path, even):
    found = info(jm.dataset.load(path), even)
    assert found["even"] == (even or COUNT)
    for name, count in (("coverage", COUNT), ("even_coverage", even or COUNT)):
        f, (k, _) = given["volume_fraction"][:count], shares(given)
        k = k[:count]
        c11, c12, _ = given["constants"][:count].T
        poisson = c12 / (c11 + c12)
        rows, places, edges = (found["edges"][key] for key in ("volume_fraction", "bulk", "poisson"))
        assert len(rows) == 21 and len(places) == 12 and len(edges) == 16
        for i, line in enumerate(found[name]["bulk"]):
            for j, number in enumerate(line):
                # The whole cell counts below 1, and what is beyond 1.1 of the bound in the last column.
                inside = (rows[i] <= f) & ((f < rows[i + 1]) | (i == 19))
                assert number == (inside & (places[j] <= k) & ((k < places[j + 1]) | (j == 10))).sum()
        assert sum(map(sum, found[name]["bulk"])) == count
        expected = [((low <= poisson) & (poisson < high)).sum() for low, high in pairwise(edges)]
        assert found[name]["poisson"] == expected


def test_values_on_edges(given, path):
    """0.25 and 0.75 begin a bin, although 0.15 / 0.05 rounds down."""
    given["volume_fraction"][:4] = 0.15, 0.35, 0.6, 0.95
    _file.write(path, given, ATTRIBUTES, overwrite=True)
    lines = info(jm.dataset.load(path), 4)["even_coverage"]["bulk"]
    assert [i for i, line in enumerate(lines) if sum(line)] == [3, 7, 12, 19]


def test_part_of_a_library(path):
    library = jm.dataset.load(path)
    assert info(library.split("test"))["splits"] == {"none": 0, "training": 0, "validation": 0, "test": 19}
    with pytest.raises(ValueError, match="`even` must be from 1 to 60, but is 61"):
        info(library, 61)
    with pytest.raises(ValueError, match="`library` must hold at least one record"):
        info(library[:0])


def test_damage(path):
    with h5py.File(path) as file:
        place = file["seed"].id.get_offset() + 8 * 9
    content = bytearray(path.read_bytes())
    content[place] ^= 2
    path.write_bytes(content)
    with pytest.raises(FileError, match="record 9: expected the checksum"):
        info(jm.dataset.load(path))
    found = info(jm.dataset.load(path, damaged=True))
    assert found["records"] == COUNT - 1 and found["lost"] == 1


def test_attributes_are_missing(path):
    with h5py.File(path, "r+") as file:
        del file.attrs["licence"]
    with pytest.raises(FileError, match=r"library\.h5`, attributes: expected those of a dataset file"):
        info(jm.dataset.load(path))
