"""A folder of image files: its sub-folders are labels, or clips whose files are frames in natural order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from corpora.corpus import Tally
from corpora.errors import CorpusError, listed
from corpora.readers.base_images import IMAGE_SUFFIXES, Found, ImageOptions, no_images
from corpora.readers.base_pillow import Encoded, decode_all
from corpora.readers.files import walk
from corpora.readers.sniff import inner_suffix

LEFT_OUT = "files that are no images left out"
ARRAY_SUFFIXES = frozenset((".npz", ".npy", ".parquet"))
SUFFIXES_SHOWN = ".png, .jpg, .tif, .bmp, .gif, .webp"


def read_folder(path: Path, options: ImageOptions, tally: Tally) -> Found:
    """Reads the image files below a folder, or one image file.

    The first folder on the way to a file is its label; a file that lies in no sub-folder has none. Hidden files do not
    count, files of other kinds are counted and left out.

    Raises:
        CorpusError: There is no image file, one cannot be read, or they differ in size or channels.
    """
    if path.is_file():
        paths, root = [path], path.parent
    else:
        paths, root = image_files(path, tally), path
    labels = [label_of(file.relative_to(root)) for file in paths]
    return decoded(paths, root, options, tally, labels=labels if any(labels) else None)


def read_clips(path: Path, options: ImageOptions, tally: Tally) -> Found:
    """Reads a folder whose sub-folders are clips: each folder with images in it is one, its files are the frames.

    Where clips lie in folders of their own (label/clip/frame.png), the first folder is the label.

    Raises:
        CorpusError: As `read_folder`; or an image lies in no sub-folder.
    """
    if not path.is_dir():
        raise CorpusError("clips are read from a folder", where=str(path), hint="give a folder with a folder per clip")
    clips: dict[Path, list[Path]] = {}
    for file in image_files(path, tally):
        clips.setdefault(file.parent, []).append(file)
    if path in clips:
        raise CorpusError(
            f"the image {clips[path][0].name} lies in no sub-folder, so it belongs to no clip",
            where=str(path),
            hint="give a folder with a folder of frames per clip",
        )
    paths = [file for files in clips.values() for file in files]
    labels = [label_of(file.parent.relative_to(path)) for file in paths]
    return decoded(
        paths,
        path,
        options,
        tally,
        labels=labels if any(labels) else None,
        sequence=[str(file.parent.relative_to(path)) for file in paths],
        frame=[place for files in clips.values() for place in range(len(files))],
    )


def decoded(
    paths: Sequence[Path],
    root: Path,
    options: ImageOptions,
    tally: Tally,
    *,
    labels: list[str | None] | None,
    sequence: list[str] | None = None,
    frame: list[int] | None = None,
) -> Found:
    """Returns the files' images with what is known of them; of images with labels a limit takes some of each."""
    import numpy as np

    number = options.first(len(paths))
    chosen = list(range(number)) if labels is None or sequence is not None else some_of_each(labels, number)
    pixels, places = decode_all([Encoded(str(paths[at]), paths[at]) for at in chosen], options, tally, str(root))
    kept = np.array(chosen, dtype=np.int64)[places]
    names = [path.relative_to(root).as_posix() for path in paths]
    return Found(pixels, kept, len(paths), labels, sequence=sequence, frame=frame, file_names=names)


def some_of_each(labels: Sequence[str | None], number: int) -> list[int]:
    """Returns which images are read, in rising order: the first ones of each label, as many of each as there can be."""
    seen: Counter[str | None] = Counter()
    turns = []
    for label in labels:
        turns.append(seen[label])
        seen[label] += 1
    return sorted(sorted(range(len(labels)), key=turns.__getitem__)[:number])


def label_of(relative: Path) -> str | None:
    """Returns the first folder of a path, None when it has none."""
    return relative.parts[0] if len(relative.parts) > 1 else None


def image_files(folder: Path, tally: Tally) -> list[Path]:
    """Returns the image files below a folder in natural order; the others are counted.

    Raises:
        CorpusError: There is none; files that hold images in another form are named.
    """
    others: list[Path] = []
    found = list(_images(folder, others))
    tally.add(LEFT_OUT, len(others))
    if found:
        return found
    arrays = [path for path in others if path.suffix.lower() in ARRAY_SUFFIXES or "ubyte" in path.name]
    if arrays:
        names = (str(path.relative_to(folder)) for path in arrays)
        raise no_images(str(folder), tally, f"give one of its files: {listed(names)}")
    kinds = sorted({inner_suffix(path) or path.name for path in others})
    hint = f"give a folder with images ({SUFFIXES_SHOWN}); its sub-folders are labels"
    raise no_images(str(folder), tally, f"{hint}; found {listed(kinds)}" if kinds else hint)


def _images(folder: Path, others: list[Path]) -> Iterator[Path]:
    for path in walk(folder):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            yield path
        else:
            others.append(path)
