"""From a density or a material field to the effective stiffness of the periodic cell.

Names resolve at first use: how a cell is solved, which are options of the command line, needs no JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
