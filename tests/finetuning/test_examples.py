"""Splits by hash, limits in proportion, and texts that stand in two sets."""

from __future__ import annotations

import numpy as np
import pytest

from textssl.errors import DataError, UsageError
from textssl.finetuning.examples import (
    Examples,
    contradictions,
    cut_off,
    drawn,
    overlaps,
    places_text,
    shows_its_label,
)


def examples(texts: list[str], labels: list[str] | None = None, pairs: list[str] | None = None) -> Examples:
    return Examples("t.csv", texts, pairs, labels or ["x"] * len(texts), range(1, len(texts) + 1))


def test_places_are_listed_up_to_five():
    some = examples([str(n) for n in range(9)])
    assert places_text(some, [2]) == "line 3"
    assert places_text(some, range(9)) == "lines 1, 2, 3, 4, 5 and 4 more"


def test_cut_off_is_a_share_that_seed_and_row_decide():
    whole = examples([f"text {n}" for n in range(1000)])
    rest, dev = cut_off(whole, share=0.1, seed=1)
    assert (len(rest), len(dev)) == (900, 100)
    assert sorted([*rest.texts, *dev.texts]) == sorted(whole.texts)
    assert list(dev.places) == sorted(dev.places)
    assert cut_off(whole, share=0.1, seed=1)[1].texts == dev.texts
    assert cut_off(whole, share=0.1, seed=2)[1].texts != dev.texts


def test_cut_off_keeps_equal_texts_on_one_side():
    whole = examples([f"Text, {n % 50}!" if n % 2 else f"text {n % 50}" for n in range(400)])
    rest, dev = cut_off(whole, share=0.2, seed=3)
    assert overlaps({"train": rest, "dev": dev}) == []
    assert len(dev) in range(80, 89)
    both, other = cut_off(examples(["a", "a", "a", "b"]), share=0.5, seed=1)
    assert len(both) + len(other) == 4
    assert both.texts[0] != other.texts[0]


def test_cut_off_of_one_text_is_refused():
    with pytest.raises(DataError, match="the 3 rows hold 1 different text, two sets need at least 2"):
        cut_off(examples(["a", "A", "a."]), share=0.1, seed=1)


def test_cut_off_keeps_classes_in_proportion():
    classes = np.array([0] * 70 + [1] * 26 + [2] * 4)
    whole = examples([f"text {n}" for n in range(100)], [str(c) for c in classes])
    rest, dev = cut_off(whole, share=0.1, seed=1, classes=classes)
    assert sorted(dev.labels) == ["0"] * 7 + ["1"] * 3  # of 7, 2.6 and 0.4 the second has the largest remainder
    assert len(rest) == 90
    assert cut_off(whole, share=0.1, seed=1, classes=classes)[1].texts == dev.texts
    assert cut_off(whole, share=0.1, seed=2, classes=classes)[1].texts != dev.texts


def test_cut_off_leaves_a_text_of_every_class_to_learn_from():
    classes = np.array([0, 0, 0, 1, 2, 2, 2, 2])
    whole = examples(["a", "b", "c", "rare", "same", "same", "same", "same"], [str(c) for c in classes])
    for seed in range(8):
        rest, dev = cut_off(whole, share=0.5, seed=seed, classes=classes)
        assert dev.labels == ["0", "0"]  # the others have one text each
        assert set(rest.labels) == {"0", "1", "2"}
    message = "there is one text of each of 2 classes, so that none can be kept back to decide by\nGive --dev-share 0"
    with pytest.raises(DataError, match=message):
        cut_off(examples(["a", "b"], ["x", "y"]), share=0.5, seed=1, classes=np.array([0, 1]))


def test_limit_keeps_classes_in_proportion():
    classes = np.array([0] * 80 + [1] * 20)
    rows = drawn(100, size=10, classes=classes, seed=1)
    assert sorted(classes[rows]) == [0] * 8 + [1] * 2
    assert drawn(100, size=100, classes=classes, seed=1).tolist() == list(range(100))
    assert drawn(100, size=10, classes=None, seed=1).tolist() != drawn(100, size=10, classes=None, seed=2).tolist()
    for size in (1, 101):
        with pytest.raises(UsageError, match=f"train_limit must be from 2, one for each class, to 100, .* got {size}"):
            drawn(100, size=size, classes=classes, seed=1)


def test_overlaps_tell_exact_from_normalised_copies():
    train = examples(["One two.", "three", "four"])
    dev = examples(["five", "FOUR!"])
    test = examples(["One two.", "one  TWO", "six", "five"])
    found = overlaps({"train": train, "dev": dev, "test": test})
    assert [(each.first, each.second, each.exact, each.normalised) for each in found] == [
        ("dev", "train", 0, 1), ("test", "train", 1, 2), ("test", "dev", 1, 1)
    ]  # fmt: skip
    assert str(found[1]) == "2 rows of the test set stand in the train set too (1 letter by letter): lines 1, 2"


def test_overlaps_do_not_take_signs_for_nothing():
    assert overlaps({"train": examples(["?!", "क"]), "test": examples(["...", "कि"])}) == []


def test_overlaps_look_at_both_texts_of_a_pair():
    train, test = examples(["a"], pairs=["b"]), examples(["a", "a"], pairs=["c", "b"])
    assert [each.normalised for each in overlaps({"train": train, "test": test})] == [1]


def test_contradictions_are_equal_texts_with_other_labels():
    assert contradictions(examples(["a", "b", "a", "a"], ["x", "x", "x", "y"])) == [3]


def test_texts_that_show_their_label_are_noticed():
    labels = ["good", "bad"] * 20
    assert shows_its_label(examples([f"A {label.upper()}, film" for label in labels], labels))
    assert not shows_its_label(examples(["a film"] * 40, labels))
    assert not shows_its_label(examples(["good", "bad"], ["good", "bad"]))
