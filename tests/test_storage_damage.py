"""Damaged folders: noticed, named, set aside; what a killed process leaves is cleaned up."""

import errno
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.small_folders import writer
from textssl import disk, storage
from textssl.errors import DataError, ResourceError, UsageError
from textssl.storage import commit_folder, newest_valid, numbered, remove_leftovers, verify_folder


def damage(content: bytes, random_source: random.Random) -> bytes:
    """Flip, truncate, extend, zero or swap."""
    kind = random_source.choice(["flip", "truncate", "extend", "zero", "swap"])
    data = bytearray(content)
    place = random_source.randrange(len(data))
    if kind == "flip":
        data[place] ^= 1 << random_source.randrange(8)
    elif kind == "truncate":
        del data[place:]
    elif kind == "extend":
        data += bytes(random_source.randrange(1, 9))
    elif kind == "zero":
        data[place : place + 64] = bytes(len(data[place : place + 64]))
    else:
        other = random_source.randrange(len(data))
        data[place], data[other] = data[other], data[place]
    return bytes(data)


@pytest.mark.parametrize("name", ["a.bin", "manifest.json"])
def test_every_mutated_file_is_noticed(tmp_path, name):
    source = random.Random(1)
    commit_folder(tmp_path / "x", writer(source.randbytes(300)), metadata={"step": 12, "loss": 0.25})
    file = tmp_path / "x" / name
    original = file.read_bytes()
    tried = 0
    while tried < 400:
        content = damage(original, source)
        if content == original:
            continue
        tried += 1
        file.write_bytes(content)
        with pytest.raises(DataError):
            verify_folder(tmp_path / "x", hashes=True)
        if name == "manifest.json" or len(content) != len(original):
            with pytest.raises(DataError):
                verify_folder(tmp_path / "x", hashes=False)
    file.write_bytes(original)
    assert verify_folder(tmp_path / "x", hashes=True)["step"] == 12


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda x: (x / "a.bin").unlink(), r"a\.bin: is missing"),
        (lambda x: (x / "a.bin").write_bytes(b"short"), r"a\.bin: has 5 bytes, expected 11"),
        (lambda x: (x / "a.bin").write_bytes(b"NEW content"), r"a\.bin: is damaged: its sha256 is not the one"),
        (lambda x: (x / "manifest.json").unlink(), r"manifest\.json: is missing"),
        (lambda x: (x / "manifest.json").write_text(""), r"manifest\.json: is damaged"),
        (lambda x: (x / "manifest.json").write_text("[" * 100_000), r"manifest\.json: is damaged"),
        (lambda x: (x / "manifest.json").write_text("[]"), r"manifest\.json: is damaged"),
        (lambda x: (x / "manifest.json").write_text('{"sha256": 1}'), r"manifest\.json: is damaged"),
        (lambda x: os.truncate(x / "manifest.json", 1 << 25), r"manifest\.json: is larger than 16\.8 MB"),
        (lambda x: ((x / "a.bin").unlink(), (x / "a.bin").mkdir()), r"a\.bin: is not a plain file"),
    ],
)
def test_damage_is_named(tmp_path, break_it, message):
    commit_folder(tmp_path / "x", writer())
    break_it(tmp_path / "x")
    with pytest.raises(DataError, match=message):
        verify_folder(tmp_path / "x", hashes=True)


def test_what_is_no_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing: is no folder"):
        verify_folder(tmp_path / "nothing", hashes=False)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (PermissionError(13, "Permission denied"), ResourceError, "may not be read: permission denied"),
        (OSError(5, "Input/output error"), DataError, "cannot be read: Input/output error"),
    ],
)
def test_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, error, kind, message):
    commit_folder(tmp_path / "x", writer())

    def refuse(path):
        raise error

    monkeypatch.setattr(storage, "_sha256_of", refuse)
    with pytest.raises(kind, match=rf"a\.bin: {message}"):
        verify_folder(tmp_path / "x", hashes=True)


