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
    with pytest.raises(FileError, match="there are none"):
        read_density(tmp_path / "link.h5")
    with pytest.raises(FileError, match="is a link"):
        read_density(tmp_path / "link.h5", name="density")


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
    with pytest.raises(FileError, match="numbers"):
        read_density(path)
    with h5py.File(path, "w") as file:
        file["density"] = h5py.Empty("f8")
    with pytest.raises(FileError, match="the dataset is empty"):
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
