"""Every docstring example runs, in the precision of whoever copies it."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import jax
import pytest

import jaxmeta

ROOT = Path(jaxmeta.__file__).parent
NAMES = [info.name for info in pkgutil.walk_packages(jaxmeta.__path__, "jaxmeta.") if not info.ispkg]


def _written(name: str) -> int:
    """Examples in the source of a module that are to run, found or not."""
    source = ROOT.joinpath(*name.split(".")[1:]).with_suffix(".py").read_text("utf-8")
    return len(re.findall(r"^\s*>>> (?!.*\+SKIP)", source, re.MULTILINE))


MODULES = [name for name in NAMES if _written(name)]
LONG = {f"jaxmeta.{name}": pytest.mark.slow for name in ("dataset._make", "nano._optimize")}
"""A library is generated there."""


def test_every_package_has_examples():
    packages = {info.name for info in pkgutil.iter_modules(jaxmeta.__path__, "jaxmeta.") if info.ispkg}
    assert {".".join(name.split(".")[:2]) for name in MODULES} == packages


@pytest.mark.parametrize("name", [pytest.param(name, marks=LONG.get(name, ())) for name in MODULES])
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
    assert result.attempted == _written(name)
