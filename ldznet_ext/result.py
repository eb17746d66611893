"""One Segmentation out: what `pipeline.segment` found, at the picture's own size."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ldznet_ext.geometry import Box, Size

if TYPE_CHECKING:
    import numpy as np

FOUND = "found"
NOT_FOUND = "not found"
UNKNOWN = "unknown word"


@dataclass(frozen=True, kw_only=True)
class PhraseResult:
    """One phrase's answer.

    `score` is the calibrated probability (0..1) that the phrase is in the picture, `prob` its float32 (h w) map in
    0..1, `box` and `area` those of its mask in picture pixels (None and 0 when the mask is empty).
    """

    text: str
    status: str
    score: float
    prob: "np.ndarray"
    box: Box | None
    area: int


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
