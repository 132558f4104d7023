"""The floor plan holds: arrows between packages point one way, and none reaches into the private modules of another."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "jaxmeta"

ARROWS: dict[str, str] = {
    "elasticity": "",
    "solvers": "",
    "optimizers": "",
    "fem": "elasticity solvers",
    "homogenization": "elasticity solvers fem",
    "geometry": "",
    "io": "elasticity geometry",
    "render": "elasticity geometry io",
    "runs": "io",
    "design": "optimizers",
    "cells": "elasticity solvers fem homogenization geometry io render",
    "topology": "elasticity solvers optimizers fem homogenization geometry runs design cells",
    "dataset": "elasticity solvers optimizers homogenization geometry io runs design cells topology",
    "diffusion": "elasticity homogenization geometry io runs dataset",
    "generation": "elasticity geometry io runs cells topology dataset diffusion",
    "multiscale": "elasticity solvers optimizers fem geometry io runs design cells dataset",
    "nano": "elasticity solvers optimizers fem io runs design",
    "cli": "elasticity solvers optimizers fem homogenization geometry io render runs design cells topology dataset "
    "diffusion generation multiscale nano",
}
"""What each package may import, lowest package first."""


class Import(NamedTuple):
    """One import of the package by itself."""

    file: str
    line: int
    source: str
    """Package that imports."""
    target: str
    """Package that is imported."""
    private: bool
    """Whether a private module of another package, or a private name of it, is imported."""


def _imports(path: Path) -> list[Import]:
    """All imports of jaxmeta by a file of it, those inside functions too."""
    found, relative = [], path.relative_to(PACKAGE)
    here = ("jaxmeta", *relative.parts[:-1])
    source = relative.parts[0] if len(relative.parts) > 1 else ""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (*base, *(node.module or "").split(".")) if node.module else base
            names = [(*module, alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] != "jaxmeta" or len(name) < 2:
                continue
            target = name[1] if name[1] in ARROWS else ""
            private = target != source and any(part.startswith("_") and part != "__version__" for part in name[2:])
            found.append(Import(str(relative), node.lineno, source, target, private))
    return found


FILES = sorted(path for path in PACKAGE.rglob("*.py"))


@cache
def _all_imports() -> list[Import]:
    return [found for path in FILES for found in _imports(path)]


def test_every_package_has_its_place():
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ARROWS)


def test_the_plan_has_no_circle():
    """Each package may import only packages that stand before it."""
    order = list(ARROWS)
    for package, allowed in ARROWS.items():
        assert all(order.index(other) < order.index(package) for other in allowed.split()), package


def test_arrows_point_as_planned():
    assert len(_all_imports()) > 200
    wrong = [
        f"{found.file}:{found.line} imports {found.target}"
        for found in _all_imports()
        if found.source and found.target and found.target != found.source
        if found.target not in ARROWS[found.source].split()
    ]
    assert not wrong, "\n".join(wrong)


def test_no_package_imports_a_private_module_of_another():
    wrong = [f"{found.file}:{found.line} reaches into {found.target}" for found in _all_imports() if found.private]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", ["jaxmeta", "experiments", "benchmarks"])
def test_no_module_is_longer_than_400_lines(folder):
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert lengths
    assert [f"{path.relative_to(ROOT)}: {length}" for path, length in lengths.items() if length > 400] == []


def test_the_architecture_page_shows_this_plan():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed = [
        name
        for row in re.findall(r"^\| (`.*?`(?:, `\w+`)*) \|", text, re.MULTILINE)
        for name in re.findall(r"\w+", row)
    ]
    assert listed == list(ARROWS)
