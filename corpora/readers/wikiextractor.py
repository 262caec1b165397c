"""WikiExtractor output: `<doc id= url= title=>`, the title once more, the article, `</doc>`; a document per article."""

import html
import re
from collections.abc import Iterable, Iterator

from corpora.corpus import Tally, pack
from corpora.errors import CorpusError
from corpora.readers.options import ReadOptions
from corpora.readers.text import read_text
from corpora.readers.unpack import RawFile

OPENING = b"\n<doc id="
CLOSING = b"</doc>\n"
TITLE = re.compile(rb'title="(.*?)"\s*>')
HINT = "to pass over it: --on-bad skip; to read the file as plain text: --format text"


def read_wikiextractor(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields articles as blocks: their lines joined by spaces, without the repeated title.

    Raises:
        CorpusError: Text stands outside of an article, or an article is not closed.
    """
    return pack(articles(raw, options, tally), tally)


def articles(raw: RawFile, options: ReadOptions, tally: Tally) -> Iterator[bytes]:
    """Yields the articles of a file; faults raise or are counted, and what text there is of an open article stays."""
    number = 1
    for section, is_closed in sections(read_text(raw, options, tally)):
        outside, *opened = (b"\n" + section).split(OPENING)
        if outside and not outside.isspace():
            first = outside[: len(outside) - len(outside.lstrip())].count(b"\n") - 1
            fault(raw, number + first, "text stands outside of <doc ...> and </doc>", options, tally)
        number += outside.count(b"\n")
        for position, article in enumerate(opened, 1):
            if position < len(opened):
                fault(raw, number, "the article is not closed before the next begins", options, tally)
            elif not is_closed:
                fault(raw, number, "the article is not closed: the file is truncated", options, tally)
            yield text_of(article)
            number += article.count(b"\n") + 1
        number += is_closed  # the closing line


def sections(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yields the text before each closing line with True, and what follows the last one with False."""
    begun: list[bytes] = []
    for block in blocks:
        begun.append(block)
        if CLOSING in block:
            *closed, rest = b"".join(begun).split(b"\n" + CLOSING)
            begun = [rest]
            for section in closed:
                yield section, True
    yield b"".join(begun), False


def text_of(article: bytes) -> bytes:
    """Returns the lines of an article that are not blank, joined; its title, which the first repeats, is left out."""
    header, _, body = article.partition(b"\n")
    title = TITLE.search(header)
    first, _, rest = body.lstrip().partition(b"\n")
    if title and first.strip() == html.unescape(title[1].decode()).strip().encode():
        body = rest
    body = body.strip()
    if b"\n\n" in body:
        body = b"\n".join(line for line in body.split(b"\n") if line and not line.isspace())
    return body.replace(b"\n", b" ")


def fault(raw: RawFile, number: int, message: str, options: ReadOptions, tally: Tally) -> None:
    """Raises for a fault, or counts it."""
    if options.on_bad == "error":
        raise CorpusError(message, where=f"{raw.where}, line {number:,}", hint=HINT)
    tally.add("faulty lines")
