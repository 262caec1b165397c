"""Make the k-th system call that changes the disk fail."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

import pytest

DISK_CALLS = ("write", "pwrite", "fsync", "rename", "replace", "mkdir", "ftruncate", "open")


class FailingDisk:
    """Counts the calls and raises OSError at one of them, or at all from there on.

    Args:
        at: number of the call that fails, from 0.
        code: the error number.
        lasting: all later calls fail too, as on a disk that stays full.
    """

    def __init__(self, at: int, code: int = errno.ENOSPC, *, lasting: bool = False) -> None:
        self.at = at
        self.code = code
        self.lasting = lasting
        self.calls = 0
        self.failed: str | None = None

    def wrap(self, name: str, function: Callable) -> Callable:
        def call(*arguments, **options):
            number = self.calls
            creates = name != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT)
            if not creates:
                return function(*arguments, **options)
            self.calls += 1
            if number == self.at or (self.lasting and number > self.at):
                self.failed = self.failed or name
                raise OSError(self.code, os.strerror(self.code))
            return function(*arguments, **options)

        return call


def sweep(
    monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOSPC, *, lasting: bool = False, limit: int = 200
) -> Iterator[FailingDisk]:
    """One failing disk after the other, until one is not reached any more: that run was undisturbed."""
    for at in range(limit):
        disk = FailingDisk(at, code, lasting=lasting)
        with monkeypatch.context() as patch:
            for name in DISK_CALLS:
                patch.setattr(os, name, disk.wrap(name, getattr(os, name)))
            yield disk
        if disk.failed is None:
            return
    raise AssertionError(f"more than {limit} calls")
