"""A picture in tiles has the latent of the whole picture: no seam, no shift, other memory."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ldznet_ext.hosts import autoencoder, tiling
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
from tests.tiny import randomise

NARROW = AutoencoderConfig(block_out_channels=(32, 32, 64, 64))
SHALLOW = AutoencoderConfig(block_out_channels=(32, 64, 64), layers_per_block=1, use_quant_conv=False)
BARE = AutoencoderConfig(block_out_channels=(32, 32, 32), layers_per_block=0)
"""As Sticker-SD's: levels without a norm of their own."""
TILE = 16 * 16 * 32
"""16x16 cells of the finest level's 32 channels."""


@pytest.fixture(params=[NARROW, SHALLOW, BARE], ids=["two layers a level", "one layer a level", "none"])
def vae(request: pytest.FixtureRequest) -> Autoencoder:
    return randomise(Autoencoder(request.param), seed=1).eval()  # type: ignore[return-value]


def shown(height: int = 56, width: int = 88) -> Tensor:
    """Two pictures (2 3 h w), dark on the left and bright on the right, so that tiles differ in their means."""
    drawn = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, 3, height // 8, width // 8, generator=drawn)
    smooth = F.interpolate(coarse, size=(height, width), mode="bilinear")
    return (smooth * 0.4 + torch.linspace(-0.7, 0.7, width)).clamp(-1, 1)


@torch.inference_mode()
def difference(vae: Autoencoder, pixels: Tensor) -> Tensor:
    """Of the moments in tiles from those of the whole, in deviations of the latter (b m lh lw)."""
    whole = vae.encoder(pixels)
    return (tiling.encode_in_tiles(vae.encoder, pixels, TILE) - whole).abs() / whole.std()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_numbers_are_those_of_the_whole(vae: Autoencoder, layout: torch.memory_format) -> None:
    apart = difference(vae.to(memory_format=layout), shown())  # type: ignore[call-overload]
    assert apart.max() < 1e-4


def test_nothing_is_left_of_where_tiles_meet(vae: Autoencoder) -> None:
    """The error beside the seams is that of anywhere else: rounding."""
    apart, step = difference(vae, shown()).amax(dim=(0, 1)), 16 // vae.config.factor
    seams = [column for at in range(step, apart.shape[1], step) for column in (at - 1, at)]
    elsewhere = [column for column in range(apart.shape[1]) if column not in seams]
    assert apart[:, seams].mean() < 3 * apart[:, elsewhere].mean() + 1e-6


def test_norms_that_saw_one_tile_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this is for: where each tile is normalised by itself, the same measure is thousands of times larger."""
    vae = randomise(Autoencoder(NARROW), seed=1).eval()

    def by_itself(moments: object, norm: nn.GroupNorm, x: Tensor) -> Tensor:
        return norm(x)

    monkeypatch.setattr(tiling.Moments, "normalise", by_itself)
    assert difference(vae, shown()).max() > 0.1  # type: ignore[arg-type]


def test_in_half_precision_it_is_as_near_the_truth_as_the_whole(vae: Autoencoder) -> None:
    with torch.inference_mode():
        true = vae.encoder(shown())
        half, pixels = vae.bfloat16(), shown().bfloat16()
        whole, tiles = half.encoder(pixels).float(), tiling.encode_in_tiles(half.encoder, pixels, TILE).float()
    assert (tiles - true).square().mean().sqrt() < 1.5 * (whole - true).square().mean().sqrt()


def test_one_tile_is_the_whole() -> None:
    vae = randomise(Autoencoder(NARROW), seed=2).eval()
    with torch.inference_mode():
        tiles = tiling.encode_in_tiles(vae.encoder, shown(24, 16), tile=1 << 20)  # type: ignore[arg-type]
        torch.testing.assert_close(tiles, vae.encoder(shown(24, 16)), rtol=1e-4, atol=1e-5)  # type: ignore[operator]


def test_large_pictures_alone_go_through_in_tiles(vae: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, ...]] = []

    def watched(encoder: nn.Module, pixels: Tensor) -> Tensor:
        asked.append(tuple(pixels.shape))
        return tiling.encode_in_tiles(encoder, pixels, TILE)  # type: ignore[arg-type]

    monkeypatch.setattr(autoencoder, "encode_in_tiles", watched)
    with torch.inference_mode():
        whole = vae.encode(shown())
        monkeypatch.setattr(tiling, "WHOLE_ON_CPU", 56 * 88 - 1)
        torch.testing.assert_close(vae.encode(shown()), whole, rtol=1e-3, atol=1e-4)
        odd = vae.encode(F.pad(shown(), (0, 3)))  # no multiple of the factor: as it ever was
    assert asked == [(2, 3, 56, 88)] and odd.shape[-2:] == whole.shape[-2:]


@pytest.mark.parametrize(
    ("device", "height", "width", "large"),
    [("meta", 1024, 1024, True), ("meta", 512, 768, False), ("cpu", 1024, 1024, False), ("cpu", 1024, 2048, True)],
)
def test_what_is_large(device: str, height: int, width: int, large: bool) -> None:
    """SDXL's pictures on an accelerator, where memory is short; on a CPU, where time is, what is larger than those."""
    assert tiling.is_large(torch.empty(1, 3, height, width, device=device)) is large


def test_attention_in_parts_is_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = randomise(autoencoder.CellAttention(32, 32), seed=3), torch.randn(1, 32, 7, 9)
    with torch.inference_mode():
        whole = layer(x)
        monkeypatch.setattr(autoencoder, "QUERIES", 10)
        torch.testing.assert_close(layer(x), whole)
