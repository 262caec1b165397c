"""Find phrases (new york -> new_york) in a corpus; write their table, or the text with the phrases joined.

Examples:
  textssl phrases corpus.txt                              the best ones
  textssl phrases corpus.txt --table phrases.tsv --text joined.txt
  textssl phrases corpus.txt --passes 2 --threshold 50    up to four words
  textssl phrases corpus.txt --scoring npmi --threshold 0.5
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textssl.commands.base import at_least, gives_own_errors, print_table, printable
from textssl.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.text.phrases import Phrases
    from textssl.text.tokens import TokenStore

IDS_AT_ONCE = 1 << 20
HEADING = "phrase\tcount\tscore\n"


@dataclass(frozen=True)
class Phrase:
    """A phrase, how often it comes, and its score."""

    text: str
    count: int
    score: float


@dataclass(frozen=True)
class PhrasesResult:
    """The phrases of a corpus.

    Args:
        corpus: its name.
        num_phrases: how many scored above the threshold.
        best: the first of them.
        num_forgotten: pairs that were not counted to the end because there were too many different ones.
        table: the file with all of them, or None.
        text: the file with the joined text, or None.
    """

    corpus: str
    num_phrases: int
    best: tuple[Phrase, ...]
    num_forgotten: int
    table: Path | None
    text: Path | None

    def as_dict(self) -> dict[str, Any]:
        """Everything in JSON's types."""
        return {
            "corpus": self.corpus,
            "num_phrases": self.num_phrases,
            "best": [{"text": phrase.text, "count": phrase.count, "score": phrase.score} for phrase in self.best],
            "num_forgotten": self.num_forgotten,
            "table": None if self.table is None else str(self.table),
            "text": None if self.text is None else str(self.text),
        }


@gives_own_errors
def phrases(
    corpus: str,
    *,
    min_count: int = 5,
    threshold: float = 100.0,
    scoring: Literal["default", "npmi"] = "default",
    passes: int = 1,
    delimiter: str = "_",
    connector_words: Sequence[str] = (),
    tokenizer: Literal["whitespace", "words"] = "whitespace",
    table: Path | None = None,
    text: Path | None = None,
    topn: int = 20,
    threads: int = 2,
    force: bool = False,
    format: Literal["text", "jsonl", "csv", "tsv", "parquet", "wikiextractor", "hub"] | None = None,
    text_field: str = "text",
    encoding: str = "utf-8",
    on_bad: Literal["error", "skip"] = "error",
) -> PhrasesResult:
    """Find phrases in a corpus.

    Args:
        corpus: file, folder or name of a corpus (see textssl list corpora).
        min_count: discount of the default score; npmi passes over pairs that come less often.
        threshold: score from which on a pair is a phrase; npmi lies between -1 and 1.
        scoring: default is word2phrase's score, npmi the normalised pointwise mutual information.
        passes: how often phrases are joined; each pass doubles the longest phrase.
        delimiter: what stands between the words of a phrase.
        connector_words: words such as of and the that may stand inside of a phrase.
        tokenizer: whitespace (word2vec's convention), or words (Unicode rules and small letters, for raw prose).
        table: file to write with phrase, count and score of each, apart by tabs.
        text: file to write with the corpus in which phrases are joined (.gz or .xz at the end compresses it).
        topn: number of phrases to show.
        threads: to count with.
        force: replace files that are there.
        format: of the corpus, where its first bytes do not tell.
        text_field: the column or field of the corpus that holds the text.
        encoding: of a corpus that is not UTF-8.
        on_bad: stop at the first fault of the corpus, or skip and count.

    Returns:
        The best phrases, and what was written.

    Raises:
        UsageError: an option is out of its range, or a file is there.
        DataError: the corpus cannot be read.
        ResourceError: a file cannot be written.

    Source: Mikolov et al. 2013 (arXiv 1310.4546), section 4; Bouma 2009 for npmi.
    """
    import corpora
    from textssl.text.phrases import find_phrases
    from textssl.text.tokens import StoreSettings, build_store

    at_least("passes", passes, 1)
    at_least("topn", topn, 0)
    _refuse_existing((table, text), force=force)
    source = corpora.load(corpus, format=format, text_field=text_field, encoding=encoding, on_bad=on_bad)
    store = build_store(source, StoreSettings(tokenizer=tokenizer, min_count=1), threads=threads, progress=_progress)
    search = partial(
        find_phrases,
        min_count=min_count,
        threshold=threshold,
        scoring=scoring,
        delimiter=delimiter,
        connector_words=connector_words,
        threads=threads,
    )
    store, found, num_forgotten = _join_repeatedly(store, search, passes, threads)
    if table is not None:
        _write_table(found, table)
    if text is not None:
        _write_text(store, text)
    return PhrasesResult(source.name, len(found), tuple(found[:topn]), num_forgotten, table, text)


