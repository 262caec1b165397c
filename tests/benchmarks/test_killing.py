"""Killing and going on, with a victim that takes a moment; and the texts of the transformers' kills."""

import csv
import subprocess
import sys

import pytest

from benchmarks.killing import Killing, Times, Victim, being_written, digest, passed, wait
from benchmarks.transformer_kills import victims, write_texts

# Counts to 12 in checkpoints that textssl commits, then writes down the 12; "spoiled": also where it was started.
COUNTER = """
import sys, time
from pathlib import Path
from textssl.storage import commit_folder, numbered
run, spoiled = Path(sys.argv[1]), sys.argv[2] == "spoiled"
found = numbered(run / "checkpoints", "step-")
start = int(found[-1].name[5:]) if found else 0
for step in range(start + 1, 13):
    time.sleep(0.01)
    commit_folder(run / "checkpoints" / f"step-{step:02d}", lambda folder: (folder / "x").write_text(str(step)))
(run / "model").write_text(f"{start if spoiled else 0} 12")
"""


def killed(tmp_path, *, kills, times, how="sound"):
    victim = Victim(lambda run: [sys.executable, "-c", COUNTER, run, how], "numbers", ("model", "checkpoints/step-*/x"))
    return Killing(victim, tmp_path, times, seed=3).run(kills)


@pytest.mark.parametrize("times", [Times(latest=0.3), Times(latest=0.3, aimed=1.0, saves=6)])
def test_killed_runs_go_on_to_the_same_files(tmp_path, times):
    counted = killed(tmp_path, kills=3, times=times)
    assert counted["kills"] == 3
    assert counted["restarts"] > 0
    assert counted["unreadable_checkpoints"] == counted["different_numbers"] == 0
    assert counted.get("aimed_at_a_save", 0) == 3 * times.aimed
    if times.aimed:
        assert counted["resumed_at_a_checkpoint"] > 0
        assert counted["checkpoints_read"] > 0
    assert passed(counted, "numbers")


def test_a_run_that_ends_otherwise_is_counted(tmp_path):
    counted = killed(tmp_path, kills=3, times=Times(latest=0.9, aimed=1.0, saves=6), how="spoiled")
    assert counted["different_numbers"] > 0
    assert not passed(counted, "numbers")


def test_a_victim_that_fails_stops_everything(tmp_path):
    calls = []

    def command(run):
        calls.append(run)
        code = "pass" if len(calls) < 3 else "print('no luck'); raise SystemExit(3)"
        return [sys.executable, "-c", f"open({str(tmp_path / 'x')!r}, 'w'); {code}"]

    (tmp_path / "left-alone").mkdir()
    (tmp_path / "left-alone" / "x").touch()
    with pytest.raises(SystemExit, match=r"run-0 ended with 3:\nno luck"):
        Killing(Victim(command, "x", ("x",)), tmp_path, Times(latest=1e3), seed=1).run(1)


def test_an_unreadable_checkpoint_is_counted(tmp_path):
    killing = Killing(Victim(lambda run: [], "x", ()), tmp_path, Times(1.0), seed=1)
    (tmp_path / "run" / "checkpoints" / "step-01").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / ".tmp-1").mkdir()
    killing._read_checkpoints("run")
    assert (killing.counted["checkpoints_read"], killing.counted["unreadable_checkpoints"]) == (1, 1)
    assert killing.counted["killed_while_writing_a_checkpoint"] == 1


def test_the_last_file_of_a_pattern_counts(tmp_path):
    for name, content in (("step-1", "a"), ("step-2", "b")):
        (tmp_path / name).write_text(content)
    before = digest(tmp_path, ["step-*"])
    (tmp_path / "step-1").write_text("c")
    assert digest(tmp_path, ["step-*"]) == before
    (tmp_path / "step-2").write_text("c")
    assert digest(tmp_path, ["step-*"]) != before


def test_what_is_being_written_is_seen_in_both_folders(tmp_path):
    assert being_written(tmp_path / "none") == set()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ".tmp-a").touch()
    (tmp_path / "checkpoints" / ".tmp-b").mkdir()
    assert {path.name for path in being_written(tmp_path)} == {".tmp-a", ".tmp-b"}


def test_waiting_ends_with_the_process():
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        wait(process, 60)
        assert process.poll() == 0


def test_texts_of_the_kills_are_the_same_every_time_and_have_both_labels(tmp_path):
    for number in range(2):
        write_texts(tmp_path / f"corpus-{number}", tmp_path / f"table-{number}.csv", 60)
    assert (tmp_path / "corpus-0").read_bytes() == (tmp_path / "corpus-1").read_bytes()
    with (tmp_path / "table-0.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == {"long", "short"}
    assert [row["text"] for row in rows] == (tmp_path / "corpus-0").read_text().splitlines()


def test_every_training_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.transformer_kills.run_process", lambda command, environment: None)
    found = victims(tmp_path, 40)
    commands = {name: list(map(str, victim.command(tmp_path / "run"))) for name, victim in found.items()}
    assert list(commands) == ["masked_lm", "next_token", "finetune"]
    for name, words in commands.items():
        assert name in words
        assert words[words.index("--checkpoint-every") + 1] == "1steps"
