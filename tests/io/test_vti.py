"""`.vti`: every encoding VTK writes, ours read by PyVista, and files that lie."""

import base64
import tracemalloc
import zlib

import jaxtyping
import numpy as np
import pytest

from jaxmeta.io import FileError, read_density, write_vti

# Three different sides and no symmetry: a wrong axis order shows.
CELL = np.random.default_rng(2).random((3, 4, 5))

HEAD = '<VTKFile type="ImageData" byte_order="{order}" header_type="{word}"{more}>'
BODY = '<ImageData WholeExtent="{extent}" Origin="0 0 0" Spacing="1 1 2"><Piece Extent="{extent}"><CellData>{array}'
TAIL = "</CellData></Piece></ImageData>"


def image(array, extent="0 3 0 4 0 5", order="LittleEndian", word="UInt32", more="", after=""):
    head = HEAD.format(order=order, word=word, more=more)
    return (head + BODY.format(extent=extent, array=array) + TAIL + after + "</VTKFile>").encode()


def ascii_array(values=CELL, name="density", kind="Float64"):
    text = " ".join(repr(float(value)) for value in values.ravel(order="F"))
    return f'<DataArray type="{kind}" Name="{name}" format="ascii">{text}</DataArray>'


def read(tmp_path, content, **options):
    path = tmp_path / "cell.vti"
    path.write_bytes(content)
    return read_density(path, **options)


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "?", "f2"])
def test_round_trip_and_pyvista(tmp_path, dtype):
    pyvista = pytest.importorskip("pyvista")
    path = tmp_path / "cell.vti"
    cell = (np.round(CELL) if dtype in "u1?" else CELL).astype(dtype)
    vector = np.random.default_rng(3).random((3, 4, 5, 3))
    write_vti(path, cell, spacing=(0.1, 0.2, 0.3), fields={"energy": 2 * cell.astype("f8"), "shift & turn": vector})
    file = read_density(path)
    np.testing.assert_array_equal(file.density, cell.astype(file.density.dtype))
    assert file.spacing == (0.1, 0.2, 0.3)
    grid = pyvista.read(path)
    assert grid.dimensions == (4, 5, 6) and grid.spacing == (0.1, 0.2, 0.3)
    np.testing.assert_array_equal(grid.cell_data["density"].reshape((3, 4, 5), order="F"), cell)
    np.testing.assert_array_equal(grid.cell_data["shift & turn"].reshape((5, 4, 3, 3)).transpose(2, 1, 0, 3), vector)
    # The value VTK finds at a point in space, not only the order in memory.
    inside = grid.find_containing_cell((0.1 * 2.5, 0.2 * 1.5, 0.3 * 4.5))
    assert grid.cell_data["density"][inside] == cell[2, 1, 4]


def test_many_blocks(tmp_path):
    cell = np.random.default_rng(4).random((70, 60, 50))  # 1.6 MiB: two blocks
    write_vti(tmp_path / "cell.vti", cell)
    np.testing.assert_array_equal(read_density(tmp_path / "cell.vti").density, cell)
    pyvista = pytest.importorskip("pyvista")
    np.testing.assert_array_equal(pyvista.read(tmp_path / "cell.vti").cell_data["density"], cell.ravel(order="F"))


