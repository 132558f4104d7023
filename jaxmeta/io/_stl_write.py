"""Writing binary STL."""

import numpy as np
from jaxtyping import Float, Int, Shaped

from ._atomic import write_bytes
from ._errors import Path
from ._stl_read import RECORD


def write_stl(
    path: Path,
    vertices: Float[np.ndarray, "vertices 3"],
    faces: Int[np.ndarray, "faces 3"],
    *,
    overwrite: bool = False,
) -> None:
    """Writes triangles as binary STL; `surface` makes them from a density.

    Args:
        path: The file, `.stl`.
        vertices: Shape (vertices, 3), a length in the user's unit; stored in float32.
        faces: Shape (faces, 3), indices of vertices, counter-clockwise seen from outside.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: If a shape, an index or a coordinate is wrong.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.io import surface, write_stl
        >>> write_stl("cell.stl", *surface(np.ones((4, 4, 4))))
    """
    points = np.asarray(vertices, dtype=np.float64)
    triangles: Shaped[np.ndarray, "faces 3"] = np.asarray(faces)
    if points.ndim != 2 or points.shape[1] != 3 or not np.all(np.isfinite(points)):
        raise ValueError(
            f"Argument `vertices` must be finite and of shape (vertices, 3), but has shape {points.shape}."
        )
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.dtype.kind not in "iu":
        raise ValueError(f"Argument `faces` must be integers of shape (faces, 3), but has shape {triangles.shape}.")
    if triangles.size == 0 or triangles.min() < 0 or triangles.max() >= len(points):
        raise ValueError(f"Argument `faces` must name some of the {len(points)} vertices, but names none or others.")
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(len(corners), RECORD)
    records["normal"] = np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)
    records["corners"] = corners
    # The 80 bytes must not begin with "solid", which marks the text form.
    head = b"binary STL, jaxmeta".ljust(80) + np.array([len(corners)], "<u4").tobytes()
    write_bytes(path, head + records.tobytes(), overwrite)
