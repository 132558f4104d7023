"""The library that comes with the package is what its data card says."""

import importlib
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta.dataset import _library, _overlap, _records
from jaxmeta.elasticity import CubicConstants
from tests.doc_cells import blocks

EVEN = 5000
FOLDER = Path(__file__).parents[2] / "experiments" / "dataset"


@pytest.fixture(scope="module")
def library():
    return jm.dataset.load()


@pytest.fixture(scope="module")
def sample(library):
    return np.random.default_rng(0).choice(len(library), 120, replace=False)


def test_it_is_large_and_whole(library):
    made = library.column("round")
    assert (made == 0).sum() >= 1500 and (made > 0).sum() >= 10000
    assert library.side == 32 and library.intact().all()
    assert len(np.unique(library.column("identity"))) == len(library)
    assert {"generate", "perturb", "select"} <= set(library.settings)
    assert library._handle().attrs["licence"] == "CC BY 4.0"


def test_properties_are_possible(library):
    assert CubicConstants(*library.constants.T).positive.all()
    above = _records.shares(library.constants, library.volume_fraction).max(axis=1) - 1
    assert above.max() <= _records.ALLOWED
    np.testing.assert_array_equal(library.column("flags") == 1, above > 0)
    assert library.column("error").max() <= 1e-5


def test_a_record_that_is_impossible_is_seen(library):
    """The check above finds a bulk modulus or a shear modulus that is two per cent too high."""
    above = _records.shares(library.constants, library.volume_fraction) - 1
    for modulus in (0, 1):
        row = int(above[:, modulus].argmax())
        factor = 1.02 / (1 + above[row, modulus])
        shares = _records.shares(factor * library.constants[row], library.volume_fraction[row])
        assert shares.max() > 1 + _records.ALLOWED
    assert not CubicConstants(*(library.constants[0] * np.array([1, 1, -1]))).positive


def test_it_covers_property_space(library):
    c11, c12, _ = library.constants.T
    ratio = c12 / (c11 + c12)
    assert library.volume_fraction.min() <= 0.11 and library.volume_fraction.max() >= 0.94
    assert ratio[c11 >= 0.01].min() <= -0.45 and ratio.max() >= 0.45
    share = (c11 + 2 * c12) / 3 / np.asarray(jm.bounds.hashin_shtrikman(library.volume_fraction, _records.SOLID).bulk)
    even = slice(0, EVEN)
    fractions = np.histogram(library.volume_fraction[even], 0.05 * np.arange(2, 20))[0]
    shares = np.histogram(np.minimum(share[even], 1 - 1e-9), 0.1 * np.arange(11))[0]
    assert fractions.min() >= 80 and shares.min() >= 200, (fractions, shares)


@pytest.mark.slow
def test_cells_are_sound_and_labels_those_of_a_tight_solve(library, sample):
    """Labels: of the octant in float64; experiments/dataset solves one record in a hundred as a whole cell."""
    for number, octant in zip(sample, library.octants(sample), strict=True):
        cell = np.asarray(jm.symmetry.unfold(octant))
        assert jm.geometry.is_connected(cell) and all(jm.geometry.percolates(cell))
        assert not jm.geometry.has_hinges(cell)
        assert cell.mean() == library.volume_fraction[number]
    for number in sample[:3]:
        octant = jnp.asarray(library[int(number)].octant, jnp.float64)
        h = jm.homogenize(
            octant, _records.SOLID, interpolation=jm.SIMP(1.0, _records.VOID), symmetry="cubic", residual=1e-9
        )
        np.testing.assert_allclose(library.stiffness[number], h.stiffness, atol=1e-4 * h.stiffness.max())


@pytest.mark.slow
def test_no_two_are_alike(library):
    """Among the first few thousand; all of them are compared in experiments/dataset."""
    first = library[:4096]
    columns = {name: first.column(name) for name in ("wedge", "volume_fraction")}
    assert _overlap.distinct(columns, library.side, 0.95).all()


def test_families_stay_together(library):
    family, split = library.column("family"), library.column("split")
    order = np.argsort(family, kind="stable")
    same = family[order][1:] == family[order][:-1]
    assert (split[order][1:][same] == split[order][:-1][same]).all()
    counts = np.bincount(split, minlength=4) / len(library)
    np.testing.assert_allclose(counts, [0, 0.8, 0.1, 0.1], atol=0.04)


@pytest.mark.parametrize(("script", "results"), [("check", "results"), ("kill", "kills")])
def test_the_readme_shows_the_results(script, results, tmp_path, monkeypatch):
    """Made anew from the results, its tables are as they are."""
    monkeypatch.syspath_prepend(FOLDER)
    module, readme = importlib.import_module(script), importlib.import_module("readme")
    before = (FOLDER / "README.md").read_text("utf-8")
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    readme.README.write_text(before, "utf-8")
    module.tables(json.loads((FOLDER / f"{results}.json").read_text("utf-8")))
    assert readme.README.read_text("utf-8") == before


def test_the_results_are_those_of_this_library(library):
    found = json.loads((FOLDER / "results.json").read_text("utf-8"))
    assert found["records"] == len(library) and found["stiffness"]["flagged"] == library.column("flags").sum()
    assert found["counts"]["volume fraction"]["all"] == [
        int(n) for n in np.histogram(library.volume_fraction, 0.05 * np.arange(2, 20))[0]
    ]
    assert set(found["shape"].values()) == {0} and found["stiffness"]["more than 1 % above a bound"] == 0
    assert found["largest overlap"] <= 0.95
    assert found["solved anew"]["records"] >= len(library) / 100
    assert found["solved anew"]["largest difference of C"] <= 1e-4


def test_the_page_of_the_documentation(library, tmp_path, monkeypatch):
    """Its first lines run, and its ten lines of h5py read what the library reads."""
    first, recipe = blocks("docs/dataset.md", "python")
    names: dict = {}
    exec(first, names)
    assert len(names["found"].numbers) == 5 and next(names["batches"]).octants.shape == (32, 32, 32, 32)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "library.h5").symlink_to(_library.SHIPPED)
    exec(recipe, names)
    np.testing.assert_array_equal(names["octant"], library[7].octant)
    assert (names["c11"], names["c12"], names["c44"]) == tuple(library[7].stiffness[[0, 0, 3], [0, 1, 3]])
