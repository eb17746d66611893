"""The frozen UNet and LD-ZNet against the authors' numbers, the features read by our own harvest."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.nets.presets import LDZNET_TAPS
from ldznet_ext.nets.unet import UNet
from ldznet_ext.nets.znet import ZNet

Case = Callable[[str], dict[str, Tensor]]
INJECTED = ("input_blocks.8.1", "middle_block.1", "output_blocks.3.1", "output_blocks.4.1", "output_blocks.5.1")


def close(got: Tensor, want: Tensor, atol: float) -> None:
    torch.testing.assert_close(got, want, atol=atol, rtol=0)


def read_features(unet: UNet, case: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    with torch.no_grad(), harvest(unet, LDZNET_TAPS) as store:
        eps = unet(case["z_noisy"], case["t_ldm"], case["context"])
    return eps, dict(store)


@pytest.mark.parametrize("name", ["A", "C"])
def test_diffusion_unet_and_its_features(name: str, diffusion_unet: UNet, golden_case: Case) -> None:
    case = golden_case(name)
    eps, features = read_features(diffusion_unet, case)
    close(diffusion_unet.embed(case["t_ldm"]), case["ldm_time_embed"], 1e-5)
    close(eps, case["ldm_eps"], 5e-5)
    for number, tap in enumerate(LDZNET_TAPS, start=5):
        if f"ldm_feature.{number}" in case:
            close(features[tap], case[f"ldm_feature.{number}"], 2e-4)


@pytest.mark.parametrize("position", ["parity", "geometry"])
@pytest.mark.parametrize("name", ["A", "C"])
def test_ldznet_logits(
    name: str, position: str, diffusion_unet: UNet, ldznet: ZNet, golden_case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both position modes agree with the authors' wherever the number of cells tells the grids apart."""
    case = golden_case(name)
    for module in INJECTED:
        monkeypatch.setattr(ldznet.get_submodule(f"{module}.attentionpool2D"), "position", position)
    _, features = read_features(diffusion_unet, case)
    with torch.no_grad():
        logits = ldznet(case["z"], case["context"], features)
    close(logits, case["logits"], 1e-3)
    assert set(features) == set(LDZNET_TAPS), "the head must not take features out of the dictionary"


@pytest.mark.parametrize("name", ["A", "C"])
def test_pools_and_injected_blocks(name: str, ldznet: ZNet, diffusion_unet: UNet, golden_case: Case) -> None:
    case = golden_case(name)
    _, features = read_features(diffusion_unet, case)
    seen: dict[str, Tensor] = {}
    handles = [
        ldznet.get_submodule(path).register_forward_hook(lambda m, a, out, key=key: seen.__setitem__(key, out))
        for module in INJECTED
        for key, path in ((f"pool.{module}", f"{module}.attentionpool2D"), (f"seg_block.{module}", module))
    ]
    handles.append(ldznet.out.register_forward_hook(lambda m, a, out: seen.__setitem__("seg_head_lowres", out)))
    with torch.no_grad():
        ldznet(case["z"], case["context"], features)
    for handle in handles:
        handle.remove()
    compared = [key for key in seen if key in case]
    assert len(compared) >= 4
    for key in compared:
        close(seen[key], case[key], 2e-4)


def test_segmentation_time_embedding_is_that_of_zero(ldznet: ZNet, golden_case: Case) -> None:
    case = golden_case("A")
    assert case["t_seg"].tolist() == [0, 0]
    close(ldznet.embed(torch.zeros(1)).expand(2, -1), case["seg_time_embed"], 1e-5)


def test_one_picture_and_one_feature_serve_many_phrases(ldznet: ZNet, diffusion_unet: UNet, golden_case: Case) -> None:
    case = golden_case("C")
    _, features = read_features(diffusion_unet, case)
    with torch.no_grad():
        logits = ldznet(case["z"], case["context"].repeat(3, 1, 1), features)
    close(logits, case["logits"].expand(3, -1, -1, -1), 1e-3)
