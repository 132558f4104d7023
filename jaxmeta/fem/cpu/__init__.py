"""Kernels of a CPU, in place of what XLA's CPU compiler makes of the plain expressions.

`_forces`, `_energies`, `_inverses` and `_multigrid`, with what they share in `_general`, `_modes`, `_moduli`, `_ends`
and `_rows`, say what is computed, in the Python that Numba translates; `_memory` is what they stand on, `_call` is how
XLA calls them; `_build` translates them, once, and its result comes with the package; `_code` makes machine code of
that, where `_switch` says so. Numba is not loaded where the kernels run, and where they cannot run the plain
expressions serve.
"""

from ._switch import target as target
