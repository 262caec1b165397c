"""Commits: whole and durable, or not at all; damage is noticed, whatever it is."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import safetensors

from tests.faults import sweep
from textssl import disk, storage
from textssl.errors import DataError, ResourceError, UsageError
from textssl.storage import commit_file, commit_folder, newest_valid, numbered, remove_leftovers, verify_folder


def writer(content=b"new content", name="a.bin"):
    def write(folder):
        with (folder / name).open("wb", buffering=0) as file:
            file.write(content)
        (folder / "deep").mkdir()
        (folder / "deep" / "b.txt").write_text("b")

    return write


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


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (5200, "5.2 kB"), (3.6e9, "3.6 GB"), (2e15, "2000.0 TB")],
)
def test_size_text_is_for_people(num_bytes, text):
    assert disk.size_text(num_bytes) == text
