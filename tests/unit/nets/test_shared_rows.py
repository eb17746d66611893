"""A latent that is one row expanded: what does not depend on the words is computed once, and nothing else changes."""

import pytest
import torch

from ldznet_ext.nets.blocks import SpatialTransformer, one_row
from ldznet_ext.nets.heads import build_head, put_to_rest
from ldznet_ext.nets.unet import UNet, UNetConfig

CONFIG = UNetConfig(model_channels=32, context_dim=16, num_heads=4)


def lively(network: torch.nn.Module) -> torch.nn.Module:
    """Random weights where a fresh network has zeros."""
    torch.manual_seed(0)
    for weight in network.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return network.eval()


@torch.inference_mode()
def test_a_unet_gives_each_text_its_row() -> None:
    unet = lively(UNet(CONFIG))
    latent, texts, times = torch.randn(1, 4, 8, 16), torch.randn(3, 5, 16), torch.full((1,), 400)
    seen: list[int] = []
    first = next(module for module in unet.modules() if isinstance(module, SpatialTransformer))
    first.transformer_blocks[0].attn1.register_forward_hook(lambda module, args, output: seen.append(output.shape[0]))
    shared = unet(latent.expand(3, -1, -1, -1), times.expand(3), texts)
    apart = unet(latent.repeat(3, 1, 1, 1), times.repeat(3), texts)
    assert seen == [1, 3]
    assert shared.shape == apart.shape == (3, 4, 8, 16)
    torch.testing.assert_close(shared, apart, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rest", [(), ("in.1", "in.2", "out.9", "out.10", "out.11")])
@torch.inference_mode()
def test_a_head_gives_each_text_its_row(rest: tuple[str, ...]) -> None:
    head = lively(build_head("ldznet", "golden"))
    put_to_rest(head, rest)
    latent, texts = torch.randn(1, 4, 8, 16), torch.randn(3, 5, 64)
    features = {tap: torch.randn(1, head.tap_channels[tap], *side) for tap, side in SIDES.items()}
    shared = head(latent, texts, features)
    apart = torch.cat([head(latent, text[None], features) for text in texts])
    torch.testing.assert_close(shared, apart, rtol=1e-4, atol=1e-5)


SIDES = {"in.8": (2, 4), "mid": (1, 2), "out.3": (2, 4), "out.4": (2, 4), "out.5": (2, 4)}


def test_only_a_row_repeated_in_place_is_one() -> None:
    row = torch.zeros(1, 2)
    assert one_row(row.expand(3, -1)).shape[0] == 1
    assert one_row(row.repeat(3, 1)).shape[0] == 3
    assert one_row(torch.zeros(4, 2).expand(4, 2)).shape[0] == 4
