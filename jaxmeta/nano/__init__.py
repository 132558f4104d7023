"""Atom-by-atom mechanics of FCC aluminium: embedded-atom potentials, relaxation, stiffness and their derivatives."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
