"""What a trained head must know of itself: how sure it is, where to cut its maps, and which pictures it is at home in.

Everything is measured on val scenes, on cut-outs of them that are not square, and on pictures that Sticker-SD paints.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.segmenters.familiarity import Familiarity, fit_familiarity, pool_features
from ldznet_ext.segmenters.presence import presence_stats, sigmoid
from ldznet_ext.train.latents import encode, pixels_of
from ldznet_ext.train.phrased import PhrasedScenes
from ldznet_ext.train.val import EACH, Case, fit_scores, ious_at, val_cases
from ldznet_ext.weights import HeadInfo

if TYPE_CHECKING:
    from ldznet_ext.train.head import HeadTask

TIMESTEP = 400
COMPONENTS = 140
"""Directions in which familiar pictures are known: noise differs from them where they differ little among themselves."""


@torch.inference_mode()
def calibrate(task: "HeadTask", info: HeadInfo, *, scenes: int, paintings: int) -> tuple[HeadInfo, Familiarity | None]:
    """Fill in calibration, found-threshold (95 % recall) and mask-threshold; fit familiarity where there are features."""
    stats, present, pooled, overlaps = [], [], [], []
    cases = val_cases(scenes, seed=task.recipe.seed, native=task.head.preset.native, styles=task.styles)
    for index, case in enumerate(cases):
        logits, features, latent = _answer(task, case, index)
        there = case.masks.flatten(1).any(1).numpy()
        stats.append(presence_stats(logits))
        present.append(there)
        overlaps += [ious_at(prob, mask) for prob, mask in zip(sigmoid(logits[there]), case.masks[there], strict=True)]
        if features and latent is not None:
            asked = index % EACH + 1  # people ask for one thing as often as for several
            pooled.append(pool_features({tap: f[:asked] for tap, f in features.items()}, task.head.taps, latent))
    info = replace(info, **fit_scores(stats, present, overlaps))
    if not pooled:
        return info, None
    return info, fit_familiarity(np.stack([*pooled, *_painted(task, paintings)]), components=COMPONENTS)


def _answer(task: "HeadTask", case: Case, index: int) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None]:
    """Logits (4 h w), the features and the latent (1 c h w) they came from, as far as the head reads them.

    Features are those of the phrases, or those of the caption as a generation leaves them, in turn.
    """
    device = next(task.head.parameters()).device
    context = task.encode_text(case.phrases, device)
    if task.head.reads == "pixels":
        return task.head(case.pixels.to(device), context)[:, 0].float().cpu().numpy(), {}, None
    latent = encode(task.vae, case.pixels).to(device)
    kept = latent.cpu().numpy()
    if not task.head.taps:
        return task.head(latent, context)[:, 0].float().cpu().numpy(), {}, kept
    texts = case.phrases if index % 2 else [case.caption] * EACH
    features = _features(task, latent, texts, index)
    logits = task.head(latent, context, features)[:, 0].float().cpu().numpy()
    return logits, {tap: feature.cpu().numpy() for tap, feature in features.items()}, kept


def _features(task: "HeadTask", latent: Tensor, texts: list[str], seed: int) -> dict[str, Tensor]:
    count = len(texts)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed)).expand(count, -1, -1, -1)
    return task.features(latent.expand(count, -1, -1, -1), texts, torch.full((count,), TIMESTEP), noise)


def _painted(task: "HeadTask", count: int) -> Iterator[np.ndarray]:
    """Pooled features of pictures the diffusion model paints: under the whole caption, and under a phrase, in turn."""
    native = task.head.preset.native
    data = PhrasedScenes(seed=task.recipe.seed + 1, size=native, styles=task.styles, each=1, split="val")
    for start in range(0, count, 8):
        items = [data[index] for index in range(start, min(count, start + 8))]
        pictures = task.painter.sample([item["caption"] for item in items], size=native, seed=start)
        for index, (item, picture) in enumerate(zip(items, pictures, strict=True)):
            latent = encode(task.vae, pixels_of(picture)[None]).to(next(task.head.parameters()).device)
            text = item["caption"] if index % 2 else item["phrases"][0]
            features = _features(task, latent, [text], start + index)
            arrays = {tap: feature.cpu().numpy() for tap, feature in features.items()}
            yield pool_features(arrays, task.head.taps, latent.cpu().numpy())
