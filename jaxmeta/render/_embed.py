"""Meshes and pictures inside an HTML file: base64, nothing loaded from anywhere."""

import base64
import html
import json
from collections.abc import Sequence

import numpy as np

from ._colors import color_range, viridis
from ._mesh import Mesh

_VERTEX = np.dtype([("position", "<u2", 4), ("normal", "i1", 4), ("color", "u1", 4)])


def picture_html(png: bytes, caption: str, alternative: str, kind: str = "") -> str:
    """Returns a figure with a picture.

    Args:
        png: The picture's file.
        caption: Text below it.
        alternative: Text for those who do not see it.
        kind: More CSS classes.

    Returns:
        HTML.
    """
    source = base64.b64encode(png).decode()
    return (
        f'<figure class="picture {html.escape(kind)}"><img src="data:image/png;base64,{source}" '
        f'alt="{html.escape(alternative)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
    )


def viewer_html(
    mesh: Mesh,
    caption: str,
    label: str,
    *,
    color: str = "#98b4d0",
    size: Sequence[float] = (1.0, 1.0, 1.0),
    unit: str = "",
) -> str:
    """Returns a figure with a mesh that can be turned; `viewer.js` brings it to life.

    Args:
        mesh: The surface. With `values` it is coloured by them, with a colour bar.
        caption: Text below it.
        label: Text for those who do not see it.
        color: Colour of a mesh without values.
        size: Edges of the box from the origin that the mesh lies in; the longest is 1.
        unit: Unit of the values, for the colour bar.

    Returns:
        HTML.
    """
    bar = "" if mesh.values is None else _color_bar(mesh.values, unit)
    # Within a script element only "</" and "<!" could end it; JSON of base64, numbers and two known words has neither.
    return (
        f'<figure class="viewer"><div class="stage"><canvas tabindex="0" role="img" aria-label="{html.escape(label)}">'
        f'</canvas><p class="sorry">No WebGL 2 here to draw in three dimensions; see the pictures below.</p>'
        f'{bar}</div><script type="application/json">{json.dumps(pack(mesh, color, size))}</script>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def pack(mesh: Mesh, color: str, size: Sequence[float] = (1.0, 1.0, 1.0)) -> dict[str, str | int | list[float]]:
    """Packs a mesh: 16 bytes a vertex, 2 bytes an index where that is enough.

    Args:
        mesh: The surface.
        color: Colour where the mesh has no values, "#rrggbb".

        size: Edges of the box from the origin that the mesh lies in; the longest is 1.

    Returns:
        Base64 of vertices and faces, the index width in bytes, the box's edges and the kind of frame.
    """
    records = np.zeros(len(mesh.vertices), _VERTEX)
    records["position"][:, :3] = np.round(np.clip(mesh.vertices / np.asarray(size), 0, 1) * 65535)
    records["normal"][:, :3] = np.round(mesh.normals * 127)
    records["color"][:, :3] = _colors(mesh, color)
    width = 2 if len(records) <= 65536 else 4
    return {
        "vertices": base64.b64encode(records.tobytes()).decode(),
        "faces": base64.b64encode(mesh.faces.astype(f"<u{width}").tobytes()).decode(),
        "width": width,
        "scale": [round(float(edge), 6) for edge in size],
        "frame": "box" if mesh.values is None else "axes",
    }


def _colors(mesh: Mesh, color: str) -> np.ndarray | Sequence[int]:
    if mesh.values is None:
        return [int(color[start : start + 2], 16) for start in (1, 3, 5)]
    low, high = color_range(mesh.values)
    return np.round(viridis((mesh.values - low) / (high - low)))


def _color_bar(values: np.ndarray, unit: str) -> str:
    low, high = color_range(values)
    stops = ", ".join(f"#{bytes(np.round(color).astype(np.uint8)).hex()}" for color in viridis(np.linspace(0, 1, 9)))
    suffix = f" {html.escape(unit)}" if unit else ""
    return (
        f'<div class="scale"><span>{low:.3g}</span><i style="background: linear-gradient(90deg, {stops})"></i>'
        f"<span>{high:.3g}{suffix}</span></div>"
    )
