"""Picking a call out of a sampling loop, on real UNets and a real scheduler."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.sampling import harvest_nearest, second_half

Call = Callable[..., Tensor]


def test_the_nearest_call_is_kept(unet: nn.Module, call: Call) -> None:
    with harvest_nearest(unet, ["mid", "out.5"]) as watcher:
        for timestep in (801, 601, 499.5, 391, 201, 1):
            call(unet, timestep)
    with harvest(unet, ["mid", "out.5"]) as store:
        call(unet, 391)
    assert watcher.calls == 6
    assert watcher.kept is not None
    assert watcher.kept.timestep == 391
    assert watcher.kept.features.keys() == {"mid", "out.5"}
    assert all(torch.equal(watcher.kept.features[tap], store[tap]) for tap in store)


def test_none_within_reach(unet: nn.Module, call: Call) -> None:
    with harvest_nearest(unet, ["mid"]) as watcher:
        call(unet, 601)
        call(unet, 199)
    assert watcher.kept is None
    assert watcher.calls == 2


def test_only_the_conditional_rows(unet: nn.Module, call: Call) -> None:
    with harvest(unet, ["mid"]) as store, harvest_nearest(unet, ["mid"], rows=second_half) as watcher:
        call(unet, 400)
    assert watcher.kept is not None
    assert torch.equal(watcher.kept.features["mid"], store["mid"][1:])
    assert watcher.kept.latent.shape == (1, 4, 8, 16)


def test_a_call_may_be_skipped(unet: nn.Module, call: Call) -> None:
    """Hosts that run the unconditional rows in a call of their own."""
    turns = iter([None, slice(0, 1)])
    with harvest_nearest(unet, ["mid"], rows=lambda count: next(turns)) as watcher:
        call(unet, 400)
        assert watcher.kept is None
        call(unet, 410)
    assert watcher.kept is not None
    assert watcher.kept.timestep == 410


def test_output_is_bit_identical_and_nothing_is_left(unet: nn.Module, call: Call) -> None:
    before = call(unet)
    with harvest_nearest(unet, ["mid", "out.5"], rows=second_half):
        during = call(unet)
    assert torch.equal(before, during)
    with pytest.raises(RuntimeError, match="host"), harvest_nearest(unet, ["mid"]):
        raise RuntimeError("host")
    assert sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in unet.modules()) == 0


def test_a_failed_call_replaces_nothing(unet: nn.Module, call: Call) -> None:
    with harvest_nearest(unet, ["in.8", "mid"]) as watcher:
        call(unet, 450)
        with harvest(unet, [], stop_after="in.8"):
            call(unet, 400)
    assert watcher.kept is not None
    assert watcher.kept.timestep == 450
    assert watcher.kept.features.keys() == {"in.8", "mid"}


def test_a_second_loop_at_another_size_starts_anew(unet: nn.Module) -> None:
    context = torch.randn(1, 3, 12)
    with torch.no_grad(), harvest_nearest(unet, ["mid"]) as watcher:
        unet(torch.randn(1, 4, 8, 16), torch.tensor([400]), context)
        unet(torch.randn(1, 4, 16, 16), torch.tensor([500]), context)
    assert watcher.kept is not None
    assert watcher.kept.timestep == 500
    assert watcher.kept.features["mid"].shape[-2:] == (2, 2)


def test_timestep_by_name_and_as_a_number(diffusers_unet: nn.Module) -> None:
    with torch.no_grad(), harvest_nearest(diffusers_unet, ["mid"]) as watcher:
        diffusers_unet(sample=torch.randn(1, 4, 8, 16), timestep=321, encoder_hidden_states=torch.randn(1, 3, 12))
    assert watcher.kept is not None
    assert watcher.kept.timestep == 321


def test_twenty_ddim_steps_with_guidance(diffusers_unet: nn.Module) -> None:
    """A pipeline's loop: unconditional rows first; no call is added and the picture is the same."""
    diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")
    generator = torch.Generator().manual_seed(0)
    start, context = torch.randn(1, 4, 8, 16, generator=generator), torch.randn(2, 3, 12, generator=generator)

    def sample() -> Tensor:
        scheduler = diffusers.DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
        scheduler.set_timesteps(20)
        x = start
        for step in scheduler.timesteps:
            with torch.no_grad():
                plain, wanted = diffusers_unet(torch.cat([x, x]), step, context).sample.chunk(2)
            x = scheduler.step(plain + 5 * (wanted - plain), step, x).prev_sample
        return x

    before = sample()
    with harvest_nearest(diffusers_unet, ["mid"], rows=second_half) as watcher:
        assert torch.equal(sample(), before)
    assert watcher.calls == 20
    assert watcher.kept is not None
    assert abs(watcher.kept.timestep - 400) <= 25
    assert watcher.kept.features["mid"].shape == (1, 64, 1, 2)
