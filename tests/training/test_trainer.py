"""The loop: exact resume, budgets, signals, divergence, records."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.faults import sweep
from tests.training.small_task import Clock, SmallTask, TimedTask, records, train
from textssl.errors import DivergedError, Interrupted, ResourceError, TextsslError, UsageError
from textssl.run_folder import RunFolder
from textssl.training import trainer
from textssl.training.trainer import TrainerConfig


class StopAt(SmallTask):
    """Gets a signal during one step."""

    def __init__(self, stop: int, **options):
        super().__init__(**options)
        self.stop = stop

    def step(self, index):
        if index == self.stop:
            self.stop = -1
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(index)


def test_run_gives_records_and_a_summary(uninterrupted):
    folder, task, summary = uninterrupted
    assert task.steps_made == list(range(24))
    assert (summary.steps, summary.epochs, summary.unit, summary.units) == (24, 3.0, "words", 240)
    assert summary.ended_by == "epochs"
    assert len(summary.epoch_losses) == 3
    assert summary.loss_nats == summary.epoch_losses[-1]
    assert summary.scores == task.scores()
    assert summary.units_per_s == 240 / summary.elapsed_s
    kinds = [record["kind"] for record in records(folder)]
    assert (kinds.count("train"), kinds.count("epoch"), kinds.count("evaluation")) == (24, 3, 3)
    first = RunFolder.view(folder).read_metrics()[0]
    assert first["step"] == 1
    assert first["words"] == 10
    assert first["epoch"] == 0.125
    assert first["learning_rate"] == 0.1
    assert first["words_per_s"] > 0
    assert first["elapsed_s"] > 0


def test_losses_are_means_per_term(uninterrupted):
    folder, _, summary = uninterrupted
    losses = [record["loss_nats"] for record in records(folder) if record["kind"] == "train"]
    epochs = [record for record in records(folder) if record["kind"] == "epoch"]
    for number, epoch in enumerate(epochs):
        assert epoch["epoch_loss_nats"] == pytest.approx(sum(losses[8 * number : 8 * number + 8]) / 8, rel=1e-12)
        assert epoch["epoch_loss_nats"] == summary.epoch_losses[number]
        assert epoch["num_terms"] == 32


@pytest.mark.parametrize("stop", range(24))
def test_resume_after_a_stop_at_any_step_is_bit_identical(tmp_path, uninterrupted, stop):
    folder, expected, summary = uninterrupted
    with pytest.raises(Interrupted) as caught:
        train(tmp_path, StopAt(stop))
    assert caught.value.exit_code == 130
    assert RunFolder.view(tmp_path).status()["state"] == "interrupted"
    task = SmallTask()
    resumed = train(tmp_path, task)
    assert task.steps_made == list(range(stop + 1, 24))
    assert task.weights.tobytes() == expected.weights.tobytes()
    assert task.counter == expected.counter
    assert resumed.epoch_losses == summary.epoch_losses
    assert resumed.scores == summary.scores
    assert records(tmp_path) == records(folder)


def test_resume_after_ten_stops_is_bit_identical(tmp_path, uninterrupted):
    folder, expected, _ = uninterrupted
    for stop in range(0, 20, 2):
        with pytest.raises(Interrupted):
            train(tmp_path, StopAt(stop))
    task = SmallTask()
    train(tmp_path, task)
    assert task.weights.tobytes() == expected.weights.tobytes()
    assert records(tmp_path) == records(folder)


def test_stop_says_where_and_how_to_go_on(tmp_path):
    with pytest.raises(Interrupted) as caught:
        train(tmp_path, StopAt(3))
    assert str(caught.value) == (
        f"{tmp_path}: stopped by signal 2, a checkpoint is saved\nRun the same command again to go on."
    )


def test_finished_run_gives_its_summary_again_without_a_step(uninterrupted):
    folder, _, summary = uninterrupted
    before = records(folder)
    task = SmallTask()
    assert train(folder, task) == summary
    assert task.steps_made == []
    assert records(folder) == before


def start_child(folder, pause_s=0.002):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.training.small_task", str(folder), str(pause_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_metrics(folder, child, num_bytes=200):
    metrics = folder / "metrics.jsonl"
    for _ in range(2000):
        if child.poll() is not None or (metrics.exists() and metrics.stat().st_size > num_bytes):
            return
        time.sleep(0.005)
    raise AssertionError("the child does not train")


def test_process_killed_at_random_times_ends_in_the_same_bits(tmp_path):
    undisturbed, folder = SmallTask(num_steps=60), tmp_path / "killed"
    train(tmp_path / "undisturbed", undisturbed)
    printed = subprocess.check_output(
        [sys.executable, "-m", "tests.training.killer", str(folder), "16", "7"], text=True, timeout=60
    )
    assert len(set(printed.split())) > 2  # the kills fell into training
    assert not list(folder.glob("checkpoints/*.corrupt*"))
    train(folder, SmallTask(num_steps=60))
    assert records(folder) == records(tmp_path / "undisturbed")
    assert not list(folder.rglob(".tmp-*"))
    newest = max((folder / "checkpoints").iterdir())
    again = max((tmp_path / "undisturbed" / "checkpoints").iterdir())
    assert (newest / "state.safetensors").read_bytes() == (again / "state.safetensors").read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_saves_and_exits_with_its_code(tmp_path, number, code):
    child = start_child(tmp_path)
    wait_for_metrics(tmp_path, child)
    child.send_signal(number)
    _, errors = child.communicate()
    assert child.returncode == code
    assert f"stopped by signal {int(number)}, a checkpoint is saved" in errors
    assert RunFolder.view(tmp_path).status()["state"] == "interrupted"
    assert list((tmp_path / "checkpoints").glob("step-*"))


def test_second_signal_ends_the_process_at_once(tmp_path):
    child = start_child(tmp_path, pause_s=1.0)
    wait_for_metrics(tmp_path, child, num_bytes=20)
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    child.communicate()
    assert child.returncode == 130
    assert time.monotonic() - begin < 0.9
    assert json.loads((tmp_path / "STATUS").read_text())["state"] == "running"  # there was no time to write more


def test_handlers_from_before_come_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted):
        train(tmp_path, StopAt(3))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_training_works_outside_the_main_thread(tmp_path):
    summaries = []
    thread = threading.Thread(target=lambda: summaries.append(train(tmp_path, SmallTask())))
    thread.start()
    thread.join()
    assert summaries[0].steps == 24


def test_max_steps_ends_the_run_and_the_decay(tmp_path):
    task = SmallTask()
    summary = train(tmp_path, task, max_steps=10)
    assert (summary.steps, summary.ended_by) == (10, "max_steps")
    assert task.decays == [10]
    assert summary.epochs == 1.25
    assert len(summary.epoch_losses) == 1
    rates = [record["learning_rate"] for record in records(tmp_path) if record["kind"] == "train"]
    assert rates[-1] == pytest.approx(0.01)


def test_evaluation_comes_after_epochs_and_at_the_end(tmp_path):
    train(tmp_path, SmallTask(), max_steps=10)
    assert [record["step"] for record in records(tmp_path) if record["kind"] == "evaluation"] == [8, 10]


def test_divergence_before_the_first_checkpoint_says_so(tmp_path):
    with pytest.raises(DivergedError, match="of step 2 is .*; there was no checkpoint yet"):
        train(tmp_path, SmallTask(bad_step=2), checkpoint_every="5steps")


@pytest.mark.parametrize("total", [float("nan"), float("inf"), 1.0])
def test_divergence_keeps_the_last_good_checkpoint(tmp_path, total):
    task = SmallTask(bad_step=7)
    task.bad_total = total
    with pytest.raises(DivergedError) as caught:
        train(tmp_path, task, checkpoint_every="5steps")
    assert caught.value.exit_code == 5
    assert f"training diverged: the loss of step 7 is {total / 4}" in str(caught.value)
    assert "the last good checkpoint stands" in str(caught.value)
    assert str(caught.value).endswith("Start a new run with a lower learning rate, for instance 0.02.")
    run = RunFolder.view(tmp_path)
    assert run.status()["state"] == "diverged"
    last = run.read_metrics()[-1]
    assert (last["kind"], last["step"]) == ("diverged", 8)
    assert last["loss_nats"] == total / 4 or math.isnan(total)
    assert os.listdir(run.checkpoints) == ["step-00000005"]
    assert train(tmp_path, SmallTask()).steps == 24  # a task that is well again goes on from there
    assert "diverged" not in [record["kind"] for record in records(tmp_path)]


def test_state_that_is_not_finite_is_never_saved(tmp_path):
    class Silent(SmallTask):
        def step(self, index):
            result = super().step(index)
            if index == 6:
                self.weights[2] = float("nan")
            return result if index < 6 else type(result)(1.0, 1.0, 10)

    with pytest.raises(DivergedError, match=r"weights holds values that are not finite after step 10"):
        train(tmp_path, Silent(), checkpoint_every="5steps")
    assert os.listdir(tmp_path / "checkpoints") == ["step-00000005"]


def test_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, uninterrupted):
    with pytest.raises(Interrupted):
        train(tmp_path, StopAt(12), checkpoint_every="5steps")
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["step-00000010", "step-00000013"]
    file = tmp_path / "checkpoints" / "step-00000013" / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)

    class Listening:
        lines: list[str] = []

        def start(self, title):
            self.title = title

        def update(self, situation): ...

        def message(self, text):
            self.lines.append(text)

        def close(self): ...

    listening = Listening()
    task = SmallTask()
    train(tmp_path, task, progress=listening)
    assert task.steps_made == list(range(10, 24))
    assert task.weights.tobytes() == uninterrupted[1].weights.tobytes()
    assert records(tmp_path) == records(uninterrupted[0])
    assert listening.title == "Training on 240 words, resumed at step 10 of 24"
    assert len([line for line in listening.lines if line.startswith("WARNING: ")]) == 1
    assert (tmp_path / "checkpoints" / "step-00000013.corrupt").exists()


def test_all_checkpoints_damaged_starts_anew_loudly(tmp_path, capsys):
    with pytest.raises(Interrupted):
        train(tmp_path, StopAt(12))
    for folder in (tmp_path / "checkpoints").iterdir():
        (folder / "manifest.json").write_bytes(b"")
    task = SmallTask()
    train(tmp_path, task)
    assert task.steps_made == list(range(24))
    assert "WARNING: " in capsys.readouterr().err


def test_full_disk_during_a_save_keeps_the_old_checkpoint(tmp_path, monkeypatch, uninterrupted):
    failures = set()
    for number, failing in enumerate(sweep(monkeypatch, errno.ENOSPC, lasting=True, limit=60)):
        folder = tmp_path / str(number)
        with monkeypatch.context() as undisturbed:
            undisturbed.setattr(failing, "at", 10**9)
            with pytest.raises(Interrupted):
                train(folder, StopAt(4))
        failing.calls = -8 * number  # every failure comes some calls later
        task = SmallTask()
        try:
            train(folder, task, checkpoint_every="5steps")
        except ResourceError as error:
            failures.add(failing.failed)
            assert error.exit_code == 4
            assert "the disk is full" in str(error)
            failing.at = 10**9
            failing.lasting = False
            task = SmallTask()
            train(folder, task, checkpoint_every="5steps")
        assert task.weights.tobytes() == uninterrupted[1].weights.tobytes()
        assert records(folder) == records(uninterrupted[0])
    assert len(failures) > 2
    assert number > 4


def test_failure_of_a_step_is_noted_and_passed_on(tmp_path):
    class Failing(SmallTask):
        def step(self, index):
            if index == 3:
                raise RuntimeError("out of tune")
            return super().step(index)

    with pytest.raises(RuntimeError, match="out of tune"):
        train(tmp_path, Failing())
    status = RunFolder.view(tmp_path).status()
    assert (status["state"], status["reason"], status["step"]) == ("failed", "out of tune", 3)


def test_export_comes_before_the_run_is_finished(tmp_path):
    def broken():
        assert RunFolder.view(tmp_path).status()["state"] == "running"
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        train(tmp_path, SmallTask(), export=broken)
    done = []
    task = SmallTask()
    train(tmp_path, task, export=lambda: done.append(task.weights.copy()))
    assert task.steps_made == []
    assert len(done) == 1
    assert len([record for record in records(tmp_path) if record["kind"] == "evaluation"]) == 3
    train(tmp_path, SmallTask(), export=lambda: pytest.fail("exported again"))


def test_kept_checkpoints_are_as_many_as_asked(tmp_path):
    train(tmp_path, SmallTask(), checkpoint_every="1steps", keep_checkpoints=3)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["step-00000022", "step-00000023", "step-00000024"]


def test_checkpoints_come_by_the_clock(tmp_path, monkeypatch):
    saved = []
    real = trainer.save_checkpoint

    def noted(folder, **given):
        saved.append(given["step"])
        return real(folder, **given)

    monkeypatch.setattr(trainer, "save_checkpoint", noted)
    train(tmp_path, TimedTask(Clock(monkeypatch), 10.0), checkpoint_every="1m")
    assert saved == [6, 12, 18, 24]


def test_vanished_first_checkpoint_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "load_newest", lambda folder, warn: None)
    with pytest.raises(TextsslError, match=r"checkpoints: the checkpoint of step 0 is gone"):
        train(tmp_path, TimedTask(Clock(monkeypatch), 1.0), max_minutes=1.0)


def test_status_of_a_long_run_is_json_with_the_summary(uninterrupted):
    status = json.loads((uninterrupted[0] / "STATUS").read_text())
    assert status["state"] == "finished"
    assert status["summary"]["steps"] == 24


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_minutes": 0}, "max_minutes must be above 0, got 0.0"),
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
        ({"keep_checkpoints": 0}, "keep_checkpoints must be at least 1, got 0"),
        ({"checkpoint_every": "often"}, "checkpoint_every must be a time or a number of steps, got 'often'"),
    ],
)
def test_bad_budget_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        TrainerConfig(**given)
