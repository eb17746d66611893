"""A picture from words and a mask from other words, in one run: the features are those the generation computed anyway."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ldznet_ext.backbone import Backbone, default_backbone
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.sampling import Kept, second_half
from ldznet_ext.harvest.wanted import Wanted, harvest_wanted
from ldznet_ext.masks.imaging import Fit
from ldznet_ext.pipeline import as_request, check_words, find, trees_of
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

    What the method wants of the steps is read as they pass (a head: the one nearest t = 400), conditional rows only, and serves
    for all words; the final latent stands for the picture: `unet_calls` of the result is 0. Where no step is near enough one
    extra pass is made, which `unet_calls` counts and `message` says. seed: of the painting. size: multiples of 64, by default
    the model's own.
    """
    request = as_request(words, method, threshold=threshold, refine=refine, seed=seed)
    sampling = Sampling(steps=steps, guidance=guidance, negative=negative, size=None if size is None else as_size(size))
    check_prompt(prompt)
    trees_of(request.phrases, method)  # refuses what cannot be read before anything is loaded
    backbone = backbone or default_backbone()
    segmenter = pick_segmenter(method, backbone, Path(head) if head else None)
    check_words(request.phrases, backbone, segmenter)
    wanted = segmenter.wanted(backbone) if hasattr(segmenter, "wanted") else Wanted()
    made = paint_keeping(prompt, wanted, backbone, seed=seed, sampling=sampling, progress=progress)
    result = find(view_of(made.picture, made.latent, made.kept), request, backbone, segmenter, Clock())
    origin = {
        "prompt": prompt,
        "steps": steps,
        "generation_unet_calls": made.unet_calls,
        "generation_seconds": made.seconds,
    }
    return Image.fromarray(made.picture), _with_origin(result, origin, wanted)


@dataclass(frozen=True, kw_only=True, eq=False)
class Painting:
    """A picture, uint8 (h w 3), and what its painting left: the final scaled latent (1 c lh lw), and the calls that were kept."""

    picture: np.ndarray
    latent: Tensor
    kept: tuple[Kept, ...]
    unet_calls: int
    seconds: float


def paint_keeping(
    prompt: str, wanted: Wanted, backbone: Backbone, *, seed: int, sampling: Sampling, progress: Progress | None = None
) -> Painting:
    """Paint `prompt` and keep what is wanted of the steps; nothing extra is computed."""
    clock, rows = Clock(), second_half if sampling.guided else None
    with backbone.lock, harvest_wanted(backbone.unet, wanted, steps=sampling.steps, rows=rows) as given:
        calls = backbone.unet_calls
        latent = backbone.generate([prompt], [seed], sampling, progress=progress)
        painting = backbone.unet_calls - calls
    picture = to_picture(backbone.decode(latent))[0]
    return Painting(
        picture=picture, latent=latent, kept=given.kept, unet_calls=painting, seconds=clock.seconds()["total"]
    )


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


def view_of(picture: np.ndarray, latent: Tensor, given: tuple[Kept, ...]) -> View:
    """A generated picture in view: its latent is at hand, and its features where a step was kept."""
    size = Size(*picture.shape[:2])
    return View(
        picture=picture,
        fit=Fit(size, size),
        pixels=np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32) / 127.5 - 1.0,
        given_latent=latent,
        given=given,
    )


def _with_origin(result: Segmentation, origin: Mapping[str, object], wanted: Wanted) -> Segmentation:
    """Say where the features came from, and count the painting's own calls apart."""
    extra = ""
    if result.unet_calls and wanted.taps:
        low, high = wanted.accept
        extra = (
            f"No sampling step fell between t = {low:g} and {high:g}: {result.unet_calls} extra "
            f"pass{'es' * (result.unet_calls > 1)} of the diffusion model {'were' if result.unet_calls > 1 else 'was'} made."
        )
    message = " ".join(part for part in (result.message, extra) if part)
    counted = {**origin, "extra_unet_calls": result.unet_calls}
    return replace(result, message=message, provenance={**result.provenance, **counted})
