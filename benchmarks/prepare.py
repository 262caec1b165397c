"""Texts to measure on: lines of 1,000 words, repeated or cut to a size.

word2vec.c cuts lines after 1,000 words, fastText after 1,024, gensim drops what comes after 10,000: with lines of
1,000 words every tool sees the same windows.

    python -m benchmarks.prepare wiki8.txt wiki8_lines.txt
    python -m benchmarks.prepare wiki8_lines.txt big.txt --megabytes 1000
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

WORDS_IN_LINE = 1_000
PIECE_BYTES = 1 << 23


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="words parted by white space")
    parser.add_argument("target", type=Path, help="the file to write")
    parser.add_argument("--words", type=int, default=WORDS_IN_LINE, help="of a line (1,000)")
    parser.add_argument(
        "--megabytes", type=float, help="repeat or cut the lines to this size, in 10**6 bytes; no new lines"
    )
    arguments = parser.parse_args()
    if arguments.megabytes is None:
        write_lines(arguments.text, arguments.target, arguments.words)
    else:
        write_size(arguments.text, arguments.target, round(arguments.megabytes * 1e6))


def write_lines(text: Path, target: Path, words_in_line: int = WORDS_IN_LINE) -> None:
    """The words of a text in lines of so many words."""
    line: list[bytes] = []
    with target.open("wb") as file:
        for word in _words(text):
            line.append(word)
            if len(line) == words_in_line:
                file.write(b" ".join(line) + b"\n")
                line.clear()
        if line:
            file.write(b" ".join(line) + b"\n")


def write_size(text: Path, target: Path, num_bytes: int) -> None:
    """A text of lines repeated, and cut at the last white space, to at most so many bytes; it ends with a new line."""
    size = text.stat().st_size
    with text.open("rb") as source:
        source.seek(max(size - 1, 0))
        if source.read(1) != b"\n":
            raise SystemExit(
                f"{text} must end with a new line: first write lines, python -m benchmarks.prepare {text} TARGET"
            )
    with target.open("wb") as file:
        for _ in range(num_bytes // size):
            _copy(text, file, size)
        if rest := num_bytes % size:
            _copy(text, file, rest)


def _copy(text: Path, file: BinaryIO, num_bytes: int) -> None:
    """Copy so many bytes of a text; a word that they cut is left out."""
    with text.open("rb") as source:
        while num_bytes > PIECE_BYTES:
            file.write(source.read(PIECE_BYTES))
            num_bytes -= PIECE_BYTES
        piece = source.read(num_bytes)
    if not piece.endswith(b"\n"):
        piece = b" ".join(piece.rsplit(maxsplit=1)[:1]) + b"\n"
    file.write(piece)


def _words(text: Path) -> Iterator[bytes]:
    rest = b""
    with text.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            piece = rest + piece
            words = piece.split()
            rest = words.pop() if words and not piece[-1:].isspace() else b""
            yield from words
    if rest:
        yield rest


if __name__ == "__main__":
    main()
