"""Every failure becomes one screen of text and an exit code."""

from __future__ import annotations

import errno

import pytest

import textssl.training.devices  # noqa: F401  (knows what full memory looks like; what fills it has imported it)
from textssl import cli_errors
from textssl.errors import DataError, DivergedError, Interrupted, ResourceError, UsageError


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            UsageError("window must be at least 1, got 0"),
            2,
            "error: window must be at least 1, got 0\n  next: See: textssl --help\n",
        ),
        (
            DataError("is empty", where="a.txt", hint="Choose another."),
            3,
            "error: a.txt: is empty\n  next: Choose another.\n",
        ),
        (ResourceError("no space"), 4, "error: no space\n"),
        (DivergedError("loss is nan"), 5, "error: loss is nan\n"),
        (Interrupted(15), 143, "error: stopped by signal 15, a checkpoint is saved\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
        (MemoryError(), 4, "error: out of memory\n"),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
            4,
            "error: out of memory: CUDA out of memory. Tried to allocate 2 GiB\n  next: Choose a smaller batch",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "q.txt"),
            3,
            "error: q.txt: no such file or directory\n",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "q.txt"), 4, "error: q.txt: permission denied\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 4, "error: no space left on device\n"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "no"), 4, "error: the terminal cannot show this text (ascii)\n"),
        (
            RuntimeError("odd"),
            1,
            "error: this is a bug in textssl: RuntimeError: odd\n  next: Run it again with --debug",
        ),
        (OSError("strange"), 1, "error: this is a bug in textssl: OSError: strange\n"),
    ],
)
def test_error_gives_its_exit_code_and_text(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
):
    assert cli_errors.report(error, debug=False) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(text)
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_debug_adds_the_traceback(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(UsageError) as caught:
        raise UsageError("wrong")
    assert cli_errors.report(caught.value, debug=True) == 2
    captured = capsys.readouterr()
    assert "Traceback (most recent call last)" in captured.err
    assert captured.err.endswith("error: wrong\n  next: See: textssl --help\n")


def test_system_exit_keeps_its_code():
    assert cli_errors.report(SystemExit(7), debug=False) == 7
    assert cli_errors.report(SystemExit(), debug=False) == 0
    assert cli_errors.report(SystemExit("text"), debug=False) == 1


def test_layout_never_fills_more_than_one_screen():
    text = cli_errors.layout("x" * 10_000 + "\nline" * 500, "place", "y" * 10_000)
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 420
    assert "... and 486 more lines" in text


def test_layout_indents_further_lines_under_the_first():
    assert cli_errors.layout("holds another run:\nwindow: 5 -> 8", "runs/x", None) == (
        "error: runs/x: holds another run:\n       window: 5 -> 8\n"
    )
