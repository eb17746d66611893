"""Every pixel of a picture by name: one map a name, the likeliest name a pixel, absent names left out.

picture, names -> maps of one method -> names whose own score says they are there -> labels at the picture's own size.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ldznet_ext.backbone import Backbone, default_backbone
from ldznet_ext.errors import PhraseError
from ldznet_ext.masks.components import box_of
from ldznet_ext.masks.imaging import load_picture
from ldznet_ext.masks.refine import prepare
from ldznet_ext.pipeline import as_request, check_length, explain, own_size
from ldznet_ext.request import SegmentRequest
from ldznet_ext.result import FOUND, NOT_FOUND, UNKNOWN, UNLABELLED, ClassResult, Labelling
from ldznet_ext.segmenters.base import AUTO, Clock, Evidence, Segmenter
from ldznet_ext.segmenters.heads import HeadSegmenter
from ldznet_ext.segmenters.looks import native_of
from ldznet_ext.segmenters.methods import name_of, pick_segmenter
from ldznet_ext.segmenters.view import View, look

if TYPE_CHECKING:
    from ldznet_ext.masks.imaging import Picture

HEADLESS = "maskdiffusion"
"""What "auto" means here where no head fits: of the methods without one it sets names against each other best."""
MOST = np.iinfo(np.int16).max
"""Names that the map of labels can number."""


def classes(
    picture: "Picture",
    names: str | Sequence[str],
    *,
    backbone: Backbone | None = None,
    method: str | Segmenter | None = AUTO,
    keep_absent: bool = False,
    threshold: float | None = None,
    refine: bool = True,
    seed: int = 0,
    timestep: int | None = None,
    head: str | Path | None = None,
) -> Labelling:
    """Label every pixel with one of the names, or with none.

    names: a list, or one text with commas between. method: "auto" is a trained head where one fits, else MaskDiffusion; all
    label by the same rule, the likeliest map. keep_absent: let names label that the method itself calls absent. threshold: in
    (0, 1), what a pixel's map must exceed (default: the method's own; one that knows its background needs none). The rest as
    in `segment`.
    """
    request = as_request(
        as_names(names), method, threshold=threshold, refine=refine, seed=seed, timestep=timestep, exclusive=True
    )
    clock = Clock()
    with clock("encode"):
        pixels = load_picture(picture)
    backbone = backbone or default_backbone()
    segmenter = pick_labeller(method, backbone, Path(head) if head else None)
    with clock("encode"):
        view = look(pixels, backbone, native_of(segmenter, backbone))
    return label(view, request, backbone, segmenter, clock, keep_absent=keep_absent)


def pick_labeller(method: str | Segmenter | None, backbone: Backbone, head: Path | None = None) -> Segmenter:
    """The method of a name, made ready; "auto" is a trained head where one fits, else what sets names against each other."""
    chosen = pick_segmenter(method, backbone, head)
    if name_of(method) == AUTO and not isinstance(chosen, HeadSegmenter):
        return pick_segmenter(HEADLESS, backbone)
    return chosen


def as_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """The names one by one, trimmed; PhraseError for one that is empty or comes twice.

    >>> as_names("sky, tall  grass,fox")
    ('sky', 'tall grass', 'fox')
    """
    listed = as_request(names.split(",") if isinstance(names, str) else names).phrases
    trimmed = tuple(" ".join(name.split()) for name in listed)
    if len(trimmed) > MOST:
        raise PhraseError(f"There are {len(trimmed):,} names; expected at most {MOST:,}, so ask for fewer.")
    times = Counter(name.casefold() for name in trimmed)
    twice = next((name for name, count in times.items() if count > 1), None)
    if twice is not None:
        raise PhraseError(f'The name "{twice[:40]}" is given twice; expected each once, so drop one of them.')
    return trimmed


def label(
    view: View,
    request: SegmentRequest,
    backbone: Backbone,
    segmenter: Segmenter,
    clock: Clock,
    *,
    keep_absent: bool = False,
) -> Labelling:
    """The walk from a picture in view to its labels; the request's phrases are the names."""
    check_length(request.phrases, backbone, segmenter)
    unknown = {name: backbone.unknown_words(name) for name in request.phrases}
    asked = _Asked(backbone, view, request, segmenter, clock)
    known = tuple(name for name, words in unknown.items() if not words)
    evidence = asked.evidence(known)
    scores = dict(zip(known, evidence.scores.tolist(), strict=True))
    there = tuple(name for name in known if _is_there(scores[name], evidence))
    kept = known if keep_absent else there
    maps, calls = asked.among(kept, known, evidence)
    with clock("post"):
        labels = _labels(maps, [request.phrases.index(name) for name in kept], view, request)
        answers = tuple(
            _answer(name, number, labels, scores.get(name), name in there)
            for number, name in enumerate(request.phrases)
        )
    return Labelling(
        size=view.fit.original,
        method=segmenter.name,
        model=backbone.name,
        familiar=evidence.familiar,
        calibrated=evidence.calibrated,
        classes=answers,
        labels=labels,
        seconds=clock.seconds(),
        unet_calls=evidence.unet_calls + calls,
        message=" ".join((*explain(backbone, unknown, evidence), *_dropped(known, kept, evidence))),
        provenance={
            **evidence.provenance,
            "seed": request.seed,
            "family": backbone.family,
            "network_size": list(view.fit.network),
            "refined": request.refine,
            "threshold": _cut(maps, request),
            "found_threshold": evidence.found_threshold,
            "kept_absent": keep_absent,
        },
    )


