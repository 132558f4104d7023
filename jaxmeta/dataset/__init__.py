"""A library of cubic microstructures: making one, its file, reading it, and the cells nearest to a wanted stiffness.

Names resolve at first use: the settings of what is made, which are options of the command line, need no JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
