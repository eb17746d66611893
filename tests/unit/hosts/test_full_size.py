"""Every family at its full size, on a device without memory: the names, shapes and counts that its real files have."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ldznet_ext.convert.infer import infer_unet
from ldznet_ext.convert.layouts import unet_from_compvis, unet_to_compvis
from ldznet_ext.convert.openclip import sd2_text, text_from_openclip
from ldznet_ext.harvest.locate import find_taps
from ldznet_ext.harvest.taps import FAMILY_TAPS
from ldznet_ext.hosts.clip_text import ClipText, TextConfig, clip_keys
from ldznet_ext.hosts.dual_text import DualText
from ldznet_ext.hosts.kinds import unet_family
from ldznet_ext.hosts.unet_settings import family_of, unet_config
from ldznet_ext.nets.unet import UNet, UNetConfig

SD1 = UNetConfig()
SD2 = UNetConfig(num_heads=5, head_channels=64, context_dim=1024, linear_projection=True)
SDXL = UNetConfig(
    channel_mult=(1, 2, 4),
    attention_levels=(1, 2),
    num_heads=5,
    head_channels=64,
    context_dim=2048,
    linear_projection=True,
    depths=(1, 2, 10),
    vector_dim=2816,
)
# the authors' own counts: parameters of the UNet, tensors in its file
UNETS = {
    "sd1": (SD1, 859_520_964, 686),
    "sd2": (SD2, 865_910_724, 686),
    "sdxl": (SDXL, 2_567_463_684, 1680),
    "sd1, inpainting": (replace(SD1, in_channels=9), 859_535_364, 686),
    "sd2, inpainting": (replace(SD2, in_channels=9), 865_925_124, 686),
    "sdxl, inpainting": (replace(SDXL, in_channels=9), 2_567_478_084, 1680),
}
DIFFUSERS = {
    "sd1": {"cross_attention_dim": 768, "attention_head_dim": 8},
    "sd2": {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": True},
    "sdxl": {
        "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "cross_attention_dim": 2048,
        "attention_head_dim": [5, 10, 20],
        "transformer_layers_per_block": [1, 2, 10],
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}
"""What the hub's `unet/config.json` of each says."""


@pytest.mark.parametrize("name", UNETS)
def test_the_unet(name: str) -> None:
    config, parameters, tensors = UNETS[name]
    family = name.partition(",")[0]
    with torch.device("meta"):
        unet = UNet(config)
    state = unet.state_dict()
    assert (sum(p.numel() for p in unet.parameters()), len(state)) == (parameters, tensors)
    assert find_taps(unet) == FAMILY_TAPS[family]
    renamed = unet_from_compvis(state)
    assert unet_config(infer_unet(renamed)) == config and family_of(config) == family
    assert unet_family({key: tuple(tensor.shape) for key, tensor in state.items()}, compvis=True) == family
    assert {key: t.shape for key, t in unet_to_compvis(renamed).items()} == {key: t.shape for key, t in state.items()}


@pytest.mark.parametrize("family", DIFFUSERS)
def test_diffusers_has_the_same_tensors(family: str) -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is the oracle")
    with torch.device("meta"):
        theirs = diffusers.UNet2DConditionModel(**DIFFUSERS[family]).state_dict()
        ours = UNet(unet_config({**UNET_JSON, **DIFFUSERS[family]}))
    assert unet_config({**UNET_JSON, **DIFFUSERS[family]}) == UNETS[family][0]
    renamed = unet_to_compvis(theirs)
    assert {key: t.shape for key, t in renamed.items()} == {key: t.shape for key, t in ours.state_dict().items()}


UNET_JSON = {
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
    "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
}


@pytest.mark.slow
def test_sdxl_computes_at_its_size() -> None:
    with torch.device("meta"):
        unet, noisy = UNet(SDXL), torch.empty(2, 4, 128, 96)
        out = unet(noisy, torch.empty(2), torch.empty(2, 77, 2048), torch.empty(2, 2816))
    assert out.shape == noisy.shape


CLIP_L = TextConfig()
OPENCLIP_H = TextConfig(
    hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16, hidden_act="gelu"
)
OPENCLIP_G = TextConfig(
    hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, hidden_act="gelu"
)


def openclip_shapes(width: int, layers: int) -> dict[str, torch.Tensor]:
    """A tower as the file has it, with all its layers, on the meta device."""
    block = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (4 * width, width),
        "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (width, 4 * width),
        "mlp.c_proj.bias": (width,),
    }
    ends: dict[str, tuple[int, ...]] = {
        "positional_embedding": (77, width),
        "text_projection": (width, width),
        "logit_scale": (),
        "token_embedding.weight": (49408, width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
    }
    named = {f"transformer.resblocks.{n}.{key}": shape for n in range(layers) for key, shape in block.items()}
    return {key: torch.empty(shape, device="meta") for key, shape in {**ends, **named}.items()}


def shapes(state: Any) -> dict[str, Any]:
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def test_the_text_towers() -> None:
    with torch.device("meta"):
        first, second = ClipText(CLIP_L), ClipText(OPENCLIP_H)
        both = DualText(CLIP_L, OPENCLIP_G, 1280)
    counts = [sum(p.numel() for p in tower.parameters()) for tower in (first, second, both.second)]
    assert counts == [123_060_480, 340_387_840, 694_659_840 - 1280 * 1280]
    assert shapes(clip_keys(sd2_text(openclip_shapes(1024, 24)))) == shapes(second.state_dict())
    tower = text_from_openclip(openclip_shapes(1280, 32))
    assert shapes(clip_keys(tower)) == shapes(both.second.state_dict())
    assert tuple(tower["text_projection.weight"].shape) == tuple(both.text_projection.weight.shape)
