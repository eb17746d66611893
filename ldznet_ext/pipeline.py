"""From a picture and words to a Segmentation: the whole walk on one screen.

picture -> network size -> latent -> features -> logits -> the picture's own size -> edges -> mask, boxes, statuses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldznet_ext.backbone import Backbone, default_backbone
from ldznet_ext.errors import PhraseError
from ldznet_ext.masks.components import box_of
from ldznet_ext.masks.imaging import load_picture, undo
from ldznet_ext.masks.refine import prepare, refine
from ldznet_ext.masks.shape import shape
from ldznet_ext.request import MaskSettings, SegmentRequest, check_threshold
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, PhraseResult, Segmentation
from ldznet_ext.segmenters.base import AUTO, Clock, Evidence, Segmenter
from ldznet_ext.segmenters.methods import name_of, pick_segmenter
from ldznet_ext.segmenters.view import View, look

if TYPE_CHECKING:
    from ldznet_ext.masks.imaging import Picture
    from ldznet_ext.masks.refine import Guide


def segment(
    picture: "Picture",
    phrases: str | Sequence[str],
    *,
    backbone: Backbone | None = None,
    method: str | Segmenter | None = AUTO,
    threshold: float | None = None,
    refine: bool = True,
    seed: int = 0,
    timestep: int | None = None,
    head: str | Path | None = None,
) -> Segmentation:
    """Find what the words name.

    picture: a path, a PIL image or a uint8 (h w 3) RGB array. phrases: one, or several, each with its own map; the result's
    `prob` and `mask` are their union. backbone: a loaded model; None for Sticker-SD. method: "auto" (or None), a name, or a
    Segmenter. threshold: in (0, 1), cuts `prob` into `mask`, by default the head's own; it never changes a status. refine:
    snap edges to the picture. seed, timestep: of the noise the diffusion model sees. head: a head's file in place of the one
    found. PhraseError, PictureError, OptionError, MethodError, HeadError say in a sentence what cannot be.
    """
    request = as_request(phrases, method, threshold=threshold, refine=refine, seed=seed, timestep=timestep)
    clock = Clock()
    with clock("encode"):
        pixels = load_picture(picture)
    backbone = backbone or default_backbone()
    segmenter = pick_segmenter(method, backbone, Path(head) if head else None)
    with clock("encode"):
        view = look(pixels, backbone)
    return find(view, request, backbone, segmenter, clock)


def find(view: View, request: SegmentRequest, backbone: Backbone, segmenter: Segmenter, clock: Clock) -> Segmentation:
    """The walk from a picture in view to the result."""
    check_length(request.phrases, backbone, segmenter)
    unknown = {phrase: _unknown(phrase, backbone, segmenter) for phrase in request.phrases}
    known = tuple(phrase for phrase, words in unknown.items() if not words)
    if known:
        evidence = segmenter.evidence(backbone, view, known, request, clock)
    else:
        evidence = _no_evidence()
    with clock("post"):
        found = _Found(view, request, known, evidence)
        answers = tuple(found.answer(phrase) for phrase in request.phrases)
        prob, mask = _union(answers, found.threshold)
    return Segmentation(
        size=view.fit.original,
        method=segmenter.name,
        model=backbone.name,
        familiar=evidence.familiar,
        calibrated=evidence.calibrated,
        phrases=answers,
        prob=prob,
        mask=mask,
        seconds=clock.seconds(),
        unet_calls=evidence.unet_calls,
        message=" ".join(explain(backbone, unknown, evidence)),
        provenance={
            **evidence.provenance,
            "seed": request.seed,
            "family": backbone.family,
            "network_size": list(view.fit.network),
            "refined": request.refine,
            "threshold": found.threshold,
            "mask_threshold": evidence.mask_threshold,
            "found_threshold": evidence.found_threshold,
            "unknown_words": {phrase: list(words) for phrase, words in unknown.items() if words},
        },
    )


def rethreshold(result: Segmentation, threshold: float | None = None) -> Segmentation:
    """The same result cut at another threshold (None: the head's own); statuses, scores and `prob` stay."""
    check_threshold(threshold)
    cut = result.provenance.get("mask_threshold", 0.5) if threshold is None else threshold
    phrases = tuple(_cut(answer, cut) for answer in result.phrases)
    prob, mask = _union(phrases, cut)
    return replace(result, phrases=phrases, prob=prob, mask=mask, provenance={**result.provenance, "threshold": cut})


def apply(result: Segmentation, settings: MaskSettings) -> np.ndarray:
    """The mask as it is used, uint8 (h w) 0..255: a result cut at the settings' threshold, grown, feathered and inverted.

    No model is asked, so a slider may call this while the host paints; `words`, `method`, `refine`, `seed` and `timestep` are
    those of the result. Where nothing is found (no phrase has the status FOUND) it is empty, inverted or not: the caller says
    so.
    """
    if not any(answer.status == FOUND for answer in result.phrases):
        return np.zeros(result.size, np.uint8)
    mask = rethreshold(result, settings.threshold).mask
    return shape(mask, grow=settings.grow, feather=settings.feather, invert=settings.invert)


def as_request(phrases: str | Sequence[str], method: str | Segmenter | None = AUTO, **settings: Any) -> SegmentRequest:
    """The checked request; one phrase may come as a string."""
    if isinstance(phrases, (bytes, bytearray, Mapping)) or not isinstance(phrases, Iterable):
        raise PhraseError(
            f'The words are of the type {type(phrases).__name__}; expected text or a list of texts, so give "fox" or ["fox"].'
        )
    listed = (phrases,) if isinstance(phrases, str) else tuple(phrases)
    return SegmentRequest(phrases=listed, method=name_of(method), **settings)


def check_length(phrases: Iterable[str], backbone: Backbone, segmenter: Segmenter) -> None:
    """Refuse phrases with more tokens than the text encoder reads: what was cut off could be what matters."""
    for phrase in () if getattr(segmenter, "any_length", False) else phrases:
        over = backbone.overflow(phrase)
        if over:
            raise PhraseError(
                f'The phrase "{phrase[:40]}..." is {over} token{"s" * (over > 1)} too long for the text encoder of '
                f"{backbone.name}; expected a few words, 75 tokens at most, so shorten it."
            )


def _unknown(phrase: str, backbone: Backbone, segmenter: Segmenter) -> tuple[str, ...]:
    """Words the model never saw; none where the phrase is but the name of an example."""
    return () if "example" in segmenter.needs else backbone.unknown_words(phrase)


@dataclass(frozen=True)
class _Found:
    """Evidence turned into answers at the picture's own size."""

    view: View
    request: SegmentRequest
    known: tuple[str, ...]
    evidence: Evidence

    @property
    def threshold(self) -> float:
        chosen = self.request.threshold
        return self.evidence.mask_threshold if chosen is None else chosen

    def answer(self, phrase: str) -> PhraseResult:
        """One phrase's map, score and status; an unknown word has a map of zeros."""
        if phrase not in self.known:
            prob = np.zeros(self.view.fit.original, np.float32)
            return _cut(
                PhraseResult(text=phrase, status=UNKNOWN, score=0.0, prob=prob, box=None, area=0), self.threshold
            )
        row = self.known.index(phrase)
        score = float(self.evidence.scores[row])
        there = score >= self.evidence.found_threshold and self.evidence.familiar is not False
        status = FOUND if there else NOT_FOUND
        prob = self._prob(row)
        return _cut(PhraseResult(text=phrase, status=status, score=score, prob=prob, box=None, area=0), self.threshold)

    def _prob(self, row: int) -> np.ndarray:
        return own_size(self.evidence.logits[row], self.view, self._guide if self.request.refine else None)

    @cached_property
    def _guide(self) -> "Guide":
        """The picture's edges, shared by all phrases."""
        return prepare(self.view.picture)


def own_size(logits: np.ndarray, view: View, guide: "Guide | None") -> np.ndarray:
    """Logits (h' w') as probabilities, float32 (h w): resized as logits, then snapped to the picture's edges by its guide."""
    logits = undo(logits[None], view.fit)[0]
    # in place: at 100 megapixels every copy counts
    np.multiply(logits, 0.5, out=logits)
    prob = np.tanh(logits, out=logits)
    prob += 1
    prob *= 0.5
    return prob if guide is None else refine(prob, guide)


def _cut(answer: PhraseResult, threshold: float) -> PhraseResult:
    """Box and area of a phrase's mask at a threshold."""
    mask = _mask(answer, threshold)
    return replace(answer, box=box_of(mask), area=int(np.count_nonzero(mask)))


def _mask(answer: PhraseResult, threshold: float) -> np.ndarray:
    """Bool (h w): empty unless the phrase is found."""
    return answer.prob > threshold if answer.status == FOUND else np.zeros(answer.prob.shape, bool)


def _union(answers: Sequence[PhraseResult], threshold: float) -> tuple[np.ndarray, np.ndarray]:
    prob, mask = answers[0].prob.copy(), _mask(answers[0], threshold)
    for answer in answers[1:]:
        np.maximum(prob, answer.prob, out=prob)
        mask |= _mask(answer, threshold)
    return prob, mask


def _no_evidence() -> Evidence:
    """Every word is unknown: the diffusion model is not asked."""
    return Evidence(logits=np.zeros((0, 1, 1), np.float32), scores=np.zeros(0, np.float32))


def explain(backbone: Backbone, unknown: Mapping[str, Sequence[str]], evidence: Evidence) -> Iterable[str]:
    """Sentences that a person should read beside the answer."""
    words = sorted({word for found in unknown.values() for word in found})
    if words:
        quoted = ", ".join(f'"{word[:40]}"' for word in words[:5])
        yield f"{backbone.name} never saw {quoted} in training, so nothing can be said of it; try another word."
    if evidence.familiar is False:
        yield (
            f"This picture is unlike those {backbone.name} was trained on, so nothing counts as found; the probability maps and "
            "scores are still there, generated pictures and inpainting still work, and a real Stable Diffusion checkpoint with "
            "its head can be loaded with --model PATH (load_backbone(PATH))."
        )
    elif evidence.logits.size and not evidence.calibrated:
        yield "The scores are uncalibrated: for this method and model nothing was measured."
    if evidence.message:
        yield evidence.message
