"""Where Numba keeps compiled kernels: a folder of the user alone, so that nobody else can plant code in it.

Importing this module is enough: `import textssl.numba_cache` among the imports of every file that compiles with Numba.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from textssl.errors import ResourceError

VARIABLE = "NUMBA_CACHE_DIR"


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
    folder = cache_home() / "numba"
    advice = f"Set {VARIABLE} or TEXTSSL_CACHE to a folder of your own."
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(folder.stat().st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise ResourceError(
            f"the folder for compiled kernels cannot be made or kept private: {error.strerror}",
            where=str(folder),
            hint=advice,
        ) from error
    if folder.stat().st_uid != os.getuid():
        raise ResourceError("the folder for compiled kernels belongs to another user", where=str(folder), hint=advice)
    os.environ[VARIABLE] = str(folder)
    if "numba" in sys.modules:  # its settings were read already, but nothing of ours is compiled yet
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


use_private_cache()
