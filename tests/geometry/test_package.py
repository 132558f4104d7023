"""The package is light to import."""

import subprocess
import sys


def test_import_does_not_load_surface_tools():
    code = (
        "import sys, jaxmeta.geometry\n"
        "print([name for name in ('skimage', 'trimesh', 'scipy.ndimage') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
