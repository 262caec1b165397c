"""models/decoder.py: transformers' logits, documents, the cache."""

from dataclasses import replace

import pytest
import torch

from tests.models.small_models import DECODER, expected, ids_and_documents, logits, settings
from textssl.errors import UsageError
from textssl.models.decoder import Cache


@pytest.mark.parametrize("name", ["decoder", "decoder_grouped", "decoder_classifier"])
def test_decoder_gives_the_logits_of_transformers(name):
    ids_BT, documents_BT = ids_and_documents()
    ours, theirs = logits(settings()[name], ids_BT, documents_BT), expected()[name]
    real = documents_BT >= 0 if theirs.dim() == 3 else slice(None)
    assert (ours[real] - theirs[real]).abs().max() < 1e-5


def test_decoder_sees_nothing_that_comes_later():
    model, (ids_BT, _) = settings()["decoder"], ids_and_documents()
    changed = ids_BT.clone()
    changed[:, 6:] = 9
    assert torch.equal(model.hidden(ids_BT)[:, :6], model.hidden(changed)[:, :6])


def test_documents_of_a_row_do_not_see_each_other():
    model = settings()["decoder"]
    ids_BT = torch.tensor([[5, 6, 7, 8, 9, 10, 0, 0]])
    packed = model.hidden(ids_BT, documents_BT=torch.tensor([[0, 0, 0, 4, 4, 4, -1, -1]]))[0, :6]
    alone = torch.cat([model.hidden(ids_BT[:, :3])[0], model.hidden(ids_BT[:, 3:6])[0]])
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["decoder", "decoder_grouped"])
def test_cache_gives_what_all_positions_at_once_give(name):
    model, (ids_BT, _) = settings()[name], ids_and_documents()
    cache = Cache(model.config, batch=3, capacity=12, like=model.output_table)
    with torch.no_grad():
        parts = [model.hidden(ids_BT[:, cut], cache=cache) for cut in (slice(0, 5), slice(5, 6), slice(6, 12))]
    assert cache.length == 12
    torch.testing.assert_close(torch.cat(parts, 1), model.hidden(ids_BT), atol=2e-6, rtol=1e-5)


def test_chosen_positions_are_those_of_all_positions():
    model, (ids_BT, _) = settings()["decoder"], ids_and_documents()
    positions = torch.tensor([0, 7, 35])
    some = model.hidden(ids_BT, positions=positions)
    torch.testing.assert_close(some, model.hidden(ids_BT).flatten(0, 1)[positions])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key_value_heads": 0}, "key_value_heads must be at least 1, got 0"),
        ({"key_value_heads": 3}, "heads must be a multiple of key_value_heads, got 4 and 3"),
        ({"head_width": 5}, "head_width must be a multiple of 2, got 5 and 2"),
        ({"width": 20}, r"width must be a multiple of 2 \* heads, got 20 and 8"),
    ],
)
def test_decoder_configuration_is_checked(change, message):
    with pytest.raises(UsageError, match=message):
        replace(DECODER, **change)
