"""The options that change what a reader reads, checked once."""

import codecs
from dataclasses import dataclass
from encodings.aliases import aliases
from typing import Literal, get_args

from corpora.errors import CorpusError, did_you_mean, listed

Format = Literal["text", "jsonl", "csv", "tsv", "parquet", "wikiextractor"]
OnBad = Literal["error", "skip"]
WITH_FIELDS = frozenset({"jsonl", "csv", "tsv", "parquet"})
FORMATS: tuple[str, ...] = (*get_args(Format), "hub")


@dataclass(frozen=True)
class ReadOptions:
    """How the files of a corpus are read.

    Args:
        format: The kind of the files; None finds it out for each file.
        text_field: The field or column that holds the text, where the kind has fields.
        encoding: Name of the encoding, as Python knows it.
        on_bad: "error" stops at the first fault; "skip" passes over it and counts it.
    """

    format: Format | None = None
    text_field: str = "text"
    encoding: str = "utf-8"
    on_bad: OnBad = "error"

    def __post_init__(self) -> None:
        check_choice("format", self.format, (None, *get_args(Format)), shown=FORMATS)
        check_choice("on_bad", self.on_bad, get_args(OnBad), shown=get_args(OnBad))
        check_encoding(self.encoding)

    @property
    def is_utf8(self) -> bool:
        """Whether the files need no other decoding than a check (a byte order mark is dropped in any case)."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")

    def key(self, format_: Format) -> str:
        """Returns the options that change what is read from a file of this kind, as one line for a fingerprint."""
        field = self.text_field if format_ in WITH_FIELDS else ""
        encoding = "utf-8" if self.is_utf8 else codecs.lookup(self.encoding).name
        return f"{format_}|{field}|{encoding}|{self.on_bad}"


def check_choice(option: str, given: str | None, allowed: tuple[str | None, ...], *, shown: tuple[str, ...]) -> None:
    """Raises CorpusError when `given` is not among `allowed`."""
    if given not in allowed:
        hint = did_you_mean(str(given), shown) or "choose one of these"
        raise CorpusError(f"{option} must be one of {listed(shown)}, got {given!r}", hint=hint)


def check_encoding(encoding: str) -> None:
    """Raises CorpusError when Python knows no text encoding of this name."""
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        names = {name.replace("_", "-") for pair in aliases.items() for name in pair}
        hint = did_you_mean(encoding, names) or "for example utf-8, latin-1, cp1252, utf-16"
        raise CorpusError(f"unknown encoding {encoding!r}", hint=hint) from error
