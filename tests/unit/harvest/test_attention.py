"""Attentions found in both layouts and in SDXL's shape; queries kept; keys of other words."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.attention import beside, find_layers, finest_self_attention, grid_of, split_heads
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.locate import find_strides, locate

Call = Callable[[nn.Module], torch.Tensor]


def test_strides_follow_the_shape(unet: nn.Module) -> None:
    strides = find_strides(unet)
    assert [strides[f"in.{n}"] for n in (1, 3, 5, 8, 11)] == [1, 2, 2, 4, 8]
    assert [strides[name] for name in ("mid", "out.0", "out.3", "out.6", "out.9", "out.11")] == [8, 8, 4, 2, 1, 1]


def test_layers_and_their_grids(unet: nn.Module, call: Call) -> None:
    layers = find_layers(unet, "attn2", ["in.5", "mid", "out.10"])
    assert [(layer.q, layer.stride, layer.heads) for layer in layers] == [
        ("in.5.attn2.q", 2, 8),
        ("mid.attn2.q", 8, 8),
        ("out.10.attn2.q", 1, 8),
    ]
    with harvest(unet, [layer.q for layer in layers]) as store:
        call(unet)
    sizes = [grid_of(Size(8, 16), layer.stride, store[layer.q].shape[1]) for layer in layers]
    assert sizes == [Size(4, 8), Size(1, 2), Size(8, 16)]


def test_attention_from_queries_and_keys_is_the_layers_own(unet: nn.Module, call: Call) -> None:
    """softmax(q k^T) v through the layer's own output equals what the layer put out."""
    (layer,) = find_layers(unet, "attn2", ["out.4"])
    taps = [f"out.4.attn2.{port}" for port in ("q", "v", "out")]
    states = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(1))
    with harvest(unet, taps) as store, torch.no_grad():
        call(unet)
        values = split_heads(layer.module.to_v(states), layer.heads)
    q, k = split_heads(store["out.4.attn2.q"], layer.heads), layer.keys(states)
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    with torch.no_grad():
        ours = layer.module.to_out[0]((scores.softmax(-1) @ values).transpose(1, 2).flatten(2))
        same = layer.module(_entering(unet, call), states)
    torch.testing.assert_close(ours, same, atol=1e-4, rtol=1e-4)


def _entering(unet: nn.Module, call: Call) -> torch.Tensor:
    with harvest(unet, ["out.4.attn2.in"]) as store:
        call(unet)
    return store["out.4.attn2.in"]


def test_the_finest_self_attention_of_sd(unet: nn.Module) -> None:
    layer = finest_self_attention(unet)
    assert (layer.q, layer.k, layer.stride) == ("out.10.attn1.q", "out.10.attn1.k", 1)


def test_sdxl_has_several_blocks_and_none_at_the_finest_level() -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 3),
        cross_attention_dim=12,
    )
    layer = finest_self_attention(unet)
    assert (layer.q, layer.stride) == ("out.4.block1.attn1.q", 2)
    assert layer.module is unet.up_blocks[1].attentions[1].transformer_blocks[1].attn1
    deep = find_layers(unet, "attn2", ["mid"])
    assert [each.q for each in deep] == ["mid.attn2.q", "mid.block1.attn2.q", "mid.block2.attn2.q"]
    assert [each.q for each in find_layers(unet, "attn2", ["mid"], every=False)] == ["mid.block2.attn2.q"]
    assert locate(unet, [deep[2].q])[deep[2].q].module is unet.mid_block.attentions[0].transformer_blocks[2].attn2.to_q
    with pytest.raises(ModelError, match=r"'mid.block3.attn2.q', but the transformer at mid has 3 blocks"):
        locate(unet, ["mid.block3.attn2.q"])


def test_merged_cells_are_a_sentence() -> None:
    with pytest.raises(ModelError, match="has 20 cells for a latent of 8x16; expected 32, so switch token merging off"):
        grid_of(Size(8, 16), 2, 20)


def test_a_layer_that_was_moved_away_is_asked_through_a_copy() -> None:
    layer = torch.nn.Linear(3, 2, bias=False)
    assert beside(layer, torch.device("cpu")) is layer
    twin = beside(layer, torch.device("meta"))
    assert twin(torch.zeros(1, 3, device="meta")).shape == (1, 2)
    assert layer.weight.device.type == "cpu" and twin.weight.device.type == "meta"
