"""A mask and words to a repainted picture, with any model: blended latent diffusion.

Avrahami et al., arXiv 2206.02779: at every step what lies outside the mask is put back, noised to that step's level. A model
with inpainting channels is told the mask and what surrounds it besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ldznet_ext.backbone import Backbone, default_backbone
from ldznet_ext.errors import OptionError, PictureError
from ldznet_ext.geometry import Box, Size
from ldznet_ext.masks.components import box_of
from ldznet_ext.masks.given import read_mask
from ldznet_ext.masks.imaging import fit, load_picture, stretch, to_network
from ldznet_ext.sampling import (
    DEFAULT_GUIDANCE,
    DEFAULT_STEPS,
    Progress,
    Sampling,
    Start,
    check_seed,
    check_strength,
)
from ldznet_ext.shapes import Float
from ldznet_ext.words import check_prompt

if TYPE_CHECKING:
    from ldznet_ext.masks.imaging import Picture

CONTEXT = 0.5
"""Room around the mask that the model sees, as a part of the mask's longer side, on each side."""
FEATHER = 0.03
"""Default width of the blend, as a part of the picture's diagonal divided by the square root of two."""
LEAST_FEATHER, MOST_FEATHER = 2, 16
"""Its bounds in pixels: in a photograph of 12 megapixels 3 % would be a hundred pixels of somebody else's surroundings."""
SIDES_PER_CROP = 1.5
"""Pictures up to this many times the native side are repainted whole: nothing is gained by a crop."""


@dataclass(frozen=True, kw_only=True, eq=False)
class InpaintJob:
    """What any host needs to repaint a part of a picture.

    picture: uint8 (h w 3). mask: bool (h w), what to repaint. crop: the part the model sees; network: the size it sees it
    at. alpha: float32, of the crop's size, 0..1, how much of the new picture is taken there; 0 wherever a pixel is farther
    than `feather` from the mask, and so everywhere outside the crop.
    """

    picture: np.ndarray
    mask: np.ndarray
    alpha: np.ndarray
    prompt: str
    seed: int
    sampling: Sampling
    strength: float
    feather: int
    crop: Box
    network: Size


def inpaint(
    image: "Picture",
    mask: "np.ndarray | Picture",
    prompt: str,
    *,
    backbone: Backbone | None = None,
    seed: int = 0,
    steps: int = DEFAULT_STEPS,
    guidance: float = DEFAULT_GUIDANCE,
    negative: str = "",
    strength: float = 1.0,
    feather: int | None = None,
    progress: Progress | None = None,
) -> Image.Image:
    """Repaint what the mask covers as `prompt`; pixels farther than `feather` from the mask stay bit for bit.

    image: any picture of any size. mask: of the same size; an array that is bool, float (true above 0.5) or of whole numbers
    (above 127, or 1 where nothing is larger), a PIL image or a picture file. strength above 0 up to 1: how much of what was
    there is forgotten. feather: pixels around the mask over which new turns into old; by default 3 % of the picture's side
    (the square root of its area), at least 2 and at most 16.
    """
    backbone = backbone or default_backbone()
    job = prepare_job(
        image,
        mask,
        prompt,
        native=backbone.native,
        seed=seed,
        sampling=Sampling(steps=steps, guidance=guidance, negative=negative),
        strength=strength,
        feather=feather,
    )
    return Image.fromarray(run_job(job, backbone, progress=progress))


def prepare_job(
    image: "Picture",
    mask: "np.ndarray | Picture",
    prompt: str,
    *,
    native: Size,
    seed: int = 0,
    sampling: Sampling | None = None,
    strength: float = 1.0,
    feather: int | None = None,
) -> InpaintJob:
    """Check everything and settle what the model will see; no model is needed for it."""
    check_strength(strength)
    check_prompt(prompt)
    picture = load_picture(image)
    size = Size(*picture.shape[:2])
    chosen = _as_mask(mask, size)
    width = default_feather(size) if feather is None else _checked_feather(feather)
    box = box_of(chosen)
    assert box is not None, "an empty mask has been refused"
    crop = _crop(box, size, native, width)
    return InpaintJob(
        picture=picture,
        mask=chosen,
        alpha=feathered(chosen[crop.slices], width),
        prompt=prompt,
        seed=check_seed(seed),
        sampling=sampling or Sampling(),
        strength=strength,
        feather=width,
        crop=crop,
        network=fit(crop.size, native).network,
    )


@torch.inference_mode()
def run_job(job: InpaintJob, backbone: Backbone, *, progress: Progress | None = None) -> np.ndarray:
    """Do a job; uint8 (h w 3). A model that was trained to inpaint is told what it may change, any other is held to it."""
    part = job.picture[job.crop.slices]
    pixels = torch.from_numpy(to_network(part, fit(job.crop.size, backbone.native)))[None]
    latent = backbone.encode(pixels)
    repaint = _cells(job.alpha, job.network, latent)
    masked = backbone.encode(_greyed(pixels, repaint)) if getattr(backbone, "inpaints", False) else None
    start = Start(latent=latent, repaint=repaint, strength=job.strength, masked=masked)
    painted = backbone.generate([job.prompt], [job.seed], job.sampling, start=start, progress=progress)
    fresh = _at_size(backbone.decode(painted)[0], job.crop.size)
    result = job.picture.copy()
    result[job.crop.slices] = blend(part, fresh, job.alpha)
    return result


