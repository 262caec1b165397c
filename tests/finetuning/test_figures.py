"""The pictures are drawn for two classes and for many, and names in them are never read as markup."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.finetuning import figures
from textssl.finetuning.figures import draw_confusion, draw_learning

PNG = b"\x89PNG"


@pytest.mark.parametrize("size", [2, 70])
def test_confusion_is_drawn(size):
    names = [f"$class_{number}^{{" for number in range(size)]
    assert draw_confusion(np.eye(size, dtype=np.int64), names, title="a $b").startswith(PNG)


def test_confusion_numbers_every_cell(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "as_png", lambda figure: drawn.append(figure) or b"")
    draw_confusion(np.array([[1200, 3], [0, 9]]), ["a", "b"], title="t")
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["1,200", "3", "0", "9"]


def test_learning_has_a_panel_for_what_there_is(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "as_png", lambda figure: drawn.append(figure) or b"")
    losses = {"seed 1": ([0.5, 1], [1.0, 0.5]), "seed 2": ([0.5, 1], [1.1, 0.6])}
    draw_learning(losses, {"seed 1": ([1], [0.9])}, title="t", score="accuracy")
    draw_learning(losses, {}, title="t", score="accuracy")
    assert [[plot.get_ylabel() for plot in figure.axes] for figure in drawn] == [
        ["training loss (nats)", "dev accuracy"], ["training loss (nats)"]
    ]  # fmt: skip
    assert len(drawn[0].axes[0].lines) == 2
