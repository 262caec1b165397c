"""The tables of README.md: functions of all results that give Markdown, or nothing where their result is missing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.markdown import between, footer, markdown, mean
from benchmarks.peers import CAN_DO, OURS, SETTINGS
from benchmarks.tables_networks import NETWORK_TABLES
from benchmarks.tables_vision import VISION_TABLES
from benchmarks.targets import targets

Results = dict[str, Any]


def _targets(results: Results) -> str:
    return markdown(["what", "must reach", "measured", ""], targets(results))


def _speed(setting: str, results: Results) -> str:
    result = results.get(f"word_vectors_speed_{setting}")
    if result is None:
        return ""
    rows = []
    for name, wall in result["wall_s"].items():
        speed = result["words_per_s"][name]
        ratio = "1" if name == OURS else between(result["ratios"][name])
        rows.append([name, between(wall), "-" if speed is None else f"{speed / 1e6:.2f} M", ratio])
    if result["cold_s"] is not None:
        rows.append([f"{OURS}, first run after an installation", f"{result['cold_s']:.1f}", "", ""])
    return markdown(["1 epoch", "whole process, s", "words/s in training", "times our time"], rows) + footer(result)


def _long_runs(results: Results) -> str:
    rows = []
    for setting in SETTINGS:
        quality = results.get(f"word_vectors_quality_{setting}")
        ours, epochs = None, None
        if quality:
            ours, epochs = quality["summary"].get(OURS, {}).get("wall_s"), quality["setting"]["epochs"]
        if quality and ours:
            rows.append([f"{OURS}, {setting}", str(epochs), between(ours), "1", quality["date"]])
        for kept in results.get("peers", []):
            if kept["setting"] == setting and kept["peer"] in CAN_DO[setting]:
                ratio = f"{kept['wall_s'] / ours['median']:.1f}" if ours and kept["epochs"] == epochs else "-"
                note = f" ({kept['note']})" if kept.get("note") else ""
                rows.append(
                    [
                        f"{kept['peer']}, {setting}",
                        str(kept["epochs"]),
                        f"{kept['wall_s']:.1f}",
                        ratio,
                        kept["date"] + note,
                    ]
                )
    return markdown(["whole runs", "epochs", "s", "times our time", "measured"], rows)


def _quality(results: Results) -> str:
    rows, footers = [], []
    for name, result in results.items():
        if name.startswith("word_vectors_quality_"):
            label = name.removeprefix("word_vectors_quality_")
            rows += [_quality_row(f"{who}, {label}", numbers) for who, numbers in result["summary"].items()]
            footers.append(footer(result))
    columns = ["", "seeds", "30,000: semantic", "syntactic", "**total**", "full: total", "WordSim-353", "SimLex-999"]
    return markdown(columns, rows) + (footers[-1] if footers else "")


def _quality_row(label: str, numbers: dict[str, Any]) -> list[str]:
    keys = (
        "restricted_semantic",
        "restricted_syntactic",
        "restricted_total",
        "full_total",
        "WordSim-353",
        "SimLex-999",
    )
    seeds = len(numbers["restricted_total"]["all"])
    forms = ["{:.1f}"] * 4 + ["{:.3f}"] * 2
    cells = [mean(numbers[key], form, 100 if "_" in key else 1) for key, form in zip(keys, forms, strict=True)]
    return [label, str(seeds), *cells]


def _text_to_ids(results: Results) -> str:
    result = results.get("text_to_ids")
    if result is None:
        return ""
    rows = [
        [
            f"{size['megabytes']:,.0f}",
            between(size["mb_per_s"], "{:.0f}"),
            *[
                f"{size['peak_mb'][kind]:.0f} of {size['allowed_mb'][kind]:.0f}" if kind in size["peak_mb"] else "-"
                for kind in ("store", "training")
            ],
        ]
        for size in result["sizes"]
    ]
    columns = ["text, MB", "MB/s", "RssAnon of the store, MB of those allowed", "of a training run"]
    return markdown(columns, rows) + footer(result)


def _queries(results: Results) -> str:
    result = results.get("queries")
    if result is None:
        return ""
    analogies, large = result["analogies"], result["large"]
    size = f"{analogies['words']:,} x {analogies['dim']}"
    rows = []
    for protocol in ("restricted", "full"):
        asked = f"{analogies[protocol]['runs']['textssl'][0]['asked']:,} analogies, {protocol}, {size}"
        seconds = analogies[protocol]["seconds"]
        rows.append([asked, between(seconds["textssl"], "{:.2f}"), between(seconds.get("gensim"), "{:.1f}")])
    rows += [[f"{name} (new process)", between(times, "{:.2f}"), ""] for name, times in result["commands"].items()]
    if large:
        size = f"{large['words']:,} x {large['dim']}"
        peak = f"{large['convert_peak_mb']:.0f} MB of memory"
        rows.append(
            [
                f"convert {large['source_gb']:.1f} GB of word2vec binary, {size} ({peak})",
                f"{large['convert_s']:.1f}",
                "",
            ]
        )
        rows.append([f"open it, and look up a word, {size}", between(large["open_s"], "{:.4f}"), ""])
        rows.append(
            [f"textssl query on it (new process, {large['query_peak_mb']:.0f} MB)", f"{large['query_s']:.2f}", ""]
        )
    return markdown(["", "textssl, s", "gensim, s"], rows) + footer(result)


def _scaling(results: Results) -> str:
    result = results.get("scaling")
    if result is None:
        return ""
    rows = [[f"{point['megabytes']:,.0f}", f"{point['wall_s']:.2f}"] for point in result["points"]]
    line = (
        f"Seconds = {result['start_s']:.2f} + {result['seconds_per_mb']:.4f} x MB; no point is farther from the line "
        f"than {result['largest_relative_error']:.0%}. Two threads train "
        f"{between(result['threads']['speed_up'], '{:.2f}')} times as fast as one"
        f"{_of_the_machine(result['threads'])}.\n\n![time by size](results/scaling.png)"
    )
    return markdown(["text, MB", "whole process, s"], rows) + f"\n\n{line}" + footer(result)


def _of_the_machine(threads: dict[str, Any]) -> str:
    if "machine_speed_up" not in threads:
        return ""
    return f"; two that only hash do {between(threads['machine_speed_up'], '{:.2f}')} times the work of one"


def _kills(results: Results) -> str:
    result = results.get("kills")
    if result is None:
        return ""
    named = {key: value for key, value in result.items() if isinstance(value, int) and not isinstance(value, bool)}
    return markdown(["", "number"], [[key.replace("_", " "), str(value)] for key, value in named.items()]) + footer(
        result
    )


def _profile(results: Results) -> str:
    result = results.get("profile_kernel")
    if result is None:
        return ""
    rows = [
        [str(row["dim"]), *(f"{row[key]:.0f}" for key in ("ns_per_word", "arithmetic_ns", "memory_ns")),
         f"{row['gflops']:.1f}", f"{row['share_of_peak']:.0%}"]
        for row in result["dims"]
    ]  # fmt: skip
    line = (
        f"Peak of a core: {result['peak_gflops']:.0f} Gflop/s; memory read in order: "
        f"{result['sequential_read_gb_per_s']:.0f} GB/s. Of a word's time "
        f"{result['fixed_ns_per_word']:.0f} ns do not depend on d (sampling, windows, sigmoids, losses), "
        f"{result['ns_per_word_and_dim']:.2f} ns come with every number of a vector (rows end on cache lines)."
    )
    columns = ["d", "ns a trained word", "by arithmetic alone", "by memory alone", "Gflop/s", "of the peak"]
    return markdown(columns, rows) + f"\n\n{line}" + footer(result)


TABLES: dict[str, Callable[[Results], str]] = {
    "targets": _targets,
    **{f"speed_{setting}": partial(_speed, setting) for setting in SETTINGS},
    "long_runs": _long_runs,
    "quality": _quality,
    "text_to_ids": _text_to_ids,
    "queries": _queries,
    "scaling": _scaling,
    "kills": _kills,
    "profile_kernel": _profile,
    **NETWORK_TABLES,
    **VISION_TABLES,
}
