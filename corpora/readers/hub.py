"""Anything that `datasets.load_dataset` opens: a name on the Hugging Face hub, or a local dataset folder."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from corpora.corpus import Corpus, Tally, pack
from corpora.errors import CorpusError, did_you_mean, listed

if TYPE_CHECKING:
    from datasets import Dataset

PREFIX = "hub:"
ROWS_AT_A_TIME = 1024


class HubCorpus(Corpus):
    """The rows of one split of a dataset, opened through the library `datasets` (memory-mapped, so any size works).

    Args:
        address: "owner/name", "owner/name/config" or a local folder, each with ":split" where it is not "train".
        text_field: The column that holds the text.
        limit: Read this many documents at most.
    """

    def __init__(self, address: str, *, text_field: str = "text", limit: int | None = None) -> None:
        super().__init__(address, limit=limit)
        self._path, self._config, self._split = parts_of(address)
        self._text_field = text_field
        self._dataset: Dataset | None = None

    def fingerprint(self) -> str:
        """Returns the sha256 of the column's text."""
        digest = hashlib.sha256(f"hub|{self._text_field}|{self.limit}\n".encode())
        for block in self.blocks():
            digest.update(block)
        return digest.hexdigest()

    def _read(self, tally: Tally) -> Iterator[bytes]:
        return pack(self._documents(), tally, limit=self.limit)

    def _documents(self) -> Iterator[bytes]:
        dataset = self._dataset = self._dataset or open_dataset(self._path, self._config, self._split)
        columns = dataset.column_names
        if self._text_field not in columns:
            hint = did_you_mean(self._text_field, columns) or "name the column that holds the text"
            raise CorpusError(
                f"no column {self._text_field!r}; the columns are: {listed(columns)}",
                where=self.name,
                hint=f"{hint} (--text-field)",
            )
        number = 0
        for rows in dataset.select_columns([self._text_field]).iter(ROWS_AT_A_TIME):
            for text in rows[self._text_field]:
                number += 1
                if not isinstance(text, str | None):
                    raise CorpusError(
                        f"column {self._text_field!r} holds {type(text).__name__}, text is expected",
                        where=f"{self.name}, row {number:,}",
                        hint="--text-field names another",
                    )
                yield (text or "").encode()


def parts_of(address: str) -> tuple[str, str | None, str]:
    """Returns path, config and split of an address."""
    address = address.removeprefix(PREFIX)
    path, colon, split = address.partition(":")
    if not colon or "/" in split:
        path, split = address, "train"
    if not path or not split:
        raise CorpusError(f"no dataset is named by {address!r}", hint='give "hub:owner/name" or "hub:owner/name:split"')
    names = path.split("/")
    if len(names) == 3 and all(names) and not Path(path).exists():
        return "/".join(names[:2]), names[2], split
    return path, None, split


def open_dataset(path: str, config: str | None, split: str) -> "Dataset":
    """Opens a split, downloading it into the cache of `datasets` where it is on the hub.

    Raises:
        CorpusError: The dataset, its config or split is not there, or there is no network.
    """
    import datasets

    where = f"{PREFIX}{path}" + (f"/{config}" if config else "")
    try:
        return datasets.load_dataset(path, config, split=split)
    except (ConnectionError, TimeoutError) as error:
        raise CorpusError(
            f"the Hugging Face hub cannot be reached: {first_line(error)}",
            where=where,
            hint="check the network; or give local files; or a dataset that is in the cache already",
        ) from error
    except (ValueError, OSError) as error:
        raise CorpusError(
            f"datasets cannot open it (split {split!r}): {first_line(error)}",
            where=where,
            hint='give "hub:owner/name:split" or "hub:owner/name/config:split"',
        ) from error


def first_line(error: Exception) -> str:
    """Returns the first line of an error's text."""
    return (str(error).splitlines() or [type(error).__name__])[0]
