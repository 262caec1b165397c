"""Files and folders: packed files, binary files, what is missing, and the order of a folder."""

import gzip
import lzma
import os
import random
from pathlib import Path

import numpy as np
import pyarrow
import pytest

import corpora
from corpora.readers import unpack

LINES = "".join(f"line {number} Grüße 漢字\n" for number in range(3000))
TEXTS = {
    "text": LINES,
    "jsonl": "".join(f'{{"text": "{line}"}}\n' for line in LINES.splitlines()),
    "csv": "id,text\n" + "".join(f"1,{line}\n" for line in LINES.splitlines()),
    "wikiextractor": "".join(f'<doc id="1" title="t">\nt\n\n{line}\n</doc>\n' for line in LINES.splitlines()),
}
PACK = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": lambda data: pyarrow.compress(data, "zstd", asbytes=True),
}
NAMES = {"gz": "gzip", "xz": "xz", "zst": "zstd"}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fails(path: Path | str, match: str, **options) -> corpora.CorpusError:
    with pytest.raises(corpora.CorpusError, match=match) as caught:
        list(corpora.load(path, **options))
    return caught.value


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("format", TEXTS)
def test_packed_files_hold_the_same_documents(tmp_path, packing, format):
    packed = PACK[packing](TEXTS[format].encode())
    path = write(tmp_path, "no_suffix", packed)
    corpus = corpora.load(path, format=format)
    assert list(corpus) == LINES.splitlines()
    assert corpus.size_bytes == len(packed)
    suffix = "txt" if format in ("text", "wikiextractor") else format
    assert list(corpora.load(write(tmp_path, f"corpus.{suffix}.{packing}", packed))) == LINES.splitlines()


@pytest.mark.parametrize("packing", PACK)
def test_packed_files_of_several_members_are_read_wholly(tmp_path, packing, monkeypatch):
    pack = PACK[packing]
    half = len(LINES) // 2
    path = write(tmp_path, "corpus", pack(LINES[:half].encode()) + pack(b"") + pack(LINES[half:].encode()))
    for size in (7, 1000, 1 << 18):
        monkeypatch.setattr(unpack, "PACKED_CHUNK", size)
        assert list(corpora.load(path)) == LINES.splitlines()


@pytest.mark.parametrize("packing", ["gz", "xz"])
def test_packed_files_may_end_in_zero_padding(tmp_path, packing):
    path = write(tmp_path, "corpus", PACK[packing](LINES.encode()) + b"\0" * 512)
    assert list(corpora.load(path)) == LINES.splitlines()


@pytest.mark.parametrize("packing", PACK)
def test_packed_file_that_is_truncated_names_the_position(tmp_path, packing):
    packed = PACK[packing](random.Random(1).randbytes(300_000).hex().encode())
    path = write(tmp_path, "corpus", packed[:-5000])
    size = f"{len(packed) - 5000:,}"
    error = fails(path, f"the {NAMES[packing]} file is truncated: it ends at byte {size}, in the middle of its data")
    assert error.hint == "copy or download it again"


@pytest.mark.parametrize("packing", PACK)
def test_packed_file_that_is_damaged_names_the_position(tmp_path, packing):
    packed = bytearray(PACK[packing](random.Random(1).randbytes(300_000).hex().encode()))
    packed[len(packed) // 2 : len(packed) // 2 + 150_000] = b"\xff" * 150_000
    fails(write(tmp_path, "corpus", bytes(packed)), rf"the {NAMES[packing]} file is damaged near byte [\d,]+: ")


def test_packed_file_with_other_data_behind_it_is_damaged(tmp_path):
    packed = gzip.compress(b"some words")
    fails(
        write(tmp_path, "corpus", packed + b"more"),
        f"the gzip file is damaged near byte {len(packed)}: other data follow the packed ones",
    )


@pytest.mark.parametrize("packing", PACK)
def test_packed_bomb_stops_at_the_cap(tmp_path, packing, monkeypatch):
    monkeypatch.setattr(unpack, "ALWAYS_ALLOWED", 1 << 20)
    monkeypatch.setattr(unpack, "MAX_RATIO", 50)
    path = write(tmp_path, "bomb", PACK[packing](b"word " * 2_000_000))
    error = fails(path, r"the file unpacks to more than [\d,]+ bytes \([\d,]+ bytes packed\): a decompression bomb\?")
    assert "unpack it first" in error.hint


def test_packed_xz_that_needs_much_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "XZ_MEMORY", 1 << 20)
    path = write(tmp_path, "corpus", lzma.compress(b"some words", preset=9))
    fails(path, "unpacking the xz file takes more than 1 MB of memory")


