"""What only real weights or a GPU can prove: run with LDZNET_SD=/path/to/a/Stable/Diffusion/checkpoint, or on a GPU."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ldznet_ext as ldz
from ldznet_ext.backbone import Backbone
from ldznet_ext.harvest.hooks import harvest
from ldznet_ext.harvest.taps import LDZNET_TAPS
from ldznet_ext.inpaint import default_feather
from ldznet_ext.masks.imaging import load_picture
from tests.tiny import write_models

SCENES = Path(__file__).resolve().parent.parent / "data" / "sticker_test"


@pytest.fixture(scope="module")
def real() -> Backbone:
    return ldz.load_backbone(os.environ["LDZNET_SD"])


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A scene at a real model's size, uint8 (448 512 3)."""
    scene = Image.fromarray(load_picture(sorted(SCENES.glob("*.webp"))[0]))
    return np.asarray(scene.resize((512, 448), Image.Resampling.LANCZOS))


@pytest.mark.weights
def test_a_picture_survives_the_auto_encoder(real: Backbone, picture: np.ndarray) -> None:
    pixels = torch.from_numpy(picture.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    with torch.inference_mode():
        error = (real.decode(real.encode(pixels)).float().cpu().clamp(-1, 1) - pixels).square().mean()
    psnr = float(10 * torch.log10(4 / error))
    assert psnr > 25, f"{psnr:.1f} dB"


@pytest.mark.weights
def test_features_are_read_without_a_trace(real: Backbone) -> None:
    with torch.inference_mode():
        context = real.text(["a fox"])
        noisy = torch.randn(1, 4, 64, 56, generator=torch.Generator().manual_seed(0)).to(context)
        before = real.predict(noisy, 400, context)
        with harvest(real.unet, LDZNET_TAPS) as store:
            during = real.predict(noisy, 400, context)
        after = real.predict(noisy, 400, context)
    assert torch.equal(before, during)
    assert torch.equal(before, after)
    assert set(LDZNET_TAPS) == set(store)


@pytest.mark.weights
@pytest.mark.slow
def test_a_repaint_leaves_the_rest_alone(real: Backbone, picture: np.ndarray) -> None:
    mask = np.zeros(picture.shape[:2], bool)
    mask[100:300, 150:350] = True
    edited = np.asarray(ldz.inpaint(picture, mask, "an owl", backbone=real, seed=2, steps=8))
    feather = default_feather(ldz.Size(*mask.shape))
    far = np.ones_like(mask)
    far[100 - feather : 300 + feather, 150 - feather : 350 + feather] = False
    assert np.array_equal(edited[far], picture[far])
    assert np.abs(edited[mask].astype(int) - picture[mask]).mean() > 5


@pytest.mark.gpu
def test_a_gpu_gives_the_same_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: np.ndarray) -> None:
    monkeypatch.setenv("LDZNET_MODELS", str(write_models(tmp_path)))
    results = [
        ldz.segment(picture, "fox", backbone=ldz.load_backbone(device=device, dtype="float32"))
        for device in ("cpu", str(torch.accelerator.current_accelerator()))
    ]
    masks = [result.prob > 0.5 for result in results]
    union = np.logical_or(*masks).sum()
    assert np.abs(results[0].prob - results[1].prob).max() < 1e-3
    assert np.logical_and(*masks).sum() / max(union, 1) > 0.999
