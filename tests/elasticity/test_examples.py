"""The docstring examples in float32, the default of whoever copies them."""

import doctest
import importlib
import pkgutil

import jax
import pytest

from jaxmeta import elasticity

MODULES = [module.name for module in pkgutil.iter_modules(elasticity.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(f"jaxmeta.elasticity.{name}")
    with jax.enable_x64(False):
        assert doctest.testmod(module).failed == 0
