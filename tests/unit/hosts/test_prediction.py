"""What a UNet predicts, measured on one that was trained: the shipped model, and the same made to answer with the velocity."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from ldznet_ext.errors import OptionError
from ldznet_ext.hosts.prediction import (
    EPSILON,
    MARKER,
    MODELSPEC,
    VELOCITY,
    check_prediction,
    measure_prediction,
    told_prediction,
)
from ldznet_ext.hosts.schedule import Schedule
from ldznet_ext.hosts.standalone import StandaloneBackbone, load_backbone
from ldznet_ext.nets.unet import UNet


class AsVelocity(torch.nn.Module):
    """A UNet that predicts noise, answering with the velocity this means."""

    def __init__(self, unet: UNet, schedule: Schedule) -> None:
        super().__init__()
        self.unet, self.config, self.schedule = unet, unet.config, schedule

    def forward(self, noisy: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        noise = self.unet(noisy, timesteps, context)
        clean, _ = self.schedule.split(noise, noisy, int(timesteps))
        signal, spread = self.schedule._scales(int(timesteps))
        return signal * noise - spread * clean


@pytest.mark.sticker
def test_a_trained_unet() -> None:
    sticker = load_backbone(Path(__file__).resolve().parents[3] / "models" / "sticker-sd")
    nothing = sticker.text([""])
    assert measure_prediction(sticker.unet, nothing) == EPSILON
    assert measure_prediction(AsVelocity(sticker.unet, sticker.schedule), nothing) == VELOCITY


def test_an_untrained_one_is_taken_for_the_usual(backbone: StandaloneBackbone) -> None:
    assert measure_prediction(backbone.unet, backbone.text([""])) == EPSILON


def test_the_file_may_say_it(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    assert told_prediction(path, {}) is None
    assert told_prediction(path, {}, [MARKER, "ztsnr"]) == VELOCITY
    path.with_suffix(".yaml").write_text(
        'model:\n  params:\n    # parameterization: "eps"\n    parameterization: "v"\n'
    )
    assert told_prediction(path, {}) == VELOCITY
    path.with_suffix(".yaml").write_text("model:\n  params:\n    linear_start: 0.00085\n")
    assert told_prediction(path, {}) is None
    assert told_prediction(path, {MODELSPEC: "v"}) == VELOCITY
    assert told_prediction(path, {MODELSPEC: "epsilon"}, [MARKER]) == EPSILON


def test_a_person_may_say_it() -> None:
    assert [check_prediction(said) for said in (None, "eps", "v", "v_prediction")] == [
        None,
        EPSILON,
        VELOCITY,
        VELOCITY,
    ]
    with pytest.raises(OptionError, match="prediction is 'x0'; expected epsilon or v_prediction"):
        check_prediction("x0")
