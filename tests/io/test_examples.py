"""Every docstring example of the package runs."""

import doctest
import importlib
import pkgutil

import pytest

import jaxmeta.io

MODULES = [info.name for info in pkgutil.iter_modules(jaxmeta.io.__path__, "jaxmeta.io.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
