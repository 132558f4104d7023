"""The docstring examples in float32, the default of whoever copies them."""

import doctest
import importlib
import pkgutil

import jax
import pytest

from jaxmeta import fem, homogenization, solvers

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (fem, homogenization, solvers)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        assert doctest.testmod(module).failed == 0
