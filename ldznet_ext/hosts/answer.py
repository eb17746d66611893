"""A mask of a picture made here, from what its generation left where that serves, else by a pass of our own.

Always called with the model at hand (`Host.inside` or `Host.job`).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldznet_ext.caches import digest
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.sampling import Kept
from ldznet_ext.harvest.taps import parse_tap
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.hosts.memory import Made, unet_key
from ldznet_ext.masks.imaging import Fit, to_network
from ldznet_ext.pipeline import as_request, find
from ldznet_ext.prompt.tree import Tree
from ldznet_ext.request import LOOKED, MaskSettings
from ldznet_ext.result import Segmentation
from ldznet_ext.segmenters.base import Clock, Segmenter
from ldznet_ext.segmenters.looks import native_of
from ldznet_ext.segmenters.methods import foresee, pick_segmenter
from ldznet_ext.segmenters.view import View, look

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

REACH = 100
"""How far from a timestep that a person asks for a kept call may be."""


def wanted_for(settings: MaskSettings, backbone: "Backbone") -> Wanted:
    """What these settings would have kept of a generation; a head's file is asked, and not loaded beside the sampling."""
    return _near(foresee(settings.method, backbone), settings)


def reads_attentions(wanted: Wanted) -> bool:
    """Whether queries are kept, which are asked by keys of the UNet's own layers."""
    return any(parse_tap(tap).part.startswith("attn") for tap in wanted.taps)


def serves(made: Made, wanted: Wanted, size: Size, backbone: "Backbone") -> bool:
    """Whether what a generation left of a picture of this size is what is wanted, of the checkpoint that is loaded."""
    if made.box is not None and made.box.size != size:
        return False  # the model saw a part of it
    return made.model == unet_key(backbone) and _has(made, wanted)


def answer(
    picture: np.ndarray,
    phrases: str | Sequence[str | Tree],
    settings: MaskSettings,
    backbone: "Backbone",
    made: Made | None = None,
    *,
    head: Path | None = None,
) -> Segmentation:
    """Find what the phrases name in a picture, uint8 (h w 3); `made`: what its generation left.

    With features of the right kind and the checkpoint that painted it no pass is made: `unet_calls` is 0.
    """
    segmenter = pick_segmenter(settings.method, backbone, head)
    asked = {name: getattr(settings, name) for name in LOOKED}
    request = as_request(phrases, settings.method, **asked)
    clock = Clock()
    with clock("encode"):
        view = look_at(picture, made, segmenter, settings, backbone)
    return find(view, request, backbone, segmenter, clock)


def look_at(
    picture: np.ndarray, made: Made | None, segmenter: Segmenter, settings: MaskSettings, backbone: "Backbone"
) -> View:
    """A picture in front of a method: with what its generation left where that serves, else as any other."""
    view = None if made is None else _view_of(picture, made, segmenter, settings, backbone)
    return look(picture, backbone, native_of(segmenter, backbone)) if view is None else view


def _wanted(segmenter: Segmenter, settings: MaskSettings, backbone: "Backbone") -> Wanted:
    return _near(segmenter.wanted(backbone) if hasattr(segmenter, "wanted") else Wanted(taps=()), settings)


def _near(wanted: Wanted, settings: MaskSettings) -> Wanted:
    """The same near the timestep that a person asks for; nothing where each look makes a pass of its own."""
    if settings.average > 1 or settings.parity:
        return Wanted(taps=())
    if wanted.near is None or settings.timestep is None:
        return wanted
    near = float(settings.timestep)
    return replace(wanted, near=near, accept=(near - REACH, near + REACH))


def _view_of(
    picture: np.ndarray, made: Made, segmenter: Segmenter, settings: MaskSettings, backbone: "Backbone"
) -> View | None:
    """The picture with what its generation left; None where that does not serve this method."""
    wanted, size = _wanted(segmenter, settings, backbone), Size(*picture.shape[:2])
    if not serves(made, wanted, size, backbone) or not _takes(segmenter, made.grid):
        return None
    factor = getattr(backbone, "factor", 8)
    fitted = Fit(size, Size(made.grid.height * factor, made.grid.width * factor))
    pixels = to_network(picture, fitted)
    return View(
        picture=picture,
        fit=fitted,
        pixels=pixels,
        given_latent=None if made.latent is None else made.latent.to(device=backbone.device, dtype=backbone.dtype),
        given=tuple(_at_hand(kept, wanted, backbone) for kept in made.kept),
        picture_digest=digest(pixels),
    )


def _has(made: Made, wanted: Wanted) -> bool:
    """Whether the calls kept are those that are wanted; without taps the latent is all that is."""
    if not wanted.taps:
        return made.latent is not None
    if not made.kept or any(tap not in kept.features for tap in wanted.taps for kept in made.kept):
        return False
    low, high = wanted.accept
    return wanted.near is None or low <= made.kept[-1].timestep <= high


def _takes(segmenter: Segmenter, grid: Size) -> bool:
    """Whether the method can look at a latent of this size: our networks halve it three times without a remainder."""
    multiple = getattr(getattr(getattr(segmenter, "head", None), "config", None), "multiple", 1)
    return not grid.height % multiple and not grid.width % multiple


def _at_hand(kept: Kept, wanted: Wanted, backbone: "Backbone") -> Kept:
    """The call on the model's device; a head reads its type, many steps stay as narrow as they were kept."""
    kind: dict[str, Any] = {"device": backbone.device}
    if wanted.near is not None:
        kind["dtype"] = backbone.dtype
    features = {tap: kept.features[tap].to(**kind) for tap in wanted.taps}
    return replace(kept, features=features)
