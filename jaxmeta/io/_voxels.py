"""Reading a density, whatever the format."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from ._errors import Path, brief, file_error
from ._hdf5_read import read_h5
from ._limits import check_density, check_shape, voxel_shape
from ._npy import read_npy, read_npz
from ._raw import read_raw
from ._stl_read import read_stl
from ._vti_read import read_vti

_NAMED = {".npz": read_npz, ".h5": read_h5, ".hdf5": read_h5, ".vti": read_vti}
_ROUNDING = 1e-6


@dataclass(frozen=True)
class VoxelFile:
    """A density out of a file.

    Attributes:
        density: Shape (nx, ny, nz), no unit, in [0, 1]; float32 or float64.
        spacing: Voxel edges, in the file's unit of length; ones where the file has none.
        source: Where it comes from: `path`, `format`, `name` of the array or None, `dtype` and `bytes` of the file.
    """

    density: Float[np.ndarray, "nx ny nz"]
    spacing: tuple[float, float, float]
    source: dict[str, Any]


def read_density(
    path: Path,
    *,
    shape: Sequence[int] | None = None,
    dtype: Any = None,
    name: str | None = None,
    resolution: int | Sequence[int] | None = None,
    order: Literal["C", "F"] | None = None,
    scale: float | None = None,
) -> VoxelFile:
    """Reads a density from `.npy`, `.npz`, `.h5`, `.hdf5`, `.vti`, `.stl` or `.raw`.

    Files are not trusted: nothing is unpickled, XML entities are refused, and sizes are checked before memory is taken.
    In an archive the array is called `density` unless it is the only one or `name` says otherwise. Axes of length 1
    before or after those of (nx, ny, nz) are left out. What each format may hold is listed under "Conventions" in the
    documentation.

    Args:
        path: The file; its suffix tells the format.
        shape: (nx, ny, nz), for `.raw` only.
        dtype: Type of the numbers, for `.raw` only.
        name: Name of the array, for `.npz`, `.h5`, `.hdf5` and `.vti`.
        resolution: Voxels along the longest edge, or along x, y and z, for `.stl` only.
        order: For `.raw` only: "C" (default), z runs fastest; "F", x runs fastest.
        scale: Density per number in the file, such as 1/255 for bytes; not for `.stl`.

    Returns:
        The density and where it comes from.

    Raises:
        FileError: If the file cannot be read as a density in [0, 1].
        ValueError: If an argument does not belong to the format or is missing.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import read_density
        >>> np.save("cell.npy", np.ones((4, 4, 4), bool))
        >>> file = read_density("cell.npy")
        >>> file.density.shape, file.density.dtype, file.spacing
        ((4, 4, 4), dtype('float32'), (1.0, 1.0, 1.0))
    """
    if os.fspath(path) == "-":
        raise file_error(path, "name", "the name of a file", "it stands for standard input, which is not read")
    if os.path.isdir(path):
        raise file_error(path, "opening", "a regular file", "it is a folder")
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    _refuse_ignored(suffix, shape=shape, dtype=dtype, name=name, resolution=resolution, order=order, scale=scale)
    check = check_density(path)
    array_name, spacing = None, None
    if suffix == ".npy":
        array = read_npy(path, check)
    elif suffix in _NAMED:
        array, array_name, spacing = _NAMED[suffix](path, name, "density", check)
    elif suffix == ".stl":
        array, spacing = read_stl(path, resolution, check)
    elif suffix == ".raw":
        array = read_raw(path, shape, dtype, order or "C", check)
    else:
        raise file_error(path, "name", "a suffix .npy .npz .h5 .hdf5 .vti .stl or .raw", f"it is {brief(suffix)}")
    source = {
        "path": os.fspath(path),
        "format": suffix[1:],
        "name": array_name,
        "dtype": array.dtype.name,
        "bytes": os.path.getsize(path),
    }
    return VoxelFile(_as_density(path, array, scale), _as_spacing(path, spacing), source)


def read_stiffness(path: Path, *, name: str | None = None) -> Float[np.ndarray, "6 6"]:
    """Reads a stiffness matrix from `.npy`, `.npz`, `.h5` or `.hdf5`, as safely as `read_density`.

    Args:
        path: The file; its suffix tells the format.
        name: Name of the array, for all but `.npy`; `stiffness` or the only one if not given.

    Returns:
        Shape (6, 6), float64, Voigt order 11 22 33 23 13 12, in the file's unit of stress.

    Raises:
        FileError: If the file cannot be read as a symmetric matrix of that shape.
        ValueError: If `name` is given for a `.npy` file.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import read_stiffness, write_npz
        >>> write_npz("target.npz", stiffness=np.eye(6))
        >>> read_stiffness("target.npz").shape
        (6, 6)
    """
    suffix = os.path.splitext(os.fspath(path))[1].lower()
    check = check_shape(path, (6, 6))
    if suffix == ".npy":
        _refuse_ignored(suffix, name=name)
        array = read_npy(path, check)
    elif suffix in (".npz", ".h5", ".hdf5"):
        array, _, _ = _NAMED[suffix](path, name, "stiffness", check)
    else:
        raise file_error(path, "name", "a suffix .npy .npz .h5 or .hdf5", f"it is {brief(suffix)}")
    matrix = array.astype(np.float64)
    if not np.all(np.isfinite(matrix)):
        raise file_error(path, "values", "finite numbers", "some are not")
    if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-5 * np.abs(matrix).max()):
        raise file_error(path, "values", "a symmetric matrix", "it is not")
    return matrix


def _refuse_ignored(suffix: str, **given: Any) -> None:
    known = {".npy", ".npz", ".h5", ".hdf5", ".vti", ".stl", ".raw"}
    users = {"name": set(_NAMED), "resolution": {".stl"}, "scale": known - {".stl"}}
    for argument, value in given.items():
        formats = users.get(argument, {".raw"})
        if value is not None and suffix in known and suffix not in formats:
            allowed = " ".join(sorted(formats))
            raise ValueError(
                f"Argument `{argument}` must be given only for {allowed} files, but the suffix is {suffix}."
            )


def _as_density(path: Path, array: np.ndarray, scale: float | None) -> np.ndarray:
    # float32 holds bytes and half precision; wider integers go to float64, and long doubles come down to it.
    wide = np.result_type(array.dtype.newbyteorder("="), np.float32)
    density = array.astype(wide if wide.itemsize <= 8 else np.float64, order="C").reshape(voxel_shape(array.shape))
    if scale is not None:
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"Argument `scale` must be positive, but is {scale}.")
        density *= scale
    bad = ~((density >= -_ROUNDING) & (density <= 1 + _ROUNDING))
    if bad.any():
        index = tuple(int(axis) for axis in np.unravel_index(int(np.argmax(bad)), bad.shape))
        found = f"it is {density[index]:.6g} there"
        raise file_error(
            path, f"voxel {index}", "a density between 0 and 1 (`scale` multiplies the file's numbers)", found
        )
    return np.clip(density, 0, 1, out=density)


def _as_spacing(path: Path, spacing: np.ndarray | None) -> tuple[float, float, float]:
    if spacing is None:
        return 1.0, 1.0, 1.0
    x, y, z = (float(edge) for edge in spacing.ravel())
    if not all(np.isfinite(edge) and edge > 0 for edge in (x, y, z)):
        raise file_error(path, "spacing", "three positive lengths", f"it is {brief((x, y, z))}")
    return x, y, z
