"""`textssl demo --vision`, shortened."""

import json

import pytest

from textssl.commands import _demo_images
from textssl.commands import demo as module
from textssl.errors import UsageError


def test_demo_on_images_trains_measures_draws_and_reports(run, tmp_path, monkeypatch):
    monkeypatch.setattr(_demo_images, "SETTINGS", {**_demo_images.SETTINGS, "epochs": 1, "width": 4})
    monkeypatch.setattr(_demo_images, "METHOD", "pca")
    done = run("demo", "--vision", "--threads", "1")
    assert done.code == 0, done.err
    assert "4 of 4" in done.err
    assert "500 test images of digits-test, 1,297 training images, 10 labels" in done.out
    assert "the same network untrained" in done.out
    assert done.out.count("  textssl ") == 4
    folder = tmp_path / "runs/demo-vision"
    page = (folder / "report.html").read_text()
    for heading in ("Accuracy of the nearest neighbours", "Linear probe", "Collapse"):
        assert heading in page
    assert page.count("<img") >= 3
    again = run("demo", "--vision", "--threads", "1", "--json")
    assert "is finished already" in again.err
    assert json.loads(again.out)["evaluation"]["num_test"] == 500


def test_demo_on_images_needs_torch(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(UsageError, match="images need torch, which is not installed"):
        module.demo(vision=True)
