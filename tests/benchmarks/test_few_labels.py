"""Few labels: tables cut from small data sets, every method measured, results that add up to tables and targets."""

import csv
import json
import lzma
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.few_labels import OPTIONS, methods_of
from benchmarks.few_labels_data import CONTESTANTS, write_tables, write_unlabelled
from benchmarks.tables import TABLES
from benchmarks.targets import targets

ROOT = Path(__file__).parents[2]
GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "poor", "dull")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Both data sets in small, in the layout of the real ones."""
    folder = tmp_path_factory.mktemp("data")
    rows = [
        (number % 2, f"the film {number} is {(BAD, GOOD)[number % 2][number // 2 % 4]} indeed") for number in range(300)
    ]
    sst2 = "".join(f"{label}\t{text}\n" for label, text in rows)
    _pack(folder / "sst2/train.tsv.xz", "label\tsentence\n" + sst2)
    _pack(folder / "sst2/dev.tsv.xz", "label\tcontent\n" + sst2[: len(sst2) // 3].rpartition("\n")[0] + "\n")
    news = "".join(f'{number % 4 + 1},"News, {number}",what\\happened {number}\n' for number in range(300))
    _pack(folder / "agnews/train_subset_20k.csv.xz", "class_index,title,description\n" + news)
    _pack(folder / "agnews/test.csv.xz", '"3","Fears","Unions say"\n"4","Race","A second\\team"\n')
    return folder


def _pack(target, text):
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(lzma.compress(text.encode()))


def _read(table):
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_tables_part_the_training_rows_and_take_the_whole_test(data, tmp_path):
    tables = write_tables("agnews", data, tmp_path, num_dev=40)
    train, dev, test = (_read(table) for table in (tables.train, tables.dev, tables.test))
    assert (len(train), len(dev)) == (261, 41)
    assert train[0] == dev[0] == test[0] == ["text", "label"]
    assert not {text for text, _ in train[1:]} & {text for text, _ in dev[1:]}
    assert [sum(label == name for _, label in dev[1:]) for name in "1234"] == [10, 10, 10, 10]
    assert test[1:] == [["Fears Unions say", "3"], ["Race A second team", "4"]]


def test_tables_are_the_same_at_every_call_and_the_test_can_be_cut(data, tmp_path):
    first = [_read(table) for table in vars(write_tables("sst2", data, tmp_path, num_dev=40)).values()]
    again = [_read(table) for table in vars(write_tables("sst2", data, tmp_path, num_dev=40, num_tests=5)).values()]
    assert first[:2] == again[:2]
    assert first[2][:6] == again[2]


def test_unlabelled_text_holds_all_training_texts_and_articles_but_no_test(data, tmp_path):
    wiki, target = tmp_path / "wiki.txt", tmp_path / "text.jsonl"
    wiki.write_text("An article.\nAnother one.\nA third one.\n")
    assert write_unlabelled(target, data, wiki, 2) == 602
    texts = [json.loads(line)["text"] for line in target.read_text().splitlines()]
    assert texts[0] == "News, 0 what happened 0"
    assert texts[-2:] == ["An article.", "Another one."]
    assert not any("Unions" in text for text in texts)


def test_every_contestant_has_options():
    assert list(OPTIONS) == list(CONTESTANTS)


def test_methods_have_the_scores_of_the_seeds_beside_the_mean():
    score = SimpleNamespace(mean=0.5, deviation=0.1)
    found = SimpleNamespace(
        methods=[SimpleNamespace(name=name, scores={"accuracy": score}) for name in ("fine-tuned x", "majority")],
        seeds=[SimpleNamespace(test={"accuracy": value}) for value in (0.4, 0.6)],
        scored_on="test", primary="accuracy",
    )  # fmt: skip
    methods = methods_of(found, "untrained", 2)
    assert list(methods) == [CONTESTANTS["untrained"], "majority"]
    assert methods[CONTESTANTS["untrained"]] == {"mean": 0.5, "deviation": 0.1, "seeds": 2, "all": [0.4, 0.6]}
    assert "all" not in methods["majority"]


def test_small_run_writes_a_result_and_is_not_repeated(data, tmp_path):
    import textssl

    corpus = tmp_path / "texts.jsonl"
    write_unlabelled(corpus, data, None, 0)
    small = {"layers": 1, "width": 32, "heads": 2, "vocabulary_size": 300, "length": 16, "max_steps": 2}
    textssl.train("masked_lm", corpus, out=tmp_path / "lm", device="cpu", cache=tmp_path / "cache", **small)
    command = [sys.executable, "-m", "benchmarks.few_labels", "--tasks", "sst2", "--sizes", "20", "--seeds", "2",
               "--epochs", "1", "--work", tmp_path / "few", "--model", tmp_path / "lm", "--data", data,
               "--results", tmp_path / "results", "--threads", "1", "--dev-rows", "40"]  # fmt: skip
    run = [
        subprocess.run(
            list(map(str, command)), cwd=ROOT, check=True, timeout=300, capture_output=True, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for _ in range(2)
    ]  # fmt: skip
    assert "few_labels_sst2_20 is there already" in run[1].stderr
    result = json.loads((tmp_path / "results" / "few_labels_sst2_20.json").read_text())
    assert list(result["methods"])[0] == CONTESTANTS["pretrained"]
    assert set(CONTESTANTS.values()) < set(result["methods"])
    assert result["methods"]["majority"]["mean"] == pytest.approx(0.5, abs=0.01)
    assert result["pretraining"]["steps"] == 2
    assert all(len(result["methods"][name]["all"]) == 2 for name in CONTESTANTS.values())


def test_table_and_targets_read_the_results():
    record = {
        "machine": {"processor": "p", "cores": 1, "memory_gb": 1},
        "versions": dict.fromkeys(("python", "numpy", "numba"), "1"),
        "protocol": "how", "date": "today", "command": "c",
    }  # fmt: skip
    score = {"deviation": 0.01, "seeds": 5}
    methods = {
        CONTESTANTS["pretrained"]: {**score, "mean": 0.85},
        CONTESTANTS["untrained"]: {**score, "mean": 0.80},
        "majority": {**score, "mean": 0.25, "deviation": 0.0},
    }
    measured = {"labels": 200, "seeds": 5, "standard_error_of_test": 0.004, "methods": methods}
    results = {"few_labels_agnews_200": {**record, **measured}}
    table = TABLES["few_labels_agnews"](results)
    assert "| AG News | 200 labels, 5 seeds |" in table
    assert "| pre-trained, fine-tuned | 85.0 ± 1.0 |" in table
    assert "| standard error of the test | 0.4 |" in table
    rows = {row[0]: row[2:] for row in targets(results)}
    assert rows["AG News, 200 labels, points that pre-training gives"] == ["+5.0", "yes"]
    assert rows["AG News, 2,000 labels, points that pre-training gives"] == ["not measured", ""]
