"""One Segmentation out: what `pipeline.segment` found, at the picture's own size."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ldznet_ext.geometry import Box, Size

if TYPE_CHECKING:
    import numpy as np

FOUND = "found"
NOT_FOUND = "not found"
UNKNOWN = "unknown word"
UNLABELLED = -1
"""The label of a pixel that belongs to none of the names."""


@dataclass(frozen=True, kw_only=True)
class PhraseResult:
    """The answer to one text: a phrase, or an expression of them such as "fox & !tail".

    `score` is the calibrated probability (0..1) that the phrase is in the picture, `prob` its float32 (h w) map in
    0..1, `box` and `area` those of its mask in picture pixels (None and 0 when the mask is empty). `terms`: the answers of an
    expression's phrases, each once, in the order written; empty for a bare phrase. An expression has the status UNKNOWN if any
    of its phrases has; its score is the least of a conjunction, the greatest of a disjunction, 1 of a negation; it is FOUND
    where the phrases that are found are enough for it, and on an unfamiliar picture never. Phrases not found count as 0 in it.
    """

    text: str
    status: str
    score: float
    prob: "np.ndarray"
    box: Box | None
    area: int
    terms: "tuple[PhraseResult, ...]" = ()


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """The result of one call over one picture.

    `prob` (float32 h w, 0..1) and `mask` (bool h w) are the union (maximum) over the phrases; a phrase that is not found,
    or unknown, or on an unfamiliar picture, keeps its `prob` but adds nothing to `mask`. `familiar` is None where the
    head ships no statistics. `seconds` has encode, text, unet, head, post, total; `unet_calls` counts the diffusion
    UNet's calls, not the head's. `message` says in a sentence what a person should know, or is empty.
    """

    size: Size
    method: str
    model: str
    familiar: bool | None
    calibrated: bool = True
    phrases: tuple[PhraseResult, ...]
    prob: "np.ndarray"
    mask: "np.ndarray"
    seconds: dict[str, float]
    unet_calls: int
    message: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """One name's answer when every pixel of a picture was labelled.

    `label` is its number in the map of labels: its place among the names given. `score` (0..1) is that of its presence, `box`
    and `area` are of the pixels that bear its label (None and 0 where there are none).
    """

    name: str
    label: int
    status: str
    score: float
    box: Box | None
    area: int


@dataclass(frozen=True, kw_only=True)
class Labelling:
    """Every pixel of a picture with the name it belongs to.

    `labels` (int16 h w) holds each pixel's label, -1 where no name fits. A name that is not found, or unknown, or on an
    unfamiliar picture labels nothing, unless absent ones were to be kept. The rest is as in `Segmentation`.
    """

    size: Size
    method: str
    model: str
    familiar: bool | None
    calibrated: bool = True
    classes: tuple[ClassResult, ...]
    labels: "np.ndarray"
    seconds: dict[str, float]
    unet_calls: int
    message: str = ""
    provenance: dict[str, Any] = field(default_factory=dict)
