"""A fine-tuning learns, resumes exactly, keeps the best of its seeds, and says what is wrong with its data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.finetuning.small import texts
from textssl.embeddings import Embeddings
from textssl.errors import DataError, Interrupted, UsageError
from textssl.finetuning import study
from textssl.finetuning.classifier import open_classifier
from textssl.finetuning.embedding import open_text_model, untrained
from textssl.finetuning.examples import Examples
from textssl.finetuning.objective import outputs
from textssl.finetuning.options import FinetuneOptions
from textssl.finetuning.results import FinetuneResult, Score, score_text
from textssl.finetuning.run import finetune_run
from textssl.run_folder import RunFolder

FAST = FinetuneOptions(epochs=3, batch=8, learning_rate=1e-2, dropout=0.0, device="cpu", checkpoint_every="1000steps")


def examples(number: int, seed: int = 0, *, labels=None, pairs: bool = False, source: str = "t.csv") -> Examples:
    found, names = texts(number, seed)
    return Examples(source, found, [*found[2:], *found[:2]] if pairs else None, labels or names, range(2, number + 2))


def weights(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def test_run_learns_and_keeps_everything(encoder, tmp_path):
    notes: list[str] = []
    source, given = open_text_model(encoder), {"test": examples(30, 1), "options": FAST, "note": notes.append}
    result = finetune_run(source, examples(100), out=tmp_path / "run", **given)
    assert result.methods[0].scores["accuracy"].mean > 0.9
    assert [method.name for method in result.methods] == [
        "fine-tuned encoder",
        "majority",
        "TF-IDF + logistic regression",
    ]
    assert result.num_examples == {"train": 90, "dev": 10, "test": 30}
    assert result.classes[0][0] == "fruit"
    assert result.seeds[0].units_per_s > 0
    assert notes[0] == "90 train, 10 dev, 30 test texts; 2 classes: fruit, metal"
    for name in ("results.json", "confusion.png", "learning.png", "report.html", "metrics.jsonl"):
        assert (tmp_path / "run" / name).is_file(), name
    assert FinetuneResult.load(tmp_path / "run") == result
    model, labels = open_classifier(tmp_path / "run")
    assert labels.names == ("fruit", "metal")
    assert finetune_run(source, examples(100), out=tmp_path / "run", **given) == result
    assert notes[-1].endswith("is finished already; its result again:")
    (tmp_path / "run" / "results.json").unlink()  # as if it had been killed between training and scoring
    assert finetune_run(source, examples(100), out=tmp_path / "run", **given, pages=False) == result


class StopAt:
    """A progress line that asks the run to stop at a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.left = step

    def start(self, title: str) -> None: ...

    def message(self, text: str) -> None: ...

    def close(self) -> None: ...

    def update(self, situation) -> None:
        import os
        import signal

        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("method", ["full", "probe"])
def test_run_that_was_stopped_twice_is_the_run_that_was_not(encoder, tmp_path, method):
    options = dataclasses.replace(FAST, method=method, dropout=0.2, layer_decay=0.8)
    source, train = open_text_model(encoder), examples(60)
    whole = finetune_run(source, train, out=tmp_path / "whole", options=options, pages=False)
    for step in (4, 5):
        with pytest.raises(Interrupted):
            finetune_run(
                source,
                train,
                out=tmp_path / "cut",
                options=options,
                pages=False,
                make_progress=lambda at=step: StopAt(at),
            )
    finished = finetune_run(source, train, out=tmp_path / "cut", options=options, pages=False)
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")
    assert finished.methods == whole.methods


