"""Handwritten digits that are always there: 1,797 real images of 8 x 8 pixels that come with scikit-learn.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (the
test half). The last 500 come from writers of whom the first ones know little, so they serve as a test.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corpora.readers.base_images import Found, ImageOptions

NUM_TRAIN = 1297
MAX_GRAY = 16
PARTS = {"digits": slice(None), "digits-train": slice(NUM_TRAIN), "digits-test": slice(NUM_TRAIN, None)}


def digits(name: str, options: "ImageOptions") -> "Found":
    """Returns the digits, or their part to train or to test on, with gray values from 0 to 255.

    Args:
        name: "digits", "digits-train" or "digits-test".
        options: The limit and the image size.
    """
    import numpy as np
    from sklearn.datasets import load_digits

    from corpora.readers.base_images import Found, all_of
    from corpora.readers.base_pillow import resize_all

    bunch = load_digits()
    gray = bunch.images[PARTS[name]]
    num_images = len(gray)
    pixels = np.rint(gray[: options.first(num_images), :, :, np.newaxis] * (255 / MAX_GRAY)).astype(np.uint8)
    if options.image_size is not None:
        pixels = resize_all(pixels, options.image_size, name)
    names = tuple(map(str, bunch.target_names))
    return Found(pixels, all_of(len(pixels)), num_images, bunch.target[PARTS[name]].astype(np.int64), names)
