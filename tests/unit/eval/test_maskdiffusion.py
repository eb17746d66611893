"""Ablations change one thing at a time, and the upper bound knows the true masks."""

from dataclasses import replace

import numpy as np
import pytest

from ldznet_ext.eval.classes import Named
from ldznet_ext.eval.maskdiffusion import ablate, upper_bound, variants
from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.segmenters.maskdiffusion_settings import MASKDIFFUSION

BASE = MASKDIFFUSION["sticker"]


@pytest.fixture
def halves() -> Named:
    """A picture of two textures side by side and what they are called."""
    shown = np.zeros((128, 192, 3), np.uint8)
    shown[:, 96:, 0] = 255
    shown[::8, 96:] = 255
    truth = np.zeros((128, 192), np.int16)
    truth[:, 96:] = 1
    return Named(where="hand-made", picture=shown, names=("fox", "snow"), truth=truth)


def test_every_variant_differs_from_the_settings_in_one_thing() -> None:
    every = variants(BASE)
    assert every["as set"] == BASE and len(set(map(str, every.values()))) == len(every) >= 9
    for name, settings in every.items():
        changed = [key for key in vars(settings) if getattr(settings, key) != getattr(BASE, key)]
        assert len(changed) == (name != "as set")


def test_true_masks_tell_two_textures_apart(backbone: StandaloneBackbone, halves: Named) -> None:
    told = upper_bound(backbone, [halves], BASE)
    assert told["n"] == 1 and told["miou"] > 0.8
    swapped = replace(halves, truth=np.where(np.arange(192) % 64 < 32, 0, 1) * np.ones((128, 1), int))
    assert upper_bound(backbone, [swapped], BASE)["miou"] < told["miou"]  # what features cannot see


def test_all_variants_are_scored(backbone: StandaloneBackbone, halves: Named) -> None:
    lines = dict(ablate(backbone, [halves]))
    assert len(lines) == len(variants(BASE)) + 1
    assert all(0 <= scores["miou"] <= 1 for scores in lines.values())
