"""Runs that last: what a run was given, its tasks and who does them, checkpoints, interrupts.

It knows nothing of what is run. Names resolve at first use, for a command line needs some of them before it needs JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
