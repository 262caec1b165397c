"""models/memory.py: pages are made once, not in every step."""

import ctypes
import subprocess
import sys

import pytest

CODE = """
import resource, sys
import torch
from textssl.training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for repeat in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    parts = [torch.ones(10 << 20) for _ in range(3)]
    del parts
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_freed_memory_is_used_again():
    keep, plain = (
        int(subprocess.check_output([sys.executable, "-c", CODE, mode], text=True)) for mode in ("keep", "plain")
    )
    assert plain > 20_000  # pages of 4 KiB in 3 tensors of 40 MiB
    assert keep < plain / 4


def test_other_libraries_are_left_alone(monkeypatch):
    from textssl.training import memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.keep_freed_memory() is False
