"""`jaxmeta dataset`: making a library of cells, and reading one."""

from __future__ import annotations

from typing import Annotated

import tyro

from ._dataset_make import Generate, Perturb, Refine, Select
from ._dataset_read import Export, Info, Nearest

NAMES = ("generate", "perturb", "select", "refine", "info", "export", "nearest")
ABOUT = (
    "Make a library of cubic cells: optimised ones (generate), their deformed children (perturb), an even part without "
    "near-duplicates (select), twice the resolution (refine). Or read one: what it holds (info), files of single cells "
    "(export), the cells nearest to a wanted stiffness (nearest)."
)
Dataset = (
    Annotated[Generate, tyro.conf.subcommand("generate")]
    | Annotated[Perturb, tyro.conf.subcommand("perturb")]
    | Annotated[Select, tyro.conf.subcommand("select")]
    | Annotated[Refine, tyro.conf.subcommand("refine")]
    | Annotated[Info, tyro.conf.subcommand("info")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Nearest, tyro.conf.subcommand("nearest")]
)
