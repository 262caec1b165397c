"""Where Numba keeps compiled kernels: a folder of the user alone, so that nobody else can plant code in it.

    $TEXTSSL_CACHE/numba/<digest of the kernels' sources>/

Numba compiles a function anew when its own file has changed, but not when an intrinsic or an inlined helper from
another file has; the digest in the folder's name makes up for that. Importing this module is enough:
`import textssl.numba_cache` among the imports of every file that compiles with Numba.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from textssl.errors import ResourceError

VARIABLE = "NUMBA_CACHE_DIR"
SOURCES = ("kernels", "text", "vision")
"""The packages whose files are compiled."""
KEPT_FOLDERS = 4
"""Compiled kernels of so many versions stay, those used last, and all that were used within a day."""
DAY_S = 86_400
_PACKAGE = Path(__file__).parent


def cache_home(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder under which textssl caches: $TEXTSSL_CACHE, else $XDG_CACHE_HOME/textssl, else ~/.cache/textssl."""
    if chosen := environment.get("TEXTSSL_CACHE"):
        return Path(chosen).expanduser()
    home = environment.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "textssl"


def use_private_cache() -> Path:
    """Make Numba keep its compiled code in a folder of mode 0700, unless NUMBA_CACHE_DIR is set already.

    Returns:
        The folder that Numba will use.

    Raises:
        ResourceError: the folder cannot be made, or it belongs to somebody else or is writable by others.
    """
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen)
    home = cache_home() / "numba"
    folder = home / sources_digest(_PACKAGE)
    _make_private(home)
    if not folder.is_dir():
        _remove_unused(home)
    _make_private(folder)
    os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:  # its settings were read already, but nothing of ours is compiled yet
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


def sources_digest(package: Path) -> str:
    """A name for what the kernels in SOURCES are compiled from: another one whenever one of their files changes."""
    digest = hashlib.sha256()
    for file in sorted(file for name in SOURCES for file in (package / name).glob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _make_private(folder: Path) -> None:
    """Make a folder that only its user can open, and note that it is used in its time of change."""
    advice = f"Set {VARIABLE} or TEXTSSL_CACHE to a folder of your own."
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        information = folder.stat()
        if information.st_uid == os.getuid():
            if stat.S_IMODE(information.st_mode) != 0o700:
                folder.chmod(0o700)
            with contextlib.suppress(OSError):  # a folder on a read-only disk serves as well
                os.utime(folder)
    except OSError as error:
        raise ResourceError(
            f"the folder for compiled kernels cannot be made or kept private: {error.strerror}",
            where=str(folder),
            hint=advice,
        ) from error
    if information.st_uid != os.getuid():
        raise ResourceError("the folder for compiled kernels belongs to another user", where=str(folder), hint=advice)


def _remove_unused(home: Path) -> None:
    """Delete the kernels of versions not used for long; a process may still hold one that was used today."""
    used = {}
    for folder in home.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process deletes, too
            if stat.S_ISDIR((information := folder.lstat()).st_mode):
                used[folder] = information.st_mtime
    for folder in sorted(used, key=used.__getitem__, reverse=True)[KEPT_FOLDERS:]:
        if used[folder] < time.time() - DAY_S:
            shutil.rmtree(folder, ignore_errors=True)


use_private_cache()
