"""Datasets opened through the library `datasets`; no test uses the network."""

import pytest

import corpora
from corpora.readers import hub

datasets = pytest.importorskip("datasets")


@pytest.fixture
def opened(monkeypatch):
    """Stands in for the hub; notes what was asked for."""
    asked = []

    def load_dataset(path, config=None, *, split):
        asked.append((path, config, split))
        return datasets.Dataset.from_dict({"text": ["one", None, "two\nlines"], "label": [1, 2, 3]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("hub:owner/name", ("owner/name", None, "train")),
        ("hub:owner/name:test", ("owner/name", None, "test")),
        ("hub:owner/name/config:test", ("owner/name", "config", "test")),
        ("hub:name:train[:1%]", ("name", None, "train[:1%]")),
    ],
)
def test_hub_address_has_path_config_and_split(address, parts):
    assert hub.parts_of(address) == parts


def test_hub_rows_are_documents(opened):
    corpus = corpora.load("hub:owner/name:test")
    assert list(corpus) == ["one", "two lines"]
    assert corpus.report() == {"empty documents": 1}
    assert list(corpora.load("owner/name", format="hub", limit=1)) == ["one"]
    assert opened == [("owner/name", None, "test"), ("owner/name", None, "train")]
    assert len(corpus.fingerprint()) == 64


def test_hub_missing_column_is_named_with_the_nearest(opened):
    with pytest.raises(corpora.CorpusError, match="no column 'txet'; the columns are: text, label") as caught:
        list(corpora.load("hub:owner/name", text_field="txet"))
    assert caught.value.hint == "did you mean text? (--text-field)"


def test_hub_column_that_is_no_text_is_refused(opened):
    with pytest.raises(corpora.CorpusError, match="row 1: column 'label' holds int, text is expected"):
        list(corpora.load("hub:owner/name", text_field="label"))


def test_hub_opens_a_local_folder_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("text,id\none,1\ntwo,2\n")
    assert list(corpora.load(f"hub:{tmp_path / 'data'}")) == ["one", "two"]
    with pytest.raises(corpora.CorpusError, match=r"datasets cannot open it \(split 'nope'\)"):
        list(corpora.load(f"hub:{tmp_path / 'data'}:nope"))


def test_hub_that_cannot_be_reached_says_so(monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionError("no route to host\nmore")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(corpora.CorpusError, match="the Hugging Face hub cannot be reached: no route to host") as caught:
        list(corpora.load("hub:owner/name"))
    assert caught.value.where == "hub:owner/name"
    assert "local files" in caught.value.hint


def test_hub_address_without_a_name_is_refused(tmp_path):
    with pytest.raises(corpora.CorpusError, match="no dataset is named by ':train'"):
        corpora.load("hub::train")
    with pytest.raises(corpora.CorpusError, match="format 'hub' takes a name, not a Path"):
        corpora.load(tmp_path, format="hub")
