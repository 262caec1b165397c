"""The corpora that are always there: facts, the docstrings of Python, and both as the demonstration."""

import hashlib
import re
import subprocess
import sys
import time
from collections import Counter

import pytest

import corpora
from corpora import generate, python_docs
from corpora.tables import grammar, places, rows


@pytest.fixture(scope="module")
def documents() -> list[str]:
    return list(corpora.load("facts"))


@pytest.fixture(scope="module")
def words(documents) -> Counter:
    return Counter(word for document in documents for word in document.split())


def test_names_have_cards_and_open():
    assert corpora.names("text") == ["facts", "python", "demo"]
    for name in corpora.names("text"):
        card = corpora.card(name)
        assert card.name == name
        assert card.description.endswith(".")
        corpus = corpora.load(name, limit=3)
        assert corpus.name == name
        assert corpus.size_bytes is None


def test_card_of_an_unknown_name_names_the_nearest():
    with pytest.raises(corpora.CorpusError, match="no built-in corpus is named 'fatcs'") as caught:
        corpora.card("fatcs")
    assert caught.value.hint == "did you mean facts?"
    with pytest.raises(corpora.CorpusError, match="built-in corpora: facts, python, demo"):
        corpora.card("zzz")


def test_built_in_name_with_a_format_is_refused():
    with pytest.raises(corpora.CorpusError, match="format 'csv' was given with the built-in corpus 'facts'") as caught:
        corpora.load("facts", format="csv")
    assert "./facts" in caught.value.hint


def test_built_in_name_gives_way_to_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facts").write_text("a file of mine")
    assert list(corpora.load("./facts")) == ["a file of mine"]
    assert len(list(corpora.load("facts", limit=5))) == 5


def test_facts_are_those_of_the_card(documents):
    content = "".join(f"{document}\n" for document in documents).encode()
    card = corpora.card("facts")
    assert (len(content), hashlib.sha256(content).hexdigest()) == (card.size, card.sha256)


def test_facts_fingerprint_is_that_of_the_blocks():
    corpus = generate.facts(size=50)
    assert corpus.fingerprint() == hashlib.sha256(b"".join(corpus.blocks())).hexdigest()


def test_facts_follow_seed_and_size():
    first = list(generate.facts(seed=1, size=200))
    assert list(generate.facts(seed=1, size=200)) == first
    assert list(generate.facts(seed=2, size=200)) != first
    assert len(list(generate.facts(size=7))) <= 7
    with pytest.raises(corpora.CorpusError, match="size must be at least 1 sentence, got 0"):
        generate.facts(size=0)


def test_facts_are_lower_case_words_in_varied_sentences(documents, words):
    assert all(re.fullmatch("[a-z_]+", word) for word in words)
    assert len(set(documents)) > 0.95 * len(documents)
    assert not re.search(r"\ban [bcdfghjklmnpqrstvwxyz]|\ba [aeio]", " ".join(documents))


def test_facts_questions_are_in_google_layout_and_covered(words):
    lines = corpora.load("facts").questions.splitlines()
    sections = [line[2:] for line in lines if line.startswith(": ")]
    assert len(sections) == 14
    assert sections[:2] == ["capital-common-countries", "capital-world"]
    questions = [line.split() for line in lines if not line.startswith(": ")]
    assert len(questions) > 20_000
    assert all(len(set(question)) == 4 for question in questions)
    least = min((words[word], word) for question in questions for word in question)
    assert least[0] >= 20, least


def test_facts_tables_are_regular():
    assert ["athens", "greece"] == lines_of("capital-common-countries")[0][:2]
    for text, width in ((places.COUNTRIES, 5), (places.CITIES, 2), (grammar.VERBS, 4), (grammar.FAMILY, 2)):
        table = rows(text)
        assert {len(row.facts) for row in table} == {width}
        assert all(3 <= len(set(row.company)) == len(row.company) for row in table)
    for table in generate.tables().values():
        keys = [row.facts[0] for row in table.rows]
        assert len(keys) == len(set(keys))


def lines_of(section: str) -> list[list[str]]:
    body = generate.questions().split(f": {section}\n")[1].split("\n: ")[0]
    return sorted(line.split() for line in body.splitlines())


def test_facts_countries_and_capitals_are_well_known():
    pairs = generate.facts_countries_capitals()
    assert ("france", "paris") in pairs
    assert {capital for _, capital in pairs} == places.COMMON


def test_python_docs_are_english_prose_without_examples_in_stable_order():
    start = time.process_time()
    corpus = corpora.load("python")
    documents = list(corpus)
    assert time.process_time() - start < 15
    text = " ".join(documents).lower()
    assert len(text) > 500_000
    assert text.split().count("the") > 5_000
    assert not any(">>>" in document.split() for document in documents)
    assert documents == list(corpora.load("python"))


def test_python_docs_come_from_modules_classes_and_functions(tmp_path):
    (tmp_path / "b.py").write_text(
        '"""The module speaks first.\n\nAnother of its paragraphs.\n\n>>> no example at all\n"""\n'
        'class A:\n    """The class comes next."""\n'
        '    def f(self):\n        """The method\n        has two lines."""\n'
        "async def g():\n    '''The coroutine comes last.'''\n\"\"\"Not a docstring at all.\"\"\"\n"
    )
    (tmp_path / "a.py").write_text("def broken(:\n")
    (tmp_path / "c.py").write_text('"""short"""\n')
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "d.py").write_text('"""The tests are left out."""\n')
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "e.py").write_text('"""The package is read too."""\n')
    assert list(python_docs.paragraphs(tmp_path)) == [
        "The module speaks first.",
        "Another of its paragraphs.",
        "The class comes next.",
        "The method has two lines.",
        "The coroutine comes last.",
        "The package is read too.",
    ]


def test_demo_is_facts_and_python_in_lower_case_words(documents):
    both = list(corpora.load("demo"))
    assert both[: len(documents)] == documents
    assert all(re.fullmatch("[a-z_' ]+", document) for document in both)
    assert len(both) > len(documents) + 5_000
    assert corpora.load("demo").questions == corpora.load("facts").questions


def test_document_corpus_without_text_is_an_error():
    from corpora.corpus import DocumentCorpus

    with pytest.raises(corpora.CorpusError, match="nothing: the corpus holds no text"):
        list(DocumentCorpus("nothing", lambda: ["", " "]))


def test_error_shows_where_and_what_to_do():
    error = corpora.CorpusError("what", where="file, line 3", hint="do this")
    assert str(error) == "file, line 3: what\ndo this"
    assert (error.message, error.where, error.hint) == ("what", "file, line 3", "do this")
    assert str(corpora.CorpusError("what")) == "what"
    assert isinstance(error, ValueError)


def test_import_is_light():
    code = "import sys, corpora; print(sorted({'pyarrow', 'datasets', 'numpy', 'lzma', 'textssl'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
