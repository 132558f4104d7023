"""Cells of a wanted stiffness: starts from a library, fitted by finite elements."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