def test_newer_format_is_refused_and_not_set_aside(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(storage, "MANIFEST_FORMAT", 2)
        commit_folder(tmp_path / "step-1", writer())
    message = r"has format 2, this textssl reads format 1\nA newer textssl wrote it; update with: pip install"
    with pytest.raises(UsageError, match=message):
        newest_valid(tmp_path, "step-", warn=print)
    assert (tmp_path / "step-1").is_dir()


def test_newest_valid_falls_back_and_sets_the_damaged_aside(tmp_path):
    for number in (9, 10, 11):
        commit_folder(tmp_path / f"step-{number}", writer())
    (tmp_path / "step-11" / "a.bin").write_bytes(b"NEW content")
    (tmp_path / "step-10" / "manifest.json").write_bytes(b"")
    (tmp_path / "step-x").mkdir()
    lines = []
    assert newest_valid(tmp_path, "step-", warn=lines.append) == tmp_path / "step-9"
    assert sorted(os.listdir(tmp_path)) == ["step-10.corrupt", "step-11.corrupt", "step-9", "step-x"]
    assert len(lines) == 2
    assert lines[0].startswith("WARNING: ")
    assert lines[0].endswith(
        "step-11/a.bin is damaged: its sha256 is not the one in the manifest; renamed to step-11.corrupt, "
        "the one before it is tried"
    )
    assert "\n" not in lines[0]


def test_newest_valid_finds_a_free_name_for_the_second_damaged_one(tmp_path):
    for _ in range(2):
        commit_folder(tmp_path / "step-1", writer())
        (tmp_path / "step-1" / "a.bin").unlink()
        assert newest_valid(tmp_path, "step-", warn=lambda line: None) is None
    assert sorted(os.listdir(tmp_path)) == ["step-1.corrupt", "step-1.corrupt-2"]


def test_newest_valid_goes_on_when_the_damaged_one_cannot_be_renamed(tmp_path, monkeypatch):
    commit_folder(tmp_path / "step-1", writer())
    commit_folder(tmp_path / "step-2", writer())
    (tmp_path / "step-2" / "a.bin").unlink()

    def refuse(old, new):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "rename", refuse)
    lines = []
    assert newest_valid(tmp_path, "step-", warn=lines.append) == tmp_path / "step-1"
    assert "it cannot be renamed (Read-only file system)" in lines[0]


def test_newest_valid_of_nothing_is_none(tmp_path):
    assert newest_valid(tmp_path / "missing", "step-", warn=print) is None
    assert numbered(tmp_path / "missing", "step-") == []


def run_child(code: str, *arguments: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def test_leftovers_of_a_killed_process_are_removed_and_those_of_a_living_one_stay(tmp_path):
    code = """
        import sys, time
        from pathlib import Path
        from textssl.storage import commit_folder
        def write(folder):
            (folder / "a").write_text("half")
            print("writing", flush=True)
            time.sleep(60)
        commit_folder(Path(sys.argv[1]) / "x", write)
    """
    child = run_child(code, tmp_path)
    try:
        assert child.stdout.readline() == "writing\n"
        remove_leftovers(tmp_path)
        assert len(list(tmp_path.glob(".tmp-*"))) == 1
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    assert len(list(tmp_path.glob(".tmp-*"))) == 1
    commit_folder(tmp_path / "y", writer())  # every commit cleans up
    assert os.listdir(tmp_path) == ["y"]


def test_process_killed_between_the_two_renames_of_a_replacement_loses_nothing(tmp_path):
    code = """
        import os, signal, sys
        from pathlib import Path
        from textssl.storage import commit_folder
        write = lambda folder: (folder / "a").write_text("1")
        commit_folder(Path(sys.argv[1]) / "x", write)
        real = os.rename
        def rename(old, new):
            real(old, new)
            os.kill(os.getpid(), signal.SIGKILL)
        os.rename = rename
        commit_folder(Path(sys.argv[1]) / "x", lambda folder: (folder / "a").write_text("2"), replace=True)
    """
    child = run_child(code, tmp_path)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert not (tmp_path / "x").exists()
    remove_leftovers(tmp_path)
    assert verify_folder(tmp_path / "x", hashes=True) == {}
    assert (tmp_path / "x" / "a").read_text() == "1"
    assert os.listdir(tmp_path) == ["x"]


def test_nothing_is_cleaned_up_while_somebody_commits(tmp_path):
    (tmp_path / ".tmp-0").write_text("x")
    with disk.lock(tmp_path, disk.fcntl.LOCK_SH):
        remove_leftovers(tmp_path)
        assert (tmp_path / ".tmp-0").exists()
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == []


def test_nothing_is_cleaned_up_where_there_are_no_locks(tmp_path, monkeypatch):
    (tmp_path / ".tmp-0").write_text("x")

    def no_locks(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(disk.fcntl, "flock", no_locks)
    commit_folder(tmp_path / "x", writer())
    assert sorted(os.listdir(tmp_path)) == [".tmp-0", "x"]
