"""PSNR by hand, and over scenes."""

import math

import numpy as np
import pytest

from ldznet_ext.eval import autoencoder
from ldznet_ext.eval.autoencoder import judge_autoencoder, psnr


def test_psnr_by_hand():
    one = np.full((3, 5, 3), 100, np.uint8)
    assert psnr(one, one + np.uint8(10)) == pytest.approx(10 * math.log10(255**2 / 100))
    assert psnr(one, one) == 100
    assert psnr(np.zeros_like(one), np.full_like(one, 255)) == pytest.approx(0)


@pytest.fixture
def scenes(monkeypatch):
    """Scene n is the grey n; what was asked for is noted."""
    from ldznet_ext.world import scenes

    asked = []

    def scene(seed, index, **settings):
        asked.append((index, settings))
        return type("Scene", (), {"picture": np.full((4, 6, 3), index, np.uint8)})

    monkeypatch.setattr(scenes, "scene", scene)
    return asked


def test_the_mean_over_test_scenes(scenes):
    ticks = []
    found = judge_autoencoder(
        lambda picture: picture + picture[0, 0, 0] % 2 + np.uint8(1),
        scenes=4,
        size=32,
        progress=lambda *t: ticks.append(t),
    )
    both = [10 * math.log10(255**2 / error) for error in (1, 4)]
    assert found["psnr"] == pytest.approx(sum(both) / 2)
    assert found["worst"] == pytest.approx(min(both))
    assert found["interval"][0] <= found["psnr"] <= found["interval"][1]
    assert (found["scenes"], found["size"], ticks[-1]) == (4, 32, (4, 4))
    assert [index for index, _ in scenes] == [0, 1, 2, 3]
    assert all(settings == {"split": "test", "concepts": "known", "size": 32} for _, settings in scenes)


def test_the_command(scenes, monkeypatch, capsys, tmp_path):
    from ldznet_ext.eval import tools

    monkeypatch.setattr(tools, "open_backbone", lambda model, device: (None, "mark"))
    monkeypatch.setattr(tools, "reconstruct_with", lambda backbone: lambda picture: picture + np.uint8(2))
    assert autoencoder.main(["--scenes", "3", "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("42.11 dB PSNR (42.11 to 42.11) over 3 test scenes")
