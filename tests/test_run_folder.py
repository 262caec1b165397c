"""Run folders: one process, one configuration, readable records."""

import errno
import fcntl
import json
import math
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.faults import sweep
from textssl import run_folder
from textssl.errors import DataError, ResourceError, UsageError
from textssl.run_folder import RunFolder, describe_environment

CONFIG = {"window": 5, "rate": 0.05, "limit": None, "words": ("a", "b")}
COMMAND = ["textssl", "train", "skipgram", "my corpus.txt"]
DATA = {"name": "my corpus.txt", "fingerprint": "abc", "sizes": (1, 2)}


def open_run(path, config=CONFIG, data=DATA):
    return RunFolder.open(path, config, COMMAND, data=data)


@pytest.mark.parametrize("name", ["run", "with space", "größe/文字/run", "a'b"])
def test_open_makes_a_self_explaining_folder(tmp_path, name):
    with open_run(tmp_path / name) as run:
        assert run.status()["state"] == "new"
        assert run.config() == {"window": 5, "rate": 0.05, "words": ["a", "b"]}
        assert run.data()["fingerprint"] == "abc"
        assert (run.path / "command.txt").read_text() == "textssl train skipgram 'my corpus.txt'\n"
        environment = json.loads((run.path / "environment.json").read_text())
        assert environment["packages"]["numpy"]
        assert run.checkpoints == run.path / "checkpoints"
        assert run.model == run.path / "model"
        assert RunFolder.is_run(run.path)


def test_open_again_with_the_same_configuration_goes_on(tmp_path):
    with open_run(tmp_path) as run:
        run.set_status("running", step=3)
    with open_run(tmp_path) as run:
        assert run.status()["state"] == "running"
        assert run.status()["step"] == 3


def test_other_configuration_is_refused_with_the_difference(tmp_path):
    open_run(tmp_path).close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "LOCK"}
    with pytest.raises(UsageError) as caught:
        open_run(tmp_path, config={**CONFIG, "window": 8, "limit": 3})
    assert str(caught.value) == (
        f"{tmp_path}: holds a run with another configuration:\n  window: 5 -> 8\n  limit: (not set) -> 3\n"
        "Run with the old values to go on, or choose another --out for a new run."
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "LOCK"} == before
    open_run(tmp_path).close()  # the refusal gave the lock back


