"""Files of weights: a round trip, and one sentence for whatever is wrong with them."""

import json
import re

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxmeta as jm
from jaxmeta import diffusion
from jaxmeta.diffusion import Model, Schedule, conditions, load, sample, save
from jaxmeta.io import FileError
from tests.diffusion.test_network import LEAST, random_weights
from tests.doc_cells import blocks


@pytest.fixture(scope="module")
def model():
    made = random_weights(LEAST).astype(jnp.float32)
    return Model(made.network, made.weights, Schedule(lowest=0.2), json.dumps({"steps": 3}))


@pytest.fixture
def path(model, tmp_path):
    save(model, tmp_path / "weights.h5")
    return tmp_path / "weights.h5"


def test_round_trip(model, path):
    found = load(path)
    assert (found.network, found.schedule, found.notes) == (model.network, model.schedule, model.notes)
    assert jax.tree.structure(found.weights) == jax.tree.structure(model.weights)
    for first, second in zip(jax.tree.leaves(model.weights), jax.tree.leaves(found.weights), strict=True):
        assert second.dtype == jnp.float32
        np.testing.assert_array_equal(first.astype(jnp.float16), second.astype(jnp.float16))
    assert path.stat().st_size < 2 * model.count + 20_000
    box = random_weights(diffusion.BoxNet((4, 4, 2), (2, 2, 2), (8, 8), (1, 0), 8)).astype(jnp.float32)
    save(box, path, overwrite=True)
    found = load(path)
    assert found.network == box.network
    for first, second in zip(jax.tree.leaves(box.weights), jax.tree.leaves(found.weights), strict=True):
        np.testing.assert_array_equal(first.astype(jnp.float16), second.astype(jnp.float16))


def change(path, **values):
    with h5py.File(path, "r+") as file:
        for name, value in values.items():
            if name == "weights":
                del file[name]
                file[name] = value
            else:
                file.attrs[name] = value


def refused(path):
    with pytest.raises(FileError) as error:
        load(path)
    text = str(error.value)
    assert re.fullmatch(r"File `.*weights\.h5`, [^\n]+: expected [^\n]+, but [^\n]+\.", text), text
    return text


def test_damaged_files(path):
    whole = path.read_bytes()
    for length in (0, 10, 1000, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path)
    with h5py.File(path.with_name("whole.h5"), "w"):
        pass
    place = whole.rindex(bytes(load_bytes(whole)))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert "digest" in refused(path)


def load_bytes(whole):
    """The first weights as they stand in the file."""
    import io

    with h5py.File(io.BytesIO(whole)) as file:
        return file["weights"][:64].tobytes()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"format": "jaxmeta dataset"}, "format"),
        ({"schema": 2}, "update jaxmeta"),
        ({"network": "{}"}, "settings of a network"),
        ({"network": "[" * 5000}, "settings of a network"),
        ({"network": json.dumps({"kind": "wedge", "side": 10**9, "block": 1})}, "settings of a network"),
        ({"network": json.dumps({"kind": "wedge", "side": -8})}, "settings of a network"),
        ({"network": json.dumps({"kind": "wedge", "embedding": [8]})}, "settings of a network"),
        ({"network": json.dumps({"kind": "box", "shape": [8], "block": [2]})}, "settings of a network"),
        ({"network": json.dumps({"kind": "box", "shape": [0, 4, 2]})}, "settings of a network"),
        ({"network": json.dumps({"kind": "wedge", "features": [2048] * 5, "depth": [1] * 5, "side": 64})}, "numbers"),
        ({"schedule": "{}x"}, "settings of a network"),
        ({"weights": np.zeros(7, "<f2")}, "numbers in half precision"),
        ({"weights": np.zeros(7, "<f8")}, "numbers in half precision"),
    ],
)
def test_foreign_files(path, values, said):
    change(path, **values)
    assert said in refused(path)


def test_weights_that_are_promised_but_not_there(path, model):
    """A dataset of chunks can state any size in a few bytes."""
    with h5py.File(path, "r+") as file:
        del file["weights"]
        file.create_dataset("weights", (model.count,), "<f2", chunks=True)
    refused(path)


def test_numbers_that_are_none(path, model):
    import hashlib

    with h5py.File(path, "r+") as file:
        flat = file["weights"][()]
        flat[5] = np.nan
        file["weights"][...] = flat
        file.attrs["digest"] = hashlib.sha256(flat.tobytes()).hexdigest()
    assert "finite" in refused(path)
    wrong = jax.tree.map(lambda leaf: leaf * jnp.float32(np.inf), model.weights)
    with pytest.raises(ValueError, match="finite weights"):
        save(Model(LEAST, wrong), path, overwrite=True)


def test_missing_files_and_files_that_are_there(path, model, tmp_path):
    path.rename(tmp_path / "other.h5")
    assert "no such file" in refused(path)
    path.mkdir()
    assert "folder" in refused(path)
    with pytest.raises(FileError, match="exists already"):
        save(model, tmp_path / "other.h5")


def test_same_key_same_cell(model):
    wanted = {"c11": 0.2, "c12": 0.05, "c44": 0.06, "volume_fraction": 0.4}
    cells = [sample(model, wanted, jax.random.key(seed), 3, resolution=16) for seed in (1, 1, 2)]
    assert (cells[0] == cells[1]).all() and not (cells[0] == cells[2]).all()
    assert jm.symmetry.detect(cells[0]) == "cubic"
    assert float(cells[0].mean()) == pytest.approx(0.4, abs=3 / 8**3)
    fine = sample(model, conditions(**wanted), jax.random.key(1), 3, resolution=32)
    coarse = np.asarray(fine).reshape(16, 2, 16, 2, 16, 2).mean((1, 3, 5)) > 0.5
    assert np.mean(coarse == cells[0]) > 0.8


def test_samples_that_cannot_be(model, unchecked):
    for options, said in [
        ({"resolution": 24}, "a multiple of 16"),
        ({"steps": 1}, "at least 2"),
        ({"scale": -1}, "negative"),
    ]:
        with pytest.raises(ValueError, match=said):
            sample(model, {"c11": 0.2}, jax.random.key(0), **({"resolution": 16} | options))
    for wrong in ({"c13": 0.2}, {"c11": float("nan")}, 3):
        with pytest.raises(ValueError, match="Argument"):
            sample(model, wrong, jax.random.key(0), resolution=16)


def test_importing_the_package_loads_no_network_library():
    import subprocess
    import sys

    code = "import sys, jaxmeta as jm; jm.diffusion; print({'flax', 'jax', 'optax', 'orbax'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
    assert diffusion.PRESETS["small"].side == 32


def test_the_page_of_the_documentation(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(model, "weights.h5")
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        names = {}
        for code in blocks("docs/diffusion.md", "python"):
            exec(code, names)
    assert names["cell"].shape == (64, 64, 64)
