"""The last half of a generation: which steps, whose rows, and never more bytes than allowed."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.late import LIMIT, harvest_late, late_steps
from ldznet_ext.harvest.sampling import second_half
from ldznet_ext.harvest.wanted import Wanted, harvest_wanted
from ldznet_ext.segmenters.settings import ATTENTION

Call = Callable[..., torch.Tensor]
TAPS = ("mid.attn2.q", "out.10.attn1.q")

SD15 = {1: 320, 2: 640, 4: 1280, 8: 1280}
"""SD 1.5's width at each stride; its latent at 512x512 has 64x64 cells."""


def step_bytes(places: tuple[str, ...]) -> int:
    """What a step of SD 1.5 takes at 512x512 in 16 bits: queries of these transformers, and q and k of out.10."""
    strides = [4 if place in ("in.7", "in.8", "out.3", "out.4", "out.5") else 2 for place in places]
    cells = sum((64 // stride) ** 2 * SD15[stride] for stride in strides) + 2 * 64**2 * SD15[1]
    return 2 * cells


@pytest.mark.parametrize("steps", [1, 2, 15, 20, 28, 50, 150])
def test_sd15_at_512_stays_below_128_megabytes(steps: int) -> None:
    each = step_bytes(ATTENTION["sd1"].places)
    kept = late_steps(steps, each)
    assert len(kept) * each <= 128_000_000 <= LIMIT
    assert len(kept) == min(-(-steps // 2), 10)  # twelve and a half megabytes a step
    assert kept[-1] == steps - 1 and kept[0] >= steps // 2 and len(set(kept)) == len(kept)


@pytest.mark.parametrize("steps", [2, 7, 20])
@pytest.mark.parametrize("room", [1, 2, 3, 100])
def test_thinning_is_even(steps: int, room: int) -> None:
    kept = late_steps(steps, 10, limit=10 * room)
    gaps = [later - earlier for earlier, later in itertools.pairwise(kept)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert len(kept) == min(room, -(-steps // 2))


def test_what_is_kept_is_what_passed(unet: nn.Module, call: Call) -> None:
    with harvest_late(unet, TAPS, steps=5, rows=second_half) as late:
        for timestep in (900, 700, 500, 300):
            call(unet, timestep)
        with harvest(unet, TAPS) as store:
            call(unet, 100)
    assert [kept.timestep for kept in late.kept] == [500, 300, 100]
    for tap in TAPS:
        assert late.kept[-1].features[tap].dtype == torch.float16
        torch.testing.assert_close(late.kept[-1].features[tap], store[tap][1:].half())


def test_no_more_bytes_than_allowed(unet: nn.Module, call: Call) -> None:
    with harvest_late(unet, TAPS, steps=8, rows=second_half) as free:
        for index in range(8):
            call(unet, 900 - index)
    each = sum(tensor.nbytes for tensor in free.kept[0].features.values())
    with harvest_late(unet, TAPS, steps=8, rows=second_half, limit=2 * each + 1) as tight:
        for index in range(8):
            call(unet, 900 - index)
    assert len(free.kept) == 4 and [kept.timestep for kept in tight.kept] == [895, 893]


def test_a_run_of_one_step_keeps_it(unet: nn.Module, call: Call) -> None:
    with harvest_late(unet, TAPS, steps=1) as late:
        call(unet, 999)
    assert len(late.kept) == 1 and set(late.kept[0].features) == set(TAPS)


def test_nothing_is_left_and_no_bit_changes(unet: nn.Module, call: Call) -> None:
    before = call(unet)
    with harvest_late(unet, TAPS, steps=1):
        during = call(unet)
    assert torch.equal(before, during)
    with pytest.raises(RuntimeError), harvest_late(unet, TAPS, steps=1):
        raise RuntimeError("host")
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in unet.modules())


def test_a_call_that_failed_counts_for_nothing(unet: nn.Module, call: Call) -> None:
    with harvest_late(unet, TAPS, steps=2) as late:
        call(unet, 900)
        with pytest.raises(RuntimeError):
            unet(torch.zeros(1, 4, 8, 16), torch.zeros(1), torch.zeros(1, 3, 5))  # too narrow a context
        call(unet, 100)
    assert [kept.timestep for kept in late.kept] == [100]


@pytest.mark.parametrize(
    ("wanted", "timesteps"),
    [
        (Wanted(taps=TAPS), [401]),
        (Wanted(taps=TAPS, near=None), [401, 1]),
        (Wanted(taps=TAPS, near=0.0, accept=(0.0, 0.5)), []),
        (Wanted(taps=()), []),
    ],
)
def test_each_method_gets_what_it_wants(unet: nn.Module, call: Call, wanted: Wanted, timesteps: list[int]) -> None:
    with harvest_wanted(unet, wanted, steps=3) as given:
        for timestep in (801, 401, 1):
            call(unet, timestep)
    assert [kept.timestep for kept in given.kept] == timesteps
