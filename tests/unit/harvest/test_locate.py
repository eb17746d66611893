from collections.abc import Callable

import pytest
import torch
from torch import nn

from ldznet_ext.convert.layouts import unet_to_compvis
from ldznet_ext.errors import ModelError
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.locate import detect_layout, find_taps, locate
from ldznet_ext.harvest.taps import SD_TAPS, SDXL_TAPS, tap_stride
from ldznet_ext.nets.unet import UNet


def test_layouts(compvis_unet: nn.Module, diffusers_unet: nn.Module) -> None:
    assert detect_layout(compvis_unet) == "compvis"
    assert detect_layout(diffusers_unet) == "diffusers"
    with pytest.raises(ModelError, match="is a Linear without UNet blocks"):
        detect_layout(nn.Linear(2, 3))


def test_all_sixteen_are_found_in_order(unet: nn.Module) -> None:
    assert find_taps(unet) == SD_TAPS


def test_known_modules(compvis_unet: nn.Module, diffusers_unet: nn.Module) -> None:
    taps = ["in.8", "mid", "out.5", "out.5.res.in", "out.5.attn2.q", "mid.attn1.k", "out.2.res.in"]
    ours, theirs = locate(compvis_unet, taps), locate(diffusers_unet, taps)
    assert [port.module for port in ours.values()] == [
        compvis_unet.input_blocks[8][1],
        compvis_unet.middle_block[1],
        compvis_unet.output_blocks[5][1],
        compvis_unet.output_blocks[5][0],
        compvis_unet.output_blocks[5][1].transformer_blocks[0].attn2.to_q,
        compvis_unet.middle_block[1].transformer_blocks[0].attn1.to_k,
        compvis_unet.output_blocks[2][0],
    ]
    assert [port.module for port in theirs.values()] == [
        diffusers_unet.down_blocks[2].attentions[1],
        diffusers_unet.mid_block.attentions[0],
        diffusers_unet.up_blocks[1].attentions[2],
        diffusers_unet.up_blocks[1].resnets[2],
        diffusers_unet.up_blocks[1].attentions[2].transformer_blocks[0].attn2.to_q,
        diffusers_unet.mid_block.attentions[0].transformer_blocks[0].attn1.to_k,
        diffusers_unet.up_blocks[0].resnets[2],
    ]
    sides = [port.side for port in ours.values()]
    assert sides == [port.side for port in theirs.values()] == ["out", "out", "out", "in", "out", "out", "in"]


@pytest.mark.parametrize("tap", ["in.3", "in.10", "out.2", "out.12", "in.0", "in.3.res.in", "out.0.attn1.q"])
def test_a_tap_that_is_not_there_lists_what_is(unet: nn.Module, tap: str) -> None:
    with pytest.raises(ModelError, match=rf"The tap is '{tap}'.* expected one of in\.1.*out\.11"):
        locate(unet, [tap])


def test_sdxl_shape() -> None:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2),
        cross_attention_dim=12,
    )
    assert find_taps(unet) == SDXL_TAPS
    assert locate(unet, ["out.3"])["out.3"].module is unet.up_blocks[1].attentions[0]


def test_both_layouts_name_the_same_tensors(
    compvis_unet: UNet, diffusers_unet: nn.Module, call: Callable[[nn.Module], torch.Tensor]
) -> None:
    """The same weights in both layouts: every tap, fine ones too, carries the same numbers at its stride."""
    twin = UNet(compvis_unet.config).eval()
    twin.load_state_dict(unet_to_compvis(diffusers_unet.state_dict()))
    fine = ["in.4.res.in", "in.10.res.out", "mid.res.in", "out.2.res.in", "out.5.res.in", "out.9.res.out"]
    fine += [f"out.5.{attn}.{port}" for attn in ("attn1", "attn2") for port in ("in", "q", "k", "v", "out")]
    taps = [*SD_TAPS, *fine, "mid.attn1.k"]
    with harvest(twin, taps) as ours:
        call(twin)
    with harvest(diffusers_unet, taps) as theirs:
        call(diffusers_unet)
    assert set(ours) == set(theirs) == set(taps)
    for tap in taps:
        torch.testing.assert_close(ours[tap], theirs[tap], atol=1e-3, rtol=1e-3)
    for tap in SD_TAPS:
        assert ours[tap].shape[-2:] == (8 // tap_stride(tap), 16 // tap_stride(tap))
