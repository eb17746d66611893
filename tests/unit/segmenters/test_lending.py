"""A head that waits in main memory: on the device for the call alone, and never changed by it."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ldznet_ext.backbone import Backbone
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.pipeline import segment
from ldznet_ext.segmenters import heads, lending
from ldznet_ext.segmenters.heads import HeadSegmenter
from ldznet_ext.segmenters.lending import lent
from tests.tiny import picture

ELSEWHERE = torch.device("meta")
"""Stands for an accelerator: whatever is carried there and back is lost, so what comes back was never away."""


@pytest.fixture
def network() -> nn.Module:
    made = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3, bias=False))
    made[2].weight = made[0].weight
    return made.requires_grad_(False)


def places(network: nn.Module) -> set[str]:
    return {tensor.device.type for tensor in (*network.parameters(), *network.buffers())}


def kept(network: nn.Module) -> list[tuple[int, int, bytes]]:
    """Which tensors a network holds, where their memory is and what is in it."""
    tensors = (*network.parameters(), *network.buffers())
    return [(id(each), each.data_ptr(), each.numpy().tobytes()) for each in tensors]


def test_there_in_the_body_and_back_after_it(network: nn.Module) -> None:
    before = kept(network)
    with torch.inference_mode(), lent(network, ELSEWHERE):
        assert places(network) == {"meta"}
        assert network[2].weight is network[0].weight and not network[0].weight.requires_grad
        assert network(torch.ones(2, 3, device=ELSEWHERE)).shape == (2, 3)
    assert kept(network) == before


def test_an_exception_in_the_body_brings_it_back(network: nn.Module) -> None:
    before = kept(network)
    with pytest.raises(RuntimeError, match="out of memory"), lent(network, ELSEWHERE):
        raise RuntimeError("out of memory")
    assert kept(network) == before


def test_a_device_without_room_for_all_of_it(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    before, copied, copy = kept(network), [], lending._copy

    def full(tensor: Tensor, device: torch.device) -> Tensor:
        if len(copied) == 2:
            raise RuntimeError("out of memory")
        copied.append(tensor)
        return copy(tensor, device)

    monkeypatch.setattr(lending, "_copy", full)
    with pytest.raises(RuntimeError, match="out of memory"), lent(network, ELSEWHERE):
        pytest.fail("there was no room")
    assert kept(network) == before
    monkeypatch.undo()
    with lent(network, ELSEWHERE):  # and nothing of it stands in the way later
        assert places(network) == {"meta"}


def test_the_last_of_several_threads_brings_it_back(network: nn.Module) -> None:
    before, entered, leave = kept(network), threading.Event(), threading.Event()

    def use() -> None:
        with lent(network, ELSEWHERE):
            entered.set()
            leave.wait(10)

    other = threading.Thread(target=use)
    with lent(network, ELSEWHERE):
        other.start()
        assert entered.wait(10)
    assert places(network) == {"meta"}
    leave.set()
    other.join(10)
    assert kept(network) == before


def test_what_is_there_already_is_not_copied(network: nn.Module) -> None:
    before = kept(network)
    with lent(network, "cpu"):
        assert kept(network) == before


@pytest.fixture
def loans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[nn.Module, str]]:
    """Which networks were lent, and to which device."""
    made: list[tuple[nn.Module, str]] = []

    def watched(network: nn.Module, device: torch.device) -> object:
        made.append((network, device.type))
        return lent(network, device)

    monkeypatch.setattr(heads, "lent", watched)
    monkeypatch.setattr(heads, "_heads", type(heads._heads)())
    return made


def test_offload_changes_no_bit_of_a_mask(
    models: Path, backbone: StandaloneBackbone, loans: list[tuple[nn.Module, str]]
) -> None:
    shown = picture()
    plain = segment(shown, "fox", backbone=backbone)
    assert not loans
    thrifty = segment(shown, "fox", backbone=load_backbone(offload=True))
    assert [device for _, device in loans] == ["cpu"]
    np.testing.assert_array_equal(thrifty.prob, plain.prob)


def test_a_call_that_fails_leaves_the_head_where_it_waits(
    backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model stands on one device, the head waits on another: lent while it is asked, and back although it fails."""
    thrifty = load_backbone(offload=True)
    method = heads.HeadSegmenter
    lent_to: list[set[str]] = []

    def fails(self: HeadSegmenter, *args: object) -> Tensor:
        lent_to.append(places(self.head))
        raise RuntimeError("out of memory")

    monkeypatch.setattr(method, "_logits", fails)
    monkeypatch.setattr(heads, "lent", lambda network, device: lent(network, ELSEWHERE))
    monkeypatch.setattr(heads, "_heads", type(heads._heads)())
    host = [(name, each.data_ptr()) for name, each in thrifty.unet.named_parameters()]
    with pytest.raises(RuntimeError, match="out of memory"):
        segment(picture(), "fox", backbone=thrifty)
    assert lent_to == [{"meta"}]
    [(head, _, _)] = heads._heads.values()
    assert places(head) == {"cpu"}
    assert [(name, each.data_ptr()) for name, each in thrifty.unet.named_parameters()] == host
    monkeypatch.undo()


def test_a_hosts_model_is_not_offloaded() -> None:
    class Borrowed:
        """As a web UI's: it has its own setting for what becomes of heads."""

    host: Backbone = Borrowed()  # type: ignore[assignment]
    assert not lending.offloads(host)


@pytest.mark.gpu
def test_between_calls_the_device_holds_nothing_of_the_head(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(models))
    thrifty = load_backbone(offload=True)
    segment(picture(), "fox", backbone=thrifty)
    assert thrifty.device.type != "cpu"
    assert all(places(head) == {"cpu"} for head, _, _ in heads._heads.values())
