"""Small models for all tests of this folder; one thread, since they are far too small for two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.finetuning.small import save_model


@pytest.fixture(autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "encoder")


@pytest.fixture(scope="session")
def decoder(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "decoder", decoder=True)
