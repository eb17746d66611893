"""Every head kind inherits this suite; a new kind joins by being registered."""

import pytest
import torch
from torch import Tensor

from ldznet_ext.errors import HeadError
from ldznet_ext.nets.heads import HEADS, build_head, start_from_unet
from ldznet_ext.nets.presets import LDZNET_TAPS, PRESETS, HeadPreset, get_preset
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.nets.znet import ZNet

KINDS = ("ldznet", "znet", "rgbnet", "concat")
SMALL = {"model_channels": 32, "channel_mult": (1, 1, 2, 2), "context_dim": 12, "decoder_widths": (16, 8, 4)}
HEIGHT, WIDTH = 8, 16  # of the latent grid


def small(kind: str, preset: str = "sticker", **over: object) -> ZNet:
    torch.manual_seed(0)
    return build_head(kind, preset, **(SMALL | over)).eval()


def inputs(head: ZNet, rows: int = 2) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(7)
    shape = (rows, 3, HEIGHT * 8, WIDTH * 8) if head.reads == "pixels" else (rows, 4, HEIGHT, WIDTH)
    source = torch.randn(shape, generator=generator)
    grids = {tap: (1, 2) if tap == "mid" else (2, 4) for tap in head.taps}
    features = {tap: torch.randn(rows, 64, *grid, generator=generator) for tap, grid in grids.items()}
    return source, torch.randn(rows, 3, 12, generator=generator), features


def enliven(head: ZNet) -> ZNet:
    """Residual branches start at zero and hide what feeds them; give every matrix something."""
    torch.manual_seed(1)
    for parameter in head.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return head


def test_the_kinds_are_these() -> None:
    assert set(HEADS) == set(KINDS)
    assert {kind: HEADS[kind].kind for kind in KINDS} == {kind: kind for kind in KINDS}


