"""The bytes of a file, plain or unpacked from gz, xz or zst on the way, in chunks of a few MB.

Packed files are told by their first bytes, not by their name. What a few bytes may unpack to is capped, so that a
decompression bomb ends in an error; a damaged or truncated file is named with the position in the packed file.
"""

import lzma
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from corpora.corpus import BLOCK_BYTES
from corpora.errors import CorpusError

Packing = Literal["gzip", "xz", "zstd"]
MAGIC: dict[bytes, Packing] = {b"\x1f\x8b\x08": "gzip", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
PACKED_CHUNK = 1 << 18
MAX_UNPACKED = 200 * 10**9
MAX_RATIO = 1000
ALWAYS_ALLOWED = 100 * 10**6  # small files may be as repetitive as they like
XZ_MEMORY = 256 << 20


@dataclass(frozen=True)
class RawFile:
    """A file on disk and how it is packed.

    Args:
        path: Where it lies.
        size_bytes: Its size on disk.
        packing: What it is packed with, None for a plain file.
    """

    path: Path
    size_bytes: int
    packing: Packing | None

    @property
    def where(self) -> str:
        """The file's name for messages; positions in a packed file count in what it unpacks to."""
        return f"{self.path} (unpacked)" if self.packing else str(self.path)


def raw_file(path: Path) -> RawFile:
    """Looks at the first bytes of a file.

    Raises:
        CorpusError: It cannot be read.
    """
    with open_file(path) as file:
        return RawFile(path, os.fstat(file.fileno()).st_size, packing_of(file.read(8)))


def packing_of(head: bytes) -> Packing | None:
    """Returns how a file that begins with `head` is packed, None if it is not."""
    return next((packing for magic, packing in MAGIC.items() if head.startswith(magic)), None)


def open_file(path: Path) -> BinaryIO:
    """Opens a file for reading.

    Raises:
        CorpusError: It cannot be opened, with the reason.
    """
    try:
        return path.open("rb", buffering=0)
    except PermissionError as error:
        raise CorpusError(
            "the file cannot be read: permission denied", where=str(path), hint=f"allow it with: chmod u+r {path}"
        ) from error
    except OSError as error:
        raise CorpusError(f"the file cannot be opened: {error.strerror}", where=str(path)) from error


def read_chunks(raw: RawFile) -> Iterator[bytes]:
    """Yields the bytes of a file, unpacked.

    Raises:
        CorpusError: The file cannot be read, is damaged or truncated, or unpacks to more than the cap.
    """
    with open_file(raw.path) as file:
        try:
            if raw.packing is None:
                while chunk := file.read(BLOCK_BYTES):
                    yield chunk
            elif raw.packing == "zstd":
                yield from capped(unpacked_zstd(file, raw.path), raw)
            else:
                yield from capped(unpacked_streams(file, raw.path, raw.packing), raw)
        except OSError as error:
            raise CorpusError(f"the file cannot be read: {error.strerror or error}", where=str(raw.path)) from error


def capped(chunks: Iterator[bytes], raw: RawFile) -> Iterator[bytes]:
    """Passes chunks on until they are more than a file of this size should hold."""
    cap = min(MAX_UNPACKED, max(ALWAYS_ALLOWED, MAX_RATIO * raw.size_bytes))
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > cap:
            raise CorpusError(
                f"the file unpacks to more than {cap:,} bytes ({raw.size_bytes:,} bytes packed): a decompression bomb?",
                where=str(raw.path),
                hint="if it is sound, unpack it first and give the unpacked file",
            )
        yield chunk


class GzipStream:
    """One member of a gzip file, with the interface of lzma.LZMADecompressor."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._is_full = False

    @property
    def eof(self) -> bool:
        """Whether the end of the member was reached."""
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        """What follows the member."""
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        """Whether all input given so far is used up, and what zlib still held back of it is out."""
        return not self._zlib.unconsumed_tail and not self._is_full

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Unpacks `data` and what was left before, to max_length bytes at most."""
        chunk = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self._is_full = len(chunk) == max_length
        return chunk


def new_stream(packing: Packing) -> GzipStream | lzma.LZMADecompressor:
    """Returns a decompressor for the next stream of a file."""
    return GzipStream() if packing == "gzip" else lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def unpacked_streams(file: BinaryIO, path: Path, packing: Packing) -> Iterator[bytes]:
    """Yields what all the members of a gzip file, or streams of an xz file, hold one after the other."""
    stream = new_stream(packing)
    packed = file.read(PACKED_CHUNK)
    while True:
        try:
            chunk = stream.decompress(packed, BLOCK_BYTES)
        except (zlib.error, lzma.LZMAError) as error:
            raise damaged(path, packing, file.tell(), str(error)) from error
        if chunk:
            yield chunk
        if stream.eof:
            packed = next_stream(stream.unused_data, file, path, packing)
            if not packed:
                return
            stream = new_stream(packing)
        elif not stream.needs_input:
            packed = b""
        elif not (packed := file.read(PACKED_CHUNK)):
            raise CorpusError(
                f"the {packing} file is truncated: it ends at byte {file.tell():,}, in the middle of its data",
                where=str(path),
                hint="copy or download it again",
            )


def next_stream(rest: bytes, file: BinaryIO, path: Path, packing: Packing) -> bytes:
    """Returns the beginning of the next stream after zero padding, b"" at the end of the file."""
    while not (rest := rest.lstrip(b"\0")):
        if not (rest := file.read(PACKED_CHUNK)):
            return b""
    magic = next(magic for magic, name in MAGIC.items() if name == packing)
    while len(rest) < len(magic) and (more := file.read(PACKED_CHUNK)):
        rest += more
    if not rest.startswith(magic):
        raise damaged(path, packing, file.tell() - len(rest), "other data follow the packed ones")
    return rest


def unpacked_zstd(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yields what all the frames of a zst file hold one after the other."""
    import pyarrow

    with pyarrow.CompressedInputStream(file, "zstd") as stream:
        while True:
            try:
                chunk = stream.read(PACKED_CHUNK)
            except OSError as error:
                if "Truncated" in str(error):
                    raise CorpusError(
                        f"the zstd file is truncated: it ends at byte {file.tell():,}, in the middle of its data",
                        where=str(path),
                        hint="copy or download it again",
                    ) from error
                raise damaged(path, "zstd", file.tell(), str(error)) from error
            if not chunk:
                return
            yield chunk


def damaged(path: Path, packing: Packing, position: int, reason: str) -> CorpusError:
    """Returns the error for a packed file that does not unpack."""
    if "usage limit" in reason:
        return CorpusError(
            f"unpacking the {packing} file takes more than {XZ_MEMORY >> 20} MB of memory",
            where=str(path),
            hint="unpack it first and give the unpacked file",
        )
    return CorpusError(
        f"the {packing} file is damaged near byte {position:,}: {reason}",
        where=str(path),
        hint="copy or download it again",
    )
