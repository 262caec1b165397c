"""What there is to train on: corpora from files, folders and datasets, and corpora that are always there.

`load` opens text, `load_images` opens images; `names` lists the built-in corpora, `card` describes one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from corpora.cards import Card, card, names
from corpora.corpus import Corpus
from corpora.errors import CorpusError
from corpora.images import Images, load_images

if TYPE_CHECKING:
    from corpora.readers.options import Format

__all__ = ["Card", "Corpus", "CorpusError", "Images", "card", "load", "load_images", "names"]


def load(
    name_or_path: str | Path,
    *,
    format: "Format | Literal['hub'] | None" = None,
    text_field: str = "text",
    encoding: str = "utf-8",
    on_bad: Literal["error", "skip"] = "error",
    limit: int | None = None,
) -> Corpus:
    """Opens a corpus of text; its text is read later, block by block.

    Args:
        name_or_path: A built-in corpus (see `names("text")`), a file, a folder, or "hub:owner/name[/config][:split]". A
            file named like a built-in corpus is given as a Path, or as "./NAME".
        format: "text", "jsonl", "csv", "tsv", "parquet", "wikiextractor" or "hub"; None finds it out.
        text_field: The field or column that holds the text (JSONL, CSV, TSV, Parquet, hub).
        encoding: Encoding of text files.
        on_bad: "error" stops at the first fault; "skip" passes over faults and counts them (`Corpus.report`).
        limit: Read this many documents at most.

    Returns:
        The corpus; it can be read any number of times.

    Raises:
        CorpusError: It is not there, cannot be read, is empty or binary, or an option is out of range.
    """
    from corpora.readers.options import ReadOptions

    if isinstance(name_or_path, str):
        if name_or_path.startswith("hub:") or format == "hub":
            from corpora.readers.hub import HubCorpus

            return HubCorpus(name_or_path, text_field=text_field, limit=limit)
        if name_or_path in names():
            from corpora.cards import open_built_in

            if format is not None:
                raise CorpusError(
                    f"format {format!r} was given with the built-in corpus {name_or_path!r}",
                    hint=f"leave it out; or, for a file of this name: ./{name_or_path}",
                )
            return open_built_in(name_or_path, limit=limit)
        if name_or_path.startswith(("http://", "https://", "ftp://")):
            raise CorpusError(
                "an address on the web was given; nothing is downloaded here",
                where=name_or_path,
                hint="download the file first; datasets of the Hugging Face hub are named hub:owner/name",
            )
    from corpora.readers.files import FileCorpus

    if format == "hub":
        raise CorpusError("format 'hub' takes a name, not a Path", where=str(name_or_path), hint="give a str")
    options = ReadOptions(format=format, text_field=text_field, encoding=encoding, on_bad=on_bad)
    return FileCorpus(Path(name_or_path).expanduser(), options, limit=limit)
