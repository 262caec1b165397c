"""The benchmarks' scripts start, and what they compute from measurements is right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.markdown import between, markdown
from benchmarks.measure import anonymous_kb, in_turn, ratios, run_process, shown_command, spread
from benchmarks.peers import SETTINGS, Job, peer_command, peer_speed, textssl_command, training_speed
from benchmarks.prepare import write_lines, write_size
from benchmarks.scaling import fit
from benchmarks.table import README, read_results, rendered
from benchmarks.tables import TABLES
from benchmarks.targets import targets
from benchmarks.word_vectors_quality import named_paths, summaries
from benchmarks.word_vectors_speed import keep_time

ROOT = Path(__file__).parents[2]
LIBRARY = {
    *("__init__", "collation_peer", "few_labels_data", "gensim_peer", "gpu_cases", "gpu_images", "gpu_training"),
    *("killing", "lightly_methods", "lightly_peer", "markdown", "measure", "peers", "tables", "tables_networks"),
    *("tables_vision",),
    *("targets", "targets_networks", "targets_vision", "torchvision_shim", "transformer_peers", "transformers_peer"),
    *("vision_contestants", "vision_data", "vision_scores", "vision_views"),
}
SCRIPTS = sorted(file.stem for file in (ROOT / "benchmarks").glob("*.py") if file.stem not in LIBRARY)
JOB = Job(Path("text"), Path("target"), epochs=3, threads=2, seed=7)


def spread_of(*values):
    return spread(values)


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_has_help(script):
    shown = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{script}", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert shown.returncode == 0, shown.stderr
    assert "usage:" in shown.stdout


def test_scripts_are_in_the_readme():
    text = README.read_text(encoding="utf-8")
    assert [script for script in SCRIPTS if script not in text] == []


def test_scripts_are_short():
    lengths = {file.name: len(file.read_text().splitlines()) for file in (ROOT / "benchmarks").glob("*.py")}
    assert {name: length for name, length in lengths.items() if length > 200} == {}


def test_readme_tables_are_those_of_the_results():
    text = README.read_text(encoding="utf-8")
    assert rendered(text, read_results(ROOT / "benchmarks" / "results")) == text, "run python -m benchmarks.table"


def test_results_tell_nothing_of_the_machines_folders():
    for file in (ROOT / "benchmarks" / "results").glob("*.json"):
        result = json.loads(file.read_text(encoding="utf-8"))
        assert "/" not in (result["command"] if isinstance(result, dict) else ""), file.name


def test_fit_finds_a_line_and_its_error():
    start, slope, worst = fit([1, 10, 1000], [2.5, 7, 502])
    assert (start, slope) == pytest.approx((2, 0.5))
    assert worst == pytest.approx(0, abs=1e-9)


def test_fit_weighs_sizes_alike():
    # one second off at 1,000 MB is one part in five hundred and hardly moves what is seen at 1 MB
    start, _, worst = fit([1, 2, 1000], [2.5, 3, 503])
    assert start == pytest.approx(2, abs=0.01)
    assert worst < 0.01


def test_ratios_are_taken_pair_by_pair():
    found = ratios([10, 30, 90], [1, 2, 3])
    assert found["all"] == [10, 15, 30]
    assert (found["median"], found["min"], found["max"]) == (15, 10, 30)


def test_ratios_leave_rounds_of_one_alone_out():
    assert ratios([10], [2, 1000])["all"] == [5]


def test_spread_of_one_value_has_no_deviation():
    assert spread_of(3.0) == {"median": 3.0, "min": 3.0, "max": 3.0, "mean": 3.0, "deviation": 0.0, "all": [3.0]}


def test_in_turn_goes_round_and_leaves_out_those_that_are_done():
    order = []
    results = in_turn(
        {name: lambda number, name=name: order.append(name) or number for name in "ABC"}, {"A": 3, "B": 1, "C": 2}
    )
    assert "".join(order) == "ABCACA"
    assert results == {"A": [0, 1, 2], "B": [0], "C": [0, 1]}


def test_run_process_tells_time_memory_and_output():
    code = "import time; block = bytearray(60_000_000); time.sleep(0.3); print('done')"
    finished = run_process([sys.executable, "-c", code], watch_memory=True)
    assert finished.wall_s > 0.3 > finished.cpu_s / 4
    assert finished.peak_anonymous_mb is not None
    assert 60 < finished.peak_anonymous_mb < 100
    assert finished.output == "done\n"


def test_run_process_stops_at_a_failure():
    with pytest.raises(SystemExit, match=r"ended with 3:\nno luck"):
        run_process([sys.executable, "-c", "print('no luck'); raise SystemExit(3)"])


def test_anonymous_memory_is_read_from_the_status():
    assert anonymous_kb("Name:\tx\nRssAnon:\t    1234 kB\nRssFile:\t 9 kB\n") == 1234
    assert anonymous_kb("Name:\tx\nState:\tZ (zombie)\n") == 0


def test_shown_command_keeps_last_names_of_paths():
    assert shown_command(["/a/b/python", "--text", Path("/c/d.txt"), "gensim=/e/f.bin", "3"]) == (
        "python --text d.txt gensim=f.bin 3"
    )


def test_commands_give_every_tool_the_same_numbers():
    ours = textssl_command(SETTINGS["cbow"], JOB, cache=Path("cache"))
    assert ours[3:6] == ["train", "cbow", "text"]
    given = dict(zip(ours[6::2], ours[7::2], strict=True))
    assert (given["--dim"], given["--window"], given["--negatives"], given["--epochs"]) == ("200", "8", "25", "3")
    assert "--min-n" not in given
    word2vec = peer_command("word2vec.c", Path("word2vec"), SETTINGS["cbow"], JOB)
    given = dict(zip(word2vec[1::2], word2vec[2::2], strict=True))
    assert (given["-size"], given["-window"], given["-negative"], given["-iter"]) == ("200", "8", "25", "3")
    assert (given["-cbow"], given["-alpha"], given["-sample"]) == ("1", "0.05", "0.0001")
    gensim = json.loads(peer_command("gensim", Path("python"), SETTINGS["skipgram"], JOB)[-1])
    assert (gensim["sg"], gensim["vector_size"], gensim["epochs"], gensim["workers"]) == (1, 100, 3, 2)
    fasttext = peer_command("fastText", Path("fasttext"), SETTINGS["subwords"], JOB)
    given = dict(zip(fasttext[2::2], fasttext[3::2], strict=True))
    assert fasttext[1] == "skipgram"
    assert (given["-minn"], given["-maxn"], given["-bucket"]) == ("3", "6", "2000000")


def test_training_speed_leaves_the_first_step_out(tmp_path):
    metrics = tmp_path / "metrics.jsonl"
    records = [
        {"kind": "train", "words": 100, "elapsed_s": 9.0},
        {"kind": "epoch", "words": 100, "elapsed_s": 9.5},
        {"kind": "train", "words": 500, "elapsed_s": 11.0},
    ]
    metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert training_speed(metrics) == 200
    metrics.write_text(json.dumps(records[0]) + "\n")
    assert training_speed(metrics) is None


def test_peer_speed_reads_the_last_line_for_all_threads():
    assert peer_speed("Words/thread/sec: 10.00k  Alpha: \rWords/thread/sec: 68.50k  ", 2) == 137_000
    assert peer_speed("Progress: 99% words/sec/thread:   51234 lr: 0\rwords/sec/thread:   52000 lr", 2) == 104_000
    assert peer_speed("nothing", 2) is None


def test_prepare_writes_lines_of_words(tmp_path):
    source, target = tmp_path / "text", tmp_path / "lines"
    source.write_bytes(b" a bb  ccc\nd e ")
    write_lines(source, target, 2)
    assert target.read_bytes() == b"a bb\nccc d\ne\n"


def test_prepare_repeats_and_cuts_at_words(tmp_path):
    source, target = tmp_path / "text", tmp_path / "sized"
    source.write_bytes(b"aaa bbb\n")
    write_size(source, target, 21)
    assert target.read_bytes() == b"aaa bbb\naaa bbb\naaa\n"
    write_size(source, target, 16)
    assert target.read_bytes() == b"aaa bbb\naaa bbb\n"


def test_prepare_refuses_a_text_without_lines(tmp_path):
    source = tmp_path / "text"
    source.write_bytes(b"aaa bbb")
    with pytest.raises(SystemExit, match="must end with a new line"):
        write_size(source, tmp_path / "sized", 100)


def test_named_paths_are_parted():
    assert named_paths(["gensim=/a/b.bin"]) == [("gensim", Path("/a/b.bin"))]
    with pytest.raises(SystemExit, match="expected NAME=PATH, got gensim"):
        named_paths(["gensim"])


def test_summaries_group_seeds_of_a_name():
    found = summaries([{"name": "a", "x": 1.0}, {"name": "b", "x": 5.0}, {"name": "a", "x": 3.0}])
    assert list(found) == ["a", "b"]
    assert found["a"]["x"]["mean"] == 2.0
    assert found["b"]["x"]["all"] == [5.0]


def test_kept_times_add_up_in_one_file(tmp_path):
    record = {"wall_s": 300.4, "date": "2000-01-01", "note": ""}
    keep_time(tmp_path, "gensim", "skipgram", 5, record)
    keep_time(tmp_path, "word2vec.c", "skipgram", 5, {**record, "wall_s": 560.5})
    kept = json.loads((tmp_path / "peers.json").read_text())
    assert [(each["peer"], each["wall_s"]) for each in kept] == [("gensim", 300.4), ("word2vec.c", 560.5)]
    with pytest.raises(SystemExit, match="no such peer and setting: gensim subwords"):
        keep_time(tmp_path, "gensim", "subwords", 5, record)


def test_table_is_markdown_with_a_median_and_its_spread():
    assert (
        markdown(["a", "b"], [["x", between(spread_of(1, 2, 4))]])
        == "| a | b |\n| :-- | --: |\n| x | 2.0 (1.0 to 4.0) |"
    )
    assert between(spread_of(2), "{:.2f}") == "2.00"
    assert between(None) == "-"


def test_tables_without_results_say_so():
    text = "before\n<!-- table kills -->\nold\n<!-- end -->\nafter\n"
    assert rendered(text, {}) == "before\n<!-- table kills -->\n*Not measured yet (kills).*\n<!-- end -->\nafter\n"
    for name, table in TABLES.items():
        assert name == "targets" or table({}) == ""


def test_table_of_an_unknown_name_is_refused():
    with pytest.raises(SystemExit, match="there is no table 'speeed'; there are targets, "):
        rendered("<!-- table speeed --><!-- end -->".replace("--><!", "-->\n<!"), {})


def test_targets_tell_reached_from_missed_and_missing():
    results = {
        "word_vectors_speed_skipgram": {"ratios": {"gensim": spread_of(9.0)}},
        "word_vectors_speed_cbow": {"ratios": {"gensim": spread_of(3.9)}},
        "kills": {"kills": 59, "different_vectors": 0, "unreadable_checkpoints": 0},
    }
    rows = {row[0]: row[2:] for row in targets(results)}
    assert rows["skip-gram, gensim's time over ours"] == ["9.0", "yes"]
    assert rows["CBOW, gensim's time over ours"] == ["3.9", "no"]
    assert rows["CBOW, word2vec.c's time over ours"] == ["not measured", ""]
    assert rows["vectors that differ, or checkpoints unreadable, after 60 SIGKILLs"] == ["not measured", ""]
