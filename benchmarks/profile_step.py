"""Where a training step of a small transformer goes: kinds of operations, by torch's profiler, on random ids.

    python -m benchmarks.profile_step

Network, loss, gradients and AdamW of the preset tiny; the speed of matrix products is that of all products of a step,
from their shapes and times in it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import RESULTS, say, write_result

BATCH, LENGTH, VOCABULARY, MASKED = 32, 128, 8_192, 0.3  # length and vocabulary are the preset's
KINDS = {"aten::mm": "matrix products", "aten::_scaled_dot_product": "attention"}
PROTOCOL = (
    f"Preset tiny, {BATCH} rows of {LENGTH} random tokens, masks {MASKED:.0%} (masked_lm), float32, fused "
    "AdamW; the median of plain steps, then the shares of profiled ones. Speed of products: of all in a step."
)  # fmt: skip


def main() -> None:
    import torch

    arguments = _parser().parse_args()
    torch.set_num_threads(arguments.threads)
    steps = {"masked_lm": _masked_lm_step, "next_token": _next_token_step}
    found = {name: _profiled(make(), arguments.steps) for name, make in steps.items()}
    write_result("profile_step", arguments.results, protocol=PROTOCOL, steps=found,
                 setting={"threads": arguments.threads, "steps": arguments.steps})  # fmt: skip


def _profiled(step: Callable[[], None], num_steps: int) -> dict[str, Any]:
    from torch.profiler import ProfilerActivity, profile

    for _ in range(2):
        step()
    seconds = []
    for _ in range(num_steps):
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiled:
        for _ in range(num_steps):
            step()
    events = profiled.key_averages(group_by_input_shape=True)
    whole = sum(event.self_cpu_time_total for event in events)
    shares = {
        kind: sum(event.self_cpu_time_total for event in events if event.key.startswith(name)) / whole
        for name, kind in KINDS.items()
    }
    products = [event for event in events if event.key == "aten::mm"]
    operations = sum(2 * event.count * _size_of(event.input_shapes) for event in products)
    result = {
        "tokens_per_s": BATCH * LENGTH / statistics.median(seconds),
        "shares": {**shares, "everything else": 1 - sum(shares.values())},
        "gflops_of_products": operations / sum(event.self_cpu_time_total for event in products) / 1e3,
    }
    say(str(result))
    return result


def _size_of(shapes: list[list[int]]) -> int:
    (rows, inner), (_, columns) = shapes[:2]
    return rows * inner * columns


def _next_token_step() -> Callable[[], None]:
    from textssl.losses.cross_entropy import cross_entropy
    from textssl.models.base_presets import decoder_preset
    from textssl.models.decoder import Decoder

    model = Decoder(decoder_preset("tiny"))
    ids_BT = _ids(LENGTH + 1)

    def loss() -> Any:
        hidden = model.hidden(ids_BT[:, :-1]).flatten(0, 1)
        return cross_entropy(hidden, model.output_table, ids_BT[:, 1:].flatten())

    return _step(model, loss)


def _masked_lm_step() -> Callable[[], None]:
    import torch

    from textssl.losses.cross_entropy import cross_entropy
    from textssl.models.base_presets import encoder_preset
    from textssl.models.encoder import Encoder

    model = Encoder(encoder_preset("tiny"))
    ids_BT = _ids(LENGTH)
    positions = torch.randperm(ids_BT.numel())[: int(MASKED * ids_BT.numel())].sort().values

    def loss() -> Any:
        hidden = model.mlm_hidden(model.hidden(ids_BT, positions=positions))
        table, bias = model.output_table
        return cross_entropy(hidden, table, ids_BT.flatten()[positions], bias)

    return _step(model, loss)


def _ids(length: int) -> Any:
    import torch

    return torch.randint(6, VOCABULARY, (BATCH, length), generator=torch.Generator().manual_seed(0))


def _step(model: Any, loss: Callable[[], Any]) -> Callable[[], None]:
    import torch

    from textssl.models.base import initialise, small_deviation
    from textssl.training.memory import keep_freed_memory

    keep_freed_memory()  # as every training does
    initialise(model, seed=1, num_layers=model.config.layers, deviation=small_deviation(model.config.width))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        loss().mean.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    main()
