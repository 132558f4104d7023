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


def appended(table, data=b"", kind="UInt8", encoding="raw"):
    array = f'<DataArray type="{kind}" Name="density" format="appended" offset="0"/>'
    start = image(array, more=' compressor="vtkZLibDataCompressor"').removesuffix(b"</VTKFile>")
    tail = b"</AppendedData></VTKFile>"
    return start + f'<AppendedData encoding="{encoding}">_'.encode() + np.array(table, "<u4").tobytes() + data + tail


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


def write_with_vtk(path, grid, mode, compressor="None", order="Little", word=32, pieces=1):
    """Writes an image, or what a writer has as its input."""
    writer = grid
    if not hasattr(grid, "SetDataModeToAscii"):
        writer = pytest.importorskip("vtkmodules.vtkIOXML").vtkXMLImageDataWriter()
        writer.SetInputData(grid)
    writer.SetFileName(str(path))
    {"ascii": writer.SetDataModeToAscii, "binary": writer.SetDataModeToBinary}.get(mode, writer.SetDataModeToAppended)()
    writer.SetEncodeAppendedData(mode == "appended")
    getattr(writer, f"SetCompressorTypeTo{compressor}")()
    if compressor != "None":
        writer.SetBlockSize(64)  # many blocks, the last one short
    getattr(writer, f"SetByteOrderTo{order}Endian")()
    getattr(writer, f"SetHeaderTypeToUInt{word}")()
    writer.SetNumberOfPieces(pieces)
    assert writer.Write() == 1


