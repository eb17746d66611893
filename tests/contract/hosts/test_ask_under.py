"""Words asked of a picture that was painted with a LoRA: queries and keys of the same weights, and no pass where that can be."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ldznet_ext.geometry import Size
from ldznet_ext.harvest.wanted import harvest_wanted
from ldznet_ext.hosts.answer import answer, wanted_for
from ldznet_ext.hosts.memory import Made, Memory, unet_key
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.hosts.webui import find as webui_find
from ldznet_ext.hosts.webui.ask import ask
from ldznet_ext.hosts.webui.desk import WebuiDesk
from ldznet_ext.hosts.webui.host import Host
from ldznet_ext.hosts.webui.networks import AS_THEY_ARE, Networks
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import Segmentation
from tests.contract.hosts.test_borrowed import lora
from tests.fakes.models import load
from tests.fakes.webui import WebUI
from tests.tiny import picture

PICTURE = picture(64, 128)
ATTENTION = MaskSettings(words="fox", method="attention")


def painted(ui: WebUI, host: Host, settings: MaskSettings) -> Made:
    """What two calls of the UNet leave of a picture, with the networks that are active."""
    latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(3))
    with ui.lock, host.inside(AS_THEY_ARE):
        backbone = host.borrow(host.loaded())
        told = backbone.conditioning(["a fox on snow"])
        with harvest_wanted(backbone.unet, wanted_for(settings, backbone), steps=2) as given:
            for timestep in (700, 400):
                backbone.predict(latent, timestep, told)
        key = unet_key(backbone)
    return Made(latent=latent, kept=given.kept, prompt="", grid=Size(8, 16), model=key, networks=host.active())


def asked(ui: WebUI, host: Host, made: Made | None, settings: MaskSettings = ATTENTION) -> Segmentation:
    """An answer as a hook of the generation gets it."""
    with ui.lock:
        return ask(host, PICTURE, [settings.words], settings, made)


def plainly(ui: WebUI, host: Host, made: Made, networks: Networks) -> np.ndarray:
    with ui.lock, host.inside(networks):
        return answer(PICTURE, ["fox"], ATTENTION, host.borrow(host.loaded()), made).prob


def test_the_networks_that_painted_it_are_asked_and_left_alone(
    ui: WebUI, loaded: Any, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    made = painted(ui, host, ATTENTION)
    of_one, mixed = (plainly(ui, host, made, networks) for networks in (AS_THEY_ARE, Networks()))
    assert np.abs(of_one - mixed).max() > 0.01, "else the LoRA does nothing here"
    monkeypatch.setattr(ui.modules["modules.extra_networks"], "activate", None)  # no weights are loaded for it
    result = asked(ui, host, made)
    assert result.unet_calls == 0 and np.array_equal(result.prob, of_one)


def test_a_pass_is_made_where_they_are_not_active_any_more(ui: WebUI, loaded: Any, host: Host) -> None:
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    made = painted(ui, host, ATTENTION)
    ui.activate("")
    result = asked(ui, host, made)
    assert result.unet_calls == 1 and np.array_equal(result.prob, asked(ui, host, None).prob)


def test_a_pass_of_our_own_has_no_networks_left_over(ui: WebUI, loaded: Any, host: Host) -> None:
    plain = asked(ui, host, None)
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    made = painted(ui, host, MaskSettings(words="fox", method="ldznet"))  # of another method: it does not serve
    assert np.array_equal(asked(ui, host, made).prob, plain.prob)


def test_a_picture_painted_without_any_is_asked_without_any(ui: WebUI, loaded: Any, host: Host) -> None:
    made = painted(ui, host, ATTENTION)
    before = asked(ui, host, made)
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    after = asked(ui, host, made)
    assert after.unet_calls == 0 and np.array_equal(after.prob, before.prob)


def test_a_head_reads_what_any_networks_painted(ui: WebUI, loaded: Any, host: Host) -> None:
    settings = MaskSettings(words="fox", method="ldznet")
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    made = painted(ui, host, settings)
    ui.activate("")
    assert asked(ui, host, made, settings).unet_calls == 0


def test_words_that_name_a_lora_are_answered_by_a_pass(ui: WebUI, loaded: Any, host: Host) -> None:
    made = painted(ui, host, ATTENTION)
    words = f"fox <lora:{lora(ui, loaded)}:1>"
    with ui.lock:
        in_the_hook = webui_find.ask(host, PICTURE, [words], ATTENTION, made)
    in_the_tab = WebuiDesk(host, Memory()).mask(PICTURE, MaskSettings(words=words, method="attention"))
    assert in_the_hook.unet_calls == 1 and np.array_equal(in_the_hook.prob, in_the_tab.prob)
    assert in_the_hook.phrases[0].text == in_the_tab.phrases[0].text == "fox"


def test_the_tab_knows_a_picture_while_its_networks_are_active(ui: WebUI, loaded: Any, host: Host) -> None:
    ui.activate(f"<lora:{lora(ui, loaded)}:1>")
    memory = Memory()
    memory.put(PICTURE, painted(ui, host, ATTENTION))
    desk = WebuiDesk(host, memory)
    calls = []
    for prompt in (None, ""):
        if prompt is not None:
            ui.activate(prompt)
        calls.append(desk.mask(PICTURE, ATTENTION).unet_calls)
    assert calls == [0, 1] and not ui.lock.locked()


def test_a_checkpoint_that_is_loaded_again_is_the_same_while_its_file_is(
    ui: WebUI, loaded: Any, host: Host, backbone: StandaloneBackbone, tmp_path: Path
) -> None:
    """A1111 drops it for a refiner, and makes a new model object of it for the next batch."""
    file = tmp_path / "tiny.safetensors"
    file.write_bytes(b"1")
    calls = []
    for content in (None, b"1", b"2"):
        ui.data.sd_model = None
        model = load(ui, backbone)
        model.sd_checkpoint_info.filename = str(file)
        if content is None:
            made = painted(ui, host, ATTENTION)
            continue
        if content != b"1":
            os.utime(file, (1, 1))  # another file under its name
        calls.append(asked(ui, host, made).unet_calls)
    assert calls == [0, 1]
