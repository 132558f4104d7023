"""HDF5: round trips, what is stored beside the numbers, and files that lie."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from jaxmeta.io import FileError, read_density, read_stiffness, write_h5

CELL = np.random.default_rng(1).random((3, 4, 5)).astype(np.float32)


def test_round_trip(tmp_path):
    path = tmp_path / "cell.h5"
    stiffness = np.diag(np.arange(1.0, 7.0))
    write_h5(
        path,
        CELL,
        stiffness,
        spacing=(0.1, 0.2, 0.3),
        units={"stiffness": "GPa"},
        settings={"tolerance": 1e-5, "symmetry": "none", "spacing": [1, 2]},
        versions={"numpy": np.__version__},
    )
    file = read_density(path)
    np.testing.assert_array_equal(file.density, CELL)
    assert file.spacing == (0.1, 0.2, 0.3)
    np.testing.assert_array_equal(read_stiffness(path), stiffness)
    with h5py.File(path) as stored:
        assert stored["units"].attrs["stiffness"] == "GPa"
        assert stored["settings"].attrs["tolerance"] == 1e-5
        assert stored["settings"].attrs["spacing"] == "[1, 2]"
        assert stored["versions"].attrs["numpy"] == np.__version__


def test_names_groups_and_spacing(tmp_path):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["group/cell"] = CELL
        file["only"] = 1 - CELL
        file["spacing"] = [1.0, 2.0, 3.0]
        file.attrs["other"] = 1
    assert read_density(path, name="only").spacing == (1.0, 2.0, 3.0)
    np.testing.assert_array_equal(read_density(path, name="group/cell").density, CELL)
    with pytest.raises(FileError, match="there is none"):
        read_density(path, name="group/nothing")
    with pytest.raises(FileError, match="it is a group"):
        read_density(path, name="group")
    with h5py.File(path, "a") as file:
        file["density"] = CELL
        file.attrs["spacing"] = [1.0, -2.0, 3.0]
    with pytest.raises(FileError, match="three positive lengths"):
        read_density(path)


def test_a_trillion_voxels_never_written(tmp_path):
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("density", (10000, 10000, 10000), "f8", chunks=(64, 64, 64))
    assert path.stat().st_size < 10_000
    with pytest.raises(FileError, match="1e\\+12"):
        read_density(path)


def test_nothing_outside_the_file_is_read(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(64))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["density"] = np.zeros((2, 2, 2))
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("density", (2, 2, 2), "f8", external=[(str(secret), 0, 64)])
    layout = h5py.VirtualLayout((2, 2, 2), "f8")
    layout[...] = h5py.VirtualSource(tmp_path / "other.h5", "density", (2, 2, 2))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("density", layout)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["density"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/density")
    for name in ("external", "virtual"):
        with pytest.raises(FileError, match="other files"):
            read_density(tmp_path / f"{name}.h5")
    with h5py.File(tmp_path / "detour.h5", "w") as file:  # a link within the file that ends in another one
        file["other"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
        file["density"] = h5py.SoftLink("/other/density")
        file["else"] = CELL  # must not be taken in place of what is called density
    for name in ("link", "detour"):
        for asked in (None, "density"):
            with pytest.raises(FileError, match="is a link into another file"):
                read_density(tmp_path / f"{name}.h5", name=asked)


def test_truncated_foreign_and_odd(tmp_path):
    path = tmp_path / "cell.h5"
    write_h5(path, np.random.default_rng(0).random((16, 16, 16)))
    whole = path.read_bytes()
    for length in (0, 7, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(FileError) as caught:
            read_density(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    path.write_bytes(b"PK\x03\x04 not this")
    with pytest.raises(FileError, match="start of an HDF5 file"):
        read_density(path)
    with h5py.File(path, "w") as file:
        file["density"] = ["text"]
    with pytest.raises(FileError, match="they are text"):
        read_density(path)
    with h5py.File(path, "w") as file:
        file["density"] = h5py.Empty("f8")
    with pytest.raises(FileError, match="the dataset is empty"):
        read_density(path)


BITS = (np.arange(60).reshape(3, 4, 5) % 3 == 0).astype(np.uint8)


def made(path, fill, **options):
    with h5py.File(path, "w", **options) as file:
        fill(file)
    return path


def dataset(**options):
    return lambda file: file.create_dataset("density", **options)


def links(**targets):
    def fill(file):
        file["scan/detector/data"] = BITS
        file["other"] = 1 - BITS
        for name, target in targets.items():
            file[name.replace("__", "/")] = h5py.SoftLink(target)

    return fill


def bit_field(file):
    """As PyTables stores truth values."""
    space, kind = h5py.h5s.create_simple(BITS.shape), h5py.h5t.NATIVE_B8
    h5py.h5d.create(file.id, b"density", kind, space).write(h5py.h5s.ALL, h5py.h5s.ALL, BITS, kind)


def skipped_filter(file):
    """A chunk that names a filter which is not here, and was stored without it."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(BITS.shape)
    plan.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, 1, 60))
    space = h5py.h5s.create_simple(BITS.shape)
    data = h5py.h5d.create(file.id, b"density", h5py.h5t.NATIVE_UINT8, space, plan)
    data.write_direct_chunk((0, 0, 0), BITS.tobytes(), filter_mask=1)


