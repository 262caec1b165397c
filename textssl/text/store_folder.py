"""What every store of ids has in common: a folder named by what is in it, committed whole, opened without reading it.

cache/<key>/*.bin  store.json  manifest.json
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from textssl.disk import reading
from textssl.errors import DataError, UsageError
from textssl.numba_cache import cache_home
from textssl.storage import commit_folder, verify_folder

IDS, OFFSETS, DOCUMENT_BYTES, SENTENCES = "ids.bin", "offsets.bin", "document_bytes.bin", "sentence_offsets.bin"
DESCRIPTION = "store.json"
_KEY_LENGTH = 32
Store = TypeVar("Store")


def default_cache() -> Path:
    """The folder of stores: $TEXTSSL_CACHE/tokens, else ~/.cache/textssl/tokens."""
    return cache_home() / "tokens"


def store_key(fingerprint: str, settings: Mapping[str, Any], *, format: int) -> str:
    """The name of a store's folder.

    Args:
        fingerprint: of the text.
        settings: everything else that changes the ids.
        format: the version of the store's files.
    """
    identity = json.dumps({"format": format, "fingerprint": fingerprint, **settings}, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:_KEY_LENGTH]


def write_description(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Write store.json."""
    (folder / DESCRIPTION).write_text(json.dumps(metadata, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_description(path: Path, *, format: int) -> dict[str, Any]:
    """The metadata of a store; the sizes of its files are checked, their contents are not read.

    Raises:
        DataError: a file is missing or damaged.
        UsageError: another version of textssl wrote it.
    """
    verify_folder(path, hashes=False)
    file = path / DESCRIPTION
    with reading(file):
        try:
            metadata = json.loads(file.read_bytes())
        except ValueError as error:
            raise DataError(f"is damaged: {error}", where=str(file)) from error
    if metadata.get("format") != format:
        raise UsageError(
            f"has format {metadata.get('format')}, this textssl reads format {format}",
            where=str(file),
            hint="Delete the folder; the next training builds it again.",
        )
    return dict(metadata)


def check_sizes(path: Path, expected_bytes: Mapping[str, int]) -> None:
    """Check that the files of a store are as long as its description says.

    Raises:
        DataError: one has another size.
    """
    for name, expected in expected_bytes.items():
        with reading(path / name):
            size = (path / name).stat().st_size
        if size != expected:
            raise DataError(f"has {size} bytes, expected {expected}", where=str(path / name))


def opened_if_sound(path: Path, open_store: Callable[[Path], Store]) -> Store | None:
    """The store at `path`; None when there is none, or one that must be built anew since it is damaged."""
    if not path.is_dir():
        return None
    try:
        return open_store(path)
    except DataError:
        return None


def commit_store_folder(target: Path, write: Callable[[Path], None], *, expected_bytes: int) -> None:
    """Write a store's folder, unless another process was faster."""
    try:
        commit_folder(target, write, expected_bytes=expected_bytes, replace=target.exists())
    except UsageError:
        if not target.exists():
            raise


def no_text(name: str, num_bytes: int) -> DataError:
    """The error for a source without a token."""
    return DataError(
        f"holds no text: {num_bytes:,} bytes were read, all of them white space",
        where=name,
        hint="Give a corpus with at least one word; see what a file holds with: textssl check FILE",
    )
