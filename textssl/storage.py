"""The one way in which an artefact reaches the disk, and the one way in which it is checked.

    temporary folder beside the target -> write -> fsync -> manifest.json -> rename -> fsync of the parent

Either the commit returns and the artefact is durable, or it raises and everything is as it was before. Nothing is
overwritten in place. The manifest holds the size and the sha256 of every file, and a sha256 of itself:

    {"format": 1, "files": {name: {"bytes": ..., "sha256": ...}}, "metadata": {...}, "sha256": ...}

Locks (flock, which the system frees when a process dies) tell the temporary folders of living and dead processes apart.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from textssl.disk import (
    check_free_space,
    delete,
    lock,
    make_folder,
    reading,
    size_text,
    sync,
    translated,
    translated_from_writer,
    write_new,
)
from textssl.errors import DataError, UsageError

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1
TEMPORARY_PREFIX = ".tmp-"
REPLACED_PREFIX = ".replaced-"
_NAME_BYTES = 8
_MAX_MANIFEST_BYTES = 1 << 24


def commit_folder(
    target: Path,
    write: Callable[[Path], None],
    *,
    expected_bytes: int = 0,
    metadata: Mapping[str, Any] | None = None,
    replace: bool = False,
) -> Path:
    """Write a folder so that it appears whole and durable, or not at all.

    Args:
        target: the folder to make; its parents are made as needed.
        write: fills the empty folder that it is given with files.
        expected_bytes: refused at once when the disk has less than 1.2 times as much free.
        metadata: kept in the manifest and returned by `verify_folder`; JSON values.
        replace: put the new folder in the place of one that an earlier commit made.

    Returns:
        The target.

    Raises:
        UsageError: the target exists and is not to be replaced.
        ResourceError: no space, no permission, or the disk fails; what was there before is untouched.
    """
    target = Path(target)
    _refuse_existing(target, replace)
    with translated(target, expected_bytes):
        make_folder(target.parent)
        remove_leftovers(target.parent)
        check_free_space(target, expected_bytes)
    with _temporary_folder(target) as temporary:
        with translated_from_writer(target, expected_bytes, temporary):
            write(temporary)
        with translated(target, expected_bytes):
            _seal(temporary, metadata or {})
            _refuse_existing(target, replace)
            with lock(target.parent, fcntl.LOCK_SH):
                _move_into_place(temporary, target)
    return target


def commit_file(target: Path, data: bytes | str) -> None:
    """Write one file so that it holds either its old content or all of the new one.

    Args:
        target: the file; its folder is made as needed. A symbolic link is replaced, not followed.
        data: the content; text is written as UTF-8.

    Raises:
        ResourceError: no space, no permission, or the disk fails.
    """
    target = Path(target)
    content = data.encode("utf-8") if isinstance(data, str) else data
    temporary = _new_name(target.parent)
    with translated(target, len(content)):
        make_folder(target.parent)
        with lock(target.parent, fcntl.LOCK_SH):
            try:
                write_new(temporary, content)
                os.replace(temporary, target)
            except BaseException:
                delete(temporary)
                raise
            sync(target.parent)


def verify_folder(path: Path, *, hashes: bool) -> dict[str, Any]:
    """Check a committed folder against its manifest.

    Args:
        path: the folder.
        hashes: read every file and compare its sha256; otherwise only the sizes, which takes no time.

    Returns:
        The metadata that was given to `commit_folder`.

    Raises:
        DataError: a file is missing, has another size or other content, or the manifest is damaged.
        UsageError: a newer textssl wrote it.
        ResourceError: a file may not be read.
    """
    path = Path(path)
    manifest = _read_manifest(path)
    for name, entry in manifest["files"].items():
        _verify_file(path / name, entry, hashes=hashes)
    metadata: dict[str, Any] = manifest["metadata"]
    return metadata


def newest_valid(parent: Path, prefix: str, *, warn: Callable[[str], None]) -> Path | None:
    """The committed folder with the highest number behind `prefix` whose hashes are right.

    Damaged ones are renamed to NAME.corrupt, with one line to `warn` for each.

    Args:
        parent: the folder to look in; it may be missing.
        prefix: how the names begin, for instance "step-".
        warn: takes one line of text.

    Returns:
        The folder, or None when there is none.
    """
    for path in reversed(numbered(parent, prefix)):
        try:
            verify_folder(path, hashes=True)
        except DataError as error:
            warn(f"WARNING: {error.where} {error.message}; {_quarantine(path)}, the one before it is tried")
        else:
            return path
    return None


def numbered(parent: Path, prefix: str) -> list[Path]:
    """The entries named `prefix` and a number, smallest number first."""
    if not parent.is_dir():
        return []
    pattern = re.compile(re.escape(prefix) + r"(\d+)")
    matches = [(int(match[1]), path) for path in parent.iterdir() if (match := pattern.fullmatch(path.name))]
    return [path for _, path in sorted(matches)]


def remove_leftovers(parent: Path) -> None:
    """Delete the temporary files and folders of dead processes, and put back what one was about to replace."""
    parent = Path(parent)
    if not parent.is_dir():
        return
    with contextlib.suppress(BlockingIOError), lock(parent, fcntl.LOCK_EX | fcntl.LOCK_NB) as locked:
        if not locked:  # the file system has no locks: nobody can tell what is in use, so nothing is deleted
            return
        for path in sorted(parent.glob(f"{REPLACED_PREFIX}*")):
            original = parent / path.name[len(REPLACED_PREFIX) + 2 * _NAME_BYTES + 1 :]
            if os.path.lexists(original):
                delete(path)
            else:
                os.rename(path, original)
        for path in parent.glob(f"{TEMPORARY_PREFIX}*"):
            with contextlib.suppress(BlockingIOError), lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                delete(path)


def remove_folder(path: Path) -> None:
    """Remove a folder so that it is whole or gone, never half: it is renamed first.

    Raises:
        ResourceError: it cannot be renamed.
    """
    with translated(path, 0):
        temporary = _new_name(path.parent)
        os.rename(path, temporary)
    delete(temporary)


def _refuse_existing(target: Path, replace: bool) -> None:
    if not os.path.lexists(target):
        return
    if not replace:
        raise UsageError("exists already", where=str(target), hint="Choose another name, or move the old one away.")
    if not target.is_dir():
        raise UsageError("is a file, expected a folder", where=str(target), hint="Choose another name.")
    if not (target / MANIFEST).is_file() and any(target.iterdir()):
        raise UsageError(
            f"is not replaced: it is not empty and has no {MANIFEST}, so textssl did not write it",
            where=str(target),
            hint="Choose another name.",
        )


@contextlib.contextmanager
def _temporary_folder(target: Path) -> Iterator[Path]:
    """A new locked folder beside the target, gone at the end if it was not renamed."""
    temporary = _new_name(target.parent)
    with contextlib.ExitStack() as stack:
        # The lock on the parent: nobody cleans up between making the folder and locking it.
        with translated(target, 0), lock(target.parent, fcntl.LOCK_SH):
            os.mkdir(temporary)
            stack.callback(delete, temporary)
            stack.enter_context(lock(temporary, fcntl.LOCK_EX))
        yield temporary


def _seal(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Sync and hash every file, write the manifest, sync every folder."""
    folders = [folder]
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            folders.append(path)
        else:
            sync(path)
            name = path.relative_to(folder).as_posix()
            files[name] = {"bytes": path.stat().st_size, "sha256": _sha256_of(path)}
    write_new(folder / MANIFEST, _manifest_bytes(files, metadata))
    for path in reversed(folders):
        sync(path)


