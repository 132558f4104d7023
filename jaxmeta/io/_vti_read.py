"""VTK image files (`.vti`): cell data on a regular grid, x running fastest in the file.

The XML is parsed with entities and document types refused. Appended raw data are no XML, so the parser sees the file
only up to `<AppendedData ...>`; the bytes after it are taken by offset.
"""

import math
import re
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np

from ._errors import Path, brief, file_error
from ._limits import Check, physical_memory
from ._npy import choose_name
from ._open import open_binary
from ._vti_payload import Layout, decode_base64, decode_raw, decode_text

_TYPES = {f"{kind}{bits}": f"{kind[0].lower()}{bits // 8}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)}
_TYPES |= {"Float32": "f4", "Float64": "f8"}
_APPENDED = re.compile(rb"<AppendedData\b[^<>]*>")


def read_vti(path: Path, name: str | None, default: str, check: Check) -> tuple[np.ndarray, str, np.ndarray]:
    """Reads one cell array of a `.vti` file.

    Args:
        path: The file.
        name: The array's name, or None for `default` or else the only one.
        default: The name looked for when none is given.
        check: Called with place, shape and type before the data are read.

    Returns:
        The array of shape (nx, ny, nz), its name, and the voxel edges, shape (3,).

    Raises:
        FileError: If the file is not as expected.
    """
    with open_binary(path) as (file, size):
        memory = physical_memory()
        if memory is not None and size > memory:
            raise file_error(path, "size", f"at most {memory} bytes, the memory there is", f"the file has {size}")
        content = file.read()
    tag = _APPENDED.search(content)
    root = _parse(path, content if tag is None else content[: tag.end()], tag is not None)
    image = root.find("ImageData")
    pieces = [] if image is None else image.findall("Piece")
    if image is None or len(pieces) != 1:
        raise file_error(path, "ImageData", "one piece", f"there are {len(pieces)}")
    if _numbers(path, image, "Direction", "1 0 0 0 1 0 0 0 1", float, 9) != [1, 0, 0, 0, 1, 0, 0, 0, 1]:
        raise file_error(path, "attribute 'Direction'", "axes along x, y, z", "the image is turned")
    spacing = np.array(_numbers(path, image, "Spacing", "1 1 1", float, 3))
    extent = _numbers(path, pieces[0], "Extent", image.get("WholeExtent", ""), int, 6)
    shape = tuple(extent[2 * axis + 1] - extent[2 * axis] for axis in range(3))
    chosen, item = _find_array(path, pieces[0], name, default)
    place = f"cell array {brief(chosen)}"
    if item.get("NumberOfComponents", "1") != "1":
        raise file_error(path, place, "one component", f"there are {brief(item.get('NumberOfComponents'))}")
    dtype = np.dtype(_known(path, "type", item.get("type"), _TYPES))
    check(f"{place}, extent", shape, dtype)
    numbers = _Numbers(path, place, _layout(path, root), math.prod(shape), dtype)
    values = numbers.read(item, content, 0 if tag is None else tag.end())
    return values.astype(dtype, copy=False).reshape(shape, order="F"), chosen, spacing


def _parse(path: Path, head: bytes, cut: bool) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if cut:
        head += b"</VTKFile>" if head.endswith(b"/>") else b"</AppendedData></VTKFile>"
    try:
        root = fromstring(head, forbid_dtd=True)
    except DefusedXmlException:
        raise file_error(path, "XML", "no document type and no entities", "there are some") from None
    except ParseError as error:
        line, column = error.position
        raise file_error(path, f"line {line}, column {column}", "XML", "it is damaged or ends here") from None
    except (ValueError, LookupError, RecursionError):
        raise file_error(path, "XML", "text in a known encoding", "it cannot be decoded") from None
    if root.tag != "VTKFile" or root.get("type") != "ImageData":
        found = f"the root is {brief(root.tag)} of type {brief(root.get('type'))}"
        raise file_error(path, "XML root", "VTKFile of type ImageData", found)
    return root


def _layout(path: Path, root: Element) -> Layout:
    words = {"UInt32": "u4", "UInt64": "u8"}
    compressors = {None: False, "": False, "vtkZLibDataCompressor": True}
    order = _known(path, "byte_order", root.get("byte_order", "LittleEndian"), {"LittleEndian": "<", "BigEndian": ">"})
    word = _known(path, "header_type", root.get("header_type", "UInt32"), words)
    compressed = _known(path, "compressor", root.get("compressor"), compressors)
    return Layout(np.dtype(order + word), order, compressed)


def _known(path: Path, attribute: str, value: Any, choices: dict[Any, Any]) -> Any:
    if value not in choices:
        wanted = " or ".join(key for key in choices if key)
        raise file_error(path, f"attribute '{attribute}'", wanted, f"it is {brief(value)}")
    return choices[value]


def _numbers(path: Path, element: Element, attribute: str, default: str, kind: type, count: int) -> list[Any]:
    text = element.get(attribute, default)
    try:
        values = [kind(part) for part in text.split()]
    except (ValueError, OverflowError):
        values = []
    if len(values) != count or not all(math.isfinite(value) for value in values):
        place = f"attribute '{attribute}' of {element.tag}"
        raise file_error(path, place, f"{count} numbers", f"it is {brief(text)}")
    return values


def _find_array(path: Path, piece: Element, name: str | None, default: str) -> tuple[str, Element]:
    arrays = {item.get("Name", ""): item for item in piece.findall("CellData/DataArray")}
    arrays.pop("vtkGhostType", None)
    if not arrays and piece.find("PointData/DataArray") is not None:
        raise file_error(path, "CellData", "one value per cell", "there are only values at points")
    chosen = choose_name(path, list(arrays), name, default, "a cell array")
    return chosen, arrays[chosen]


@dataclass(frozen=True)
class _Numbers:
    """The numbers to be read: where they stand, how they are stored, how many they are and of which type."""

    path: Path
    place: str
    layout: Layout
    count: int
    dtype: np.dtype

    def read(self, item: Element, content: bytes, appended: int) -> np.ndarray:
        form = item.get("format", "ascii")
        if form == "ascii":
            return decode_text(self.path, self.place, item.text or "", self.count, self.dtype)
        if form == "binary":
            text = "".join((item.text or "").split()).encode("ascii", "replace")
            return decode_base64(self.path, self.place, memoryview(text), self.layout, self.count, self.dtype)
        if form == "appended":
            return self._read_appended(item, content, appended)
        raise file_error(self.path, self.place, "format ascii, binary or appended", f"it is {brief(form)}")

    def _read_appended(self, item: Element, content: bytes, appended: int) -> np.ndarray:
        tag = content[content.rfind(b"<", 0, appended) : appended]
        encoding = re.search(rb"\bencoding\s*=\s*[\"'](raw|base64)[\"']", tag)
        # White space, then an underscore, then the data.
        start = re.compile(rb"\s*_").match(content, appended) if appended else None
        if encoding is None or start is None:
            raise file_error(self.path, "AppendedData", "raw or base64 data after '_'", "there are none")
        (offset,) = _numbers(self.path, item, "offset", "", int, 1)
        begin = start.end() + offset
        if not start.end() <= begin < len(content):
            raise file_error(self.path, f"{self.place}, offset {offset}", "a place in the file", "it ends before that")
        decode = decode_raw if encoding.group(1) == b"raw" else decode_base64
        place = f"{self.place}, byte {begin}"
        return decode(self.path, place, memoryview(content)[begin:], self.layout, self.count, self.dtype)
