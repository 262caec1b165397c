"""The GPU benchmark on the CPU, with tiny models; and its table and targets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu import LIMIT_S, _Clock, cases, result_of
from benchmarks.tables import TABLES
from benchmarks.targets import targets

ROOT = Path(__file__).parents[2]
RECORD = {
    "machine": {"processor": "p", "cores": 1, "memory_gb": 1},
    "versions": dict.fromkeys(("python", "numpy", "numba"), "1"),
    "protocol": "how",
    "date": "today",
    "command": "c",
}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu")
    subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--smoke", "--results", str(folder)],
        cwd=ROOT, check=True, timeout=300, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return json.loads((folder / "gpu.json").read_text())


def test_smoke_run_measures_every_case(smoke):
    assert list(smoke["cases"]) == list(cases("cpu", smoke=True))
    assert {name: case["error"] for name, case in smoke["cases"].items() if "error" in case} == {}
    for name in ("encoder_17m", "encoder_base", "decoder_base", "decoder_base_documents", "decoder_base_muon"):
        assert smoke["cases"][name]["best"]["tokens_per_s"] > 0, name
        assert smoke["cases"][name]["best"]["utilisation"] > 0, name


def test_smoke_run_learns_from_images(smoke):
    case = smoke["cases"]["simclr_resnet18"]
    assert [each["rows"] for each in case["image_sweep"]] == [8, 16]
    assert case["best"]["images_per_s"] > 0
    assert "| simclr resnet18 | 8 | " in TABLES["gpu"]({"gpu": smoke})


def test_smoke_run_resumes_exactly(smoke):
    resumed = {name: case for name, case in smoke["cases"].items() if name.startswith("resume")}
    assert len(resumed) == 3
    for case in resumed.values():
        assert case == {"resumed_equals_uninterrupted": True, "two_runs_are_equal": True, "differing": []}


def test_kernel_that_does_not_exist_here_is_recorded_and_the_others_go_on(smoke):
    decoder = smoke["cases"]["attention"]["decoder"]
    assert "error" in decoder["EFFICIENT_ATTENTION"]
    assert decoder["MATH"]["largest_difference"] < 1e-5
    assert decoder["as trained"]["largest_difference"] < 1e-5


def test_table_shows_the_smoke_run(smoke):
    shown = TABLES["gpu"]({"gpu": smoke})
    assert "| encoder 17m | 0.0 M | 2 |" in shown
    assert "resume tiny encoder: the resumed run equals the uninterrupted one to the last bit: yes" in shown
    assert "A trial on tiny models." in shown


def test_table_and_targets_of_a_gpu():
    best = {"rows": 64, "tokens_per_s": 1.2e6, "utilisation": 0.05, "peak_gb": 20.5}
    failed = {"rows": 128, "error": "ResourceError: the memory of cuda does not suffice\nmore"}
    result = {
        **RECORD,
        "cases": {
            "ceilings": {"name": "H200", "peak_flops": 989e12, "product_flops": 790e12, "copy_bytes_per_s": 4.3e12},
            "encoder_17m": {"parameters": 16_800_000, "length": 1024, "sweep": [best, failed], "best": best},
            "encoder_base": {"error": "did not end within 150 s"},
            "decoder_base": {"parameters": 1, "length": 1024, "sweep": [], "best": None},
        },
    }  # fmt: skip
    shown = TABLES["gpu"]({"gpu": result})
    assert "| encoder 17m | 16.8 M | 64 | 1,200,000 | 5.0% | 20.5 |" in shown
    assert "| encoder 17m | 16.8 M | 128 | ResourceError: the memory of cuda does not suffice |  |  |" in shown
    assert "H200: peak 989 Tflop/s, a large product reaches 790, a copy 4,300 GB/s." in shown
    assert "encoder base: did not end within 150 s" in shown
    rows = {row[0]: row[2:] for row in targets({"gpu": result})}
    assert rows["H200, encoder of 17 M, thousand tokens/s"] == ["1,200", "yes"]
    assert rows["H200, encoder of 150 M, thousand tokens/s"] == ["not measured", ""]
    assert rows["H200, decoder of 124 M, thousand tokens/s"] == ["not measured", ""]


def test_transformer_kills_in_table_and_targets():
    counted = {"kills": 100, "different_weights": 0, "unreadable_checkpoints": 0, "left_alone_s": 3.5}
    result = {
        **RECORD, "kills": 200, "different_weights": 0,
        "unreadable_checkpoints": 0, "trainings": {"masked_lm": counted, "finetune": counted},
    }  # fmt: skip
    assert "| kills | 100 | 100 | **200** |" in TABLES["transformer_kills"]({"transformer_kills": result})
    name = "weights that differ, or checkpoints unreadable, after 200 SIGKILLs"
    assert {row[0]: row[2:] for row in targets({"transformer_kills": result})}[name] == ["0", "yes"]
    few = {**result, "kills": 199}
    assert {row[0]: row[2:] for row in targets({"transformer_kills": few})}[name] == ["not measured", ""]


def test_failing_and_slow_cases_are_recorded(monkeypatch):
    real = subprocess.run

    def started(command, **options):
        code = {"a": "raise SystemExit('no GPU')", "b": "import time; time.sleep(60)"}[json.loads(command[-1])["case"]]
        return real([sys.executable, "-c", code], **options)

    monkeypatch.setattr(subprocess, "run", started)
    failed = result_of({"case": "a"}, _Clock(60), in_process=False)
    assert failed == {"error": "ended with 1: no GPU\n"}
    assert result_of({"case": "b"}, _Clock(0.4), in_process=False) == {"error": "did not end within 0 s"}
    assert result_of({"case": "a"}, _Clock(0), in_process=False) == {"error": "no time was left"}
    no_rows = result_of({"case": "training", "like": "encoder_base", "rows": []}, _Clock(60), in_process=False)
    assert no_rows == {"error": "encoder_base gave no number of rows"}
    assert LIMIT_S < 480
