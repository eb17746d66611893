"""The four tests of every hook (values, untouched output, nothing left, identity) and what a host can do to it."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from ldznet_ext.errors import ModelError, OptionError
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.locate import locate
from ldznet_ext.harvest.taps import LDZNET_TAPS

Call = Callable[[nn.Module], Tensor]


def count_hooks(unet: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in unet.modules())


@pytest.fixture(autouse=True)
def nothing_is_left(unet: nn.Module) -> Iterator[None]:
    yield
    assert count_hooks(unet) == 0


def test_values_are_those_of_a_handmade_hook(unet: nn.Module, call: Call) -> None:
    seen: dict[str, Tensor] = {}

    def keep(tap: str, value: Tensor | tuple[Tensor]) -> None:
        seen[tap] = (value[0] if isinstance(value, tuple) else value).clone()

    ports = locate(unet, [*LDZNET_TAPS, "out.5.attn2.q", "out.2.res.in"])
    handles = [
        port.module.register_forward_hook(lambda m, args, out, tap=tap: keep(tap, out))
        if port.side == "out"
        else port.module.register_forward_pre_hook(lambda m, args, tap=tap: keep(tap, args[0]))
        for tap, port in ports.items()
    ]
    call(unet)
    for handle in handles:
        handle.remove()
    with harvest(unet, ports) as store:
        call(unet)
    assert set(store) == set(seen)
    assert all(torch.equal(store[tap], seen[tap]) for tap in seen)
    assert len({tuple(tensor.flatten()[:3].tolist()) for tensor in seen.values()}) == len(seen), "taps must differ"


def test_output_is_bit_identical(unet: nn.Module, call: Call) -> None:
    before = call(unet)
    with harvest(unet, [*LDZNET_TAPS, "out.2.res.in", "out.11.attn1.q"]):
        during = call(unet)
    assert torch.equal(before, during)
    assert torch.equal(before, call(unet))


@pytest.mark.parametrize("stop", [None, "out.5"])
def test_nothing_is_left_after_an_exception(unet: nn.Module, call: Call, stop: str | None) -> None:
    with pytest.raises(KeyboardInterrupt), harvest(unet, LDZNET_TAPS, stop_after=stop):
        raise KeyboardInterrupt
    assert count_hooks(unet) == 0


def test_nothing_is_left_after_a_wrong_third_tap(unet: nn.Module) -> None:
    with pytest.raises(ModelError, match=r"in\.3"), harvest(unet, ["in.8", "mid", "in.3"]):
        pytest.fail("the body must not run")
    assert count_hooks(unet) == 0


def test_no_taps_change_nothing(unet: nn.Module, call: Call) -> None:
    with harvest(unet, []) as store:
        out = call(unet)
    assert len(store) == 0
    assert torch.equal(out, call(unet))


def test_early_exit_gives_bit_identical_features(unet: nn.Module, call: Call) -> None:
    with harvest(unet, LDZNET_TAPS) as full:
        call(unet)
    reached = False
    with harvest(unet, LDZNET_TAPS, stop_after="out.5") as store:
        call(unet)
        reached = True
    assert not reached
    assert store.stopped
    assert not full.stopped
    assert list(store) == list(LDZNET_TAPS)
    assert all(torch.equal(store[tap], full[tap]) for tap in LDZNET_TAPS)


def test_early_exit_skips_the_rest(unet: nn.Module, call: Call) -> None:
    passed: list[str] = []
    ports = locate(unet, ["out.5", "out.6.res.in"])
    handles = [p.module.register_forward_pre_hook(lambda m, a, tap=tap: passed.append(tap)) for tap, p in ports.items()]
    with harvest(unet, ["mid"], stop_after="out.5"):
        call(unet)
    for handle in handles:
        handle.remove()
    assert passed == ["out.5"]


def test_run_lets_the_body_go_on(unet: nn.Module, call: Call) -> None:
    with harvest(unet, ["mid"], stop_after="mid") as store:
        assert store.run(lambda: call(unet)) is None
        first = store["mid"]
        assert store.run(lambda: call(unet)) is None
        assert torch.equal(first, store["mid"])
        assert store.take().keys() == {"mid"}
        assert len(store) == 0
    with harvest(unet, ["mid"]) as store:
        assert store.run(lambda: call(unet)) is not None


def test_stopping_before_a_wanted_tap_is_refused(unet: nn.Module) -> None:
    with pytest.raises(OptionError, match=r"not before out\.4"), harvest(unet, ["mid", "out.4"], stop_after="out.3"):
        pytest.fail("the body must not run")


def test_harvests_nest(unet: nn.Module, call: Call) -> None:
    with harvest(unet, ["in.8", "out.5"]) as outer, harvest(unet, ["in.8", "mid"], stop_after="mid") as inner:
        call(unet)
    assert list(outer) == ["in.8"]
    assert inner.stopped
    assert not outer.stopped
    assert torch.equal(outer["in.8"], inner["in.8"])


def test_the_outer_harvest_may_stop_first(unet: nn.Module, call: Call) -> None:
    with harvest(unet, ["in.8"], stop_after="in.8") as outer, harvest(unet, ["mid"], stop_after="mid") as inner:
        call(unet)
    assert outer.stopped
    assert not inner.stopped
    assert list(inner) == []


@pytest.mark.parametrize("rows", [slice(1, None), [1], lambda count: slice(count // 2, None)])
def test_rows(unet: nn.Module, call: Call, rows: object) -> None:
    with harvest(unet, ["mid", "out.5.attn2.q"]) as full, harvest(unet, ["mid", "out.5.attn2.q"], rows=rows) as half:
        call(unet)
    assert all(half[tap].shape[0] == 1 and torch.equal(half[tap], full[tap][1:]) for tap in full)


def test_dtype(unet: nn.Module, call: Call) -> None:
    with harvest(unet, ["mid"]) as plain, harvest(unet, ["mid"], dtype=torch.bfloat16, device="cpu") as low:
        call(unet)
    assert low["mid"].dtype == torch.bfloat16
    assert torch.equal(low["mid"], plain["mid"].bfloat16())


def test_a_host_that_writes_in_place_changes_no_copy(unet: nn.Module, call: Call) -> None:
    """FreeU scales channels of the tensor that was just read."""
    module = locate(unet, ["out.5"])["out.5"].module

    def scale(m: nn.Module, args: tuple, out: Tensor | tuple[Tensor]) -> None:
        (out[0] if isinstance(out, tuple) else out).mul_(7)

    with harvest(unet, ["out.5"]) as clean:
        call(unet)
    with harvest(unet, ["out.5"]) as store, harvest(unet, ["out.5"], clone=False) as shared:
        handle = module.register_forward_hook(scale)
        call(unet)
        handle.remove()
    assert torch.equal(store["out.5"], clean["out.5"])
    assert torch.equal(shared["out.5"], clean["out.5"] * 7)


def test_tensors_are_detached_and_can_be_trained_on(unet: nn.Module, call: Call) -> None:
    x, context = torch.randn(1, 4, 8, 16), torch.randn(1, 3, 12)
    with harvest(unet, ["mid"]) as store:
        unet(x, torch.tensor([400.0]), context)
    assert not store["mid"].requires_grad
    with torch.inference_mode(), harvest(unet, ["mid"], rows=slice(0, 1)) as store:
        unet(x, torch.tensor([400.0]), context)
    assert not store["mid"].is_inference()
    weight = torch.ones(1, requires_grad=True)
    (store["mid"] * weight).sum().backward()
    assert weight.grad is not None
