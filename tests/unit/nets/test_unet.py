import pytest
import torch

from ldznet_ext.errors import ModelError
from ldznet_ext.nets.unet import UNet, UNetConfig, timestep_embedding

TINY = UNetConfig(model_channels=32, channel_mult=(1, 1, 2, 2), context_dim=12)


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_full_size_is_stable_diffusions() -> None:
    with torch.device("meta"):
        unet = UNet(UNetConfig())
    assert len(unet.state_dict()) == 686
    assert count(unet) == 859_520_964
    assert unet.state_dict()["output_blocks.5.2.conv.weight"].shape == (1280, 1280, 3, 3)


def test_timestep_embedding_has_cosines_first() -> None:
    got = timestep_embedding(torch.tensor([0.0, 2.0]), 4)
    assert got[0].tolist() == [1, 1, 0, 0]
    want = torch.tensor([2.0, 0.02])
    torch.testing.assert_close(got[1], torch.cat([want.cos(), want.sin()]))


def test_a_fresh_unet_keeps_the_shape() -> None:
    unet = UNet(TINY)
    out = unet(torch.randn(2, 4, 8, 24), torch.tensor([400, 3]), torch.randn(2, 5, 12))
    assert out.shape == (2, 4, 8, 24)


def test_one_row_of_embedding_serves_the_batch() -> None:
    torch.manual_seed(0)
    unet = UNet(TINY).eval()
    x, context = torch.randn(2, 4, 8, 16), torch.randn(2, 3, 12)
    with torch.no_grad():
        one = unet.hidden(x, unet.embed(torch.zeros(1)), context)
        two = unet.hidden(x, unet.embed(torch.zeros(2)), context)
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("size", [(9, 16), (8, 12), (0, 8)])
def test_a_grid_that_cannot_be_halved_is_one_sentence(size: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match=rf"{size[0]}x{size[1]} cells; expected both sides to be multiples of 8"):
        UNet(TINY)(torch.zeros(1, 4, *size), torch.zeros(1), torch.zeros(1, 3, 12))
