"""The package itself: its examples run, and it is light to import."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

from jaxmeta import geometry

MODULES = [f"jaxmeta.geometry.{module.name}" for module in pkgutil.iter_modules(geometry.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_import_does_not_load_surface_tools():
    code = (
        "import sys, jaxmeta.geometry\n"
        "print([name for name in ('skimage', 'trimesh', 'scipy.ndimage') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