def test_run_of_several_seeds_gives_mean_and_spread_and_keeps_the_best(encoder, tmp_path):
    options = dataclasses.replace(FAST, seeds=3, epochs=1, learning_rate=3e-3, train_limit=4)
    source, vectors = open_text_model(encoder), Embeddings(["apple", "iron"], np.eye(2, dtype=np.float32))
    given = {"out": tmp_path / "run", "test": examples(30, 1), "vectors": vectors, "pages": False}
    with pytest.raises(Interrupted):
        finetune_run(source, examples(100), options=options, make_progress=lambda: StopAt(1), **given)
    assert RunFolder.view(tmp_path / "run").status()["state"] == "interrupted"
    result = finetune_run(source, examples(100), options=options, **given)
    assert [row.seed for row in result.seeds] == [1, 2, 3]
    assert result.num_examples["train"] == 4
    scores = [row.test["accuracy"] for row in result.seeds]
    assert result.methods[0].scores["accuracy"].mean == pytest.approx(np.mean(scores))
    assert result.methods[0].scores["accuracy"].deviation == pytest.approx(np.std(scores, ddof=1))
    assert [method.name for method in result.methods][-1] == "averaged word vectors + logistic regression"
    assert result.methods[2].scores["accuracy"].deviation > 0  # each seed draws its own rows
    best = max(result.seeds, key=lambda row: row.dev["accuracy"]).seed
    assert result.best_seed == best
    assert weights(tmp_path / "run") == weights(tmp_path / "run" / f"seed-{best}")
    assert RunFolder.view(tmp_path / "run").status()["state"] == "finished"


@pytest.mark.parametrize("limit", [None, 20])
def test_seeds_of_a_probe_pass_shared_texts_once_and_are_those_of_runs_of_their_own(
    encoder, tmp_path, monkeypatch, limit
):
    passed = []

    def counted(model, encoded, **options):
        passed.append((options.get("what"), len(encoded)))
        return outputs(model, encoded, **options)

    monkeypatch.setattr(study, "outputs", counted)
    options = dataclasses.replace(FAST, method="probe", train_limit=limit)
    source, given = open_text_model(encoder), {"dev": examples(10, 2), "test": examples(30, 1), "pages": False}
    together = dataclasses.replace(options, seeds=2)
    finetune_run(source, examples(100), out=tmp_path / "both", options=together, **given)
    assert passed == [("features", limit or 100), ("features", 10), *([("features", limit)] if limit else [])]
    alone = dataclasses.replace(options, seed=2)
    finetune_run(source, examples(100), out=tmp_path / "second", options=alone, **given)
    assert weights(tmp_path / "both" / "seed-2") == weights(tmp_path / "second")


@pytest.mark.parametrize("method", ["full", "probe"])
def test_the_same_network_untrained_is_trained_beside_where_it_is_asked_for(encoder, tmp_path, method):
    source, given = open_text_model(encoder), {"test": examples(30, 1), "pages": False}
    options = dataclasses.replace(FAST, method=method, baselines="all", seeds=2, train_limit=20)
    notes: list[str] = []
    result = finetune_run(source, examples(60), out=tmp_path / "both", options=options, note=notes.append, **given)
    ours, beside = [method.name for method in result.methods][:2]
    assert (ours, beside) == {
        "full": ("fine-tuned encoder", "the same network untrained, fine-tuned"),
        "probe": ("probe of encoder", "probe of the same network untrained"),
    }[method]
    assert notes.count("the same network untrained, on the same texts:") == 2
    alone = dataclasses.replace(options, seeds=1, seed=2)
    finetune_run(source, examples(60), out=tmp_path / "second", options=alone, dev=None, **given)
    plain = dataclasses.replace(options, baselines="simple")
    simple = finetune_run(source, examples(60), out=tmp_path / "plain", options=plain, **given)
    assert weights(tmp_path / "plain" / "seed-2") == weights(tmp_path / "both" / "seed-2")
    assert [method.name for method in simple.methods] == [ours, "majority", "TF-IDF + logistic regression"]
    assert not (tmp_path / "plain" / "seed-2" / "untrained").exists()
    fresh = untrained(source, seed=2)
    finetune_run(
        fresh, examples(60), out=tmp_path / "fresh", options=dataclasses.replace(plain, seed=2, seeds=1), **given
    )
    beside_of = tmp_path / "second" / "untrained"
    assert weights(beside_of) == weights(tmp_path / "fresh")
    assert weights(beside_of) != weights(tmp_path / "second")


