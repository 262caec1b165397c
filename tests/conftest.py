"""What every test may use: a run in English, and the folder of real data where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real corpora; tests that need it are skipped where TEXTSSL_DATA does not name one."""
    folder = os.environ.get("TEXTSSL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TEXTSSL_DATA does not name a folder of real corpora")
    return Path(folder)