MODES = ["ascii", "binary", "appended", "appended raw"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("compressor", ["ZLib", "LZMA", "None"])
@pytest.mark.parametrize("order", ["Little", "Big"])
@pytest.mark.parametrize("word", [32, 64])
def test_every_encoding_of_vtk(tmp_path, mode, compressor, order, word):
    pyvista = pytest.importorskip("pyvista")
    grid = pyvista.ImageData(dimensions=(4, 5, 6), spacing=(1, 1, 2))
    grid.cell_data["other"] = np.zeros(60)
    grid.cell_data["density"] = CELL.ravel(order="F")
    write_with_vtk(tmp_path / "cell.vti", grid, mode, compressor, order, word)
    file = read_density(tmp_path / "cell.vti")
    np.testing.assert_allclose(file.density, CELL, rtol=1e-5 if mode == "ascii" else 0)
    assert file.spacing == (1.0, 1.0, 2.0)


@pytest.mark.parametrize("mode", MODES)
def test_a_compressor_that_is_not_read(tmp_path, mode):
    """Its name in the header does not matter to text."""
    pyvista = pytest.importorskip("pyvista")
    grid = pyvista.ImageData(dimensions=(4, 5, 6))
    grid.cell_data["density"] = CELL.ravel(order="F")
    write_with_vtk(tmp_path / "cell.vti", grid, mode, "LZ4")
    if mode == "ascii":
        np.testing.assert_allclose(read_density(tmp_path / "cell.vti").density, CELL, rtol=1e-5)
    else:
        with pytest.raises(FileError, match="vtkZLibDataCompressor or vtkLZMADataCompressor, but it is 'vtkLZ4Data"):
            read_density(tmp_path / "cell.vti")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("compressor", ["ZLib", "None"])
@pytest.mark.parametrize("kind", ["Bit", "SignedChar", "UnsignedShort", "Long", "UnsignedLong", "Float", "IdType"])
def test_every_type_of_vtk(tmp_path, mode, compressor, kind):
    """Also with a note inside the array's tag, after the numbers."""
    pyvista = pytest.importorskip("pyvista")
    core = pytest.importorskip("vtkmodules.vtkCommonCore")
    array = getattr(core, f"vtk{kind}Array")()
    array.SetName("density")
    array.SetNumberOfTuples(60)
    for index, value in enumerate(CELL.ravel(order="F")):
        array.SetValue(index, round(value))
    array.GetInformation().Set(core.vtkDataArray.UNITS_LABEL(), "1")
    grid = pyvista.ImageData(dimensions=(4, 5, 6))
    grid.GetCellData().AddArray(array)
    write_with_vtk(tmp_path / "cell.vti", grid, mode, compressor)
    np.testing.assert_array_equal(read_density(tmp_path / "cell.vti").density, np.round(CELL))


@pytest.mark.parametrize("dimensions", [(4, 5, 1), (1, 5, 6), (4, 1, 6), (1, 1, 6), (1, 1, 1)])
@pytest.mark.parametrize("pieces", [1, 2])
@pytest.mark.parametrize("mode", ["ascii", "appended raw"])
def test_flat_images(tmp_path, dimensions, pieces, mode):
    """One layer of cells, as VTK counts them."""
    pyvista = pytest.importorskip("pyvista")
    grid = pyvista.ImageData(dimensions=dimensions)
    cell = np.random.default_rng(6).random(np.maximum(np.array(dimensions) - 1, 1))
    assert grid.n_cells == cell.size
    grid.cell_data["density"] = cell.ravel(order="F")
    write_with_vtk(tmp_path / "cell.vti", grid, mode, pieces=pieces)
    file = read_density(tmp_path / "cell.vti")
    np.testing.assert_allclose(file.density, cell, rtol=1e-5)
    assert file.density.shape == cell.shape


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pieces", [2, 5])
def test_images_in_pieces(tmp_path, mode, pieces):
    """Of an image whose first point is not the origin; against what VTK reads."""
    pyvista = pytest.importorskip("pyvista")
    source = pytest.importorskip("vtkmodules.vtkImagingCore").vtkRTAnalyticSource()
    source.SetWholeExtent(2, 5, -1, 3, 7, 12)
    source.SetCenter(0.3, 0.7, 5.2)
    for magnitude in (source.SetXMag, source.SetYMag, source.SetZMag):
        magnitude(0)
    cells = pytest.importorskip("vtkmodules.vtkFiltersCore").vtkPointDataToCellData()
    cells.SetInputConnection(source.GetOutputPort())
    writer = pytest.importorskip("vtkmodules.vtkIOXML").vtkXMLImageDataWriter()
    writer.SetInputConnection(cells.GetOutputPort())
    write_with_vtk(tmp_path / "cell.vti", writer, mode, "ZLib", pieces=pieces)
    assert (tmp_path / "cell.vti").read_bytes().count(b"<Piece") == pieces
    wanted = pyvista.read(tmp_path / "cell.vti").cell_data["RTData"].reshape((3, 4, 5), order="F")
    assert len(np.unique(wanted)) == 60
    np.testing.assert_allclose(read_density(tmp_path / "cell.vti", scale=1 / 300).density, wanted / 300, rtol=1e-6)


def piece(extent, name="density", kind="Float64", factor=1.0):
    array = ascii_array(factor * CELL[tuple(slice(*edges) for edges in extent)], name, kind)
    numbers = " ".join(str(edge) for edges in extent for edge in edges)
    return f'<Piece Extent="{numbers}"><CellData>{array}</CellData></Piece>'


LEFT, RIGHT = ((0, 2), (0, 4), (0, 5)), ((2, 3), (0, 4), (0, 5))


def in_pieces(*pieces, whole="0 3 0 4 0 5"):
    body = f'<ImageData WholeExtent="{whole}" Origin="0 0 0" Spacing="1 1 1">' + "".join(pieces) + "</ImageData>"
    return (HEAD.format(order="LittleEndian", word="UInt32", more="") + body + "</VTKFile>").encode()


def test_pieces_that_make_a_whole(tmp_path):
    empty = '<Piece Extent="0 -1 0 -1 0 -1"><CellData/></Piece>'
    for pieces in ((LEFT, RIGHT), (RIGHT, LEFT)):
        np.testing.assert_array_equal(read(tmp_path, in_pieces(*map(piece, pieces), empty)).density, CELL)
    overlapping = in_pieces(piece(LEFT), piece(((1, 3), (0, 4), (0, 5))))  # with the same values, as VTK may write it
    np.testing.assert_array_equal(read(tmp_path, overlapping).density, CELL)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (in_pieces(piece(LEFT)), "60 cells of the whole image, but there are 40"),
        (in_pieces(piece(RIGHT)), "60 cells of the whole image, but there are 20"),
        (in_pieces(piece(LEFT), piece(RIGHT), whole="0 6 0 4 0 5"), "120 cells of the whole image"),
        (in_pieces(piece(LEFT), piece(((1, 3), (0, 4), (0, 5)), factor=0.5)), "overlap and differ"),
        (in_pieces(piece(LEFT), piece(RIGHT), whole="0 2 0 4 0 5"), "goes beyond"),
        (in_pieces(piece(LEFT), piece(RIGHT), whole="1 3 0 4 0 5"), "goes beyond"),
        (in_pieces(piece(LEFT), piece(RIGHT, name="other")), "in every piece, but one has none"),
        (in_pieces(piece(LEFT), piece(RIGHT, kind="Float32")), "in every piece, but one has none"),
        (in_pieces(piece(LEFT), piece(RIGHT), whole="0 3 0 4 0 10000000000"), "at most 2147483648 voxels"),
        (in_pieces(piece(LEFT), piece(RIGHT), whole="0 3 0 4 2 2"), "goes beyond"),
    ],
)
def test_pieces_that_do_not(tmp_path, content, text):
    with pytest.raises(FileError, match=text):
        read(tmp_path, content)