def test_run_with_an_untrained_network_goes_on_in_either_training(encoder, tmp_path):
    options = dataclasses.replace(FAST, baselines="all")
    source, train = open_text_model(encoder), examples(60)
    whole = finetune_run(source, train, out=tmp_path / "whole", options=options, pages=False)
    for step in (4, 3):  # of whichever of the two trainings comes next
        stops = iter([StopAt(step), StopAt(step)])
        with pytest.raises(Interrupted):
            finetune_run(
                source, train, out=tmp_path / "cut", options=options, pages=False, make_progress=lambda s=stops: next(s)
            )
    with pytest.raises(Interrupted):
        progress = iter([StopAt(1000), StopAt(2)])
        finetune_run(
            source, train, out=tmp_path / "cut", options=options, pages=False, make_progress=lambda: next(progress)
        )
    assert RunFolder.view(tmp_path / "cut").status()["state"] == "finished"
    assert finetune_run(source, train, out=tmp_path / "cut", options=options, pages=False).methods == whole.methods
    for name in (".", "untrained"):
        assert weights(tmp_path / "cut" / name) == weights(tmp_path / "whole" / name)


def test_run_of_many_labels_of_numbers_and_of_pairs(encoder, tmp_path):
    source = open_text_model(encoder)
    kinds = texts(80)[1]
    several = [["good", kind] if at % 3 else [kind] for at, kind in enumerate(kinds)]
    numbers = [50.0 + 10 * (kind == "metal") for kind in kinds]
    for name, cells, score in (("several", several, "micro_f1"), ("numbers", numbers, "spearman")):
        made = examples(80, labels=cells, pairs=name == "numbers")
        options = dataclasses.replace(FAST, task="regression") if name == "numbers" else FAST
        test = made.take(np.arange(40))
        result = finetune_run(source, made, out=tmp_path / name, test=test, options=options, pages=name == "several")
        assert result.primary == score
        assert result.methods[0].scores[score].mean > 0.6, name
        assert not (tmp_path / name / "confusion.png").exists()
    assert result.methods[0].scores["mean_absolute_error"].mean < 6


def test_numbers_far_from_zero_are_refused_for_a_decoder(encoder, decoder, tmp_path):
    options = dataclasses.replace(FAST, task="regression", epochs=1)
    years = examples(40, labels=[1950.0 + at for at in range(40)])
    message = "labels are around 19[67].* with a deviation of 1[01].*no bias.*\nSubtract 19[67].* from the labels"
    with pytest.raises(UsageError, match=message):
        finetune_run(open_text_model(decoder), years, out=tmp_path / "run", options=options, pages=False)
    assert not (tmp_path / "run").exists()
    finetune_run(open_text_model(encoder), years, out=tmp_path / "encoder", options=options, pages=False)
    near = examples(40, labels=[20.0 + at for at in range(40)])
    finetune_run(open_text_model(decoder), near, out=tmp_path / "near", options=options, pages=False)


def test_run_without_a_dev_or_test_set_only_trains(decoder, tmp_path):
    options = dataclasses.replace(FAST, dev_share=0.0, epochs=1, class_weights="balanced")
    result = finetune_run(open_text_model(decoder), examples(20), out=tmp_path / "run", options=options, pages=False)
    assert (result.scored_on, len(result.methods), result.classes) == ("", 1, ())
    assert json.loads((tmp_path / "run" / "model" / "config.json").read_text())["architectures"] == [
        "LlamaForSequenceClassification"
    ]


def test_run_names_the_classes_that_its_dev_set_lacks(encoder, tmp_path):
    labels = ["rare" if at == 7 else name for at, name in enumerate(texts(20)[1])]
    source, notes = open_text_model(encoder), []
    options = dataclasses.replace(FAST, epochs=1, dev_share=0.3)
    train = examples(20, labels=labels)
    result = finetune_run(source, train, out=tmp_path / "run", options=options, note=notes.append, pages=False)
    assert result.names == ("fruit", "metal", "rare")
    lacking = "1 of 3 classes has no row in the dev set, by which the best state is chosen: rare"
    assert lacking in result.notes
    assert notes.count(lacking) == 1


