"""Numba without SciPy: not imported for the kernels, and there for those who need it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import textssl.text.draws as draws
import numpy as np
accept, alias = draws.alias_table(np.array([0.25, 0.75]))
assert accept[1] > accept[0] and list(alias) == [1, 1]
print("scipy.linalg" in sys.modules)
import numba
product = numba.njit(lambda a, b: a @ b)
print(product(np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]])).tolist())
print("scipy.linalg" in sys.modules)
"""


def test_kernels_import_no_scipy_and_matrix_products_still_compile():
    pytest.importorskip("scipy")
    printed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines() == ["False", "[[1.0, 2.0], [3.0, 4.0]]", "True"]


TABLES = """
import textssl.text.draws as draws
import numpy as np
draws.alias_table(np.array([0.25, 0.75]))
import sys
print("numba.np.polynomial.polynomial_core" in sys.modules)
"""


def test_cached_kernels_load_without_the_compilers_tables():
    for _ in range(2):  # the first may have to compile
        printed = subprocess.run([sys.executable, "-c", TABLES], capture_output=True, text=True, check=True).stdout
    assert printed == "False\n"
