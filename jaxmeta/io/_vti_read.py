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
from ._vti_payload import TYPES, Layout, decode_base64, decode_raw, decode_text

_APPENDED = re.compile(rb"<AppendedData\b[^<>]*>")
_GHOSTS = "vtkGhostType"
_TURN = 1e-6  # an axis that is off by less is off by rounding


def read_vti(path: Path, name: str | None, default: str, check: Check) -> tuple[np.ndarray, str, np.ndarray]:
    """Reads one cell array of a `.vti` file, from all of its pieces.

    Args:
        path: The file.
        name: The array's name, or None for `default` or else the only one.
        default: The name looked for when none is given.
        check: Called with place, shape and type before the data are read.

    Returns:
        The array of shape (nx, ny, nz), its name, and the voxel edges, shape (3,). An axis along which the image has
        no thickness has one voxel, as for VTK.

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
    if image is None or not pieces:
        raise file_error(path, "ImageData", "an image with a piece at least", "there is none")
    turn = np.reshape(_numbers(path, image, "Direction", "1 0 0 0 1 0 0 0 1", float, 9), (3, 3)) - np.eye(3)
    if np.abs(turn).max() > _TURN:
        raise file_error(path, "attribute 'Direction'", "axes along x, y, z", "the image is turned")
    spacing = np.array(_numbers(path, image, "Spacing", "1 1 1", float, 3))
    low, high = _extent(path, image, "WholeExtent", pieces[0].get("Extent", ""))
    flat = high == low
    shape = tuple((high - low + flat).tolist())
    chosen = _choose(path, pieces[0], name, default)
    place = f"cell array {brief(chosen)}"
    first = _arrays(pieces[0])[chosen]
    dtype = _known(path, "type", first.get("type"), TYPES)
    check(f"{place}, extent", shape, dtype)
    source = _Source(path, place, _layout(path, root), content, 0 if tag is None else tag.end())
    values, missing = np.zeros(shape, dtype, order="F"), np.ones(shape, bool)
    for piece in pieces:
        begin, end = _extent(path, piece, "Extent", image.get("WholeExtent", "")) - low
        end += flat
        if (end <= begin).any():  # no cells
            continue
        window = tuple(slice(*edges) for edges in zip(begin.tolist(), end.tolist(), strict=True))
        if (begin < 0).any() or (end > shape).any():
            raise file_error(path, "Extent of a piece", "a part of the image", "it goes beyond")
        part = source.read(_arrays(piece), chosen, dtype, tuple((end - begin).tolist()))
        twice = ~missing[window]
        if not np.array_equal(part[twice], values[window][twice]):
            raise file_error(path, "pieces", "one value per cell", "some overlap and differ")
        values[window], missing[window] = part, False
    if missing.any():
        found = f"there are {missing.size - missing.sum()}, a part of it"
        raise file_error(path, "pieces", f"the {missing.size} cells of the whole image", found)
    return values, chosen, spacing


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
    order = _known(path, "byte_order", root.get("byte_order", "LittleEndian"), {"LittleEndian": "<", "BigEndian": ">"})
    word = _known(path, "header_type", root.get("header_type", "UInt32"), words)
    return Layout(np.dtype(order + word), order, root.get("compressor") or None)


def _known(path: Path, attribute: str, value: Any, choices: dict[Any, Any]) -> Any:
    if value not in choices:
        raise file_error(path, f"attribute '{attribute}'", " or ".join(choices), f"it is {brief(value)}")
    return choices[value]


def _numbers(path: Path, element: Element, attribute: str, default: str, kind: type, count: int) -> list[Any]:
    text = element.get(attribute, default)
    try:
        values = [kind(part) for part in text.split()]
    except (ValueError, OverflowError):
        values = []
    limit = 2**60 if kind is int else math.inf
    if len(values) != count or not all(abs(value) < limit for value in values):
        place = f"attribute '{attribute}' of {element.tag}"
        raise file_error(path, place, f"{count} numbers", f"it is {brief(text)}")
    return values


def _extent(path: Path, element: Element, attribute: str, default: str) -> np.ndarray:
    """First and last points along x, y, z; shape (2, 3)."""
    return np.reshape(_numbers(path, element, attribute, default, int, 6), (3, 2)).T


def _arrays(piece: Element) -> dict[str, Element]:
    return {item.get("Name", ""): item for item in piece.findall("CellData/DataArray")}


def _choose(path: Path, piece: Element, name: str | None, default: str) -> str:
    names = [given for given in _arrays(piece) if given != _GHOSTS]
    points = [item.get("Name", "") for item in piece.findall("PointData/DataArray")]
    if points and (not names or (name or default) in set(points) - set(names)):
        found = f"{brief(name or default)} has values at points" if names else "there are only values at points"
        raise file_error(path, "CellData", "one value per cell", found)
    return choose_name(path, names, name, default, "a cell array")


@dataclass(frozen=True)
class _Source:
    """Where numbers are read from: the file, how it stores them, and where its appended data start."""

    path: Path
    place: str
    layout: Layout
    content: bytes
    appended: int

    def read(self, arrays: dict[str, Element], name: str, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        """Reads one piece of an array, shape (nx, ny, nz)."""
        item = arrays.get(name)
        if item is None or _known(self.path, "type", item.get("type"), TYPES) != dtype:
            raise file_error(self.path, self.place, f"an array of type {dtype.name} in every piece", "one has none")
        if item.get("NumberOfComponents", "1") != "1":
            found = f"there are {brief(item.get('NumberOfComponents'))}"
            raise file_error(self.path, self.place, "one component", found)
        if _GHOSTS in arrays and self._decode(arrays[_GHOSTS], math.prod(shape), np.dtype(np.uint8)).any():
            raise file_error(self.path, self.place, "cells of the image itself", "some are marked as ghosts or blank")
        return self._decode(item, math.prod(shape), dtype).reshape(shape, order="F")

    def _decode(self, item: Element, count: int, dtype: np.dtype) -> np.ndarray:
        form = item.get("format", "ascii")
        text = item.text or ""
        if form == "ascii":
            return decode_text(self.path, self.place, text, count, dtype)
        if form == "binary":
            packed = memoryview("".join(text.split()).encode("ascii", "replace"))
            return decode_base64(self.path, self.place, packed, self.layout, count, dtype)
        if form == "appended":
            return self._decode_appended(item, count, dtype)
        raise file_error(self.path, self.place, "format ascii, binary or appended", f"it is {brief(form)}")

    def _decode_appended(self, item: Element, count: int, dtype: np.dtype) -> np.ndarray:
        tag = self.content[self.content.rfind(b"<", 0, self.appended) : self.appended]
        encoding = re.search(rb"\bencoding\s*=\s*[\"'](raw|base64)[\"']", tag)
        # White space, then an underscore, then the data.
        start = re.compile(rb"\s*_").match(self.content, self.appended) if self.appended else None
        if encoding is None or start is None:
            raise file_error(self.path, "AppendedData", "raw or base64 data after '_'", "there are none")
        (offset,) = _numbers(self.path, item, "offset", "", int, 1)
        begin = start.end() + offset
        if not start.end() <= begin < len(self.content):
            raise file_error(self.path, f"{self.place}, offset {offset}", "a place in the file", "it ends before that")
        decode = decode_raw if encoding.group(1) == b"raw" else decode_base64
        place = f"{self.place}, byte {begin}"
        return decode(self.path, place, memoryview(self.content)[begin:], self.layout, count, dtype)
