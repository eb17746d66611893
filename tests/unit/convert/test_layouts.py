"""Layout conversion proved on real diffusers and transformers classes at tiny width."""

import pytest
import torch
from torch import Tensor

from ldznet_ext.convert.layouts import (
    text_from_compvis,
    text_to_compvis,
    unet_from_compvis,
    unet_to_compvis,
    vae_from_compvis,
    vae_to_compvis,
)
from ldznet_ext.errors import ModelError
from ldznet_ext.nets.unet import UNet, UNetConfig

diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

CROSS = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
CROSS_UP = ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")


def make_unet(**over: object) -> torch.nn.Module:
    torch.manual_seed(0)
    settings = {
        "block_out_channels": (32, 64, 96, 96),
        "layers_per_block": 2,
        "cross_attention_dim": 24,
        "attention_head_dim": 8,
        "down_block_types": CROSS,
        "up_block_types": CROSS_UP,
    }
    return diffusers.UNet2DConditionModel(**(settings | over)).eval()


def make_vae() -> torch.nn.Module:
    torch.manual_seed(1)
    return diffusers.AutoencoderKL(
        block_out_channels=(32, 32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
    ).eval()


def assert_same(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize(
    ("over", "config"),
    [
        ({}, {}),
        ({"use_linear_projection": True}, {"linear_projection": True}),
        ({"attention_head_dim": (4, 8, 12, 12)}, {"head_channels": 8}),  # SD 2.x counts channels per head
    ],
)
def test_our_unet_computes_what_diffusers_does(over: dict, config: dict) -> None:
    theirs = make_unet(**over)
    settings = {"model_channels": 32, "channel_mult": (1, 2, 3, 3), "context_dim": 24}
    ours = UNet(UNetConfig(**(settings | config))).eval()
    ours.load_state_dict(unet_to_compvis(theirs.state_dict()))
    x, context = torch.randn(2, 4, 8, 16), torch.randn(2, 5, 24)
    steps = torch.tensor([400, 17])
    with torch.no_grad():
        want = theirs(x, steps, context).sample
        got = ours(x, steps, context)
    assert want.std() > 0.01
    torch.testing.assert_close(got, want, atol=1e-4, rtol=0)


@pytest.mark.parametrize("over", [{}, {"use_linear_projection": True}])
def test_unet_round_trip_is_exact(over: dict) -> None:
    state = make_unet(**over).state_dict()
    assert_same(unet_from_compvis(unet_to_compvis(state)), dict(state))


def test_sdxl_shaped_unet_round_trip_is_exact() -> None:
    """Three levels, none of them with transformers at the top, several transformer blocks, an added embedding."""
    state = make_unet(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 2),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=64,
        use_linear_projection=True,
    ).state_dict()
    there = unet_to_compvis(state)
    assert "input_blocks.8.1.transformer_blocks.1.attn2.to_q.weight" in there
    assert "output_blocks.2.2.conv.weight" in there
    assert "label_emb.0.2.weight" in there
    assert_same(unet_from_compvis(there), dict(state))


def test_vae_has_the_names_and_shapes_of_a_checkpoint_and_comes_back() -> None:
    vae = make_vae()
    there = vae_to_compvis(vae.state_dict())
    assert there["encoder.mid.attn_1.q.weight"].shape == (64, 64, 1, 1)
    for key in (
        "encoder.down.0.block.0.norm1.weight",
        "encoder.down.2.downsample.conv.weight",
        "encoder.mid.block_2.conv2.bias",
        "encoder.norm_out.weight",
        "decoder.up.3.block.1.conv1.weight",
        "decoder.up.1.upsample.conv.bias",
        "quant_conv.weight",
        "post_quant_conv.bias",
    ):
        assert key in there
    assert "decoder.up.0.upsample.conv.weight" not in there, "level 0 is the full size: nothing above it"
    assert_same(vae_from_compvis(there), dict(vae.state_dict()))


def test_text_encoder_takes_both_spellings_and_comes_back() -> None:
    config = transformers.CLIPTextConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=7,
        bos_token_id=48,
        eos_token_id=49,
    )
    state = {
        key.removeprefix("text_model."): tensor
        for key, tensor in transformers.CLIPTextModel(config).state_dict().items()
    }
    there = text_to_compvis(state)
    assert_same(there, text_to_compvis({f"text_model.{key}": tensor for key, tensor in state.items()}))
    assert there["text_model.embeddings.position_ids"].tolist() == [[0, 1, 2, 3, 4, 5, 6]]
    assert "text_model.encoder.layers.1.self_attn.q_proj.weight" in there
    assert_same(text_from_compvis(there, prefix=""), {k: v for k, v in state.items() if "position_ids" not in k})


@pytest.mark.parametrize("convert", [unet_to_compvis, unet_from_compvis])
def test_something_else_is_refused(convert: object) -> None:
    with pytest.raises(ModelError, match="expected a Stable Diffusion UNet"):
        convert({"double_blocks.0.img_attn.qkv.weight": torch.zeros(2, 3)})


def test_a_stray_parameter_is_refused() -> None:
    state = make_unet().state_dict() | {"lora_thing.weight": torch.zeros(2)}
    with pytest.raises(ModelError, match=r"lora_thing\.weight"):
        unet_to_compvis(state)
