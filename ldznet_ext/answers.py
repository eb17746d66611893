"""From the answers of phrases to those of expressions, and from either to a mask; at the picture's own size, without a model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from ldznet_ext.masks.components import box_of
from ldznet_ext.masks.select import instance_of, instances
from ldznet_ext.masks.shape import grown
from ldznet_ext.masks.thresholds import agreeing, automatic, hysteresis, lower, ramp
from ldznet_ext.prompt.evaluate import Shapes, mask_of, prob_of, score_of
from ldznet_ext.prompt.parse import parse
from ldznet_ext.prompt.tree import Instance, Phrase, Tree, phrases_of, walk
from ldznet_ext.prompt.write import write
from ldznet_ext.request import AUTOMATIC, HYSTERESIS, MaskSettings
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, PhraseResult

SHAPES = Shapes(grown, instance_of)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is enough: `found`: the score from which something counts as found. `default`: the threshold in (0, 1) that suits the
    method's maps. `threshold`: the one they are cut at. `familiar`: whether the picture is like those of training (None: unsaid).
    """

    found: float
    default: float
    threshold: float
    familiar: bool | None

    def status(self, score: float) -> str:
        """FOUND or NOT_FOUND; nothing is found on an unfamiliar picture."""
        return FOUND if score >= self.found and self.familiar is not False else NOT_FOUND


def unknown(text: str, shape: tuple[int, int]) -> PhraseResult:
    """The answer to a phrase with a word the model never saw, or to an expression with such a phrase: a map of zeros."""
    return PhraseResult(text=text, status=UNKNOWN, score=0.0, prob=np.zeros(shape, np.float32), box=None, area=0)


def answer(text: str, tree: Tree, known: Mapping[str, PhraseResult], measure: Measure) -> PhraseResult:
    """The answer to a text out of those of its phrases; that of a bare phrase is the phrase's own."""
    if isinstance(tree, Phrase):
        return replace(known[tree.text], text=text)
    terms = tuple(known[phrase] for phrase in phrases_of(tree))
    if any(term.status == UNKNOWN for term in terms):
        return replace(unknown(text, terms[0].prob.shape), terms=terms)
    score = score_of(tree, {term.text: term.score for term in terms}, absent(tree, terms, measure.default))
    if score < measure.found and mask_of(tree, _maps(terms, True), measure.default, measure.default, SHAPES).any():
        score = (
            1.0  # a negation all the same, as !((!fox)*0.5) without a fox: it is everywhere, and the rest of it nowhere
        )
    whole = PhraseResult(
        text=text,
        status=measure.status(score),
        score=score,
        prob=prob_of(tree, _maps(terms, measure.familiar), measure.default, SHAPES),
        box=None,
        area=0,
        terms=terms,
    )
    return cut(whole, measure.threshold, measure.default)


def absent(tree: Tree, terms: Sequence[PhraseResult], default: float) -> dict[Instance, int]:
    """The instances in a tree that are not there, each with how many pieces there are of what it is one of."""
    maps = _maps(terms, True)
    asked = {node: None for node, _ in walk(tree) if isinstance(node, Instance)}
    there = {node: instances(mask_of(node.part, maps, default, default, SHAPES)).count for node in asked}
    return {node: count for node, count in there.items() if node.number > count}


def too_few(tree: Tree, known: Mapping[str, PhraseResult], measure: Measure) -> Iterator[str]:
    """A sentence for each instance that is not there although its phrases are."""
    terms = tuple(known[phrase] for phrase in phrases_of(tree))
    if not any(isinstance(node, Instance) for node, _ in walk(tree)) or any(term.status == UNKNOWN for term in terms):
        return
    found = {term.text for term in terms if term.status == FOUND}
    for node, count in absent(tree, terms, measure.default).items():
        part = write(node.part)
        if found.issuperset(phrases_of(node)):
            there = "no piece" if not count else "one piece, #1" if count == 1 else f"{count} pieces, #1 to #{count}"
            yield f"{write(node):.60} was asked for, and {part:.60} has {there}; so ask for one that is there."


def cut(answer: PhraseResult, threshold: float, default: float) -> PhraseResult:
    """Box and area of an answer's mask at a threshold, and of its terms'."""
    mask = mask_at(answer, threshold, default)
    terms = tuple(cut(term, threshold, default) for term in answer.terms)
    return replace(answer, box=box_of(mask), area=int(np.count_nonzero(mask)), terms=terms)


def mask_at(answer: PhraseResult, threshold: float, default: float) -> np.ndarray:
    """Bool (h w): empty unless the answer is FOUND. An expression is joined of its phrases' masks, see `prompt.evaluate`."""
    if answer.status != FOUND:
        return np.zeros(answer.prob.shape, bool)
    if not answer.terms:
        return answer.prob > threshold
    return mask_of(parse(answer.text), _maps(answer.terms, True), threshold, default, SHAPES)


def union(answers: Sequence[PhraseResult]) -> np.ndarray:
    """The greatest probability of several answers, float32 (h w)."""
    prob = answers[0].prob.copy()
    for one in answers[1:]:
        np.maximum(prob, one.prob, out=prob)
    return prob


def joined(answers: Sequence[PhraseResult], threshold: float, default: float) -> np.ndarray:
    """The masks of several answers in one, bool (h w)."""
    mask = mask_at(answers[0], threshold, default)
    for one in answers[1:]:
        mask |= mask_at(one, threshold, default)
    return mask


def wanted(answers: Sequence[PhraseResult], settings: MaskSettings, threshold: float, default: float) -> np.ndarray:
    """The mask of several answers as the settings cut it: bool (h w); where it is soft, float32 0..1.

    Of a soft one 1/2 and more is in it. Each answer is cut at a threshold of its own where that is automatic.
    """
    own = [automatic(one.prob, default) if settings.cut == AUTOMATIC else threshold for one in answers]
    masks = [_at(one, at, settings, default) for one, at in zip(answers, own, strict=True)]
    mask = np.logical_or.reduce(masks)
    if not settings.soft:
        return mask
    soft = [ramp(one.prob, at) for one, at in zip(answers, own, strict=True)]
    return agreeing(reduce(np.maximum, soft), mask)


def _at(answer: PhraseResult, threshold: float, settings: MaskSettings, default: float) -> np.ndarray:
    """One answer's mask, bool (h w), at a threshold, or between it and the lower one."""
    sure = mask_at(answer, threshold, default)
    if settings.cut != HYSTERESIS:
        return sure
    return hysteresis(sure, mask_at(answer, lower(threshold, settings.low), default))


def _maps(terms: Sequence[PhraseResult], familiar: bool | None) -> dict[str, np.ndarray]:
    """The phrases' maps as an expression reads them: one not found is 0 everywhere.

    On an unfamiliar picture nothing is found and the mask is empty in any case; the map is made of what was seen, like that of
    a bare phrase.
    """
    seen = familiar is False
    return {term.text: term.prob if seen or term.status == FOUND else np.zeros_like(term.prob) for term in terms}
