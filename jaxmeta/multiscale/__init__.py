"""Structures whose cells are designs: cells of homogenized stiffness, what a cell can be, cloaks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