def show(result: PhrasesResult, console: "Console") -> None:
    """Print the best phrases and what was written."""
    rows = [(phrase.text, f"{phrase.count:,}", f"{phrase.score:.4g}") for phrase in result.best]
    print_table(console, ("phrase", "count", "score"), rows, right=(1, 2))
    console.print(f"\n{result.num_phrases:,} phrases in {printable(result.corpus)}")
    if result.num_forgotten:
        console.print(f"{result.num_forgotten:,} rare pairs were forgotten, counts of rare phrases may be too low")
    for file in (result.table, result.text):
        if file is not None:
            console.print(f"written: {printable(str(file))}")
    if result.text is not None:
        console.print(f"next: textssl train skipgram {printable(str(result.text))} --out runs/phrases")


def _join_repeatedly(
    store: "TokenStore", search: "Callable[[TokenStore], Phrases]", passes: int, threads: int
) -> tuple["TokenStore", list[Phrase], int]:
    """The store with phrases joined, the phrases of all passes by falling score, and how many pairs were forgotten."""
    from textssl.text.phrases import derive_store

    found: dict[str, Phrase] = {}
    num_forgotten = 0
    for _ in range(passes):
        pairs = search(store)
        num_forgotten += pairs.num_pruned
        rows = zip(pairs.texts(store), pairs.counts.tolist(), pairs.scores.tolist(), strict=True)
        found |= {words: Phrase(words, count, score) for words, count, score in rows}
        store = derive_store(store, pairs, threads=threads)
    return store, sorted(found.values(), key=lambda phrase: -phrase.score), num_forgotten


def _refuse_existing(files: Sequence[Path | None], *, force: bool) -> None:
    for file in files:
        if file is not None and file.exists() and not force:
            raise UsageError("exists already", where=str(file), hint="Replace it with --force, or choose another name.")


def _write_table(found: Sequence[Phrase], path: Path) -> None:
    from textssl.formats.base_stream import new_file

    with new_file(path) as file:
        file.write(HEADING.encode())
        for phrase in found:
            file.write(f"{phrase.text}\t{phrase.count}\t{phrase.score:.6g}\n".encode())


def _write_text(store: "TokenStore", path: Path) -> None:
    """One document a line, its words and phrases apart by spaces."""
    from textssl.formats.base_stream import new_file

    words = list(store.vocabulary.words)
    with new_file(path, expected_bytes=8 * store.num_tokens) as file:
        for number in range(store.num_documents):
            begin, end = int(store.offsets[number]), int(store.offsets[number + 1])
            for start in range(begin, end, IDS_AT_ONCE):
                stop = min(start + IDS_AT_ONCE, end)
                piece = " ".join([words[place] for place in store.ids[start:stop].tolist()])
                file.write((piece + ("\n" if stop == end else " ")).encode())


def _progress(what: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty() and total:
        sys.stderr.write(f"\r{what} {done / total:4.0%} " + ("\n" if done >= total else ""))
        sys.stderr.flush()
