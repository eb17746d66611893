"""Sticker-SD as its training sees it: captions to tokens, and DDIM samples."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from einops import rearrange
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from ldznet_ext.train.autoencoder import to_bytes
from ldznet_ext.train.latents import decode
from ldznet_ext.train.tokenizer import POSITIONS


class StickerSD(nn.Module):
    """UNet and text encoder, trained together."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super().__init__()
        self.unet, self.text_encoder = unet, text_encoder
        if not torch.cuda.is_available():  # fused attention in bf16 takes a CPU a third of a step longer
            unet.set_attn_processor(AttnProcessor())

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """Predicted noise (b 4 h w)."""
        states = self.text_encoder(tokens).last_hidden_state
        return self.unet(noisy, timesteps, states).sample


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


def load_networks(folder: Path) -> StickerSD:
    """Both networks of a diffusers folder, in float32."""
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    return StickerSD(unet, CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32))


def tokens_of(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """(b 77) token ids, padded and cut as Stable Diffusion does."""
    return tokenizer(texts, padding="max_length", truncation=True, max_length=POSITIONS, return_tensors="pt").input_ids


class Painter:
    """Networks (also in accelerate's wrapper), autoencoder and tokenizer together: pictures from captions."""

    def __init__(self, networks: nn.Module, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> None:
        self.networks, self.vae, self.tokenizer = networks, vae, tokenizer
        self.scheduler = schedule()

    def tokens(self, texts: list[str]) -> Tensor:
        """(b 77) token ids, see `tokens_of`."""
        return tokens_of(self.tokenizer, texts)

    @torch.no_grad()
    def sample(self, prompts: list[str], *, size: int, seed: int, steps: int = 20, guidance: float = 5.0) -> np.ndarray:
        """DDIM samples, uint8 (b size size 3)."""
        device = next(self.networks.parameters()).device
        shape = (len(prompts), 4, size // 8, size // 8)
        latent = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
        tokens = self.tokens([""] * len(prompts) + prompts).to(device)
        self.scheduler.set_timesteps(steps)
        for t in self.scheduler.timesteps:
            empty, conditional = self.networks(latent.repeat(2, 1, 1, 1), t.to(device), tokens).float().chunk(2)
            latent = self.scheduler.step(empty + guidance * (conditional - empty), t, latent).prev_sample
        pixels = torch.cat([decode(self.vae, part) for part in latent.split(4)])
        return to_bytes(rearrange(pixels, "b c h w -> b h w c"))