def missing_filter(file):
    skipped_filter(file)
    file["density"].id.write_direct_chunk((0, 0, 0), bytes(20))


def up_and_down(file):
    file["group/cell"] = BITS
    file["group/up"] = file["/"]


PLAIN = {
    "user block": (dataset(data=BITS), {"userblock_size": 512}, None),
    "large user block": (dataset(data=BITS), {"userblock_size": 4096}, None),
    "newest format": (dataset(data=BITS), {"libver": "latest"}, None),
    "soft link by name": (links(entry__data="/scan/detector/data"), {}, "entry/data"),
    "soft link of the default name": (links(density="/scan/detector/data"), {}, None),
    "soft link to a group": (links(entry="/scan/detector"), {}, "entry/data"),
    "soft link that is relative": (links(scan__data="detector/data"), {}, "scan/data"),
    "soft links in a chain": (links(density="/b", b="/c/data", c="scan/./detector"), {}, None),
    "one dataset in groups": (lambda file: file.create_dataset("a/b/c", data=BITS), {}, None),
    "one of the default name in groups": (
        lambda file: (file.create_dataset("a/b", data=1 - BITS), file.create_dataset("a/density", data=BITS)),
        {},
        None,
    ),
    "a circle of groups": (up_and_down, {}, None),
    "a component on a last axis": (dataset(data=BITS[..., None]), {}, None),
    "a batch on a first axis": (dataset(data=BITS[None]), {}, None),
    "one on each side": (dataset(data=BITS[None, ..., None]), {}, None),
    "gzip, shuffled, with checksums": (
        dataset(data=BITS, chunks=(2, 2, 2), compression="gzip", shuffle=True, fletcher32=True),
        {},
        None,
    ),
    "lzf": (dataset(data=BITS, compression="lzf"), {}, None),
    "scaled": (dataset(data=BITS, chunks=(3, 4, 5), scaleoffset=0), {}, None),
    "a filter that was skipped": (skipped_filter, {}, None),
    "bit field": (bit_field, {}, None),
    "an enumeration": (dataset(data=BITS, dtype=h5py.enum_dtype({"void": 0, "solid": 1}, "u1")), {}, None),
} | {kind: (dataset(data=BITS.astype(kind)), {}, None) for kind in ("?", "f2", ">f2", ">f8", ">i4", "u8", "g")}


@pytest.mark.parametrize("title", PLAIN)
def test_forms_that_are_read(tmp_path, title):
    fill, options, name = PLAIN[title]
    path = made(tmp_path / "cell.h5", fill, **options)
    np.testing.assert_array_equal(read_density(path, name=name).density, BITS)


def values(kind):
    return dataset(shape=(3, 4, 5), dtype=kind)


