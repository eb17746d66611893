"""The counter of memory against hand-made cases, and what is promised of SD 1.5's size."""

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ldznet_ext.eval.footprint import counted, slope, weights
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS, last_tap
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig
from ldznet_ext.hosts.tiling import encode_in_tiles
from ldznet_ext.nets.heads import build_head
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.segmenters import heads
from ldznet_ext.segmenters.lending import lent

PAGE = Path(__file__).resolve().parents[3] / "docs" / "memory.md"


def test_what_is_alive_at_once_is_counted() -> None:
    size = 1000
    x = torch.zeros(size)  # 4 bytes each; there before, so not counted

    def call() -> Tensor:
        y = x + 1  # 1
        z = y * 2  # 2
        del y
        z.mul_(3)  # nothing new
        return z.view(10, -1)[:, :5].contiguous()  # a view of z, and half of it

    assert counted(call) == 2 * 4 * size
    assert counted(lambda: x.view(10, -1)) == 0
    assert counted(lambda: x[:10].clone()) == 40


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_attention_fused_and_step_by_step(device: str) -> None:
    heads_, queries, keys, width = 2, 50, 70, 8
    q = torch.zeros(1, heads_, queries, width, device=device)
    k = torch.zeros(1, heads_, keys, width, device=device)
    fused = counted(lambda: F.scaled_dot_product_attention(q, k, k))
    plain = counted(lambda: F.scaled_dot_product_attention(q, k, k), fused=False)
    assert fused == 4 * heads_ * queries * (width + 1)
    scores = 4 * heads_ * queries * keys
    assert 2 * scores <= plain < 3 * scores


def test_step_by_step_is_the_same_attention() -> None:
    q, k, v = (torch.randn(1, 2, 5, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    kept: list[Tensor] = []
    counted(lambda: kept.append(F.scaled_dot_product_attention(q, k, v)), fused=False)
    torch.testing.assert_close(kept[0], F.scaled_dot_product_attention(q, k, v))


def test_the_slope_of_what_grows() -> None:
    assert slope([3.0, 3.0, 3.0]) == 0 and slope([5.0]) == 0
    assert slope([1.0, 3.0, 5.0, 7.0]) == pytest.approx(2)


def _full_size(what: object) -> torch.nn.Module:
    with torch.device("meta"):
        return what().half()  # type: ignore[operator]


def test_what_is_promised_of_a_mask_in_half_precision_at_512() -> None:
    """Beside SD 1.5 the head alone, and for head and UNet pass less than 300 MB, also in the batches phrases come in."""
    unet, head = _full_size(lambda: UNet(UNetConfig())), _full_size(lambda: build_head("ldznet", "sd1"))
    assert weights(head) == pytest.approx(1.85e9, rel=0.01)
    batch = heads.BUDGET // (heads.HELD * 320 * 64 * 64)
    latent = torch.empty(1, 4, 64, 64, device="meta", dtype=torch.half)
    context = torch.empty(batch, 77, 768, device="meta", dtype=torch.half)

    def mask() -> Tensor:
        with harvest(unet, LDZNET_TAPS, stop_after=last_tap(LDZNET_TAPS)) as store:
            unet(latent.expand(batch, -1, -1, -1), torch.empty(batch, device="meta"), context)
        return head(latent, context, store.take())

    peak = counted(mask)
    assert batch == 4 and peak < 300e6
    assert peak <= batch * heads.HELD * 320 * 64 * 64, "what the batches are reckoned by"
    [shown] = re.findall(r"512x512, 4 \|.*\| ([\d.]+) \| [\d,.]+ \|", PAGE.read_text(encoding="utf-8"))
    assert float(shown) == pytest.approx(peak / 1e6, rel=0.02), "python benchmarks/memory.py --docs docs/memory.md"


def test_tiles_take_a_fraction_of_the_whole() -> None:
    vae, pixels = _full_size(lambda: Autoencoder(AutoencoderConfig())), torch.empty(1, 3, 768, 768, device="meta")
    whole = counted(lambda: vae.encoder(pixels.half()))
    assert counted(lambda: encode_in_tiles(vae.encoder, pixels.half())) < whole / 3  # type: ignore[arg-type]


@pytest.mark.gpu
def test_an_offloaded_head_takes_nothing_between_calls() -> None:
    from ldznet_ext.eval.footprint import measured
    from ldznet_ext.hosts.standalone import pick_device

    device = pick_device()
    if device.type == "mps":
        pytest.skip("it keeps no such books")
    head = build_head("ldznet", "golden").eval().requires_grad_(False)
    before = getattr(torch, device.type).memory_allocated(device)

    def call() -> None:
        with lent(head, device):
            assert next(head.parameters()).device.type == device.type

    assert measured(call, device) >= weights(head)
    assert getattr(torch, device.type).memory_allocated(device) == before
