"""Heads' training on a tiny Sticker-SD: the four kinds, their export and calibration, what is asked of them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ldznet_ext.nets.presets import PRESETS
from ldznet_ext.train.head import HeadTask, _dice_loss
from ldznet_ext.train.loop import train
from ldznet_ext.train.phrased import PhrasedScenes, choose
from ldznet_ext.train.recipe import load_recipe, parse_recipe
from ldznet_ext.train.tokenizer import bpe_file
from ldznet_ext.weights import load_head, read_info
from ldznet_ext.world.phrases import ABSENT, OBJECT, Phrase

pytestmark = pytest.mark.skipif(bpe_file() is None, reason="open_clip_torch is not there")
KINDS = ("rgbnet", "znet", "ldznet", "concat")


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    small = {"model_channels": 32, "channel_mult": (1, 1, 2, 2), "context_dim": 32, "grid": 2, "mid_grid": 1}
    monkeypatch.setitem(PRESETS, "sticker", replace(PRESETS["sticker"], **small, decoder_widths=(32, 32, 32)))


def recipe(kind, folder, **changes):
    settings = {
        "kind": "head",
        "steps": 1,
        "warmup": 0,
        "sample_minutes": 999.0,
        "phases": [{"share": 1.0, "size": 64, "batch": 2, "rate": 1e-3}],
        "model": {"head": kind, "preset": "sticker", "sticker_sd": str(folder)},
        "data": {
            "styles": [],
            "phrases_each": 2,
            "caption_features": 0.5,
            "calibration_scenes": 8,
            "calibration_paintings": 2,
        },
        "loss": {"dice": 0.5},
    }
    return parse_recipe({**settings, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_and_a_calibrated_file(kind, sticker_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(HeadTask, "sheet", lambda self: None)
    task = HeadTask(recipe(kind, sticker_folder))
    before = {name: value.clone() for name, value in task.module.state_dict().items()}
    frozen = {name: value.clone() for name, value in task.unet.state_dict().items()}
    start = frozen["mid_block.resnets.0.conv1.weight"]
    assert torch.equal(before["middle_block.0.in_layers.2.weight"], start)  # all kinds start from the same UNet
    train(task, recipe(kind, sticker_folder), tmp_path, device="cpu")
    path = tmp_path / f"{kind}-sticker.safetensors"
    info = read_info(path)
    assert (info.kind, info.family, info.native_grid) == (kind, "sticker", (2, 1))
    assert 0 <= info.found_threshold <= 1
    assert info.calibration is not None
    assert bool(info.taps) == (kind in ("ldznet", "concat"))
    assert json.loads(info.recipe)["model"]["head"] == kind
    head, _, familiarity = load_head(path)
    assert (familiarity is not None) == bool(info.taps)
    after = task.head.state_dict()
    assert any(not torch.equal(after[name], before[name]) for name in before)
    assert all(torch.equal(task.unet.state_dict()[name], frozen[name]) for name in frozen)
    kept = head.state_dict()
    assert all(torch.allclose(kept[name].float(), after[name].float(), atol=0.02, rtol=1e-2) for name in after)


def test_both_kinds_of_features_are_asked_for(sticker_folder, monkeypatch):
    task = HeadTask(recipe("ldznet", sticker_folder))
    asked, real = [], HeadTask.features
    monkeypatch.setattr(
        task, "features", lambda latent, texts, *rest: asked.extend(texts) or real(task, latent, texts, *rest)
    )
    pixels = torch.zeros(1, 3, 64, 64)
    for seed in range(4):
        words, captions = ["fox", "owl"], ["a fox and an owl on snow"] * 2
        logits = task.logits(pixels, words, captions, torch.Generator().manual_seed(seed))
        assert logits.shape == (2, 1, 64, 64)
    assert {"fox", "owl", "a fox and an owl on snow"} == set(asked)


def test_phrases_stay_with_their_picture_and_mask(sticker_folder, monkeypatch):
    """The loader turns k phrases of n pictures inside out; the loss must turn them back."""
    from torch.utils.data import default_collate

    task = HeadTask(recipe("znet", sticker_folder))
    data = PhrasedScenes(seed=1, size=64, styles=None, each=2)
    items = [data[n] for n in range(3)]
    seen = {}

    def answer(source, words, captions, noise):
        seen.update(words=words, captions=captions)
        return torch.zeros(6, 1, 64, 64)

    monkeypatch.setattr(task, "answer", answer)
    task.loss(default_collate(items), torch.Generator(), 0.0)
    assert seen["words"] == [text for item in items for text in item["phrases"]]
    assert seen["captions"] == [item["caption"] for item in items for _ in range(2)]


def test_a_window_is_asked_what_it_shows():
    data = PhrasedScenes(seed=1, size=128, styles=None, each=2, window=64)
    for item in (data[index] for index in range(6)):
        assert item["pixels"].shape == (3, 64, 64)
        assert item["masks"].shape == (2, 64, 64)
    whole = PhrasedScenes(seed=1, size=128, styles=None, each=2)[0]["pixels"]
    part = data[0]["pixels"]
    places = [(y, x) for y in range(0, 65, 8) for x in range(0, 65, 8)]
    assert any(torch.equal(part, whole[:, y : y + 64, x : x + 64]) for y, x in places)


def test_scenes_are_asked_what_they_can_answer():
    data = PhrasedScenes(seed=2, size=64, styles=("noto",), each=3)
    item, again = data[4], data[4]
    assert item["masks"].shape == (3, 64, 64)
    assert item["phrases"] == again["phrases"]
    assert set(item["masks"].unique().tolist()) <= {0.0, 1.0}


def test_kinds_are_weighted_and_not_repeated():
    options = [Phrase(text="fox", mask=np.ones((2, 2), bool), kind=OBJECT), Phrase(text="owl", mask=None, kind=ABSENT)]
    rng = np.random.default_rng(0)
    assert {phrase.text for phrase in choose(options, 2, rng)} == {"fox", "owl"}
    firsts = [choose(options, 1, rng)[0].text for _ in range(300)]
    assert 0.75 < firsts.count("fox") / 300 < 0.92  # 6 to 1.2
    assert len(choose(options, 5, rng)) == 5


def test_dice_counts_only_what_is_there():
    target = torch.zeros(2, 1, 2, 3)
    target[0, 0, :, 0] = 1
    perfect = torch.where(target > 0, 30.0, -30.0)
    assert float(_dice_loss(perfect, target)) == pytest.approx(0, abs=1e-5)
    spoilt = perfect.clone()
    spoilt[1] = 30.0  # the absent phrase's map is no business of this loss
    assert float(_dice_loss(spoilt, target)) == pytest.approx(0, abs=1e-5)
    assert float(_dice_loss(-perfect, target)) == pytest.approx(1 - 1 / 7, abs=1e-4)


def test_the_shipped_recipe_trains_both_kinds_of_features_at_two_sizes():
    shipped = load_recipe("head")
    assert 0 < shipped.data["caption_features"] < 1
    assert shipped.phases[-1].size == 256
