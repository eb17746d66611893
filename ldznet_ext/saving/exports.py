"""What a person may save of a mask: one table of exports, each a function from the item to a file's bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ldznet_ext.errors import OptionError
from ldznet_ext.masks.ops import to_sixteen_bits
from ldznet_ext.masks.overlay import overlay
from ldznet_ext.saving.coco import coco
from ldznet_ext.saving.kinds import KINDS, Kind
from ldznet_ext.saving.ora import Layer, ora
from ldznet_ext.saving.png import png
from ldznet_ext.saving.recipe import KEY, Recipe

if TYPE_CHECKING:
    from ldznet_ext.masks.edits import Edits
    from ldznet_ext.request import MaskSettings
    from ldznet_ext.result import Segmentation

MIDDLE = 127
"""Above it a grey mask counts as mask, where only yes or no can be said."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Item:
    """One picture with its mask, all that any export needs.

    picture: uint8 (h w 3). mask: uint8 (h w) 0..255, as it is used, soft or not. prob: float32 (h w) 0..1, or None where none is
    known. layers: a name and a mask, uint8 (h w), for each phrase that was found. stem: what its files are called after.
    """

    picture: np.ndarray
    mask: np.ndarray
    prob: np.ndarray | None = None
    recipe: Recipe
    layers: tuple[tuple[str, np.ndarray], ...] = ()
    stem: str = "picture"


@dataclass(frozen=True)
class Export:
    """One kind of file, and the function from an item to its bytes."""

    kind: Kind
    make: Callable[[Item], bytes] = field(repr=False)

    @property
    def label(self) -> str:
        """For a button."""
        return self.kind.label

    @property
    def suffix(self) -> str:
        """What follows a file's name."""
        return self.kind.suffix


def item_of(
    picture: np.ndarray,
    result: "Segmentation",
    settings: "MaskSettings",
    recipe: Recipe,
    *,
    stem: str,
    edits: "Edits | None" = None,
    mask: np.ndarray | None = None,
    layered: bool = True,
) -> Item:
    """A result as it is saved: its mask cut and shaped as the settings say, and so the mask of every phrase.

    What a person did by hand belongs to the whole alone. mask: the whole, where that was done already. layered: whether anything
    that is saved has the phrases apart; else they need not be cut.
    """
    from ldznet_ext.pipeline import apply

    mask = apply(result, settings, edits=edits, picture=picture) if mask is None else mask
    alone = len(result.phrases) == 1
    layers = []
    for answer in result.phrases if layered else ():
        own = mask if alone else apply(replace(result, phrases=(answer,)), settings, picture=picture)
        if own.any():
            layers.append((answer.text, own))
    return Item(picture=picture, mask=mask, prob=result.prob, recipe=recipe, layers=tuple(layers), stem=stem)


def cut_out(item: Item) -> np.ndarray:
    """The picture with the mask as its transparency, uint8 RGBA (h w 4).

    With soft alpha asked for, the colours at the edge are those of the thing alone, so that no halo of the old ground stays.
    """
    colours = item.picture
    if item.recipe.settings.alpha:
        from ldznet_ext.masks.matting import foreground

        colours = foreground(item.picture, item.mask)
    return np.dstack([colours, item.mask])


def _mask(item: Item) -> bytes:
    return png(item.mask, {KEY: item.recipe.to_text()})


def _cutout(item: Item) -> bytes:
    return png(cut_out(item), {KEY: item.recipe.to_text()})


def _overlay(item: Item) -> bytes:
    return png(overlay(item.picture, item.mask > MIDDLE))


def _prob(item: Item) -> bytes:
    if item.prob is None:
        raise OptionError("There is no probability map of this mask; expected another export, so choose that.")
    return png(to_sixteen_bits(item.prob))


def _ora(item: Item) -> bytes:
    masks = tuple(Layer(name, _as_layer(mask), visible=False) for name, mask in item.layers)
    below = (Layer("cut-out", cut_out(item)), Layer("picture", item.picture))
    return ora((*masks, *below))


def _as_layer(mask: np.ndarray) -> np.ndarray:
    """A mask as a white layer that is there where the mask is: "alpha to selection" gives it back, and it can be painted on."""
    return np.dstack([np.full((*mask.shape, 3), 255, np.uint8), mask])


def _coco(item: Item) -> bytes:
    named = [(name, mask > MIDDLE) for name, mask in item.layers]
    return coco(item.stem, item.recipe, item.mask.shape, named)


def _recipe(item: Item) -> bytes:
    return item.recipe.to_text().encode("ascii") + b"\n"


_MAKERS = {
    "mask": _mask,
    "prob": _prob,
    "overlay": _overlay,
    "cutout": _cutout,
    "ora": _ora,
    "coco": _coco,
    "recipe": _recipe,
}
EXPORTS: dict[str, Export] = {name: Export(kind, _MAKERS[name]) for name, kind in KINDS.items()}
"""Every kind of file by its name, in the order in which they are offered."""
