"""A diffusion model of cubic cells: noise, network, sampling with guidance by finite elements, training, weights.

Names resolve at first use: the settings of a training, which are options of the command line, need no JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
