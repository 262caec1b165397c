"""Numba made ready for the kernels: its cache in its place, and without SciPy, which takes as long to import as Numba.

Numba imports SciPy's linear algebra just to see whether it is there. No kernel here uses it; those of other people
still find it, since the same check is made again when a function with a matrix product is compiled.

Importing this module is enough: `import textssl.text.compiler` before Numba compiles or loads anything.
"""

from __future__ import annotations

import sys

import textssl.numba_cache  # noqa: F401  (before Numba, which reads the place of its cache when it is imported)


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
