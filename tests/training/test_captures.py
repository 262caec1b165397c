"""A step that was not applied is kept, and made again from what was kept."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.training.small_network import PLAIN, SmallObjective, small_task, train_network
from textssl.errors import DataError, DivergedError
from textssl.training import captures
from textssl.training.captures import newest_capture, replay


class Poisoned(SmallObjective):
    """The gradient of one matrix is no number from step 4 on."""

    def batch(self, step, part, num_parts):
        batch = super().batch(step, part, num_parts)
        return replace(batch, note="bad") if step == 4 and part == num_parts - 1 else batch

    def loss(self, model, batch):
        loss = super().loss(model, batch)
        return replace(loss, total=loss.total * float("inf")) if batch.note == "bad" else loss


def poisoned_task(**options):
    optimisation = replace(PLAIN, num_parts=2, clip_norm=None)
    return small_task(optimisation, objective=Poisoned(**options), dropout=0.2)


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("diverged") / "run"
    with pytest.raises(DivergedError) as caught:
        train_network(folder, poisoned_task(), checkpoint_every="2steps", max_steps=9)
    return folder, caught.value


def test_divergence_says_how_to_look_at_it(diverged):
    folder, error = diverged
    assert error.exit_code == 5
    assert f"To see what was not finite: textssl check {folder} --replay\nStart a new run with a lower" in str(error)


def test_capture_holds_the_state_before_the_step_and_what_was_wrong(diverged):
    folder, _ = diverged
    capture = newest_capture(folder)
    assert capture.path == folder / "captures" / "step-00000004"
    assert (capture.step, capture.decay_steps) == (4, 9)
    assert capture.diagnosis["bad_parts"] == [1]
    assert "head.weight" in capture.diagnosis["parameters_with_bad_gradients"]
    checkpoint = folder / "checkpoints" / "step-00000004" / "state.safetensors"
    assert (capture.path / "state.safetensors").read_bytes() == checkpoint.read_bytes()


def test_replay_reproduces_the_step(diverged):
    done = replay(newest_capture(diverged[0]), poisoned_task)
    assert done.reproduced
    assert done.diagnosis == done.capture.diagnosis
    assert not np.isfinite(done.total)


def test_replay_of_a_step_that_is_well_now_says_so(diverged):
    done = replay(newest_capture(diverged[0]), lambda: small_task(replace(PLAIN, num_parts=2), dropout=0.2))
    assert not done.reproduced
    assert done.diagnosis == {}
    assert np.isfinite(done.total)


def test_replay_with_other_data_is_refused(diverged):
    message = "is of step 4, the run has 3 steps\nReplay it with the corpus and the options of the run."
    with pytest.raises(DataError, match=re.escape(message)):
        replay(newest_capture(diverged[0]), lambda: poisoned_task(num_steps=3))


def test_a_gradient_without_a_bad_loss_is_named_in_the_error(tmp_path):
    class Steep(SmallObjective):
        def loss(self, model, batch):
            model.head.weight.register_hook(lambda gradient: gradient * float("nan"))
            return super().loss(model, batch)

    with pytest.raises(DivergedError, match=r"the gradient of step 0 has the norm nan at a learning rate of"):
        train_network(tmp_path / "run", small_task(objective=Steep()))


def test_damaged_capture_is_refused_and_none_is_none(diverged, tmp_path):
    assert newest_capture(tmp_path) is None
    file = diverged[0] / "captures" / "step-00000004" / "state.json"
    before = file.read_bytes()
    file.write_bytes(before[:-1] + b"!")
    with pytest.raises(DataError, match=r"is damaged: its sha256 is not the one in the manifest"):
        newest_capture(diverged[0])
    file.write_bytes(before)


def test_capture_that_cannot_be_written_costs_one_warning(tmp_path, capsys, monkeypatch):
    def full(*given, **more):
        raise captures.DataError("no room")

    monkeypatch.setattr(captures, "commit_folder", full)
    with pytest.raises(DivergedError) as caught:
        train_network(tmp_path / "run", poisoned_task())
    assert "--replay" not in str(caught.value)
    assert "WARNING: the step is not captured: no room" in capsys.readouterr().err
