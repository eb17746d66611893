"""Sticker-SD's training at tiny width: exact resume, the export, and that diffusers and we ourselves can load it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file

from ldznet_ext.train import diffusion
from ldznet_ext.train.diffusion import DiffusionTask, build_sticker_sd, loss_weight
from ldznet_ext.train.loop import CHECKPOINT, train
from ldznet_ext.train.recipe import load_recipe
from ldznet_ext.train.text import build_text_encoder
from ldznet_ext.train.tokenizer import bpe_file
from ldznet_ext.weights import find_model
from tests.unit.train.recipes import diffusion_recipe, few_texts

pytestmark = pytest.mark.skipif(
    bpe_file() is None and find_model("sticker-sd") is None, reason="neither open_clip_torch nor Sticker-SD is there"
)


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture
def recipe(vae_folder, tmp_path):
    return diffusion_recipe(vae_folder, tmp_path)


def test_a_killed_training_goes_on_bit_for_bit(recipe, vae_folder, sticker_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(diffusion, "training_texts", few_texts(diffusion.training_texts))
    monkeypatch.setattr(DiffusionTask, "sheet", lambda self: None)
    task, real = DiffusionTask(recipe), DiffusionTask.loss

    def dying(self, batch, noise, progress):
        if progress >= 0.5:
            raise Killed
        return real(self, batch, noise, progress)

    monkeypatch.setattr(DiffusionTask, "loss", dying)
    with pytest.raises(Killed):
        train(task, recipe, tmp_path / "out", device="cpu")
    monkeypatch.setattr(DiffusionTask, "loss", real)
    train(DiffusionTask(recipe), recipe, tmp_path / "out", device="cpu")
    parts, whole = (load_file(folder / CHECKPOINT) for folder in (tmp_path / "out", sticker_folder.parent))
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[key], whole[key]) for key in whole)


def test_the_text_encoder_may_come_from_elsewhere(recipe, sticker_folder, tmp_path):
    kept = DiffusionTask(replace(recipe, start=str(sticker_folder)))
    build_text_encoder(recipe.model).save_pretrained(tmp_path / "text")
    model = {**recipe.model, "text_encoder": str(tmp_path / "text")}
    other = DiffusionTask(replace(recipe, start=str(sticker_folder), model=model))
    one, two = kept.module, other.module
    assert all(torch.equal(a, b) for a, b in zip(one.unet.parameters(), two.unet.parameters(), strict=True))
    assert not torch.equal(next(one.text_encoder.parameters()), next(two.text_encoder.parameters()))


def test_the_export_is_a_stable_diffusion_pipeline(sticker_folder):
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(sticker_folder, torch_dtype=torch.float32)
    assert pipe.safety_checker is None
    assert isinstance(pipe.scheduler, DDIMScheduler)
    pipe.set_progress_bar_config(disable=True)
    images = pipe("a fox", height=64, width=64, num_inference_steps=2, output_type="np").images
    assert images.shape == (1, 64, 64, 3)
    assert np.isfinite(images).all()


def test_the_export_is_half_precision_safetensors(sticker_folder):
    files = sorted(sticker_folder.rglob("*.safetensors"))
    assert {path.parent.name for path in files} == {"unet", "vae", "text_encoder"}
    for path in files:
        assert all(value.dtype == torch.float16 for value in load_file(path).values() if value.is_floating_point())
    assert not list(sticker_folder.rglob("*.bin"))


def test_we_load_it_too_and_see_the_same(sticker_folder):
    from ldznet_ext.hosts.standalone import load_backbone

    backbone = load_backbone(sticker_folder, "cpu")
    unet = UNet2DConditionModel.from_pretrained(sticker_folder / "unet", torch_dtype=torch.float32)
    noisy = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    context = backbone.text(["a fox"])
    with torch.inference_mode():
        expected = unet(noisy, torch.tensor([400]), context).sample
    torch.testing.assert_close(backbone.predict(noisy, 400, context), expected, rtol=1e-3, atol=1e-4)


def test_words_of_training_are_known_and_others_are_not(sticker_folder):
    from ldznet_ext.hosts.tokens import load_tokens

    seen = json.loads((sticker_folder / "tokens_seen.json").read_text())
    assert seen == sorted(set(seen))
    tokens = load_tokens(sticker_folder / "tokenizer", sticker_folder / "tokens_seen.json")
    assert list(tokens.unknown_words("a picture of lava")) == ["lava"]


def test_texts_hold_captions_and_phrases(recipe):
    from ldznet_ext.world.captions import caption
    from ldznet_ext.world.phrases import phrases
    from ldznet_ext.world.scenes import scene

    texts = list(diffusion.training_texts(recipe, 1))
    painted = scene(recipe.seed, 0, concepts="known", size=64)
    assert texts[:4] == [caption(painted, n) for n in range(4)]
    assert texts[4:] == [phrase.text for phrase in phrases(painted)]


def test_empty_captions_and_the_weight_of_noise(recipe):
    task = DiffusionTask(recipe)
    asked = []
    task.untold = torch.zeros(1, 77, dtype=torch.long)
    task.module = torch.nn.Linear(1, 1)
    task.module.forward = lambda noisy, timesteps, tokens: asked.append(tokens) or torch.zeros_like(noisy)
    batch = {"latent": torch.zeros(64, 4, 2, 2), "tokens": torch.ones(64, 77, dtype=torch.long)}
    losses = task.loss(batch, torch.Generator().manual_seed(1), 0.0)
    assert 16 < int((asked[0] == 0).all(dim=1).sum()) < 48
    assert losses["loss"] > losses["mse"]  # on the whole, what counts is noise


def test_little_noise_and_much_of_it_weigh_by_their_ratio():
    weights = loss_weight(torch.tensor([0.04, 1.0, 5.0, 50.0]), cap=5.0)
    torch.testing.assert_close(weights, torch.tensor([5.0, 1.0, 1.0, 0.1]))


def test_the_shipped_recipe_builds_sticker_sd():
    with torch.device("meta"):
        model = build_sticker_sd(load_recipe("diffusion").model)
    assert sum(p.numel() for p in model.unet.parameters()) == pytest.approx(21.9e6, rel=0.01)
    assert model.text_encoder.config.vocab_size == 49_408
    assert model.unet.config.block_out_channels == (64, 128, 192, 192)


def test_sheets_are_seeded(recipe):
    task = DiffusionTask(recipe)
    one, two = (task.painter.sample(["a fox"] * 2, size=64, seed=3, steps=2) for _ in range(2))
    assert one.shape == (2, 64, 64, 3)
    assert one.dtype == np.uint8
    np.testing.assert_array_equal(one, two)


def test_a_start_takes_the_shipped_weights(recipe, vae_folder, tmp_path, sticker_folder):
    task = DiffusionTask(diffusion_recipe(vae_folder, tmp_path, start=str(sticker_folder)))
    kept = load_file(sticker_folder / "unet" / "diffusion_pytorch_model.safetensors")
    own = task.module.unet.state_dict()
    assert all(torch.equal(own[key], kept[key].float()) for key in kept)
    assert isinstance(task.vae, AutoencoderKL)
