"""Where words are in a picture by a UNet's attention to them, from queries that were kept: one map a group of tokens.

The tokens of all groups compete for each cell; start, end and the words between groups do not take part, so how many texts
the groups had to be spread over does not matter.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ldznet_ext.geometry import Size
from ldznet_ext.harvest.attention import Layer
from ldznet_ext.segmenters.crossattention import heat
from ldznet_ext.segmenters.prototypes import Values, mean_map
from ldznet_ext.segmenters.tokens import Span
from ldznet_ext.shapes import Float

Group = Sequence[Span]
"""The positions of one phrase, in all its pieces."""


def word_maps(
    layers: Sequence[Layer],
    queries: Mapping[str, Float[Tensor, "c h w"]],
    states: Float[Tensor, "rows tokens d"],
    groups: Sequence[Group],
    size: Size,
    values: Values = "softmax",
) -> Float[Tensor, "groups H W"]:
    """One map a group, the mean over its tokens, all heads and all layers, on one grid.

    queries: by tap, on the layer's own grid. With `softmax` the maps are shares of attention in 0..1.
    """
    places = [(span.row, at) for group in groups for span in group for at in range(span.start, span.stop)]
    rows, columns = (list(numbers) for numbers in zip(*places, strict=True))
    maps = []
    for layer in layers:
        keys = layer.keys(states)[rows, :, columns].movedim(0, 1)  # heads tokens d
        query = queries[layer.q]
        split = query.flatten(1).unflatten(0, (layer.heads, -1)).transpose(1, 2)  # heads cells d
        maps.append(heat(split, keys, values).unflatten(-1, tuple(query.shape[1:])).movedim(1, -1))
    counts = [sum(span.stop - span.start for span in group) for group in groups]
    return torch.stack([tokens.mean(dim=0) for tokens in mean_map(maps, size).split(counts)])
