"""The choice of device and precision, and what else a device tells."""

from __future__ import annotations

import re

import pytest
import torch

from tests.training.small_network import Rows
from textssl.errors import UsageError
from textssl.training import devices

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_best_device(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert devices.chosen_device("auto") == expected


def test_device_that_is_there_is_taken(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [devices.chosen_device(name) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda", "cuda:1"]
    with pytest.raises(UsageError, match=r"^this machine has no cuda:2 that torch can use\nGive --device cpu.$"):
        devices.chosen_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:1", "mps:0", ""])
def test_word_that_is_no_device_is_refused(name):
    message = f"device must be auto, cpu, cuda, cuda:N or mps, got {name!r}"
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        devices.chosen_device(name)


def test_precision_follows_the_chip_unless_given(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert devices.chosen_precision("auto", CPU) == "float32"
    assert devices.chosen_precision("bfloat16", CPU) == "bfloat16"
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert devices.chosen_precision("auto", CPU) == "bfloat16"
    assert devices.chosen_precision("float32", CPU) == "float32"
    assert devices.chosen_precision("auto", torch.device("mps")) == "float32"
    for capability, expected in (((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device, found=capability: found)
        assert devices.chosen_precision("auto", CUDA) == expected


def test_cudnn_attention_is_switched_off_on_cuda_only(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.backends.cuda, "enable_cudnn_sdp", calls.append)
    devices.prepare_device(CPU)
    assert calls == []
    devices.prepare_device(CUDA)
    assert calls == [False]


def test_peak_is_looked_up_for_gpus_and_measured_for_the_cpu(monkeypatch):
    for name, expected in (("NVIDIA H200", 989e12), ("NVIDIA H100 PCIe", 756e12), ("NVIDIA L4", 121e12), ("X", None)):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device, found=name: found)
        assert devices.peak_flops(CUDA, "bfloat16") == expected
    assert devices.peak_flops(CUDA, "float32") is None
    assert devices.peak_flops(torch.device("mps"), "float32") is None
    assert devices.peak_flops(CPU, "float32") > 1e8


def test_full_memory_is_told_from_other_errors():
    full = [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        MemoryError(),
    ]
    assert all(devices.is_out_of_memory(error) for error in full)
    others = [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory")]
    assert not any(devices.is_out_of_memory(error) for error in others)
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert devices.is_out_of_memory(caught.value)


def test_batches_are_moved_whole_and_keep_what_is_no_tensor(monkeypatch):
    batch = Rows(torch.ones(2, 3), torch.zeros(2, 3), "kept")
    moved = devices.moved(batch, CPU)
    assert torch.equal(moved.ids_BT, batch.ids_BT)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 1)
    held = devices.pinned(batch)
    assert (float(held.ids_BT[0, 0]), float(held.targets_BT[0, 0]), held.note) == (2, 1, "kept")
    assert devices.pinned("no dataclass") == "no dataclass"
