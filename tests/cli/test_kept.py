"""Programs that are kept: read in place of tracing, and made anew wherever they may not be the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmeta.cli import _kept
from jaxmeta.cli._kept import kept
from jaxmeta.runs import _folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setattr(_kept, "cache_folder", lambda name: folder)
    return folder


@pytest.fixture
def traced():
    """Calls a function as a new process would, which has traced nothing; and counts how often it is traced."""
    seen = []

    def call(*given, said=0):
        def function(x: jax.Array, other: dict[str, jax.Array]) -> dict[str, jax.Array]:
            seen.append(1)
            return {"sum": x + other["y"], "product": x @ x}

        return kept(function, *given, said=said)

    return call, seen


X = np.arange(9.0).reshape(3, 3)
GIVEN = jnp.asarray(X), {"y": jnp.ones((3, 3))}


def test_a_program_is_read(traced, folder):
    call, seen = traced
    for _ in range(2):
        found = call(*GIVEN, said={"tolerance": 1e-5})
        np.testing.assert_array_equal(found["sum"], X + 1)
        np.testing.assert_array_equal(found["product"], X @ X)
    assert len(seen) == 1 and len(list(folder.iterdir())) == 1


def test_what_a_program_depends_on(traced, monkeypatch):
    call, seen = traced
    call(*GIVEN, said=0)
    call(*GIVEN, said=1)
    call(jnp.asarray(X, "float32"), {"y": jnp.ones((3, 3), "float32")}, said=0)
    call(jnp.ones((2, 2)), {"y": jnp.ones((2, 2))}, said=0)
    monkeypatch.setenv("JAXMETA_CPU_KERNELS", "0")
    call(*GIVEN, said=0)
    monkeypatch.setattr(_folder, "version", lambda name: "0.0.1")
    call(*GIVEN, said=0)
    with jax.default_matmul_precision("highest"):
        call(*GIVEN, said=0)
    assert len(seen) == 7
    call(*GIVEN, said=0)
    assert len(seen) == 7


@pytest.mark.parametrize("damage", [b"", b"nothing", None])
def test_a_damaged_file_is_made_again(traced, folder, damage):
    call, seen = traced
    call(*GIVEN, said=0)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-100] + whole[-99:] if damage is None else damage)
    np.testing.assert_array_equal(call(*GIVEN, said=0)["sum"], X + 1)
    assert len(seen) == 2 and len(file.read_bytes()) > 1000
    call(*GIVEN, said=0)
    assert len(seen) == 2


def test_without_its_kernels_a_program_is_made_again(run, cell_file, folder, monkeypatch):
    """Of the command; its numbers are those of the first time."""
    first = run("homogenize", cell_file, "--json").data
    (file,) = folder.iterdir()
    again = run("homogenize", cell_file, "--json").data
    assert again["stiffness"] == first["stiffness"] and again["solver"]["steps"] == first["solver"]["steps"]
    at = file.stat().st_mtime_ns
    monkeypatch.setattr("jaxmeta.fem.cpu.target", lambda *_: None)
    assert run("homogenize", cell_file, "--json").data["stiffness"] == first["stiffness"]
    assert file.stat().st_mtime_ns > at


def test_what_calls_the_code_of_others_is_not_kept(folder):
    """LAPACK is there only once something of it was traced."""
    np.testing.assert_allclose(kept(jnp.linalg.inv, jnp.asarray(X + np.eye(3)), said=0), np.linalg.inv(X + np.eye(3)))
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_had(traced, monkeypatch):
    call, seen = traced
    monkeypatch.setattr(_kept, "cache_folder", lambda name: None)
    for _ in range(2):
        np.testing.assert_array_equal(call(*GIVEN, said=0)["sum"], X + 1)
