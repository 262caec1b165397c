"""small_cnn, resnet and vit against plain definitions, and the names that other libraries give the same weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.models.small_images import SMALL, encoder, images
from textssl.errors import UsageError
from textssl.models.base_images import empty_image_encoder, image_encoder_config


def normed(state, name, maps):
    return F.batch_norm(maps, None, None, state[f"{name}.weight"], state[f"{name}.bias"], training=True)


@pytest.mark.parametrize("name", ["small_cnn", "small_cnn_gray"])
def test_small_cnn_equals_its_definition(name):
    model = encoder(name)
    state, maps = dict(model.named_parameters()), images(model.config)
    for number in (1, 2, 3):
        maps = F.conv2d(maps, state[f"conv{number}.weight"], stride=2, padding=1)
        maps = normed(state, f"bn{number}", maps).relu()
    assert maps.shape[1:] == (16, 2, 2)
    features, expected = model(images(model.config)), maps.mean((2, 3))
    torch.testing.assert_close(features, expected)
    weights = list(model.parameters())
    gradients = (torch.autograd.grad(made.square().sum(), weights) for made in (features, expected))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet_18", "resnet_50"])
def test_resnet_equals_its_definition(name):
    model = encoder(name).double()  # 53 norms over four rows cost float32 its digits
    state, maps = model.state_dict(), images(model.config).double()
    large, deep = model.config.stem == "imagenet", model.config.depth == 50
    stem = {"stride": 2, "padding": 3} if large else {"stride": 1, "padding": 1}
    maps = normed(state, "bn1", F.conv2d(maps, state["conv1.weight"], **stem)).relu()
    if large:
        maps = F.max_pool2d(maps, 3, 2, 1)
    for stage, blocks in enumerate((3, 4, 6, 3) if deep else (2, 2, 2, 2), 1):
        for block in range(blocks):
            place, stride = f"layer{stage}.{block}", 2 if block == 0 and stage > 1 else 1
            branch = maps
            strides = (1, stride, 1) if deep else (stride, 1)
            for layer, step in enumerate(strides, 1):
                filters = state[f"{place}.conv{layer}.weight"]
                branch = F.conv2d(branch, filters, stride=step, padding=filters.shape[-1] // 2)
                branch = normed(state, f"{place}.bn{layer}", branch)
                branch = branch if layer == len(strides) else branch.relu()
            if f"{place}.downsample.0.weight" in state:
                maps = F.conv2d(maps, state[f"{place}.downsample.0.weight"], stride=stride)
                maps = normed(state, f"{place}.downsample.1", maps)
            maps = (maps + branch).relu()
    torch.testing.assert_close(model(images(model.config).double()), maps.mean((2, 3)))


@pytest.mark.parametrize(("depth", "names", "numbers"), [(18, 120, 11_176_512), (50, 318, 23_508_032)])
def test_resnet_has_the_names_and_the_size_of_torchvisions_without_its_classifier(depth, names, numbers):
    with torch.device("meta"):
        model = empty_image_encoder(image_encoder_config("resnet", depth=depth, stem="imagenet"))
    state = model.state_dict()
    assert len(state) == names
    assert sum(part.numel() for part in model.parameters()) == numbers
    assert {"conv1.weight", "bn1.running_var", "layer2.0.downsample.1.bias", "layer4.1.bn2.weight"} <= set(state)
    assert tuple(state["layer3.0.conv2.weight"].shape) == (256, 256, 3, 3)
    assert model.feature_width == {18: 512, 50: 2048}[depth]


def test_vit_equals_torchs_own_layers():
    model = encoder("vit").eval()
    state = model.state_dict()
    patches = F.conv2d(images(model.config), state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=4)
    tokens = torch.cat([state["cls_token"].expand(4, -1, -1), patches.flatten(2).transpose(1, 2)], 1)
    tokens = tokens + state["pos_embed"]
    theirs = nn.TransformerEncoderLayer(64, 1, 256, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True)
    renamed = {
        "self_attn.in_proj_": "attn.qkv.", "self_attn.out_proj.": "attn.proj.", "linear1.": "mlp.fc1.",
        "linear2.": "mlp.fc2.", "norm1.": "norm1.", "norm2.": "norm2.",
    }  # fmt: skip
    for block in range(2):
        theirs.load_state_dict(
            {
                their + part: state[f"blocks.{block}.{our}{part}"]
                for their, our in renamed.items()
                for part in ("weight", "bias")
            }
        )
        tokens = theirs(tokens)
    expected = F.layer_norm(tokens, (64,), state["norm.weight"], state["norm.bias"], 1e-6)[:, 0]
    torch.testing.assert_close(model(images(model.config)), expected, rtol=1e-4, atol=1e-5)


def test_tiny_vit_has_the_size_of_timms_without_its_classifier():
    with torch.device("meta"):
        model = empty_image_encoder(image_encoder_config("vit", image_size=224, patch=16))
    assert sum(part.numel() for part in model.parameters()) == 5_524_416
    assert len(model.state_dict()) == 150


def test_images_of_another_size_are_taken():
    for name, size in (("small_cnn", 20), ("resnet_18", 11), ("vit", 12)):
        model = encoder(name)
        assert model(torch.randn(2, SMALL[name].channels, size, size)).shape == (2, model.feature_width)


def test_sizes_that_fit_no_network_are_refused():
    with pytest.raises(UsageError, match="depth of resnet must be one of 18, 50; got 34"):
        empty_image_encoder(image_encoder_config("resnet", depth=34))
    with pytest.raises(UsageError, match="width of vit must be a multiple of the head width 64, got 100 and 64"):
        empty_image_encoder(image_encoder_config("vit", width=100))
    with pytest.raises(UsageError, match="image_size must be a multiple of patch, got 30 and 4"):
        empty_image_encoder(image_encoder_config("vit", image_size=30))
    with pytest.raises(UsageError, match="images must be multiples of the patch 4, got 8x10"):
        encoder("vit")(torch.randn(1, 3, 8, 10))
