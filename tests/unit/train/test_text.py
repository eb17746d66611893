"""The text encoder's own training: states that tell words, places that are asked about, and what is written."""

import pytest
import torch
from transformers import CLIPTextModel

from ldznet_ext.train.loop import train
from ldznet_ext.train.recipe import load_recipe, parse_recipe
from ldznet_ext.train.text import END, START, TextTask, build_text_encoder, some_places
from ldznet_ext.train.tokenizer import bpe_file
from ldznet_ext.weights import find_model

needs_vocabulary = pytest.mark.skipif(
    bpe_file() is None and find_model("sticker-sd") is None, reason="neither open_clip_torch nor Sticker-SD is there"
)


def recipe(folder, **changes):
    settings = {
        "kind": "text",
        "steps": 60,
        "warmup": 0,
        "decay": 0.0,
        "sample_minutes": 999.0,
        "ema": 0.5,
        "phases": [{"share": 1.0, "size": 64, "batch": 16, "rate": 3e-3}],
        "model": {"text_width": 32, "text_layers": 1, "text_heads": 4, "cache_folder": str(folder / "cache")},
        "data": {"concepts": "known", "scenes": 12},
        "loss": {"present": 20.0, "own": 0.02},
    }
    return parse_recipe({**settings, **changes})


def test_fresh_words_are_apart_from_each_other():
    text = build_text_encoder(load_recipe("text").model).eval()
    ids = torch.tensor([[START, word, *[END] * 8] for word in (3240, 6930, 15141, 2368, 929)])
    with torch.no_grad():
        states = text(ids).last_hidden_state[:, 1]
    apart = (states - states.mean(0)).norm(dim=-1).mean() / states.norm(dim=-1).mean()
    assert apart > 0.5


def test_places_are_words_the_end_and_padding():
    tokens = torch.tensor([[START, 5, 6, 7, END, END, END, END], [START, 5, END, END, END, END, END, END]])
    for seed in range(20):
        places = some_places(tokens, torch.Generator().manual_seed(seed))
        assert places.shape == (2, 5)
        for row, end in ((0, 4), (1, 2)):
            first, second, at_end, after, last = places[row].tolist()
            assert 1 <= first < end and 1 <= second < end
            assert (at_end, last) == (end, 7)
            assert end < after <= 7


def test_a_text_without_an_end_in_sight():
    places = some_places(torch.arange(8).expand(3, 8), torch.Generator().manual_seed(0))
    assert places.min() >= 1 and places.max() == 7


@needs_vocabulary
def test_states_learn_to_tell_words(tmp_path):
    task = TextTask(recipe(tmp_path))
    batch = {"tokens": torch.stack([task.texts[index]["tokens"] for index in range(32)])}
    before = task.loss(batch, torch.Generator().manual_seed(9), 0.0)
    train(task, recipe(tmp_path), tmp_path / "out", device="cpu")
    after = task.loss(batch, torch.Generator().manual_seed(9), 0.0)
    assert after["told"] < 0.5 * before["told"]
    written = CLIPTextModel.from_pretrained(tmp_path / "out" / "text_encoder")
    assert written.config.hidden_size == 32
