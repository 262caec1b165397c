"""The subword tokenizer: text to ids and back, kept as one `tokenizer.json` that other libraries read.

    tokenizer = Tokenizer.train(source, kind="bpe", vocabulary_size=8192)
    tokenizer.save(folder); Tokenizer.open(folder)

Text never turns into special tokens when a corpus is encoded, even where it spells them: the literal text "[MASK]" is
four letters and two brackets. Only `encode_marked` reads them as what they say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from textssl.disk import reading, size_text
from textssl.errors import DataError, UsageError
from textssl.text.sources import Source
from textssl.text.token_roles import ROLES, Role, find_roles, roles_beside, special_tokens_map
from textssl.text.token_roles import SPECIALS as SPECIALS
from textssl.text.tokenizer_training import Kind, train_json

FILE = "tokenizer.json"
MAP_FILE = "special_tokens_map.json"
_MAX_BYTES = 1 << 28


class Tokenizer:
    """A subword tokenizer. Made by `train`, `open` or `from_json_text`.

    Attributes:
        json_text: the content of its `tokenizer.json`.
        training_report: how it was trained, as lines for people; empty where it was opened.
    """

    def __init__(
        self, json_text: str, backend: Any, roles: Mapping[Role, str], training_report: tuple[str, ...] = ()
    ) -> None:
        self.json_text = json_text
        self.training_report = training_report
        self._backend = backend
        self._ids: dict[Role, int] = find_roles(roles, backend.token_to_id)

    @classmethod
    def open(cls, path: Path) -> Tokenizer:
        """Open a `tokenizer.json`, or a folder that holds one, of this toolkit or of another one.

        Args:
            path: the file or the folder; `tokenizer_config.json` and `special_tokens_map.json` beside it are read, too.

        Raises:
            DataError: a file is missing, too large or damaged.
            ResourceError: a file may not be read.
        """
        path = Path(path)
        file = path / FILE if path.is_dir() else path
        with reading(file):
            size = file.stat().st_size
            if size > _MAX_BYTES:
                raise DataError(f"has {size_text(size)}, expected {size_text(_MAX_BYTES)} at most", where=str(file))
            content = file.read_bytes()
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"is damaged: {error.reason} at byte {error.start}", where=str(file)) from error
        return cls.from_json_text(text, roles=roles_beside(file.parent), where=str(file))

    @classmethod
    def from_json_text(
        cls, text: str, *, roles: Mapping[Role, str] = {}, where: str = FILE, training_report: tuple[str, ...] = ()
    ) -> Tokenizer:
        """Make a tokenizer of the content of a `tokenizer.json`.

        Args:
            text: JSON.
            roles: tokens by role, where they are not the known ones.
            where: names the text in messages.
            training_report: see the attribute.

        Raises:
            DataError: it is no tokenizer.
        """
        from tokenizers import Tokenizer as Backend

        try:
            backend = Backend.from_str(text)
        except Exception as error:  # the Rust library has no class of its own
            raise DataError(
                f"is no tokenizer: {error}",
                where=where,
                hint="A tokenizer.json of the tokenizers library is expected.",
            ) from error
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = True
        return cls(text, backend, roles, training_report)

    @classmethod
    def train(
        cls,
        documents: Source | Iterable[str],
        *,
        kind: Kind = "bpe",
        vocabulary_size: int,
        lowercase: bool = False,
        max_bytes: int = 100_000_000,
        seed: int = 0,
    ) -> Tokenizer:
        """Learn a vocabulary of subwords; `training_report` says from how much text.

        Args:
            documents: a source, or texts that can be iterated over again and again.
            kind: "bpe" (byte-level: every text can be written), "wordpiece" or "unigram".
            vocabulary_size: number of ids, the 5 special tokens and the alphabet among them.
            lowercase: write everything in small letters first.
            max_bytes: of a longer text a sample of about so many bytes is taken, spread over all of it.
            seed: chooses the sample.

        Raises:
            UsageError: the vocabulary is too small for its alphabet, max_bytes is out of range, or the kind is unknown.
            DataError: there is no text.
        """
        text, report = train_json(
            documents,
            kind=kind,
            vocabulary_size=vocabulary_size,
            lowercase=lowercase,
            max_bytes=max_bytes,
            seed=seed,
        )
        return cls.from_json_text(text, training_report=tuple(report))

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` and `special_tokens_map.json` into a folder that is there.

        Args:
            folder: for instance the one that `storage.commit_folder` gives.
        """
        folder = Path(folder)
        (folder / FILE).write_text(self.json_text, encoding="utf-8")
        names = json.dumps(special_tokens_map(self.special_tokens), indent=1, ensure_ascii=False)
        (folder / MAP_FILE).write_text(names + "\n", encoding="utf-8")

    def identity(self) -> str:
        """A sha256 in hex of what decides the ids: the JSON, whatever its spaces and the order of its keys."""
        content = json.dumps(json.loads(self.json_text), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @cached_property
    def vocabulary_size(self) -> int:
        """The number of ids: the largest one plus 1."""
        return int(max(self._backend.get_vocab(with_added_tokens=True).values())) + 1

    def find(self, role: Role) -> int | None:
        """The id of the token that plays a role, None where there is none."""
        return self._ids.get(role)

    @property
    def pad_id(self) -> int:
        """The id that fills up rows."""
        return self._required("pad")

    @property
    def unknown_id(self) -> int:
        """The id of what the vocabulary cannot write."""
        return self._required("unknown")

    @property
    def cls_id(self) -> int:
        """The id that begins a row ([CLS], <s>)."""
        return self._required("cls")

    @property
    def separator_id(self) -> int:
        """The id that ends a document ([SEP], </s>, <|endoftext|>)."""
        return self._required("separator")

    @property
    def mask_id(self) -> int:
        """The id that stands for a hidden token."""
        return self._required("mask")

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        """The ids that are no text, rising: every special token, with a role or without."""
        added = self._backend.get_added_tokens_decoder()
        marked = {id for id, token in added.items() if token.special}
        return tuple(sorted(marked | set(self._ids.values())))

    @property
    def special_tokens(self) -> dict[Role, str]:
        """The token of every role there is."""
        return {role: str(self._backend.id_to_token(self._ids[role])) for role in ROLES if role in self._ids}

    def encode_batch(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Texts as ids, without special tokens; the unknown token stands for what cannot be written.

        Args:
            texts: any length; nothing is truncated.

        Returns:
            int32 (number of tokens,) for each text.
        """
        encodings = self._backend.encode_batch_fast(texts, add_special_tokens=False)
        found = [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
        if found and self._never_text[np.concatenate(found)].any():
            marked = (number for number, ids in enumerate(found) if self._never_text[ids].any())
            for number in marked:
                found[number] = self._encode_broken(texts[number])
        return found

    def encode_marked(self, text: str) -> NDArray[np.int32]:
        """One text as ids, in which a special token that is spelt out ("[MASK]") is that token.

        Args:
            text: for instance "the capital of [MASK] is paris".

        Returns:
            int32 (number of tokens,); no token is added at the begin or the end.
        """
        return np.array(self._marking_backend.encode(text, add_special_tokens=False).ids, dtype=np.int32)

    def decode(self, ids: Sequence[int] | NDArray[np.integer], *, with_specials: bool = False) -> str:
        """The text of ids.

        Args:
            ids: int (number of tokens,).
            with_specials: keep special tokens as their names, else they are left out.

        Raises:
            UsageError: an id is not in the vocabulary.
        """
        plain = [int(id) for id in ids]
        wrong = next((id for id in plain if not 0 <= id < self.vocabulary_size), None)
        if wrong is not None:
            raise UsageError(f"ids must be at least 0 and below the vocabulary's {self.vocabulary_size:,}, got {wrong}")
        return str(self._backend.decode(plain, skip_special_tokens=not with_specials))

    def token_strings(self) -> list[str]:
        """The tokens as the vocabulary writes them, by id; "" for an id without a token."""
        return [self._backend.id_to_token(id) or "" for id in range(self.vocabulary_size)]

    @cached_property
    def adds_space_at_begin(self) -> bool:
        """Whether the tokenizer puts a space before every text itself; then a part of a text must lose its own."""
        whole, first, spaced, bare = self.encode_batch(["a b", "a", " b", "b"])
        if np.array_equal(whole, np.concatenate([first, spaced])):
            return False
        return np.array_equal(whole, np.concatenate([first, bare]))

    @cached_property
    def _never_text(self) -> NDArray[np.bool_]:
        """True at the ids that no text may become."""
        table = np.zeros(self.vocabulary_size, dtype=np.bool_)
        table[list(self.special_ids)] = True
        if "unknown" in self._ids:
            table[self._ids["unknown"]] = False
        return table

    @cached_property
    def _marking_backend(self) -> Any:
        from tokenizers import Tokenizer as Backend

        backend = Backend.from_str(self.json_text)
        backend.no_truncation()
        backend.no_padding()
        return backend

    def _encode_broken(self, text: str) -> NDArray[np.int32]:
        """The ids of a text whose model has special tokens among its pieces: their spelling is broken in two."""
        spellings = [str(self._backend.id_to_token(id)) for id in np.flatnonzero(self._never_text)]
        parts = [text]
        for spelling in spellings:
            parts = [part for whole in parts for part in _broken(whole, spelling)]
        encodings = self._backend.encode_batch_fast([part for part in parts if part], add_special_tokens=False)
        ids = np.array([id for encoding in encodings for id in encoding.ids], dtype=np.int32)
        if self._never_text[ids].any():
            raise DataError(
                f"the tokenizer writes the text {text[:40]!r} with a special token, also where it is cut in two",
                hint="Use another tokenizer: its special tokens cannot be told from text.",
            )
        return ids

    def _required(self, role: Role) -> int:
        id = self._ids.get(role)
        if id is None:
            present = ", ".join(f"{known} {token}" for known, token in self.special_tokens.items()) or "none"
            key = next(iter(special_tokens_map({role: ""})))
            raise UsageError(
                f"the tokenizer has no token for {role!r}, which is needed here; it has {present}",
                hint=f'Name it in {MAP_FILE} beside {FILE}: {{"{key}": "..."}}',
            )
        return id


def _broken(text: str, spelling: str) -> list[str]:
    """The text cut after the first character of every occurrence of a special token's name."""
    first, rest = spelling[:1], spelling[1:]
    pieces = text.split(spelling)
    parts = [pieces[0]]
    for piece in pieces[1:]:
        parts[-1] += first
        parts.append(rest + piece)
    return parts
