"""Pictures of cells, drawn off screen with PyVista."""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Shaped

from jaxmeta.io import Path, write_bytes

from ._errors import PictureError
from ._mesh import Mesh, cell_mesh

COLOR = "#98b4d0"
# Direction and strength: from above, from the left front and from the right, so that a cube's three sides differ.
_LIGHTS = (((-0.35, -0.55, 1.6), 0.78), ((-0.5, -1.5, 0.2), 0.38), ((1.5, -0.4, 0.1), 0.36))
_WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"


def picture_of_cell(
    cell: Shaped[np.ndarray, "nx ny nz"],
    path: Path,
    tile: int = 1,
    *,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    size: int = 800,
    overwrite: bool = False,
) -> None:
    """Draws a periodic cell, or a block of its copies, with the surface of its files in three-quarter view.

    It needs neither a screen nor a GPU.

    Args:
        cell: Density, shape (nx, ny, nz), no unit; solid above 1/2.
        path: The picture, `.png`.
        tile: Number of copies along each axis.
        spacing: Voxel edges, three lengths; only their ratios matter.
        size: Width and height in pixels.
        overwrite: Whether an existing file may be replaced.

    Raises:
        PictureError: If PyVista or off-screen OpenGL is missing; the text says how to install it.
        FileError: If the file exists or cannot be written.
        ValueError: If the cell has the wrong shape, or is empty.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import picture_of_cell
        >>> x, y, z = np.meshgrid(*[np.arange(16) / 16] * 3, indexing="ij")
        >>> cell = np.cos(2 * np.pi * x) + np.cos(2 * np.pi * y) + np.cos(2 * np.pi * z) > 0
        >>> picture_of_cell(cell, "cell.png", size=200)  # doctest: +SKIP
    """
    write_bytes(path, draw_cells(cell, (tile,), spacing, size)[tile], overwrite)


def draw_cells(
    cell: Shaped[np.ndarray, "nx ny nz"],
    tiles: Sequence[int] = (1,),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    size: int = 800,
) -> dict[int, bytes]:
    """Draws as `picture_of_cell`, once for each number of copies along an axis, and returns the bytes of PNG files.

    Args:
        cell: Density, shape (nx, ny, nz), no unit; solid above 1/2.
        tiles: Numbers of copies along each axis.
        spacing: Voxel edges, three lengths; only their ratios matter.
        size: Width and height in pixels.

    Returns:
        Number of copies to PNG file.

    Raises:
        PictureError: If PyVista or off-screen OpenGL is missing; the text says how to install it.
        ValueError: If the cell has the wrong shape, or is empty.
    """
    pyvista = import_pyvista()
    with off_screen_window():
        return {
            tile: _draw(pyvista, cell_mesh(cell, tile=tile, spacing=spacing, limit=1_000_000), size) for tile in tiles
        }


def import_pyvista() -> ModuleType:
    try:
        import pyvista
    except ImportError:
        raise PictureError('Pictures of cells need PyVista: pip install "jaxmeta[viz]".') from None
    return pyvista


def _has_library(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


@contextmanager
def off_screen_window() -> Iterator[None]:
    """Has VTK draw without a screen meanwhile; on Linux it would look for an X server first, and complain."""
    if not sys.platform.startswith("linux") or _WINDOW in os.environ:
        yield
        return
    if _has_library("libEGL.so.1"):
        window = "vtkEGLRenderWindow"
    elif _has_library("libOSMesa.so.8") or _has_library("libOSMesa.so"):
        window = "vtkOSOpenGLRenderWindow"
    else:
        # VTK itself would end the process.
        raise PictureError("Pictures need off-screen OpenGL: install libEGL (Debian and Ubuntu: libegl1 libgl1).")
    os.environ[_WINDOW] = window
    try:
        yield
    finally:
        del os.environ[_WINDOW]


def _draw(pyvista: ModuleType, mesh: Mesh, size: int) -> bytes:
    import io

    from PIL import Image

    faces = np.column_stack((np.full(len(mesh.faces), 3, np.int64), mesh.faces))
    body = pyvista.PolyData(mesh.vertices, faces.ravel())
    body.point_data["Normals"] = mesh.normals
    body.point_data.active_normals_name = "Normals"
    plotter: Any = pyvista.Plotter(off_screen=True, window_size=(size, size), lighting="none")
    try:
        plotter.set_background("white")
        plotter.add_mesh(
            body, color=COLOR, smooth_shading=True, ambient=0.26, diffuse=0.95, specular=0.12, specular_power=20
        )
        center, extent = np.array(body.center), float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
        view = np.array([1.0, -1.55, 0.85])
        for direction, strength in _LIGHTS:
            light = pyvista.Light(position=center + 10 * np.array(direction), focal_point=center, intensity=strength)
            light.positional = False
            plotter.add_light(light)
        plotter.camera_position = [center + 3 * extent * view / np.linalg.norm(view), center, (0, 0, 1)]
        plotter.camera.view_angle = 19.5
        plotter.camera.clipping_range = (extent, 5 * extent)
        plotter.enable_ssao(radius=0.12 * extent, bias=0.004 * extent, kernel_size=32, blur=True)
        plotter.enable_anti_aliasing("ssaa")
        pixels = plotter.screenshot(None, return_img=True)
    finally:
        plotter.close()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()
