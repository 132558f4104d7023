"""Pictures and reports. Host code on NumPy arrays.

Names resolve at first use: what starts another process to draw is to do so before it needs JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
