"""What every evaluator promises."""

from __future__ import annotations

import pytest

from textssl import registry
from textssl.evaluators.base import Evaluator


@pytest.mark.parametrize("name", registry.names("evaluators"))
def test_evaluator_keeps_its_promise(name: str) -> None:
    member = registry.load("evaluators", name)
    assert issubclass(member, Evaluator)
    assert name == member.NAME
    assert member.primary_metric
    assert isinstance(member.greater_is_better, bool)
    assert registry.summary("evaluators", name)
