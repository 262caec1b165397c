"""What a format writes it reads back to the last bit, plain and compressed; what is left out is counted."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from textssl import registry, vector_files
from textssl.embeddings import Embeddings
from textssl.errors import DataError, ResourceError, TextsslError, UsageError
from textssl.formats import base_text, word2vec_binary
from textssl.formats.base import ReadOptions, VectorFormat
from textssl.vector_files import convert, detect_format, format_names, read_vectors, write_vectors

FORMATS = format_names()
WORD = st.text(st.characters(codec="utf-8", exclude_characters=" \t\r\n\v\f\0"), min_size=1, max_size=12)
FLOAT = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def embeddings(draw: st.DrawFn) -> Embeddings:
    words = draw(st.lists(WORD, unique=True, min_size=1, max_size=12))
    shape = (len(words), draw(st.integers(1, 5)))
    return Embeddings(words, draw(arrays.arrays(np.float32, shape, elements=FLOAT)))


def assert_same(found: object, expected: Embeddings) -> None:
    assert found.words == expected.words  # type: ignore[attr-defined]
    np.testing.assert_array_equal(found.vectors, expected.vectors)  # type: ignore[attr-defined]


def sample(num_words: int = 100, dimension: int = 7) -> Embeddings:
    table = np.random.default_rng(0).normal(size=(num_words, dimension)).astype(np.float32)
    return Embeddings([f"w{at}é" for at in range(num_words)], table)


@pytest.mark.parametrize("name", FORMATS)
def test_format_keeps_its_promise(name: str) -> None:
    member = registry.load("formats", name)
    assert issubclass(member, VectorFormat)
    assert member.suffixes
    assert registry.summary("formats", name)


@pytest.mark.parametrize("name", FORMATS)
@given(given_embeddings=embeddings())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip_is_exact(name: str, given_embeddings: Embeddings, tmp_path: Path) -> None:
    path = write_vectors(given_embeddings, tmp_path / "file", format=name)
    assert_same(read_vectors(path, format=name)[0], given_embeddings)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("block", [1, 40, 1000])
def test_result_does_not_depend_on_blocks(
    name: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_text, "BLOCK_BYTES", block)
    monkeypatch.setattr(word2vec_binary, "BLOCK_BYTES", block)
    monkeypatch.setattr(word2vec_binary, "HEAD_BYTES", max(8, block))
    path = write_vectors(sample(30), tmp_path / "file", format=name)
    assert_same(read_vectors(path, format=name)[0], sample(30))


@pytest.mark.parametrize("suffix", [".bin", ".txt", ".vec", ".glove", ".bin.gz", ".txt.gz", ".vec.xz", ".glove.xz"])
def test_files_are_recognised_by_content(suffix: str, tmp_path: Path) -> None:
    path = write_vectors(sample(), tmp_path / f"file{suffix}")
    renamed = path.rename(tmp_path / "anything")
    assert_same(Embeddings.load(renamed), sample())


def test_zstd_is_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    path = write_vectors(sample(), tmp_path / "file.txt")
    (tmp_path / "file.zst").write_bytes(pyarrow.Codec("zstd").compress(path.read_bytes(), asbytes=True))
    assert_same(Embeddings.load(tmp_path / "file.zst"), sample())


@pytest.mark.parametrize("name", FORMATS)
def test_convert_equals_reading(name: str, tmp_path: Path) -> None:
    path = write_vectors(sample(), tmp_path / "file", format=name)
    seen: list[int] = []
    report = convert(path, tmp_path / "folder", ReadOptions(progress=seen.append), format=name)
    loaded = Embeddings.load(tmp_path / "folder")
    assert_same(loaded, sample())
    np.testing.assert_array_equal(loaded.norms, sample().norms)
    assert loaded.metadata == {"source": "file", "source_format": name}
    assert report.lines() == [f"100 words read from {path}"]
    assert seen[-1] == path.stat().st_size


@pytest.mark.parametrize("name", FORMATS)
def test_convert_takes_bounded_memory(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_text, "BLOCK_BYTES", 1 << 16)
    monkeypatch.setattr(word2vec_binary, "BLOCK_BYTES", 1 << 16)
    path = write_vectors(sample(2000, 500), tmp_path / "file", format=name)
    convert(path, tmp_path / "first", format=name)
    tracemalloc.start()
    convert(path, tmp_path / "folder", format=name)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 4_000_000
    assert peak < 2_500_000


VARIANTS = {
    "crlf": b"2 2\r\na 1 2\r\nb 3 4\r\n",
    "no_last_newline": b"2 2\na 1 2\nb 3 4",
    "blank_lines_at_the_end": b"2 2\na 1 2\nb 3 4\n\n\r\n  \n",
    "trailing_spaces": b"2 2\na 1 2 \nb 3 4 \n",
    "tabs_and_many_spaces": b"2\t2\na\t1 2\nb   3  4\n",
    "byte_order_mark": b"\xef\xbb\xbf2 2\na 1 2\nb 3 4\n",
    "no_header": b"a 1 2\nb 3 4\n",
    "number_spellings": b"2 2\na +1 2.\nb 3e0 .4E+1\n",
    "binary": b"2 2\na \0\0\x80?\0\0\0@\nb \0\0@@\0\0\x80@\n",
    "binary_without_newlines": b"2 2\na \0\0\x80?\0\0\0@b \0\0@@\0\0\x80@",
    "binary_mixed_newlines": b"2 2\na \0\0\x80?\0\0\0@\nb \0\0@@\0\0\x80@",
}  # fmt: skip


@pytest.mark.parametrize("content", VARIANTS.values(), ids=VARIANTS)
def test_harmless_variants_are_read_alike(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    found = Embeddings.load(tmp_path / "file")
    assert list(found.words) == ["a", "b"]
    assert found.vectors.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("gather", ["read", "convert"])
def test_of_duplicates_the_first_is_kept_and_counted(gather: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"5 2\na 1 2\nb 3 4\na 5 6\nb 7 8\nc 0 0\n")
    if gather == "read":
        found, report = read_vectors(path)
        table = found.vectors
    else:
        report = convert(path, tmp_path / "folder")
        found = Embeddings.load(tmp_path / "folder")._content
        table = found.vectors
    assert list(found.words) == ["a", "b", "c"]
    assert table.tolist() == [[1, 2], [3, 4], [0, 0]]
    assert report.lines() == [
        f"3 words read from {path}",
        "2 records left out: their word stood before",
        "1 words have a vector of zeros",
    ]


def test_other_encodings_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("é 1 2\nb 3 4\n".encode("latin-1"))
    with pytest.raises(DataError, match="If the file has another encoding, name it: --encoding latin-1"):
        Embeddings.load(tmp_path / "file")
    assert list(Embeddings.load(tmp_path / "file", encoding="latin-1").words) == ["é", "b"]


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_load_sound_or_are_refused(name: str, tmp_path: Path) -> None:
    generator = random.Random(name)
    path = write_vectors(sample(8, 3), tmp_path / "file", format=name)
    original = path.read_bytes()
    outcomes = set()
    for _ in range(150):
        content = bytearray(original)
        for _ in range(generator.randint(1, 8)):
            content[generator.randrange(len(content))] = generator.choice(b" \n\r\t\0\xff0129.-en")
        if generator.random() < 0.3:
            del content[generator.randrange(len(content)) :]
        path.write_bytes(content)
        for options in (ReadOptions(), ReadOptions(on_bad="skip")):
            try:
                found, _ = read_vectors(path, options, format=generator.choice([name, None]))
            except DataError:
                outcomes.add("refused")
                continue
            outcomes.add("loaded")
            assert np.isfinite(found.vectors).all()
            assert len(set(found.words)) == len(found.words) == len(found.vectors) > 0
    assert outcomes == {"refused", "loaded"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("word", ["new york", "tab\there", "line\n", "nul\0", " x"])
def test_words_that_a_format_cannot_hold_are_refused(name: str, word: str, tmp_path: Path) -> None:
    bad = Embeddings(["a", word], np.ones((2, 1), dtype=np.float32))
    with pytest.raises(DataError, match="word 2, .* holds white space or NUL, which parts words and numbers"):
        write_vectors(bad, tmp_path / "file", format=name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_failed_writing_leaves_the_old_file(name: str, tmp_path: Path) -> None:
    path = write_vectors(sample(), tmp_path / "file", format=name)
    bad = Embeddings(["a"], np.array([[np.nan]], dtype=np.float32))
    with pytest.raises(DataError, match="vector 1 holds NaN or inf"):
        write_vectors(bad, path, format=name)
    with pytest.raises(DataError, match="there are no words, so there is nothing to write"):
        write_vectors(Embeddings([], np.zeros((0, 2), dtype=np.float32)), path, format=name)
    assert_same(read_vectors(path, format=name)[0], sample())
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_writing_needs_a_format(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the name ends in '.xyz', which tells no format; expected"):
        write_vectors(sample(), tmp_path / "file.xyz")
    with pytest.raises(UsageError, match="formats has no 'word2vec_txt'"):
        write_vectors(sample(), tmp_path / "file", format="word2vec_txt")
    (tmp_path / "x.bin").mkdir()
    with pytest.raises(UsageError, match="is a folder, expected the name of a file"):
        write_vectors(sample(), tmp_path / "x.bin")


def test_too_large_for_memory_names_the_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alike = Embeddings(sample().words, np.ones((100, 50), dtype=np.float32))
    path = write_vectors(alike, tmp_path / "file.bin.gz")
    monkeypatch.setattr(vector_files, "LARGEST_IN_MEMORY_BYTES", path.stat().st_size + 10)
    with pytest.raises(ResourceError, match="of memory when it is read whole\nConvert it once, .*: textssl export"):
        Embeddings.load(path)
    monkeypatch.setattr(vector_files, "LARGEST_IN_MEMORY_BYTES", path.stat().st_size - 1)
    with pytest.raises(ResourceError, match="takes more than"):
        Embeddings.load(path)
    convert(path, tmp_path / "folder")
    assert_same(Embeddings.load(tmp_path / "folder"), alike)


def test_gzip_of_text_keeps_its_content(tmp_path: Path) -> None:
    path = write_vectors(sample(3, 2), tmp_path / "file.txt.gz")
    assert gzip.decompress(path.read_bytes()).startswith(b"3 2\nw0\xc3\xa9 ")
    assert detect_format(path) == "word2vec_text"


def test_gensim_reads_and_writes_with_zero_difference(tmp_path: Path) -> None:
    models = pytest.importorskip("gensim.models")
    for name, binary in (("word2vec_text", False), ("word2vec_binary", True)):
        path = write_vectors(sample(), tmp_path / name, format=name)
        theirs = models.KeyedVectors.load_word2vec_format(str(path), binary=binary)
        assert theirs.index_to_key == list(sample().words)
        np.testing.assert_array_equal(theirs.vectors, sample().vectors)
        theirs.save_word2vec_format(str(path), binary=binary)
        assert detect_format(path) == name
        assert_same(Embeddings.load(path), sample())
    theirs.save(str(tmp_path / "pickle"))
    with pytest.raises(TextsslError, match="is a Python pickle, such as gensim's save"):
        Embeddings.load(tmp_path / "pickle")


@pytest.mark.parametrize(
    ("name", "size", "format"),
    [
        ("crime-and-punishment.vec", (291, 5), "word2vec_text"),
        ("lee_fasttext.vec", (1762, 10), "word2vec_text"),
        ("word2vec_pre_kv_c", (1750, 10), "word2vec_text"),
        ("euclidean_vectors.bin", (2747, 10), "word2vec_binary"),
    ],
)
def test_files_of_other_programs_are_read(name: str, size: tuple[int, int], format: str, real_data: Path) -> None:
    found, report = read_vectors(real_data / "vectors" / name)
    assert found.vectors.shape == size
    assert report.format == format
    assert not report.skipped