@pytest.mark.parametrize(
    ("seeds", "summary"),
    [
        (1, "6 of 36 train, 4 dev, 10 test texts; 2 classes: fruit, metal"),
        (2, "6 of 36 train (drawn by each seed), 4 dev, 10 test texts; 2 classes: fruit, metal"),
    ],
)
def test_run_speaks_of_the_rows_that_it_learns_from(encoder, tmp_path, seeds, summary):
    found, names = texts(40)
    train = Examples("t.csv", [f"{text} {'apple ' * 60}{at}" for at, text in enumerate(found)], None, names, range(40))
    notes: list[str] = []
    options = dataclasses.replace(FAST, epochs=1, train_limit=6, seeds=seeds)
    given = {"out": tmp_path / "run", "test": examples(10, 1), "options": options, "note": notes.append}
    result = finetune_run(open_text_model(encoder), train, **given, pages=False)
    assert notes[0] == summary
    learnt = [line for line in result.notes if "train texts are longer" in line]
    number = int(learnt[0].split()[0])
    assert number == 6 if seeds == 1 else 6 < number <= 12
    assert f"{number} of {number} train texts are longer than 24 tokens and are cut" in learnt[0]
    notes.clear()
    assert finetune_run(open_text_model(encoder), train, **given, pages=False) == result
    assert notes[1:] == list(result.notes)  # of a finished run they are said again, since nothing else says them


def test_run_reports_what_is_odd_about_its_data(encoder, tmp_path):
    train = examples(40)
    long = " ".join(["apple"] * 60)
    odd = dataclasses.replace(
        train,
        texts=[long, *train.texts[1:], train.texts[1], train.texts[1]],
        labels=[*train.labels, "fruit", "metal"],
        places=range(2, 44),
    )
    notes: list[str] = []
    options = dataclasses.replace(FAST, epochs=1)
    test = odd.take(np.arange(1, 4))
    source = open_text_model(encoder)
    result = finetune_run(source, odd, out=tmp_path / "run", test=test, options=options, note=notes.append, pages=False)
    joined = "\n".join(notes)
    assert "rows of the test set stand in the train set too" in joined
    assert "training text" in joined
    assert "is cut" in joined or "are cut" in joined
    assert set(result.notes) <= set(notes)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"labels": ["a"] * 20}, DataError, "every row has the same label"),
        ({"labels": ["a", None] * 10}, DataError, "lines 3, 5, 7, 9, 11 and 5 more have no label"),
        ({"options": {"length": 99}}, UsageError, "length must be at most 24, the model's, got 99"),
        ({"options": {"train_limit": 99}}, UsageError, "train_limit must be from 2, one for each class, to 18"),
        ({"options": {"length": 2}}, UsageError, "length must be at least 3, got 2"),
    ],
)
def test_run_refuses_what_it_cannot_learn_from(encoder, tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        options = dataclasses.replace(FAST, **change.get("options", {}))
        finetune_run(
            open_text_model(encoder), examples(20, labels=change.get("labels")), out=tmp_path / "run", options=options
        )


def test_run_with_other_data_or_options_is_refused(encoder, tmp_path):
    source, options = open_text_model(encoder), dataclasses.replace(FAST, epochs=1)
    finetune_run(source, examples(20), out=tmp_path / "run", options=options, pages=False)
    with pytest.raises(UsageError, match="holds a run with other data:\n  train: "):
        finetune_run(source, examples(20, 5), out=tmp_path / "run", options=options)
    with pytest.raises(UsageError, match="holds a run with another configuration:\n  epochs: 1 -> 2"):
        finetune_run(source, examples(20), out=tmp_path / "run", options=dataclasses.replace(options, epochs=2))


def test_results_that_are_damaged_are_named(tmp_path):
    (tmp_path / "results.json").write_text('{"methods": 7}')
    with pytest.raises(DataError, match=r"results.json: is damaged\nRemove it and run the same command again"):
        FinetuneResult.load(tmp_path)


def test_options_repeat_few_texts_more_often_and_evaluate_ten_times():
    options = FinetuneOptions()
    assert options.chosen_epochs(18_000) == 3
    assert options.chosen_epochs(1_600) == 4
    assert options.chosen_epochs(10) == 30
    assert (options.chosen_evaluations(3, 900), options.chosen_evaluations(60, 600)) == ("epoch", "60steps")
    assert dataclasses.replace(options, evaluate_every="50steps").chosen_evaluations(60, 600) == "50steps"
    assert dataclasses.replace(options, method="probe").chosen_learning_rate() == 1e-2
    assert dataclasses.replace(options, learning_rate=1.0).chosen_learning_rate() == 1.0
    assert dataclasses.replace(options, epochs=7).chosen_epochs(10) == 7


def test_score_is_shown_with_its_spread():
    assert score_text(Score(0.91234, 0.0021), several=True) == "0.912 ± 0.002"
    assert score_text(Score(0.91234, 0.0), several=False) == "0.912"
