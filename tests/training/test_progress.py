"""Progress: what is shown, and when."""

import io
import math
import sys

import pytest

from textssl.training.progress import (
    LiveProgress,
    PlainProgress,
    SilentProgress,
    Situation,
    duration_text,
    line_of,
    make_progress,
    number_text,
)
from textssl.training.summary import smoothed

SITUATION = Situation(
    fraction=0.261,
    epoch=1.305,
    num_epochs=5,
    unit="words",
    units_per_s=4_214_000,
    loss_nats=2.34567,
    learning_rate=0.0432,
    remaining_s=72.4,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


def test_line_tells_share_epoch_speed_loss_rate_and_time():
    assert line_of(SITUATION) == " 26.1 %  epoch 1.30/5  4.21 M words/s  loss 2.3457  learning rate 0.0432  ETA 1:12"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (951, "951"),
        (999.6, "1 k"),
        (12_345, "12.3 k"),
        (4_214_000, "4.21 M"),
        (2.5e9, "2.5 G"),
        (3e13, "3e+04 G"),
    ],
)
def test_number_text_has_three_digits(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (125, "2:05"), (3725, "1:02:05")])
def test_duration_text(seconds, text):
    assert duration_text(seconds) == text


def test_plain_lines_come_after_a_second_and_then_at_growing_distances():
    clock, stream = Clock(), io.StringIO()
    progress = PlainProgress(stream, clock=clock)
    progress.start("Training")
    assert stream.getvalue() == "Training\n"
    times = []
    for _ in range(20_000):  # 2,000 s
        before = stream.tell()
        progress.update(SITUATION)
        if stream.tell() > before:
            times.append(clock.now - 50)
        clock.now += 0.1
    distances = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert times[0] <= 1.2
    assert max(distance for distance, at in zip(distances, times, strict=False) if at < 100) <= 11
    assert max(distances) <= 61
    assert 40 < len(times) < 100
    progress.close()
    assert stream.getvalue().endswith(line_of(SITUATION) + "\n")
    length = stream.tell()
    progress.close()
    assert stream.tell() == length


def test_live_line_is_one_line_that_stays_at_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream, clock = Terminal(), Clock()
    progress = make_progress(stream)
    assert isinstance(progress, LiveProgress)
    progress = LiveProgress(stream, clock=clock)
    progress.message("before")
    progress.start("Training [bold]x[/bold]")
    for _ in range(100):
        progress.update(SITUATION)
        clock.now += 0.01
    shown = stream.getvalue().count("epoch 1.30")
    assert 5 <= shown <= 12
    progress.message("epoch 1: loss 2.3 [red]")
    progress.close()
    progress.close()
    text = stream.getvalue()
    assert text.startswith("before\nTraining [bold]x[/bold]")
    assert "[red]" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is shown again


def test_live_line_has_no_colour(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    progress = LiveProgress(stream)
    progress.start("Training 5 words")
    progress.update(SITUATION)
    progress.close()
    assert "\x1b[3" not in stream.getvalue()


def test_terminal_that_cannot_move_the_cursor_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_progress(Terminal()), PlainProgress)
    assert isinstance(make_progress(io.StringIO()), PlainProgress)


def test_default_stream_is_the_error_stream(capsys):
    make_progress().message("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_silent_progress_shows_warnings_only(capsys):
    stream = io.StringIO()
    for progress in (SilentProgress(stream), SilentProgress()):
        progress.start("x")
        progress.update(SITUATION)
        progress.message("epoch 1")
        progress.message("WARNING: damaged")
        progress.close()
    assert stream.getvalue() == "WARNING: damaged\n"
    assert capsys.readouterr().err == "WARNING: damaged\n"


def test_rich_is_imported_for_a_terminal_only():
    import subprocess

    code = "import sys, textssl.training.trainer; print([m for m in ('rich', 'torch', 'numba') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_shown_loss_looks_back_ten_steps_and_less_in_a_short_run():
    assert smoothed(math.nan, 3.0, 10_000) == 3.0
    assert smoothed(2.0, 3.0, 10_000) == pytest.approx(2.1)
    assert smoothed(2.0, 3.0, 40) == pytest.approx(2.5)
    assert smoothed(2.0, 3.0, 12) == 3.0
