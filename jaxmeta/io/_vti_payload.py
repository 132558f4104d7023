"""The three ways in which VTK's XML formats store an array's numbers: text, base64, raw; the last two also compressed.

Type `Bit` is eight numbers to a byte, the first in the highest bit; in text it is zeros and ones.

Uncompressed: one word with the number of bytes, then the bytes. Compressed: words with the number of blocks, the size
of a block, the size of a shorter last one (0: there is none) and each block's compressed size, then the blocks. In
base64 the header of compressed data is encoded by itself, that of uncompressed data together with the data.
"""

import base64
import binascii
import warnings
import zlib
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from ._errors import Path, brief, file_error

TYPES = {f"{sign}Int{bits}": np.dtype(f"{sign}int{bits}".lower()) for sign in ("", "U") for bits in (8, 16, 32, 64)}
TYPES |= {"Float32": np.dtype("f4"), "Float64": np.dtype("f8"), "Bit": np.dtype("?")}
_LZMA_MEMORY = 1 << 28  # bytes for unpacking one block; the strongest setting takes a quarter of this

# take(start, count): `count` bytes from `start`, counted from the start of the array's (decoded) stream.
_Take = Callable[[int, int], bytes]


class Layout(NamedTuple):
    """What the file's root says about its binary data."""

    word: np.dtype
    byte_order: Literal["<", ">"]
    compressor: str | None


def _bytes(count: int, dtype: np.dtype) -> int:
    return -(-count // 8) if dtype.kind == "b" else count * dtype.itemsize


def _numbers(content: bytes | bytearray, layout: Layout, count: int, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "b":
        return np.unpackbits(np.frombuffer(content, np.uint8), count=count).view(dtype)
    return np.frombuffer(content, dtype.newbyteorder(layout.byte_order))


def decode_text(path: Path, place: str, text: str, count: int, dtype: np.dtype) -> np.ndarray:
    """Reads `count` numbers from text; the result has shape (count,)."""
    if len(text) < 2 * count - 1:
        raise file_error(path, place, f"{count} numbers", f"there are only {len(text)} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # how older NumPy reports what it cannot read
            # Small whole numbers are read as wide ones, as NumPy would wrap them into the type's range.
            wide = np.int64 if dtype.kind in "biu" and dtype.itemsize < 8 else dtype
            values = np.fromstring(text, sep=" ", dtype=wide)
    except (ValueError, DeprecationWarning, OverflowError):
        raise file_error(path, place, f"{count} numbers", "some of the text is no number") from None
    if values.size != count:
        raise file_error(path, place, f"{count} numbers", f"there are {values.size}")
    stored = values.astype(dtype)
    if dtype.kind in "biu" and not np.array_equal(stored, values):
        raise file_error(path, place, f"numbers of type {dtype.name}", "some are out of its range")
    return stored


def decode_raw(path: Path, place: str, data: memoryview, layout: Layout, count: int, dtype: np.dtype) -> np.ndarray:
    """Reads `count` numbers from raw bytes; the result has shape (count,)."""

    def take(start: int, size: int) -> bytes:
        if size > len(data) - start:
            raise file_error(path, place, f"{size} bytes", f"the file ends after {max(len(data) - start, 0)}")
        return bytes(data[start : start + size])

    nbytes = _bytes(count, dtype)
    if layout.compressor:
        sizes, start = _block_table(path, place, take, layout, nbytes)
        content = _inflate(path, place, lambda offset, size: take(start + offset, size), sizes, layout.compressor)
    else:
        _check_length(path, place, take(0, layout.word.itemsize), layout, nbytes)
        content = take(layout.word.itemsize, nbytes)
    return _numbers(content, layout, count, dtype)


def decode_base64(path: Path, place: str, data: memoryview, layout: Layout, count: int, dtype: np.dtype) -> np.ndarray:
    """Reads `count` numbers from base64 text without white space; the result has shape (count,)."""

    def take_from(first: int, start: int, size: int) -> bytes:
        begin, skip = first + start // 3 * 4, start % 3
        length = _characters(skip + size)
        if length > len(data) - begin:
            raise file_error(path, place, f"{length} base64 characters", f"there are {max(len(data) - begin, 0)}")
        try:
            content = base64.b64decode(data[begin : begin + length], validate=True)
        except binascii.Error:
            raise file_error(path, place, "base64 text", "there are other characters in it") from None
        if len(content) < skip + size:
            raise file_error(path, place, f"{size} bytes", "the base64 text ends early")
        return content[skip : skip + size]

    nbytes, word = _bytes(count, dtype), layout.word.itemsize
    if layout.compressor:
        sizes, header = _block_table(path, place, lambda start, size: take_from(0, start, size), layout, nbytes)
        first = _characters(header)
        content = _inflate(path, place, lambda start, size: take_from(first, start, size), sizes, layout.compressor)
    else:
        _check_length(path, place, take_from(0, 0, word), layout, nbytes)
        # Some writers encode the length by itself, which shows in the padding after it.
        alone = bytes(data[_characters(word) - 1 : _characters(word)]) == b"="
        content = take_from(_characters(word), 0, nbytes) if alone else take_from(0, word, nbytes)
    return _numbers(content, layout, count, dtype)


def _characters(size: int) -> int:
    return -(-size // 3) * 4


def _check_length(path: Path, place: str, header: bytes, layout: Layout, expected: int) -> None:
    size = int(np.frombuffer(header, layout.word)[0])
    if size != expected:
        raise file_error(path, place, f"{expected} bytes for the extent", f"the array's length is {size}")


def _block_table(
    path: Path, place: str, take: _Take, layout: Layout, expected: int
) -> tuple[list[tuple[int, int]], int]:
    """Returns each block's (compressed, plain) size and the header's size; refuses what misses `expected` bytes."""
    word = layout.word.itemsize
    blocks, size, last = (int(value) for value in np.frombuffer(take(0, 3 * word), layout.word))
    total = blocks * size if last == 0 else (blocks - 1) * size + last
    if blocks < 1 or total != expected:
        raise file_error(path, place, f"{expected} bytes for the extent", f"its blocks hold {total}")
    packed = np.frombuffer(take(3 * word, blocks * word), layout.word).tolist()
    plain = [size] * (blocks - 1) + [last or size]
    return list(zip(packed, plain, strict=True)), (3 + blocks) * word


def _inflate(path: Path, place: str, take: _Take, sizes: list[tuple[int, int]], compressor: str) -> bytearray:
    import lzma

    unpackers = {
        "vtkZLibDataCompressor": zlib.decompressobj,
        "vtkLZMADataCompressor": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _LZMA_MEMORY),
    }
    if compressor not in unpackers:
        wanted = " or ".join(unpackers)
        raise file_error(path, "attribute 'compressor'", wanted, f"it is {brief(compressor)}")
    content = bytearray()
    start = 0
    for index, (packed, plain) in enumerate(sizes):
        unpacker = unpackers[compressor]()
        try:
            # One byte more than agreed is enough to see that a block is too large, whatever it would grow to.
            block = unpacker.decompress(take(start, packed), plain + 1)
        except (zlib.error, lzma.LZMAError):
            raise file_error(path, f"{place}, block {index}", f"data of {compressor}", "they are damaged") from None
        if len(block) != plain or not unpacker.eof:
            raise file_error(path, f"{place}, block {index}", f"a block of {plain} bytes", "it has another size")
        content += block
        start += packed
    return content
