"""Train Sticker-SD: UNet and text encoder together on scaled latents, epsilon prediction, as Stable Diffusion 1.x.

The loss is weighted by min(SNR, 5)/SNR (Hang et al., 2023), which on few samples learns shapes several times sooner, and by
1/sqrt(SNR) where noise prevails (Yu et al., 2023): there it is decided what is painted.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, UNet2DConditionModel
from einops import rearrange
from torch import Tensor
from torch.utils.data import Dataset
from transformers import CLIPTextModel, CLIPTokenizer

from ldznet_ext.train.latents import CachedLatents, CaptionedScenes, encode
from ldznet_ext.train.noise import gaussian
from ldznet_ext.train.painter import Painter, StickerSD, load_networks, schedule, tokens_of
from ldznet_ext.train.recipe import Phase, Recipe
from ldznet_ext.train.text import build_text_encoder
from ldznet_ext.train.tokenizer import tokens_seen, write_tokenizer
from ldznet_ext.world.captions import caption
from ldznet_ext.world.phrases import phrases
from ldznet_ext.world.scenes import scene

PROMPTS = (
    "a fox and a doughnut on snow, night",
    "an owl on grass, blue sky",
    "a red balloon, plain white background",
    "a house on sand under a sunset",
    "a shark on sea, blue sky",
    "a pizza, plain grey background",
    "a big panda and a small panda on grass, sunset",
    "an automobile on road, brick wall",
)


def build_sticker_sd(model: dict[str, Any]) -> StickerSD:
    """Fresh networks with SD 1.x's anatomy at the recipe's widths."""
    text = build_text_encoder(model)
    cross, plain = "CrossAttnDownBlock2D", "DownBlock2D"
    unet = UNet2DConditionModel(
        sample_size=32,
        block_out_channels=tuple(model["channels"]),
        layers_per_block=2,
        down_block_types=(cross, cross, cross, plain),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=model["text_width"],
        attention_head_dim=8,
    )
    return StickerSD(unet, text)


class Tokenised(Dataset):
    """Samples with the "tokens" (77,) of their caption: many captions take the training process longer than its step."""

    def __init__(self, samples: Dataset, tokenizer: CLIPTokenizer) -> None:
        self.samples, self.tokenizer = samples, tokenizer

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = self.samples[index]
        return {**sample, "tokens": tokens_of(self.tokenizer, [sample["caption"]])[0]}


class DiffusionTask:
    """Predict the noise in a latent from its caption."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, model = recipe, recipe.model
        self.vae = AutoencoderKL.from_pretrained(model["vae"]).eval().requires_grad_(False)
        torch.manual_seed(recipe.seed)
        self.module = load_networks(Path(recipe.start)) if recipe.start else build_sticker_sd(model)
        if told := model.get("text_encoder"):
            self.module.text_encoder = CLIPTextModel.from_pretrained(told, torch_dtype=torch.float32)
        self.folder = Path(model.get("cache_folder", "runs/latents"))
        self.tokenizer = CLIPTokenizer.from_pretrained(write_tokenizer(self.folder / "tokenizer"))
        self.untold = tokens_of(self.tokenizer, [""])
        self.alphas = schedule().alphas_cumprod

    @property
    def painter(self) -> Painter:
        """The networks as they stand, painting."""
        return Painter(getattr(self.module, "module", self.module), self.vae, self.tokenizer)

    def dataset(self, phase: Phase) -> Dataset:
        data = self.recipe.data
        common = {"seed": self.recipe.seed, "size": phase.size, "concepts": data["concepts"]}
        count = data["cache"].get(str(phase.size), 0)
        if count:
            vae = self.vae.to(next(self.module.parameters()).device)
            cached = CachedLatents(
                self.folder, vae=vae, count=count, window=phase.window, workers=self.recipe.workers, **common
            )
            return Tokenised(cached, self.tokenizer)
        return Tokenised(CaptionedScenes(**common), self.tokenizer)

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, Tensor]:
        device = next(self.module.parameters()).device
        latent = batch["latent"] if "latent" in batch else encode(self.vae.to(device), batch["pixels"]).to(device)
        count = len(latent)
        dropped = torch.rand(count, generator=noise) < self.recipe.loss["empty_captions"]
        tokens = torch.where(dropped[:, None].to(device), self.untold.to(device), batch["tokens"])
        timesteps = torch.randint(0, 1000, (count,), generator=noise)
        epsilon = gaussian(latent.shape, noise, device)
        level = self.alphas[timesteps].to(device)[:, None, None, None]
        noisy = level.sqrt() * latent + (1 - level).sqrt() * epsilon
        output = self.module(noisy, timesteps.to(device), tokens).float()
        error = F.mse_loss(output, epsilon, reduction="none").mean((1, 2, 3))
        signal = self.alphas[timesteps] / (1 - self.alphas[timesteps])
        weight = loss_weight(signal, self.recipe.loss["snr_cap"]).to(device)
        return {"loss": (weight * error).mean(), "mse": error.detach().mean()}

    def sheet(self) -> np.ndarray:
        pictures = self.painter.sample(list(PROMPTS), size=self.recipe.phases[-1].size, seed=0)
        return rearrange(pictures, "(r n) h w c -> (r h) (n w) c", n=4)

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Write the whole of Sticker-SD as an fp16 diffusers folder `sticker-sd/`."""
        out = folder / "sticker-sd"
        bare = getattr(self.module, "module", self.module)
        write_pipeline(out, unet=bare.unet, text_encoder=bare.text_encoder, vae=self.vae)
        seen = tokens_seen(self.tokenizer, training_texts(recipe))
        (out / "tokens_seen.json").write_text(json.dumps(seen))


def loss_weight(snr: Tensor, cap: float) -> Tensor:
    """What an epsilon error counts at each signal-to-noise ratio.

    >>> loss_weight(torch.tensor([0.25, 1.0, 4.0, 50.0]), cap=5.0)
    tensor([2.0000, 1.0000, 1.0000, 0.1000])
    """
    return snr.clamp(max=cap) / snr * snr.clamp(max=1).rsqrt()


def write_pipeline(out: Path, *, unet, text_encoder, vae) -> None:
    """A StableDiffusionPipeline folder: fp16 safetensors, CLIP's tokenizer, no safety checker."""
    for name, module in (("unet", unet), ("text_encoder", text_encoder), ("vae", vae)):
        copy.deepcopy(module).half().save_pretrained(out / name, safe_serialization=True)
    write_tokenizer(out / "tokenizer")
    schedule().save_pretrained(out / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.21.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


def training_texts(recipe: Recipe, count: int = 4000) -> Iterator[str]:
    """Captions and phrases enough to meet every word that this model or a head on it is trained with."""
    concepts = recipe.data["concepts"]
    for index in range(count):
        painted = scene(recipe.seed, index, concepts=concepts, size=64)
        yield from (caption(painted, variant) for variant in range(4))
        yield from (phrase.text for phrase in phrases(painted))
