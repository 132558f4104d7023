"""Reading one dataset of an HDF5 file.

Links within the file are followed, and each step is looked at: links into other files, virtual datasets and external
storage are refused, as a file is not to reach for another one. MATLAB (7.3) lists the axes of an array backwards in the
file, and marks its arrays with an attribute; they come out as they were in MATLAB.
"""

from typing import Any

import numpy as np

from ._errors import FileError, Path, brief, file_error, system_text
from ._limits import Check, check_edges
from ._npy import choose_name
from ._open import open_binary

_LINKS = 16
_FILTERS = {4: "SZIP", 307: "bzip2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32008: "Bitshuffle", 32013: "ZFP"}
_FILTERS |= {32015: "Zstandard", 32026: "Blosc2"}


def read_h5(path: Path, name: str | None, default: str, check: Check) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Reads one dataset of an HDF5 file, and its `spacing` when it is given as an attribute or a dataset.

    Args:
        path: The file.
        name: The dataset's path in the file, or None for `default` or else the only dataset: at the top, or where there
            is none at the top, anywhere.
        default: The name looked for when none is given.
        check: Called with place, shape and type before the data are read.

    Returns:
        The array, its name, and the three numbers of `spacing` or None.

    Raises:
        FileError: If the file or the dataset is not as expected.
    """
    import h5py

    with open_binary(path):  # what is no file at all has an error of its own
        if not h5py.is_hdf5(path):
            raise file_error(path, "beginning", "the start of an HDF5 file", "it is something else")
    try:
        with h5py.File(path, "r") as file:
            name = _choose(path, file, default) if name is None else name
            dataset = _find(path, file, name)
            array = _read(path, f"dataset {brief(name)}", dataset, check)
            return array, name, _spacing(path, file, dataset)
    except FileError:
        raise
    except Exception as error:  # the library meets damage in many ways
        raise file_error(path, "contents", "what the HDF5 library can read", system_text(error)) from None


def _choose(path: Path, file: Any, default: str) -> str:
    import h5py

    link = file.get(default, getlink=True)
    if link is not None and not (isinstance(link, h5py.HardLink) and isinstance(file[default], h5py.Group)):
        return default
    names = [str(key) for key in file if _leads_to_data(path, file, str(key))]
    if not names:
        file.visititems(lambda key, item: names.append(str(key)) if isinstance(item, h5py.Dataset) else None)
        called = [name for name in names if name.rpartition("/")[2] == default]
        names = called if len(called) == 1 else names
    return choose_name(path, names, None, default, "a dataset")


def _leads_to_data(path: Path, file: Any, name: str) -> bool:
    try:
        _find(path, file, name)
    except FileError:
        return False
    return True


def _find(path: Path, file: Any, name: str) -> Any:
    import h5py

    place = f"dataset {brief(name)}"
    item: Any = file
    parts, links = _parts(name), 0
    while parts:
        part = parts.pop(0)
        # The link alone is looked at, so one into another file is not followed.
        link = item.get(part, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            raise file_error(path, "contents", f"a dataset named {brief(name)}", "there is none")
        if isinstance(link, h5py.ExternalLink):
            raise file_error(path, place, "data inside the file", f"{brief(part)} is a link into another file")
        if isinstance(link, h5py.SoftLink):
            links += 1
            if links > _LINKS:
                raise file_error(path, place, f"a chain of at most {_LINKS} links", "it goes on")
            item = file if link.path.startswith("/") else item
            parts = _parts(link.path) + parts
        else:
            item = item[part]
    if not isinstance(item, h5py.Dataset):
        raise file_error(path, "contents", f"a dataset named {brief(name)}", "it is a group")
    return item


def _parts(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _read(path: Path, place: str, dataset: Any, check: Check) -> np.ndarray:
    import h5py

    if dataset.is_virtual or dataset.external:
        raise file_error(path, place, "data inside the file", "they are stored in other files or datasets")
    if dataset.shape is None or "MATLAB_empty" in dataset.attrs:
        raise file_error(path, place, "data", "the dataset is empty")
    backwards = "MATLAB_class" in dataset.attrs
    _check_kind(path, place, dataset.dtype)
    check(place, dataset.shape[::-1] if backwards else dataset.shape, dataset.dtype)
    try:
        array = dataset[()]
    except OSError:
        plan = dataset.id.get_create_plist()
        codes = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
        missing = [f"{code} ({_FILTERS.get(code, 'unknown')})" for code in codes if not h5py.h5z.filter_avail(code)]
        if not missing:
            raise
        found = f"filter {', '.join(missing)} is missing: install it (`hdf5plugin`) or repack with `h5repack -f GZIP=4`"
        raise file_error(path, place, "data packed with a filter that HDF5 has here", found) from None
    return array.T if backwards else array


def _check_kind(path: Path, place: str, dtype: np.dtype) -> None:
    import h5py

    kinds = {
        "text": h5py.check_string_dtype(dtype),
        "rows of variable length": h5py.check_vlen_dtype(dtype),
        "references to other data": h5py.check_ref_dtype(dtype),
    }
    for kind, found in kinds.items():
        if found is not None:
            instead = f"they are {kind}: write one array of numbers instead"
            raise file_error(path, place, "real numbers, one in each place", instead)


def _spacing(path: Path, file: Any, dataset: Any) -> np.ndarray | None:
    check = check_edges(path)
    for owner, place in ((dataset, "attribute 'spacing' of the dataset"), (file, "attribute 'spacing' of the file")):
        if "spacing" in owner.attrs:
            attribute = owner.attrs.get_id("spacing")
            _check_kind(path, place, attribute.dtype)
            check(place, attribute.shape, attribute.dtype)
            return owner.attrs["spacing"]
    if file.get("spacing", getlink=True) is not None and dataset.name != "/spacing":
        return _read(path, "dataset 'spacing'", _find(path, file, "spacing"), check)
    return None
