"""`jaxmeta dataset info`, `export` and `nearest`: commands that read a library."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ._errors import UsageError
from ._options import Flag, Unset
from ._output import spinner
from ._session import session

if TYPE_CHECKING:
    import numpy as np

    from jaxmeta import Isotropic
    from jaxmeta.dataset import Library, Neighbours

_DTYPE = "float64"


Folder = Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]


@dataclass(frozen=True)
class Reading:
    """How the library is read."""

    file: Annotated[
        Path | None,
        tyro.conf.Positional,
        tyro.conf.arg(metavar="[FILE]", help_behavior_hint="(default: the library that comes with jaxmeta)"),
    ] = None
    """File of the library."""
    damaged: Flag = False
    """Read what is whole of a damaged file."""

    def open(self) -> Library:
        """Opens the library.

        Raises:
            FileError: If it is missing, damaged, or something else.
        """
        from jaxmeta.dataset import load

        return load(damaged=self.damaged) if self.file is None else load(self.file, damaged=self.damaged)


@dataclass(frozen=True)
class Info:
    """Tell what a library holds, and how evenly it covers the space of properties."""

    even: Annotated[int | None, tyro.conf.arg(metavar="K", help_behavior_hint="")] = None
    """Number of records at the start whose coverage is shown beside that of all (default: 5000, or all)."""
    output: Folder = None
    """Folder for info.json, property-space.png and contact-sheet.png."""
    overwrite: Flag = False
    """Replace files in the folder of the output."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""
    source: Reading = field(default_factory=Reading)

    def run(self, words: list[str]) -> int:
        """Runs the command; `words` is not needed here."""
        names = ("info.json", "property-space.png", "contact-sheet.png")
        with session(_DTYPE):
            self._run(names)
        return 0

    def _run(self, names: tuple[str, ...]) -> None:
        from jaxmeta.dataset import info
        from jaxmeta.io import to_json

        from ._dataset_tables import print_info
        from ._records import claimed_files

        library = self.source.open()
        with claimed_files(self.output, names, self.overwrite):
            facts = {"command": "dataset info", "library": str(library.path)} | info(library, self.even)
            facts["notes"] = []
            if self.output is not None:
                with spinner("Drawing the library"):
                    self._write(self.output, library, facts)
        if self.json:
            print(to_json(facts, non_finite="null"))
        else:
            print_info(facts)

    def _write(self, folder: Path, library: Library, facts: dict[str, Any]) -> None:
        """Writes the files and puts their names into `facts`."""
        from jaxmeta.io import write_json
        from jaxmeta.render import PictureError, property_space

        from ._records import draw_sheet

        made = facts["files"] = [str(folder / "info.json"), str(folder / "property-space.png")]
        optimised = library.column("round") == 0
        property_space(
            made[1], library.constants, library.volume_fraction, optimised=optimised, overwrite=self.overwrite
        )
        try:
            made.append(draw_sheet(folder, library, self.overwrite))
        except PictureError as error:
            facts["notes"].append(f"There is no contact sheet: {error}")
        write_json(made[0], facts, non_finite="null", overwrite=self.overwrite)


@dataclass(frozen=True)
class Export:
    """Write single cells of a library as files: .npz for Python, .vti for ParaView, .stl for a mesher or printer.

    Each file holds the whole cell; the .npz also holds its stiffness and how it was made.
    """

    output: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for the files."""
    record: Annotated[
        tyro.conf.UseAppendAction[tuple[int, ...]], tyro.conf.arg(metavar="N", help_behavior_hint="")
    ] = ()
    """Number of a record, from 0 on; give the option again for another one."""
    overwrite: Flag = False
    """Replace files in the folder of the output."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""
    source: Reading = field(default_factory=Reading)

    def run(self, words: list[str]) -> int:
        """Runs the command; `words` is not needed here."""
        if not self.record:
            raise UsageError("Argument `record` must be given, once for each record.")
        with session(_DTYPE):
            from jaxmeta.io import to_json

            from ._records import export, find

            library = self.source.open()
            files = export(library, find(library, self.record), self.output, self.overwrite)
            if self.json:
                facts = {"command": "dataset export", "library": str(library.path), "files": files}
                print(to_json(facts | {"records": sorted({*self.record})}))
            else:
                _print_files(files, self.output)
        return 0


