"""Writing a result as HDF5, with its units, versions and settings."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ._atomic import write_bytes
from ._errors import Path
from ._json import to_json
from ._result import check_result


def write_h5(
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
    """Writes a density and its stiffness to an HDF5 file.

    The datasets are `density` and `stiffness`; `spacing` is an attribute of the first, the Voigt order one of the
    second. `units`, `settings` and `versions` are groups without data whose attributes are the entries; an entry that
    is neither text, a number nor a truth value is stored as JSON text.

    Args:
        path: The file, `.h5`.
        density: Shape (nx, ny, nz), no unit.
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, in the user's unit of stress.
        spacing: Voxel edges, three lengths in the user's unit.
        units: Name of a quantity to name of its unit, such as `{"stiffness": "GPa"}`.
        settings: What the result was computed with.
        versions: Package to version.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: If there is nothing to write or a shape is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import read_density, write_h5
        >>> write_h5("cell.h5", np.ones((4, 4, 4)), np.eye(6), units={"stiffness": "GPa"})
        >>> read_density("cell.h5").density.shape
        (4, 4, 4)
    """
    import h5py

    arrays = check_result(density, stiffness, spacing)
    # In memory first: HDF5 cannot close a file on a full disk, and takes the process with it later.
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["format"] = "jaxmeta"
        if "density" in arrays:
            dataset = file.create_dataset("density", data=arrays["density"], compression="gzip", shuffle=True)
            dataset.attrs["spacing"] = arrays["spacing"]
            dataset.attrs["axes"] = "x y z"
        if "stiffness" in arrays:
            dataset = file.create_dataset("stiffness", data=arrays["stiffness"])
            dataset.attrs["order"] = "11 22 33 23 13 12, engineering shear"
        for title, entries in (("units", units), ("settings", settings), ("versions", versions)):
            group = file.create_group(title)
            for key, value in (entries or {}).items():
                plain = isinstance(value, str | bool | int | float | np.number)
                group.attrs[str(key)] = value if plain else to_json(value, non_finite="null")
    write_bytes(path, content.getvalue(), overwrite)
