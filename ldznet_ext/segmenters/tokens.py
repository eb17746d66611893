"""Where words are among the 77 positions a UNet reads: prompts made of phrases, and which positions are whose.

A prompt is put together from parts with blanks between them, where CLIP's tokenizer never merges: a part's positions follow
from how many tokens each part has. What does not fit into one text goes on in another; nothing is cut.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldznet_ext.errors import PhraseError
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

ROOM = 75
"""Tokens of a text between its start and its end token."""
SMALLEST = 25
"""Positions a template leaves to the phrases; rivals that would take more are left out."""
Tokenize = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Span:
    """Neighbouring positions `start <= position < stop` in one row of the text states; position 0 is the start token."""

    row: int
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Texts of at most 75 tokens, a row each, and where things are in them.

    phrases: a phrase's spans, one for each piece it had to be cut into. rivals: the spans of each row's competing words.
    words: each row's span from after the start token to before the end token.
    """

    texts: tuple[str, ...]
    phrases: tuple[tuple[Span, ...], ...]
    rivals: tuple[Span, ...]
    words: tuple[Span, ...]


@dataclass(frozen=True, kw_only=True)
class Template:
    """How phrases are put into a text: `lead` before them, `joint` between them, then `rivals`, each after a comma."""

    lead: str = ""
    joint: str = ","
    rivals: tuple[str, ...] = ()

    @property
    def tail(self) -> str:
        """What follows the phrases.

        >>> Template(rivals=("sky", "grass")).tail
        ', sky , grass'
        """
        return " ".join(f", {rival}" for rival in self.rivals)

    def without(self, phrases: Sequence[str]) -> "Template":
        """The same without rivals that have a word in common with a phrase: nothing competes with itself.

        Where none is left, those stay that are no phrase themselves: without any rival a score would mean something else.

        >>> template = Template(rivals=("blue sky", "grass"))
        >>> template.without(["the SKY"]).rivals, template.without(["a blue fox on grass"]).rivals
        (('grass',), ('blue sky', 'grass'))
        """
        whole = [_plain(phrase) for phrase in phrases]
        words = {word for phrase in whole for word in phrase}
        others = tuple(rival for rival in self.rivals if not words & set(_plain(rival)))
        return replace(self, rivals=others or tuple(rival for rival in self.rivals if _plain(rival) not in whole))


def compose(
    tokenize: Tokenize, phrases: Sequence[str], template: Template | None = None, *, together: bool = True
) -> Prompt:
    """Put phrases into as few texts as hold them, or with `together` False each into texts of its own.

    tokenize: ids of a text, start, end and padding left out (`Backbone.token_ids`). Phrases in one text compete with each
    other; rivals stand in every text. PhraseError where a phrase has no token.

    >>> prompt = compose(str.split, ["red fox", "snow"], Template(lead="a photo of", joint="and", rivals=("sky",)))
    >>> prompt.texts, prompt.phrases
    (('a photo of red fox and snow , sky',), ((Span(row=0, start=4, stop=6),), (Span(row=0, start=7, stop=8),)))
    """
    writer = _Writer(tokenize, _fitting(tokenize, template or Template()))
    spans: list[tuple[Span, ...]] = []
    for phrase in phrases:
        if not together:
            writer.close()
        spans.append(tuple(writer.add(piece) for piece in cut(tokenize, phrase, writer.room)))
    writer.close()
    return Prompt(
        texts=tuple(writer.texts), phrases=tuple(spans), rivals=tuple(writer.rivals), words=tuple(writer.words)
    )


def cut(tokenize: Tokenize, phrase: str, room: int = ROOM) -> tuple[str, ...]:
    """A phrase in pieces of at most `room` tokens, cut between words where that can be.

    >>> cut(str.split, "one two three four five", 2)
    ('one two', 'three four', 'five')
    """
    if not len(tokenize(phrase)):
        raise PhraseError(f'The phrase "{phrase[:40]}" has no token; expected words, so use others.')
    pieces: list[str] = []
    for word in _short_words(tokenize, phrase, room):
        longer = f"{pieces[-1]} {word}" if pieces else word
        if pieces and len(tokenize(longer)) <= room:
            pieces[-1] = longer
        else:
            pieces.append(word)
    return tuple(pieces)


