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

from ldznet_ext.world.captions import caption
from ldznet_ext.world.scenes import Scene, scene

VARIANTS = 4


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
    """

    SHARD = 2048

    def __init__(self, folder: Path, *, vae, count: int, seed: int, size: int, concepts: str) -> None:
        self.count, parts, captions = count, [], []
        source = CaptionedScenes(seed=seed, size=size, concepts=concepts)
        folder.mkdir(parents=True, exist_ok=True)
        starts = range(0, count, self.SHARD)
        for start in tqdm(starts, desc=f"latents of {count} scenes at {size}", disable=_complete(folder, starts)):
            path = folder / f"{size}_{start:07d}.safetensors"
            indices = range(start, min(count, start + self.SHARD))
            meta = {"seed": str(seed), "concepts": concepts, "count": str(len(indices)), "vae": _mark(vae)}
            if not _fits(path, meta):
                _encode_shard(path, source, vae, indices, meta)
            parts.append(load_file(path)["latent"])
            captions += json.loads(path.with_suffix(".json").read_text())
        self.latents, self.captions = torch.cat(parts), captions

    def __getitem__(self, index: int) -> dict[str, Any]:
        turn, place = divmod(index, self.count)
        return {"latent": self.latents[place].float(), "caption": self.captions[place][turn % VARIANTS]}


def _complete(folder: Path, starts: range) -> bool:
    return len(list(folder.glob("*.safetensors"))) >= len(starts)


def _mark(vae) -> str:
    """Changes with the encoder and the scale, not with the decoder."""
    first = next(vae.parameters()).detach().float().cpu().numpy()
    return hashlib.sha256(first.tobytes() + str(vae.config.scaling_factor).encode()).hexdigest()[:16]


def _fits(path: Path, meta: dict[str, str]) -> bool:
    """Whether the shard is there and holds what is asked for; shards of older versions do not say what they hold."""
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return False
    with safe_open(path, framework="pt") as file:
        kept = file.metadata() or {}
    return "vae" not in kept or kept == meta


def _encode_shard(
    path: Path, source: CaptionedScenes, vae, indices: range, meta: dict[str, str], batch: int = 16
) -> None:
    latents, captions = [], []
    for start in range(indices.start, indices.stop, batch):
        scenes = [source.scene(i) for i in range(start, min(indices.stop, start + batch))]
        captions += [[caption(painted, variant) for variant in range(VARIANTS)] for painted in scenes]
        pixels = torch.stack([pixels_of(painted.picture) for painted in scenes])
        latents.append(encode(vae, pixels).half().cpu())
    path.with_suffix(".json").write_text(json.dumps(captions))
    part = path.with_suffix(".part")
    save_file({"latent": torch.cat(latents).contiguous()}, part, metadata=meta)
    os.replace(part, path)


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
