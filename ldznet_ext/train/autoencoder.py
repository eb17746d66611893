"""Train Sticker-SD's autoencoder: diffusers' AutoencoderKL, factor 8, 4 channels, on crops of Sticker World.

L1 plus a gradient loss and a faint KL term; latent noise starts at zero, because noise from the first step made the
encoder collapse. `freeze_encoder` goes on with the decoder alone, so that latents already cached stay valid.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from einops import rearrange
from torch import Tensor, nn
from torch.utils.data import Dataset

from ldznet_ext.train.latents import pixels_of
from ldznet_ext.train.recipe import Phase, Recipe
from ldznet_ext.world.scenes import scene


class Crops(Dataset):
    """Random square crops of scenes: {"pixels": float32 3 s s in -1..1}.

    `scenes` > 0: only so many scenes, painted once and kept in memory, cropped anew each time (slow machines).
    """

    def __init__(self, *, seed: int, size: int, crop: int, split: str = "train", scenes: int = 0) -> None:
        self.seed, self.size, self.crop, self.split, self.scenes = seed, size, crop, split, scenes
        self.painted: dict[int, np.ndarray] = {}

    def picture(self, index: int) -> np.ndarray:
        """uint8 (size size 3) of a scene."""
        index = index % self.scenes if self.scenes else index
        if index in self.painted:
            return self.painted[index]
        picture = scene(self.seed, index, split=self.split, concepts="known", size=self.size).picture
        if self.scenes:
            self.painted[index] = picture
        return picture

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        picture = self.picture(index)
        y, x = np.random.default_rng([self.seed, index]).integers(0, self.size - self.crop + 1, 2)
        return {"pixels": pixels_of(picture[y : y + self.crop, x : x + self.crop])}


def build_autoencoder(channels: list[int], layers: int) -> AutoencoderKL:
    """An AutoencoderKL of four levels; every width a multiple of 32 because SD's code has GroupNorm(32)."""
    levels = len(channels)
    return AutoencoderKL(
        block_out_channels=tuple(channels),
        layers_per_block=layers,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=4,
        norm_num_groups=32,
        sample_size=256,
    )


class Reconstruction(nn.Module):
    """Encode, scatter, decode as one forward pass, so that several processes share its gradients."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, pixels: Tensor, level: float, scatter: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pixels from the posterior's mean with noise of `level` times its spread; the mean; its log-variance."""
        posterior = self.vae.encode(pixels).latent_dist
        mean = posterior.mean.float()
        latent = mean + level * mean.detach().std() * scatter
        return self.vae.decode(latent).sample.float(), mean, posterior.logvar.float()


class AutoencoderTask:
    """Reconstruct crops."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        torch.manual_seed(recipe.seed)
        if recipe.start:
            vae = AutoencoderKL.from_pretrained(recipe.start, torch_dtype=torch.float32)
        else:
            vae = build_autoencoder(recipe.model["channels"], recipe.model["layers"])
        if recipe.model.get("freeze_encoder"):
            vae.encoder.requires_grad_(False)
            vae.quant_conv.requires_grad_(False)
        self.vae, self.module = vae, Reconstruction(vae)

    def dataset(self, phase: Phase) -> Dataset:
        scenes = self.recipe.data.get("scenes", 0)
        return Crops(seed=self.recipe.seed, size=256, crop=phase.size, scenes=scenes)

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, Tensor]:
        pixels, settings = batch["pixels"], self.recipe.loss
        level = settings["latent_noise"] * min(1.0, max(0.0, (progress - 0.15) / 0.3))
        height, width = pixels.shape[-2:]
        scatter = torch.randn((len(pixels), 4, height // 8, width // 8), generator=noise).to(pixels.device)
        output, mean, spread = self.module(pixels, level, scatter)
        l1 = (output - pixels).abs().mean()
        mse = F.mse_loss(output, pixels)
        edges = _gradient_loss(output, pixels)
        # Keeps the latent centred and of unit scale; the posterior's variance stays near a small constant.
        kl = (mean.square() + spread.exp() - spread).mean()
        loss = l1 + settings["mse"] * mse + settings["gradient"] * edges + settings["kl"] * kl
        return {"loss": loss, "l1": l1.detach(), "psnr": psnr(output, pixels).mean(), "scale": mean.detach().std()}

    def sheet(self) -> np.ndarray:
        rows = torch.stack([Crops(seed=1, size=256, crop=256, split="val")[i]["pixels"] for i in range(8)])
        rows = rows.to(next(self.vae.parameters()).device)
        latent = self.vae.encode(rows).latent_dist.mean
        both = torch.stack([rows, self.vae.decode(latent).sample.float()])
        return to_bytes(rearrange(both, "k (r n) c h w -> (r k h) (n w) c", n=4))

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Write a diffusers folder `vae/` with the scaling factor measured on 64 val scenes."""
        data = Crops(seed=2, size=256, crop=256, split="val")
        device = next(self.vae.parameters()).device
        with torch.inference_mode():
            batches = [torch.stack([data[i]["pixels"] for i in range(k, k + 8)]).to(device) for k in range(0, 64, 8)]
            latents = torch.cat([self.vae.encode(batch).latent_dist.mean.float() for batch in batches])
        if not recipe.model.get("freeze_encoder"):
            self.vae.register_to_config(scaling_factor=float(1 / latents.std()))
        self.vae.save_pretrained(folder / "vae")


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """Peak signal to noise ratio a picture, dB, of (b 3 h w) in -1..1."""
    error = (output.detach().float().clamp(-1, 1) - target).square().mean((1, 2, 3))
    return 10 * torch.log10(4 / error.clamp_min(1e-10))


def _gradient_loss(output: Tensor, target: Tensor) -> Tensor:
    delta = output - target
    return delta.diff(dim=-1).abs().mean() + delta.diff(dim=-2).abs().mean()


def to_bytes(pixels: Tensor) -> np.ndarray:
    """Float in -1..1 to uint8."""
    return ((pixels.clamp(-1, 1) + 1) * 127.5 + 0.5).to(torch.uint8).cpu().numpy()