@pytest.mark.parametrize("mode", ["ascii", "binary", "appended", "appended raw"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("word", [32, 64])
def test_every_encoding_of_vtk(tmp_path, mode, compressed, order, word):
    pyvista = pytest.importorskip("pyvista")
    vtk = pytest.importorskip("vtkmodules.vtkIOXML")
    grid = pyvista.ImageData(dimensions=(4, 5, 6), spacing=(1, 1, 2))
    grid.cell_data["other"] = np.zeros(60)
    grid.cell_data["density"] = CELL.ravel(order="F")
    writer = vtk.vtkXMLImageDataWriter()
    writer.SetInputData(grid)
    writer.SetFileName(str(tmp_path / "cell.vti"))
    {"ascii": writer.SetDataModeToAscii, "binary": writer.SetDataModeToBinary}.get(mode, writer.SetDataModeToAppended)()
    writer.SetEncodeAppendedData(mode == "appended")
    if compressed:
        writer.SetCompressorTypeToZLib()
        writer.SetBlockSize(64)  # many blocks, the last one short
    else:
        writer.SetCompressorTypeToNone()
    (writer.SetByteOrderToLittleEndian if order == "little" else writer.SetByteOrderToBigEndian)()
    (writer.SetHeaderTypeToUInt32 if word == 32 else writer.SetHeaderTypeToUInt64)()
    assert writer.Write() == 1
    file = read_density(tmp_path / "cell.vti")
    np.testing.assert_allclose(file.density, CELL, rtol=1e-5 if mode == "ascii" else 0)
    assert file.spacing == (1.0, 1.0, 2.0)


def test_length_encoded_by_itself(tmp_path):
    data = CELL.ravel(order="F").tobytes()
    text = base64.b64encode(np.uint32(len(data)).tobytes()) + base64.b64encode(data)
    array = f'<DataArray type="Float64" Name="density" format="binary">\n {text.decode()}\n</DataArray>'
    np.testing.assert_array_equal(read(tmp_path, image(array)).density, CELL)


def test_a_billion_laughs(tmp_path):
    entities = '<!DOCTYPE lolz [<!ENTITY a "lol">' + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    )
    content = (f'<?xml version="1.0"?>{entities}]><VTKFile type="ImageData">&j;</VTKFile>').encode()
    with pytest.raises(FileError, match="no document type"):
        read(tmp_path, content)
    (tmp_path / "secret").write_text("secret")
    external = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><VTKFile type="ImageData">&x;</VTKFile>'
    with pytest.raises(FileError, match="no document type"):
        read(tmp_path, external.encode())


def appended(table, data=b"", kind="UInt8", encoding="raw"):
    array = f'<DataArray type="{kind}" Name="density" format="appended" offset="0"/>'
    start = image(array, more=' compressor="vtkZLibDataCompressor"').removesuffix(b"</VTKFile>")
    tail = b"</AppendedData></VTKFile>"
    return start + f'<AppendedData encoding="{encoding}">_'.encode() + np.array(table, "<u4").tobytes() + data + tail


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "XML"),
        (b"\x89PNG\r\n\x1a\n", "line 1"),
        (b"<html></html>", "VTKFile of type ImageData"),
        (b'<VTKFile type="UnstructuredGrid"/>', "UnstructuredGrid"),
        (b'<VTKFile type="ImageData"/>', "one piece"),
        (image(ascii_array(), extent="0 10000 0 10000 0 10000"), r"1e\+12"),
        (image(ascii_array(), extent="0 30 0 40 0 50"), "60000 numbers"),
        (image(ascii_array(), extent="0 3 0 4 0 4"), "48 numbers"),
        (image(ascii_array(), extent="0 3 0 4 0 0"), "at least one voxel"),
        (image(ascii_array(), extent="0 3 0 4"), "6 numbers"),
        (image(ascii_array(), extent="0 3 0 4 0 x"), "6 numbers"),
        (image(ascii_array().replace("0.", "0,", 1)), "no number"),
        (image(ascii_array().replace("0.", "5.", 1)), "between 0 and 1"),
        (image(ascii_array(np.full((3, 4, 5), np.nan))), "it is nan there"),
        (image(ascii_array(kind="String")), "'String'"),
        (image(ascii_array(name="a") + ascii_array(name="b")), "'a', 'b'"),
        (image(ascii_array(), order="PDPEndian"), "'PDPEndian'"),
        (image(ascii_array(), more=' compressor="vtkLZ4DataCompressor"'), "vtkZLibDataCompressor"),
        (image(ascii_array().replace("ascii", "binary")), "base64"),
        (image('<DataArray type="UInt8" Name="density" format="binary">PAAAAAAA</DataArray>'), "base64 characters"),
        (image('<DataArray type="UInt8" Name="density" format="binary">/////w==</DataArray>'), "4294967295"),
        (image('<DataArray type="UInt8" Name="density" format="appended" offset="0"/>'), "there are none"),
        (image(ascii_array())[:-200], "ends here"),
        (appended([1, 60, 0, 8]), "block 0"),
        (appended([1, 2**31, 0, 8]), "its blocks hold 2147483648"),
        (appended([60, 1, 0]), "240 bytes"),
        (appended([2**32 - 1, 0, 60]), "bytes, but the file ends"),
        (appended([1, 60, 0, 2**30]), "the file ends"),
        (appended([1, 60, 0, len(zlib.compress(bytes(10**7)))], zlib.compress(bytes(10**7))), "another size"),
        (appended([1, 60, 0, len(zlib.compress(bytes(59)))], zlib.compress(bytes(59))), "another size"),
    ],
)
def test_bad_files(tmp_path, content, text):
    with pytest.raises(FileError, match=text) as caught:
        read(tmp_path, content)
    assert "cell.vti" in str(caught.value) and "\n" not in str(caught.value)


def test_truncated_anywhere(tmp_path):
    write_vti(tmp_path / "cell.vti", CELL)
    whole = (tmp_path / "cell.vti").read_bytes()
    end = whole.rfind(b"\n</AppendedData>")
    for length in range(0, end, 7):
        with pytest.raises(FileError):
            read(tmp_path, whole[:length])


def test_points_and_turned_images_are_refused(tmp_path):
    points = image(ascii_array()).replace(b"CellData", b"PointData")
    with pytest.raises(FileError, match="only values at points"):
        read(tmp_path, points)
    turned = image(ascii_array()).replace(b"Origin", b'Direction="0 1 0 1 0 0 0 0 1" Origin')
    with pytest.raises(FileError, match="turned"):
        read(tmp_path, turned)


def test_fields_are_checked(tmp_path):
    for fields in ({"density": CELL}, {"a": CELL[1:]}, {"a": CELL.astype(complex)}):
        # With type checks on, jaxtyping may be the first to object.
        with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="fields"):
            write_vti(tmp_path / "a.vti", CELL, fields=fields)
    assert not (tmp_path / "a.vti").exists()


def test_a_block_that_grows_takes_no_memory(tmp_path):
    """300 kB of zlib that would unpack to 300 MB where 60 bytes were promised."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(10**7)) for _ in range(30)) + packer.flush()
    content = appended([1, 60, 0, len(packed)], packed)
    (tmp_path / "cell.vti").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match="another size"):
            read_density(tmp_path / "cell.vti")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3e7
