"""What masks cost: counted operations against hand-made sums, and against the figures of diffusers' own SD 1.5."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from ldznet_ext.eval.costs import Cost, costs, gflop, seconds, table, unet_gflop, works
from ldznet_ext.nets.unet import UNet
from ldznet_ext.segmenters.methods import methods
from tests.tiny import UNET


def test_a_multiplication_and_an_addition_are_two() -> None:
    layer = nn.Conv2d(3, 5, 3, padding=1, device="meta")
    assert gflop(lambda: layer(torch.empty(2, 3, 4, 7, device="meta"))) == 2 * 2 * 5 * 3 * 9 * 4 * 7 / 1e9


def test_a_pass_that_ends_early_costs_less_and_rows_cost_alike() -> None:
    with torch.device("meta"):
        unet = UNet(UNET)
    one, two = (torch.empty(rows, 4, 8, 16, device="meta") for rows in (1, 2))
    whole, nothing = unet_gflop(unet, one)
    early, kept = unet_gflop(unet, one, ["in.8", "mid"])
    later, _ = unet_gflop(unet, one, ["out.8.res.in", "mid"])
    assert 0 < early < later < whole and not nothing
    assert list(kept) == ["in.8", "mid"] and kept["mid"].shape == (1, 64, 1, 2)
    assert unet_gflop(unet, two)[0] == pytest.approx(2 * whole, rel=1e-2)  # but for the time's embedding
    assert not any(module._forward_hooks for module in unet.modules())


def test_every_method_has_its_work_and_noises_are_counted_by_the_row() -> None:
    with torch.device("meta"):
        unet = UNet(UNET)
    found = works(unet)
    assert set(found) == {*methods()} - {"auto"}
    assert (found["noise_difference"].calls, found["noise_difference"].rows) == (4, 20)
    assert found["example"].taps == ("out.2.res.in", "out.5.res.in", "out.8.res.in")
    assert found["rgbnet"].rows == 0 and found["ldznet"].head == "ldznet"


def test_the_table_is_plain_and_the_cheapest_first() -> None:
    dear = Cost(calls=4, rows=20, encode=1, text=2, unet=300.04, head=0)
    cheap = Cost(calls=1, rows=1, encode=1, text=2, unet=3, head=4)
    rows = table({"dear": dear, "cheap": cheap}, {"cheap": 0.25})
    assert [row["method"] for row in rows] == ["cheap", "dear"]
    assert rows[0]["gflop"] == {"encode": 1, "text": 2, "unet": 3, "head": 4, "total": 10}
    assert rows[1]["gflop"]["total"] == 303.0 and (rows[0]["seconds"], rows[1]["seconds"]) == (0.25, None)


def test_seconds_are_the_median_without_the_first() -> None:
    naps = iter([0.2, 0.01, 0.01])
    found = seconds(lambda picture: time.sleep(next(naps)), [np.zeros((1, 1, 3), np.uint8)] * 3)
    assert found is not None and 0.01 <= found < 0.1
    assert seconds(lambda picture: None, []) is None


@pytest.mark.slow
def test_full_size_equals_what_was_counted_on_diffusers() -> None:
    """SD 1.5 at 512x512: 803.3 a pass, 408.6 to the end of stride 4, 1116.7 to encode, 13.3 for a text."""
    found = costs()
    assert found["noise_difference"].unet == pytest.approx(20 * 803.3, rel=1e-3)
    assert found["ldznet"].unet == pytest.approx(408.6, rel=1e-3)
    assert found["ldznet"].encode == pytest.approx(1116.7, rel=1e-3)
    assert found["znet"].text == pytest.approx(13.3, rel=1e-2)
    assert found["maskdiffusion"].unet <= 408.6 < found["example"].unet < 575.4
    assert found["znet"].head == pytest.approx(803.3, rel=1e-2)
    assert found["noise_difference"].total == pytest.approx(17_200, rel=0.01)  # DiffEdit
