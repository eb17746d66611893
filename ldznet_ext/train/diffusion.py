"""Train Sticker-SD: UNet and text encoder together on scaled latents, epsilon prediction, as Stable Diffusion 1.x.

The loss is weighted by min(SNR, 5)/SNR (Hang et al., 2023), which on few samples learns shapes several times sooner.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from einops import rearrange
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ldznet_ext.train.autoencoder import to_bytes
from ldznet_ext.train.latents import CachedLatents, CaptionedScenes, decode, encode
from ldznet_ext.train.recipe import Phase, Recipe
from ldznet_ext.train.tokenizer import POSITIONS, tokens_seen, write_tokenizer
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


class StickerSD(nn.Module):
    """The two networks that are trained together."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """Predicted noise (b 4 h w)."""
        states = self.text_encoder(tokens).last_hidden_state
        return self.unet(noisy, timesteps, states).sample


def build_sticker_sd(model: dict[str, Any]) -> StickerSD:
    """Fresh networks with SD 1.x's anatomy at the recipe's widths."""
    width = model["text_width"]
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408,
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=model["text_layers"],
            num_attention_heads=model["text_heads"],
            max_position_embeddings=POSITIONS,
            hidden_act="quick_gelu",
            bos_token_id=49406,
            eos_token_id=49407,
            pad_token_id=49407,
        )
    )
    cross, plain = "CrossAttnDownBlock2D", "DownBlock2D"
    unet = UNet2DConditionModel(
        sample_size=32,
        block_out_channels=tuple(model["channels"]),
        layers_per_block=2,
        down_block_types=(cross, cross, cross, plain),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=width,
        attention_head_dim=8,
    )
    return StickerSD(unet, text)


def schedule() -> DDIMScheduler:
    """Stable Diffusion's scaled-linear schedule."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        timestep_spacing="leading",
    )


class DiffusionTask:
    """Predict the noise in a latent from its caption."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, model = recipe, recipe.model
        self.vae = AutoencoderKL.from_pretrained(model["vae"]).eval().requires_grad_(False)
        torch.manual_seed(recipe.seed)
        if recipe.start:
            unet = UNet2DConditionModel.from_pretrained(Path(recipe.start) / "unet", torch_dtype=torch.float32)
            text = CLIPTextModel.from_pretrained(Path(recipe.start) / "text_encoder", torch_dtype=torch.float32)
            self.module = StickerSD(unet, text)
        else:
            self.module = build_sticker_sd(model)
        self.folder = Path(model.get("cache_folder", "runs/latents"))
        self.tokenizer = CLIPTokenizer.from_pretrained(write_tokenizer(self.folder / "tokenizer"))
        self.scheduler = schedule()
        self.alphas = self.scheduler.alphas_cumprod

    def dataset(self, phase: Phase) -> Dataset:
        data = self.recipe.data
        common = {"seed": self.recipe.seed, "size": phase.size, "concepts": data["concepts"]}
        count = data["cache"].get(str(phase.size), 0)
        if count:
            return CachedLatents(self.folder, vae=self.vae, count=count, **common)
        return CaptionedScenes(**common)

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, Tensor]:
        device = next(self.module.parameters()).device
        latent = batch["latent"] if "latent" in batch else encode(self.vae.to(device), batch["pixels"]).to(device)
        count = len(latent)
        dropped = torch.rand(count, generator=noise) < self.recipe.loss["empty_captions"]
        captions = ["" if drop else text for drop, text in zip(dropped, batch["caption"], strict=True)]
        timesteps = torch.randint(0, 1000, (count,), generator=noise)
        epsilon = torch.randn(latent.shape, generator=noise).to(device)
        noisy = self.scheduler.add_noise(latent, epsilon, timesteps.to(device))
        output = self.module(noisy, timesteps.to(device), self.tokens(captions).to(device)).float()
        error = F.mse_loss(output, epsilon, reduction="none").mean((1, 2, 3))
        signal = self.alphas[timesteps] / (1 - self.alphas[timesteps])
        weight = (signal.clamp(max=self.recipe.loss["snr_cap"]) / signal).to(device)
        return {"loss": (weight * error).mean(), "mse": error.detach().mean()}

    def tokens(self, texts: list[str]) -> Tensor:
        """(b 77) token ids, padded and cut as Stable Diffusion does."""
        return self.tokenizer(
            texts, padding="max_length", truncation=True, max_length=POSITIONS, return_tensors="pt"
        ).input_ids

    def sheet(self) -> np.ndarray:
        pictures = self.sample(list(PROMPTS), size=self.recipe.phases[-1].size, seed=0)
        return rearrange(pictures, "(r n) h w c -> (r h) (n w) c", n=4)

    @torch.no_grad()
    def sample(self, prompts: list[str], *, size: int, seed: int, steps: int = 20, guidance: float = 5.0) -> np.ndarray:
        """DDIM samples, uint8 (b size size 3)."""
        device = next(self.module.parameters()).device
        shape = (len(prompts), 4, size // 8, size // 8)
        latent = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
        tokens = self.tokens([""] * len(prompts) + prompts).to(device)
        self.scheduler.set_timesteps(steps)
        bare = getattr(self.module, "module", self.module)
        for t in self.scheduler.timesteps:
            empty, conditional = bare(latent.repeat(2, 1, 1, 1), t.to(device), tokens).float().chunk(2)
            latent = self.scheduler.step(empty + guidance * (conditional - empty), t, latent).prev_sample
        pixels = torch.cat([decode(self.vae, part) for part in latent.split(4)])
        return to_bytes(rearrange(pixels, "b c h w -> b h w c"))

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Write the whole of Sticker-SD as an fp16 diffusers folder `sticker-sd/`."""
        out = folder / "sticker-sd"
        bare = getattr(self.module, "module", self.module)
        write_pipeline(out, unet=bare.unet, text_encoder=bare.text_encoder, vae=self.vae)
        seen = tokens_seen(self.tokenizer, training_texts(recipe))
        (out / "tokens_seen.json").write_text(json.dumps(seen))


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