def test_packed_inside_packed_is_refused(tmp_path):
    path = write(tmp_path, "corpus.gz", gzip.compress(gzip.compress(b"some words")))
    fails(path, "the file looks like a gzip file inside; text is expected")


def test_packed_parquet_is_refused(tmp_path):
    path = write(tmp_path, "corpus.parquet.gz", gzip.compress(b"PAR1 and so on"))
    fails(path, "a packed Parquet file cannot be read")
    path = write(tmp_path, "other.parquet.gz", gzip.compress(b"no such thing"))
    fails(path, r"no Parquet file \(it does not begin with PAR1\), but packed")


def test_packed_bad_byte_counts_in_the_unpacked_text(tmp_path):
    path = write(tmp_path, "corpus.gz", gzip.compress(b"caf\xe9 au lait"))
    assert fails(path, "byte 0xe9 at byte 3 is no valid utf-8").where == f"{path} (unpacked)"


HEADS = {
    "a PNG image": b"\x89PNG\r\n\x1a\n\0\0",
    "a JPEG image": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "a GIF image": b"GIF89a\x01\0",
    "a zip archive": b"PK\x03\x04\x14\0\0\0",
    "a PDF document": b"%PDF-1.7 no nul byte",
    "a program (ELF)": b"\x7fELF\x02\x01\x01\0",
    "a program (Windows)": b"MZ\x90\0" + b"\0" * 100 + b"PE\0\0",
    "a program (Java or macOS)": b"\xca\xfe\xba\xbe\0\0",
    "an SQLite database": b"SQLite format 3\0",
    "a bzip2 file": b"BZh91AY&SYabc",
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\x04",
    "a rar archive": b"Rar!\x1a\x07\x01\0",
    "an lz4 file": b"\x04\x22\x4d\x18\0",
    "a tar archive": b"name" + b"\0" * 253 + b"ustar\x0000",
    "a Parquet file": b"PAR1\x15\0",
    "an Arrow file": b"ARROW1\0\0",
    "a NumPy array": b"\x93NUMPY\x01\0",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n\0",
    "a pickle": b"\x80\x04\x95\0\0",
    "a GGUF model": b"GGUF\x03\0",
    "a safetensors file": b'\x40\0\0\0\0\0\0\0{"a"',
    "word2vec vectors in binary": b"2 3\nthe " + np.ones(3, np.float32).tobytes(),
    "UTF-16 text (little endian)": "ab cd".encode("utf-16-le"),
    "UTF-16 text (big endian)": "ab cd".encode("utf-16-be"),
    "UTF-16 text": "ab cd".encode("utf-16"),
    "UTF-32 text": "ab cd".encode("utf-32"),
}


@pytest.mark.parametrize("looks_like", HEADS)
def test_binary_file_is_named_for_what_it_looks_like(tmp_path, looks_like):
    options = {"format": "text"} if looks_like == "a Parquet file" else {}
    error = fails(
        write(tmp_path, "corpus.txt", HEADS[looks_like]), "the file looks like .*; text is expected", **options
    )
    assert f"looks like {looks_like}" in error.message
    assert error.hint
    if looks_like.startswith("UTF"):
        encoding = error.hint.split()[-1]
        assert list(corpora.load(tmp_path / "corpus.txt", encoding=encoding)) == ["ab cd"]


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["no bytes", "gzip of no bytes"])
def test_file_that_is_empty_is_an_error(tmp_path, content):
    match = r"the file holds nothing" if content else r"the file is empty \(0 bytes\)"
    assert fails(write(tmp_path, "corpus.txt", content), match).hint == "give a file with at least one word"


def test_file_of_white_space_is_an_error(tmp_path):
    fails(write(tmp_path, "corpus.txt", " \n\t\n \u3000 \r\n"), "there is only white space in it")


def test_file_that_is_missing_names_the_nearest_and_the_built_in_ones(tmp_path):
    write(tmp_path, "corpus.txt", "x")
    error = fails(tmp_path / "corups.txt", "no such file or folder")
    assert error.where == str(tmp_path / "corups.txt")
    assert error.hint == "did you mean corpus.txt?\nbuilt-in corpora: facts, python, demo"
    assert "did you mean facts?" in fails(tmp_path / "fact", "no such file or folder").hint
    assert fails(tmp_path / "zzz", "no such file or folder").hint == "built-in corpora: facts, python, demo"


def test_file_in_a_missing_folder_names_the_folder(tmp_path):
    fails(tmp_path / "none" / "deep" / "corpus.txt", f"no such folder: {tmp_path / 'none'}$".replace("$", r"\n"))


