"""The tables of README.md about transformers; see `tables`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.few_labels_data import TASKS
from benchmarks.markdown import between, footer, markdown, mean
from benchmarks.peers import OURS
from benchmarks.tables_vision import images_of_gpu

Results = dict[str, Any]
WORDS = {True: "yes", False: "no"}


def _speed(objective: str, results: Results) -> str:
    result = results.get(f"transformer_speed_{objective}")
    if result is None:
        return ""
    rows = [
        [name, between(speed, "{:,.0f}"), "1" if name == OURS else between(result["ratios"][name], "{:.2f}")]
        for name, speed in result["tokens_per_s"].items()
    ]
    return markdown([f"{objective}, tiny", "tokens/s", "our speed over theirs"], rows) + footer(result)


def _minutes(objective: str, results: Results) -> str:
    result = results.get(f"transformer_minutes_{objective}")
    if result is None:
        return ""
    trained, setting = result["contestants"], result["setting"]
    in_bytes = any("bits_per_byte" in scores for scores in trained.values())
    rows = []
    for name, scores in {**trained, **result["baselines"]}.items():
        row = [
            name,
            *(f"{scores[key]:,.0f}" if key in scores else "" for key in ("steps", "tokens_per_s", "trained_s")),
        ]
        row += [f"{scores['loss_nats']:.3f}", f"{scores['bits_per_byte']:.3f}" if in_bytes else ""]
        rows.append(row if in_bytes else row[:-1])
    columns = [f"{objective}, {setting['minutes']:g} minutes", "steps", "tokens/s", "s", "loss, nats a token"]
    return markdown([*columns, *(["bits per byte"] if in_bytes else [])], rows) + footer(result)


def _few_labels(task: str, results: Results) -> str:
    """Methods by numbers of labels; a number that was not measured is left out."""
    found = [results[name] for size in TASKS[task].sizes if (name := f"few_labels_{task}_{size}") in results]
    if not found:
        return ""
    methods = list(dict.fromkeys(name for result in found for name in result["methods"]))
    rows = [[name, *(_per_cent(result["methods"].get(name)) for result in found)] for name in methods]
    rows.append(["standard error of the test", *(f"{100 * result['standard_error_of_test']:.1f}" for result in found)])
    columns = [TASKS[task].title, *(f"{result['labels']:,} labels, {result['seeds']} seeds" for result in found)]
    return markdown(columns, rows) + footer(found[-1])


def _per_cent(score: dict[str, Any] | None) -> str:
    """Mean and deviation; a method on which the seed has no influence has none."""
    if score is None:
        return "-"
    return mean({**score, "all": range(score["seeds"] if score["deviation"] else 1)}, "{:.1f}", 100)


def _kills(results: Results) -> str:
    result = results.get("transformer_kills")
    if result is None:
        return ""
    trainings = result["trainings"]
    keys = [key for key, value in next(iter(trainings.values())).items() if isinstance(value, int)]
    rows = [
        [key.replace("_", " "), *(str(counted[key]) for counted in trainings.values()), f"**{result[key]}**"]
        for key in keys
    ]
    return markdown(["", *trainings, "all"], rows) + footer(result)


def _gpu(results: Results) -> str:
    result = results.get("gpu")
    if result is None:
        return ""
    cases = result["cases"]
    rows = [row for name, case in cases.items() if "sweep" in case for row in _speeds(name, case)]
    columns = ["", "parameters", "rows of a step", "tokens/s", "utilisation", "memory, GB"]
    parts = [markdown(columns, rows), images_of_gpu(cases), *_gpu_lines(cases)]
    return "\n\n".join(part for part in parts if part) + footer(result)


def _speeds(name: str, case: dict[str, Any]) -> list[list[str]]:
    label, size = name.replace("_", " "), f"{case['parameters'] / 1e6:.1f} M"
    rows = []
    for each in case["sweep"]:
        if "error" in each:
            rows.append([label, size, str(each["rows"]), each["error"].splitlines()[0][:60], "", ""])
            continue
        peak = "-" if each["peak_gb"] is None else f"{each['peak_gb']:.1f}"
        share = "-" if each["utilisation"] is None else f"{each['utilisation']:.1%}"
        rows.append([label, size, str(each["rows"]), f"{each['tokens_per_s']:,.0f}", share, peak])
    return rows


def _gpu_lines(cases: dict[str, Any]) -> list[str]:
    """What else was found: the limits of the device, attention, resume and word vectors, and what failed."""
    lines = []
    limits = cases.get("ceilings", {})
    if limits.get("peak_flops"):
        lines.append(
            f"{limits['name']}: peak {limits['peak_flops'] / 1e12:,.3g} Tflop/s, a large product reaches "
            f"{limits['product_flops'] / 1e12:,.3g}, a copy {limits['copy_bytes_per_s'] / 1e9:,.0f} GB/s."
        )
    for name, case in cases.items():
        if "resumed_equals_uninterrupted" in case:
            resumed, twice = case["resumed_equals_uninterrupted"], case["two_runs_are_equal"]
            lines.append(
                f"{name.replace('_', ' ')}: the resumed run equals the uninterrupted one to the last bit: "
                f"{WORDS[resumed]}; two uninterrupted ones equal each other: {WORDS[twice]}."
            )
        if "error" in case:
            lines.append(f"{name.replace('_', ' ')}: {case['error'].splitlines()[0][:200]}")
    attention = {name: case for name, case in cases.get("attention", {}).items() if name != "backends"}
    if attention and "error" not in attention:
        rows = [[name, *(_kernel(kernels[key]) for key in kernels)] for name, kernels in attention.items()]
        lines.append(markdown(["attention, ms (largest difference)", *next(iter(attention.values()))], rows))
    return lines


def _kernel(measured: dict[str, Any]) -> str:
    return "-" if "error" in measured else f"{measured['ms']:.2f} ({measured['largest_difference']:.0e})"


def _shares_of_a_step(results: Results) -> str:
    result = results.get("profile_step")
    if result is None:
        return ""
    rows = [
        [name, *(f"{share:.0%}" for share in step["shares"].values()), f"{step['gflops_of_products']:.0f}"]
        for name, step in result["steps"].items()
    ]
    kinds = next(iter(result["steps"].values()))["shares"]
    return markdown(["a step of", *kinds, "Gflop/s of the products"], rows) + footer(result)


NETWORK_TABLES: dict[str, Callable[[Results], str]] = {
    "speed_masked_lm": partial(_speed, "masked_lm"),
    "speed_next_token": partial(_speed, "next_token"),
    "profile_step": _shares_of_a_step,
    "minutes_masked_lm": partial(_minutes, "masked_lm"),
    "minutes_next_token": partial(_minutes, "next_token"),
    **{f"few_labels_{task}": partial(_few_labels, task) for task in TASKS},
    "transformer_kills": _kills,
    "gpu": _gpu,
}
