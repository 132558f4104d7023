"""The picture of Young's modulus over all directions: facets from back to front, a scale of colours."""

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Real

from jaxmeta.io import Path, write_bytes

from ._colors import color_range, viridis
from ._modulus import directions, young_moduli

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

_WIDTH, _HEIGHT, _FINE = 832, 704, 2
"""Pixels, and how many of them along an edge are drawn for one that is shown."""
_CENTER, _REACH = (0.39, 0.52), 0.34
"""Of the body, as parts of width and height; and its largest radius, of the height."""
_BAR = (0.82, 0.2, 0.845, 0.8)
_ELEVATION, _AZIMUTH = math.radians(24), math.radians(33)
_LIGHT = np.array([0.25, -0.6, 0.75]) / np.linalg.norm([0.25, -0.6, 0.75])


def modulus_surface(stiffness: Real[np.ndarray, "6 6"], path: Path, *, unit: str = "", overwrite: bool = False) -> None:
    """Draws Young's modulus over all directions, coloured by its value.

    Args:
        stiffness: Shape (6, 6), Voigt order 11 22 33 23 13 12, any unit of stress.
        path: The picture, `.png`.
        unit: Name of that unit, for the colour bar.
        overwrite: Whether an existing file may be replaced.

    Raises:
        FileError: If the file exists or cannot be written.
        ValueError: As `young_moduli`.

    Example:
        >>> import numpy as np
        >>> from jaxmeta.render import modulus_surface
        >>> modulus_surface(np.diag([2.0, 2.0, 2.0, 1.0, 1.0, 1.0]), "modulus.png", unit="GPa")
    """
    write_bytes(path, draw_modulus(stiffness, unit), overwrite)


def draw_modulus(stiffness: np.ndarray, unit: str = "") -> bytes:
    """Draws as `modulus_surface` and returns the PNG file's bytes."""
    from PIL import Image, ImageDraw

    along = directions(90)
    moduli = young_moduli(stiffness, along)
    reach, ends = float(moduli.max()), young_moduli(stiffness, np.eye(3))
    low, high = color_range(moduli)
    image = Image.new("RGB", (_FINE * _WIDTH, _FINE * _HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    corners, colors = _facets(along * moduli[..., None] / reach, (moduli - low) / (high - low))
    for corner, color in zip(_seen(corners).reshape(-1, 8).tolist(), colors.tolist(), strict=True):
        draw.polygon(corner, fill=tuple(color))
    for axis, name in enumerate("xyz"):  # whose ends all point to the viewer
        line = np.zeros((3, 3))
        line[:, axis] = ends[axis] / reach, 1.18, 1.26
        start, end, label = _seen(line).tolist()
        draw.line([*start, *end], fill="#666666", width=2 * _FINE)
        draw.text(label, name, fill="#444444", font=_font(24), anchor="mm")
    _draw_bar(image, low, high, unit)
    image = image.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="png")
    return buffer.getvalue()


def _facets(
    points: Float[np.ndarray, "rows columns 3"], shares: Float[np.ndarray, "rows columns"]
) -> tuple[Float[np.ndarray, "facets 4 3"], np.ndarray]:
    """Facets that face the viewer, those at the back first, and their shaded colours."""
    corners = np.stack((points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]), axis=2).reshape(-1, 4, 3)
    normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    colors = viridis((shares[:-1, :-1] + shares[1:, 1:]) / 2).reshape(-1, 3)
    colors = colors * (0.62 + 0.38 * np.clip(normals @ _LIGHT, -0.6, 1))[:, None]
    towards = np.array(
        [math.cos(_ELEVATION) * math.cos(_AZIMUTH), math.cos(_ELEVATION) * math.sin(_AZIMUTH), math.sin(_ELEVATION)]
    )
    order = np.argsort((corners @ towards).mean(axis=1))
    order = order[normals[order] @ towards > -1e-3]
    return corners[order], np.round(colors[order]).astype(int)


def _seen(points: Float[np.ndarray, "*shape 3"]) -> Float[np.ndarray, "*shape 2"]:
    """Points in units of the largest radius as pixels that are drawn."""
    right = np.array([-math.sin(_AZIMUTH), math.cos(_AZIMUTH), 0])
    up = np.array(
        [-math.sin(_ELEVATION) * math.cos(_AZIMUTH), -math.sin(_ELEVATION) * math.sin(_AZIMUTH), math.cos(_ELEVATION)]
    )
    scale = _FINE * _HEIGHT * _REACH
    x = _FINE * _WIDTH * _CENTER[0] + scale * (points @ right)
    y = _FINE * _HEIGHT * _CENTER[1] - scale * (points @ up)
    return np.stack((x, y), axis=-1)


def _draw_bar(image: "Image", low: float, high: float, unit: str) -> None:
    """The scale of colours, with round numbers beside it."""
    from PIL import Image, ImageDraw

    draw = ImageDraw.Draw(image)
    left, top, right, bottom = (
        round(_FINE * part * size) for part, size in zip(_BAR, (_WIDTH, _HEIGHT) * 2, strict=True)
    )
    for y in range(top, bottom):
        color = viridis(np.array((bottom - 1 - y) / (bottom - 1 - top)))
        draw.line([left, y, right, y], fill=tuple(np.round(color).astype(int).tolist()))
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(factor for factor in (5, 2, 1) if (high - low) / (factor * step) >= 3)
    for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        y = bottom - (k * step - low) / (high - low) * (bottom - top)
        draw.line([right, y, right + 5 * _FINE, y], fill="#222222", width=_FINE)
        draw.text((right + 8 * _FINE, y), f"{k * step:.6g}", fill="#222222", font=_font(15), anchor="lm")
    label = "Young's modulus" + (f" ({unit})" if unit else "")
    box = draw.textbbox((0, 0), label, font=_font(15), anchor="lt")
    upright = Image.new("RGB", (int(box[2]) + 4, int(box[3]) + 4), "white")
    ImageDraw.Draw(upright).text((2, 2), label, fill="#222222", font=_font(15), anchor="lt")
    upright = upright.rotate(90, expand=True)
    place = right + 62 * _FINE, (top + bottom - upright.height) // 2
    image.paste(upright, place)


def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(_FINE * size)
