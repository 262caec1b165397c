"""What tests commit: a folder of two files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def writer(content: bytes = b"new content", name: str = "a.bin") -> Callable[[Path], None]:
    """What fills a folder with a file, and one in a folder inside."""

    def write(folder: Path) -> None:
        with (folder / name).open("wb", buffering=0) as file:
            file.write(content)
        (folder / "deep").mkdir()
        (folder / "deep" / "b.txt").write_text("b")

    return write
