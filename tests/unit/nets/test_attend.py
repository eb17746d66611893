import pytest
import torch
import torch.nn.functional as F

from ldznet_ext.nets.attention import attend


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_both_ways_of_attending_agree(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    q, k, v = (torch.randn(2, 3, rows, 5, generator=generator) for rows in (7, 4, 4))
    expected = F.scaled_dot_product_attention(q, k, v)
    found = attend(q.to(dtype), k.to(dtype), v.to(dtype))
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, atol=0.03 if dtype == torch.bfloat16 else 0.005, rtol=0.02)
