"""Kernels of a CPU, in place of what XLA's CPU compiler makes of the plain expressions.

`_forces`, `_energies` and `_multigrid`, with `_rows`, say what is computed, in the Python that Numba translates;
`_call` is how XLA calls it; `_build` translates it, once, and its result comes with the package; `_code` makes machine
code of that. Nothing but `_code` is loaded where the kernels run.
"""
