"""System calls about files, with errors that say what is missing: space, permission or a working disk.

The functions call os.open, os.write, os.fsync and so on by their full names, so that tests can make each of them fail.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from textssl.errors import DataError, ResourceError

_PIECE_BYTES = 1 << 20
_HEADROOM = 1.2  # file systems need some space for themselves
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_WRITE_FAILS = (*_DISK_FULL, errno.EIO, errno.EFBIG, None)  # None: numpy's tofile raises OSError without a number


def make_folder(path: Path) -> None:
    """Make a folder and its parents, durably."""
    if path.is_dir():
        return
    make_folder(path.parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        if not path.is_dir():
            raise
    sync(path.parent)


def check_free_space(target: Path, expected_bytes: int) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        ResourceError: less than 1.2 times `expected_bytes` are free where `target` will be.
    """
    needed = int(expected_bytes * _HEADROOM)
    if needed and needed > _free_bytes(target):
        raise _no_space(target, needed)


def size_text(num_bytes: float) -> str:
    """A size for people: 5.2 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} bytes" if unit == "bytes" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} TB"


def write_new(path: Path, content: bytes) -> None:
    """Write a file that must not exist yet, and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest[:_PIECE_BYTES]) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Remove what is there; what cannot be removed now, since the disk fails, the next clean-up removes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)


@contextlib.contextmanager
def lock(path: Path, operation: int) -> Iterator[bool]:
    """Hold a lock on a file or folder; False where the file system has no locks.

    Raises:
        BlockingIOError: another process holds it, and the operation does not wait.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, operation)
            locked = True
        except BlockingIOError:
            raise
        except OSError:
            locked = False
        yield locked
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn the system's error about reading a file into ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError("is missing", where=str(path)) from error
    except PermissionError as error:
        raise ResourceError("may not be read: permission denied", where=str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error


@contextlib.contextmanager
def translated(target: Path, expected_bytes: int) -> Iterator[None]:
    """Turn the system's error about writing into ours."""
    try:
        yield
    except OSError as error:
        raise _resource_error(error, target, expected_bytes) from error


@contextlib.contextmanager
def translated_from_writer(target: Path, expected_bytes: int, temporary: Path) -> Iterator[None]:
    """The same for a writer, which may also read: its errors about other files stay what they are."""
    try:
        yield
    except OSError as error:
        inside = error.filename is not None and Path(os.fsdecode(error.filename)).is_relative_to(temporary)
        if not inside and error.errno not in _WRITE_FAILS:
            raise
        raise _resource_error(error, target, max(expected_bytes, _size_of(temporary))) from error
    except Exception as error:  # safetensors, written in Rust, has an error class of its own
        if not re.search(rf"\(os error ({'|'.join(map(str, _DISK_FULL))})\)", str(error)):
            raise
        raise _no_space(target, max(expected_bytes, _size_of(temporary))) from error


def _resource_error(error: OSError, target: Path, expected_bytes: int) -> ResourceError:
    if error.errno in _DISK_FULL:
        return _no_space(target, expected_bytes)
    if error.errno in _NOT_WRITABLE:
        reason = "the file system is read-only" if error.errno == errno.EROFS else "permission denied"
        return ResourceError(
            f"is not writable: {reason}", where=str(target.parent), hint="Choose a folder that you may write to."
        )
    return ResourceError(f"cannot be written: {error.strerror or error}", where=str(target))


def _no_space(target: Path, needed: int) -> ResourceError:
    wanted = f"{size_text(needed)} needed, " if needed else ""
    return ResourceError(
        f"cannot be written, the disk is full: {wanted}{size_text(_free_bytes(target))} free",
        where=str(target),
        hint="Free some space and run the same command again.",
    )


def _free_bytes(target: Path) -> int:
    folder = next(path for path in (target, *target.absolute().parents) if path.is_dir())
    return shutil.disk_usage(folder).free


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
