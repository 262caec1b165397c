"""The folder of compiled kernels: private, and where the person wants it."""

from __future__ import annotations

import os
import stat
import time
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
    assert folder.parent == tmp_path / ".cache" / "textssl" / "numba"
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_numba_cache_repairs_open_permissions(environment, tmp_path):
    folder = tmp_path / "own" / "numba"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    environment.setenv("TEXTSSL_CACHE", str(tmp_path / "own"))
    assert numba_cache.use_private_cache().parent == folder
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


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name in ("kernels", "text", "models"):
        (tmp_path / "package" / name).mkdir(parents=True)
        (tmp_path / "package" / name / "a.py").write_text("x = 1\n")
    return tmp_path / "package"


@pytest.mark.parametrize("change", ["content", "new file", "rename"])
def test_digest_changes_with_the_sources_of_kernels(package, change):
    before = numba_cache.sources_digest(package)
    file = package / "kernels" / "a.py"
    if change == "content":
        file.write_text("x = 2\n")
    elif change == "new file":
        (package / "text" / "b.py").write_text("")
    else:
        file.rename(package / "kernels" / "b.py")
    assert numba_cache.sources_digest(package) != before


def test_digest_depends_on_contents_alone(package, tmp_path):
    before = numba_cache.sources_digest(package)
    (package / "models" / "a.py").write_text("not compiled\n")
    os.utime(package / "kernels" / "a.py", (1, 1))
    assert numba_cache.sources_digest(package) == before
    assert numba_cache.sources_digest(package.rename(tmp_path / "elsewhere")) == before


def test_kernels_of_old_versions_are_removed(environment, tmp_path):
    environment.setenv("TEXTSSL_CACHE", str(tmp_path))
    today, long_ago = time.time(), time.time() - 3 * numba_cache.DAY_S
    for number in range(8):
        folder = tmp_path / "numba" / f"version-{number}"
        folder.mkdir(parents=True)
        (folder / "kernel").write_text("")
        used = today if number >= 6 else long_ago + number
        os.utime(folder, (used, used))
    current = numba_cache.use_private_cache()
    names = {folder.name for folder in (tmp_path / "numba").iterdir()}
    assert names == {current.name, *(f"version-{number}" for number in range(4, 8))}


def test_a_version_in_use_stays(environment, tmp_path):
    environment.setenv("TEXTSSL_CACHE", str(tmp_path))
    current = numba_cache.use_private_cache()
    os.utime(current, (1, 1))
    environment.delenv("NUMBA_CACHE_DIR")
    assert numba_cache.use_private_cache() == current
    assert current.stat().st_mtime > time.time() - 60
