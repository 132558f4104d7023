"""HDF5 files: reading one dataset, and writing a result with its units, versions and settings."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ._atomic import write_bytes
from ._errors import FileError, Path, brief, file_error, system_text
from ._json import to_json
from ._limits import Check, check_shape
from ._npy import choose_name
from ._open import open_binary
from ._result import check_result


def read_h5(path: Path, name: str | None, default: str, check: Check) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Reads one dataset of an HDF5 file, and its `spacing` when it is given as an attribute or a dataset.

    Links into other files, virtual datasets and external storage are refused: a file is not to reach for another one.

    Args:
        path: The file.
        name: The dataset's path in the file, or None for `default` or else the only dataset at the top.
        default: The name looked for when none is given.
        check: Called with place, shape and type before the data are read.

    Returns:
        The array, its name, and `spacing` of shape (3,) or None.

    Raises:
        FileError: If the file or the dataset is not as expected.
    """
    import h5py

    with open_binary(path) as (file, _):
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            raise file_error(path, "byte 0", "the start of an HDF5 file", "it is something else")
    try:
        with h5py.File(path, "r") as file:
            if name is None:
                # `getclass` looks at the link alone, so a link into another file is not followed.
                links = (h5py.SoftLink, h5py.ExternalLink)
                plain = [str(key) for key in file if not isinstance(file.get(key, getlink=True), links)]
                names = [str(key) for key in plain if file.get(key, getclass=True) is h5py.Dataset]
                name = choose_name(path, names, None, default, "a dataset")
            dataset = _find(path, file, name)
            place = f"dataset {brief(name)}"
            check(place, _shape(path, place, dataset), dataset.dtype)
            array = dataset[()]
            return array, name, _spacing(path, file, dataset)
    except FileError:
        raise
    except Exception as error:  # the library meets damage in many ways
        raise file_error(path, "contents", "a whole HDF5 file", system_text(error)) from None


def _find(path: Path, file: Any, name: str) -> Any:
    import h5py

    item = file
    for part in [part for part in name.split("/") if part]:
        place = f"dataset {brief(name)}"
        if not isinstance(item, h5py.Group) or part not in item.keys():  # noqa: SIM118
            raise file_error(path, "contents", f"a dataset named {brief(name)}", "there is none")
        if not isinstance(item.get(part, getlink=True), h5py.HardLink):
            raise file_error(path, place, "data inside the file", f"{brief(part)} is a link")
        item = item[part]
    if not isinstance(item, h5py.Dataset):
        raise file_error(path, "contents", f"a dataset named {brief(name)}", "it is a group")
    return item


def _shape(path: Path, place: str, dataset: Any) -> tuple[int, ...]:
    if dataset.is_virtual or dataset.external:
        raise file_error(path, place, "data inside the file", "they are stored in other files")
    if dataset.shape is None:
        raise file_error(path, place, "data", "the dataset is empty")
    return dataset.shape


def _spacing(path: Path, file: Any, dataset: Any) -> np.ndarray | None:
    for owner, place in ((dataset, "attribute 'spacing' of the dataset"), (file, "attribute 'spacing' of the file")):
        if "spacing" in owner.attrs:
            attribute = owner.attrs.get_id("spacing")
            check_shape(path, (3,))(place, attribute.shape, attribute.dtype)
            return owner.attrs["spacing"]
    if "spacing" in file.keys() and dataset.name != "/spacing":  # noqa: SIM118
        item = _find(path, file, "spacing")
        check_shape(path, (3,))("dataset 'spacing'", _shape(path, "dataset 'spacing'", item), item.dtype)
        return item[()]
    return None


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