@dataclass(frozen=True)
class _Asked:
    """Asking one method about one picture."""

    backbone: Backbone
    view: View
    request: SegmentRequest
    segmenter: Segmenter
    clock: Clock

    def evidence(self, names: tuple[str, ...]) -> Evidence:
        """Maps and scores of some names; without any the diffusion model is not asked."""
        if not names:
            return Evidence(logits=np.zeros((0, 1, 1), np.float32), scores=np.zeros(0, np.float32))
        request = replace(self.request, phrases=names)
        return self.segmenter.evidence(self.backbone, self.view, names, request, self.clock)

    def among(self, kept: tuple[str, ...], known: tuple[str, ...], first: Evidence) -> tuple[Evidence, int]:
        """The maps of the names that stay, and how many calls of the UNet it took to have them.

        A method whose names compete is asked again, without those that are absent: that changes the maps of the others.
        """
        if kept == known:
            return first, 0
        if first.background is not None and kept:
            again = self.evidence(kept)
            return again, again.unet_calls
        return replace(first, logits=first.logits[[known.index(name) for name in kept]], background=None), 0


def _labels(maps: Evidence, numbers: Sequence[int], view: View, request: SegmentRequest) -> np.ndarray:
    """int16 (h w): at each pixel the number whose map is the largest, UNLABELLED where none exceeds what it must.

    One map at a time is brought to the picture's size: a hundred names take no more memory than one.
    """
    size = view.fit.original
    labels = np.full(size, UNLABELLED, np.int16)
    guide = prepare(view.picture) if request.refine and len(numbers) else None
    best = np.full(size, _cut(maps, request), np.float32)
    if maps.background is not None:
        np.maximum(best, own_size(maps.background, view, guide), out=best)
    for logits, number in zip(maps.logits, numbers, strict=True):
        prob = own_size(logits, view, guide)
        better = prob > best  # never where a map is not a number
        labels[better] = number
        np.copyto(best, prob, where=better)
    return labels


def _cut(maps: Evidence, request: SegmentRequest) -> float:
    """What a map must exceed to label a pixel: where the background has a map of its own that is enough."""
    if request.threshold is not None:
        return request.threshold
    return maps.mask_threshold if maps.background is None else 0.0


def _is_there(score: float, evidence: Evidence) -> bool:
    return score >= evidence.found_threshold and evidence.familiar is not False


def _answer(name: str, number: int, labels: np.ndarray, score: float | None, there: bool) -> ClassResult:
    """What one name came to; without a score it is unknown."""
    mask = labels == number
    return ClassResult(
        name=name,
        label=number,
        status=UNKNOWN if score is None else FOUND if there else NOT_FOUND,
        score=score or 0.0,
        box=box_of(mask),
        area=int(np.count_nonzero(mask)),
    )


def _dropped(known: Sequence[str], kept: Sequence[str], evidence: Evidence) -> Iterable[str]:
    """Which names the method itself calls absent, in a sentence; an unfamiliar picture is explained already."""
    absent = [f'"{name[:40]}"' for name in known if name not in kept]
    if absent and evidence.familiar is not False:
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        yield f"Left out, as their own score calls them absent: {', '.join(absent[:5])}{more}; --keep-absent lets them label."
