"""`jaxmeta nano`: bodies of atoms, designed or read."""

from __future__ import annotations

from typing import Annotated

import tyro

from ._nano_optimize import Optimize
from ._nano_read import Info, Relax, Stiffness

NAMES = ("optimize", "stiffness", "relax", "info")
ABOUT = (
    "Bodies of FCC atoms with embedded-atom potentials: design one atom by atom (optimize); read one from a file and "
    "compute its stiffness (stiffness), relax it (relax), or say what it is (info)."
)
Nano = (
    Annotated[Optimize, tyro.conf.subcommand("optimize")]
    | Annotated[Stiffness, tyro.conf.subcommand("stiffness")]
    | Annotated[Relax, tyro.conf.subcommand("relax")]
    | Annotated[Info, tyro.conf.subcommand("info")]
)
