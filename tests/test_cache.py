"""The folder in which compiled programs are kept: absolute, the user's own, and without it no error."""

import errno
import os
import pwd
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
import pytest

from jaxmeta._cache import cache_folder


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """A home of its own, and a working folder in which nothing may be left."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    yield
    assert not list(work.iterdir())


def no_entry(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")


def test_it_is_private(tmp_path):
    folder = cache_folder("programs")
    assert folder == tmp_path / "home" / ".cache" / "jaxmeta" / "programs"
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    assert cache_folder("programs") == folder


def test_it_is_where_the_user_wants_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert cache_folder("programs") == tmp_path / "elsewhere" / "jaxmeta" / "programs"


@pytest.mark.parametrize("home", [None, "", "relative", "~", "~nobody-of-that-name", "."])
@pytest.mark.parametrize("base", [None, "", "relative", "~", "~/cache"])
def test_without_a_home_there_is_none(home, base, monkeypatch):
    """A user whom the system does not know, as in a container that is started for a bare user number."""
    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    for name, value in (("HOME", home), ("XDG_CACHE_HOME", base)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert cache_folder("programs") is None


@pytest.mark.parametrize(
    "answer", ["~/.cache/jaxmeta", "relative/jaxmeta", "", RuntimeError, KeyError, ValueError], ids=str
)
def test_a_path_that_is_not_absolute_is_none(answer, monkeypatch):
    """Whatever the library says that knows the folders of every system."""

    def user_cache_path(*_, **__):
        if isinstance(answer, str):
            return Path(answer)
        raise answer

    monkeypatch.setattr(platformdirs, "user_cache_path", user_cache_path)
    assert cache_folder("programs") is None


def test_a_relative_base_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder("programs") in (None, tmp_path / "home" / ".cache" / "jaxmeta" / "programs")


@pytest.mark.parametrize("blocked", ["home", "home/.cache", "home/.cache/jaxmeta", "home/.cache/jaxmeta/programs"])
def test_a_file_in_its_place(blocked, tmp_path):
    place = tmp_path / blocked
    if place.is_dir():
        place.rmdir()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("")
    assert cache_folder("programs") is None
    assert place.read_text() == ""


def test_one_that_others_can_write_to_is_not_read(tmp_path):
    folder = cache_folder("programs")
    for mode in (0o770, 0o707, 0o777):
        folder.chmod(mode)
        assert cache_folder("programs") is None
    folder.chmod(0o700)
    assert cache_folder("programs") == folder


def test_one_of_another_user_is_not_read(monkeypatch):
    folder = cache_folder("programs")
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert cache_folder("programs") is None


def test_one_that_cannot_be_written(monkeypatch):
    assert cache_folder("programs") is not None
    monkeypatch.setattr(os, "access", lambda place, mode: not mode & os.W_OK)
    assert cache_folder("programs") is None


@pytest.mark.parametrize("error", [PermissionError, OSError(errno.EROFS, ""), OSError(errno.ENOSPC, "")], ids=repr)
def test_one_that_cannot_be_made(error, monkeypatch):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(os, "mkdir", refuse)
    assert cache_folder("programs") is None


def test_many_make_it_at_the_same_time(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda k: cache_folder(f"programs-{k % 3}"), range(96)))
    assert None not in folders
    assert len(set(folders)) == 3
