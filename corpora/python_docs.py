"""The text of the Python installation itself: what the docstrings of the standard library say.

Real English that is present wherever this package runs, so nothing is shipped and nothing is downloaded.
"""

import ast
import inspect
import re
import sysconfig
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from corpora.corpus import DocumentCorpus

# Tests and installed packages are not the library; encodings and pydoc_data are large tables with hardly a sentence.
LEFT_OUT = frozenset(
    ("test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "encodings", "pydoc_data")
)
MAX_SOURCE_BYTES = 1 << 20
MIN_WORDS = 3
PARAGRAPH = re.compile(r"\n\s*\n")
WORD = re.compile(r"[a-z][a-z_]*(?:'[a-z]+)?")
NOT_PROSE = re.compile(r"^\s*(>>>|\.\.\. )", re.MULTILINE)


def python_docs(*, limit: int | None = None) -> DocumentCorpus:
    """Returns the docstrings of the standard library as a corpus, a paragraph per document."""
    return DocumentCorpus("python", standard_library, limit=limit)


@cache
def standard_library() -> tuple[str, ...]:
    """Returns the paragraphs of the running Python's standard library (kept: parsing it takes seconds, 2 MB do not)."""
    return tuple(paragraphs(Path(sysconfig.get_paths()["stdlib"])))


def paragraphs(folder: Path) -> Iterator[str]:
    """Yields the paragraphs of the docstrings below a folder as they are written; examples at the prompt are left out.

    Args:
        folder: Where Python sources lie.
    """
    for path in source_files(folder):
        for docstring in docstrings(path):
            for paragraph in PARAGRAPH.split(docstring):
                if not NOT_PROSE.search(paragraph) and len(words_of(paragraph)) >= MIN_WORDS:
                    yield " ".join(paragraph.split())


def source_files(folder: Path) -> Iterator[Path]:
    """Yields the Python files below a folder in the order of their names, tests and installed packages left out."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name in LEFT_OUT or path.is_symlink():
            continue
        if path.is_dir():
            yield from source_files(path)
        elif path.suffix == ".py" and path.stat().st_size <= MAX_SOURCE_BYTES:
            yield path


def docstrings(path: Path) -> Iterator[str]:
    """Yields the docstrings of a file's module, classes and functions in their order.

    Files that this Python cannot parse (templates, samples of other versions) are no part of the text.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return
    yield from docstrings_of(tree)


def docstrings_of(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Yields the docstring of a node, then those of the classes and functions inside."""
    text = ast.get_docstring(node, clean=False)
    if text:
        yield inspect.cleandoc(text)
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from docstrings_of(child)


def words_of(paragraph: str) -> list[str]:
    """Returns the words of a paragraph in lower case; digits, code signs and punctuation go."""
    return WORD.findall(paragraph.lower())
