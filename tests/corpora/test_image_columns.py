"""Images in Parquet files and in datasets; no test uses the network."""

import json

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import corpora
from tests.corpora.images_made import encoded, gradient, refused, save

datasets = pytest.importorskip("datasets")
FILES = [encoded(gradient(start=place)) for place in range(3)]
NOTE = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}


def write(path, columns, note=None):
    table = pyarrow.table(columns)
    if note is not None:
        table = table.replace_schema_metadata({"huggingface": note})
    parquet.write_table(table, path)
    return path


@pytest.mark.parametrize("cells", [FILES, [{"bytes": file, "path": None} for file in FILES]])
def test_parquet_column_of_image_files(tmp_path, cells):
    path = write(tmp_path / "a.parquet", {"id": [1, 2, 3], "image": cells, "label": [1, None, 0]}, json.dumps(NOTE))
    images = corpora.load_images(path)
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert (images.labels.tolist(), images.label_names) == ([1, -1, 0], ("cat", "dog"))
    assert corpora.load_images(path, limit=2).labels.tolist() == [1, -1]


def test_parquet_labels_in_text_and_other_names(tmp_path):
    path = write(tmp_path / "a.parquet", {"img": FILES, "kind": ["b", None, "a10"]}, "no JSON")
    images = corpora.load_images(path, image_field="img", label_field="kind")
    assert (images.labels.tolist(), images.label_names) == ([1, -1, 0], ("a10", "b"))
    assert corpora.load_images(path, image_field="img").labels is None
    assert "did you mean img" in refused(path, "no field 'imag' or 'imags'", image_field="imag").hint


def test_parquet_cells_that_are_no_images_are_named_by_row(tmp_path):
    path = write(tmp_path / "a.parquet", {"image": [FILES[0], None, FILES[2]]})
    assert refused(path, "no image that Pillow knows").where.endswith("a.parquet, row 2")
    assert corpora.load_images(path, on_bad="skip").report() == {"images skipped that cannot be read": 1}
    path = write(tmp_path / "b.parquet", {"image": [1, 2], "label": [[1], [1, 2]]})
    assert refused(path, "the cell holds int, an image file is expected").where.endswith("b.parquet, row 1")
    path = write(tmp_path / "c.parquet", {"image": FILES[:2], "label": [[1], [1, 2]]})
    refused(path, "the labels hold list; whole numbers or text are expected")
    refused(write(tmp_path / "d.parquet", {"image": pyarrow.array([], pyarrow.binary())}), "there is no image in it")
    (tmp_path / "e.parquet").write_bytes(b"PAR1 and no more")
    refused(tmp_path / "e.parquet", "the Parquet file is damaged")


def test_dataset_column_of_images(tmp_path, monkeypatch):
    label, text = datasets.ClassLabel(names=["cat", "dog"]), datasets.Value("string")
    features = datasets.Features({"image": datasets.Image(), "label": label, "text": text})
    beside = str(save(tmp_path / "a.png", gradient(start=9)))
    rows = {"image": [{"bytes": FILES[1], "path": None}, {"bytes": None, "path": beside}]}
    made = datasets.Dataset.from_dict({**rows, "label": [1, 0], "text": ["x", "y"]}, features=features)
    asked = []

    def load_dataset(path, config=None, *, split):
        asked.append((path, config, split))
        return made

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    images = corpora.load_images("hub:owner/name:test")
    assert asked == [("owner/name", None, "test")]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 9]
    assert (images.labels.tolist(), images.label_names) == ([1, 0], ("cat", "dog"))
    limited = corpora.load_images("owner/name", format="hub", limit=1)
    assert (limited.labels.tolist(), limited.name) == ([1], "owner/name")
    refused("hub:owner/name", "column 'text' holds .*, images are expected", image_field="text")
    assert np.array_equal(corpora.load_images("hub:owner/name", label_field="text").labels, [0, 1])
