"""Which answers come from what a generation left, and which need a pass: by table, on the tiny model."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ldznet_ext.geometry import Box, Size
from ldznet_ext.harvest.sampling import Kept
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.harvest.wanted import harvest_wanted
from ldznet_ext.hosts.answer import answer, wanted_for
from ldznet_ext.hosts.memory import Made, unet_key
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.prompt.tree import Phrase
from ldznet_ext.request import MaskSettings
from ldznet_ext.segmenters import heads
from ldznet_ext.segmenters.methods import pick_segmenter
from tests.tiny import picture

Change = Callable[[Made], Made]


def painted(backbone: StandaloneBackbone, settings: MaskSettings) -> Made:
    """What two calls of the UNet leave of one picture."""
    latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(3))
    wanted = wanted_for(settings, backbone)
    with torch.no_grad(), harvest_wanted(backbone.unet, wanted, steps=2) as given:
        for timestep in (700, 400):
            backbone.unet(latent, torch.tensor([timestep]), backbone.text(["a fox on snow"]))
    return Made(latent=latent, kept=given.kept, prompt="a fox on snow", grid=Size(8, 16), model=unet_key(backbone))


def other_taps(made: Made) -> Made:
    kept = made.kept[0]
    return replace(made, kept=(replace(kept, features={"mid": kept.features["mid"]}),))


SERVES = [
    pytest.param(lambda made: made, id="as it was painted"),
    pytest.param(lambda made: replace(made, latent=None), id="decoded by the host (hires)"),
    pytest.param(lambda made: replace(made, box=Box(3, 4, 133, 94)), id="a crop, asked of the crop"),
]
FAILS = [
    pytest.param(lambda made: replace(made, model=("another", 0)), id="another checkpoint"),
    pytest.param(other_taps, id="another method's features"),
    pytest.param(lambda made: replace(made, kept=()), id="no step near enough"),
    pytest.param(lambda made: replace(made, box=Box(0, 0, 50, 40)), id="a crop, asked of the whole"),
    pytest.param(lambda made: replace(made, grid=Size(9, 16)), id="a size the head cannot take"),
]


@pytest.mark.parametrize("method", ["auto", "ldznet", "attention", "maskdiffusion", "noise_difference"])
def test_what_is_wanted_is_known_without_the_head(backbone: StandaloneBackbone, method: str) -> None:
    heads.put_away(None)
    wanted = wanted_for(MaskSettings(method=method), backbone)
    assert not heads._heads, "it would take room beside the sampling"
    assert wanted == pick_segmenter(method, backbone).wanted(backbone)


@pytest.mark.parametrize("change", SERVES)
def test_free(backbone: StandaloneBackbone, change: Change) -> None:
    settings, calls = MaskSettings(method="ldznet"), backbone.unet_calls
    made = painted(backbone, settings)
    result = answer(picture(), ["fox & !owl", Phrase("snow")], settings, backbone, change(made))
    assert result.unet_calls == 0 == backbone.unet_calls - calls
    assert result.size == Size(90, 130) and [one.text for one in result.phrases] == ["fox & !owl", "snow"]
    assert result.provenance["features"] == "of the generation" and result.provenance["timestep"] == 400


@pytest.mark.parametrize("change", FAILS)
def test_by_a_pass(backbone: StandaloneBackbone, change: Change) -> None:
    settings = MaskSettings(method="ldznet")
    result = answer(picture(), "fox", settings, backbone, change(painted(backbone, settings)))
    own = answer(picture(), "fox", settings, backbone)
    assert result.unet_calls == 1 and np.array_equal(result.prob, own.prob)


@pytest.mark.parametrize("settings", [MaskSettings(method="ldznet", average=2), MaskSettings(parity=True)])
def test_several_looks_take_the_latent_and_the_demo_the_picture(
    backbone: StandaloneBackbone, settings: MaskSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = painted(backbone, MaskSettings(method="ldznet"))
    assert wanted_for(settings, backbone).taps == ()
    monkeypatch.setattr(backbone, "encode", None)  # the demo draws its latent by another way
    for made in (painted(backbone, settings), usual):
        backbone.caches.clear()
        found = answer(picture(90, 180), [Phrase("fox")], settings, backbone, made)
        assert found.unet_calls == len(found.provenance["timestep"]) == settings.average
        assert found.provenance["network_size"] == [64, 128]


def test_a_timestep_that_was_asked_for(backbone: StandaloneBackbone) -> None:
    made = painted(backbone, MaskSettings(method="ldznet"))
    assert wanted_for(MaskSettings(method="ldznet", timestep=700), backbone).accept == (600, 800)
    for timestep, calls in ((450, 0), (700, 1)):
        settings = MaskSettings(method="ldznet", timestep=timestep)
        assert answer(picture(), "fox", settings, backbone, made).unet_calls == calls
    near = painted(backbone, MaskSettings(method="ldznet", timestep=700))
    assert near.kept[0].timestep == 700 and set(near.kept[0].features) == set(LDZNET_TAPS)


@pytest.mark.parametrize("method", ["attention", "maskdiffusion", "ldznet"])
def test_the_features_may_come_from_main_memory_in_16_bits(backbone: StandaloneBackbone, method: str) -> None:
    settings = MaskSettings(method=method)
    made = painted(backbone, settings)
    half = tuple(_half(kept) for kept in made.kept)
    if method == "maskdiffusion":  # it reads the end of a sampling, which these two calls are not
        half = tuple(replace(kept, timestep=50.0) for kept in _kept_of(backbone, settings))
    result = answer(picture(), "fox", settings, backbone, replace(made, kept=half))
    assert result.unet_calls == 0 and np.isfinite(result.prob).all()


def _half(kept: Kept) -> Kept:
    return replace(kept, features={tap: value.half() for tap, value in kept.features.items()})


def _kept_of(backbone: StandaloneBackbone, settings: MaskSettings) -> tuple[Kept, ...]:
    wanted = replace(wanted_for(settings, backbone), near=400.0, accept=(0.0, 999.0))
    latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad(), harvest_wanted(backbone.unet, wanted, steps=1) as given:
        backbone.unet(latent, torch.tensor([400]), backbone.text(["a fox on snow"]))
    return given.kept