def occurrences(tokenize: Tokenize, text: str, phrase: str) -> tuple[Span, ...]:
    """Every place of a phrase in a text that was written by someone else, such as the prompt of a painting.

    PhraseError where it does not occur.

    >>> occurrences(str.split, "a fox and a red fox", "fox")
    (Span(row=0, start=2, stop=3), Span(row=0, start=6, stop=7))
    """
    ids, wanted = list(tokenize(text))[:ROOM], list(tokenize(phrase))
    starts = [at for at in range(len(ids) - len(wanted) + 1) if wanted and ids[at : at + len(wanted)] == wanted]
    if not starts:
        raise PhraseError(
            f'The phrase "{phrase[:40]}" is not in the prompt "{text[:40]}"; expected words of it, so use some.'
        )
    return tuple(Span(0, at + 1, at + 1 + len(wanted)) for at in starts)


def states_of(
    backbone: "Backbone", prompt: Prompt, weights: Sequence[float] | float = 1.0
) -> Float[Tensor, "rows tokens c"]:
    """Text states of a prompt as the UNet reads them, those at each phrase's positions times its weight.

    As web UIs read "(fox:1.4)" and iSeg boosts a class: the encoder's output is scaled, and its mean is not restored.
    """
    states = backbone.conditioning(prompt.texts).states.clone()
    each = [weights] * len(prompt.phrases) if isinstance(weights, (int, float)) else list(weights)
    for spans, weight in zip(prompt.phrases, each, strict=True):
        for span in spans:
            states[span.row, span.start : span.stop] *= weight
    return states


def mean_over(maps: Float[Tensor, "rows tokens cells"], phrases: Sequence[Sequence[Span]]) -> Float[Tensor, "p cells"]:
    """The mean map over all positions of each phrase, all its pieces together."""
    return torch.stack(
        [torch.cat([maps[span.row, span.start : span.stop] for span in spans]).mean(dim=0) for spans in phrases]
    )


def _fitting(tokenize: Tokenize, template: Template) -> Template:
    """The template with as many of its rivals as leave room: a vocabulary may lack them, and spell them in letters."""
    while template.rivals and len(tokenize(f"{template.lead} {template.tail}")) > ROOM - SMALLEST:
        template = replace(template, rivals=template.rivals[:-1])
    return template


class _Writer:
    """Fills texts with phrases, starting a new one when the next phrase does not fit."""

    def __init__(self, tokenize: Tokenize, template: Template) -> None:
        self.template = template
        self.texts: list[str] = []
        self.rivals: list[Span] = []
        self.words: list[Span] = []
        self._count = lambda text: len(tokenize(text)) if text else 0
        self._lead, self._joint, self._tail = map(self._count, (template.lead, template.joint, template.tail))
        self.room = ROOM - self._lead - self._tail
        self._pieces: list[str] = []
        self._used = 0

    def add(self, piece: str) -> Span:
        """Write a piece into the present text, or into a new one."""
        size = self._count(piece)
        joint = self._joint if self._pieces else 0
        if self._used + joint + size > self.room:
            self.close()
            joint = 0
        start = 1 + self._lead + self._used + joint
        self._pieces.append(piece)
        self._used += joint + size
        return Span(len(self.texts), start, start + size)

    def close(self) -> None:
        """End the present text, if something is in it."""
        if not self._pieces:
            return
        row, end = len(self.texts), 1 + self._lead + self._used
        joint = f" {self.template.joint} " if self.template.joint else " "
        parts = (self.template.lead, joint.join(self._pieces), self.template.tail)
        self.texts.append(" ".join(part for part in parts if part))
        self.rivals += self._rival_spans(row, end)
        self.words.append(Span(row, 1, end + self._tail))
        self._pieces, self._used = [], 0

    def _rival_spans(self, row: int, start: int) -> Iterator[Span]:
        for rival in self.template.rivals:
            stop = start + self._count(f", {rival}")
            yield Span(row, stop - self._count(rival), stop)
            start = stop


def _plain(text: str) -> list[str]:
    """Words in small letters, without marks."""
    return [word.strip(".,;:!?\"'()") for word in text.lower().split()]


def _short_words(tokenize: Tokenize, phrase: str, room: int) -> Iterator[str]:
    """Words of a phrase; one with more tokens than there is room for comes in halves."""
    for word in phrase.split():
        if len(tokenize(word)) <= room or len(word) == 1:
            yield word
        else:
            middle = len(word) // 2
            yield from _short_words(tokenize, f"{word[:middle]} {word[middle:]}", room)
