"""Commits: whole and durable, or not at all; damage is noticed, whatever it is."""

import errno
import json
import os
from pathlib import Path

import pytest
import safetensors

from tests.faults import sweep
from tests.small_folders import writer
from textssl import disk, storage
from textssl.errors import ResourceError, UsageError
from textssl.storage import commit_file, commit_folder, remove_leftovers, verify_folder


def tree(folder):
    """Every path below a folder with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def test_commit_folder_writes_files_and_a_manifest(tmp_path):
    target = commit_folder(tmp_path / "runs" / "x", writer(), metadata={"step": 3, "name": "für"})
    assert target == tmp_path / "runs" / "x"
    assert verify_folder(target, hashes=True) == {"step": 3, "name": "für"}
    manifest = json.loads((target / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert manifest["files"]["a.bin"]["bytes"] == 11
    assert set(manifest["files"]) == {"a.bin", "deep/b.txt"}
    assert [path.name for path in target.parent.iterdir()] == ["x"]


@pytest.mark.parametrize("name", ["with space", "größe-文字", "a'b\"c", "-dash", "x" * 200])
def test_commit_works_with_any_name(tmp_path, name):
    commit_folder(tmp_path / name / name, writer())
    commit_folder(tmp_path / name / name, writer(b"2"), replace=True)
    commit_file(tmp_path / name / "f", "ä")
    assert verify_folder(tmp_path / name / name, hashes=True) == {}
    assert (tmp_path / name / "f").read_text(encoding="utf-8") == "ä"


def test_commit_folder_works_with_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commit_folder(Path("x"), writer())
    commit_file(Path("f"), b"1")
    assert sorted(os.listdir(tmp_path)) == ["f", "x"]


def test_commit_folder_refuses_what_exists(tmp_path):
    commit_folder(tmp_path / "x", writer())
    before = tree(tmp_path)
    with pytest.raises(UsageError, match=r"x: exists already\nChoose another name, or move the old one away."):
        commit_folder(tmp_path / "x", writer(b"other"))
    assert tree(tmp_path) == before


def test_commit_folder_replaces_its_own_kind(tmp_path):
    commit_folder(tmp_path / "x", writer())
    commit_folder(tmp_path / "x", writer(b"other"), replace=True)
    assert (tmp_path / "x" / "a.bin").read_bytes() == b"other"
    assert os.listdir(tmp_path) == ["x"]


def test_commit_folder_never_replaces_a_strangers_folder(tmp_path):
    (tmp_path / "x").mkdir()
    commit_folder(tmp_path / "x", writer(), replace=True)  # empty: nothing is lost
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match=r"mine: is not replaced: it is not empty and has no manifest.json"):
        commit_folder(tmp_path / "mine", writer(), replace=True)
    with pytest.raises(UsageError, match=r"thesis.txt: is a file, expected a folder"):
        commit_folder(tmp_path / "mine" / "thesis.txt", writer(), replace=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_commit_replaces_a_symbolic_link_and_leaves_what_it_points_to(tmp_path):
    (tmp_path / "precious").write_text("keep")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    commit_file(tmp_path / "link", "new")
    assert (tmp_path / "precious").read_text() == "keep"
    assert not (tmp_path / "link").is_symlink()
    commit_folder(tmp_path / "old", writer())
    (tmp_path / "alias").symlink_to(tmp_path / "old")
    commit_folder(tmp_path / "alias", writer(b"new"), replace=True)
    assert (tmp_path / "old" / "a.bin").read_bytes() == b"new content"
    assert (tmp_path / "alias" / "a.bin").read_bytes() == b"new"


def test_commit_follows_a_parent_that_is_a_symbolic_link(tmp_path):
    (tmp_path / "big disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "big disk")
    commit_folder(tmp_path / "runs" / "x", writer())
    assert verify_folder(tmp_path / "big disk" / "x", hashes=True) == {}


@pytest.mark.parametrize(
    ("code", "lasting", "replace"),
    [
        (errno.ENOSPC, False, False),
        (errno.ENOSPC, True, False),
        (errno.ENOSPC, False, True),
        (errno.ENOSPC, True, True),
        (errno.EDQUOT, False, True),
        (errno.EIO, False, True),
    ],
)
def test_any_failing_call_of_a_folder_commit_leaves_the_old_one(tmp_path, monkeypatch, code, lasting, replace):
    calls = []
    for number, failing in enumerate(sweep(monkeypatch, code, lasting=lasting)):
        parent = tmp_path / str(number)
        with monkeypatch.context() as undisturbed:
            undisturbed.setattr(failing, "at", 10**9)
            commit_folder(parent / "old", writer(b"old content"))
        failing.calls = 0
        target = parent / ("old" if replace else "new")
        try:
            commit_folder(target, writer(), replace=replace, metadata={"n": 1})
        except ResourceError as error:
            assert failing.failed
            expected = "the disk is full" if code != errno.EIO else "cannot be written: Input/output error"
            assert expected in str(error)
            failing.at = 10**9
            failing.lasting = False
            remove_leftovers(parent)
            calls.append(failing.failed)
            if lasting and target.exists() and verify_folder(target, hashes=True) == {"n": 1}:
                assert failing.failed == "fsync"  # the very last call, and then the rename back failed too
                assert replace or verify_folder(parent / "old", hashes=True) == {}
                continue
            assert (parent / "old" / "a.bin").read_bytes() == b"old content"
            assert verify_folder(parent / "old", hashes=True) == {}
            assert os.listdir(parent) == ["old"]
    assert {"write", "fsync", "rename", "mkdir"} <= set(calls)
    assert len(calls) > 10
    assert verify_folder(target, hashes=True) == {"n": 1}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_any_failing_call_of_a_file_commit_leaves_a_whole_file(tmp_path, monkeypatch, code):
    target = tmp_path / "file"
    calls = []
    for failing in sweep(monkeypatch, code):
        target.write_text("old")
        try:
            commit_file(target, "new content")
        except ResourceError as error:
            assert "the disk is full" in str(error)
            assert os.listdir(tmp_path) == ["file"]
            assert target.read_text() == ("old" if len(calls) < 4 else "new content")
            calls.append(failing.failed)
    assert calls == ["open", "write", "fsync", "replace", "fsync"]  # the last: renamed, but perhaps not durable
    assert target.read_text() == "new content"


def test_short_writes_are_completed(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:3]))
    commit_file(tmp_path / "f", "0123456789")
    assert (tmp_path / "f").read_text() == "0123456789"


def test_calls_come_in_the_order_that_survives_a_power_cut(tmp_path, monkeypatch):
    log = []
    paths = {}
    real_open, real_sync, real_rename = os.open, os.fsync, os.rename

    def logged_open(path, *arguments, **options):
        descriptor = real_open(path, *arguments, **options)
        paths[descriptor] = Path(path).name
        return descriptor

    monkeypatch.setattr(os, "open", logged_open)
    monkeypatch.setattr(os, "fsync", lambda d: (log.append(f"fsync {paths[d]}"), real_sync(d)))
    monkeypatch.setattr(os, "rename", lambda a, b: (log.append("rename"), real_rename(a, b)))
    monkeypatch.setattr(storage, "_new_name", lambda parent: parent / "T")
    commit_folder(tmp_path / "x", writer())
    assert log == [
        "fsync a.bin",
        "fsync b.txt",
        "fsync manifest.json",
        "fsync deep",
        "fsync T",
        "rename",
        f"fsync {tmp_path.name}",
    ]


def test_too_little_space_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ResourceError, match=r"the disk is full: 1200\.0 TB needed, .* free\nFree some space"):
        commit_folder(tmp_path / "x", writer(), expected_bytes=10**15)
    assert os.listdir(tmp_path) == []


def test_disk_full_says_how_much_is_needed(tmp_path):
    def write(folder):
        (folder / "a").write_bytes(b"x" * 5000)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ResourceError, match=r"x: cannot be written, the disk is full: 5.0 kB needed, .* free"):
        commit_folder(tmp_path / "x", write)
    assert os.listdir(tmp_path) == []


def test_disk_full_inside_safetensors_is_a_resource_error(tmp_path):
    def write(folder):
        raise safetensors.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(ResourceError, match=r"the disk is full"):
        commit_folder(tmp_path / "x", write)
    assert os.listdir(tmp_path) == []


def test_other_error_of_safetensors_passes(tmp_path):
    def write(folder):
        raise safetensors.SafetensorError("header too large")

    with pytest.raises(safetensors.SafetensorError, match="header too large"):
        commit_folder(tmp_path / "x", write)


def test_disk_full_inside_numpy_is_a_resource_error(tmp_path):
    def write(folder):
        raise OSError("100 requested and 45 written")

    with pytest.raises(ResourceError, match=r"cannot be written: 100 requested and 45 written"):
        commit_folder(tmp_path / "x", write)


def test_permission_error_inside_the_folder_is_a_resource_error(tmp_path):
    def write(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder / "a"))

    with pytest.raises(ResourceError, match=r"is not writable: permission denied\nChoose a folder"):
        commit_folder(tmp_path / "x", write)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_folder_that_is_not_writable_is_named(tmp_path, monkeypatch, code):
    def refuse(path, *arguments):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    reason = "permission denied" if code == errno.EACCES else "the file system is read-only"
    with pytest.raises(ResourceError, match=rf"{tmp_path.name}: is not writable: {reason}"):
        commit_folder(tmp_path / "x", writer())


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file", "corpus.txt"), KeyboardInterrupt(), ValueError("x")]
)
def test_other_errors_of_the_writer_pass_and_leave_nothing(tmp_path, error):
    def write(folder):
        (folder / "a").write_text("half")
        raise error

    with pytest.raises(type(error)):
        commit_folder(tmp_path / "x", write)
    assert os.listdir(tmp_path) == []


def test_metadata_that_json_does_not_have_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        commit_folder(tmp_path / "x", writer(), metadata={"loss": float("nan")})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (5200, "5.2 kB"), (3.6e9, "3.6 GB"), (2e15, "2000.0 TB")],
)
def test_size_text_is_for_people(num_bytes, text):
    assert disk.size_text(num_bytes) == text
