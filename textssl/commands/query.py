"""Ask word vectors: nearest neighbours, analogies, similarity of two words, the odd one out.

Examples:
  textssl query runs/news paris
  textssl query runs/news "paris - france + italy"
  textssl query runs/news paris berlin london --topn 5
  textssl query vectors.bin --odd-one-out breakfast cereal dinner lunch
  textssl query runs/news --similarity coffee tea
  textssl query runs/news --file queries.txt --json      one query a line
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from textssl.commands.base import (
    SIGNS,
    Expression,
    at_least,
    existing,
    gives_own_errors,
    open_vectors,
    parse_expression,
    print_table,
    printable,
    require_known,
)
from textssl.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from textssl.embeddings import Embeddings


@dataclass(frozen=True)
class Neighbour:
    """A word and its score: the cosine, or 3CosMul's product."""

    word: str
    score: float


@dataclass(frozen=True)
class Answer:
    """The words nearest to one query, best first."""

    query: str
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Similarity:
    """The cosine of two words."""

    words: tuple[str, str]
    cosine: float


@dataclass(frozen=True)
class OddOneOut:
    """The word farthest from the mean of all the words."""

    words: tuple[str, ...]
    odd: str


@dataclass(frozen=True)
class QueryResult:
    """What was asked and answered."""

    run: str
    answers: tuple[Answer, ...]
    similarity: Similarity | None
    odd_one_out: OddOneOut | None

    def as_dict(self) -> dict[str, Any]:
        """All answers in JSON's types."""
        return asdict(self)


@gives_own_errors
def query(
    run: str | Path,
    *queries: str,
    topn: int = 10,
    method: Literal["3cosadd", "3cosmul"] = "3cosadd",
    restrict_vocab: int | None = None,
    similarity: tuple[str, str] | None = None,
    odd_one_out: Sequence[str] = (),
    file: Path | None = None,
) -> QueryResult:
    """Ask word vectors.

    Args:
        run: run folder, model folder or vector file.
        queries: words, or expressions such as "paris - france + italy" whose operators stand between spaces.
        topn: number of neighbours of each query.
        method: how an analogy adds up: 3cosadd sums cosines, 3cosmul multiplies them (Levy and Goldberg 2014).
        restrict_vocab: look among the first so many words only, the most frequent in vectors that are sorted so.
        similarity: two words whose cosine to tell.
        odd_one_out: three words or more, of which to tell the one that fits least.
        file: further queries, one a line; - for standard input.

    Returns:
        The answers in the order asked.

    Raises:
        UsageError: nothing is asked, or an expression is malformed.
        DataError: words are not in the vocabulary (the nearest known ones are named), or there are no vectors.
    """
    at_least("topn", topn, 1)
    if restrict_vocab is not None:
        at_least("restrict_vocab", restrict_vocab, 1)
    expressions = [parse_expression(text) for text in [*_joined(queries), *_lines(file)]]
    if not expressions and similarity is None and not odd_one_out:
        raise UsageError("nothing is asked", hint=f'For instance: textssl query {run} "paris - france + italy"')
    if odd_one_out and len(odd_one_out) < 3:
        raise UsageError(f"odd_one_out needs at least 3 words, got {len(odd_one_out)}")
    vectors = open_vectors(run)
    asked = [word for expression in expressions for word in (*expression.positive, *expression.negative)]
    _require_spaces(vectors, asked, where=str(run))
    require_known(vectors, [*asked, *(similarity or ()), *odd_one_out], where=str(run))
    return QueryResult(
        run=str(run),
        answers=_answers(vectors, expressions, topn, method, restrict_vocab),
        similarity=None if similarity is None else Similarity(similarity, float(vectors.similarity(*similarity))),
        odd_one_out=OddOneOut(tuple(odd_one_out), str(vectors.doesnt_match(list(odd_one_out))))
        if odd_one_out
        else None,
    )


def show(result: QueryResult, console: "Console") -> None:
    """Print word and score, one a row; with several queries a heading over each."""
    for number, answer in enumerate(result.answers):
        if len(result.answers) > 1:
            console.print(("\n" if number else "") + printable(answer.query))
        rows = [(found.word, f"{found.score:.4f}") for found in answer.neighbours]
        print_table(console, ("", ""), rows, right=(1,))
    if result.similarity is not None:
        console.print(f"{result.similarity.cosine:.4f}")
    if result.odd_one_out is not None:
        console.print(printable(result.odd_one_out.odd))


def _joined(queries: Sequence[str]) -> list[str]:
    """One expression when operators stand alone among the queries (no quotes were typed), else each for itself."""
    return [" ".join(queries)] if any(text in SIGNS for text in queries) else list(queries)


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    if str(file) == "-":
        text = sys.stdin.read()
    else:
        content = existing(file, what="file of queries").read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"is not UTF-8 at byte {error.start:,}", where=str(file)) from error
    return [line for line in text.splitlines() if line.strip()]


def _require_spaces(vectors: "Embeddings", words: Sequence[str], *, where: str) -> None:
    """Refuse an unknown word that is an expression of known ones without its spaces."""
    for word in words:
        pieces = re.split(rf"([{re.escape(''.join(SIGNS))}])", word)
        if len(pieces) > 1 and word not in vectors and all(piece in vectors for piece in pieces[::2]):
            raise DataError(
                f"{printable(word)!r} is not in the vocabulary of {len(vectors.words):,} words; operators stand "
                "between spaces, since words may hold hyphens",
                where=where,
                hint=f'Write: "{printable(" ".join(pieces))}"',
            )


def _answers(
    vectors: "Embeddings",
    expressions: Sequence[Expression],
    topn: int,
    method: Literal["3cosadd", "3cosmul"],
    restrict_vocab: int | None,
) -> tuple[Answer, ...]:
    single = all(len(each.positive) == 1 and not each.negative for each in expressions)
    if single and restrict_vocab is None and method == "3cosadd":  # many words are one matrix product
        found = vectors.neighbours([each.positive[0] for each in expressions], topn=topn)
        return tuple(_answer(each, near) for each, near in zip(expressions, found, strict=True))
    ask = vectors.most_similar if method == "3cosadd" else vectors.most_similar_cosmul
    answers = []
    for each in expressions:
        near = ask(list(each.positive), list(each.negative), topn=topn, restrict_vocab=restrict_vocab)
        answers.append(_answer(each, cast("list[tuple[str, float]]", near)))
    return tuple(answers)


def _answer(expression: Expression, found: Sequence[tuple[str, float]]) -> Answer:
    return Answer(expression.text, tuple(Neighbour(word, float(score)) for word, score in found))
