"""Pictures of atoms as balls, coloured by a number of every atom."""

import io
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from jaxmeta.io import Path, write_bytes

from ._picture import COLOR, import_pyvista, off_screen_window

_ROUND = 12
"""Corners around a ball; fewer where there are many."""
_MANY = 20_000
_VIEWS = {"front": (0.12, 0.18, 1.0), "corner": (0.75, 0.6, 1.0)}


def picture_of_atoms(
    positions: Float[np.ndarray, "n 3"],
    path: Path,
    values: Shaped[np.ndarray, "n"] | None = None,
    *,
    title: str = "",
    radius: float = 1.43,
    limits: tuple[float, float] | None = None,
    view: str = "front",
    size: int = 900,
    overwrite: bool = False,
) -> None:
    """Draw atoms as balls.

    Args:
        positions: in Å.
        path: the picture, `.png`.
        values: a number of every atom, such as its coordination or energy, that is shown by colour; one colour if
            omitted.
        title: what they are, for the scale.
        radius: of a ball, in Å.
        limits: ends of the scale; the 2nd and 98th percentile if omitted.
        view: "front", along z, or "corner".
        size: width in pixels.
        overwrite: whether an existing file may be replaced.

    Raises:
        PictureError: PyVista or off-screen OpenGL is missing.
        ValueError: arrays do not fit together, or there is no atom.
        FileError: the file exists or cannot be written.
    """
    where = np.asarray(positions, float)
    if where.ndim != 2 or where.shape[1] != 3 or not len(where):
        raise ValueError(f"Argument `positions` must have shape (n, 3) with n > 0, but has shape {where.shape}.")
    if values is not None and np.shape(values) != (len(where),):
        raise ValueError(f"Argument `values` must have shape ({len(where)},), but has shape {np.shape(values)}.")
    if view not in _VIEWS:
        raise ValueError(f'Argument `view` must be "front" or "corner", but is {view!r}.')
    pyvista = import_pyvista()
    with off_screen_window():
        png = _draw(pyvista, where, values, title, radius, limits, np.array(_VIEWS[view]), size)
    write_bytes(path, png, overwrite)


def _draw(
    pyvista: Any, where: np.ndarray, values: Any, title: str, radius: float, limits: Any, view: np.ndarray, size: int
) -> bytes:
    from PIL import Image

    cloud = pyvista.PolyData(where)
    colors: dict[str, Any] = {"color": COLOR}
    if values is not None:
        cloud.point_data["value"] = np.asarray(values, float)
        low, high = np.percentile(values, (2, 98)) if limits is None else limits
        bar = {
            "title": f"{title}\n ",
            "vertical": False,
            "color": "black",
            "position_x": 0.3,
            "position_y": 0.02,
            "width": 0.4,
        }
        bar |= {"title_font_size": 16, "label_font_size": 13, "fmt": "%.3g", "n_labels": 4}
        colors = {"scalars": "value", "cmap": "viridis", "clim": (low, max(high, low + 1e-9)), "scalar_bar_args": bar}
    round_ = _ROUND if len(where) <= _MANY else 6
    ball = pyvista.Sphere(radius=radius, theta_resolution=round_, phi_resolution=round_)
    balls = cloud.glyph(geom=ball, scale=False, orient=False)
    span = np.ptp(where, axis=0) + 2 * radius
    height = int(size * min(1.2, max(0.45, span[1] / span[0] + 0.2)))
    plotter: Any = pyvista.Plotter(off_screen=True, window_size=(size, height))
    try:
        plotter.set_background("white")
        plotter.add_mesh(balls, smooth_shading=True, ambient=0.25, diffuse=0.8, specular=0.15, **colors)
        center, extent = where.mean(0), float(np.linalg.norm(span))
        plotter.enable_parallel_projection()
        plotter.camera_position = [center + 3 * extent * view / np.linalg.norm(view), center, (0, 1, 0)]
        plotter.camera.parallel_scale = 0.5 * max(span[1] + 0.5 * span[2], span[0] * height / size) * 1.15
        plotter.enable_ssao(radius=4 * radius, kernel_size=32, blur=True)
        plotter.enable_anti_aliasing("ssaa")
        pixels = plotter.screenshot(None, return_img=True)
    finally:
        plotter.close()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()
