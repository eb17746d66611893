"""A tiny random model of Sticker-SD's anatomy, as a diffusers folder on disk, and heads to go with it.

Real classes at tiny width, not mocks: what holds for it holds for the real one, only the numbers mean nothing.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ldznet_ext.convert.layouts import unet_from_compvis
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.nets.heads import build_head
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.segmenters.familiarity import Familiarity
from ldznet_ext.weights import HeadInfo, save_head

WORDS = ("a", "an", "fox", "owl", "on", "snow", "the", "red", "balloon", "and")
"""Each is one token; "cat" and other words fall into letters the model never saw."""

UNET = UNetConfig(model_channels=32, channel_mult=(1, 1, 2, 2), context_dim=32)
VAE = AutoencoderConfig(block_out_channels=(32, 32, 32, 32), layers_per_block=1, scaling_factor=0.5)
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
OVERRIDES = {"model_channels": 32, "channel_mult": [1, 1, 2, 2], "context_dim": 32, "grid": 4, "mid_grid": 2}
NATIVE = 128

UNET_JSON = {
    "_class_name": "UNet2DConditionModel",
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [32, 32, 64, 64],
    "layers_per_block": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 32,
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}
VAE_JSON = {
    "_class_name": "AutoencoderKL",
    "block_out_channels": [32, 32, 32, 32],
    "layers_per_block": 1,
    "latent_channels": 4,
    "scaling_factor": 0.5,
    "sample_size": 128,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with Sticker-SD and an LD-ZNet head, both tiny; read it, do not write into it."""
    return write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def backbone(models: Path, monkeypatch: pytest.MonkeyPatch) -> StandaloneBackbone:
    """The tiny model, freshly loaded, and the only one that is found by name."""
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    return load_backbone()


def picture(height: int = 90, width: int = 130, seed: int = 0) -> np.ndarray:
    """A uint8 (h w 3) picture of soft blobs."""
    coarse = np.random.default_rng(seed).uniform(0, 255, (1, 3, height // 10 + 1, width // 10 + 1)).astype(np.float32)
    smooth = torch.nn.functional.interpolate(torch.from_numpy(coarse), size=(height, width), mode="bilinear")
    return smooth[0].permute(1, 2, 0).numpy().astype(np.uint8)


def randomise(module: nn.Module, seed: int) -> nn.Module:
    """Weights of about unit gain everywhere, so that no zero-initialised layer hides a mistake."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 0
        is_norm = parameter.ndim == 1 and name.endswith("weight")
        parameter.data = 1 + 0.1 * noise if is_norm else noise / fan_in**0.5 if fan_in else 0.1 * noise
    return module


def write_tokenizer(folder: Path, words: tuple[str, ...] = WORDS) -> dict[str, int]:
    """A byte-level BPE of CLIP's kind that knows `words`; returns its vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = _byte_letters()
    vocabulary = [*letters, *(letter + "</w>" for letter in letters)]
    merges = []
    for word in sorted(words, key=len, reverse=True):  # else "on" breaks "balloon" apart
        left = word[0] if len(word) > 1 else None
        for index, letter in enumerate(word[1:], start=1):
            right = letter + ("</w>" if index == len(word) - 1 else "")
            merges.append(f"{left} {right}")
            left = left + right
            vocabulary.append(left)
    merges = list(dict.fromkeys(merges))
    vocabulary = [*dict.fromkeys(vocabulary), "<|startoftext|>", "<|endoftext|>"]
    table = {token: number for number, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(table), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", "utf-8")
    config = {"tokenizer_class": "CLIPTokenizer", "pad_token": "<|endoftext|>", "model_max_length": 77}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return table


def write_model(folder: Path, seed: int = 0) -> Path:
    """The whole model folder, called as the real one so that it is found by default."""
    vocabulary = write_tokenizer(folder / "tokenizer")
    text_config = TextConfig(vocab_size=len(vocabulary), **TEXT)
    text_json = {"_class_name": "CLIPTextModel", "vocab_size": len(vocabulary), **TEXT}
    unet = unet_from_compvis(randomise(UNet(UNET), seed).state_dict())
    _write(folder / "unet", "diffusion_pytorch_model", UNET_JSON, unet)
    vae = randomise(Autoencoder(VAE), seed + 1).state_dict()
    _write(folder / "vae", "diffusion_pytorch_model", VAE_JSON, vae)
    text = {f"text_model.{k}": v for k, v in randomise(ClipText(text_config), seed + 2).state_dict().items()}
    _write(folder / "text_encoder", "model", text_json, text)
    scheduler = folder / "scheduler"
    scheduler.mkdir()
    (scheduler / "scheduler_config.json").write_text(json.dumps({"_class_name": "DDIMScheduler", "steps_offset": 1}))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))
    seen = [vocabulary[word + "</w>"] for word in WORDS]
    (folder / "tokens_seen.json").write_text(json.dumps(seen))
    return folder


def head_info(kind: str = "ldznet", **changes: object) -> HeadInfo:
    """What a tiny head says of itself."""
    taps = ("in.8", "mid", "out.3", "out.4", "out.5") if kind in ("ldznet", "concat") else ()
    fields = {
        "kind": kind,
        "family": "sticker",
        "preset": "sticker",
        "overrides": OVERRIDES,
        "taps": taps,
        "native_grid": (4, 2),
        "found_threshold": 0.5,
        **changes,
    }
    return HeadInfo(**fields)


def write_head(path: Path, kind: str = "ldznet", familiarity: Familiarity | None = None, **changes: object) -> Path:
    """A random head's file."""
    head = randomise(build_head(kind, "sticker", **{**OVERRIDES, "channel_mult": (1, 1, 2, 2)}), seed=7)
    return save_head(path, head.state_dict(), head_info(kind, **changes), familiarity, dtype=torch.float32)


def write_models(folder: Path) -> Path:
    """A model folder as `models/` is: Sticker-SD and an LD-ZNet head, both tiny."""
    write_model(folder / "sticker-sd")
    write_head(folder / "ldznet-sticker.safetensors")
    return folder


def _write(folder: Path, name: str, config: dict[str, object], state: dict[str, torch.Tensor]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    save_file({key: value.contiguous() for key, value in state.items()}, folder / f"{name}.safetensors")


def _byte_letters() -> list[str]:
    """The printable stand-ins of the 256 bytes, in GPT-2's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [number for number in range(256) if number not in plain]
    return [chr(number) for number in plain] + [chr(256 + index) for index in range(len(others))]