def _move_into_place(temporary: Path, target: Path) -> None:
    """Rename, and undo it when it does not become durable."""
    replaced = target.parent / f"{REPLACED_PREFIX}{secrets.token_hex(_NAME_BYTES)}-{target.name}"
    with contextlib.ExitStack() as undo:
        if os.path.lexists(target):
            os.rename(target, replaced)
            undo.callback(os.rename, replaced, target)
        os.rename(temporary, target)
        undo.callback(os.rename, target, temporary)
        sync(target.parent)
        undo.pop_all()
    delete(replaced)


def _manifest_bytes(files: Mapping[str, Any], metadata: Mapping[str, Any]) -> bytes:
    manifest: dict[str, Any] = {"format": MANIFEST_FORMAT, "files": dict(files), "metadata": dict(metadata)}
    digest = hashlib.sha256(_canonical(manifest)).hexdigest()
    return _canonical({**manifest, "sha256": digest})


def _canonical(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode("ascii")


def _read_manifest(folder: Path) -> dict[str, Any]:
    """Parse the manifest; a single changed byte is noticed, since it must be equal to what would be written."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise DataError("is no folder", where=str(folder))
    with reading(path):
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise DataError(f"is larger than {size_text(_MAX_MANIFEST_BYTES)}", where=str(path))
        content = path.read_bytes()
    try:
        manifest = json.loads(content)
        digest = manifest.pop("sha256")
        sound = digest == hashlib.sha256(_canonical(manifest)).hexdigest()
        sound = sound and content == _canonical({**manifest, "sha256": digest})
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        sound = False
    if not sound:
        raise DataError("is damaged", where=str(path))
    if manifest["format"] != MANIFEST_FORMAT:
        raise UsageError(
            f"has format {manifest['format']}, this textssl reads format {MANIFEST_FORMAT}",
            where=str(path),
            hint="A newer textssl wrote it; update with: pip install --upgrade textssl",
        )
    return dict(manifest)


def _verify_file(file: Path, entry: Mapping[str, Any], *, hashes: bool) -> None:
    with reading(file):
        information = os.stat(file)
        if not stat.S_ISREG(information.st_mode):
            raise DataError("is not a plain file", where=str(file))
        if information.st_size != entry["bytes"]:
            raise DataError(f"has {information.st_size} bytes, expected {entry['bytes']}", where=str(file))
        if hashes and _sha256_of(file) != entry["sha256"]:
            raise DataError("is damaged: its sha256 is not the one in the manifest", where=str(file))


def _quarantine(path: Path) -> str:
    bad = path.with_name(f"{path.name}.corrupt")
    number = 1
    while os.path.lexists(bad):
        number += 1
        bad = path.with_name(f"{path.name}.corrupt-{number}")
    try:
        os.rename(path, bad)
    except OSError as error:
        return f"it cannot be renamed ({error.strerror})"
    return f"renamed to {bad.name}"


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _new_name(parent: Path) -> Path:
    return parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(_NAME_BYTES)}"
