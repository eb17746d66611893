"""Scenes as latents with captions: painted and encoded once, then read again and again.

A slow machine trains on a fixed number of cached scenes; `cache = 0` paints and encodes every sample anew (GPU).
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from ldznet_ext.errors import OptionError
from ldznet_ext.train.loading import loader, rounds, unpacked
from ldznet_ext.train.windows import CELL, window_around
from ldznet_ext.world.captions import caption
from ldznet_ext.world.scenes import Scene, cut_out, generator, scene

VARIANTS = 4
TOGETHER = 32
"""Scenes that are encoded at a time."""
WINDOW = 128
"""Side of the part of a picture around an object, in pixels."""


def pixels_of(picture: np.ndarray) -> Tensor:
    """uint8 h w 3 -> float32 3 h w in -1..1."""
    return rearrange(torch.from_numpy(picture), "h w c -> c h w").float() / 127.5 - 1


class CaptionedScenes(Dataset):
    """Painted scenes: {"pixels", "caption"}."""

    def __init__(self, *, seed: int, size: int, concepts: str, split: str = "train") -> None:
        self.seed, self.size, self.concepts, self.split = seed, size, concepts, split

    def scene(self, index: int) -> Scene:
        return scene(self.seed, index, split=self.split, concepts=self.concepts, size=self.size)

    def __getitem__(self, index: int) -> dict[str, Any]:
        painted = self.scene(index)
        return {"pixels": pixels_of(painted.picture), "caption": caption(painted, index % VARIANTS)}


class CachedLatents(Dataset):
    """The first `count` scenes as fp16 latents: {"latent": float32 4 h w (scaled), "caption"}; index wraps around.

    Each turn through the cache words the captions differently. Built on first use into `folder`, in one pass that may
    be interrupted: finished shards are kept. Shards of other scenes or of another encoder are made anew.

    `window` > 0 shows instead the `window` pixels around one object after the other: objects at their full size for a
    fraction of the cost.
    """

    SHARD = 2048

    def __init__(
        self, folder: Path, *, vae, count: int, seed: int, size: int, concepts: str, window: int = 0, workers: int = 0
    ) -> None:
        self.count, parts, captions, views = count, [], [], []
        source = CaptionedScenes(seed=seed, size=size, concepts=concepts)
        folder.mkdir(parents=True, exist_ok=True)
        shards = {}
        for indices in rounds(range(count), self.SHARD):
            meta = {"seed": str(seed), "concepts": concepts, "count": str(len(indices)), "vae": _mark(vae)}
            shards[folder / f"{size}_{indices.start:07d}.safetensors"] = (indices, meta)
        _encode_missing(shards, source, vae, workers)
        for path in shards:
            parts.append(load_file(path)["latent"])
            words = json.loads(path.with_suffix(".json").read_text())
            captions += words["captions"]
            views += words["views"]
        self.latents, self.captions = torch.cat(parts), captions
        self.cells = window // CELL
        if window not in (0, WINDOW):
            raise OptionError(f"A phase asks for windows of {window} pixels; caches hold windows of {WINDOW}.")
        self.views = [(place, view) for place, of_scene in enumerate(views) for view in of_scene] if window else []

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self.views:
            return self._view(*divmod(index, len(self.views)))
        turn, place = divmod(index, self.count)
        return {"latent": self.latents[place].float(), "caption": self.captions[place][turn % VARIANTS]}

    def _view(self, turn: int, number: int) -> dict[str, Any]:
        """Views of one scene lie side by side in the list, so a large stride mixes them."""
        number = number * 7919 % len(self.views)
        place, (y, x, captions) = self.views[number]
        latent = self.latents[place, :, y : y + self.cells, x : x + self.cells]
        return {"latent": latent.float(), "caption": captions[turn % len(captions)]}


def _mark(vae) -> str:
    """Changes with the encoder and the scale, not with the decoder."""
    first = next(vae.parameters()).detach().float().cpu().numpy()
    return hashlib.sha256(first.tobytes() + str(vae.config.scaling_factor).encode()).hexdigest()[:16]


def _fits(path: Path, meta: dict[str, str]) -> bool:
    """Whether the shard is there and holds what is asked for."""
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return False
    with safe_open(path, framework="pt") as file:
        return file.metadata() == meta


def _encode_missing(
    shards: dict[Path, tuple[range, dict[str, str]]], source: CaptionedScenes, vae, workers: int
) -> None:
    """Make the shards that are not there, {path: (indices, metadata)}; `workers` processes paint while this one encodes."""
    missing = {path: shard for path, shard in shards.items() if not _fits(path, shard[1])}
    turns = [turn for indices, _ in missing.values() for turn in rounds(indices, TOGETHER)]
    if not turns:
        return
    device = next(vae.parameters()).device
    painted = iter(loader(_Painted(source), workers=workers, batch_sampler=turns, collate_fn=_together))
    for path, (indices, meta) in tqdm(missing.items(), desc="scenes to latents", unit=" shards"):
        latents, captions, views = [], [], []
        for _ in rounds(indices, TOGETHER):
            pixels, told, seen = next(painted)
            captions += told
            views += seen
            with torch.autocast(device.type, dtype=torch.bfloat16):  # several times faster
                latents.append(encode(vae, unpacked({"pixels": pixels}, device)["pixels"]).half().cpu())
        path.with_suffix(".json").write_text(json.dumps({"captions": captions, "views": views}))
        part = path.with_suffix(".part")
        save_file({"latent": torch.cat(latents).contiguous()}, part, metadata=meta)
        os.replace(part, path)


class _Painted(Dataset):
    """Scenes with all that a shard keeps of them: (pixels as bytes, VARIANTS captions, views)."""

    def __init__(self, source: CaptionedScenes) -> None:
        self.source = source

    def __getitem__(self, index: int) -> tuple[Tensor, list[str], list]:
        painted = self.source.scene(index)
        pixels = rearrange(torch.from_numpy(painted.picture), "h w c -> c h w")
        return pixels, [caption(painted, variant) for variant in range(VARIANTS)], _views(painted)


def _together(items: list[tuple[Tensor, list[str], list]]) -> tuple[Tensor, list[list[str]], list]:
    pixels, captions, views = zip(*items, strict=True)
    return torch.stack(pixels), list(captions), list(views)


def _views(painted: Scene, each: int = 2) -> list[tuple[int, int, list[str]]]:
    """Windows of WINDOW pixels, `each` around every object and one anywhere: (top, left in cells, two captions)."""
    size = painted.picture.shape[0]
    if size <= WINDOW:
        return []
    rng = generator(painted.split, painted.seed, painted.index, 3)
    centres = [thing.centre for thing in painted.objects for _ in range(each)] + [(rng.random(), rng.random())]
    boxes = [window_around(centre, size, WINDOW, rng) for centre in centres]
    parts = [(box, cut_out(painted, box)) for box in boxes]
    return [(box.y0 // CELL, box.x0 // CELL, [caption(part, variant) for variant in range(2)]) for box, part in parts]


@torch.no_grad()
def encode(vae, pixels: Tensor) -> Tensor:
    """Posterior mean times the scaling factor, float32 (b 4 h/8 w/8), on the VAE's device."""
    weight = next(vae.parameters())
    mean = vae.encode(pixels.to(weight.device, weight.dtype)).latent_dist.mean
    return mean.float() * vae.config.scaling_factor


@torch.no_grad()
def decode(vae, latent: Tensor) -> Tensor:
    """Pixels in about -1..1 of scaled latents, float32, on the VAE's device."""
    weight = next(vae.parameters())
    return vae.decode((latent / vae.config.scaling_factor).to(weight.device, weight.dtype)).sample.float()
