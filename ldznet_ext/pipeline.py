"""From a picture and words to a Segmentation: the whole walk on one screen.

picture -> network size -> latent -> features -> logits -> the picture's own size -> edges -> mask, boxes, statuses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldznet_ext.answers import Measure, answer, cut, joined, too_few, union, unknown, wanted
from ldznet_ext.backbone import Backbone, default_backbone
from ldznet_ext.errors import PhraseError
from ldznet_ext.masks.edits import NOTHING, Edits
from ldznet_ext.masks.finish import finish
from ldznet_ext.masks.imaging import load_picture, undo
from ldznet_ext.masks.refine import prepare, refine
from ldznet_ext.outlines import Outlines
from ldznet_ext.prompt.parse import parse
from ldznet_ext.prompt.tree import Phrase, Tree, phrases_of
from ldznet_ext.prompt.write import write
from ldznet_ext.request import MaskSettings, SegmentRequest, check_threshold
from ldznet_ext.result import FOUND, PhraseResult, Segmentation
from ldznet_ext.segmenters.base import AUTO, Clock, Evidence, Segmenter
from ldznet_ext.segmenters.looks import gather, native_of
from ldznet_ext.segmenters.methods import name_of, pick_segmenter
from ldznet_ext.segmenters.view import View, look

if TYPE_CHECKING:
    import torch

    from ldznet_ext.masks.imaging import Picture
    from ldznet_ext.masks.refine import Guide


def segment(
    picture: "Picture",
    phrases: str | Tree | Sequence[str | Tree],
    *,
    backbone: Backbone | None = None,
    method: str | Segmenter | None = AUTO,
    threshold: float | None = None,
    refine: bool = True,
    sam: bool = False,
    seed: int = 0,
    timestep: int | None = None,
    head: str | Path | None = None,
    average: int = 1,
    parity: bool = False,
) -> Segmentation:
    """Find what the words name.

    picture: a path, a PIL image or a uint8 (h w 3) RGB array. phrases: one expression of the mask language such as
    "fox & !tail" (docs/words.md), as text or as a tree, or several, each with its own map; the result's `prob` and `mask` are
    their union, and all their phrases are looked for at once. backbone: a loaded model; None for Sticker-SD. method: "auto" (or
    None), a name, or a Segmenter. threshold: in (0, 1), cuts `prob` into `mask`, by default the head's own; it never changes a
    status. refine: snap edges to the picture. sam: let Segment Anything outline what is found, where its weights are. seed,
    timestep: of the noise the diffusion model sees. head: a head's file in place of the one found. average: how many looks the
    answer is the mean of, over timesteps, noises and templates. parity: look as the authors' demo does (docs/real_models.md).
    PhraseError, PictureError, OptionError, MethodError, HeadError say in a sentence what cannot be.
    """
    looks = {"seed": seed, "timestep": timestep, "average": average, "parity": parity}
    request = as_request(phrases, method, threshold=threshold, refine=refine, sam=sam, **looks)
    trees_of(request.phrases, method)  # refuses what cannot be read before anything is loaded
    clock = Clock()
    with clock("encode"):
        pixels = load_picture(picture)
    backbone = backbone or default_backbone()
    segmenter = pick_segmenter(method, backbone, Path(head) if head else None)
    with clock("encode"):
        view = look(pixels, backbone, native_of(segmenter, backbone))
    return find(view, request, backbone, segmenter, clock)


def find(view: View, request: SegmentRequest, backbone: Backbone, segmenter: Segmenter, clock: Clock) -> Segmentation:
    """The walk from a picture in view to the result."""
    phrases = check_words(request.phrases, backbone, segmenter)
    trees = trees_of(request.phrases, segmenter)
    unseen = {phrase: _unknown(phrase, backbone, segmenter) for phrase in phrases}
    known = tuple(phrase for phrase, words in unseen.items() if not words)
    if known:
        evidence = gather(segmenter, backbone, view, known, request, clock)
    else:
        evidence = _no_evidence()
    with clock("post"):
        found = _Found(view, request, known, evidence, backbone.device)
        own = {phrase: found.answer(phrase) for phrase in phrases}
        measure = found.measure
        answers = tuple(answer(*asked, own, measure) for asked in zip(request.phrases, trees, strict=True))
        prob, mask = union(answers), joined(answers, measure.threshold, measure.default)
        missing = dict.fromkeys(sentence for tree in trees for sentence in too_few(tree, own, measure))
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
        message=" ".join([*explain(backbone, unseen, evidence), *missing, *found.outlines.remarks]),
        provenance={
            "network_size": list(view.fit.network),
            **evidence.provenance,
            "seed": request.seed,
            "family": backbone.family,
            "refined": request.refine,
            "sam": request.sam,
            "threshold": measure.threshold,
            "mask_threshold": evidence.mask_threshold,
            "found_threshold": evidence.found_threshold,
            "unknown_words": {phrase: list(words) for phrase, words in unseen.items() if words},
        },
    )


def rethreshold(result: Segmentation, threshold: float | None = None) -> Segmentation:
    """The same result cut at another threshold (None: the head's own); statuses, scores and `prob` stay."""
    check_threshold(threshold)
    chosen, default = _thresholds(result, threshold)
    phrases = tuple(cut(one, chosen, default) for one in result.phrases)
    prob, mask = union(phrases), joined(phrases, chosen, default)
    return replace(result, phrases=phrases, prob=prob, mask=mask, provenance={**result.provenance, "threshold": chosen})


def apply(
    result: Segmentation, settings: MaskSettings, edits: Edits | None = None, picture: np.ndarray | None = None
) -> np.ndarray:
    """The mask as it is used, uint8 (h w) 0..255, of a result, the settings and what was done by hand.

    No model is asked, so a slider may call this while the host paints; `words`, `method`, `refine`, `sam`, `seed` and `timestep`
    are those of the result. In this order: cut (at `threshold`, automatically or between two thresholds; `soft`), `islands`,
    `keep`, clicks, `holes`, `grow`, then the hand (`add`, `only`, `erase`), `alpha` (which needs the picture, uint8 h w 3),
    `feather`, `invert`. Where nothing is found (no phrase has the status FOUND) it is empty, inverted or not, and the caller says
    so; but what was added by hand is there whatever was found, and is then the mask.
    """
    edits = edits or NOTHING
    edits.check(result.size)
    found = [one for one in result.phrases if one.status == FOUND]
    if not found and edits.add is None:
        return np.zeros(result.size, np.uint8)
    cut = wanted(found, settings, *_thresholds(result, settings.threshold)) if found else np.zeros(result.size, bool)
    return finish(cut, settings, edits, picture)


def _thresholds(result: Segmentation, threshold: float | None) -> tuple[float, float]:
    """The threshold to cut at (None: the method's own), and the method's own."""
    default = result.provenance.get("mask_threshold", 0.5)
    return default if threshold is None else threshold, default


def as_request(
    phrases: str | Tree | Sequence[str | Tree], method: str | Segmenter | None = AUTO, **settings: Any
) -> SegmentRequest:
    """The checked request; one text may come alone, and a tree of the mask language in place of text."""
    if isinstance(phrases, Tree):
        phrases = write(phrases)
    if isinstance(phrases, (bytes, bytearray, Mapping)) or not isinstance(phrases, Iterable):
        raise PhraseError(
            f'The words are of the type {type(phrases).__name__}; expected text or a list of texts, so give "fox" or ["fox"].'
        )
    listed = (phrases,) if isinstance(phrases, str) else tuple(phrases)
    listed = tuple(write(one) if isinstance(one, Tree) else one for one in listed)
    return SegmentRequest(phrases=listed, method=name_of(method), **settings)


def trees_of(texts: Iterable[str], method: str | Segmenter | None) -> tuple[Tree, ...]:
    """What the texts say; PhraseError where one is no expression. The name of an example is taken as it stands."""
    named = "example" in getattr(method, "needs", ())
    return tuple(Phrase(text) if named else parse(text) for text in texts)


def check_words(texts: Iterable[str], backbone: Backbone, segmenter: Segmenter) -> tuple[str, ...]:
    """The phrases of all texts, each once; PhraseError where a text is no expression or a phrase is too long."""
    phrases = tuple(dict.fromkeys(phrase for tree in trees_of(texts, segmenter) for phrase in phrases_of(tree)))
    check_length(phrases, backbone, segmenter)
    return phrases


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
    device: "torch.device"

    @property
    def measure(self) -> Measure:
        chosen, evidence = self.request.threshold, self.evidence
        return Measure(
            found=evidence.found_threshold,
            default=evidence.mask_threshold,
            threshold=evidence.mask_threshold if chosen is None else chosen,
            familiar=evidence.familiar,
        )

    def answer(self, phrase: str) -> PhraseResult:
        """One phrase's map, score and status."""
        if phrase not in self.known:
            return unknown(phrase, self.view.fit.original)
        row = self.known.index(phrase)
        score, measure = float(self.evidence.scores[row]), self.measure
        status, prob = measure.status(score), self._prob(row)
        if self.request.sam and status == FOUND:
            prob = self.outlines(prob, measure.default)
        whole = PhraseResult(text=phrase, status=status, score=score, prob=prob, box=None, area=0)
        return cut(whole, measure.threshold, measure.default)

    def _prob(self, row: int) -> np.ndarray:
        return own_size(self.evidence.logits[row], self.view, self._guide if self.request.refine else None)

    @cached_property
    def outlines(self) -> Outlines:
        """SAM's, where they are asked for."""
        return Outlines(self.view.picture, self.device)

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
            f"scores are still there, generated pictures and inpainting still work, and {backbone.elsewhere}."
        )
    elif evidence.logits.size and not evidence.calibrated:
        yield "The scores are uncalibrated: for this method and model nothing was measured."
    if evidence.message:
        yield evidence.message