def test_file_that_is_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    fails(tmp_path / "pipe", r"neither a file nor a folder \(a pipe or device cannot be read twice\)")


def test_file_that_may_not_be_read_says_how_to_allow_it(tmp_path, monkeypatch):
    path = write(tmp_path, "corpus.txt", "words")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    error = fails(path, "the file cannot be read: permission denied")
    assert error.hint == f"allow it with: chmod u+r {path}"


def test_file_that_cannot_be_opened_or_read_says_why(tmp_path, monkeypatch):
    path = write(tmp_path, "corpus.txt", "words")
    raw = unpack.raw_file(path)

    class Broken:
        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

        def read(self, size):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(unpack, "open_file", lambda path: Broken())
    with pytest.raises(corpora.CorpusError, match="the file cannot be read: Input/output error"):
        list(unpack.read_chunks(raw))
    monkeypatch.undo()

    def refuse(*args, **kwargs):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "open", refuse)
    fails(path, "the file cannot be opened: Too many open files")


def test_options_out_of_range_are_refused(tmp_path):
    path = write(tmp_path, "corpus.txt", "words")
    error = fails(
        path, "format must be one of text, jsonl, csv, tsv, parquet, wikiextractor, hub, got 'jsnol'", format="jsnol"
    )
    assert error.hint == "did you mean jsonl?"
    assert fails(path, "on_bad must be one of error, skip, got 'x'", on_bad="x").hint == "choose one of these"
    assert fails(path, "unknown encoding 'latn-1'", encoding="latn-1").hint.startswith("did you mean latin")
    assert fails(path, "unknown encoding 'zzzzz'", encoding="zzzzz").hint.startswith("for example utf-8")
    assert fails(path, "unknown encoding 'rot13'", encoding="rot13")
    fails("https://example.org/x.txt", "an address on the web was given; nothing is downloaded here")


def test_folder_is_read_in_natural_order_with_every_kind_of_file(tmp_path):
    write(tmp_path, "part-10.txt", "ten")
    write(tmp_path, "part-2.txt", "two\n")
    write(tmp_path, "Part-1.txt.gz", gzip.compress(b"one"))
    write(tmp_path, "part-11/b.csv", "text,id\neleven b,1\n")
    write(tmp_path, "part-11/a.jsonl", '{"text": "eleven a"}\n')
    write(tmp_path, "part-12/wiki_00", '<doc id="1" title="t">\nt\n\nin an article\n</doc>\n')
    corpus = corpora.load(tmp_path)
    assert list(corpus) == ["one", "two", "ten", "eleven a", "eleven b", "in an article"]
    assert corpus.report() == {}
    assert corpus.size_bytes == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())


def test_folder_leaves_out_what_is_no_text_and_counts_it(tmp_path):
    write(tmp_path, "a.txt", "words")
    write(tmp_path, "b.txt", "")
    write(tmp_path, "c.png", HEADS["a PNG image"])
    write(tmp_path, "d.bin", b"\0\1\2")
    write(tmp_path, ".hidden", "hidden")
    write(tmp_path, ".git/e.txt", "hidden too")
    corpus = corpora.load(tmp_path)
    assert list(corpus) == ["words"]
    assert corpus.report() == {"empty files left out": 1, "files that are no text left out": 2}
    assert corpus.skipped == 0


def test_folder_without_text_files_is_an_error(tmp_path):
    error = fails(tmp_path, "no text file in the folder\n")
    assert ".parquet" in error.hint
    write(tmp_path, "a.txt", "")
    fails(tmp_path, r"no text file in the folder \(1 empty files left out\)")


def test_folder_that_may_not_be_read_says_how_to_allow_it(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    error = fails(tmp_path, "the folder cannot be read: permission denied")
    assert error.hint == f"allow it with: chmod u+rx {tmp_path}"


def test_folder_fingerprint_follows_order_and_contents(tmp_path):
    write(tmp_path, "one/a.txt", "first")
    write(tmp_path, "one/b.txt", "second")
    write(tmp_path, "two/x.txt", "first")
    write(tmp_path, "two/y.txt", "second")
    write(tmp_path, "three/a.txt", "second")
    write(tmp_path, "three/b.txt", "first")
    one, two, three = (corpora.load(tmp_path / name).fingerprint() for name in ("one", "two", "three"))
    assert one == two != three


def test_real_wikipedia_text_is_read_like_line_by_line(real_data):
    path = real_data / "wiki_en" / "wiki_train.txt.xz"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    documents = list(corpora.load(path, limit=200))
    assert len(documents) == 200
    assert documents[0].startswith("Anarchism is a political philosophy")
    assert not any("<doc" in document or "\n" in document for document in documents)
