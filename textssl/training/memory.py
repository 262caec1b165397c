"""Memory that training gives back and asks for again in every step: kept, so that the system need not make it anew."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
_KEPT_BYTES = 1 << 30


def keep_freed_memory() -> bool:
    """Let the C library keep what is freed, for the whole process; to be called before training on the CPU.

    A large tensor otherwise goes back to the system when it is freed, and the next one is made of new pages, each of
    which is cleared at its first use: 43,000 of them in a step of the preset tiny, 6 % of its time.

    Returns:
        Whether the C library is one that can be told so (glibc); nothing changes otherwise.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    kept = library.mallopt(_MMAP_THRESHOLD, _KEPT_BYTES), library.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    return kept == (1, 1)
