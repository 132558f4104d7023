"""VTK point files (`.vtp`): ASCII, a vertex for every atom, point data, cell and periodicity as field data."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np

from ..io import Path as FileName
from ..io import brief, file_error
from ._atoms import Atoms, with_columns

_TYPES = {"Float32": float, "Float64": float, "Int8": int, "UInt8": int, "Int32": int, "Int64": int, "UInt32": int}


def text(atoms: Atoms) -> str:
    """A file."""
    where, count = np.asarray(atoms.positions, float), len(atoms.positions)
    data = "\n".join(_array(name, values) for name, values in atoms.columns().items())
    field = [_array("pbc", np.array(atoms.pbc), tuples=True)]
    if atoms.cell is not None:
        field.append(_array("cell", np.ravel(atoms.cell), tuples=True))
    field.append(_array("element", np.array([ord(c) for c in atoms.element]), tuples=True))
    return (
        '<?xml version="1.0"?>\n<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian">\n<PolyData>\n'
        f"<FieldData>\n{chr(10).join(field)}\n</FieldData>\n"
        f'<Piece NumberOfPoints="{count}" NumberOfVerts="{count}" NumberOfLines="0" NumberOfStrips="0" '
        f'NumberOfPolys="0">\n<PointData>\n{data}\n</PointData>\n<Points>\n{_array("Points", where)}\n</Points>\n'
        f"<Verts>\n{_array('connectivity', np.arange(count))}\n{_array('offsets', np.arange(1, count + 1))}\n</Verts>\n"
        "</Piece>\n</PolyData>\n</VTKFile>\n"
    )


def _array(name: str, values: np.ndarray, tuples: bool = False) -> str:
    real = values.dtype.kind == "f"
    numbers = np.ravel(values.astype(float if real else int)).tolist()
    components = f' NumberOfComponents="{values.shape[1]}"' if values.ndim == 2 else ""
    count = f' NumberOfTuples="{values.size}"' if tuples else ""
    kind = "Float64" if real else "Int64"
    return f'<DataArray type="{kind}" Name="{name}"{components}{count} format="ascii">\n{_lines(numbers)}\n</DataArray>'


def _lines(numbers: list[Any], each: int = 12) -> str:
    return "\n".join(" ".join(map(repr, numbers[i : i + each])) for i in range(0, len(numbers), each))


def parse(path: FileName, content: str) -> Atoms:
    """Read a file."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(content.encode(), forbid_dtd=True)
    except DefusedXmlException:
        raise file_error(path, "XML", "no document type and no entities", "there are some") from None
    except ParseError as error:
        line, column = error.position
        raise file_error(path, f"line {line}, column {column}", "XML", "it is damaged or ends here") from None
    piece = root.find("PolyData/Piece")
    if root.tag != "VTKFile" or root.get("type") != "PolyData" or piece is None:
        raise file_error(path, "XML root", "VTKFile of type PolyData with a piece", "it is another")
    points = piece.find("Points/DataArray")
    if points is None:
        raise file_error(path, "Points", "an array", "there is none")
    positions = _values(path, points)
    if positions.ndim != 2 or positions.shape[1] != 3 or str(len(positions)) != piece.get("NumberOfPoints"):
        told = f"{brief(piece.get('NumberOfPoints'))} points of three numbers"
        raise file_error(path, "Points", told, f"the shape is {positions.shape}")
    columns = {}
    for item in piece.findall("PointData/DataArray"):
        values = _values(path, item)
        if len(values) != len(positions):
            name = brief(item.get("Name", ""))
            raise file_error(path, f"array {name}", f"{len(positions)} values", f"there are {len(values)}")
        columns[item.get("Name", "")] = values
    field = {item.get("Name"): _values(path, item).ravel() for item in root.findall("PolyData/FieldData/DataArray")}
    cell, pbc = field.get("cell"), field.get("pbc", np.zeros(3))
    if pbc.shape != (3,) or (cell is not None and cell.shape != (9,)):
        raise file_error(path, "FieldData", "pbc of three and cell of nine numbers", "it has others")
    element = "".join(chr(int(c)) for c in field.get("element", [65, 108]))
    flags = (bool(pbc[0]), bool(pbc[1]), bool(pbc[2]))
    return with_columns(positions, None if cell is None else cell.reshape(3, 3), flags, element, columns)


def _values(path: FileName, item: Element) -> np.ndarray:
    place = f"array {brief(item.get('Name', ''))}"
    kind = _TYPES.get(item.get("type", ""))
    if kind is None or item.get("format") != "ascii":
        raise file_error(path, place, "numbers as ASCII", f"{brief(item.get('type'))}, {brief(item.get('format'))}")
    words = (item.text or "").split()
    try:
        values = np.array([kind(word) for word in words])
    except (ValueError, OverflowError):
        raise file_error(path, place, "numbers", "some are none") from None
    if kind is float and not np.isfinite(values).all():
        raise file_error(path, place, "finite numbers", "some are not")
    components = item.get("NumberOfComponents", "1")
    if not components.isdigit() or int(components) < 1 or len(values) % int(components):
        raise file_error(path, place, "whole tuples", f"{len(values)} numbers of {brief(components)} components")
    return values if components == "1" else values.reshape(-1, int(components))