def test_other_data_is_refused_with_the_difference(tmp_path):
    open_run(tmp_path).close()
    with pytest.raises(UsageError, match=r"holds a run with other data:\n  fingerprint: abc -> xyz\n"):
        open_run(tmp_path, data={**DATA, "fingerprint": "xyz"})


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years")
    (tmp_path / "config.toml").write_text("theirs = 1\n")
    with pytest.raises(UsageError, match=r"is not empty and holds no run \(it has config.toml, thesis.txt\)\nChoose"):
        open_run(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["config.toml", "thesis.txt"]
    with pytest.raises(UsageError, match=r"thesis\.txt: is a file, expected a folder for the run"):
        open_run(tmp_path / "thesis.txt")


def test_folder_whose_creation_was_killed_is_completed(tmp_path):
    (tmp_path / "LOCK").write_text("process 1\n")
    (tmp_path / "config.toml").write_text("window = 1\n")
    (tmp_path / ".tmp-0123").write_text("half")
    with open_run(tmp_path) as run:
        assert run.config()["window"] == 5
    assert not (tmp_path / ".tmp-0123").exists()


def test_second_opening_is_refused_with_the_owner(tmp_path):
    with open_run(tmp_path), pytest.raises(ResourceError) as caught:
        open_run(tmp_path)
    assert f"another process trains in this folder (process {os.getpid()} on " in str(caught.value)
    assert str(caught.value).endswith("Wait until it ends, or choose another --out.")
    open_run(tmp_path).close()


def test_lock_of_a_killed_process_is_free(tmp_path):
    code = (
        "import sys, time; from textssl.run_folder import RunFolder;"
        f"run = RunFolder.open(sys.argv[1], {CONFIG!r}, {COMMAND!r}, data={DATA!r});"
        "run.set_status('running', step=7); print('open', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "open\n"
        with pytest.raises(ResourceError, match=rf"another process trains in this folder \(process {child.pid} on"):
            open_run(tmp_path)
        assert RunFolder.view(tmp_path).status()["state"] == "running"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    status = RunFolder.view(tmp_path).status()
    assert (status["state"], status["step"]) == ("interrupted", 7)
    (tmp_path / "LOCK").unlink()  # as in a copy without it
    assert RunFolder.view(tmp_path).status()["state"] == "interrupted"
    open_run(tmp_path).close()


def test_a_look_at_a_run_does_not_keep_it_from_being_opened(tmp_path):
    open_run(tmp_path).close()
    with (tmp_path / "LOCK").open() as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        threading.Timer(0.01, fcntl.flock, (looked_at, fcntl.LOCK_UN)).start()
        open_run(tmp_path).close()


def test_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_folder.fcntl, "flock", no_locks)
    message = "the file system has no locks: No locks available\nChoose an --out on a local disk."
    with pytest.raises(ResourceError, match=message):
        open_run(tmp_path)


def test_folder_that_is_not_writable_is_named(tmp_path, monkeypatch):
    def refuse(path, *arguments):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(ResourceError, match=r"run: is not writable: permission denied\nChoose a folder"):
        open_run(tmp_path / "run")


def test_any_failing_call_of_open_leaves_a_folder_that_opens(tmp_path, monkeypatch):
    failures = []
    for number, failing in enumerate(sweep(monkeypatch)):
        path = tmp_path / str(number) / "run"
        try:
            open_run(path).close()
        except ResourceError as error:
            assert "the disk is full" in str(error)
            failures.append(failing.failed)
            failing.at = 10**9
            with open_run(path) as run:
                assert run.status()["state"] == "new"
    assert {"mkdir", "open", "write", "fsync", "replace", "pwrite", "ftruncate"} <= set(failures)


def test_symbolic_link_in_the_folder_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("keep")
    run = open_run(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").symlink_to(tmp_path / "precious")
    with pytest.raises(ResourceError, match=r"metrics\.jsonl: cannot be written: "):
        run.append_metrics({"step": 1})
    (tmp_path / "run" / "STATUS").unlink()
    (tmp_path / "run" / "STATUS").symlink_to(tmp_path / "precious")
    run.set_status("running")
    run.close()
    assert (tmp_path / "precious").read_text() == "keep"


def test_view_reads_a_run_that_somebody_trains(tmp_path):
    with open_run(tmp_path) as run:
        run.append_metrics({"step": 1})
        assert RunFolder.view(tmp_path).read_metrics() == [{"step": 1}]
    with pytest.raises(UsageError, match=r"is no run: it has no STATUS and config\.toml"):
        RunFolder.view(tmp_path / "checkpoints")


def test_status_holds_state_and_notes(tmp_path):
    with open_run(tmp_path) as run:
        run.set_status("diverged", step=7, loss_nats=math.nan)
        status = run.status()
        assert (status["state"], status["step"], status["loss_nats"]) == ("diverged", 7, "NaN")
        with pytest.raises(UsageError, match="state must be one of new, running, .* got 'done'"):
            run.set_status("done")
    assert RunFolder(tmp_path / "nothing").status() == {"state": "new"}


@pytest.mark.parametrize(
    ("content", "message"), [(b"{", "not JSON"), (b"[1]", "not a JSON object"), (b"\xff", "not JSON")]
)
def test_damaged_status_is_named(tmp_path, content, message):
    with open_run(tmp_path) as run:
        (tmp_path / "STATUS").write_bytes(content)
        with pytest.raises(DataError, match=rf"STATUS: is damaged: {message}"):
            run.status()


def test_metrics_give_back_what_was_appended(tmp_path):
    with open_run(tmp_path) as run:
        assert run.read_metrics() == []
        run.sync_metrics()
        records = [
            {"step": 1, "loss": 0.1 + 0.2, "word": "ü"},
            {"step": 2, "loss": math.inf},
            {"step": 3, "loss": -math.inf},
        ]
        for record in records:
            run.append_metrics(record)
        run.sync_metrics()
        assert run.read_metrics() == records
        run.append_metrics({"step": 4, "loss": math.nan})
        assert math.isnan(run.read_metrics()[-1]["loss"])
        for line in run.metrics_path.read_text(encoding="utf-8").splitlines():
            json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_metrics_after_a_step_are_dropped_with_a_torn_line(tmp_path):
    with open_run(tmp_path) as run:
        run.drop_metrics_after(0)
        for step in range(1, 6):
            run.append_metrics({"step": step})
        with run.metrics_path.open("a") as file:
            file.write('{"step": 6, "lo')
        assert [record["step"] for record in run.read_metrics()] == [1, 2, 3, 4, 5]
        run.drop_metrics_after(3)
        run.append_metrics({"step": 4})
        assert run.metrics_path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 3}\n{"step": 4}\n'


def test_damaged_metrics_line_is_named(tmp_path):
    with open_run(tmp_path) as run:
        run.metrics_path.write_bytes(b'{"step": 1}\n\xff\xfe\n{"step": 2}\n')
        with pytest.raises(DataError, match=r"metrics\.jsonl:2: is damaged: not a JSON object\nRemove this line\."):
            run.read_metrics()


def test_full_disk_during_metrics_is_a_resource_error(tmp_path, monkeypatch):
    with open_run(tmp_path) as run:
        for failing in sweep(monkeypatch):
            try:
                run.append_metrics({"step": 1})
            except ResourceError as error:
                assert failing.failed
                assert "metrics.jsonl: cannot be written, the disk is full" in str(error)


def test_environment_names_versions_and_machine():
    environment = describe_environment()
    assert environment["num_processors"] >= 1
    assert environment["processor"]
    assert "pip-that-is-not-there" not in environment["packages"]
