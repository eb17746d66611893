"""Scaled-down Stable Diffusion of every family, as files in the official layout: real classes, official key names.

What is written down here does not go through the code that reads it; the towers of OpenCLIP compute, too, on torch's attention.
"""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ldznet_ext.convert.single_file import read_single_file
from ldznet_ext.hosts.clip_text import ClipText, TextConfig
from ldznet_ext.nets.unet import UNet, UNetConfig
from tests.tiny import randomise, write_tokenizer

VOCABULARY = 535
"""Tokens of `tests.tiny.write_tokenizer`'s vocabulary."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family's form at small width. text, second: width, layers and heads of the text towers."""

    name: str
    unet: UNetConfig
    text: tuple[int, int, int]
    second: tuple[int, int, int] | None = None


SD1 = Family(name="sd1", unet=UNetConfig(model_channels=32, context_dim=64), text=(64, 1, 1))
SD2 = Family(
    name="sd2",
    unet=UNetConfig(model_channels=64, num_heads=1, head_channels=64, context_dim=128, linear_projection=True),
    text=(128, 3, 2),
)
SDXL = Family(
    name="sdxl",
    unet=UNetConfig(
        model_channels=64,
        channel_mult=(1, 2, 4),
        attention_levels=(1, 2),
        num_heads=1,
        head_channels=64,
        context_dim=64 + 128,
        linear_projection=True,
        depths=(1, 2, 3),
        vector_dim=128 + 6 * 256,
    ),
    text=(64, 2, 1),
    second=(128, 3, 2),
)
FAMILIES = {family.name: family for family in (SD1, SD2, SDXL)}


def inpainting(family: Family) -> Family:
    """The same with nine input channels."""
    return replace(family, unet=replace(family.unet, in_channels=9))


def official_state(family: Family, seed: int = 0) -> dict[str, Tensor]:
    """Every tensor of a checkpoint as its makers name them, and some that belong to its training."""
    unet = randomise(UNet(family.unet), seed).state_dict()
    state = {f"model.diffusion_model.{key}": tensor for key, tensor in unet.items()}
    state |= {f"first_stage_model.{key}": tensor for key, tensor in compvis_vae(seed + 1).items()}
    clip = clip_state(family.text, seed + 2)
    if family.name == "sd1":
        state |= {f"cond_stage_model.transformer.{key}": tensor for key, tensor in clip.items()}
    elif family.second is None:
        state |= {
            f"cond_stage_model.model.{key}": t for key, t in openclip_tower(family.text, seed + 2).state_dict().items()
        }
    else:
        state |= {f"conditioner.embedders.0.transformer.{key}": tensor for key, tensor in clip.items()}
        tower = openclip_tower(family.second, seed + 3).state_dict()
        state |= {f"conditioner.embedders.1.model.{key}": tensor for key, tensor in tower.items()}
    state["alphas_cumprod"] = torch.linspace(1, 0, 1000)
    state["model_ema.num_updates"] = torch.tensor(7)
    return {key: tensor.contiguous().clone() for key, tensor in state.items()}


def write_official(path: Path, family: Family, seed: int = 0, metadata: Mapping[str, str] | None = None) -> Path:
    """A .safetensors file of such a checkpoint."""
    save_file(official_state(family, seed), path, metadata=dict(metadata) if metadata else None)
    return path


def clip_state(tower: tuple[int, int, int], seed: int) -> dict[str, Tensor]:
    """A text tower in transformers' names, with the position numbers that old versions save."""
    width, layers, heads = tower
    config = TextConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
    )
    named = {f"text_model.{key}": t for key, t in randomise(ClipText(config), seed).state_dict().items()}
    return {**named, "text_model.embeddings.position_ids": torch.arange(77)[None]}


