"""Frame order: tell whether three frames of a clip are in order, or in which order four of them stand.

    verify   frames b c d of a < b < c < d < e against b a d and b e d; one in four is in order
    sort     L frames in one of L! / 2 orders, since a film runs backwards as well

Against shortcuts, all frames of a question are the same view in one channel, and each moves a little by itself.
Recipe: a shared encoder, a layer on each pair of frames, a linear layer on all pairs; windows by their motion
(`--motion`) or all alike. Other than in the sources a pair's layer also sees |f_i - f_j|, and verify works on pairs:
with features joined alone the 600 windows of a small set taught nothing (9 % right where chance gives 8 %).
Source: verify: Misra, Zitnick and Hebert, Shuffle and Learn (arXiv 1603.08561), section 3; sort: Lee et al., OPN
(arXiv 1708.01246), section 3.
Legend: B questions, L frames, G pairs of them, C channels, S side of a picture, F features, D width.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from textssl.config import option
from textssl.errors import UsageError
from textssl.objectives.base import Setting
from textssl.objectives.base_frame_windows import split_windows
from textssl.objectives.base_images import ImageRun
from textssl.objectives.base_pretext import PretextConfig, PretextObjective, Streams, prepare_pretext
from textssl.vision.images import ImageSet, ImageSource, image_set

if TYPE_CHECKING:
    from torch import Tensor, nn

    from textssl.models.base_images import ImageEncoder, ImageEncoderConfig
    from textssl.models.base_method import MethodModel

MOST_SIZE = 64
"""Of a frame in pixels, unless `--view-size` says otherwise."""
SIZES_OF_A_MOVE = 16
"""A frame moves by a sixteenth of its side unless told otherwise: 5 of 80 pixels, as OPN's do."""


@dataclass(frozen=True)
class FrameOrderConfig(PretextConfig):
    """Options of frame_order."""

    batch_images: int = option(16, "Questions of one update; each shows several images.", minimum=2)
    learning_rate: float = option(5e-3, "The highest one; sgd and lars need a larger one, 0.03 and more.", above=0)
    question: Literal["sort", "verify"] = option("sort", "Which order frames have, or whether three are in order.")
    frames: int = option(4, "Frames that are sorted.", minimum=3, maximum=6)
    stride: int = option(1, "Frames of the clip from one frame of a question to the next.", minimum=1)
    max_gap: int | None = option(
        None, "Frames whose numbers differ by more are no neighbours; by default all of a clip are.", minimum=1
    )
    in_order: float = option(0.25, "Share of the questions of verify whose frames are in order.", above=0, below=1)
    motion: bool = option(False, "Ask about windows as often as they move much, in place of all alike.")
    keep_channels: bool = option(False, "Show all channels; otherwise one of them stands for all, as in OPN.")
    frame_jitter: int | None = option(
        None, "Pixels by which each frame moves by itself; by default a 16th of the side.", minimum=0
    )
    hidden_width: int = option(32, "Width of the layer on each pair of frames.", minimum=1)


class FrameOrder:
    """An encoder learns what changes in a film and how, from nothing but the order of its frames."""

    Config = FrameOrderConfig
    FAMILY = "images"
    NEXT = ("evaluate {run} --images test/ --labels labels.csv", "embed {run} images/ --out vectors.npy")
    PRESETS: Mapping[str, Mapping[str, Any]] = {}

    def prepare(self, source: ImageSource, config: FrameOrderConfig, setting: Setting) -> ImageRun:
        """Take the frames and make everything ready.

        Raises:
            DataError: the images have no order, or no clip is long enough.
            UsageError: a batch takes more windows than there are, or as of `ImageRun`.
        """
        return prepare_pretext(image_set(source), config, setting, _Orders, most_size=MOST_SIZE)


