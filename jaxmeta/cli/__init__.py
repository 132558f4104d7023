"""The command line: `jaxmeta homogenize`, `jaxmeta optimize` and `jaxmeta dataset`.

Nothing here imports JAX or NumPy before a command runs, so that `--help` answers at once.
"""

from ._main import main as main
