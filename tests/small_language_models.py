"""Tiny transformers trained on capitals, once for all tests that need one."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

CAPITALS = {
    "france": "paris",
    "italy": "rome",
    "spain": "madrid",
    "japan": "tokyo",
    "russia": "moscow",
    "egypt": "cairo",
    "cuba": "havana",
    "peru": "lima",
}
FORMS = ("the capital of {country} is {capital}", "{capital} is the capital of {country}")
TINY = {
    "layers": 2,
    "width": 64,
    "heads": 2,
    "length": 24,
    "vocabulary_size": 512,
    "batch_rows": 8,
    "learning_rate": 5e-3,
    "validation_share": 0.05,
}
EPOCHS = {"masked_lm": 28, "next_token": 12}
"""Options of runs that take some seconds; a decoder learns from every token, an encoder from 30 % of them."""


def sentences(times: int = 30) -> list[str]:
    """Every fact in both forms, so many times, in an order that mixes them."""
    facts = [form.format(country=country, capital=capital) for form in FORMS for country, capital in CAPITALS.items()]
    return [facts[(7 * number + turn) % len(facts)] for turn in range(times) for number in range(len(facts))]


@functools.cache
def trained(objective: str) -> Path:
    """The run folder of an objective trained on the capitals."""
    from textssl.commands.train import train

    folder = Path(tempfile.mkdtemp(prefix="textssl-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run = folder / objective
    options = {**TINY, "batch_rows": 32, "epochs": EPOCHS[objective], "document_mask": True}
    train(objective, sentences(60), out=run, threads=1, device="cpu", cache=folder / "cache", **options)
    return run
