"""models/base_projection.py: the heads of the recipes, layer by layer."""

import pytest
import torch
from torch import nn

from textssl.errors import UsageError
from textssl.models.base_projection import Predictor, Projector, Prototypes, initialise_parts

RECIPES = {
    "SimCLR": (Projector((8, 6, 4), last_norm="affine"), "Linear BatchNorm1d ReLU Linear BatchNorm1d"),
    "MoCo v2": (Projector((8, 6, 4), norm="none"), "Linear ReLU Linear"),
    "MoCo v3": (Projector((8, 6, 4), last_norm="plain"), "Linear BatchNorm1d ReLU Linear BatchNorm1d"),
    "BYOL": (Predictor(4, 6), "Linear BatchNorm1d ReLU Linear"),
    "DINO": (Projector((8, 6, 6, 4), norm="none", activation="gelu"), "Linear GELU Linear GELU Linear"),
    "DirectPred": (Predictor(4, 0), "Linear"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_layers_are_those_of_the_recipe(name):
    projector, layers = RECIPES[name]
    assert [type(layer).__name__ for layer in projector] == layers.split()
    assert projector.width == 4
    assert projector(torch.randn(5, projector[0].in_features)).shape == (5, 4)


def test_a_bias_stands_where_no_norm_takes_it_away():
    linear = {name: [layer for layer in head if isinstance(layer, nn.Linear)] for name, (head, _) in RECIPES.items()}
    biased = {name: [layer.bias is not None for layer in layers] for name, layers in linear.items()}
    assert biased == {
        "SimCLR": [False, False], "MoCo v2": [True, True], "MoCo v3": [False, False], "BYOL": [False, True],
        "DINO": [True, True, True], "DirectPred": [False],
    }  # fmt: skip
    assert Projector((4, 4), last_bias=False).last.bias is None
    assert RECIPES["MoCo v3"][0][-1].weight is None


def test_options_make_the_projector_again():
    for head, _ in RECIPES.values():
        assert str(Projector(**head.options)) == str(head).replace("Predictor", "Projector")


def test_parts_begin_with_weights_of_their_own():
    one, other = Projector((4, 4)), Predictor(4, 0)
    prototypes = Prototypes(7, 4)
    initialise_parts({"projector": one, "predictor": other, "prototypes": prototypes}, seed=1)
    assert not torch.equal(one.last.weight, other.last.weight)
    torch.testing.assert_close(prototypes.weight.norm(dim=1), torch.ones(7))


def test_prototypes_score_by_cosine_and_come_back_to_unit_length():
    prototypes, rows = Prototypes(3, 4), torch.randn(5, 4)
    initialise_parts({"prototypes": prototypes}, seed=1)
    expected = torch.cosine_similarity(rows.unsqueeze(1), prototypes.weight.unsqueeze(0), dim=2)
    torch.testing.assert_close(prototypes(9 * rows), expected)
    with torch.no_grad():
        prototypes.weight.mul_(3)
    prototypes.normalise()
    torch.testing.assert_close(prototypes(rows), expected)


def test_prototypes_score_in_float32_under_autocast():
    prototypes, rows = Prototypes(3, 4), torch.randn(5, 4).bfloat16()
    initialise_parts({"prototypes": prototypes}, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        scores = prototypes(rows)
    torch.testing.assert_close(scores, prototypes(rows.float()), rtol=0, atol=0)


def test_heads_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match=r"widths must be at least an input and an output, got \(4,\)"):
        Projector((4,))
    with pytest.raises(UsageError, match=r"widths\[1\] must be at least 1, got 0"):
        Projector((4, 0, 4))
    with pytest.raises(UsageError, match="last_norm must be one of affine, plain, none; got 'plan'\nDid you mean"):
        Projector((4, 4), last_norm="plan")
    with pytest.raises(UsageError, match="activation must be one of relu, gelu; got 'tanh'"):
        Projector((4, 4), activation="tanh")
    with pytest.raises(UsageError, match="count must be at least 1, got 0"):
        Prototypes(0, 4)
