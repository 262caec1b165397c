"""Vector files as streams of bytes: opened through gzip, xz or zstd, recognised by their first bytes, written whole."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self, cast

from textssl.disk import delete, make_folder, reading, sync, translated
from textssl.errors import DataError, UsageError
from textssl.storage import TEMPORARY_PREFIX

HEAD_BYTES = 1 << 16
GZIP, XZ, ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
# DEFLATE cannot do better than this, so a gzip file of n bytes holds at most so many times n.
GZIP_LARGEST_RATIO = 1032
# Vectors hardly compress; what swells more than this is made to fill a disk.
LARGEST_RATIO = 100
RATIO_CHECKED_FROM_BYTES = 1 << 26

_CONVERSION = (
    "Convert it where it was made, in Python: from gensim.models import KeyedVectors; "
    'KeyedVectors.load("FILE").save_word2vec_format("vectors.bin", binary=True)'
)
_GENSIM_HINT = f"A pickle can run any program when it is opened, so textssl does not open it. {_CONVERSION}"
_NPY_HINT = f"It holds numbers without words; gensim's main file lies beside it. {_CONVERSION}"
_FOLDER_HINT = "Give the folder that it lies in."
_FASTTEXT_HINT = "textssl reads fastText's text vectors: give the .vec file that fastText wrote beside it."
_UNPACK_HINT = "Unpack it first, and give the vector file in it."
_OTHER_FILES = (
    (b"\x93NUMPY", "a NumPy array (.npy)", _NPY_HINT),
    (b"PK\x03\x04", "a zip or npz archive", _UNPACK_HINT),
    (b"7z\xbc\xaf", "a 7z archive", _UNPACK_HINT),
    ((793712314).to_bytes(4, "little"), "a fastText model (.bin)", _FASTTEXT_HINT),
    (b"\x89HDF", "an HDF5 file", None),
    (b"SQLite format 3\x00", "an SQLite database", None),
    (b"PAR1", "a Parquet file", None),
    (b"%PDF", "a PDF document", None),
    (b"\x89PNG", "a PNG picture", None),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "Fetch the file with: git lfs pull"),
    (b"<!DOCTYPE", "a web page, perhaps the error page of a download", "Download the file again."),
    (b"<html", "a web page, perhaps the error page of a download", "Download the file again."),
    (b"\xff\xfe", "text in UTF-16", "Convert it to UTF-8 first."),
    (b"\xfe\xff", "text in UTF-16", "Convert it to UTF-8 first."),
)
_PICKLE_PROTOCOLS = range(2, 6)
_TAR_MAGIC_AT = 257


def refuse_other_files(path: Path, head: bytes) -> None:
    """Name what a file is when its first bytes say that it holds no vectors.

    Raises:
        DataError: it is empty, a pickle, a NumPy array, an archive, a fastText model, a web page, ...
    """
    if not head:
        raise DataError("the file is empty", where=str(path))
    for magic, name, hint in _OTHER_FILES:
        if head.startswith(magic):
            raise DataError(f"is {name}, no vector file", where=str(path), hint=hint)
    if len(head) > 1 and head[0] == 0x80 and head[1] in _PICKLE_PROTOCOLS:
        raise DataError("is a Python pickle, such as gensim's save() writes", where=str(path), hint=_GENSIM_HINT)
    if head[:3] == b"BZh" and head[4:10] == b"1AY&SY":
        raise DataError("is a bzip2 file", where=str(path), hint="Unpack it first with: bunzip2 FILE")
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        raise DataError("is a tar archive, no vector file", where=str(path), hint=_UNPACK_HINT)
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 32:
        raise DataError("is a single safetensors file, expected its folder", where=str(path), hint=_FOLDER_HINT)
    if head.lstrip()[:1] in (b"{", b"[") and b'"' in head[:256]:
        raise DataError("is JSON, no vector file", where=str(path), hint=_FOLDER_HINT)


class ByteStream:
    """A file read from front to back, decompressed where its first bytes say so.

    Attributes:
        compressed: whether what is read is not what lies on the disk.
        largest: the most bytes that it can hold; None when nobody can say.
        position: how many bytes were read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        with reading(path):
            if path.is_dir():
                raise DataError("is a folder, expected a file", where=str(path))
            self._size = path.stat().st_size
            self._raw = path.open("rb")
            magic = self._raw.read(6)
            self._raw.seek(0)
        self.compressed = magic.startswith((GZIP, XZ, ZSTD))
        self.largest = self._size if not self.compressed else None
        if magic.startswith(GZIP):
            self.largest = self._size * GZIP_LARGEST_RATIO
        self._stream = self._opened(magic)

    def _opened(self, magic: bytes) -> BinaryIO:
        if magic.startswith(GZIP):
            return cast(BinaryIO, gzip.GzipFile(fileobj=self._raw))
        if magic.startswith(XZ):
            return cast(BinaryIO, lzma.LZMAFile(self._raw))
        if magic.startswith(ZSTD):
            import pyarrow

            return cast(BinaryIO, pyarrow.CompressedInputStream(pyarrow.PythonFile(self._raw, mode="r"), "zstd"))
        return self._raw

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._raw.close()

    @property
    def remaining(self) -> int | None:
        """The most bytes that can follow; None when nobody can say."""
        return None if self.largest is None else self.largest - self.position

    def read(self, num_bytes: int) -> bytes:
        """The next bytes, fewer only at the end.

        Raises:
            DataError: the compressed data are damaged or cut short, or swell more than a hundredfold.
        """
        pieces: list[bytes] = []
        missing = num_bytes
        with reading(self.path):
            try:
                while missing and (piece := self._stream.read(missing)):
                    pieces.append(piece)
                    missing -= len(piece)
            except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError) as error:
                if not self.compressed:
                    raise
                raise DataError(
                    f"the compressed data are damaged or cut short ({error})",
                    where=str(self.path),
                    hint="Download or copy the file again.",
                ) from error
        self.position += num_bytes - missing
        if self.compressed and self.position > max(RATIO_CHECKED_FROM_BYTES, LARGEST_RATIO * self._size):
            raise DataError(
                f"unpacks to more than {LARGEST_RATIO} times its {self._size:,} bytes, which vectors never do",
                where=str(self.path),
                hint="If you trust the file, unpack it first.",
            )
        return b"".join(pieces)


def read_head(path: Path) -> bytes:
    """The first 64 kB of a file, decompressed."""
    with ByteStream(path) as stream:
        return stream.read(HEAD_BYTES)


@contextlib.contextmanager
def new_file(target: Path, *, expected_bytes: int = 0) -> Iterator[BinaryIO]:
    """A file to fill that takes its name when it is complete and durable; compressed where the name ends in .gz or .xz.

    Args:
        target: its name; a file of this name is replaced.
        expected_bytes: for the message when the disk is full.

    Raises:
        UsageError: the target is a folder.
        ResourceError: it cannot be written; what was there before is untouched.
    """
    if target.is_dir():
        raise UsageError("is a folder, expected the name of a file", where=str(target))
    temporary = target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    with translated(target, expected_bytes):
        make_folder(target.parent)
        try:
            with _compressor(target, temporary) as file:
                yield file
            sync(temporary)
            os.replace(temporary, target)
        except BaseException:
            delete(temporary)
            raise
        sync(target.parent)


def _compressor(target: Path, temporary: Path) -> BinaryIO:
    if target.suffix == ".gz":
        return cast(BinaryIO, gzip.open(temporary, "wb", compresslevel=6))
    if target.suffix == ".xz":
        return cast(BinaryIO, lzma.open(temporary, "wb"))
    return temporary.open("wb")
