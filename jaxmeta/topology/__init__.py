"""Topology optimisation of a periodic cell: filters, projection, objectives, constraints and the design run.

Names resolve at first use: the settings of a run, which are options of the command line, need no JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
