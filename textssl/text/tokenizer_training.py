"""Training of tokenizers: byte-level BPE, WordPiece or Unigram, from a sample of bounded size.

The same text gives the same BPE or WordPiece tokenizer. The library's Unigram sums probabilities in an order that
differs from process to process, so two trainings on the same text may differ in a few rare pieces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple, cast, get_args

from textssl.disk import size_text
from textssl.errors import DataError, UsageError, did_you_mean
from textssl.text.sources import Source, from_iterable
from textssl.text.token_roles import SPECIALS
from textssl.text.tokenizer_sample import Sample

Kind = Literal["bpe", "wordpiece", "unigram"]
MAX_SAMPLE_BYTES = 2_000_000_000
"""The library counts pairs in 32 bits; a larger sample would overflow them without a word."""

_NUM_BYTES = 256
_MIN_PAIR_COUNT = 2
_CONTINUATION = "##"
_TOKENS_PER_LETTER = 4
"""So many tokens there are for every letter learnt: WordPiece needs two, a and ##a, and pieces must fit, too."""


def train_json(
    documents: Source | Iterable[str], *, kind: Kind, vocabulary_size: int, lowercase: bool, max_bytes: int, seed: int
) -> tuple[str, list[str]]:
    """Train a tokenizer, see `Tokenizer.train`.

    Returns:
        The content of tokenizer.json, and how it came to be as lines for people.

    Raises:
        UsageError: the vocabulary is too small for its alphabet, max_bytes is out of range, or the kind is unknown.
        DataError: there is no text.
    """
    _check(kind, vocabulary_size, max_bytes)
    source = cast(Source, documents) if hasattr(documents, "blocks") else from_iterable(documents)
    sample = Sample.of(source, max_bytes=max_bytes, seed=seed)
    backend, trainer, left_out = _PARTS[kind](vocabulary_size, lowercase, sample)
    learnt = _Counted(sample.texts(), left_out)
    backend.train_from_iterator(learnt, trainer)
    if not learnt.num_bytes:
        raise DataError(
            f"holds no text to learn a tokenizer from: {sample.num_bytes:,} bytes were read",
            where=source.name,
            hint="Give a corpus with at least one word.",
        )
    found = backend.get_vocab_size()
    lines = [f"tokenizer: {kind}, {found:,} tokens, learnt from {_shown_share(learnt.num_bytes, sample.num_bytes)}"]
    if found < vocabulary_size:
        lines.append(
            f"the vocabulary has {found:,} tokens, {vocabulary_size:,} were asked for: the text has no more pieces "
            "that occur often enough"
        )
    return _with_specials_only(backend.to_str(pretty=False)), lines


def _with_specials_only(text: str) -> str:
    """The tokenizer with nothing but `SPECIALS` marked as special."""
    settings = json.loads(text)
    settings["added_tokens"] = [token for token in settings["added_tokens"] if token["content"] in SPECIALS]
    return json.dumps(settings, ensure_ascii=False, separators=(",", ":"))


def _shown_share(taken: int, whole: int) -> str:
    if taken >= whole:
        return f"all {size_text(whole)} of the text"
    return f"{size_text(taken)} of {size_text(whole)} ({taken / whole:.1%}), spread over the whole text"


class _Parts(NamedTuple):
    """An untrained tokenizer.

    Args:
        backend: the library's tokenizer.
        trainer: the library's trainer.
        left_out: characters that are too rare to learn, each with what stands in its place.
    """

    backend: Any
    trainer: Any
    left_out: dict[int, str] = {}


class _Counted:
    """Texts in batches, counted as they go by."""

    def __init__(self, texts: Iterator[str], left_out: dict[int, str]) -> None:
        self.texts = texts
        self.left_out = left_out
        self.num_bytes = 0

    def __iter__(self) -> Iterator[list[str]]:
        batch: list[str] = []
        for text in self.texts:
            self.num_bytes += len(text.encode())
            batch.append(text.translate(self.left_out) if self.left_out else text)
            if len(batch) == 64:
                yield batch
                batch = []
        yield batch


