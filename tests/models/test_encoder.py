"""models/encoder.py: transformers' logits, scored positions, padding, documents, gradients."""

from dataclasses import replace

import pytest
import torch

from tests.models.small_models import ENCODER, expected, fill, ids_and_documents, logits, settings
from textssl.errors import UsageError
from textssl.models.encoder import Encoder

ENCODERS = ["encoder", "encoder_window", "encoder_silu", "encoder_classifier_mean", "encoder_classifier_cls"]
POSITIONS = torch.tensor([0, 3, 4, 8, 24, 25, 26, 27])  # rows of four, none and four


@pytest.mark.parametrize("name", ENCODERS)
def test_encoder_gives_the_logits_of_transformers(name):
    ids_BT, documents_BT = ids_and_documents()
    ours, theirs = logits(settings()[name], ids_BT, documents_BT), expected()[name]
    real = documents_BT >= 0 if theirs.dim() == 3 else slice(None)
    assert (ours[real] - theirs[real]).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["encoder", "encoder_window"])
def test_scored_positions_are_those_of_all_positions(name):
    ids_BT, documents_BT = ids_and_documents()
    model = settings()[name]
    documents_BT[0, 5:] = 1
    for documents in (None, documents_BT):
        every = model.hidden(ids_BT, documents_BT=documents).flatten(0, 1)[POSITIONS]
        some = model.hidden(ids_BT, documents_BT=documents, positions=POSITIONS)
        torch.testing.assert_close(some, every, atol=2e-6, rtol=1e-5)


def test_scored_positions_have_the_gradient_of_all_positions():
    model, (ids_BT, documents_BT) = settings()["encoder"].double(), ids_and_documents()
    gradients = []
    for hidden in (
        model.hidden(ids_BT, documents_BT=documents_BT).flatten(0, 1)[POSITIONS],
        model.hidden(ids_BT, documents_BT=documents_BT, positions=POSITIONS),
    ):
        model.zero_grad()
        model.mlm_hidden(hidden).square().sum().backward()
        gradients.append({name: part.grad.clone() for name, part in model.named_parameters() if part.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_one_scored_position_and_none():
    model, (ids_BT, _) = settings()["encoder"], ids_and_documents()
    every = model.hidden(ids_BT).flatten(0, 1)
    torch.testing.assert_close(model.hidden(ids_BT, positions=torch.tensor([35])), every[35:], atol=2e-6, rtol=1e-5)
    assert model.hidden(ids_BT, positions=torch.tensor([], dtype=torch.int64)).shape == (0, 16)


def test_documents_of_a_row_do_not_see_each_other():
    model = settings()["encoder"]
    ids_BT = torch.tensor([[5, 6, 7, 8, 9, 10, 0, 0]])
    documents_BT = torch.tensor([[0, 0, 0, 4, 4, 4, -1, -1]])
    packed = model.hidden(ids_BT, documents_BT=documents_BT)[0, :6]
    alone = torch.cat([model.hidden(ids_BT[:, :3])[0], model.hidden(ids_BT[:, 3:6])[0]])
    # the turns of the second document begin at 3 instead of 0: distances are the same, rounding is not
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=1e-5)


def test_padding_changes_nothing():
    model, (ids_BT, _) = settings()["encoder"], ids_and_documents()
    padded = torch.cat([ids_BT[:1], torch.zeros(1, 4, dtype=torch.int64)], 1)
    documents_BT = torch.tensor([[0] * 12 + [-1] * 4])
    padded_hidden = model.hidden(padded, documents_BT=documents_BT)[:, :12]
    torch.testing.assert_close(padded_hidden, model.hidden(ids_BT[:1]), atol=2e-6, rtol=1e-5)


def test_dropout_is_used_in_training_only():
    model = fill(Encoder(replace(ENCODER, dropout=0.5)))
    ids_BT, _ = ids_and_documents()
    assert torch.equal(model.hidden(ids_BT), settings()["encoder"].hidden(ids_BT))
    model.train()
    torch.manual_seed(0)
    first = model.hidden(ids_BT)
    assert not torch.equal(first, model.hidden(ids_BT))
    torch.manual_seed(0)
    assert torch.equal(first, model.hidden(ids_BT))


def test_bfloat16_is_near_float32():
    model, (ids_BT, documents_BT) = settings()["encoder"], ids_and_documents()
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.hidden(ids_BT, documents_BT=documents_BT, positions=POSITIONS)
        hidden.float().square().sum().backward()
    exact = model.hidden(ids_BT, documents_BT=documents_BT, positions=POSITIONS)
    assert (hidden - exact).abs().max() < 0.2
    assert all(torch.isfinite(part.grad).all() for part in model.model.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 0}, "layers must be at least 1, got 0"),
        ({"width": 18, "heads": 4}, r"width must be a multiple of 2 \* heads, got 18 and 8"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"activation": "tanh"}, "activation must be one of gelu, silu, got 'tanh'"),
    ],
)
def test_encoder_configuration_is_checked(change, message):
    with pytest.raises(UsageError, match=message):
        replace(ENCODER, **change)