@pytest.mark.parametrize("preset", ["sticker", "sd1"])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_float32_at_eight_times_the_grid(kind: str, preset: str) -> None:
    head = small(kind, preset)
    with torch.no_grad():
        logits = head(*inputs(head))
    assert logits.shape == (2, 1, HEIGHT * 8, WIDTH * 8)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("preset", ["sticker", "sd1"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_learns(kind: str, preset: str) -> None:
    head = enliven(small(kind, preset, decoder="wide" if preset == "sticker" else "official"))
    head(*inputs(head)).square().mean().backward()
    dead = [name for name, parameter in head.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert dead == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_stays_near(kind: str, dtype: torch.dtype) -> None:
    head = enliven(small(kind))
    source, context, features = inputs(head)
    with torch.no_grad():
        full = head(source, context, features)
        half = head.to(dtype)(source, context, features)
    assert half.dtype == torch.float32
    assert (half - full).abs().max() < 0.1 * full.abs().max()


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_autocast_trains(kind: str) -> None:
    head = enliven(small(kind)).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = head(*inputs(head))
    logits.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in head.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_one_picture_serves_many_phrases(kind: str) -> None:
    head = enliven(small(kind))
    source, context, features = inputs(head, rows=1)
    context = torch.cat([context, context.flip(1) * 2, -context])
    with torch.no_grad():
        together = head(source, context, features)
        alone = torch.cat([head(source, row[None], features) for row in context])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-3)


@pytest.mark.parametrize("kind", ["ldznet", "concat"])
def test_features_matter_and_are_left_alone(kind: str) -> None:
    head = enliven(small(kind))
    source, context, features = inputs(head)
    copies = {tap: tensor.clone() for tap, tensor in features.items()}
    with torch.no_grad():
        first = head(source, context, features)
        assert torch.equal(first, head(source, context, features))
        for tap in LDZNET_TAPS:
            changed = head(source, context, features | {tap: features[tap] + 1})
            assert not torch.allclose(first, changed, atol=1e-6), tap
    assert features.keys() == copies.keys()
    assert all(torch.equal(features[tap], copies[tap]) for tap in copies)


@pytest.mark.parametrize("kind", ["ldznet", "concat"])
def test_wrong_features_are_one_sentence(kind: str) -> None:
    head = small(kind)
    source, context, features = inputs(head)
    with pytest.raises(HeadError, match=r"expected also in\.8, mid, out\.3, out\.4, out\.5"):
        head(source, context)
    with pytest.raises(HeadError, match="feature at mid has 9 channels; expected 64"):
        head(source, context, features | {"mid": torch.zeros(2, 9, 1, 2)})
    with pytest.raises(HeadError, match="feature at mid has 3 rows for 2 phrases"):
        head(source, context, features | {"mid": torch.zeros(3, 64, 1, 2)})
    with pytest.raises(HeadError, match="are 3 pictures for 2 phrases"):
        head(torch.zeros(3, 4, HEIGHT, WIDTH), context, features)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_widths_are_one_sentence(kind: str) -> None:
    head = small(kind)
    source, context, features = inputs(head)
    with pytest.raises(HeadError, match=r"text states are 13 wide; expected 12"):
        head(source, torch.zeros(2, 3, 13), features)
    with pytest.raises(HeadError, match=rf"has 5 channels; expected {source.shape[1]}"):
        head(torch.zeros(1, 5, *source.shape[2:]), context, features)


def test_concatenation_starts_as_znet() -> None:
    concat, znet = small("concat"), enliven(small("znet"))
    missing = concat.load_state_dict(znet.state_dict(), strict=False).missing_keys
    assert [key.split(".join.")[0] for key in missing[::2]] == [
        "input_blocks.8.1", "middle_block.1", "output_blocks.3.1", "output_blocks.4.1", "output_blocks.5.1",
    ]  # fmt: skip
    source, context, features = inputs(concat)
    with torch.no_grad():
        torch.testing.assert_close(concat(source, context, features), znet(source, context), atol=1e-5, rtol=1e-5)


def test_full_size_ldznet_is_the_papers() -> None:
    with torch.device("meta"):
        head = build_head("ldznet", "sd1")
    assert len(head.state_dict()) == 760
    assert sum(parameter.numel() for parameter in head.parameters()) == 925_882_936
    assert sum(parameter.numel() for parameter in head.final.parameters()) == 55
    assert head.state_dict()["middle_block.1.attentionpool2D.positional_embedding"].shape == (1280, 37)


def test_presets() -> None:
    assert {name: (preset.grid, preset.mid_grid, preset.native) for name, preset in PRESETS.items()} == {
        "sd1": (12, 6, 384),
        "sticker": (8, 4, 256),
        "golden": (12, 6, 384),
    }
    assert PRESETS["sticker"].unet.widths == (64, 128, 192, 192)
    assert get_preset("sticker", context_dim=64).context_dim == 64
    assert isinstance(get_preset(PRESETS["sd1"]), HeadPreset)


def test_wrong_names_list_the_choices() -> None:
    with pytest.raises(HeadError, match=r"kind 'sam'; expected one of .*ldznet"):
        build_head("sam", "sticker")
    with pytest.raises(HeadError, match="preset is 'sd9'; expected one of sd1, sticker"):
        build_head("ldznet", "sd9")
    with pytest.raises(HeadError, match="settings are colour; expected only name"):
        build_head("ldznet", "sticker", colour=3)


def diffusion_unet() -> UNet:
    torch.manual_seed(4)
    return UNet(UNetConfig(model_channels=32, channel_mult=(1, 1, 2, 2), context_dim=12))


@pytest.mark.parametrize("kind", KINDS)
def test_starting_from_a_diffusion_unet(kind: str) -> None:
    head, unet = small(kind, "sd1"), diffusion_unet().state_dict()
    started = start_from_unet(head, unet)
    own = head.state_dict()
    new_entry = {"input_blocks.0.0.weight"} if kind == "rgbnet" else set()
    assert set(started.copied) | set(started.cut) == set(unet) - new_entry
    assert all(torch.equal(own[key], unet[key]) for key in started.copied)
    assert set(started.cut) == {"out.2.weight", "out.2.bias"}
    assert torch.equal(own["out.2.weight"], unet["out.2.weight"][:1])
    assert set(started.fresh) == set(own) - set(unet) | new_entry


def test_the_wide_decoder_keeps_its_own_start() -> None:
    head, unet = small("ldznet"), diffusion_unet().state_dict()
    before = {key: tensor.clone() for key, tensor in head.state_dict().items()}
    started = start_from_unet(head, unet)
    assert started.cut == ()
    assert "out.0.weight" in started.copied
    assert all(torch.equal(before[key], head.state_dict()[key]) for key in started.fresh)


def test_a_unet_of_other_widths_is_refused_not_ignored() -> None:
    with pytest.raises(
        HeadError, match=r"attn2\.to_k\.weight of shape \(32, 12\); expected \(32, 13\), that of the head 'sticker', so"
    ):
        start_from_unet(small("ldznet", context_dim=13), diffusion_unet().state_dict())
    with pytest.raises(HeadError, match="in the CompVis layout"):
        start_from_unet(small("ldznet"), {"down_blocks.0.resnets.0.norm1.weight": torch.ones(32)})
