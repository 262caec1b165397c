"""What a device can do: which one to take, whether it has bfloat16, its highest speed, and when its memory is full."""

from __future__ import annotations

import dataclasses
import re
import shutil
import time
from typing import Any, Literal

import torch

from textssl.errors import ResourceError, UsageError
from textssl.training.memory import keep_freed_memory

# Products of matrices in bfloat16 without sparsity, 10^12 operations a second, from the makers' data sheets.
PEAK_TERAFLOPS = {
    "B200": 2250.0,
    "H200": 989.0,
    "GH200": 989.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "RTX 4090": 165.2,
    "RTX 3090": 71.0,
}
_FULL = re.compile(r"out of memory|can't allocate memory|not enough memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)
_MEASURED_SIZE = 768
_MEASURED_TIMES = 4


def chosen_device(given: str) -> str:
    """The device to train on: "auto" takes CUDA, else MPS, else the CPU; "cuda" under torchrun is this process's own.

    Raises:
        UsageError: it is no device, or this machine does not have it.
    """
    if given == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, number = given.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (number and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"device must be auto, cpu, cuda, cuda:N or mps, got {given!r}")
    if kind == "cpu":
        return given
    count = torch.cuda.device_count() if kind == "cuda" else int(torch.backends.mps.is_available())
    if int(number or 0) >= count:
        raise UsageError(f"this machine has no {given} that torch can use", hint="Give --device cpu.")
    return given


def prepare_device(device: torch.device) -> None:
    """Switch off what is known to be wrong on a device; on the CPU, keep the memory that every step asks for again."""
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cuda":
        # cuDNN's attention, which torch 2.13 prefers, gives NaN in bfloat16 training (huggingface/trl issue 7181).
        torch.backends.cuda.enable_cudnn_sdp(False)


def chosen_precision(given: str, device: torch.device) -> Literal["float32", "bfloat16"]:
    """The precision of products: "auto" takes bfloat16 where the chip multiplies it, not where it would be emulated."""
    if given == "auto":
        return "bfloat16" if multiplies_bfloat16(device) else "float32"
    return "bfloat16" if given == "bfloat16" else "float32"


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the chip multiplies bfloat16 by itself; others emulate it, slowly."""
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device) >= (8, 0))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def require_compiler(device: torch.device) -> None:
    """Refuse torch.compile where its code could not be compiled.

    Raises:
        ResourceError: the CPU is the device and there is no C++ compiler.
    """
    if device.type == "cpu" and not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        raise ResourceError(
            "compiling for the CPU needs a C++ compiler, and this machine has none",
            hint="Install g++ or clang++, or leave out --compile.",
        )


def seed(device: torch.device, number: int) -> None:
    """Begin the random numbers of a device, and of the CPU, anew; torch.manual_seed would see to every device known."""
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)
    elif device.type == "mps":
        torch.mps.manual_seed(number)


def peak_flops(device: torch.device, precision: str) -> float | None:
    """Most operations a second that products of matrices reach, or None where nobody knows.

    A GPU's is looked up, for bfloat16 only; the CPU's is measured, which takes some hundredths of a second.
    """
    if device.type == "cuda" and precision == "bfloat16":
        name = torch.cuda.get_device_name(device)
        return next((1e12 * peak for part, peak in PEAK_TERAFLOPS.items() if part in name), None)
    return _measured_flops(precision) if device.type == "cpu" else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of whatever device, did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and bool(_FULL.search(str(error)))


def free_cached_memory(device: torch.device) -> None:
    """Give what torch keeps for later back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def pinned(batch: Any) -> Any:
    """The batch with its tensors, or tuples of them, in memory that the GPU copies from by itself, if a dataclass."""
    return _with_tensors(batch, lambda tensor: tensor.pin_memory())


def moved(batch: Any, device: torch.device) -> Any:
    """The batch on a device; from pinned memory the copy runs while the CPU goes on."""
    if device.type == "cuda" and dataclasses.is_dataclass(batch):
        return _with_tensors(batch, lambda tensor: tensor.to(device, non_blocking=True))
    return batch.to(device)


def _with_tensors(batch: Any, change: Any) -> Any:
    if not dataclasses.is_dataclass(batch) or isinstance(batch, type):
        return batch
    parts = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch) if field.init}
    changed = {name: change(part) for name, part in parts.items() if isinstance(part, torch.Tensor)}
    for name, part in parts.items():
        if isinstance(part, tuple) and part and all(isinstance(item, torch.Tensor) for item in part):
            changed[name] = tuple(map(change, part))
    return dataclasses.replace(batch, **changed)


def _measured_flops(precision: str) -> float:
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    matrix = torch.ones(_MEASURED_SIZE, _MEASURED_SIZE, dtype=dtype)
    matrix @ matrix  # the first product also makes threads
    shortest_s = float("inf")
    for _ in range(_MEASURED_TIMES):
        start = time.perf_counter()
        matrix @ matrix
        shortest_s = min(shortest_s, time.perf_counter() - start)
    return float(2 * _MEASURED_SIZE**3 / shortest_s)
