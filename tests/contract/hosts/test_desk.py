"""The desk inside fake hosts: what is loaded and what it can do; masks, regions, refusals."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ldznet_ext.errors import CancelledError, LdznetError, PhraseError
from ldznet_ext.hosts.about import LABELS
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.hosts.webui.desk import WebuiDesk
from ldznet_ext.hosts.webui.facts import NATIVE
from ldznet_ext.hosts.webui.host import Host
from ldznet_ext.request import MaskSettings
from ldznet_ext.segmenters import heads
from ldznet_ext.segmenters.methods import methods
from ldznet_ext.watch import Watch
from tests.fakes.models import load, other_unet, unet_of
from tests.fakes.webui import WebUI
from tests.tiny import picture, write_head

PICTURE = picture(45, 65)
pytestmark = pytest.mark.parametrize("ui", ["a1111"], indirect=True)
"""What the desk does is the same in all hosts; what differs is in test_borrowed.py."""


class NoMemory:
    """Remembers no picture, and who asked."""

    def __init__(self) -> None:
        self.asked = 0

    def get(self, pixels: np.ndarray) -> None:
        """Nothing."""
        self.asked += 1


@pytest.fixture
def desk(host: Host) -> WebuiDesk:
    """The host's desk."""
    return WebuiDesk(host, NoMemory())  # type: ignore[arg-type]


def reasons(desk: WebuiDesk) -> dict[str, str]:
    """Why a method cannot be chosen now."""
    return {choice.name: choice.why_not for choice in desk.about().methods}


def test_every_method_that_takes_words_has_a_label(ui: WebUI) -> None:
    assert set(LABELS) == set(methods()) - {"example"}


def test_without_a_checkpoint_all_may_be_chosen(ui: WebUI, desk: WebuiDesk) -> None:
    about = desk.about()
    assert (about.model, about.family, about.heads) == ("", "", ()) and "no checkpoint loaded" in about.message
    assert not any(reasons(desk).values()) and not ui.lock.locked()


def test_heads_of_the_family_alone_are_offered(ui: WebUI, loaded: Any, desk: WebuiDesk, tmp_path: Path) -> None:
    assert desk.about().heads == ("ldznet-sticker.safetensors",)
    why = reasons(desk)
    assert not why["auto"] and not why["ldznet"] and not why["attention"]
    assert why["znet"].startswith("There is no trained head of this kind for the family sticker, so ")
    write_head(tmp_path / "ldznet" / "mine.safetensors", "znet")  # in the host's own folder
    write_head(tmp_path / "ldznet" / "other.safetensors", "rgbnet", family="sd1")
    assert not {choice.name: choice.why_not for choice in desk.heads_refresh().methods}["znet"]
    assert desk.about().heads == ("ldznet-sticker.safetensors", "mine.safetensors") and reasons(desk)["rgbnet"]


def test_a_model_that_cannot_be_read_says_why_everywhere(
    ui: WebUI, desk: WebuiDesk, backbone: StandaloneBackbone
) -> None:
    load(ui, backbone, other_unet(in_channels=8))
    about = desk.about()
    assert "8 channels" in about.message and set(reasons(desk).values()) == {about.message}


def test_a_mask_of_any_picture_without_a_head(
    ui: WebUI, desk: WebuiDesk, backbone: StandaloneBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NATIVE, "sd1", 128)
    load(ui, backbone, other_unet(context_dim=768))
    result = desk.mask(Image.fromarray(PICTURE).convert("RGBA"), MaskSettings(words="fox"))
    assert result.method == "attention" and result.mask.shape == (45, 65) and result.model == "tiny"
    assert desk.about().family == "sd1" and not ui.lock.locked()


@pytest.mark.parametrize("words", ["", "  ", "<lora:loud:1>"])
def test_no_words_are_refused_before_the_queue(words: str, ui: WebUI, loaded: Any, desk: WebuiDesk) -> None:
    ui.lock.acquire()  # a picture is being painted
    with pytest.raises(PhraseError, match="No words were given; expected"):
        desk.mask(PICTURE, MaskSettings(words=words))


