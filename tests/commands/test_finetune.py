"""From a table to predictions by the command line: scores beside baselines, batch files in and out, clear refusals."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest

from tests.finetuning.small import FRUIT, save_model, texts, write_csv
from textssl.tensor_file import open_tensors, save_tensors

ONCE = ("--epochs", "1", "--batch", "8", "--device", "cpu")
FAST = ("--epochs", "2", "--batch", "8", "--learning-rate", "1e-2", "--dropout", "0", "--device", "cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="module")
def stars(model, tmp_path_factory):
    """A fine-tuned run."""
    import torch

    from textssl.commands.finetune import finetune

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("stars")
    data, test = write_csv(folder / "train.csv", 100), write_csv(folder / "test.csv", 30, seed=1)
    options = {"epochs": 2, "batch": 8, "learning_rate": 1e-2, "dropout": 0.0, "device": "cpu"}
    finetune(model, data, out=folder / "run", text="review", label="stars", test=test, **options)
    return folder / "run"


def test_finetune_shows_scores_beside_baselines(run, model, tmp_path):
    data, test = write_csv(tmp_path / "train.csv", 60), write_csv(tmp_path / "test.csv", 20, seed=1)
    words = ("finetune", model, data, "--text", "review", "--label", "stars", "--test", test, "--out", "runs/stars")
    finished = run(*words, *FAST, "--seeds", "2")
    assert finished.code == 0, finished.err
    lines = finished.out.splitlines()
    assert lines[0] == "20 test texts, 54 training texts, mean ± deviation of 2 seeds"
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        "test", "fine-tuned encoder", "majority", "TF-IDF + logistic regression"
    ]  # fmt: skip
    assert "±" in lines[2]
    assert "next: textssl predict runs/stars NEW.csv" in finished.out
    assert "54 train, 6 dev, 20 test texts; 2 classes: fruit, metal" in finished.err
    again = json.loads(run(*words, *FAST, "--seeds", "2", "--json").out)
    assert [row["seed"] for row in again["seeds"]] == [1, 2]
    assert again["primary"] == "accuracy"
    assert [each["class"] for each in again["classes"]] == ["fruit", "metal"]
    assert again["classes"][0].keys() == {"class", "precision", "recall", "f1", "support"}


def test_finetune_reads_a_test_file_without_a_header(run, model, tmp_path):
    data = write_csv(tmp_path / "train.csv", 40)
    rows = write_csv(tmp_path / "test.csv", 20, seed=1).read_text().splitlines()[1:]
    (tmp_path / "test.csv").write_text("\n".join(rows) + "\n")
    words = ("finetune", model, data, "--text", "review", "--label", "stars", "--test", "test.csv", "--out", "runs/x")
    refused = run(*words, *ONCE)
    assert refused.code == 3
    assert "no column 'review'" in refused.err
    assert "--headerless" in refused.err
    assert run(*words, *ONCE, "--headerless", "test").code == 0


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (("--label", "star"), 3, "no column 'star'; the columns are: review, stars"),
        (("--text", "reveiw"), 3, "did you mean review?"),
        (("--test", "nothing.csv"), 3, "no file of labelled texts at nothing.csv"),
        (("--test", "odd.csv"), 3, "lines 2, 3 have labels that the training set does not have, the first is 'wood'"),
        (("--task", "regression"), 3, "have a label that is no finite number, the first is 'fruit'"),
        (("--method", "all"), 2, "method"),
        (("--epochs", "0"), 2, "epochs must be at least 1, got 0"),
        (("--device", "cuda:7"), 2, "this machine has no cuda:7 that torch can use"),
        (("--headerless", "tset"), 2, "headerless"),
    ],
)
def test_finetune_refuses_what_does_not_fit(run, model, tmp_path, change, code, message):
    data = write_csv(tmp_path / "train.csv", 20)
    (tmp_path / "odd.csv").write_text("review,stars\na,wood\nb,stone\n")
    given = {"--text": "review", "--label": "stars", change[0]: change[1]}
    words = [word for pair in given.items() for word in pair]
    finished = run("finetune", model, data, "--out", "runs/x", *words)
    assert finished.code == code, finished.err
    assert message in finished.err


def test_finetune_of_something_else_than_a_transformer_is_refused(run, vectors, tmp_path):
    data = write_csv(tmp_path / "train.csv", 20)
    finished = run("finetune", vectors, data, "--text", "review", "--label", "stars", "--out", "runs/x")
    assert finished.code == 3
    assert "holds no transformer" in finished.err
    assert "textssl train masked_lm" in finished.err


def test_finetune_refuses_a_decay_over_layers_that_do_not_learn(run, model, tmp_path):
    data = write_csv(tmp_path / "train.csv", 40)
    words = ("finetune", model, data, "--text", "review", "--label", "stars", "--out", "runs/x", "--method", "probe")
    done = run(*words, "--layer-decay", "0.9")
    assert (done.code, "layer_decay does nothing with method probe" in done.err) == (2, True)


def test_finetune_leaves_rows_out_and_counts_them(run, model, tmp_path):
    data = write_csv(tmp_path / "train.csv", 20)
    data.write_text(data.read_text() + ",fruit\nplum,\n")
    words = ("finetune", model, data, "--text", "review", "--label", "stars", "--out", "runs/x", *ONCE)
    assert "line 22 has no text" in run(*words).err
    finished = run(*words, "--on-bad", "skip")
    assert finished.code == 0, finished.err
    assert "2 rows of the train table are left out, 20 are used" in finished.err


def test_finetune_says_what_is_odd_about_the_data_once(run, model, tmp_path):
    data = write_csv(tmp_path / "train.csv", 20)
    data.write_text(data.read_text() + "plum and fig,fruit\nplum and fig,metal\n")
    words = ("finetune", model, data, "--text", "review", "--label", "stars", "--out", "runs/x", *ONCE)
    odd, again = "1 training text stands there twice with different labels: line 23", run(*words, "--dev-share", "0")
    assert (again.out.count(odd), again.err.count(odd)) == (0, 1)


def test_finetune_option_that_is_unknown_names_the_nearest(model):
    from textssl.commands.finetune import finetune
    from textssl.errors import UsageError

    with pytest.raises(UsageError, match=r"epoch is no option of finetune\nDid you mean 'epochs'"):
        finetune(model, "x.csv", out="y", epoch=3)
    with pytest.raises(UsageError, match="headerless must be among train, dev, test, got 'tset'"):
        finetune(model, "x.csv", out="y", headerless=["tset"])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_predict_writes_labels_with_probabilities(run, stars, tmp_path, suffix):
    data = write_csv(tmp_path / "new.csv", 30, seed=5)
    finished = run("predict", stars, data, "--out", f"predictions{suffix}")
    assert finished.code == 0, finished.err
    assert finished.out == f"30 predictions: predictions{suffix}\n"
    content = (tmp_path / f"predictions{suffix}").read_text()
    rows = (
        list(csv.DictReader(content.splitlines())) if suffix == ".csv" else list(map(json.loads, content.splitlines()))
    )
    assert list(rows[0]) == ["review", "stars", "prediction", "p(fruit)", "p(metal)"]
    assert [(row["review"], row["stars"]) for row in rows] == list(zip(*texts(30, 5), strict=True))
    assert np.mean([row["prediction"] == label for row, label in zip(rows, texts(30, 5)[1], strict=True)]) > 0.9
    for row in rows:
        fruit, metal = float(row["p(fruit)"]), float(row["p(metal)"])
        assert fruit + metal == pytest.approx(1, abs=1e-4)
        assert row["prediction"] == ("fruit" if fruit > metal else "metal")


def test_tables_without_a_header_are_learnt_from_predicted_and_embedded(run, model, tmp_path):
    rows = write_csv(tmp_path / "train.csv", 40).read_text().splitlines()[1:]
    (tmp_path / "train.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "new.csv").write_text("\n".join(rows[:3]) + "\n")
    words = ("finetune", model, "train.csv", "--headerless", "train", "--text", "1", "--label", "2", "--out", "runs/x")
    assert run(*words, *ONCE).code == 0
    assert len(json.loads(run("predict", "runs/x", "new.csv", "--json").out)["predictions"]) == 3
    refused = run("predict", "runs/x", "new.csv", "--no-headerless")
    assert (refused.code, "no column '1'" in refused.err) == (3, True)
    found = json.loads(run("embed", model, "new.csv", "--headerless", "--text", "1", "--json").out)
    assert found["num_texts"] == 3


def test_predict_takes_one_text_or_a_file_of_lines(run, stars, tmp_path):
    one = json.loads(run("predict", stars, "a good old plum", "--json").out)
    assert one["predictions"][0]["label"] == "fruit"
    (tmp_path / "lines.txt").write_text("the iron\n\n" + "zinc " * 60 + "\n")
    finished = run("predict", stars, "lines.txt")
    assert [line.split()[0] for line in finished.out.splitlines()] == ["line", "1", "3"]
    for note in ("1 text was longer than the model reads and cut to its length", "1 line without a text is left out"):
        assert note in finished.err
    (tmp_path / "lines.txt").write_text("\n \n")
    blank = run("predict", stars, "lines.txt")
    assert (blank.code, "lines.txt: no line has a text" in blank.err) == (3, True)


def test_predict_leaves_rows_without_a_text_out_and_keeps_the_columns(run, stars, tmp_path):
    (tmp_path / "t.csv").write_text("id,review,size,size\n=7,plum,1.50,a\n8,,2,b\n9, ,3,c\n10,iron,1234567.5,d\n")
    done = run("predict", stars, "t.csv", "--out", "p.csv")
    assert done.code == 0, done.err
    assert "2 lines without a text are left out" in done.err
    rows = [line.split(",") for line in (tmp_path / "p.csv").read_text().splitlines()]
    assert rows[0] == ["id", "review", "size", "size", "prediction", "p(fruit)", "p(metal)"]
    assert [row[:4] for row in rows[1:]] == [["'=7", "plum", "1.50", "a"], ["10", "iron", "1234567.5", "d"]]
    found = json.loads(run("predict", stars, "t.csv", "--json").out)
    assert (found["num_blank"], found["predictions"][1]["place"]) == (2, 5)
    assert found["predictions"][1]["columns"] == {"id": "10", "review": "iron", "size": "d"}
    done = run("predict", stars, "t.csv", "--out", "p.jsonl")
    assert done.code == 2
    assert "column 'size' stands twice in the table, which .jsonl has no place for" in done.err
    done = run("predict", stars, "p.csv", "--out", "again.csv")
    assert done.code == 3
    assert "p.csv: the table has a column 'prediction' already, which is the name of a column of the pred" in done.err
    assert run("predict", stars, "p.csv").code == 0


def test_predict_keeps_the_fields_of_objects(run, stars, tmp_path):
    lines = [{"id": 1234567.25, "review": "plum", "more": {"a": [1]}}, {"review": "iron", "id": None, "new": 1}]
    (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for suffix in ("jsonl", "csv", "parquet"):
        done = run("predict", stars, "t.jsonl", "--out", f"p.{suffix}")
        assert done.code == 0, done.err
    first, second = map(json.loads, (tmp_path / "p.jsonl").read_text().splitlines())
    assert list(first) == ["id", "review", "more", "new", "prediction", "p(fruit)", "p(metal)"]
    assert list(first.values())[:4] == [1234567.25, "plum", {"a": [1]}, None]
    assert list(second.values())[:4] == [None, "iron", None, 1]
    rows = list(csv.reader((tmp_path / "p.csv").read_text().splitlines()))
    assert rows[1][:4] == ["1234567.25", "plum", '{"a": [1]}', ""]
    (tmp_path / "t.jsonl").write_text('{"review": "plum", "id": 1}\n{"review": "fig", "id": "x"}\n')
    done = run("predict", stars, "t.jsonl", "--out", "p.parquet")
    assert (done.code, "p.parquet: column 'id' has cells of several types" in done.err) == (3, True)
    (tmp_path / "t.jsonl").write_text('{"review": "plum"}\n{"reviewed": "fig"}\n')
    assert "1 faulty row is left out" in run("predict", stars, "t.jsonl", "--on-bad", "skip").err


def test_predict_of_numbers_and_of_several_labels_and_pairs(run, model, tmp_path):
    found, labels = texts(40)
    rows = [f"{text},{text},{label},{label}|good,{len(text)}.5" for text, label in zip(found, labels, strict=True)]
    rows[0] = f"{found[0]},{found[0]},metal,metal,7.5"
    (tmp_path / "t.csv").write_text("one,two,kind,kinds,number\n" + "\n".join(rows) + "\n")
    words = ("finetune", model, "t.csv", *ONCE, "--text", "one")
    assert run(*words, "--label", "kinds", "--label-separator", "|", "--out", "runs/several").code == 0
    assert run(*words, "--label", "number", "--text-pair", "two", "--out", "runs/number").code == 0
    several = json.loads(run("predict", "runs/several", "plum", "--json").out)
    assert set(several["predictions"][0]["probabilities"]) == {"fruit", "good", "metal"}
    finished = run("predict", "runs/number", "t.csv", "--out", "n.csv")
    assert finished.code == 0, finished.err
    assert (tmp_path / "n.csv").read_text().startswith(f"one,two,kind,kinds,number,prediction\n{rows[0]},")
    refused = run("predict", "runs/number", "plum")
    assert refused.code == 2
    assert "the text given holds one text in a row, the run was trained on two" in refused.err


def test_predict_refuses_what_it_cannot_write_or_open(run, stars, model):
    finished = run("predict", stars, "plum", "--out", "a.xls")
    assert (finished.code, "out must end with .csv, .tsv, .jsonl, .parquet" in finished.err) == (2, True)
    finished = run("predict", model, "plum")
    assert (finished.code, "is no classifier" in finished.err) == (3, True)


@pytest.mark.parametrize("suffix", [".npy", ".tsv", ".safetensors"])
def test_embed_writes_a_vector_for_each_line(run, model, tmp_path, suffix):
    (tmp_path / "texts.txt").write_text("\n".join(texts(7)[0]) + "\n")
    finished = run("embed", model, "texts.txt", "--out", f"v{suffix}")
    assert finished.code == 0, finished.err
    assert finished.out.startswith(f"7 vectors of 16 numbers: v{suffix} (")
    if suffix == ".npy":
        vectors = np.load(tmp_path / "v.npy", allow_pickle=False)
    elif suffix == ".tsv":
        vectors = np.loadtxt(tmp_path / "v.tsv")
    else:
        from safetensors.numpy import load_file

        vectors = load_file(tmp_path / "v.safetensors")["vectors"]
    assert vectors.shape == (7, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-4)


def test_embed_of_word_vectors_and_of_a_classifier(run, vectors, stars, tmp_path):
    found = json.loads(run("embed", vectors, "france paris", "--json").out)
    assert (found["num_texts"], found["width"], len(found["vectors"][0])) == (1, 8, 8)
    write_csv(tmp_path / "t.csv", 3)
    printed = run("embed", stars, "t.csv", "--text", "review", "--pooling", "cls", "--no-normalise").out
    assert [len(line.split(" ")) for line in printed.splitlines()] == [16] * 3


def test_fine_tuning_that_diverges_keeps_what_was_not_finite(run, model, tmp_path):
    data = write_csv(tmp_path / "train.csv", 40)
    words = ("finetune", model, data, "--text", "review", "--label", "stars", "--out", "runs/x", *ONCE[:-2])
    done = run(*words, "--device", "cpu", "--learning-rate", "1e38")
    assert done.code == 5, done.err
    assert "there was no checkpoint yet" in done.err
    assert "textssl check runs/x --replay" in done.err
    done = run("check", "runs/x", "--replay")
    assert done.code == 2
    assert "a step of fine-tuning is not made again" in done.err
    assert "of the run: " in done.err


def test_what_to_type_next_fits_what_a_folder_holds(run, model, stars, vectors, tmp_path):
    place = tmp_path / "with a space"
    shutil.copytree(stars, place)
    shutil.copytree(model, tmp_path / "encoder")
    for given, words in (("with a space", "textssl predict 'with a space' NEW.csv"),
                         ("encoder", "textssl embed encoder texts.txt --out vectors.npy"),
                         (vectors, f"textssl query {vectors} WORD")):  # fmt: skip
        done = run("check", given)
        assert (done.code, done.out.splitlines()[-1]) == (0, f"next: {words}"), done.out
    status = json.loads((place / "STATUS").read_text())
    (place / "STATUS").write_text(json.dumps({**status, "state": "interrupted"}))
    assert run("check", "with a space").out.splitlines()[-1].startswith("next: textssl finetune ")
    refused = run("evaluate", "encoder")
    assert (refused.code, "Give a text to predict: textssl evaluate encoder --corpus FILE" in refused.err) == (2, True)


def test_a_fine_tuning_is_told_apart_where_another_model_is_wanted(run, stars, tmp_path):
    shutil.copytree(stars, tmp_path / "stopped")
    shutil.rmtree(tmp_path / "stopped" / "model")
    status = json.loads((tmp_path / "stopped" / "STATUS").read_text())
    (tmp_path / "stopped" / "STATUS").write_text(json.dumps({**status, "state": "interrupted"}))
    done = run("export", "stopped", "hub")
    assert done.code == 3
    assert "stopped: has no model yet, the run is interrupted" in done.err
    assert "Finish it: textssl finetune " in done.err
    (tmp_path / "t.txt").write_text("plum\n")
    for words in (("evaluate", stars, "--corpus", "t.txt"), ("fill", stars, "a [MASK]"), ("generate", stars, "a")):
        done = run(*words)
        assert done.code == 2
        assert "holds a classifier, which predicts labels and no tokens" in done.err
        assert f"textssl predict {stars} NEW.csv" in done.err
        assert "the pre-trained model that it was made of (" in done.err


def test_an_empty_text_is_a_text(run, stars):
    assert json.loads(run("predict", stars, "", "--json").out)["predictions"][0]["text"] == ""


def test_card_of_an_exported_classifier_tells_what_the_run_knows(run, stars, tmp_path):
    done = run("export", stars, "hub")
    assert done.code == 0, done.err
    card = (tmp_path / "hub" / "README.md").read_text()
    for line in ("| labels | fruit, metal |", "| objective | finetune |", "| trained on | train.csv |",
                 "| labelled texts there | 100 |", "| test, accuracy | "):  # fmt: skip
        assert line in card, card
    assert str(tmp_path) not in card


def test_embed_says_how_many_texts_were_cut(run, model, tmp_path):
    (tmp_path / "t.txt").write_text("apple\n" + "iron zinc " * 200 + "\n")
    done = run("embed", model, "t.txt", "--out", "v.npy")
    assert "1 text was longer than the model reads and cut to its length" in done.err
    assert json.loads(run("embed", model, "t.txt", "--out", "v.npy", "--json").out)["num_truncated"] == 1


def test_embed_counts_texts_that_say_nothing(run, model, vectors, tmp_path):
    (tmp_path / "t.txt").write_text("france paris\nxyzzy\n\n")
    done = run("embed", vectors, "t.txt", "--out", "v.npy")
    assert "2 of 3 texts hold no known word: their vectors are zeros" in done.err
    assert np.load(tmp_path / "v.npy").any(axis=1).tolist() == [True, False, False]
    found = json.loads(run("embed", vectors, "t.txt", "--json").out)
    assert (found["num_unknown"], found["num_blank"]) == (2, 1)
    assert "1 of 1 texts holds no known word: its vector is zeros" in run("embed", vectors, "xyzzy").err
    done = run("embed", model, "t.txt", "--out", "v.npy")
    assert "1 of 3 texts is blank: its vector says nothing of a text" in done.err
    assert np.load(tmp_path / "v.npy").any(axis=1).all()
    (tmp_path / "t.txt").write_text("\n  \n")
    assert "2 of 2 texts are blank: their vectors say nothing of a text" in run("embed", model, "t.txt").err


def test_embed_counts_the_rows_that_it_leaves_out(run, model, tmp_path):
    (tmp_path / "t.csv").write_text("id,text\n1,plum\n2,\n3,fig\n")
    done = run("embed", model, "t.csv", "--on-bad", "skip", "--out", "v.npy")
    assert done.code == 0, done.err
    assert "1 row is left out, 2 are embedded" in done.err


def test_a_body_without_a_head_is_embedded_fine_tuned_and_trained_but_fills_nothing(run, model, tmp_path):
    shutil.copytree(model, tmp_path / "body")
    opened = open_tensors(tmp_path / "body" / "model.safetensors").tensors
    kept = {name: np.array(array) for name, array in opened.items() if name.startswith("model.")}
    save_tensors(tmp_path / "body" / "model.safetensors", {name.removeprefix("model."): kept[name] for name in kept})
    (tmp_path / "body" / "manifest.json").unlink()
    vectors = [json.loads(run("embed", each, "apple iron", "--json").out)["vectors"] for each in (model, "body")]
    assert vectors[0] == vectors[1]
    data = write_csv(tmp_path / "train.csv", 40)
    done = run("finetune", "body", data, "--text", "review", "--label", "stars", "--out", "runs/x", *ONCE)
    assert done.code == 0, done.err
    assert "body holds a body without a head; the layers above it are new" in done.err
    (tmp_path / "c.txt").write_text("\n".join(texts(200)[0]))
    done = run("train", "masked_lm", "c.txt", "--from", "body", "--out", "runs/lm", "--dry-run", "--length", "16")
    assert done.code == 0, done.err
    assert "that is a body without a head, which is new" in done.out + done.err
    done = run("fill", "body", "apple [MASK]")
    assert (done.code, "lacks the weights decoder.bias" in done.err) == (3, True)


def test_embed_refuses_what_it_cannot_do(run, model, vectors):
    finished = run("embed", model, "x", "--out", "a.csv")
    assert (finished.code, "out must end with .npy, .tsv, .safetensors, got 'a.csv'" in finished.err) == (2, True)
    finished = run("embed", vectors, "x", "--pooling", "cls")
    assert (finished.code, "word vectors have no cls position" in finished.err) == (2, True)
    finished = run("embed", model, "nothing.txt")
    assert (finished.code, "no file of texts at nothing.txt" in finished.err) == (3, True)


def test_estimator_trains_a_whole_transformer(model):
    from textssl.finetuning.estimator import TextClassifier

    train, labels = texts(60)
    classifier = TextClassifier(model, method="full", epochs=3, batch=8, learning_rate=1e-2).fit(train, labels)
    assert classifier.predict([f"the good {word} {word}" for word in FRUIT]).tolist() == ["fruit"] * 4
    assert classifier.predict_proba(train).shape == (60, 2)
    assert classifier.transform(train[:2]).shape == (2, 16)
    assert TextClassifier(model).fit(train, labels).score(train, labels) > 0.7
