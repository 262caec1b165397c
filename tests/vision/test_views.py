"""Views: invariances that hold exactly, the distributions of what is drawn, the fused form, and every message."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textssl.errors import UsageError  # noqa: E402
from textssl.randomness import uniform  # noqa: E402
from textssl.vision.draws import draws  # noqa: E402
from textssl.vision.view_kernel import fused_views  # noqa: E402
from textssl.vision.view_plan import draw_plan, plain_plan  # noqa: E402
from textssl.vision.views import ViewSettings, defined_views, left_out, make_views, plain_views, view_keys  # noqa: E402

NOTHING = {"crop_min": 1, "ratio_min": 1, "ratio_max": 1, "flip": 0, "jitter": 0, "gray": 0}
EVERYTHING = {"blur": 0.5, "solarise": 0.3}


def pixels_of(num_images=8, height=12, width=12, channels=3, seed=0):
    shape = (num_images, height, width, channels)
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def views_of(pixels, keys=None, *, size=12, scale=255.0, **options):
    channels = pixels.shape[3]
    keys = view_keys(1, 0, np.arange(len(pixels)), 0) if keys is None else keys
    settings = ViewSettings(size=size, **options)
    return make_views(pixels, keys, settings, mean_C=np.zeros(channels), std_C=np.ones(channels), scale=scale)


def as_planes(pixels, scale=255.0):
    return pixels.permute(0, 3, 1, 2).float() / scale


def plan_of(num_images=20_000, *, height=32, width=32, channels=3, **options):
    keys = view_keys(3, 0, np.arange(num_images), 0)
    settings = ViewSettings(**{"size": 32, **options})
    return draw_plan(keys, settings, height=height, width=width, channels=channels)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize(("height", "width", "size"), [(12, 12, 12), (17, 9, 12), (40, 31, 8), (5, 6, 24), (1, 1, 3)])
def test_fused_views_equal_their_definition(channels, height, width, size):
    pixels = pixels_of(20, height, width, channels)
    settings = ViewSettings(size=size, **EVERYTHING)
    keys = view_keys(1, 2, np.arange(20), 1)
    plan = draw_plan(keys, settings, height=height, width=width, channels=channels)
    mean_C = np.linspace(0.3, 0.6, channels, dtype=np.float32)
    std_C = np.linspace(0.2, 0.4, channels, dtype=np.float32)
    plan = plan._replace(solarised_B=np.zeros(20, dtype=bool))  # a value beside 1/2 may fall on either side of it
    expected = defined_views(pixels, plan, mean_C, std_C, 255.0)
    given = fused_views(pixels.numpy(), plan, mean_C, std_C, 255.0)
    assert given.shape == (20, channels, size, size)
    np.testing.assert_allclose(given, expected.numpy(), atol=2e-5)  # float32 rounding, divided by deviations of 0.2


def test_views_keep_their_precision_under_autocast():
    pixels = (pixels_of().int() + 32_600).to(torch.uint16)  # little contrast: bfloat16 would leave a few values
    settings = ViewSettings(size=12, blur=0.5)
    plan = draw_plan(view_keys(1, 0, np.arange(8)), settings, height=12, width=12, channels=3)
    mean_C, std_C = np.full(3, 0.5, np.float32), np.full(3, 1e-3, np.float32)
    expected = defined_views(pixels, plan, mean_C, std_C, 65_535.0)
    with torch.autocast("cpu", torch.bfloat16):
        given = defined_views(pixels, plan, mean_C, std_C, 65_535.0)
    torch.testing.assert_close(given, expected, rtol=0, atol=0)


def test_fused_solarising_equals_its_definition():
    pixels = pixels_of()
    solarised = views_of(pixels, **NOTHING, solarise=1)
    planes = as_planes(pixels)
    torch.testing.assert_close(solarised, torch.where(planes >= 0.5, 1 - planes, planes), atol=1e-6, rtol=0)
    plan = plain_plan(8, 12, height=12, width=12, channels=3)._replace(solarised_B=np.ones(8, dtype=bool))
    defined = defined_views(pixels, plan, np.zeros(3, np.float32), np.ones(3, np.float32), 255.0)
    torch.testing.assert_close(defined, solarised, atol=1e-6, rtol=0)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_batch_equals_its_single_images(channels):
    pixels = pixels_of(channels=channels)
    keys = view_keys(1, 0, np.arange(8), 0)
    together = views_of(pixels, keys, **EVERYTHING)
    for image in range(8):
        alone = views_of(pixels[image : image + 1], keys[image : image + 1], **EVERYTHING)
        assert torch.equal(alone[0], together[image])


def test_definition_of_a_batch_equals_its_single_images():
    pixels, keys = pixels_of(), view_keys(1, 0, np.arange(8), 0)
    plan = draw_plan(keys, ViewSettings(size=12, **EVERYTHING), height=12, width=12, channels=3)
    mean_C, std_C = np.zeros(3, np.float32), np.ones(3, np.float32)
    together = defined_views(pixels, plan, mean_C, std_C, 255.0)
    for image in range(8):
        one = type(plan)(*(array[image : image + 1] for array in plan))
        alone = defined_views(pixels[image : image + 1], one, mean_C, std_C, 255.0)
        torch.testing.assert_close(alone[0], together[image], atol=2e-6, rtol=0)


def test_views_go_along_with_a_permutation():
    pixels, keys = pixels_of(), view_keys(1, 0, np.arange(8), 0)
    order = np.random.default_rng(1).permutation(8)
    assert torch.equal(views_of(pixels[order], keys[order], **EVERYTHING), views_of(pixels, keys, **EVERYTHING)[order])


def test_whole_crop_without_change_is_the_image():
    pixels = pixels_of()
    torch.testing.assert_close(views_of(pixels, **NOTHING), as_planes(pixels), atol=1e-6, rtol=0)


def test_flip_of_probability_one_is_exact():
    pixels = pixels_of()
    torch.testing.assert_close(
        views_of(pixels, **NOTHING | {"flip": 1}), as_planes(pixels).flip(3), atol=1e-6, rtol=0
    )
    mirrored, straight = views_of(pixels, flip=1, solarise=0.3), views_of(pixels, flip=0, solarise=0.3)
    torch.testing.assert_close(mirrored, straight.flip(3), atol=1e-6, rtol=0)


def test_upsampling_is_bilinear_interpolation():
    pixels = pixels_of(4, 6, 6)
    expected = torch.nn.functional.interpolate(as_planes(pixels), size=15, mode="bilinear", align_corners=False)
    torch.testing.assert_close(views_of(pixels, size=15, **NOTHING), expected, atol=1e-6, rtol=0)


def test_downsampling_is_antialiased():
    pixels = pixels_of(4, 30, 30)
    expected = torch.nn.functional.interpolate(
        as_planes(pixels), size=7, mode="bilinear", align_corners=False, antialias=True
    )
    torch.testing.assert_close(views_of(pixels, size=7, **NOTHING), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_sixteen_bits_equal_scaled_eight_bits(channels):
    pixels = pixels_of(channels=channels)
    eight = views_of(pixels, **EVERYTHING | {"solarise": 0})
    wide = pixels.numpy().astype(np.uint16) * 257
    for sixteen in (torch.from_numpy(wide), torch.from_numpy(wide.astype(np.int32))):
        given = views_of(sixteen, scale=65535.0, **EVERYTHING | {"solarise": 0})
        torch.testing.assert_close(given, eight, atol=2e-6, rtol=0)


def test_gray_makes_channels_equal():
    views = views_of(pixels_of(), gray=1)
    torch.testing.assert_close(views[:, 0], views[:, 1], atol=1e-6, rtol=0)
    torch.testing.assert_close(views[:, 0], views[:, 2], atol=1e-6, rtol=0)
    assert views.std() > 0.05


def test_images_of_other_channels_change_by_brightness_and_contrast_alone():
    pixels = pixels_of(channels=5)
    strong = views_of(pixels, saturation=0.9, hue=0.5, gray=1)
    assert torch.equal(strong, views_of(pixels, saturation=0, hue=0, gray=0))
    assert not torch.allclose(strong, views_of(pixels, jitter=0))
    assert left_out(ViewSettings(size=8), 5) == ("saturation", "hue", "gray")
    assert left_out(ViewSettings(size=8, hue=0), 1) == ("saturation", "gray")
    assert left_out(ViewSettings(size=8), 3) == ()


def test_equal_channels_stay_equal_and_give_the_gray_result():
    gray = pixels_of(channels=1)
    colour = views_of(gray.expand(-1, -1, -1, 3).contiguous(), **EVERYTHING | {"solarise": 0})
    alone = views_of(gray, **EVERYTHING | {"solarise": 0})
    torch.testing.assert_close(colour, alone.expand(-1, 3, -1, -1), atol=3e-6, rtol=0)


def test_normalising_comes_last():
    pixels, keys = pixels_of(), view_keys(1, 0, np.arange(8), 0)
    mean_C, std_C = np.array([0.1, 0.2, 0.3]), np.array([0.5, 1.0, 2.0])
    given = make_views(pixels, keys, ViewSettings(size=12), mean_C=mean_C, std_C=std_C, scale=255.0)
    plain = views_of(pixels, keys)
    expected = (plain - torch.tensor(mean_C)[:, None, None]) / torch.tensor(std_C)[:, None, None]
    torch.testing.assert_close(given, expected.float(), atol=2e-6, rtol=0)


def test_plain_views_are_the_normalised_images():
    pixels = pixels_of()
    given = plain_views(pixels, size=12, mean_C=[0.5] * 3, std_C=[0.25] * 3, scale=255.0)
    torch.testing.assert_close(given, (as_planes(pixels) - 0.5) / 0.25, atol=5e-6, rtol=0)
    resized = plain_views(pixels, size=6, mean_C=[0.0] * 3, std_C=[1.0] * 3, scale=255.0)
    torch.testing.assert_close(resized, views_of(pixels, size=6, **NOTHING))


def test_views_of_no_images_are_an_empty_batch():
    empty = views_of(pixels_of(0))
    assert empty.shape == (0, 3, 12, 12)
    assert plain_views(pixels_of(0), size=4, mean_C=[0.0] * 3, std_C=[1.0] * 3, scale=255.0).shape == (0, 3, 4, 4)


def test_values_stay_between_zero_and_one():
    views = views_of(pixels_of(64), brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5)
    assert views.min() == 0
    assert views.max() == 1


def test_keys_are_pure_and_differ_by_seed_epoch_image_and_view():
    indices = np.arange(50)
    keys = {
        key
        for seed in (0, 1)
        for epoch in (0, 1)
        for view in (0, 1, 7)
        for key in view_keys(seed, epoch, indices, view).tolist()
    }
    assert len(keys) == 2 * 2 * 3 * 50
    assert np.array_equal(view_keys(1, 0, indices[::-1], 1)[::-1], view_keys(1, 0, indices, 1))


def test_draws_are_the_first_numbers_of_each_stream():
    keys = view_keys(5, 1, np.arange(4), 0)
    for key, row in zip(keys, draws(keys, 6), strict=True):
        assert row.tolist() == uniform(int(key), np.arange(6)).tolist()


def test_shares_of_flips_and_changes_are_as_asked():
    plan = plan_of(flip=0.3, jitter=0.6, gray=0.2, blur=0.4, solarise=0.1, blur_min=0.5, blur_max=1.5)
    error = 5 * np.sqrt(0.25 / 20_000)
    assert abs((plan.x_BS[:, 0] > plan.x_BS[:, 1]).mean() - 0.3) < error
    assert abs((plan.sigmas_B > 0).mean() - 0.4) < error
    assert abs(plan.solarised_B.mean() - 0.1) < error
    assert abs((plan.shifts_B != 0).mean() - 0.6) < error
    equal_rows = np.abs(plan.matrices_BKK[:, 0] - plan.matrices_BKK[:, 1]).max(axis=1) < 1e-6
    assert abs(equal_rows.mean() - 0.2) < error
    drawn = plan.sigmas_B[plan.sigmas_B > 0]
    assert 0.5 <= drawn.min() < 0.51
    assert 1.49 < drawn.max() <= 1.5


def test_what_is_drawn_is_independent():
    drawn = draws(view_keys(3, 0, np.arange(20_000), 0), 14)
    correlation = np.corrcoef(drawn.T) - np.eye(14)
    assert np.abs(correlation).max() < 0.035  # 5 standard deviations
    other = draws(view_keys(3, 0, np.arange(20_000), 1), 14)
    assert max(abs(np.corrcoef(drawn[:, i], other[:, i])[0, 1]) for i in range(14)) < 0.035


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"crop_min": 0}, "crop_min must be above 0 and at most 1, got 0"),
        ({"crop_min": 0.5, "crop_max": 0.4}, "crop_min must be at most crop_max, got 0.5 and 0.4"),
        ({"ratio_min": 2}, "ratio_min must be at most ratio_max, got 2.0 and 1.33"),
        ({"blur_min": 3}, "blur_min must be at most blur_max, got 3.0 and 2.0"),
        ({"hue": 0.6}, "hue must be at least 0 and at most 0.5, got 0.6"),
        ({"flip": 1.5}, "flip must be at least 0 and at most 1, got 1.5"),
    ],
)
def test_settings_refuse(options, message):
    with pytest.raises(UsageError, match=message):
        ViewSettings(**{"size": 8, **options})


def test_views_refuse_what_does_not_fit():
    with pytest.raises(UsageError, match=r"pixels must have the shape \(images, height, width, channels\), got \(8"):
        plain_views(pixels_of()[:, :, 0, 0], size=4, mean_C=[0], std_C=[1], scale=255.0)
    with pytest.raises(UsageError, match=r"pixels must be whole numbers \(uint8, uint16 or int32\), got torch.float32"):
        views_of(torch.zeros(8, 12, 12, 3))
    with pytest.raises(UsageError, match="each image needs a key, got 3 keys for 8 images"):
        views_of(pixels_of(), view_keys(1, 0, np.arange(3), 0))
    with pytest.raises(UsageError, match="size must be at least 1, got 0"):
        plain_views(pixels_of(), size=0, mean_C=[0] * 3, std_C=[1] * 3, scale=255.0)
    with pytest.raises(UsageError, match=r"mean_C must have one number for each of 3 channels, got \[0.0\]"):
        plain_views(pixels_of(), size=4, mean_C=[0], std_C=[1] * 3, scale=255.0)
    with pytest.raises(UsageError, match=r"(?s)std_C must be above 0, got \[1.0, 0.0, 1.0\].*Give 1 for a channel"):
        plain_views(pixels_of(), size=4, mean_C=[0] * 3, std_C=[1, 0, 1], scale=255.0)