class _Orders(PretextObjective[FrameOrderConfig]):
    """Batches of frames of one window each, a function of (seed, step); a window is named by its first image."""

    remedy = "Train longer (--epochs), with longer windows (--stride) or those that move (--motion)."

    def __init__(
        self,
        images: ImageSet,
        config: FrameOrderConfig,
        setting: Setting,
        encoder: ImageEncoderConfig,
        *,
        training: NDArray[np.int64],
        validation: NDArray[np.int64],
    ) -> None:
        from textssl.vision.frames import TRIPLE_SPAN, order_clips

        del training, validation  # single images; whole stretches of windows are split instead
        sorts, clips = config.question == "sort", order_clips(images.sequence, images.frame)
        span = config.frames if sorts else TRIPLE_SPAN
        self.shown = config.frames if sorts else 3
        self.pairs_G2 = np.array(list(itertools.combinations(range(self.shown), 2)))
        windows = split_windows(
            clips, span, stride=config.stride, max_gap=config.max_gap, share=config.validation_share
        )
        if config.batch_images > len(windows.training):
            raise UsageError(
                f"a batch of {config.batch_images:,} windows is larger than the {len(windows.training):,} there are to "
                "learn from",
                where=images.name,
                hint="Give a smaller --batch-images, a smaller --stride, or longer clips.",
            )
        self.windows = windows.by_motion(span, config.stride, images.pixels) if config.motion else windows
        numbers = {"training": windows.images(windows.training), "validation": windows.images(windows.held_back)}
        super().__init__(images, config, setting, encoder, **numbers)

    @property
    def num_answers(self) -> int:
        from textssl.vision.frames import order_classes

        return len(order_classes(self.shown)) if self.config.question == "sort" else 2

    @property
    def chance(self) -> float:
        right = self.config.in_order
        return 1 / self.num_answers if self.config.question == "sort" else max(right, 1 - right)

    @property
    def views_per_image(self) -> float:
        return float(self.shown)

    @property
    def jitter(self) -> int:
        """Pixels by which a frame moves, at most."""
        given = self.config.frame_jitter
        return self.encoder.image_size // SIZES_OF_A_MOVE if given is None else given

    def parts(self, encoder: ImageEncoder) -> Mapping[str, nn.Module]:
        from torch import nn

        from textssl.models.base_projection import Projector

        width = self.config.hidden_width
        pair = Projector((3 * encoder.feature_width, width), last_norm="affine")
        return self.filled({"pair": pair, "classes": nn.Linear(len(self.pairs_G2) * width, self.num_answers)})

    def describe(self) -> list[str]:
        side, windows = self.encoder.image_size, self.windows
        held_back = f"{len(windows.held_back):,} in whole stretches held back"
        lines = [f"{len(windows.training):,} windows of frames to learn from, {held_back}"]
        chance = f"by chance {self.chance:.1%} of the answers are right"
        return [*lines, f"{self.shown} frames of {side} x {side}, {self.num_answers} answers; {chance}"]

    def questions(
        self, numbers: NDArray[np.int64], streams: Streams
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        from textssl.vision.frames import shuffled_frames, triples

        config, starts_B = self.config, self.windows.asked(numbers, streams.windows)
        ask: dict[str, Any] = {"starts_B": starts_B, "keys_B": streams.answers, "stride": config.stride}
        if config.question == "sort":
            shown_BL, answers_B = shuffled_frames(self.windows.clips, **ask, length=config.frames)
        else:
            shown_BL, answers_B = triples(self.windows.clips, **ask, right=config.in_order)
        return shown_BL.reshape(-1), answers_B

    def pictures(self, pixels: Tensor, streams: Streams) -> Tensor:
        """(B, L, C, S, S), the frames of each question in the order that they are shown in."""
        from textssl.vision.colour import one_channel
        from textssl.vision.draws import draws
        from textssl.vision.views import make_views

        settings = self.config.views(self.encoder.image_size + 2 * self.jitter)
        alike, channels = (np.repeat(keys, self.shown) for keys in (streams.views, streams.channels))
        views_XCHW = make_views(pixels, alike, settings, **self.normalisation)  # X = B * L
        if not self.config.keep_channels:
            views_XCHW = one_channel(views_XCHW, channels)
        corners_X2 = (draws(streams.places, 2 * self.shown) * (2 * self.jitter + 1)).astype(np.int64).reshape(-1, 2)
        return _cut(views_XCHW, corners_X2, self.encoder.image_size).unflatten(0, (-1, self.shown))

    def hidden(self, model: MethodModel, pictures: Tensor, answers_Q: Tensor) -> Tensor:
        import torch

        features_BLF = model.encoder(pictures.flatten(0, 1)).unflatten(0, (-1, self.shown))
        first_BGF, second_BGF = (features_BLF[:, places_G] for places_G in self.pairs_G2.T.tolist())
        joined_BGX = torch.cat([first_BGF, second_BGF, (first_BGF - second_BGF).abs()], dim=2)  # X = 3 * F
        return torch.relu(model.pair(joined_BGX.flatten(0, 1))).unflatten(0, (-1, len(self.pairs_G2))).flatten(1)


def _cut(views_XCHW: Tensor, corners_X2: NDArray[np.int64], size: int) -> Tensor:
    """The square (C, S, S) of each view that begins at a row and a column of its own: (X, C, S, S)."""
    import torch

    places = zip(views_XCHW, corners_X2.tolist(), strict=True)
    return torch.stack([view[:, row : row + size, column : column + size] for view, (row, column) in places])