REFUSED = {
    "missing filter": (missing_filter, "filter 32001 .Blosc. is missing: install it .* or repack with `h5repack"),
    "rows": (values(h5py.vlen_dtype("i4")), "rows of variable length: write one array of numbers instead"),
    "text": (values(h5py.string_dtype()), "they are text"),
    "text of one length": (values(h5py.string_dtype(length=4)), "they are text"),
    "references": (values(h5py.ref_dtype), "references to other data"),
    "regions": (values(h5py.regionref_dtype), "references to other data"),
    "complex": (values("c8"), "complex64"),
    "records": (values([("a", "f4"), ("b", "f4")]), "real numbers"),
    "vectors": (values("(3,)f4"), "real numbers"),
    "opaque": (values("V3"), "real numbers"),
    "dates": (values(h5py.opaque_dtype("M8[s]")), "datetime64"),
    "never written, filled with NaN": (dataset(shape=(3, 4, 5), dtype="f4", fillvalue=np.nan), "it is nan there"),
    "axes that are not clear": (dataset(data=BITS[None, :, :, :1]), r"\(nx, ny, nz\), but the shape is \(1, 3, 4, 1\)"),
    "a further axis": (dataset(data=np.stack([BITS, BITS])), r"\(nx, ny, nz\), but the shape is \(2, 3, 4, 5\)"),
    "an axis within": (dataset(data=BITS[:, None]), r"\(nx, ny, nz\), but the shape is \(3, 1, 4, 5\)"),
    "a plane": (dataset(data=BITS[0]), r"\(nx, ny, nz\), but the shape is \(4, 5\)"),
    "a circle of links": (links(density="/other_one", other_one="/density"), "a chain of at most 16 links"),
    "a link to nothing": (links(density="/nothing"), "a dataset named 'density', but there is none"),
    "a link to a group": (links(density="/scan"), "it is a group"),
    "several in groups": (
        lambda file: (file.create_dataset("a/b", data=BITS), file.create_dataset("a/c/d", data=BITS)),
        "there are 'a/b', 'a/c/d'",
    ),
    "groups only": (lambda file: file.create_group("a/b"), "there are none"),
}


@pytest.mark.parametrize("title", REFUSED)
def test_forms_that_are_refused(tmp_path, title):
    fill, text = REFUSED[title]
    path = made(tmp_path / "cell.h5", fill)
    with pytest.raises(FileError, match=text) as caught:
        read_density(path)
    assert "\n" not in str(caught.value)


def matlab(file, name, array, kind, **attributes):
    """MATLAB 7.3 lists axes backwards: what is 3 × 4 × 5 there is 5 × 4 × 3 in the file."""
    data = file.create_dataset(name, data=np.ascontiguousarray(np.transpose(array)))
    data.attrs["MATLAB_class"] = np.bytes_(kind)
    for key, value in attributes.items():
        data.attrs[key] = value


def test_matlab(tmp_path):
    def fill(file):
        matlab(file, "density", BITS, "logical", MATLAB_int_decode=np.int32(1))
        matlab(file, "spacing", [[0.1, 0.2, 0.3]], "double")  # a row

    file = read_density(made(tmp_path / "cell.h5", fill, userblock_size=512))
    np.testing.assert_array_equal(file.density, BITS)
    assert file.spacing == (0.1, 0.2, 0.3)
    path = made(tmp_path / "a.h5", lambda file: matlab(file, "density", [0, 3], "double", MATLAB_empty=np.uint8(1)))
    with pytest.raises(FileError, match="the dataset is empty"):
        read_density(path)
    with pytest.raises(FileError, match=r"the shape is \(2, 3, 4, 5\)"):
        read_density(made(tmp_path / "b.h5", lambda file: matlab(file, "density", np.ones((2, 3, 4, 5)), "double")))


@pytest.mark.parametrize("kind", [h5py.string_dtype(), h5py.vlen_dtype("f8")])
def test_spacing_that_is_no_lengths(tmp_path, kind):
    path = made(
        tmp_path / "a.h5",
        lambda file: (file.create_dataset("density", data=BITS), file.create_dataset("spacing", (3,), kind)),
    )
    with pytest.raises(FileError, match="dataset 'spacing': expected real numbers"):
        read_density(path)
    with h5py.File(path, "a") as file:
        file.attrs["spacing"] = "1 2 3"
    with pytest.raises(FileError, match="attribute 'spacing' of the file: expected real numbers"):
        read_density(path)


FULL = """
import resource, signal, sys
import numpy as np
from jaxmeta.io import FileError, write_h5

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for room in (0, 1000, 20000, resource.RLIM_INFINITY):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    message = "written"
    try:
        write_h5(sys.argv[1], np.random.default_rng(0).random((24, 24, 24)))
    except FileError as error:
        message = str(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(message)
"""


def test_a_full_disk(tmp_path):
    """An error and nothing else; the process lives on, and with room again the file is written."""
    path = tmp_path / "cell.h5"
    done = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wanted = f"File `{path}`, writing: expected room and permission for the file, but file too large."
    assert done.stdout.splitlines() == [wanted] * 3 + ["written"]
    assert read_density(path).density.shape == (24, 24, 24)
    assert list(tmp_path.iterdir()) == [path]
