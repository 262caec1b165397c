"""The tables of README.md about images; see `tables`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from benchmarks.markdown import between, footer, markdown, mean
from benchmarks.peers import OURS

Results = dict[str, Any]
SCORES = {
    "nearest_neighbors.accuracy_k20": "k-NN, k 20",
    "nearest_neighbors.accuracy_k200": "k-NN, k 200",
    "linear_probe.accuracy": "linear probe",
    "finetuned_100": "fine-tuned, 100 labels",
    "finetuned_1000": "1,000 labels",
    "pretext_accuracy": "own question",
}


def _speed(images: str, results: Results) -> str:
    result = results.get(f"vision_speed_{images}")
    if result is None:
        return ""
    rows = [
        [name, between(speed, "{:,.0f}"), "1" if name == OURS else between(result["ratios"][name], "{:.2f}")]
        for name, speed in result["images_per_s"].items()
    ]
    lines = [markdown([result["setting"]["images"], "images/s", "our speed over theirs"], rows)]
    views = [
        [name, between(speed, "{:,.0f}"), f"{result['views_per_s'][OURS]['median'] / speed['median']:.1f}"]
        for name, speed in result["views_per_s"].items()
    ]
    lines.append(markdown(["views alone, one thread", "views/s", "our speed over theirs"], views))
    return "\n\n".join(lines) + footer(result)


def _quality(results: Results) -> str:
    result = results.get("vision_quality")
    if result is None:
        return ""
    columns = ["%", "seeds", *SCORES.values()]
    return markdown(columns, [_row(*each) for each in result["summary"].items()]) + footer(result)


def _row(name: str, numbers: Mapping[str, Any]) -> list[str]:
    seeds = max((len(each["all"]) for each in numbers.values()), default=0)
    return [name, str(seeds), *(_of_seeds(numbers[key], seeds) if key in numbers else "" for key in SCORES)]


def _of_seeds(number: Mapping[str, Any], seeds: int) -> str:
    """A share in %, and of how many seeds where others have more."""
    measured = len(number["all"])
    return mean(number, "{:.1f}", 100) + (f" ({measured})" if measured < seeds else "")


def _parity(results: Results) -> str:
    result = results.get("vision_parity")
    if result is None:
        return ""
    differences = [f"{part}_{precision}" for precision in ("float64", "float32") for part in ("value", "gradient")]
    keys = (*differences, "our_rounding", "their_rounding")
    rows = [[name, *(f"{case[key]:.1e}" for key in keys)] for name, case in result["cases"].items()]
    libraries = ", ".join(f"{name} {version}" for name, version in result["libraries"].items())
    return (
        markdown(["loss, compared with", *(key.replace("_", " ") for key in keys)], rows)
        + f"\n\n{result['protocol']}\n\n{result['date']}; {libraries}. `{result['command']}`"
    )


def images_of_gpu(cases: Mapping[str, Any]) -> str:
    """The cases of the GPU that learn from images, as a table; nothing where there is none."""
    rows = [
        [name.replace("_", " "), str(each["rows"]), *_gpu_cells(each)]
        for name, case in cases.items()
        for each in case.get("image_sweep", ())
    ]
    return markdown(["", "images of a step", "images/s", "utilisation", "memory, GB"], rows)


def _gpu_cells(each: Mapping[str, Any]) -> list[str]:
    if "error" in each:
        return [each["error"].splitlines()[0][:60], "", ""]
    share = "-" if each["utilisation"] is None else f"{each['utilisation']:.1%}"
    return [f"{each['images_per_s']:,.0f}", share, "-" if each["peak_gb"] is None else f"{each['peak_gb']:.1f}"]


VISION_TABLES: dict[str, Callable[[Results], str]] = {
    "vision_speed_gray": partial(_speed, "gray"),
    "vision_speed_rgb": partial(_speed, "rgb"),
    "vision_quality": _quality,
    "vision_parity": _parity,
}
