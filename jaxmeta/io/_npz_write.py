"""Writing a result as `.npz`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ._atomic import atomic_path
from ._errors import Path
from ._json import to_json
from ._result import check_result


def write_npz(
    path: Path,
    density: Shaped[np.ndarray, "nx ny nz"] | None = None,
    stiffness: Shaped[np.ndarray, "6 6"] | None = None,
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    units: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a density and its stiffness to an `.npz` archive that loads without pickle.

    The arrays are `density`, `spacing` and `stiffness`; `units`, `settings` and `versions` are JSON text.

    Args:
        path: The file, `.npz`; no suffix is added.
        density: Shape (nx, ny, nz), no unit.
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, in the user's unit of stress.
        spacing: Voxel edges, three lengths in the user's unit.
        units: Name of a quantity to name of its unit.
        settings: What the result was computed with.
        versions: Package to version.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: If there is nothing to write or a shape is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import read_density, write_npz
        >>> write_npz("cell.npz", np.ones((4, 4, 4)), spacing=(0.5, 0.5, 0.5))
        >>> read_density("cell.npz").spacing
        (0.5, 0.5, 0.5)
    """
    arrays = check_result(density, stiffness, spacing)
    for name, entries in (("units", units), ("settings", settings), ("versions", versions)):
        arrays[name] = np.array(to_json(dict(entries or {}), non_finite="null"))
    write_arrays(path, arrays, overwrite=overwrite)


def write_arrays(path: Path, arrays: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Writes arrays to an `.npz` archive that loads without pickle, whole or not at all.

    Args:
        path: The file, `.npz`; no suffix is added.
        arrays: By their names.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import write_arrays
        >>> write_arrays("numbers.npz", {"squares": np.arange(3) ** 2})
        >>> np.load("numbers.npz")["squares"].tolist()
        [0, 1, 4]
    """
    with atomic_path(path, overwrite) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)  # pyright: ignore[reportArgumentType]
