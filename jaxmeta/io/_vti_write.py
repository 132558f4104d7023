"""Writing VTK image files: cell data, appended, compressed with zlib; ParaView opens them."""

import sys
import zlib
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Shaped

from ._atomic import write_bytes
from ._errors import Path
from ._result import check_cell, check_spacing

_BLOCK = 1 << 20
_KINDS = {"f": "Float", "i": "Int", "u": "UInt"}


def write_vti(
    path: Path,
    density: Shaped[np.ndarray, "nx ny nz"],
    *,
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
    fields: Mapping[str, Shaped[np.ndarray, "nx ny nz ..."]] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes cell data on a regular grid for ParaView, VTK and PyVista.

    Args:
        path: The file, `.vti`.
        density: Shape (nx, ny, nz), no unit; becomes the cell array `density`.
        spacing: Voxel edges, three lengths in the user's unit.
        fields: More cell arrays by name, shape (nx, ny, nz) or (nx, ny, nz, components), each in its own unit.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: If a shape, a type or a name is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import read_density, write_vti
        >>> write_vti("cell.vti", np.ones((4, 3, 2)), spacing=(0.1, 0.1, 0.2))
        >>> read_density("cell.vti").spacing
        (0.1, 0.1, 0.2)
    """
    cells = {"density": _storable(check_cell(density))}
    shape = cells["density"].shape
    for name, field in (fields or {}).items():
        array = np.asarray(field)
        if name == "density" or array.shape[:3] != shape or array.ndim > 4 or array.dtype.kind not in "biuf":
            raise ValueError(
                f"Argument `fields` must map new names to numbers of shape {shape} with at most one more axis, "
                f"but `{name}` has shape {array.shape} and type {array.dtype}."
            )
        cells[name] = _storable(array)
    edges = " ".join(repr(edge) for edge in check_spacing(spacing))
    extent = " ".join(f"0 {count}" for count in shape)
    tags, blobs, offset = [], [], 0
    for name, array in cells.items():
        kind = f"{_KINDS[array.dtype.kind]}{8 * array.dtype.itemsize}"
        components = array.shape[3] if array.ndim == 4 else 1
        tags.append(
            f'<DataArray type="{kind}" Name={quoteattr(name)} NumberOfComponents="{components}" '
            f'format="appended" offset="{offset}"/>'
        )
        blobs.append(_compress(array))
        offset += len(blobs[-1])
    order = "LittleEndian" if sys.byteorder == "little" else "BigEndian"
    head = (
        f'<?xml version="1.0"?>\n<VTKFile type="ImageData" version="1.0" byte_order="{order}" header_type="UInt64" '
        f'compressor="vtkZLibDataCompressor">\n<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="{edges}">\n'
        f'<Piece Extent="{extent}">\n<CellData Scalars="density">\n' + "\n".join(tags) + "\n</CellData>\n</Piece>\n"
        '</ImageData>\n<AppendedData encoding="raw">\n_'
    )
    tail = b"\n</AppendedData>\n</VTKFile>\n"
    write_bytes(path, head.encode() + b"".join(blobs) + tail, overwrite)


def _storable(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):  # VTK has no half and no long double
        return array.astype(np.float32 if array.dtype.itemsize == 2 else np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _compress(array: np.ndarray) -> bytes:
    # x runs fastest in the file, then y, z; the components of one cell stay together.
    content = np.ascontiguousarray(np.moveaxis(array, (0, 1, 2), (2, 1, 0))).reshape(-1).view(np.uint8)
    blocks = [zlib.compress(content[start : start + _BLOCK].tobytes(), 4) for start in range(0, len(content), _BLOCK)]
    header = [len(blocks), _BLOCK, len(content) % _BLOCK, *map(len, blocks)]
    return np.array(header, np.uint64).tobytes() + b"".join(blocks)
