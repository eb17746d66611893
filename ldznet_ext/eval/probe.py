"""Which transformer and which timestep know where a word is: how well each one's attention to it ranks a scene's cells.

The ablation behind a family's settings, in small: 0.5 is chance. Two questions are kept apart, for a model may tell things
from grounds without telling one thing from another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ldznet_ext.backbone import Backbone
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.attention import Layer, find_layers, grid_of, split_heads
from ldznet_ext.segmenters.crossattention import Queries, token_maps
from ldznet_ext.segmenters.prototypes import Values, to_grid
from ldznet_ext.segmenters.tokens import Template, compose, mean_over
from ldznet_ext.segmenters.view import View, features_of, look
from ldznet_ext.world.phrases import OBJECT, phrases
from ldznet_ext.world.scenes import scene


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one transformer knows at one timestep.

    ground, things: the chance that a cell of an object is given more of the attention to its name than a cell without any
    object, and than a cell of another object; None where no scene could tell.
    """

    place: str
    stride: int
    timestep: int
    values: Values
    ground: float | None
    things: float | None


@dataclass(frozen=True, eq=False)
class Case:
    """A scene in view, and the masks (h w, on the latent's grid) of its objects by name."""

    view: View
    masks: dict[str, Tensor]


def probe(
    backbone: Backbone,
    cases: Sequence[Case],
    timesteps: Sequence[int],
    *,
    template: Template | None = None,
    values: Sequence[Values] = ("softmax",),
    context: str = "",
) -> Iterator[Finding]:
    """Findings of every transformer at every timestep; one pass of the UNet a scene and timestep."""
    layers = find_layers(backbone.unet, "attn2", every=False)
    for timestep in timesteps:
        maps = [_maps(backbone, case, layers, timestep, template or Template(), values, context) for case in cases]
        for number, layer in enumerate(layers):
            for kind in values:
                answers = [_answers(found[kind][number], case.masks) for found, case in zip(maps, cases, strict=True)]
                ground, things = (_mean([each[part] for each in answers]) for part in (0, 1))
                yield Finding(
                    place=layer.place, stride=layer.stride, timestep=timestep, values=kind, ground=ground, things=things
                )


def val_cases(backbone: Backbone, count: int, styles: tuple[str, ...], seed: int = 0) -> list[Case]:
    """Val scenes of Sticker World at the model's native size."""
    found = []
    for index in range(count):
        painted = scene(seed, index, split="val", styles=styles, size=backbone.native.height)
        view = look(painted.picture, backbone)
        size = Size(*view.latent(backbone).shape[-2:])
        named = {each.text: each.mask for each in phrases(painted) if each.kind == OBJECT and each.mask is not None}
        masks = {name: to_grid(torch.from_numpy(mask)[None].float(), size)[0] > 0.5 for name, mask in named.items()}
        found.append(Case(view, {name: mask for name, mask in masks.items() if mask.any()}))
    return found


@torch.inference_mode()
def _maps(
    backbone: Backbone,
    case: Case,
    layers: Sequence[Layer],
    timestep: int,
    template: Template,
    values: Sequence[Values],
    context: str,
) -> dict[Values, list[Tensor]]:
    """Maps (p h w) of the scene's objects, for every layer, each name in a text of its own."""
    prompt = compose(backbone.token_ids, list(case.masks), template, together=False)
    states = backbone.text(prompt.texts)
    taps = tuple(layer.q for layer in layers)
    features, _ = features_of(backbone, case.view, (context,), taps, timestep=timestep, seed=0)
    latent = Size(*case.view.latent(backbone).shape[-2:])
    found: dict[Values, list[Tensor]] = {kind: [] for kind in values}
    for layer in layers:
        q = split_heads(features[layer.q], layer.heads)
        queries = Queries(q, grid_of(latent, layer.stride, q.shape[-2]), layer.stride)
        for kind in values:
            tokens = token_maps(queries, layer.keys(states), kind)
            maps = mean_over(tokens.flatten(2), prompt.phrases).unflatten(-1, tuple(queries.size))
            found[kind].append(to_grid(maps, latent))
    return found


def _answers(maps: Tensor, masks: dict[str, Tensor]) -> tuple[list[float], list[float]]:
    """(object against no object, object against other objects) of every name of a scene."""
    anything = torch.stack(list(masks.values())).any(dim=0)
    ground, things = [], []
    for found, (name, mask) in zip(maps, masks.items(), strict=True):
        others = torch.stack([other for key, other in masks.items() if key != name] or [torch.zeros_like(mask)])
        ground += ranked(found[mask], found[~anything])
        things += ranked(found[mask], found[others.any(dim=0) & ~mask])
    return ground, things


def ranked(inside: Tensor, outside: Tensor) -> list[float]:
    """The area under the ROC curve, as a list of one number; of none where one side is empty.

    >>> ranked(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0]))
    [0.875]
    """
    if not len(inside) or not len(outside):
        return []
    higher = (inside[:, None] > outside[None]).float() + 0.5 * (inside[:, None] == outside[None]).float()
    return [float(higher.mean())]


def _mean(answers: Sequence[Sequence[float]]) -> float | None:
    numbers = [number for each in answers for number in each]
    return float(np.mean(numbers)) if numbers else None
