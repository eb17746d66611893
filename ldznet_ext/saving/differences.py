"""What is not as it was when a mask was made, in sentences: the reasons why repeating it may give another."""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.saving.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np


def differences(made: Recipe, now: Recipe) -> tuple[str, ...]:
    """Why the mask of `now` need not be that of `made`; empty where all that both know is the same."""
    return tuple(_differences(made, now))


def pixels_off(path: str | PathLike[str], mask: "np.ndarray") -> int | None:
    """In how many pixels a mask, uint8 (h w), is not that of a saved PNG; None where the file holds no mask of its size.

    A cut-out holds one as its transparency.
    """
    import numpy as np
    from PIL import Image

    if Path(path).suffix.lower() != ".png":
        return None
    try:
        with Image.open(path) as image:
            bands = dict(zip(image.getbands(), image.split(), strict=True))
            held = np.asarray(bands.get("A", bands.get("L", image)))
    except Exception:  # Pillow raises anything on a damaged file, whose recipe may be whole all the same
        return None
    return int(np.count_nonzero(held != mask)) if held.shape == mask.shape else None


def _differences(made: Recipe, now: Recipe) -> Iterator[str]:
    if _other(made.model, now.model):
        yield f"Another model: it was {made.model}, now it is {now.model}."
    elif _other(made.weights, now.weights):
        yield f"The model {now.model} has other weights than it had."
    if _other(made.head, now.head):
        yield f"Another head: it was {made.head}, now it is {now.head}."
    elif _other(made.head_weights, now.head_weights):
        yield f"The head {now.head} has other weights than it had."
    if made.size and now.size and made.size != now.size:
        yield f"Another picture: it had {_pixels(made)}, this one has {_pixels(now)}."
    elif _other(made.pixels, now.pixels):
        yield "The picture's pixels are not those that they were: it was edited since, or it is another."
    if _other(made.version, now.version):
        yield f"Another version of this program: it was {made.version}, now it is {now.version}."
    if _other(made.place, now.place):
        yield f"It was computed as {made.place}, now it is as {now.place}, whose last bits may differ."
    if made.painted and not now.painted:
        yield "It was read while the picture was painted; the finished picture gives nearly the same, not exactly."


def _other(before: str, after: str) -> bool:
    """Whether both are known and differ."""
    return bool(before and after and before != after)


def _pixels(recipe: Recipe) -> str:
    assert recipe.size is not None
    return f"{recipe.size.width} x {recipe.size.height} pixels"