def feathered(mask: np.ndarray, feather: int) -> np.ndarray:
    """float32 (h w): 1 on the mask and up to half of `feather` pixels around it, falling smoothly to 0 at `feather`.

    The new picture is taken in full a little beyond the mask: a rim of the old object would show there.
    """
    if feather == 0:
        return mask.astype(np.float32)
    alpha = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    for band in _bands(alpha):
        ramp = np.clip((feather - band) / (feather / 2), 0, 1)
        band[...] = ramp * ramp * (3 - 2 * ramp)
    return alpha


def blend(old: np.ndarray, new: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Mix `old` and `new` (uint8 h w 3) by alpha (h w); where alpha is 0 the old bytes stay."""
    mixed = old.copy()
    for band, fresh, weight in zip(_bands(mixed), _bands(new), _bands(alpha), strict=True):
        rows = np.flatnonzero(weight.any(axis=1))
        was, share = band[rows].astype(np.float32), weight[rows, :, None]
        band[rows] = np.rint(was + share * (fresh[rows] - was)).astype(np.uint8)
    return mixed


def _bands(array: np.ndarray, rows: int = 64) -> Iterator[np.ndarray]:
    """An array in bands of rows: whole 100 megapixels in float would not fit."""
    return (array[top : top + rows] for top in range(0, len(array), rows))


def default_feather(size: Size) -> int:
    """Pixels of blend for a picture of this size: 3 % of its side, from 2 to 16."""
    return min(max(LEAST_FEATHER, round(FEATHER * size.area**0.5)), MOST_FEATHER)


def _as_mask(mask: "np.ndarray | Picture", size: Size) -> np.ndarray:
    """Bool (h w) of whatever a mask may come as; PictureError where it is none, of another size, or empty."""
    array = read_mask(mask, size)
    if not array.any():
        raise PictureError("The mask is empty; expected at least one pixel to repaint, so choose words that are found.")
    return array


def _checked_feather(feather: int) -> int:
    if isinstance(feather, bool) or not isinstance(feather, (int, np.integer)) or not 0 <= feather <= 1000:
        raise OptionError(f"The feather is {feather}; expected a whole number of pixels from 0 to 1000, so choose one.")
    return int(feather)


def _crop(box: Box, size: Size, native: Size, feather: int) -> Box:
    """What the model sees: all of a picture near its native size, else the mask with its surroundings at no less than it."""
    if size.area <= native.area * SIDES_PER_CROP**2:
        return Box(0, 0, size.width, size.height)
    room = round(CONTEXT * max(box.size)) + feather
    rows = _span(box.y0 - room, box.y1 + room, native.height, size.height)
    columns = _span(box.x0 - room, box.x1 + room, native.width, size.width)
    return Box(columns[0], rows[0], columns[1], rows[1])


def _span(low: int, high: int, least: int, limit: int) -> tuple[int, int]:
    """Widen low..high to at least `least` about its middle, and shift it into 0..limit."""
    length = min(max(high - low, least), limit)
    start = (low + high - length) // 2
    start = min(max(start, 0), limit - length)
    return start, start + length


def _cells(alpha: np.ndarray, network: Size, latent: Tensor) -> Float[Tensor, "1 1 lh lw"]:
    """Latent cells with any pixel of which something new is taken: 1 there, 0 elsewhere."""
    grid = Size(*latent.shape[-2:])
    covered = stretch(alpha, network)
    tiles = covered.reshape(grid.height, network.height // grid.height, grid.width, network.width // grid.width)
    return torch.from_numpy((tiles.max(axis=(1, 3)) > 0).astype(np.float32))[None, None].to(latent)


def _greyed(pixels: Float[Tensor, "1 3 h w"], repaint: Float[Tensor, "1 1 lh lw"]) -> Float[Tensor, "1 3 h w"]:
    """The picture with plain grey, 0 in [-1, 1], in the cells that may change."""
    kept = 1 - repaint.to(pixels)
    return pixels * torch.nn.functional.interpolate(kept, size=tuple(pixels.shape[-2:]), mode="nearest")


def _at_size(pixels: Tensor, size: Size) -> np.ndarray:
    """Pixels (3 h w) in [-1, 1] as uint8 (h w 3) at another size."""
    array = (pixels.float().cpu().numpy().transpose(1, 2, 0) + 1) * 127.5
    return stretch(np.ascontiguousarray(np.rint(array).clip(0, 255).astype(np.uint8)), size)
