"""CLIP's byte-pair tokenizer on the `tokenizers` library alone: transformers takes seconds to import, this takes none.

Follows openai/CLIP `simple_tokenizer.py` as transformers' CLIPTokenizer rebuilds it: same tokens, 77 positions.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

POSITIONS = 77
START, END = "<|startoftext|>", "<|endoftext|>"
SECOND_PAD = "!"
"""With which OpenCLIP's towers, SD 2.x's and SDXL's second, fill up: their token 0. CLIP's own fill up with the end token."""
WORDS = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
ALNUM = re.compile(r"\w")
ASCII_MARKS = re.compile(r"[!-/:-@\[-`{-~\s]*")
"""Punctuation carries no object: among words it is never an unknown one, and alone it names nothing."""


class Tokens:
    """Text to token ids, and the words whose tokens a model never saw in training."""

    def __init__(
        self,
        tokenizer: "Tokenizer",
        *,
        pad: str = END,
        seen: frozenset[int] | None = None,
        learned: Mapping[int, tuple[int, ...]] | None = None,
    ) -> None:
        self._tokenizer, self._filling = tokenizer, pad
        self.seen = seen
        self._learned = learned or {}
        vocabulary = {token: tokenizer.token_to_id(token) for token in (START, END, pad)}
        missing = [token for token, number in vocabulary.items() if number is None]
        if missing:
            raise ModelError(
                f"The tokenizer has no token {missing[0]}; expected CLIP's vocabulary, so use such a model."
            )
        self._start, self._end, self._pad = (vocabulary[token] for token in (START, END, pad))

    def encode(self, phrase: str) -> list[int]:
        """Exactly 77 ids: start, the words (cut after 75 tokens), end, padding."""
        ids = [self._start, *self.ids(phrase)[: POSITIONS - 2], self._end]
        return ids + [self._pad] * (POSITIONS - len(ids))

    def end_of(self, phrase: str) -> int:
        """The place of the end token among the 77."""
        return min(len(self.ids(phrase)), POSITIONS - 2) + 1

    def overflow(self, phrase: str) -> int:
        """How many tokens of a phrase do not fit and are not read."""
        return max(0, len(self.ids(phrase)) - (POSITIONS - 2))

    def unknown_words(self, phrase: str) -> tuple[str, ...]:
        """Words, as typed, with a token never seen in training; a phrase of marks alone, or of no token, is unknown itself."""
        if only_marks(phrase) or not self.ids(phrase):
            return (phrase.strip() or phrase,)
        if self.seen is None:
            return ()
        unknown: dict[str, None] = {}
        for word in phrase.split():
            pieces = self._tokenizer.encode(word, add_special_tokens=False)
            marks = ASCII_MARKS
            fresh = [
                1
                for number, (start, stop) in zip(pieces.ids, pieces.offsets, strict=True)
                if number not in self.seen and number not in self._learned and not marks.fullmatch(word[start:stop])
            ]
            if fresh:
                unknown[word.strip(".,;:!?\"'()")] = None
        return tuple(unknown)

    def ids(self, phrase: str) -> list[int]:
        """Ids of all tokens of a phrase, without start, end and padding; a learned word has one for each of its vectors."""
        found = self._tokenizer.encode(phrase, add_special_tokens=False)
        return [
            each
            for number, place in zip(found.ids, found.offsets, strict=True)
            for each in (self._learned.get(number) if _stands_alone(phrase, place) else None) or (number,)
        ]

    def with_words(self, words: Mapping[str, tuple[int, ...]]) -> "Tokens":
        """The same vocabulary with learned words, and the rows of the encoder's table that stand for each."""
        from tokenizers import AddedToken, Tokenizer

        wider = Tokenizer.from_str(self._tokenizer.to_str())
        wider.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in words])
        own = {number: ids for word, ids in words.items() if (number := wider.token_to_id(word)) is not None}
        return Tokens(wider, pad=self._filling, seen=self.seen, learned={**self._learned, **own})


def _stands_alone(phrase: str, place: tuple[int, int]) -> bool:
    """Whether no letter or digit touches a piece: a learned "fox" may have the number that "foxtail" begins with."""
    start, stop = place
    return not any(ALNUM.match(touching) for touching in (phrase[max(0, start - 1) : start], phrase[stop : stop + 1]))


def only_marks(phrase: str) -> bool:
    """Whether a phrase has no letter, digit or pictogram in any script."""
    return all(ASCII_MARKS.fullmatch(letter) or unicodedata.category(letter)[0] in "PZ" for letter in phrase)


def load_tokens(folder: Path, seen: Path | None = None, *, pad: str | None = None) -> Tokens:
    """Read `vocab.json` and `merges.txt` (or `tokenizer.json`) of a tokenizer folder, and the list of tokens seen.

    pad: the token to fill up with, by default what the folder says.
    """
    tokenizer = _from_tables(folder) if (folder / "vocab.json").is_file() else _from_single(folder)
    known = None if seen is None or not seen.is_file() else read_seen(seen, tokenizer)
    return Tokens(tokenizer, pad=pad or _pad_token(folder), seen=known)


def read_seen(path: Path, tokenizer: "Tokenizer") -> frozenset[int]:
    """Ids of the tokens a model saw in training: a JSON list of ids or token strings, or {"tokens": such a list}."""
    try:
        listed = json.loads(path.read_text("utf-8"))
        listed = listed["tokens"] if isinstance(listed, dict) else listed
        ids = {entry if isinstance(entry, int) else tokenizer.token_to_id(entry) for entry in listed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is not a list of tokens; expected a JSON list, so restore or delete it.") from error
    return frozenset(number for number in ids if number is not None)


def _from_tables(folder: Path) -> "Tokenizer":
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    try:
        bpe = models.BPE.from_file(
            str(folder / "vocab.json"), str(folder / "merges.txt"), end_of_word_suffix="</w>", unk_token=END
        )
    except Exception as error:  # the library raises bare Exceptions
        raise ModelError(
            f"{folder} does not hold a readable tokenizer; expected vocab.json and merges.txt, so fetch the model again."
        ) from error
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    words = pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def _from_single(folder: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:
        raise ModelError(
            f"{folder} holds no readable tokenizer; expected vocab.json and merges.txt, or tokenizer.json, so "
            "fetch the model again."
        ) from error


def _pad_token(folder: Path) -> str:
    """SD 1.x pads with the end token, SD 2.x with "!": the folder says so."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        try:
            pad = json.loads((folder / name).read_text("utf-8")).get("pad_token")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(pad, dict):
            pad = pad.get("content")
        if isinstance(pad, str):
            return pad
    return END
