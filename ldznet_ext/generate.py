"""A picture from words and a mask from other words, in one run: the features are those the generation computed anyway."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ldznet_ext.backbone import Backbone, default_backbone
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.sampling import Kept, harvest_nearest, second_half
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.masks.imaging import Fit
from ldznet_ext.pipeline import as_request, check_length, find
from ldznet_ext.result import Segmentation
from ldznet_ext.sampling import DEFAULT_GUIDANCE, DEFAULT_STEPS, Progress, Sampling, as_size
from ldznet_ext.segmenters.base import Clock, Segmenter
from ldznet_ext.segmenters.methods import pick_segmenter
from ldznet_ext.segmenters.view import View
from ldznet_ext.shapes import Float
from ldznet_ext.words import check_prompt


def generate_and_segment(
    prompt: str,
    words: str | Sequence[str],
    *,
    backbone: Backbone | None = None,
    seed: int = 0,
    steps: int = DEFAULT_STEPS,
    guidance: float = DEFAULT_GUIDANCE,
    negative: str = "",
    size: Size | tuple[int, int] | None = None,
    method: "str | Segmenter | None" = "auto",
    threshold: float | None = None,
    refine: bool = True,
    head: str | Path | None = None,
    progress: Progress | None = None,
) -> tuple[Image.Image, Segmentation]:
    """Paint `prompt` and find `words` in it.

    The conditional rows of the sampling step nearest t = 400 serve as features for all words, and the final latent stands
    for the picture: `unet_calls` of the result is 0. Where no step falls into 200-600 one extra pass is made, which
    `unet_calls` counts and `message` says. seed: of the painting. size: multiples of 64, by default the model's own.
    """
    request = as_request(words, method, threshold=threshold, refine=refine, seed=seed)
    sampling = Sampling(steps=steps, guidance=guidance, negative=negative, size=None if size is None else as_size(size))
    check_prompt(prompt)
    backbone = backbone or default_backbone()
    check_length(request.phrases, backbone)
    segmenter = pick_segmenter(method, backbone, Path(head) if head else None)
    clock, rows = Clock(), second_half if sampling.guided else None
    with backbone.lock, harvest_nearest(backbone.unet, _taps(segmenter), rows=rows) as watcher:
        calls = backbone.unet_calls
        latent = backbone.generate([prompt], [seed], sampling, progress=progress)
        painting = backbone.unet_calls - calls
    picture = to_picture(backbone.decode(latent))[0]
    seconds = clock.seconds()["total"]
    result = find(view_of(picture, latent, watcher.kept), request, backbone, segmenter, Clock())
    return Image.fromarray(picture), _with_origin(result, prompt, steps, painting, seconds)


def paint(
    prompt: str,
    *,
    backbone: Backbone | None = None,
    seed: int = 0,
    steps: int = DEFAULT_STEPS,
    guidance: float = DEFAULT_GUIDANCE,
    negative: str = "",
    size: Size | tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> Image.Image:
    """Paint `prompt` without looking for anything."""
    check_prompt(prompt)
    backbone = backbone or default_backbone()
    sampling = Sampling(steps=steps, guidance=guidance, negative=negative, size=None if size is None else as_size(size))
    latent = backbone.generate([prompt], [seed], sampling, progress=progress)
    return Image.fromarray(to_picture(backbone.decode(latent))[0])


def to_picture(pixels: Float[Tensor, "b 3 h w"]) -> np.ndarray:
    """Float pixels in [-1, 1] to uint8 (b h w 3)."""
    scaled = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).cpu().numpy())


def view_of(picture: np.ndarray, latent: Tensor, kept: Kept | None) -> View:
    """A generated picture in view: its latent is at hand, and its features where a step came near enough."""
    size = Size(*picture.shape[:2])
    return View(
        picture=picture,
        fit=Fit(size, size),
        pixels=np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / 127.5 - 1.0,
        given_latent=latent,
        given_features=kept.features if kept is not None and kept.features else None,
        given_timestep=None if kept is None else round(kept.timestep),
    )


def _taps(segmenter: Segmenter) -> tuple[str, ...]:
    """The taps to watch: the head's; a method that reads none still costs nothing."""
    info = getattr(segmenter, "info", None)
    return LDZNET_TAPS if info is None else info.taps


def _with_origin(result: Segmentation, prompt: str, steps: int, painting: int, seconds: float) -> Segmentation:
    """Say where the features came from, and count the painting's own calls apart."""
    provenance: Mapping[str, object] = {
        "prompt": prompt,
        "steps": steps,
        "generation_unet_calls": painting,
        "generation_seconds": seconds,
        "extra_unet_calls": result.unet_calls,
    }
    extra = ""
    if result.unet_calls:
        extra = f"No sampling step fell between t = 200 and 600: {result.unet_calls} extra pass of the diffusion model was made."
    message = " ".join(part for part in (result.message, extra) if part)
    return replace(result, message=message, provenance={**result.provenance, **provenance})