def test_ghosts_are_not_taken_for_cells(tmp_path):
    ghosts = np.zeros((3, 4, 5))
    for value in (0, 1, 32):  # none, a duplicate, a hidden cell
        ghosts[1, 2, 3] = value
        text = " ".join(str(int(ghost)) for ghost in ghosts.ravel(order="F"))
        array = f'<DataArray type="UInt8" Name="vtkGhostType" format="ascii">{text}</DataArray>'
        if value:
            with pytest.raises(FileError, match="ghosts or blank"):
                read(tmp_path, image(ascii_array() + array))
        else:
            np.testing.assert_array_equal(read(tmp_path, image(array + ascii_array())).density, CELL)


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


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "XML"),
        (b"\x89PNG\r\n\x1a\n", "line 1"),
        (b"<html></html>", "VTKFile of type ImageData"),
        (b'<VTKFile type="UnstructuredGrid"/>', "UnstructuredGrid"),
        (b'<VTKFile type="ImageData"/>', "a piece at least"),
        (image(ascii_array(), extent="0 10000 0 10000 0 10000"), r"1e\+12"),
        (image(ascii_array(), extent="0 30 0 40 0 50"), "60000 numbers"),
        (image(ascii_array(), extent="0 3 0 4 0 4"), "48 numbers"),
        (image(ascii_array(), extent="0 3 0 4 0 0"), "12 numbers"),
        (image(ascii_array(), extent="0 3 0 4 0 -1"), "at least one voxel"),
        (image(ascii_array(), extent=f"0 3 0 4 0 {10**400}"), "6 numbers"),
        (image(ascii_array(CELL * 300, kind="UInt8").replace(".", " ")), "numbers"),
        (image(ascii_array(np.full((3, 4, 5), 256), kind="UInt8").replace(".0", "")), "out of its range"),
        (image(ascii_array(np.full((3, 4, 5), 2), kind="Bit").replace(".0", "")), "out of its range"),
        (image(ascii_array(), extent="0 3 0 4"), "6 numbers"),
        (image(ascii_array(), extent="0 3 0 4 0 x"), "6 numbers"),
        (image(ascii_array().replace("0.", "0,", 1)), "no number"),
        (image(ascii_array().replace("0.", "5.", 1)), "between 0 and 1"),
        (image(ascii_array(np.full((3, 4, 5), np.nan))), "it is nan there"),
        (image(ascii_array(kind="String")), "'String'"),
        (image(ascii_array(name="a") + ascii_array(name="b")), "'a', 'b'"),
        (image(ascii_array(), order="PDPEndian"), "'PDPEndian'"),
        (
            appended([1, 60, 0, 8], bytes(8)).replace(b"vtkZLib", b"vtkLZ4"),
            "vtkZLibDataCompressor or vtkLZMA.*'vtkLZ4Da",
        ),
        (appended([1, 60, 0, 24], bytes(24)).replace(b"vtkZLib", b"vtkLZMA"), "block 0: expected data of vtkLZMA"),
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


def test_points_are_refused(tmp_path):
    points = image(ascii_array()).replace(b"CellData", b"PointData")
    with pytest.raises(FileError, match="only values at points"):
        read(tmp_path, points)
    both = image("</CellData><PointData>" + ascii_array() + "</PointData><CellData>" + ascii_array(name="other"))
    for name in (None, "density"):
        with pytest.raises(FileError, match="'density' has values at points"):
            read(tmp_path, both, name=name)
    np.testing.assert_array_equal(read(tmp_path, both, name="other").density, CELL)


@pytest.mark.parametrize(
    "direction",
    ["0 1 0 1 0 0 0 0 1", "-1 0 0 0 1 0 0 0 1", "1 0 0 0 1 1e-5 0 -1e-5 1", "0 0 0 0 0 0 0 0 0", "1 0 0 0 nan 0 0 0 1"],
)
def test_turned_images_are_refused(tmp_path, direction):
    turned = image(ascii_array()).replace(b"Origin", f'Direction="{direction}" Origin'.encode())
    with pytest.raises(FileError, match=r"turned|9 numbers"):
        read(tmp_path, turned)


def test_directions_off_by_rounding(tmp_path):
    angle = np.pi / 2
    turn = np.array(
        [[np.sin(angle), np.cos(angle), 0], [-np.cos(angle), np.sin(angle), 0], [0, 0, np.float32(1 - 1e-7)]]
    )
    text = " ".join(repr(float(value)) for value in turn.ravel())
    content = image(ascii_array()).replace(b"Origin", f'Direction="{text}" Origin'.encode())
    np.testing.assert_array_equal(read(tmp_path, content).density, CELL)


def test_fields_are_checked(tmp_path):
    for fields in ({"density": CELL}, {"a": CELL[1:]}, {"a": CELL.astype(complex)}):
        # With type checks on, jaxtyping may be the first to object.
        with pytest.raises((ValueError, jaxtyping.TypeCheckError), match="fields"):
            write_vti(tmp_path / "a.vti", CELL, fields=fields)
    assert not (tmp_path / "a.vti").exists()


def test_a_block_that_grows_takes_no_memory(tmp_path):
    """A short block of zlib that would unpack to 100 MB where 60 bytes were promised."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(10**7)) for _ in range(10)) + packer.flush()
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
