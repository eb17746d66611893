"""Train a head (ldznet, znet, rgbnet, concat) on Sticker World, all of them started from Sticker-SD's UNet.

Features are of both kinds: of a pass conditioned on the phrase, and of one conditioned on the whole caption, which is
what a generation leaves behind. Timesteps are uniform in 300-499, as in the authors' training.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from einops import rearrange
from torch import Tensor
from torch.utils.data import Dataset
from transformers import CLIPTokenizer

from ldznet_ext.convert.layouts import unet_to_compvis
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import last_tap
from ldznet_ext.nets.heads import build_head, put_to_rest, start_from_unet
from ldznet_ext.train.autoencoder import to_bytes
from ldznet_ext.train.calibration import TIMESTEP, calibrate
from ldznet_ext.train.contrast import Vocabulary, contrast, descend
from ldznet_ext.train.latents import CachedLatents, encode
from ldznet_ext.train.noise import gaussian
from ldznet_ext.train.painter import Painter, load_networks, schedule
from ldznet_ext.train.phrased import PhrasedScenes
from ldznet_ext.train.recipe import Phase, Recipe
from ldznet_ext.weights import HeadInfo, load_head, save_head

TIMESTEPS = (300, 500)


class HeadTask:
    """Segment phrases in scenes by the latent and the frozen diffusion model's features."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, model = recipe, recipe.model
        folder = Path(model["sticker_sd"])
        self.vae = _frozen(AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32))
        networks = load_networks(folder)
        _frozen(networks)
        self.unet, self.text = networks.unet, networks.text_encoder
        self.painter = Painter(networks, self.vae, CLIPTokenizer.from_pretrained(folder / "tokenizer"))
        self.ids: dict[str, Tensor] = {}
        self.styles = tuple(recipe.data["styles"]) or None
        self.alphas = schedule().alphas_cumprod
        torch.manual_seed(recipe.seed)
        if recipe.start:
            self.module = load_head(recipe.start)[0].requires_grad_(True).train()
        else:
            self.module = build_head(model["head"], model["preset"])
            start_from_unet(self.module, unet_to_compvis(self.unet.state_dict()))
        put_to_rest(self.module, model.get("rest", ()))
        self.cache = Path(model.get("cache_folder", "runs/latents"))
        self.contrast = recipe.loss.get("contrast", 0.0)
        self.vocabulary = Vocabulary.read(self.states, self.painter.tokens) if self.contrast else None

    def states(self, texts: list[str]) -> Tensor:
        """(b 77 c) last hidden states, where the text encoder is."""
        return self.encode_text(texts, self.text.device)

    @property
    def head(self):
        """The network, out of accelerate's wrapper."""
        return getattr(self.module, "module", self.module)

    def dataset(self, phase: Phase) -> Dataset:
        data = self.recipe.data
        common = {"seed": self.recipe.seed, "size": phase.size, "styles": self.styles, "each": data["phrases_each"]}
        common |= {"window": phase.window, "kinds": data.get("kinds"), "labels": bool(self.contrast)}
        return PhrasedScenes(latents=self.cached(phase.size), **common)

    def cached(self, size: int) -> Tensor | None:
        """(scenes 4 h w): the latents that the diffusion model was trained on, in all styles, as many as `cache` asks for."""
        scenes = self.recipe.data.get("cache", {}).get(str(size), 0)
        if not scenes or self.styles or self.head.reads != "latent":
            return None
        common = {"seed": self.recipe.seed, "size": size, "concepts": "known"}
        return CachedLatents(self.cache, vae=self.vae, count=scenes, workers=self.recipe.workers, **common).latents

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, Tensor]:
        target = rearrange(batch["masks"], "n k h w -> (n k) 1 h w")
        words = [words for scene in zip(*batch["phrases"], strict=True) for words in scene]
        each = batch["masks"].shape[1]
        captions = [text for text in batch["caption"] for _ in range(each)]
        source = batch["latent"] if "latent" in batch else self.source(batch["pixels"])
        logits = self.answer(source, words, captions, noise)
        bce = F.binary_cross_entropy_with_logits(logits, target)
        overlap = _dice_loss(logits, target)
        parts = {"bce": bce, "dice": self.recipe.loss["dice"] * overlap}
        shown = {"bce": bce.detach(), "dice": overlap.detach()}
        if self.vocabulary is not None:
            context = self.vocabulary.texts(len(source), noise).to(source.device)
            queries = descend(self.head, source, context)
            told, right = contrast(self.head, queries, self.vocabulary.draw(noise), batch["areas"])
            parts["contrast"] = self.contrast * told
            shown |= {"contrast": told.detach(), "named": right}
        return {"loss": sum(parts.values()), **shown}

    def source(self, pixels: Tensor) -> Tensor:
        """What the head reads of pictures (n 3 h w)."""
        return pixels if self.head.reads == "pixels" else encode(self.vae.to(pixels.device), pixels).to(pixels.device)

    def logits(self, pixels: Tensor, words: list[str], captions: list[str], noise: torch.Generator) -> Tensor:
        """Logits (n*k 1 h w) of k phrases for each of n pictures (n 3 h w), phrases of a picture in a row."""
        return self.answer(self.source(pixels), words, captions, noise)

    def answer(self, source: Tensor, words: list[str], captions: list[str], noise: torch.Generator) -> Tensor:
        """Logits (n*k 1 h w) of k phrases for each of n sources, phrases of a source in a row."""
        device, count = source.device, len(words)
        context = self.encode_text(words, device)
        source = source.repeat_interleave(count // len(source), 0)
        if not self.head.taps:
            return self.module(source, context)
        by_caption = torch.rand(count, generator=noise) < self.recipe.data["caption_features"]
        timesteps = torch.randint(*TIMESTEPS, (count,), generator=noise)
        scatter = gaussian(source.shape, noise, device)
        guides = [c if swap else w for c, w, swap in zip(captions, words, by_caption, strict=True)]
        return self.module(source, context, self.features(source, guides, timesteps, scatter))

    @torch.no_grad()
    def features(self, latent: Tensor, texts: list[str], timesteps: Tensor, scatter: Tensor) -> dict[str, Tensor]:
        """Taps of one pass of the frozen UNet over the noised latent."""
        device, taps = latent.device, self.head.taps
        level = self.alphas[timesteps].to(device)[:, None, None, None]
        noisy = level.sqrt() * latent + (1 - level).sqrt() * scatter.to(device)
        with harvest(self.unet.to(device), taps, stop_after=last_tap(taps), clone=False) as store:
            store.run(lambda: self.unet(noisy, timesteps.to(device), self.encode_text(texts, device)))
        return {tap: feature.float() for tap, feature in store.take().items()}

    @torch.no_grad()
    def encode_text(self, texts: list[str], device: torch.device) -> Tensor:
        """(b 77 c) last hidden states."""
        return self.text.to(device)(self.tokens(texts).to(device)).last_hidden_state

    def tokens(self, texts: list[str]) -> Tensor:
        """(b 77) token ids; phrases come again and again, so each is read once."""
        if new := [text for text in dict.fromkeys(texts) if text not in self.ids]:
            self.ids.update(zip(new, self.painter.tokens(new), strict=True))
        return torch.stack([self.ids[text] for text in texts])

    def sheet(self) -> np.ndarray:
        """Rows: picture, then truth and probability of each of its phrases."""
        each, size = 2, self.recipe.phases[-1].size
        rows = self._val(size, range(6), each)
        device = next(self.head.parameters()).device
        pictures, cells = rows["pixels"].to(device), []
        words = [words for scene in rows["phrases"] for words in scene]
        captions = [text for text in rows["caption"] for _ in range(each)]
        probs = self.logits(pictures, words, captions, torch.Generator().manual_seed(0)).float().sigmoid().cpu()
        probs = rearrange(probs, "(n k) 1 h w -> n k h w", k=each)
        for picture, masks, prob in zip(rows["pixels"], rows["masks"], probs, strict=True):
            grey = [(m * 2 - 1).expand(3, -1, -1) for pair in zip(masks, prob, strict=True) for m in pair]
            cells.append(torch.cat([picture, *grey], dim=2))
        return to_bytes(rearrange(torch.stack(cells), "n c h w -> (n h) w c"))

    def _val(self, size: int, indices: range, each: int) -> dict[str, Any]:
        data = PhrasedScenes(seed=self.recipe.seed, size=size, styles=self.styles, each=each, split="val")
        items = [data[i] for i in indices]
        return {
            "pixels": torch.stack([item["pixels"] for item in items]),
            "masks": torch.stack([item["masks"] for item in items]),
            "phrases": [item["phrases"] for item in items],
            "caption": [item["caption"] for item in items],
        }

    def info(self, recipe: Recipe) -> HeadInfo:
        """What the head's file says of it, but for its calibration."""
        preset = self.head.preset
        return HeadInfo(
            kind=self.head.kind,
            family=preset.family,
            preset=preset.name,
            taps=tuple(self.head.taps),
            native_grid=(preset.grid, preset.mid_grid),
            timestep=TIMESTEP,
            recipe=json.dumps(recipe.as_dict()),
            commit=_commit(),
        )

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Calibrate on val scenes and write `<kind>-sticker.safetensors`."""
        counts = {"scenes": recipe.data["calibration_scenes"], "paintings": recipe.data["calibration_paintings"]}
        info, familiarity = calibrate(self, self.info(recipe), **counts)
        save_head(folder / f"{self.head.kind}-sticker.safetensors", self.head.state_dict(), info, familiarity)


def _frozen(module: torch.nn.Module) -> torch.nn.Module:
    return module.eval().requires_grad_(False)


def _dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice, over the phrases that are there (absent ones have nothing to overlap with)."""
    prob = logits.float().sigmoid()
    overlap = (prob * target).sum((1, 2, 3))
    total = prob.sum((1, 2, 3)) + target.sum((1, 2, 3))
    there = target.amax((1, 2, 3)) > 0
    dice = 1 - (2 * overlap + 1) / (total + 1)
    return (dice * there).sum() / there.sum().clamp_min(1)


def _commit() -> str:
    """The checkout's commit, or "unknown" outside of one."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"
