"""Train Sticker-SD's text encoder before its UNet, from texts alone, so that its states say which words a text has.

Stable Diffusion's CLIP has learnt to tell texts apart before a UNet reads it. One that learns from a short training of the
UNet alone makes all nouns nearly one vector, and neither the UNet nor a head can then know which object a word names. Here
every state, those of the padding too, must tell the words up to its place, as CLIP's do.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ldznet_ext.train.recipe import Phase, Recipe
from ldznet_ext.train.tokenizer import POSITIONS, write_tokenizer
from ldznet_ext.world.captions import caption
from ldznet_ext.world.phrases import phrases
from ldznet_ext.world.scenes import scene

START, END = 49406, 49407
WORDS_APART, POSITIONS_APART = 0.3, 0.08
"""Standard deviations of fresh embeddings: words are apart from the start."""
SHORT = 26
"""Positions that three steps of four read: most texts are shorter, and a step costs a third."""


def build_text_encoder(model: dict[str, Any]) -> CLIPTextModel:
    """A fresh CLIP text model at the recipe's `text_width`, `text_layers` and `text_heads`."""
    width = model["text_width"]
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=END + 1,
            hidden_size=width,
            intermediate_size=4 * width,
            projection_dim=width,
            num_hidden_layers=model["text_layers"],
            num_attention_heads=model["text_heads"],
            max_position_embeddings=POSITIONS,
            hidden_act="quick_gelu",
            bos_token_id=START,
            eos_token_id=END,
            pad_token_id=END,
        )
    )
    with torch.no_grad():
        for name, parameter in text.named_parameters():
            if "token_embedding" in name:
                parameter.normal_(0, WORDS_APART)
            elif "position_embedding" in name:
                parameter.normal_(0, POSITIONS_APART)
    return text


class Texts(Dataset):
    """{"tokens": int64 77} of the captions and phrases of scenes, as the UNet and the heads will meet them."""

    def __init__(self, tokenizer: CLIPTokenizer, *, seed: int, scenes: int, concepts: str) -> None:
        texts: list[str] = []
        for index in range(scenes):
            painted = scene(seed, index, concepts=concepts, size=64)
            texts += [caption(painted, variant) for variant in range(4)]
            texts += [phrase.text for phrase in phrases(painted)]
            texts += [thing.concept.name for thing in painted.objects]
        settings = {"padding": "max_length", "truncation": True, "max_length": POSITIONS, "return_tensors": "pt"}
        self.tokens = tokenizer(texts, **settings).input_ids
        self.order = np.random.default_rng(seed).permutation(len(texts))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"tokens": self.tokens[self.order[index % len(self.order)]]}


class Teller(nn.Module):
    """A text encoder and one linear layer that reads the words off its states (b n d)."""

    def __init__(self, text_encoder: CLIPTextModel, words: int) -> None:
        super().__init__()
        self.text_encoder = text_encoder
        self.reads = nn.Linear(text_encoder.config.hidden_size, words)

    def forward(self, tokens: Tensor, places: Tensor) -> Tensor:
        """Logits (b places words) at some places (b places) of each text."""
        states = self.text_encoder(tokens).last_hidden_state
        return self.reads(torch.gather(states, 1, places[..., None].expand(-1, -1, states.shape[-1])))


class TextTask:
    """Tell at any place of a text which words have come so far."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, model, data = recipe, recipe.model, recipe.data
        folder = Path(model.get("cache_folder", "runs/latents"))
        tokenizer = CLIPTokenizer.from_pretrained(write_tokenizer(folder / "tokenizer"))
        self.texts = Texts(tokenizer, seed=recipe.seed, scenes=data["scenes"], concepts=data["concepts"])
        self.words = self.texts.tokens.unique()
        torch.manual_seed(recipe.seed)
        self.module = Teller(build_text_encoder(model), len(self.words))

    def dataset(self, phase: Phase) -> Dataset:
        return self.texts

    def loss(self, batch: dict[str, Any], noise: torch.Generator, progress: float) -> dict[str, Tensor]:
        short = float(torch.rand((), generator=noise)) < 0.75
        tokens = batch["tokens"][:, : SHORT if short else POSITIONS]
        places = some_places(tokens, noise)
        ids = torch.searchsorted(self.words.to(tokens.device), tokens.contiguous())
        so_far = F.one_hot(ids, len(self.words)).cumsum(dim=1).clamp(max=1)
        target = torch.gather(so_far, 1, places[..., None].expand(-1, -1, len(self.words))).float()
        logits = self.module(tokens, places).float()
        rare = torch.tensor(self.recipe.loss["present"], device=logits.device)
        told = F.binary_cross_entropy_with_logits(logits, target, pos_weight=rare)
        own = F.cross_entropy(logits[:, :2].flatten(0, 1), torch.gather(ids, 1, places[:, :2]).flatten())
        recall = (logits > 0)[target > 0.5].float().mean()
        return {"loss": told + self.recipe.loss["own"] * own, "told": told.detach(), "recall": recall.detach()}

    def sheet(self) -> np.ndarray | None:
        return None

    def export(self, folder: Path, recipe: Recipe) -> None:
        """Write `text_encoder/`, for a diffusion recipe's `text_encoder`."""
        module = getattr(self.module, "module", self.module)
        module.text_encoder.save_pretrained(folder / "text_encoder", safe_serialization=True)


def some_places(tokens: Tensor, noise: torch.Generator) -> Tensor:
    """Places (b 5) of each text (b n): two words, the end, a padding after it, and the last."""
    count, length = tokens.shape
    ended = tokens == END
    end = torch.where(ended.any(dim=1), ended.float().argmax(dim=1), length - 1)
    first, second, after = torch.rand(3, count, generator=noise).to(tokens.device)
    words = (end - 1).clamp(min=1)
    padding = (end + 1 + (after * (length - 1 - end)).long()).clamp(max=length - 1)
    last = torch.full_like(end, length - 1)
    return torch.stack([1 + (first * words).long(), 1 + (second * words).long(), end, padding, last], dim=1)
