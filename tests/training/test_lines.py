"""What a run says: few lines of many epochs, and never a loss that is no number."""

from __future__ import annotations

import io
import math

import pytest

from tests.training.small_task import UNITS_PER_STEP, SmallTask, train
from textssl.errors import DataError
from textssl.training import lines
from textssl.training.progress import PlainProgress
from textssl.training.task import StepResult


@pytest.mark.parametrize("num_epochs", [1, 2, 19, 20, 20.5, 21, 45, 400, 12_345])
def test_few_epochs_have_lines_and_always_the_first_and_the_last(num_epochs):
    last = math.ceil(num_epochs)
    told = [number for number in range(1, last + 1) if lines.is_told(number, num_epochs)]
    assert told[0] == 1
    assert told[-1] == last
    assert len(told) <= lines.MOST_EPOCH_LINES + 2
    assert num_epochs > lines.MOST_EPOCH_LINES or len(told) == last


def test_a_loss_without_terms_is_said_in_words():
    assert lines.epoch_line(3, math.nan) == "epoch 3: nothing to learn from"
    assert lines.epoch_line(3, 2.0) == "epoch 3: loss 2.0000"
    assert lines.losses_text((math.nan, 1.5)) == "-  1.5000"


def test_losses_of_many_epochs_say_how_many_are_shown():
    assert lines.losses_text(tuple(map(float, range(1, 41)))).endswith("38.0000  40.0000  (21 of 40 epochs)")


def test_an_evaluation_says_by_what_it_is_the_best():
    assert lines.evaluation_line(1_200, {"loss_nats": 1.5}, None) == "evaluation at step 1,200: loss_nats 1.5"
    assert lines.evaluation_line(7, {"f1": 0.5}, "f1") == "evaluation at step 7: f1 0.5  (best by f1)"


class EmptyTask(SmallTask):
    """No step of the first epochs has a term of the loss."""

    def __init__(self, num_empty: int) -> None:
        super().__init__(num_steps=24, epochs=3)
        self.num_empty = num_empty

    def step(self, index: int) -> StepResult:
        return super().step(index) if index >= self.num_empty else StepResult(0.0, 0.0, UNITS_PER_STEP)


def test_a_run_without_a_term_of_the_loss_is_an_error(tmp_path):
    with pytest.raises(
        DataError, match="there was nothing to learn from in 240 words: the loss had no terms"
    ) as caught:
        train(tmp_path / "run", EmptyTask(24))
    assert caught.value.hint == "Train on more data, or with options that leave less of it out."


def test_a_run_with_terms_in_some_epochs_is_none(tmp_path):
    summary = train(tmp_path / "run", EmptyTask(8))
    assert [math.isnan(loss) for loss in summary.epoch_losses] == [True, False, False]


def test_a_run_of_many_epochs_tells_of_some(tmp_path):
    stream = io.StringIO()
    train(tmp_path / "run", SmallTask(num_steps=400, epochs=400), progress=PlainProgress(stream))
    lines_written = stream.getvalue().splitlines()
    told = [line.split(":")[0] for line in lines_written if line.startswith("epoch")]
    assert told == ["epoch 1", *(f"epoch {number}" for number in range(20, 401, 20))]
    assert len([line for line in lines_written if line.startswith("evaluation")]) == len(told)
