"""Mistakes people make: each is one screen of text with the next thing to type and its exit code, never a traceback."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from textssl import registry

USAGE, DATA, RESOURCES = 2, 3, 4
MAX_LINES = 24
HAS_TRAIN = "train" in registry.names("commands")


@dataclass(frozen=True)
class Mistake:
    """A command line with a mistake, its exit code, and words that its message must hold.

    Args:
        line: after `textssl`, cut at spaces; VECTORS and RUN stand for good ones.
        code: expected exit code.
        words: all of them stand in the message.
        files: made before, by name.
    """

    line: str
    code: int
    words: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def needs_train(self) -> bool:
        return self.line.startswith("train")


GOOD = b"the cat sat on the mat and the dog sat on the cat\n" * 20
TRAIN = "train skipgram c.txt --out runs/x --dim 4 --epochs 1 --min-count 1 --subsample 0 --threads 1"
QUESTIONS = b": capitals\nfrance paris italy\n"

MISTAKES = [
    # names and options
    Mistake("qeury runs/x paris", USAGE, ("unknown command 'qeury'", "Did you mean 'query'?")),
    Mistake("zzz", USAGE, ("unknown command 'zzz'", "There are: check,")),
    Mistake("query VECTORS paris --topp 3", USAGE, ("has no option --topp", "Did you mean '--topn'?")),
    Mistake("query VECTORS paris --topn three", USAGE, ("--topn", '"three"', "int")),
    Mistake("query VECTORS paris --topn", USAGE, ("the option --topn needs a value",)),
    Mistake("query VECTORS paris --topn 0", USAGE, ("topn must be at least 1, got 0",)),
    Mistake("query VECTORS paris --method 3cosad", USAGE, ("3cosadd", "3cosmul", "Did you mean")),
    Mistake("query VECTORS paris --restrict-vocab 0", USAGE, ("restrict_vocab must be at least 1, got 0",)),
    Mistake("query VECTORS --similarity paris", USAGE, ("--similarity",)),
    Mistake("query", USAGE, ("the argument RUN is missing", "textssl query --help")),
    Mistake("doctor x", USAGE, ("takes no further argument, got x",)),
    Mistake("list objctives", USAGE, ("there is no kind 'objctives'", "Did you mean 'objectives'?")),
    # queries
    Mistake("query runs/none paris", DATA, ("no run folder, model folder or vector file at runs/none",)),
    Mistake("query VECTORS pariss", DATA, ("'pariss' is not in the vocabulary", "pariss: paris")),
    Mistake("query VECTORS paris - ", USAGE, ("ends with -",)),
    Mistake("query VECTORS --odd-one-out paris rome", USAGE, ("odd_one_out needs at least 3 words, got 2",)),
    Mistake("query empty.bin a", DATA, ("empty.bin", "empty"), {"empty.bin": b""}),
    Mistake("query v.txt a", DATA, ("v.txt",), {"v.txt": b"3 2\na 1 2\nb 3 4\n"}),
    Mistake("query v.txt a", DATA, ("v.txt", "line 3"), {"v.txt": b"2 2\na 1 2\nb 3 nan\n"}),
    Mistake("query v.pkl a", DATA, ("pickle",), {"v.pkl": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94."}),
    # evaluation
    Mistake("evaluate VECTORS", USAGE, ("nothing to measure", "--analogies")),
    Mistake("evaluate VECTORS --analogies none.txt", DATA, ("no file of analogy questions at none.txt",)),
    Mistake("evaluate VECTORS --analogies q.txt", DATA, ("q.txt, line 2", "four words"), {"q.txt": QUESTIONS}),
    Mistake("evaluate VECTORS --analogies q.txt", DATA, ("q.txt", "UTF-8"), {"q.txt": b": x\n\xff\xfe a b c\n"}),
    Mistake("evaluate VECTORS --analogies q.txt", DATA, ("empty",), {"q.txt": b""}),
    Mistake("evaluate VECTORS --analogies q.txt", DATA, ("none of the 1 questions",), {"q.txt": b": x\nk l m n\n"}),
    Mistake("evaluate VECTORS --similarity s.txt", DATA, ("s.txt, line 1", "score"), {"s.txt": b"paris rome\n"}),
    Mistake(
        "evaluate VECTORS --analogies q.txt --restrict-vocab 0",
        USAGE,
        ("restrict_vocab must be at least 1",),
        {"q.txt": b""},
    ),
    Mistake(
        "evaluate VECTORS --classification c.csv --text body",
        DATA,
        ("no column 'body'",),
        {"c.csv": b"text,label\na,b\n"},
    ),
    # export
    Mistake("export VECTORS v.bim", USAGE, ("the ending '.bim' tells no format", "Did you mean '.bin'?")),
    Mistake("export VECTORS v --format w2v", USAGE, ("format must be one of", "got 'w2v'")),
    Mistake("export VECTORS v.bin", USAGE, ("v.bin: exists already", "--force"), {"v.bin": b"precious"}),
    Mistake("export VECTORS", USAGE, ("the argument TARGET is missing",)),
    Mistake("export none v.bin", DATA, ("no run folder, vector folder or vector file at none",)),
    Mistake("export VECTORS locked/v.bin", RESOURCES, ("locked",)),
    # pictures
    Mistake("plot VECTORS pariss rome", DATA, ("'pariss' is not in the vocabulary", "pariss: paris")),
    Mistake("plot VECTORS --curves", USAGE, ("is no run",)),
    Mistake("plot NEW --curves", DATA, ("has no curves yet",)),
    Mistake("plot VECTORS --out map.svg", USAGE, ("out must be a .png file, got map.svg",)),
    # corpora
    Mistake("check none.txt", DATA, ("none.txt: no such file",)),
    Mistake("check c.png", DATA, ("the image cannot be read",), {"c.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 100}),
    Mistake("check c.txt --encoding utf8x", DATA, ("unknown encoding 'utf8x'",), {"c.txt": b"a b\n"}),
    Mistake("check c.txt --format jsonn", USAGE, ("--format", "Did you mean", "jsonl"), {"c.txt": b"a b\n"}),
    Mistake("phrases none.txt", DATA, ("none.txt: no such file",)),
    Mistake("phrases c.txt --scoring pmi", USAGE, ("--scoring", "npmi"), {"c.txt": GOOD}),
    Mistake("phrases c.txt --delimiter x --passes 0", USAGE, ("passes must be at least 1, got 0",), {"c.txt": GOOD}),
    Mistake("doctor --folder none", DATA, ("no folder at none",)),
    # training
    Mistake("train skipgrm c.txt --out runs/x", USAGE, ("unknown objective 'skipgrm'", "Did you mean 'skipgram'?")),
    Mistake("train skipgram", USAGE, ("the argument CORPUS is missing",)),
    Mistake("train skipgram none.txt --out runs/x", DATA, ("none.txt",)),
    Mistake(TRAIN + " --windwo 3", USAGE, ("--windwo", "Did you mean '--window'"), {"c.txt": GOOD}),
    Mistake(
        TRAIN + " --window 0",
        USAGE,
        ("window must be at least 1", "got 0", "textssl train skipgram --help"),
        {"c.txt": GOOD},
    ),
    Mistake(TRAIN + " --learning-rate fast", USAGE, ("--learning-rate", "fast"), {"c.txt": GOOD}),
    Mistake(TRAIN, DATA, ("empty",), {"c.txt": b""}),
    Mistake(TRAIN, DATA, ("only white space",), {"c.txt": b" \n\n \n"}),
    Mistake(TRAIN, DATA, ("word",), {"c.txt": b"hello hello hello\n"}),
    Mistake(TRAIN.replace("--min-count 1", "--min-count 50"), DATA, ("min_count",), {"c.txt": b"every word once\n"}),
    Mistake(TRAIN, DATA, ("program (ELF)",), {"c.txt": b"\x7fELF" + bytes(200)}),
    Mistake(TRAIN, DATA, ("byte 0xff at byte 9", "--encoding"), {"c.txt": b"good\nbad \xff byte\n"}),
    Mistake(TRAIN, USAGE, ("is not empty and holds no run",), {"c.txt": GOOD, "runs/x/letter.txt": b"dear"}),
    Mistake(TRAIN, USAGE, ("is a file",), {"c.txt": GOOD, "runs/x": b"dear"}),
    Mistake(TRAIN.replace("runs/x", "locked/x"), RESOURCES, ("locked",), {"c.txt": GOOD}),
    Mistake(
        TRAIN + " --config t.toml",
        USAGE,
        ("t.toml", "windwo", "Did you mean 'window'?"),
        {"c.txt": GOOD, "t.toml": b"windwo = 3\n"},
    ),
]


def identity(mistake: Mistake) -> str:
    return mistake.line[:60]


@pytest.mark.parametrize("mistake", MISTAKES, ids=identity)
def test_mistake_gives_one_screen_and_the_right_exit_code(mistake, run, vectors, tmp_path, monkeypatch):
    if mistake.needs_train and not HAS_TRAIN:
        pytest.skip("there is no train command yet")
    monkeypatch.setenv("TEXTSSL_CACHE", str(tmp_path / ".cache"))
    for name, content in mistake.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    words = [{"VECTORS": vectors, "NEW": tmp_path / "new"}.get(word, word) for word in mistake.line.split(" ") if word]
    if "NEW" in mistake.line:
        new_run(tmp_path / "new")
    if "locked" in mistake.line:
        lock(tmp_path / "locked", monkeypatch)
    before = {name: (tmp_path / name).read_bytes() for name in mistake.files}
    done = run(*words)
    assert done.code == mistake.code, done.err
    assert "Traceback" not in done.err
    assert "bug" not in done.err
    assert re.search("^error: ", done.err, flags=re.MULTILINE)
    assert "\n  next: " in done.err, "every message says what to do next"
    assert len(done.err.splitlines()) <= MAX_LINES
    for word in mistake.words:
        assert word in done.err, done.err
    assert done.out == ""
    assert {name: (tmp_path / name).read_bytes() for name in mistake.files} == before, (
        "a failing command changes nothing"
    )


@pytest.mark.skipif(not HAS_TRAIN, reason="there is no train command yet")
def test_changed_configuration_is_refused_with_the_difference(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTSSL_CACHE", str(tmp_path / ".cache"))
    (tmp_path / "c.txt").write_bytes(GOOD)
    words = TRAIN.split()
    assert run(*words).code == 0
    content = (tmp_path / "runs/x/config.toml").read_bytes()
    done = run(*words, "--window", "3")
    assert done.code == USAGE
    assert "window: 5 -> 3" in done.err
    assert "--out" in done.err
    assert (tmp_path / "runs/x/config.toml").read_bytes() == content


def test_damaged_model_is_named_and_not_opened(run, finished_run):
    model = finished_run / "model" / "words.safetensors"
    model.write_bytes(model.read_bytes()[:-5])
    done = run("query", finished_run, "paris")
    assert done.code == DATA
    assert "words.safetensors" in done.err


def test_run_without_vectors_says_how_to_get_them(run, finished_run):
    shutil.rmtree(finished_run / "model")
    done = run("query", finished_run, "paris")
    assert done.code == DATA
    assert "has no model any more, the run is finished" in done.err
    assert "Its model was removed: train again, with another --out." in done.err


def new_run(path: Path) -> None:
    from textssl.run_folder import RunFolder

    RunFolder.open(path, {"dim": 1}, ["textssl"], data={}).close()


def lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written, even by the administrator that tests may run as."""
    folder.mkdir()
    real = {name: getattr(os, name) for name in ("open", "mkdir")}

    def refuse(name):
        def call(path, *more, **options):
            if str(folder) in os.path.abspath(os.fspath(path)) and (name == "mkdir" or more and more[0] & os.O_CREAT):
                raise PermissionError(13, "Permission denied", str(path))
            return real[name](path, *more, **options)

        return call

    folder.chmod(0o555)
    if os.access(folder, os.W_OK):
        for name in real:
            monkeypatch.setattr(os, name, refuse(name))
        monkeypatch.setattr(Path, "open", refuse_to_open(folder, Path.open))


def refuse_to_open(folder: Path, real):
    def call(path, mode="r", *more, **options):
        if path.is_relative_to(folder) or folder in path.absolute().parents:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, mode, *more, **options)

    return call
