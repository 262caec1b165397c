"""Plain text: a document per line, read in large blocks without looking at single lines.

A block is cut after white space, so a line of any length streams through; one word longer than MAX_WORD_BYTES is an
error. The steps, each a generator over the last: chunks of the file (unpacked), other encodings to UTF-8, cut after
white space, check and clean.
"""

import codecs
from collections.abc import Iterable, Iterator

from corpora.corpus import BLOCK_BYTES, Tally, after_last_white_space
from corpora.errors import CorpusError
from corpora.readers.options import ReadOptions
from corpora.readers.unpack import RawFile, read_chunks

MAX_WORD_BYTES = 64 << 20
CHECK_BYTES = 8 << 10  # decoding 8 KB at a time is several times faster than a block: the text stays in the cache
BOM = codecs.BOM_UTF8
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SKIP_HINT = (
    "if the file is in another encoding: --encoding latin-1 (or what it is); to replace bad bytes: --on-bad skip"
)


def read_text(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the lines of a text file as blocks of UTF-8 that end after white space, the last one with a newline.

    Byte order marks go, "\\r\\n" and "\\r" become "\\n"; nothing else changes.

    Raises:
        CorpusError: The file cannot be read, holds bytes that are no text, or a word without end.
    """
    before: bytes | None = None
    for piece in clean_pieces(raw, options, tally):
        if before is not None:
            yield before
        before = piece
    if before is not None:
        yield before if before.endswith(b"\n") else before + b"\n"


def clean_pieces(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields pieces of valid UTF-8 with "\\n" as the only line end."""
    chunks = read_chunks(raw)
    if not options.is_utf8:
        chunks = decoded(chunks, raw, options, tally)
    begin = 0
    for piece in cut_after_white_space(chunks, raw, options, tally):
        end = begin + len(piece)
        if begin == 0 and piece.startswith(BOM):
            piece = piece[len(BOM) :]
        text = checked(piece, end - len(piece), raw, options, tally)
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        begin = end
        if text:
            yield text


def cut_after_white_space(chunks: Iterable[bytes], raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields chunks with their borders moved back to the last white space."""
    begun = b""
    read_bytes = 0
    for chunk in gathered(chunks):
        read_bytes += len(chunk)
        end = cut_position(chunk)
        if end:
            yield b"".join((begun, memoryview(chunk)[:end]))
            begun = chunk[end:]
            continue
        begun += chunk
        if len(begun) > MAX_WORD_BYTES:
            if options.on_bad == "error":
                raise word_without_end(raw, read_bytes - len(begun))
            tally.add("words cut that were too long")
            end = border_of_character(begun)
            yield begun[:end] + b" "
            begun = begun[end:]
    if begun:
        yield begun


def gathered(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields chunks of at least BLOCK_BYTES, made of smaller ones (unpacking yields them); the last may be smaller."""
    begun: list[bytes] = []
    num_bytes = 0
    for chunk in chunks:
        begun.append(chunk)
        num_bytes += len(chunk)
        if num_bytes >= BLOCK_BYTES:
            yield begun[0] if len(begun) == 1 else b"".join(begun)
            begun.clear()
            num_bytes = 0
    if num_bytes:
        yield b"".join(begun)


def cut_position(chunk: bytes) -> int:
    """Returns the index after the last white space, 0 if there is none.

    A "\\r" at the very end may be half of "\\r\\n", so it waits for what follows.
    """
    end = len(chunk) - chunk.endswith(b"\r")
    return after_last_white_space(chunk, 0, end) or chunk.rfind(b"\r", 0, end) + 1


def border_of_character(text: bytes) -> int:
    """Returns where the last character of UTF-8 text begins."""
    end = len(text) - 1
    while end > len(text) - 4 and text[end] & 0xC0 == 0x80:
        end -= 1
    return end


def word_without_end(raw: RawFile, begin: int) -> CorpusError:
    """Returns the error for a word that is longer than any word."""
    return CorpusError(
        f"{MAX_WORD_BYTES >> 20} MB without a space or line end from byte {begin:,} on; words are expected",
        where=raw.where,
        hint="put spaces or line ends into the text; or --on-bad skip, which cuts there and counts",
    )


def checked(text: bytes, begin: int, raw: RawFile, options: ReadOptions, tally: Tally) -> bytes:
    """Returns `text` if it is valid UTF-8 without NUL bytes; otherwise raises or replaces the bad bytes."""
    if b"\0" in text:
        if options.on_bad == "error":
            raise nul_byte(raw, begin + text.index(b"\0"))
        tally.add("bad bytes replaced", text.count(b"\0"))
        text = text.replace(b"\0", b" ")
    bad = first_bad(text)
    if bad is None:
        return text
    if options.on_bad == "error":
        position, reason = bad
        raise bad_byte(raw, text[position], begin + position, reason, options)
    replaced = text.decode(errors="replace")
    tally.add("bad bytes replaced", replaced.count(REPLACEMENT) - text.count(REPLACEMENT.encode()))
    return replaced.encode()


def first_bad(text: bytes) -> tuple[int, str] | None:
    """Returns position and reason of the first byte that is no valid UTF-8, None if there is none."""
    if text.isascii():
        return None
    begin = 0
    while begin < len(text):
        end = begin + CHECK_BYTES
        while end < min(begin + CHECK_BYTES + 3, len(text)) and text[end] & 0xC0 == 0x80:
            end += 1
        part = text[begin:end]
        if not part.isascii() and (error := decode_error(part)):
            # The part may end in the middle of a fault; what follows is part of the reason.
            error = decode_error(text[begin : end + 3]) or error
            return begin + error.start, error.reason
        begin = end
    return None


def decode_error(text: bytes) -> UnicodeDecodeError | None:
    """Returns what is wrong with UTF-8 text."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error
    return None


def nul_byte(raw: RawFile, position: int) -> CorpusError:
    """Returns the error for a NUL byte."""
    return CorpusError(
        f"a NUL byte at byte {position:,}: the file is binary or damaged, text is expected",
        where=raw.where,
        hint="give a text file; UTF-16 text needs --encoding utf-16; to replace stray NUL bytes: --on-bad skip",
    )


def bad_byte(raw: RawFile, byte: int, position: int, reason: str, options: ReadOptions) -> CorpusError:
    """Returns the error for a byte that does not decode."""
    return CorpusError(
        f"byte 0x{byte:02x} at byte {position:,} is no valid {options.encoding} ({reason})",
        where=raw.where,
        hint=SKIP_HINT,
    )


def decoded(chunks: Iterable[bytes], raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields chunks of another encoding as UTF-8.

    Lone surrogates, which a few encodings let through, are kept here for the check that follows to find them.
    """
    decoder = codecs.getincrementaldecoder(options.encoding)("strict" if options.on_bad == "error" else "replace")
    num_bytes = 0
    for chunk, is_last in with_last(chunks):
        num_bytes += len(chunk)
        try:
            text = decoder.decode(chunk, final=is_last)
        except UnicodeDecodeError as error:
            position = num_bytes - len(error.object) + error.start
            raise bad_byte(raw, error.object[error.start], position, error.reason, options) from error
        tally.add("bad bytes replaced", text.count(REPLACEMENT))
        yield text.encode("utf-8", "surrogatepass")


def with_last(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yields every chunk with False, then an empty one with True."""
    for chunk in chunks:
        yield chunk, False
    yield b"", True


def read_lines(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[tuple[int, bytes]]:
    """Yields the lines of a text file, each whole, with their numbers from 1."""
    number = 1
    begun: list[bytes] = []
    for block in read_text(raw, options, tally):
        *ended, rest = block.split(b"\n")
        for line in ended:
            if begun:
                line = b"".join((*begun, line))
                begun.clear()
            yield number, line
            number += 1
        if rest:
            begun.append(rest)
