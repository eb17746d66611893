"""What a diffusion model leaves of a picture before any name is asked for: features and queries of one pass.

A large picture is also looked at through windows: its features are theirs, blended, its queries those of the whole, as a
name's place wants the whole in view and a feature the detail. A generation leaves both of its own accord.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.caches import digest
from ldznet_ext.geometry import Box, Size
from ldznet_ext.harvest.attention import Layer, grid_of
from ldznet_ext.harvest.taps import sort_taps
from ldznet_ext.masks.imaging import Fit, stretch, to_network
from ldznet_ext.segmenters.prototypes import fault_of, joined, unit
from ldznet_ext.segmenters.view import View, features_of
from ldznet_ext.segmenters.windows import blend, canvas_size, in_cells, lay
from ldznet_ext.shapes import Float

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

MOST_CELLS = 8192
"""Of the grid that features are compared on: SD 1.x has 4,480 channels at two levels, 18 kB a cell."""


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """features: (d h w) joined over levels, each of unit length. queries: (c h w) by tap, of the whole picture.

    calls: of the UNet that it took. windows: how many the features are of. timestep: of the pass. given: whether that was a
    generation's own.
    """

    features: Float[Tensor, "d h w"]
    queries: Mapping[str, Float[Tensor, "c h w"]]
    calls: int
    windows: int
    timestep: int
    given: bool = False

    @property
    def size(self) -> Size:
        """The grid that features and maps share."""
        return Size(*self.features.shape[-2:])

    @property
    def fault(self) -> str:
        """Why nothing can be told from these features, in words; empty where something can."""
        if not all(bool(torch.isfinite(each).all()) for each in self.queries.values()):
            return "hold values that are not numbers"
        return fault_of(self.features)


def scenery_of(
    backbone: "Backbone",
    view: View,
    taps: tuple[str, ...],
    layers: Sequence[Layer],
    *,
    timestep: int,
    seed: int,
    text: str = "",
    largest: float = 2.0,
) -> Scenery:
    """Features at `taps` and queries of `layers` of a picture at `timestep`, the UNet conditioned on `text`.

    largest: how many times the native side a large picture may be looked at, through windows; 1 for the whole alone. What a
    generation left is taken where it has all that is needed; otherwise the picture is passed through the UNet.
    """
    wanted = sort_taps((*taps, *(layer.q for layer in layers)))
    left = view.given_features or {}
    given = all(tap in left for tap in wanted)
    if given:
        read, calls, timestep = left, 0, view.given_timestep or 0
    else:
        read, calls = features_of(backbone, view, (text,), wanted, timestep=timestep, seed=seed)
    cells = Size(*view.latent(backbone).shape[-2:])
    queries = {layer.q: _on_grid(read[layer.q][0], cells, layer.stride) for layer in layers}
    levels = [read[tap][0] for tap in taps]
    canvas, boxes = _windows(backbone, view, largest)
    if len(boxes) > 1:
        factor = view.fit.network.height // cells.height
        pieces, more = _through(backbone, view, canvas, boxes, taps, text, timestep, seed)
        levels = [_blended([piece[tap][0] for piece in pieces], boxes, canvas) for tap in taps]
        cells, calls = Size(canvas.height // factor, canvas.width // factor), calls + more
    return Scenery(
        features=joined(levels, _grid(cells)),
        queries=queries,
        calls=calls,
        windows=len(boxes),
        timestep=timestep,
        given=given,
    )


def _windows(backbone: "Backbone", view: View, largest: float) -> tuple[Size, tuple[Box, ...]]:
    """The size at which features are read, and its windows; a generated picture is one, at the size it was painted at."""
    if view.given_latent is not None:
        size = view.fit.network
        return size, (Box(0, 0, size.width, size.height),)
    canvas = canvas_size(view.fit.original, backbone.native, largest)
    return canvas, lay(canvas, backbone.native)


def _through(
    backbone: "Backbone",
    view: View,
    canvas: Size,
    boxes: Sequence[Box],
    taps: tuple[str, ...],
    text: str,
    timestep: int,
    seed: int,
) -> tuple[list[Mapping[str, Tensor]], int]:
    """Features of every window by tap, one window after the other, and the calls that took."""
    picture = stretch(view.picture, canvas)
    pieces, calls = [], 0
    for box in boxes:
        part = np.ascontiguousarray(picture[box.slices])
        pixels = to_network(part, Fit(box.size, box.size))
        window = View(picture=part, fit=Fit(box.size, box.size), pixels=pixels, picture_digest=digest(pixels))
        read, one = features_of(backbone, window, (text,), sort_taps(taps), timestep=timestep, seed=seed)
        pieces.append(read)
        calls += one
    return pieces, calls


def _blended(pieces: Sequence[Float[Tensor, "c h w"]], boxes: Sequence[Box], canvas: Size) -> Float[Tensor, "c H W"]:
    """One level's windows as one map."""
    stride = boxes[0].size.height // pieces[0].shape[-2]
    size = Size(canvas.height // stride, canvas.width // stride)
    return blend([unit(piece) for piece in pieces], [in_cells(box, stride) for box in boxes], size)


def _grid(cells: Size) -> Size:
    """The latent's own grid, or half of it as often as it takes to keep memory bounded."""
    while cells.area > MOST_CELLS:
        cells = cells.scaled(0.5)
    return cells


def _on_grid(cells: Float[Tensor, "n c"], latent: Size, stride: int) -> Float[Tensor, "c h w"]:
    return cells.T.unflatten(1, tuple(grid_of(latent, stride, cells.shape[0])))
