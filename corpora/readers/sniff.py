"""What kind of file is this? Told by its first bytes, then by its name."""

import re
from pathlib import Path

from corpora.errors import CorpusError
from corpora.readers.options import Format
from corpora.readers.unpack import RawFile, packing_of, read_chunks

HEAD_BYTES = 1 << 16
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
}
PACKED_SUFFIXES = frozenset({".gz", ".xz", ".zst", ".gzip", ".zstd"})
WIKIEXTRACTOR = re.compile(rb"(?:\xef\xbb\xbf)?\s*<doc id=")
UNPACK_FIRST = "unpack it first and give the file inside"
EXPORT_FIRST = "save its text as plain text, JSONL, CSV or Parquet first"
VECTORS = "these are word vectors, not a corpus: they are for queries and evaluation"

# (first bytes, what the file looks like, what to do)
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"\x89PNG", "a PNG image", EXPORT_FIRST),
    (rb"GIF8", "a GIF image", EXPORT_FIRST),
    (rb"%PDF-", "a PDF document", EXPORT_FIRST),
    (rb"BZh[1-9]1AY&SY", "a bzip2 file", "unpack it first with: bunzip2 FILE"),
    (rb".{257}ustar", "a tar archive", UNPACK_FIRST),
    (rb"\xff\xfe\x00\x00|\x00\x00\xfe\xff", "UTF-32 text", "--encoding utf-32"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16 text", "--encoding utf-16"),
)
KINDS_WITH_NUL: tuple[tuple[bytes, str, str], ...] = (
    (rb"\xff\xd8\xff", "a JPEG image", EXPORT_FIRST),
    (rb"PK(\x03\x04|\x05\x06)", "a zip archive (docx, xlsx, epub and npz are such archives too)", UNPACK_FIRST),
    (rb"\x7fELF", "a program (ELF)", "give a text file"),
    (rb"MZ.{0,256}PE\x00\x00", "a program (Windows)", "give a text file"),
    (rb"\xca\xfe\xba\xbe|[\xce\xcf]\xfa\xed\xfe", "a program (Java or macOS)", "give a text file"),
    (rb"SQLite format 3\x00", "an SQLite database", EXPORT_FIRST),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK_FIRST),
    (rb"Rar!\x1a\x07", "a rar archive", UNPACK_FIRST),
    (rb"\x04\x22\x4d\x18", "an lz4 file", "unpack it first with: lz4 -d FILE"),
    (rb"PAR1", "a Parquet file", "give it as it is, not packed, without --format or with --format parquet"),
    (rb"ARROW1\x00", "an Arrow file", "save it as Parquet first"),
    (rb"\x93NUMPY", "a NumPy array", "give a text file"),
    (rb"\x89HDF\r\n", "an HDF5 file", EXPORT_FIRST),
    (rb"\x80[\x02-\x05][\x95}\](cX]", "a pickle, which is never opened because it may run code", EXPORT_FIRST),
    (rb"GGUF", "a GGUF model", "give a text file"),
    (rb".{8}\{\"", "a safetensors file", VECTORS),
    (rb"\d{1,12} \d{1,6}\n", "word2vec vectors in binary", VECTORS),
    (rb"([\x20-\x7e\r\n\t]\x00){4}", "UTF-16 text (little endian)", "--encoding utf-16-le"),
    (rb"(\x00[\x20-\x7e\r\n\t]){4}", "UTF-16 text (big endian)", "--encoding utf-16-be"),
)


def head_of(raw: RawFile) -> bytes:
    """Returns the first bytes of a file, unpacked."""
    return next(read_chunks(raw), b"")[:HEAD_BYTES]


def format_of(raw: RawFile, head: bytes) -> Format:
    """Returns the kind of a file with text in it, by its first bytes and its name."""
    if head.startswith(b"PAR1") and raw.packing is None:
        return "parquet"
    if WIKIEXTRACTOR.match(head):
        return "wikiextractor"
    return SUFFIXES.get(inner_suffix(raw.path), "text")


def inner_suffix(path: Path) -> str:
    """Returns the last suffix in lower case, or the one before ".gz" and the like."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED_SUFFIXES:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def binary_kind(head: bytes) -> tuple[str, str] | None:
    """Returns what a file that is no text looks like and what to do with it; None for text.

    A file with NUL bytes is binary; some kinds are told without one.
    """
    kinds = KINDS + KINDS_WITH_NUL if b"\0" in head else KINDS
    if packing := packing_of(head):
        return f"a {packing} file", UNPACK_FIRST
    for pattern, looks_like, hint in kinds:
        if re.match(pattern, head, re.DOTALL):
            return looks_like, hint
    return None


def refuse_binary(raw: RawFile, head: bytes, format_: Format, encoding: str) -> None:
    """Raises CorpusError when a file that should hold text begins like some known binary kind.

    NUL bytes that belong to no known kind are left to the reader, which names the first.
    """
    if format_ == "parquet":
        return
    kind = binary_kind(head)
    if kind is None or (kind[1].startswith("--encoding") and is_wide(encoding)):
        return
    looks_like, hint = kind
    inside = " inside" if raw.packing else ""
    raise CorpusError(f"the file looks like {looks_like}{inside}; text is expected", where=str(raw.path), hint=hint)


def is_wide(encoding: str) -> bool:
    """Returns whether an encoding writes letters with NUL bytes."""
    return b"\0" in "ab".encode(encoding)
