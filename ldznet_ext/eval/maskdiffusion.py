"""MaskDiffusion's ablations repeated in small: timestep, levels, what of the attention, cosine or dot, and the upper bound.

The upper bound is the paper's own: prototypes from the true masks (35.0 where attention reaches 17.1 on Cityscapes, 39.8 to
13.0 on COCO-Stuff-27). It tells what the features know from what the attention finds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.backbone import Backbone
from ldznet_ext.classes import classes
from ldznet_ext.eval.classes import Named, evaluate_classes, miou
from ldznet_ext.eval.plan import AS_SET
from ldznet_ext.request import SegmentRequest
from ldznet_ext.result import UNLABELLED, Labelling
from ldznet_ext.segmenters.maskdiffusion import MaskDiffusionSegmenter
from ldznet_ext.segmenters.maskdiffusion_settings import MASKDIFFUSION, MaskDiffusionSettings
from ldznet_ext.segmenters.prototypes import likeness, prototypes, to_grid
from ldznet_ext.segmenters.settings import for_family
from ldznet_ext.segmenters.view import look

UPPER_BOUND = "prototypes from the true masks"
TIMESTEPS = (1, 10, 100, 500)
FEATURES: Mapping[str, tuple[str, ...]] = {
    "8+4": ("out.2.res.in", "out.5.res.in"),
    "4+2": ("out.5.res.in", "out.8.res.in"),
    "4+2+1": ("out.5.res.in", "out.8.res.in", "out.11.res.in"),
}
MAPS: Mapping[str, tuple[str, ...]] = {
    "8+4": ("in.7", "in.8", "mid", "out.3", "out.4", "out.5"),
    "4+2": ("in.4", "in.5", "in.7", "in.8", "out.3", "out.4", "out.5", "out.6", "out.7", "out.8"),
    "8+4+2": ("in.4", "in.5", "in.7", "in.8", "mid", "out.3", "out.4", "out.5", "out.6", "out.7", "out.8"),
}
"""Levels by their strides, of the four that SD 1.x, 2.x and Sticker-SD have."""


def variants(base: MaskDiffusionSettings) -> dict[str, MaskDiffusionSettings]:
    """The settings as they are, and with one thing changed at a time."""
    changed = {f"t = {timestep}": replace(base, timestep=timestep) for timestep in TIMESTEPS}
    changed |= {f"features of {levels}": replace(base, features=taps) for levels, taps in FEATURES.items()}
    changed |= {f"maps of {levels}": replace(base, places=places) for levels, places in MAPS.items()}
    changed |= {f"{values} of attention": replace(base, values=values) for values in ("softmax", "exp", "raw")}
    changed |= {f"{measure}": replace(base, measure=measure) for measure in ("cosine", "dot")}
    return {AS_SET: base, **{name: settings for name, settings in changed.items() if settings != base}}


def ablate(backbone: Backbone, pictures: Sequence[Named]) -> Iterator[tuple[str, dict[str, object]]]:
    """Name and scores of every variant, all names kept; last the upper bound."""
    for name, trial in trials(backbone).items():
        yield name, trial(pictures)


def trials(backbone: Backbone) -> dict[str, Callable[[Sequence[Named]], dict[str, object]]]:
    """Every variant by its name, ready to score pictures."""
    base = for_family(MASKDIFFUSION, backbone.family)
    each = {name: partial(evaluate_classes, label=_labeller(backbone, s)) for name, s in variants(base).items()}
    return {**each, UPPER_BOUND: partial(upper_bound, backbone, settings=base)}


def upper_bound(backbone: Backbone, pictures: Sequence[Named], settings: MaskDiffusionSettings) -> dict[str, object]:
    """mIoU where each name's prototype, and the rest's, is the mean feature of its true mask."""
    each = [miou(_told(backbone, one, settings), one.truth) for one in pictures]
    scored = [score for score in each if score is not None]
    return {"n": len(scored), "miou": float(np.mean(scored)) if scored else None, "each": scored}


def _labeller(backbone: Backbone, settings: MaskDiffusionSettings):
    method = MaskDiffusionSegmenter(settings)

    def label(picture: np.ndarray, names: Sequence[str]) -> Labelling:
        return classes(picture, names, backbone=backbone, method=method, keep_absent=True)

    return label


@torch.inference_mode()
def _told(backbone: Backbone, one: Named, settings: MaskDiffusionSettings) -> np.ndarray:
    """Labels (int h w) by the prototypes of the true masks, edges as the features have them."""
    method, view = MaskDiffusionSegmenter(settings), look(one.picture, backbone)
    reading, _ = method.read(backbone, view, SegmentRequest(phrases=one.names))
    features = reading.scenery.features
    places = [UNLABELLED, *one.present] if (one.truth == UNLABELLED).any() else list(one.present)
    masks = torch.stack([_shrunk(one.truth == place, features) for place in places])
    likes = likeness(features, prototypes(features, masks), settings.measure)
    return np.array(places)[to_grid(likes, view.fit.original).argmax(dim=0).cpu().numpy()]


def _shrunk(mask: np.ndarray, like: Tensor) -> Tensor:
    """How much of each cell a mask covers, 0..1."""
    whole = torch.from_numpy(mask)[None].float()
    return torch.nn.functional.adaptive_avg_pool2d(whole, like.shape[-2:])[0].to(like.device)
