"""Every writer: whole or nothing, never over another file, one sentence when it cannot."""

import os

import h5py
import numpy as np
import pytest

from jaxmeta.io import FileError, atomic_path, surface, write_h5, write_json, write_npz, write_stl, write_vti

CELL = np.ones((2, 2, 2))
WRITERS = {
    "npz": lambda path, **options: write_npz(path, CELL, **options),
    "h5": lambda path, **options: write_h5(path, CELL, **options),
    "vti": lambda path, **options: write_vti(path, CELL, **options),
    "stl": lambda path, **options: write_stl(path, *surface(CELL), **options),
    "json": lambda path, **options: write_json(path, {"a": 1}, **options),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_existing_files_stay(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"precious")
    with pytest.raises(FileError, match="exists already"):
        WRITERS[suffix](path)
    assert path.read_bytes() == b"precious"
    WRITERS[suffix](path, overwrite=True)
    assert path.read_bytes() != b"precious"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", WRITERS)
def test_folders_that_cannot_be_written_to(tmp_path, suffix):
    (tmp_path / "plain").write_bytes(b"")
    (tmp_path / f"folder.{suffix}").mkdir()
    for path, text in (
        (tmp_path / "plain" / f"a.{suffix}", "not a directory"),
        (tmp_path / "missing" / f"a.{suffix}", "no such file or directory"),
        (tmp_path / f"folder.{suffix}", "it is a folder"),
    ):
        with pytest.raises(FileError, match=text) as caught:
            WRITERS[suffix](path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_failure_leaves_nothing(tmp_path):
    target = tmp_path / "a.bin"
    with pytest.raises(KeyboardInterrupt), atomic_path(target, False) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    with pytest.raises(FileError, match="room and permission"), atomic_path(target, False) as temporary:
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_a_file_made_meanwhile_is_kept(tmp_path):
    target = tmp_path / "a.bin"
    with pytest.raises(FileError, match="exists already"), atomic_path(target, False) as temporary:
        temporary.write_bytes(b"mine")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs" and os.listdir(tmp_path) == ["a.bin"]


def test_dangling_link_is_not_followed(tmp_path):
    link = tmp_path / "a.json"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileError, match="exists already"):
        write_json(link, {})


def test_mode_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640


def test_results_are_checked_first(tmp_path):
    for write in (write_npz, write_h5):
        path = tmp_path / "a"
        with pytest.raises(ValueError, match="one of them must be given"):
            write(path)
        with pytest.raises(ValueError, match="three positive lengths"):
            write(path, CELL, spacing=(1.0, 0.0, 1.0))
        assert not path.exists()


def test_h5_of_truth_values(tmp_path):
    write_h5(tmp_path / "a.h5", CELL > 0)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["density"].dtype == np.uint8
