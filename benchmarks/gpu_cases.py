"""What `benchmarks.gpu` measures: each case takes settings, and gives numbers that JSON can hold.

python -m benchmarks.gpu_cases '{"case": "training", "device": "cuda", "model": "encoder_17m", "rows": [32]}'
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_images import images
from benchmarks.gpu_training import DOCUMENTS_OF_A_ROW, attempted, resume, training
from textssl.models.base_attention import attend, bias_of, same_document
from textssl.training import devices


def attention(settings: dict[str, Any]) -> dict[str, Any]:
    """The attention of training against each kernel of torch: milliseconds forward and backward, largest difference."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    device, (B, H, T, C) = torch.device(settings["device"]), settings["shape"]
    torch.manual_seed(0)
    whole = torch.randn(3, B, T, H, C, device=device).to(getattr(torch, settings["precision"]))
    parts = [part.transpose(1, 2).requires_grad_() for part in whole]
    numbers = torch.arange(T, device=device).expand(B, T) * DOCUMENTS_OF_A_ROW // T
    devices.prepare_device(device)
    found: dict[str, Any] = {"backends": _backends()}
    for name, causal, bias in (("encoder", False, None), ("decoder", True, None), ("documents", False, numbers)):
        mask = None if bias is None else bias_of(same_document(bias))
        exact = attend(*(part.detach().float() for part in parts), bias=mask, causal=causal)

        def once(causal: bool = causal, mask: Any = mask, exact: Any = exact) -> float:
            out = attend(*parts, bias=mask, causal=causal)
            out.backward(torch.ones_like(out))
            return float((out.detach().float() - exact).abs().max())

        def measured(kernel: Any, once: Callable[[], float] = once) -> dict[str, Any]:
            with sdpa_kernel(kernel) if kernel else torch.enable_grad():
                return {"largest_difference": once(), "ms": 1e3 * seconds(once, settings["seconds"])}

        found[name] = {"as trained": attempted(measured, None)}
        for kernel in ("FLASH_ATTENTION", "EFFICIENT_ATTENTION", "MATH"):
            found[name][kernel] = attempted(measured, getattr(SDPBackend, kernel))
    return found


def _backends() -> dict[str, bool]:
    kernels = torch.backends.cuda
    return {name: getattr(kernels, f"{name}_sdp_enabled")() for name in ("flash", "mem_efficient", "math", "cudnn")}


def seconds(once: Callable[[], Any], least_s: float) -> float:
    """Of one call that waits for the device: the median of those that fit into some time."""
    times: list[float] = []
    while len(times) < 3 or sum(times) < least_s:
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def word_vectors(settings: dict[str, Any]) -> dict[str, Any]:
    """word2vec by automatic differentiation on the device and on the CPU: the losses, and words a second."""
    from corpora.generate import documents
    from textssl.commands.train import train

    texts, found = [*documents(1, settings["sentences"])], {}
    with tempfile.TemporaryDirectory() as folder:
        for device in dict.fromkeys((settings["device"], "cpu")):
            out = Path(folder) / device.replace(":", "-")
            done = train(
                "skipgram", texts, out=out, cache=Path(folder) / "cache", device=device, engine="reference", dim=32,
                epochs=1, min_count=2, threads=2, batch_words=4096,
            ).summary  # fmt: skip
            assert done is not None, "it was no dry run"
            found[device] = {"loss_nats": done.loss_nats, "words_per_s": done.units_per_s}
    return found


def ceilings(settings: dict[str, Any]) -> dict[str, Any]:
    """The device and its limits: the peak that utilisation is a share of, and what a plain product and copy reach."""
    device, size = torch.device(settings["device"]), settings["size"]
    matrix = torch.randn(size, size, device=device).to(getattr(torch, settings["precision"]))
    block = torch.empty(size * size * 4, dtype=torch.uint8, device=device)
    total = torch.zeros(1, device=device)

    def timed(work: Callable[[], Any]) -> float:
        def ten() -> None:
            for _ in range(10):
                work()
            total.item()

        ten()
        return seconds(ten, settings["seconds"]) / 10

    return {
        "name": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "torch": torch.__version__, "cuda": torch.version.cuda,
        "peak_flops": devices.peak_flops(device, settings["precision"]),
        "product_flops": 2 * size**3 / timed(lambda: matrix @ matrix),
        "copy_bytes_per_s": 2 * block.nbytes / timed(block.clone),
    }  # fmt: skip


CASES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "ceilings": ceilings, "attention": attention, "training": training, "resume": resume, "word_vectors": word_vectors,
    "images": images,
}  # fmt: skip


def main() -> None:
    settings = json.loads(sys.argv[1])
    print(json.dumps(attempted(CASES[settings["case"]], settings)))


if __name__ == "__main__":
    main()