@dataclass(frozen=True)
class Nearest:
    """Find the cells of a library that are nearest to a wanted stiffness.

    The distance is the mean of the differences of C11, C12 and C44, each relative to its range in the data of Yang and
    others, and of the volume fraction if one is given. Stiffness is relative to a solid with Young's modulus one.
    """

    c11: float
    """C11, in units of the solid's Young's modulus."""
    c12: float
    """C12, likewise."""
    c44: float
    """C44, likewise."""
    volume_fraction: Unset[float] = None
    """Volume fraction, if one is wanted."""
    count: int = 5
    """Number of cells."""
    per_family: Unset[int] = None
    """At most so many cells of one family, those that come from one optimised cell (default: any number)."""
    printable: Flag = False
    """Only cells without hinges and without members thinner than two voxels."""
    output: Folder = None
    """Folder for the cells as files, those of `jaxmeta dataset export`."""
    overwrite: Flag = False
    """Replace files in the folder of the output."""
    json: Flag = False
    """Print one JSON object and nothing else on standard output."""
    source: Reading = field(default_factory=Reading)

    def run(self, words: list[str]) -> int:
        """Runs the command; `words` is not needed here."""
        with session(_DTYPE):
            self._check()
            self._run()
        return 0

    def _check(self) -> None:
        from jaxmeta.elasticity import CubicConstants

        for name in ("c11", "c12", "c44"):
            if not math.isfinite(getattr(self, name)):
                raise UsageError(f"Argument `{name}` must be a finite number, but is {getattr(self, name)}.")
        if not CubicConstants(self.c11, self.c12, self.c44).positive:
            raise UsageError(
                "Arguments `c11`, `c12` and `c44` must make a positive definite stiffness, but some deformation of it "
                "would cost no energy."
            )

    def _check_solid(self, solid: Isotropic) -> None:
        """Refuses what is stiffer than the full solid, by more than rounding, as numbers in another unit are."""
        from jaxmeta.elasticity import CubicConstants

        bulk, shear = float(solid.bulk), float(solid.shear)
        wanted = CubicConstants(self.c11, self.c12, self.c44)
        shares = wanted.bulk / bulk, (self.c11 - self.c12) / 2 / shear, self.c44 / shear
        if max(shares) > 1.01:
            raise UsageError(
                "Arguments `c11`, `c12` and `c44` must be in units of the solid's Young's modulus, but are stiffer "
                f"than the solid, which has {bulk + 4 / 3 * shear:.3g}, {bulk - 2 / 3 * shear:.3g} and {shear:.3g}."
            )

    def _run(self) -> None:
        import numpy as np

        from jaxmeta.dataset import nearest
        from jaxmeta.io import to_json

        from ._dataset_tables import print_nearest
        from ._records import export

        library = self.source.open()
        library.check()
        self._check_solid(library.solid)
        found = nearest(
            library,
            np.array([self.c11, self.c12, self.c44]),
            self.volume_fraction,
            self.count,
            per_family=self.per_family,
            printable=self.printable,
        )
        wanted = {"c11": self.c11, "c12": self.c12, "c44": self.c44, "volume_fraction": self.volume_fraction}
        facts: dict[str, Any] = {"command": "dataset nearest", "library": str(library.path), "wanted": wanted}
        facts["records"] = list(_neighbours(library, found))
        if self.output is not None:
            facts["files"] = export(library, found.numbers, self.output, self.overwrite)
        if self.json:
            print(to_json(facts, non_finite="null"))
            return
        print_nearest(facts)
        if self.output is not None:
            _print_files(facts["files"], self.output)


def _neighbours(library: Library, found: Neighbours) -> Iterable[dict[str, Any]]:
    for number, relative, error, volume in zip(*found, strict=True):
        c11, c12, c44 = library.constants[number].tolist()
        yield {
            "record": int(library.rows[number]),
            "c11": c11,
            "c12": c12,
            "c44": c44,
            "volume_fraction": float(library.volume_fraction[number]),
            "error": float(error),
            "relative_error": float(relative),
            "volume_error": _known(volume),
        }


def _known(value: np.floating) -> float | None:
    return None if math.isnan(value) else float(value)


def _print_files(files: list[str], folder: Path) -> None:
    print(f"Wrote {', '.join(Path(name).name for name in files)} to {folder}.")
