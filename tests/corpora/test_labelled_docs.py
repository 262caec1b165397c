"""Docstrings of the standard library, labelled with the package they stand in."""

import random
from collections import Counter

import pytest

import corpora
from corpora import labelled_docs as module


@pytest.fixture(scope="module")
def sets():
    return module.labelled_docs()


def test_labelled_docs_have_enough_of_every_package(sets):
    for package in module.PACKAGES:
        assert Counter(row.label for row in sets.train)[package] == module.NUM_TRAIN
        assert Counter(row.label for row in sets.test)[package] >= 20


def test_labelled_docs_share_no_text_and_no_text_names_its_package(sets):
    texts = [row.text for row in (*sets.train, *sets.test)]
    assert len(set(texts)) == len(texts)
    assert not [row for row in (*sets.train, *sets.test) if row.label in row.text]


def test_labelled_docs_are_mixed_so_that_classes_do_not_stand_in_blocks(sets):
    neighbours = [first.label == second.label for first, second in zip(sets.train, sets.train[1:], strict=False)]
    assert sum(neighbours) < len(neighbours) / 3


def package(folder, name, texts):
    (folder / name).mkdir()
    lines = (f'def f{number}():\n    """{text}"""' for number, text in enumerate(texts))
    (folder / name / "a.py").write_text("\n".join(lines) + "\n")


def sentences(name, number):
    draw = random.Random(name)
    letters = "abcdefghijkl"
    return [" ".join("".join(draw.choices(letters, k=6)) for _ in range(6)) for _ in range(number)]


def test_labelled_docs_leave_out_what_tells_its_label_and_what_stands_in_two_packages(tmp_path):
    shared = "this text stands in two packages"
    for name in module.PACKAGES:
        package(tmp_path, name, [*sentences(name, 40), f"a text of the {name} package here", shared, "too short"])
    made = module.labelled_below(tmp_path)
    texts = {row.text for row in (*made.train, *made.test)}
    assert len(made.train) == 30 * len(module.PACKAGES)
    assert len(made.test) == 10 * len(module.PACKAGES)
    assert shared not in texts
    assert not [text for text in texts if "package here" in text]


def test_labelled_docs_without_enough_docstrings_is_an_error(tmp_path):
    package(tmp_path, "asyncio", sentences("asyncio", 3))
    with pytest.raises(
        corpora.CorpusError, match="the package asyncio has 3 docstrings to use, more than 30 are needed"
    ) as caught:
        module.labelled_below(tmp_path)
    assert caught.value.hint == "use a Python that is installed with the sources of its standard library"
