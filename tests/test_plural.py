"""Numbers with what they count."""

import pytest

from textssl.plural import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12_345, "12,345 rows")])
def test_one_is_singular(number, text):
    assert counted(number, "row") == text
