"""Numba made ready for the kernels: its cache in its place, without SciPy, and kernels in the cache loaded at once.

SciPy takes as long to import as Numba, which imports its linear algebra just to see whether it is there. No kernel here
uses it; those of other people still find it, since the same check is made again when a function with a matrix product
is compiled.

Importing this module is enough: `import textssl.text.compiler` before Numba compiles or loads anything.
"""

from __future__ import annotations

import sys
from typing import Any

import textssl.numba_cache  # noqa: F401  (before Numba, which reads the place of its cache when it is imported)


def loaded_at_once(dispatcher: Any) -> Any:
    """Let a cached kernel be loaded without what only compiling needs: 0.2 s for the first kernel of a process.

    Numba fills its tables of everything that can be compiled before it loads a kernel from the cache. Machine code
    needs its run-time only (which checks the arrays that are passed); the compiler fills its tables itself.

    Args:
        dispatcher: of `numba.njit(cache=True)`.

    Returns:
        The same.
    """
    from numba.core.runtime import rtsys

    cache = dispatcher._cache

    def load_overload(signature: Any, target: Any) -> Any:
        rtsys.initialize(target)
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(signature, target)

    cache.load_overload = load_overload
    return dispatcher


def load_without_linear_algebra() -> None:
    """Import the module of Numba that looks for SciPy, with the look put off until something needs it."""
    if "numba.np.arraymath" in sys.modules:
        return
    from numba.np import linalg

    look = linalg.ensure_blas
    linalg.ensure_blas = lambda: None
    try:
        from numba.np import arraymath
    finally:
        linalg.ensure_blas = look
    arraymath.ensure_blas = look


load_without_linear_algebra()
