"""The folder of compiled kernels: private, and where the person wants it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from textssl import numba_cache
from textssl.errors import ResourceError


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    numba = pytest.importorskip("numba")
    monkeypatch.setattr(numba.config, "CACHE_DIR", numba.config.CACHE_DIR)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("NUMBA_CACHE_DIR", "TEXTSSL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_cache_home_follows_the_environment():
    assert numba_cache.cache_home({}) == Path.home() / ".cache" / "textssl"
    assert numba_cache.cache_home({"XDG_CACHE_HOME": "/x"}) == Path("/x/textssl")
    assert numba_cache.cache_home({"XDG_CACHE_HOME": "/x", "TEXTSSL_CACHE": "/t"}) == Path("/t")


def test_numba_cache_is_private(environment, tmp_path):
    folder = numba_cache.use_private_cache()
    assert folder == tmp_path / ".cache" / "textssl" / "numba"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_numba_cache_repairs_open_permissions(environment, tmp_path):
    folder = tmp_path / "own" / "numba"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    environment.setenv("TEXTSSL_CACHE", str(tmp_path / "own"))
    assert numba_cache.use_private_cache() == folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_numba_cache_leaves_the_users_choice(environment, tmp_path):
    environment.setenv("NUMBA_CACHE_DIR", str(tmp_path / "mine"))
    assert numba_cache.use_private_cache() == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()


def test_numba_cache_says_when_it_cannot_be_made(environment, tmp_path):
    (tmp_path / "file").write_text("")
    environment.setenv("TEXTSSL_CACHE", str(tmp_path / "file"))
    with pytest.raises(ResourceError, match="cannot be made or kept private.*\n.*Set NUMBA_CACHE_DIR or TEXTSSL_CACHE"):
        numba_cache.use_private_cache()


def test_numba_cache_refuses_a_folder_of_somebody_else(environment):
    environment.setattr(os, "getuid", lambda: 424242)
    with pytest.raises(ResourceError, match="belongs to another user"):
        numba_cache.use_private_cache()
