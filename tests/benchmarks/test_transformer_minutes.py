"""The same minutes: what saved models and frequencies score, the rows that the peer gets, the table and the targets."""

import argparse
import math

import numpy as np
import pytest

from benchmarks.tables import TABLES
from benchmarks.targets import targets
from benchmarks.transformer_minutes import by_frequencies, save_rows, scores_of
from benchmarks.transformer_peers import peer_settings, prepared_objective, save_start

SMALL = {"layers": 1, "width": 32, "heads": 2, "vocabulary_size": 300, "length": 16, "validation_share": 0.2}


@pytest.fixture(params=["masked_lm", "next_token"])
def prepared(request, tmp_path):
    from corpora.generate import facts

    text = tmp_path / "text.txt"
    text.write_text("".join(f"{fact}\n" for fact in facts(size=60)))
    arguments = argparse.Namespace(objective=request.param, text=text)
    return prepared_objective(arguments, {**SMALL, "seed": 3}, tmp_path / "cache")


def test_saved_model_scores_what_training_says(prepared, tmp_path):
    from textssl.training.gradient_task import GradientTask

    save_start(prepared, tmp_path / "start")
    found = scores_of(prepared, tmp_path / "start")
    expected = GradientTask(prepared.gradients(), device="cpu", seed=3).evaluate()
    assert found == pytest.approx(expected, rel=1e-5)  # summed in float64 here


def test_rows_are_those_of_training(prepared, tmp_path):
    save_rows(prepared, tmp_path / "rows.npy")
    rows = np.load(tmp_path / "rows.npy")
    numbers = np.arange(prepared.training.num_rows, dtype=np.int64)
    assert np.array_equal(rows, prepared.training.rows(numbers).ids_BT[:, :16])


def test_frequencies_score_the_entropy_of_tokens_that_are_equally_frequent(prepared, tmp_path):
    size = prepared.corpus.tokenizer.vocabulary_size
    np.save(tmp_path / "rows.npy", np.arange(size)[None])
    found = by_frequencies(prepared, tmp_path / "rows.npy", np.array([5, -1, 7]))
    assert found["loss_nats"] == pytest.approx(math.log(size))


def test_peer_is_told_the_options_of_textssl(prepared, tmp_path):
    arguments = argparse.Namespace(objective="x", threads=2)
    told = peer_settings(arguments, prepared.config, start=tmp_path, rows=tmp_path, work=tmp_path)
    config = prepared.config
    assert (told["learning_rate"], told["batch"], told["beta2"]) == (2e-3, 32, config.beta2)
    assert told["mask_rate"] == getattr(config, "mask_rate", 0.0)


def test_table_and_targets_read_the_result():
    def scores(loss):
        return {"steps": 1000, "tokens_per_s": 4567.8, "trained_s": 899.6, "loss_nats": loss, "bits_per_byte": loss / 2}

    result = {
        "machine": {"processor": "p", "cores": 1, "memory_gb": 1},
        "versions": dict.fromkeys(("python", "numpy", "numba"), "1"),
        "protocol": "how", "date": "today", "command": "c", "setting": {"minutes": 15.0},
        "contestants": {"textssl": scores(4.0), "transformers": scores(4.5)},
        "baselines": {"untrained": {"loss_nats": 9.0, "bits_per_byte": 4.5}},
    }  # fmt: skip
    results = {"transformer_minutes_next_token": result}
    table = TABLES["minutes_next_token"](results)
    assert "| next_token, 15 minutes | steps | tokens/s | s | loss, nats a token | bits per byte |" in table
    assert "| textssl | 1,000 | 4,568 | 900 | 4.000 | 2.000 |" in table
    assert "| untrained |  |  |  | 9.000 | 4.500 |" in table
    label = "next_token after 15 minutes, bits per byte below the Trainer's"
    assert {row[0]: row[2:] for row in targets(results)}[label] == ["+0.250", "yes"]
    result["setting"]["minutes"] = 1
    assert {row[0]: row[2:] for row in targets(results)}[label] == ["not measured", ""]
