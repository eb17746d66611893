"""3x3 convolutions that are matrix products where cells are few."""

import pytest
import torch

from ldznet_ext.nets import blocks
from ldznet_ext.nets.blocks import Conv3x3


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [(3, 5), (4, 6), (1, 2)])
def test_the_product_is_the_convolution(monkeypatch: pytest.MonkeyPatch, stride: int, side: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer, x = Conv3x3(4, 6, stride=stride), torch.randn(2, 4, *side)
    plain = layer(x)
    monkeypatch.setattr(blocks, "MANY_WEIGHTS", 0)
    called = []
    monkeypatch.setattr(layer, "_as_product", lambda given: called.append(1) or Conv3x3._as_product(layer, given))
    torch.testing.assert_close(layer(x), plain, rtol=1e-5, atol=1e-6)
    assert called
    monkeypatch.setattr(blocks, "FEW_CELLS", 2 * side[0] * side[1] // stride**2 - 1)
    called.clear()
    assert torch.equal(layer(x), plain) and not called


def test_its_keys_are_a_convolutions() -> None:
    assert set(Conv3x3(4, 6).state_dict()) == {"weight", "bias"}
    assert Conv3x3(4, 6).weight.shape == (6, 4, 3, 3)
