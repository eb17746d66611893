"""Tiny UNets of both layouts with SD's sixteen transformers, weights random but alive."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ldznet_ext.nets.unet import UNet, UNetConfig

TYPES = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
UP_TYPES = ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")


def enliven(unet: nn.Module) -> nn.Module:
    """SD starts its residual branches at zero; a feature map must be more than its input."""
    torch.manual_seed(3)
    for parameter in unet.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return unet.eval()


@pytest.fixture(scope="session")
def compvis_unet() -> nn.Module:
    config = UNetConfig(model_channels=32, channel_mult=(1, 1, 2, 2), context_dim=12)
    return enliven(UNet(config))


@pytest.fixture(scope="session")
def diffusers_unet() -> nn.Module:
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
        cross_attention_dim=12,
        attention_head_dim=8,
        down_block_types=TYPES,
        up_block_types=UP_TYPES,
    )
    return enliven(unet)


@pytest.fixture(params=["compvis_unet", "diffusers_unet"])
def unet(request: pytest.FixtureRequest) -> nn.Module:
    return request.getfixturevalue(request.param)


@pytest.fixture
def call() -> Callable[[nn.Module], torch.Tensor]:
    """Run a UNet on two rows of an 8x16 latent and give its output tensor."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(2, 4, 8, 16, generator=generator)
    context = torch.randn(2, 3, 12, generator=generator)

    def run(unet: nn.Module, timestep: float = 400.0) -> torch.Tensor:
        with torch.no_grad():
            out = unet(x, torch.full((2,), timestep), context)
        return out if isinstance(out, torch.Tensor) else out.sample

    return run
