"""Groups of options that several commands share."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from ._errors import UsageError

if TYPE_CHECKING:
    from jaxmeta import Isotropic


T = TypeVar("T")
# Without these the help would say "(default: None)" and "(default: False)" everywhere.
Unset = Annotated[T | None, tyro.conf.arg(help_behavior_hint="")]
Flag = Annotated[bool, tyro.conf.arg(help_behavior_hint="")]
Triple = Annotated[tuple[float, float, float] | None, tyro.conf.arg(metavar="X Y Z", help_behavior_hint="")]


REGISTRY = ConstructorRegistry()
"""How words become the settings of the library that tyro cannot read, or shows as Python does."""


@REGISTRY.primitive_rule
def _optional(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """A number or a choice that may be left to the library."""
    kinds = [kind for kind in get_args(info.type) if kind is not type(None)]
    if type(None) not in get_args(info.type) or len(kinds) != 1:
        return None
    choices = get_args(kinds[0]) if get_origin(kinds[0]) is Literal else None
    if choices is None and kinds[0] not in (int, float):
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=f"{{{','.join(choices)}}}" if choices else kinds[0].__name__.upper(),
        instance_from_str=lambda words: words[0] if choices else kinds[0](words[0]),
        is_instance=lambda value: value is None or value in (choices or [value]),
        str_from_instance=lambda value: ["none" if value is None else str(value)],
        choices=choices,
    )


@REGISTRY.primitive_rule
def _object(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Mapping[str, Any]] | None:
    if get_origin(info.type) is not Mapping:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="JSON",
        instance_from_str=lambda words: _parsed(words[0]),
        is_instance=lambda value: isinstance(value, Mapping),
        str_from_instance=lambda value: [json.dumps(value) if value else "none"],
    )


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"must be JSON text, but it cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"must be a JSON object, but is {text}")
    return found


@dataclass(frozen=True)
class Solid:
    """The material that the cell is made of."""

    young: float = 1.0
    """Young's modulus; stiffness comes out in its unit."""
    poisson: float = 0.3
    """Poisson's ratio."""
    unit: Annotated[str, tyro.conf.arg(help_behavior_hint="")] = ""
    """Name of the unit of stress, such as GPa: a label, nothing is converted."""

    def isotropic(self) -> Isotropic:
        """The solid."""
        from jaxmeta import Isotropic

        return Isotropic(young=self.young, poisson=self.poisson)


@dataclass(frozen=True)
class Output:
    """What is written, and where."""

    folder: Annotated[Path | None, tyro.conf.arg(name="output", metavar="DIR", help_behavior_hint="")] = None
    """Folder for result.npz, result.h5, cell.vti, cell.stl, cell.png, report.json and report.html."""
    size: Annotated[float | None, tyro.conf.arg(metavar="MM", help_behavior_hint="")] = None
    """Longest edge of the cell in millimetres: the unit of lengths in all files (default: voxel edges as given)."""
    tile: int = 1
    """Copies of the cell along each axis in cell.stl."""
    overwrite: Flag = False
    """Replace the files of an earlier run."""
    pictures: Flag = True
    """Leave the still pictures of the cell out of the report."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""

    def check(self) -> None:
        """Refuses a size or a number of copies that no cell can have.

        Raises:
            UsageError: If one is not positive.
        """
        check_positive(size=self.size)
        if self.tile < 1:
            raise UsageError(f"Argument `tile` must be at least 1, but is {self.tile}.")


def check_positive(**values: float | None) -> None:
    """Refuses options that are not positive and finite.

    Args:
        values: Option to value; None passes.

    Raises:
        UsageError: If one is not.
    """
    for name, value in values.items():
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"Argument `{name}` must be a positive number, but is {value:g}.")


def check_void(void: float | None, penalty: float) -> None:
    """Refuses a modulus of void outside [0, 1) and a penalty that is not positive."""
    check_positive(penalty=penalty)
    if void is not None and not 0 <= void < 1:
        raise UsageError(f"Argument `void` must lie in [0, 1), but is {void:g}.")


def flat(command: Any) -> dict[str, Any]:
    """All options that are set, by name, as they are stored beside a result.

    Args:
        command: The command's options, a dataclass of options and groups of them.

    Returns:
        Name to number, text, truth value or tuple.
    """
    settings: dict[str, Any] = {}
    for field in dataclasses.fields(command):
        value = getattr(command, field.name)
        if dataclasses.is_dataclass(value):
            settings |= flat(value)
        elif value not in (None, "") and field.name not in ("folder", "overwrite", "pictures", "json", "resume"):
            settings[field.name] = str(value) if isinstance(value, Path) else value
    return settings