def _check(kind: Kind, vocabulary_size: int, max_bytes: int) -> None:
    if kind not in get_args(Kind):
        raise UsageError(
            f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}",
            hint=did_you_mean(str(kind), get_args(Kind)) or None,
        )
    least = len(SPECIALS) + (_NUM_BYTES if kind == "bpe" else 16)
    if vocabulary_size < least:
        alphabet = f"the {_NUM_BYTES} bytes" if kind == "bpe" else "an alphabet"
        raise UsageError(
            f"vocabulary_size must be at least {least} for {kind!r} ({len(SPECIALS)} special tokens and {alphabet}), "
            f"got {vocabulary_size}",
            hint="8,192 serves a small model well.",
        )
    if not 1 <= max_bytes <= MAX_SAMPLE_BYTES:
        raise UsageError(f"max_bytes must be at least 1 and at most {MAX_SAMPLE_BYTES:,}, got {max_bytes:,}")


def _specials(mask_takes_space: bool) -> list[Any]:
    """The special tokens; [MASK] takes the space before it along where spaces belong to the word that follows."""
    from tokenizers import AddedToken

    return [
        AddedToken(token, special=True, normalized=False, lstrip=mask_takes_space and token == SPECIALS[-1])
        for token in SPECIALS
    ]


def _byte_level_bpe(vocabulary_size: int, lowercase: bool, sample: Sample) -> _Parts:  # noqa: ARG001
    """GPT-2's: pieces of bytes, a space belongs to the word after it; every text is written and read back exactly."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    if lowercase:
        backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=_MIN_PAIR_COUNT,
        show_progress=False,
        special_tokens=_specials(mask_takes_space=True),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    return _Parts(backend, trainer)


def _word_piece(vocabulary_size: int, lowercase: bool, sample: Sample) -> _Parts:
    """BERT's: words and punctuation apart, ideographs one by one, pieces inside a word marked with ##."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    unknown = SPECIALS[1]
    backend = Tokenizer(models.WordPiece(unk_token=unknown, continuing_subword_prefix=_CONTINUATION))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix=_CONTINUATION)
    num_letters = (vocabulary_size - len(SPECIALS)) // _TOKENS_PER_LETTER
    letters = _alphabet(sample.count_letters(), backend.normalizer, num_letters)
    # Left to itself the library numbers letters inside words in an order that differs from process to process.
    inner = [_CONTINUATION + letter for letter in letters if _may_stand_inside(backend, letter)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        min_frequency=_MIN_PAIR_COUNT,
        show_progress=False,
        special_tokens=[*_specials(mask_takes_space=False), *inner],
        continuing_subword_prefix=_CONTINUATION,
        initial_alphabet=letters,
        limit_alphabet=len(letters),
    )
    return _Parts(backend, trainer)


def _alphabet(written: dict[str, int], normalizer: Any, size: int) -> list[str]:
    """The most frequent letters; left to itself the library breaks ties at random."""
    counts: Counter[str] = Counter()
    for letter, count in written.items():
        counts.update(dict.fromkeys(normalizer.normalize_str(letter).strip(), count))
    return sorted(counts, key=lambda letter: (-counts[letter], letter))[:size]


def _may_stand_inside(backend: Any, letter: str) -> bool:
    word = backend.normalizer.normalize_str(f"a{letter}")
    return len(backend.pre_tokenizer.pre_tokenize_str(word)) == 1


def _unigram(vocabulary_size: int, lowercase: bool, sample: Sample) -> _Parts:
    """SentencePiece's unigram model; punctuation stands apart, so that no piece can spell a special token."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    backend = Tokenizer(models.Unigram())
    steps = [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    backend.normalizer = normalizers.Sequence([*steps, normalizers.Lowercase()] if lowercase else steps)
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Punctuation()]
    )
    backend.decoder = decoders.Metaspace(prepend_scheme="first")
    normalizer, counts = backend.normalizer, sample.count_letters()
    kept = {" ", *_alphabet(counts, normalizer, (vocabulary_size - len(SPECIALS)) // _TOKENS_PER_LETTER)}
    left_out = {ord(letter): " " for letter in counts if not kept.issuperset(normalizer.normalize_str(letter))}
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary_size,
        show_progress=False,
        special_tokens=_specials(mask_takes_space=True),
        unk_token=SPECIALS[1],
    )
    return _Parts(backend, trainer, left_out)


_PARTS: dict[str, Callable[[int, bool, Sample], _Parts]] = {
    "bpe": _byte_level_bpe,
    "wordpiece": _word_piece,
    "unigram": _unigram,
}
