"""The command line: `jaxmeta homogenize`, `jaxmeta optimize`, `jaxmeta dataset` and `jaxmeta train`.

Nothing here imports JAX or NumPy before a command runs, so that `--help` answers at once.
"""

from ._main import main as main