class OpenClipBlock(nn.Module):
    """A layer of OpenCLIP's text tower, on torch's own attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(c_fc=nn.Linear(width, 2 * width), gelu=nn.GELU(), c_proj=nn.Linear(2 * width, width))
        )

    def forward(self, x: Tensor) -> Tensor:
        causal = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, need_weights=False, attn_mask=causal)[0]
        return x + self.mlp(self.ln_2(x))


class OpenClipText(nn.Module):
    """OpenCLIP's text tower, as checkpoints of SD 2.x and SDXL name its parts (mlfoundations/open_clip `transformer.py`)."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.empty(77, width))
        self.text_projection = nn.Parameter(torch.empty(width, width))
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        self.token_embedding = nn.Embedding(VOCABULARY, width)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(OpenClipBlock(width, heads) for _ in range(layers))
        self.ln_final = nn.LayerNorm(width)

    def layers(self, ids: Tensor) -> list[Tensor]:
        """What goes into the first layer, and what comes out of each."""
        states = [self.token_embedding(ids) + self.positional_embedding]
        for block in self.transformer.resblocks:
            states.append(block(states[-1]))
        return states


def openclip_tower(tower: tuple[int, int, int], seed: int) -> OpenClipText:
    """One with random weights."""
    made = OpenClipText(*tower).eval()
    randomise(made, seed)
    return made


def compvis_vae(seed: int) -> dict[str, Tensor]:
    """A small KL auto-encoder under CompVis' names, written out from its structure."""
    generator = torch.Generator().manual_seed(seed)
    widths, state = (32, 32, 64, 64), {}

    def conv(name: str, out: int, into: int, side: int = 3) -> None:
        state[f"{name}.weight"] = torch.randn(out, into, side, side, generator=generator) / (into * side**2) ** 0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(out, generator=generator)

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"] = 1 + 0.1 * torch.randn(width, generator=generator)
        state[f"{name}.bias"] = 0.1 * torch.randn(width, generator=generator)

    def residual(name: str, into: int, out: int) -> None:
        norm(f"{name}.norm1", into)
        conv(f"{name}.conv1", out, into)
        norm(f"{name}.norm2", out)
        conv(f"{name}.conv2", out, out)
        if into != out:
            conv(f"{name}.nin_shortcut", out, into, 1)

    def middle(name: str, width: int) -> None:
        residual(f"{name}.block_1", width, width)
        norm(f"{name}.attn_1.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            conv(f"{name}.attn_1.{part}", width, width, 1)
        residual(f"{name}.block_2", width, width)

    conv("encoder.conv_in", widths[0], 3)
    for level, width in enumerate(widths):
        residual(f"encoder.down.{level}.block.0", widths[max(level - 1, 0)], width)
        if level < 3:
            conv(f"encoder.down.{level}.downsample.conv", width, width)
    middle("encoder.mid", widths[-1])
    norm("encoder.norm_out", widths[-1])
    conv("encoder.conv_out", 8, widths[-1])
    conv("decoder.conv_in", widths[-1], 4)
    middle("decoder.mid", widths[-1])
    into = widths[-1]
    for level in reversed(range(4)):
        for block in range(2):
            residual(f"decoder.up.{level}.block.{block}", into, widths[level])
            into = widths[level]
        if level > 0:
            conv(f"decoder.up.{level}.upsample.conv", into, into)
    norm("decoder.norm_out", widths[0])
    conv("decoder.conv_out", 3, widths[0])
    conv("quant_conv", 8, 8, 1)
    conv("post_quant_conv", 4, 4, 1)
    return state


def write_vocabulary(folder: Path) -> Path:
    """A model folder with nothing but what lends other models its vocabulary."""
    companion = folder / "sticker-sd"
    (companion / "unet").mkdir(parents=True)
    vocabulary = write_tokenizer(companion / "tokenizer")
    assert len(vocabulary) == VOCABULARY
    return folder


def as_folder(path: Path, folder: Path) -> Path:
    """A checkpoint's tensors and configurations as diffusers writes them; the vocabulary is that of `write_vocabulary`."""
    file = read_single_file(path)
    for part, config in file.configs.items():
        (folder / part).mkdir(parents=True)
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        (folder / part / name).write_text(json.dumps(config))
    for part, state in file.states.items():
        tensors = {key: tensor.contiguous().clone() for key, tensor in state.items()}
        weights = "model" if part.startswith("text") else "diffusion_pytorch_model"
        save_file(tensors, folder / part / f"{weights}.safetensors")
    write_tokenizer(folder / "tokenizer")
    return folder
