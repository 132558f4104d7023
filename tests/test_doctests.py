"""Every docstring example runs, in the precision of whoever copies it."""

import doctest
import importlib
import pkgutil

import jax
import pytest

PACKAGES = ["cells", "fem", "solvers", "homogenization", "optimizers", "runs", "design", "topology", "dataset", "cli"]


def _modules_with_examples() -> list[str]:
    finder, names = doctest.DocTestFinder(exclude_empty=True), []
    for package in PACKAGES:
        parent = importlib.import_module(f"jaxmeta.{package}")
        for info in pkgutil.iter_modules(parent.__path__, f"{parent.__name__}."):
            tests = finder.find(importlib.import_module(info.name))
            if any(test.examples for test in tests):
                names.append(info.name)
    return names


MODULES = _modules_with_examples()


def test_there_are_examples():
    assert {name.split(".")[1] for name in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