def test_a_words_own_lora_is_not_answered_from_memory(ui: WebUI, loaded: Any, desk: WebuiDesk) -> None:
    ui.loras["loud"] = {}
    desk.mask(PICTURE, MaskSettings(words="fox <lora:loud:1>", method="attention"))
    assert desk.memory.asked == 0  # type: ignore[attr-defined]
    desk.mask(PICTURE, MaskSettings(words="fox", method="attention"))
    assert desk.memory.asked == 1  # type: ignore[attr-defined]


def test_regions_are_ranked(ui: WebUI, loaded: Any, desk: WebuiDesk) -> None:
    result = desk.regions(PICTURE, "masterpiece, a red fox and an owl on snow, a cat", MaskSettings(method="attention"))
    assert {phrase.text for phrase in result.phrases} == {"red fox", "owl", "snow", "cat"}
    ranks = [(phrase.status != "found", -phrase.score) for phrase in result.phrases]
    assert ranks == sorted(ranks) and result.phrases[-1].score <= result.phrases[0].score
    with pytest.raises(PhraseError, match="names no thing; expected some"):
        desk.regions(PICTURE, "masterpiece, best quality", MaskSettings())


def test_heads_go_where_the_settings_say(ui: WebUI, loaded: Any, desk: WebuiDesk) -> None:
    settings = MaskSettings(words="fox", method="ldznet")
    first = desk.mask(PICTURE, settings)
    assert heads._heads
    ui.opts.data["ldznet_head_after"] = "drop"
    np.testing.assert_array_equal(desk.mask(PICTURE, settings).prob, first.prob)
    assert not heads._heads
    ui.opts.data["ldznet_head_after"] = "move to the CPU"
    desk.mask(PICTURE, settings)
    assert all(next(head.parameters()).device == torch.device("cpu") for head, _, _ in heads._heads.values())


def test_converting_what_is_not_there_is_a_sentence(ui: WebUI, desk: WebuiDesk) -> None:
    with pytest.raises(LdznetError, match=r"; expected .*, so "):
        desk.convert("nothing.ckpt")


def test_every_pixel_gets_a_name_and_an_example_its_likes(ui: WebUI, loaded: Any, desk: WebuiDesk) -> None:
    labelled = desk.classes(PICTURE, "fox, owl", MaskSettings(threshold=0.2), keep_absent=True)
    assert labelled.labels.shape == (45, 65) and [one.name for one in labelled.classes] == ["fox", "owl"]
    own = desk.like(PICTURE, [(30, 20)], [], MaskSettings())
    two = desk.like(PICTURE, [(30, 20)], [picture(40, 50), picture(50, 40)], MaskSettings(threshold=0.3))
    assert [one.mask.shape for one in (*own, *two)] == [(45, 65), (40, 50), (50, 40)]
    assert own[0].model == "tiny" and not ui.lock.locked()


@pytest.mark.parametrize(
    "ask",
    [
        lambda desk, watch: desk.mask(PICTURE, MaskSettings(words="fox"), watch),
        lambda desk, watch: desk.regions(PICTURE, "a fox", MaskSettings(), watch),
        lambda desk, watch: desk.classes(PICTURE, ["fox"], MaskSettings(), watch),
        lambda desk, watch: desk.like(PICTURE, [(30, 20)], [], MaskSettings(), watch),
    ],
)
def test_who_is_cancelled_while_they_wait_takes_nothing_of_the_host(
    ui: WebUI, loaded: Any, desk: WebuiDesk, ask: Callable[[WebuiDesk, Watch], Any]
) -> None:
    watch, seen = Watch(), []
    unet_of(loaded).register_forward_pre_hook(lambda *_: seen.append(1))
    ui.lock.acquire()  # a picture is being painted
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, desk, watch)
        while not watch.progress.what:
            time.sleep(0.005)
        watch.cancel()
        ui.lock.release()
        with pytest.raises(CancelledError):
            waiting.result(20)
    assert not seen and not ui.lock.locked()
