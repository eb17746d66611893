"""The autoencoder's training at tiny width: crops, the loss, a frozen encoder, the scaling factor."""

import math

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from ldznet_ext.train import autoencoder
from ldznet_ext.train.autoencoder import AutoencoderTask, Crops, psnr, to_bytes
from ldznet_ext.train.loop import train
from ldznet_ext.train.recipe import parse_recipe
from ldznet_ext.world.scenes import scene


def recipe(**changes):
    settings = {
        "kind": "autoencoder",
        "steps": 3,
        "warmup": 0,
        "sample_minutes": 999.0,
        "phases": [{"share": 1.0, "size": 32, "batch": 2, "rate": 1e-3}],
        "model": {"channels": [32, 32, 32, 32], "layers": 0},
        "data": {"scenes": 2},
        "loss": {"mse": 2.0, "gradient": 0.5, "kl": 1e-4, "latent_noise": 0.05},
    }
    return parse_recipe({**settings, **changes})


@pytest.fixture(autouse=True)
def small_scenes(monkeypatch):
    """Everything the task paints is 64 px wide."""
    real = Crops.__init__

    def small(self, *, size, crop, **rest):
        real(self, size=64, crop=min(crop, 64), **rest)

    monkeypatch.setattr(Crops, "__init__", small)
    monkeypatch.setattr(AutoencoderTask, "sheet", lambda self: None)


def test_training_exports_latents_of_unit_scale(tmp_path):
    task = AutoencoderTask(recipe())
    train(task, recipe(), tmp_path, device="cpu")
    vae = AutoencoderKL.from_pretrained(tmp_path / "vae")
    data = autoencoder.Crops(seed=2, size=64, crop=64, split="val")
    with torch.inference_mode():
        latents = torch.cat([vae.encode(data[n]["pixels"][None]).latent_dist.mean for n in range(64)])
    assert float(latents.std()) * vae.config.scaling_factor == pytest.approx(1, rel=1e-3)


def test_a_frozen_encoder_stays_and_so_does_the_scale(tmp_path, vae_folder):
    model = {"channels": [32, 32, 32, 32], "layers": 0, "freeze_encoder": True}
    started = recipe(start=str(vae_folder), model=model, steps=2)
    train(AutoencoderTask(started), started, tmp_path, device="cpu")
    before, after = AutoencoderKL.from_pretrained(vae_folder), AutoencoderKL.from_pretrained(tmp_path / "vae")
    assert after.config.scaling_factor == before.config.scaling_factor
    old, new = before.state_dict(), after.state_dict()
    changed = {key.split(".")[0] for key in old if not torch.equal(old[key], new[key])}
    assert changed
    assert changed <= {"decoder", "post_quant_conv"}


def test_the_loss_falls_on_one_batch():
    task = AutoencoderTask(recipe())
    batch = {"pixels": torch.stack([Crops(seed=1, size=64, crop=32)[n]["pixels"] for n in range(2)])}
    optimizer = torch.optim.Adam(task.module.parameters(), lr=3e-3)
    losses = []
    for step in range(12):
        loss = task.loss(batch, torch.Generator().manual_seed(step), 0.0)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_crops_are_cut_from_their_scene():
    data = Crops(seed=5, size=64, crop=32)
    pixels = data[3]["pixels"]
    picture = scene(5, 3, concepts="known", size=64).picture
    bytes_ = to_bytes(pixels).transpose(1, 2, 0)
    places = [(y, x) for y in range(33) for x in range(33) if (picture[y : y + 32, x : x + 32] == bytes_).all()]
    assert places
    assert torch.equal(pixels, data[3]["pixels"])


def test_a_few_scenes_are_painted_once(monkeypatch):
    calls = []
    monkeypatch.setattr(autoencoder, "scene", lambda *a, **k: calls.append(a) or scene(*a, **k))
    data = Crops(seed=5, size=64, crop=32, scenes=2)
    for index in range(8):
        data[index]
    assert len(calls) == 2


def test_psnr_is_ten_log_of_the_peak_over_the_error():
    target = torch.zeros(1, 3, 4, 6)
    assert float(psnr(target + 0.2, target)) == pytest.approx(10 * math.log10(4 / 0.04), rel=1e-5)
    assert float(psnr(target + 5, target)) == pytest.approx(10 * math.log10(4 / 1), rel=1e-5)  # clamped to 1


def test_bytes_round_and_clamp():
    pixels = torch.tensor([-2.0, -1.0, 0.0, 1.0, 3.0])
    np.testing.assert_array_equal(to_bytes(pixels), np.array([0, 0, 128, 255, 255], np.uint8))
