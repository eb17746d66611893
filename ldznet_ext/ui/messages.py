"""What a person reads beside a mask: every phrase as found, not found, unknown word or unfamiliar, with its score. HTML.

Words come from outside and are escaped; classes are ours, so that the host's theme colours them.
"""

import itertools
from collections.abc import Iterable, Sequence
from html import escape
from textwrap import dedent

from ldznet_ext.errors import ExpressionError
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, PhraseResult, Segmentation

UNFAMILIAR = "unfamiliar"
_numbers = itertools.count(1)
CLASSES = {FOUND: "found", NOT_FOUND: "absent", UNKNOWN: "unknown", UNFAMILIAR: "unfamiliar"}


def status_of(answer: PhraseResult, familiar: bool | None) -> str:
    """One of found, not found, unknown word, unfamiliar."""
    return UNFAMILIAR if familiar is False and answer.status == NOT_FOUND else answer.status


def describe(result: Segmentation) -> str:
    """All phrases of a result, what was used and what should be known."""
    return _box(_chips(result), [result.message, _origin(result)])


def describe_regions(result: Segmentation) -> str:
    """The same for the things of a prompt: those shown first, those that are not there after them in grey."""
    there = [one for one in result.phrases if one.status == FOUND]
    heading = "Click a region to take it as the mask." if there else "None of the prompt's things was found."
    return _box(_chips(result), [heading, result.message, _origin(result)])


def complaint(reason: str | Exception) -> str:
    """One sentence about what cannot be; below it, for words that are no expression, the place with a caret."""
    sentence, place = str(reason), ""
    if isinstance(reason, ExpressionError):
        sentence, _, lines = sentence.partition("\n")
        place = f'<pre class="ldznet-place">{escape(dedent(lines))}</pre>'
    return _answer(f"<p>{escape(sentence)}</p>{place}", "ldznet-message ldznet-complaint", "alert")


def remark(sentence: str) -> str:
    """One sentence that is no complaint."""
    return _answer(f"<p>{escape(sentence)}</p>")


def chip(text: str, status: str, score: float | None = None) -> str:
    """A phrase with its status.

    >>> chip("<fox>", "found", 0.934)
    '<span class="ldznet-chip ldznet-found"><b>&lt;fox&gt;</b> found 0.93</span>'
    """
    number = "" if score is None or status == UNKNOWN else f" {score:.2f}"
    return f'<span class="ldznet-chip ldznet-{CLASSES[status]}"><b>{escape(text)}</b> {status}{number}</span>'


def _chips(result: Segmentation) -> str:
    listed = [chip(one.text, status_of(one, result.familiar), one.score) for one in _all(result.phrases)]
    return "".join(listed)


def _all(phrases: Sequence[PhraseResult]) -> Iterable[PhraseResult]:
    """Each answer, an expression's phrases after it."""
    seen: set[str] = set()
    for one in phrases:
        for each in (one, *one.terms):
            if each.text not in seen:
                seen.add(each.text)
                yield each


def _origin(result: Segmentation) -> str:
    """By what, how long, and whether it was free."""
    seconds = result.seconds.get("total", sum(result.seconds.values()))
    passes = result.unet_calls
    free = "no extra pass" if not passes else f"{passes} pass{'es' * (passes > 1)}"
    return f"{result.method} on {result.model}, {seconds:.1f} s, {free} of the diffusion model."


def _box(chips: str, sentences: Iterable[str]) -> str:
    written = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences if sentence)
    return _answer(f'<div class="ldznet-chips">{chips}</div>{written}')


def _answer(inner: str, classes: str = "ldznet-message", role: str = "status") -> str:
    """Numbered, so that the page shows an answer anew that reads like the one before: the same question was asked again."""
    return f'<div data-answer="{next(_numbers)}" class="{classes}" role="{role}">{inner}</div>'
